/** What clips cost and how long they get, by the server's own rules, so that the price is known before asking. */
import type { Limits } from "./api";

export const STEP = 0.5; // seconds: the model's grid of lengths
const NATIVE: [number, number][] = [[160, 96], [96, 160], [128, 128]]; // biome-ignore format: pairs
const STRIDE = 16;
const LARGEST_AREA = (160 * 96 * 3) / 2;

export function sides(size: string): [number, number] | null {
  const found = /^\s*(\d+)\s*[x×]\s*(\d+)\s*$/i.exec(size);
  return found ? [Number(found[1]), Number(found[2])] : null;
}

export const aspect = (size: string) => {
  const [width, height] = sides(size) ?? [16, 9];
  return width / height;
};

/** Credits of one clip, or null for a size that is none. */
export function price(size: string, seconds: number, limits: Limits): number | null {
  const found = sides(size);
  if (!found || !(seconds > 0)) return null;
  return Math.max(1, Math.ceil((found[0] * found[1] * seconds) / limits.pixel_seconds_per_credit));
}

/** The size in which a tool works on a clip: its own if the model can, else the native one nearest in shape. */
export function workSize(size: string): string {
  const [width, height] = sides(size) ?? [160, 96];
  if (width % STRIDE === 0 && height % STRIDE === 0 && width * height <= LARGEST_AREA) return size;
  const distance = ([w, h]: [number, number]) => Math.abs(Math.log(w / h) - Math.log(width / height));
  const [best] = [...NATIVE].sort((a, b) => distance(a) - distance(b));
  return best?.join("x") ?? size;
}

/** A size that is a fifth larger each way, in the model's steps. */
export function larger(size: string): string {
  const grown = (sides(size) ?? [160, 96]).map((side) => Math.ceil((side * 1.2) / STRIDE) * STRIDE);
  return grown.join("x");
}

/** The next length that the model makes. */
export const up = (seconds: number) => Math.ceil(seconds / STEP - 1e-9) * STEP;
export const down = (seconds: number) => Math.max(STEP, Math.floor(seconds / STEP + 1e-9) * STEP);

const UNLIMITED = 1e8; // the operator's tier has no limit to speak of

/** A price in words. */
export const inWords = (credits: number) => (credits === 1 ? "1 credit" : `${credits.toLocaleString("en")} credits`);

/** How many credits are left, in words, where there is a limit. */
export const left = (credits: number) => (credits < UNLIMITED ? `${credits.toLocaleString("en")} credits left` : "");
