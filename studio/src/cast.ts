/** Which characters a prompt names: as they are written, and not inside another word, as the server reads them. */
import type { Character } from "./api";

export const MOST = 2; // characters in one clip

export const portrait = ({ id }: Character) => `/v1/videos/characters/${id}/content`;

/** The field of a request that names them; nobody is no field. */
export const castField = (cast: { id: string }[]) =>
  cast.length > 0 ? { characters: cast.map(({ id }) => ({ id })) } : {};

export function isNamed(name: string, prompt: string): boolean {
  const plain = name.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  return new RegExp(`(?<![\\p{L}\\p{N}_])${plain}(?![\\p{L}\\p{N}_])`, "u").test(prompt);
}

/** The prompt with the name at its end, if it does not name it yet. */
export function naming(name: string, prompt: string): string {
  return isNamed(name, prompt) ? prompt : `${prompt.trim()} ${name}`.trim();
}

/** One more character, or one fewer. */
export function toggled(cast: Character[], one: Character): Character[] {
  const rest = cast.filter(({ id }) => id !== one.id);
  return rest.length < cast.length ? rest : [...cast, one];
}
