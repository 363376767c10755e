import type { Character } from "./api";
import { MOST, portrait } from "./cast";
import { Icon } from "./icons";
import { Problem } from "./problem";
import { to, useFresh } from "./state";

/** What opens the choice of characters, and tells who is chosen. */
export function CastButton({ cast, open, toggle }: { cast: Character[]; open: boolean; toggle: () => void }) {
  return (
    <button type="button" aria-expanded={open} onClick={toggle}>
      <Icon name="cast" /> {cast.length > 0 ? `Characters: ${cast.map(({ name }) => name).join(", ")}` : "Characters"}
    </button>
  );
}

/** The characters to choose of for a prompt; `worded`: only of those that have words, as no frame of theirs is shown. */
export function Cast(props: { cast: Character[]; toggle: (one: Character) => void; worded?: boolean }) {
  const { cast, toggle, worded = false } = props;
  const { seen, problem } = useFresh<{ data: Character[] }>("/videos/characters");
  return (
    <div className="cast row" role="group" aria-label="Characters in this clip">
      <Problem of={problem} />
      {(seen?.data ?? []).map((one) => {
        const isIn = cast.some(({ id }) => id === one.id);
        return (
          <button
            type="button"
            key={one.id}
            aria-pressed={isIn}
            disabled={!isIn && (cast.length >= MOST || (worded && !one.description))}
            onClick={() => toggle(one)}
          >
            <img src={portrait(one)} alt="" /> {one.name}
          </button>
        );
      })}
      {worded && seen?.data.some(({ description }) => !description) && (
        <span className="muted small">Those without words can only be in new clips.</span>
      )}
      <a href={to("characters")}>{seen?.data.length === 0 ? "Make your first character" : "All characters"}</a>
    </div>
  );
}
