/** A blend's curve: how much of the second clip shows, from 0 to 1, along the length, which runs from 0 to 1 too. */

export type Point = [at: number, share: number];

/** The same names and points as the server's. */
export const PRESETS: Record<string, Point[]> = {
  transition: [[0, 0], [0.25, 0], [0.75, 1], [1, 1]],
  mix: [[0, 0], [0.25, 0.5], [0.75, 0.5], [1, 1]],
  sample: [[0, 0], [0.5, 0.5], [1, 0]],
}; // biome-ignore format: points

export const GAP = 0.02; // two points closer than this could not be told apart

const clamp = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value));
const rounded = (value: number) => Math.round(value * 1000) / 1000;

/** The curve with one point moved: ends keep their place, others stay between their neighbours. */
export function move(points: Point[], index: number, at: number, share: number): Point[] {
  const before = points[index - 1]?.[0];
  const after = points[index + 1]?.[0];
  const place = before === undefined ? 0 : after === undefined ? 1 : clamp(at, before + GAP, after - GAP);
  return points.map((point, i) => (i === index ? [rounded(place), rounded(clamp(share, 0, 1))] : point));
}

/** The curve with a new point on its line at `at`, or as it is where there is no room. */
export function add(points: Point[], at: number): Point[] {
  if (points.some(([known]) => Math.abs(known - at) < GAP) || at <= 0 || at >= 1) return points;
  const made: Point = [rounded(at), rounded(shareAt(points, at))];
  return [...points, made].sort((a, b) => a[0] - b[0]);
}

/** The curve without a point; its ends stay. */
export function remove(points: Point[], index: number): Point[] {
  return index > 0 && index < points.length - 1 ? points.filter((_, i) => i !== index) : points;
}

/** The share at a place: straight lines between points. */
export function shareAt(points: Point[], at: number): number {
  const next = points.findIndex(([known]) => known >= at);
  const after = points[next];
  const before = points[next - 1];
  if (!after) return points.at(-1)?.[1] ?? 0;
  if (!before) return after[1];
  return before[1] + ((at - before[0]) / (after[0] - before[0])) * (after[1] - before[1]);
}

/** The name of the preset that these points are, if they are one. */
export function nameOf(points: Point[]): string | null {
  return Object.keys(PRESETS).find((name) => JSON.stringify(PRESETS[name]) === JSON.stringify(points)) ?? null;
}

/** The line for an SVG of that size. */
export const path = (points: Point[], width: number, height: number) =>
  points.map(([at, share], i) => `${i ? "L" : "M"}${at * width} ${(1 - share) * height}`).join(" ");
