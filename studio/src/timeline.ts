/** Times on a timeline: cards of a storyboard and the ends of a cut. All snap to the model's frames. */
import { castField } from "./cast";

export const FRAME = 0.125; // seconds
export const CLOSE = 0.75; // cards nearer than this cut: there is no time to pass from one to the other

export interface Card {
  key: number;
  time: number;
  text: string;
  file?: { id: string; name: string; picture: string };
}

export const snap = (time: number) => Math.round(time / FRAME) * FRAME;

/** The time of a place on a line of that width. */
export const timeAt = (offset: number, width: number, seconds: number) =>
  Math.min(seconds, Math.max(0, snap((offset / Math.max(1, width)) * seconds)));

export const sorted = (cards: Card[]) => [...cards].sort((a, b) => a.time - b.time);

/** Cards with one moved; where another lies already it goes to the nearest free frame. */
export function moveCard(cards: Card[], key: number, time: number, seconds: number): Card[] {
  const taken = new Set(cards.filter((card) => card.key !== key).map((card) => card.time));
  const free = nearestFree(snap(Math.min(seconds, Math.max(0, time))), taken, seconds);
  return sorted(cards.map((card) => (card.key === key ? { ...card, time: free } : card)));
}

function nearestFree(time: number, taken: Set<number>, seconds: number): number {
  for (let step = 0; step <= seconds / FRAME; step++) {
    for (const place of [time + step * FRAME, time - step * FRAME]) {
      if (place >= 0 && place <= seconds && !taken.has(place)) return place;
    }
  }
  return time;
}

/** Where a new card goes: the middle of the widest gap, or the start of an empty board. */
export function freeTime(cards: Card[], seconds: number): number {
  const times = sorted(cards).map((card) => card.time);
  if (times.length === 0 || times[0] !== 0) return 0;
  let best = { gap: 0, time: 0 };
  times.forEach((time, i) => {
    const next = times[i + 1] ?? seconds;
    if (next - time > best.gap) best = { gap: next - time, time: snap((time + next) / 2) };
  });
  return best.time;
}

/** Which cards come by a cut. */
export function cuts(cards: Card[]): Set<number> {
  const line = sorted(cards);
  return new Set(line.filter((card, i) => i > 0 && card.time - (line[i - 1]?.time ?? 0) < CLOSE).map((c) => c.key));
}

/** The fields of a request that makes a storyboard, as `sorairo storyboard` would ask, with those whom its cards name. */
export function toFields(cards: Card[], cast: { id: string }[] = []): Record<string, unknown> {
  const line = sorted(cards);
  const close = cuts(cards);
  const scenes = line
    .filter((card) => card.time > 0 && (card.text || close.has(card.key)))
    .map((card) => ({ start: card.time, prompt: card.text, cut: close.has(card.key) }));
  const keyframes = line.flatMap((card) => (card.file ? [{ id: card.file.id, time: card.time }] : []));
  const fields: Record<string, unknown> = { prompt: line.find((card) => card.text)?.text ?? "", ...castField(cast) };
  if (scenes.length) fields.scenes = scenes;
  if (keyframes.length) fields.keyframes = keyframes;
  return fields;
}

/** A cut's two ends after one was moved: in order, at least a frame apart, within the clip. */
export function trim(ends: [number, number], which: 0 | 1, time: number, seconds: number): [number, number] {
  const [start, end] = ends;
  if (which === 0) return [Math.max(0, Math.min(snap(time), end - FRAME)), end];
  return [start, Math.min(seconds, Math.max(snap(time), start + FRAME))];
}
