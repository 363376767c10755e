import { useState } from "react";
import { type Character, call, clipFile, makeCharacter } from "./api";
import { portrait } from "./cast";
import { Area, Field, FileButton } from "./fields";
import { Icon } from "./icons";
import { Problem } from "./problem";
import { Picker } from "./sheet";
import { to, useFresh, useTask } from "./state";

/** Names for what clips show: made here, and used in prompts. */
export function Characters({ chosen }: { chosen: string }) {
  const { seen, problem, load } = useFresh<{ data: Character[] }>("/videos/characters");
  return (
    <div className="characters">
      <div className="toolbar">
        <h1>Characters</h1>
        <p className="muted">A name for what a clip shows. A prompt that names it has it in its clip.</p>
      </div>
      <NewCharacter key={chosen} chosen={chosen} made={load} />
      <Problem of={problem} />
      {seen?.data.length === 0 && <p className="muted">There is none yet.</p>}
      <ul className="cards">
        {(seen?.data ?? []).map((one) => (
          <Card key={one.id} character={one} gone={load} />
        ))}
      </ul>
    </div>
  );
}

/** The form for one more; `chosen` is the id of the clip that it is made of, until another is chosen. */
function NewCharacter({ chosen, made }: { chosen: string; made: () => Promise<void> }) {
  const [name, setName] = useState("");
  const [words, setWords] = useState("");
  const [clip, setClip] = useState<File | string>(chosen);
  const [picking, setPicking] = useState(Boolean(chosen));
  const { busy, problem, run } = useTask();
  const make = () =>
    run(async () => {
      const file = typeof clip === "string" ? await clipFile(clip) : clip;
      await makeCharacter(name.trim(), words.trim(), file);
      setName("");
      setWords("");
      setClip("");
      setPicking(false);
      await made();
    });
  return (
    <form
      className="card sheet"
      aria-label="New character"
      onSubmit={(event) => {
        event.preventDefault();
        make();
      }}
    >
      <Field label="Name" value={name} change={setName} hint="Mo" />
      <Area label="Words that stand for it" value={words} change={setWords} hint="a small red rubber ball" />
      <p className="muted small">
        The model knows only words and frames. Without words, clips begin with the first frame of the character's clip.
        No likeness is learnt from it.
      </p>
      <div className="row">
        <FileButton label="A file" accept="video/*,image/*" take={setClip} />
        <button type="button" aria-expanded={picking} onClick={() => setPicking(!picking)}>
          <Icon name="clips" /> One of my clips
        </button>
        {clip instanceof File && <span className="muted">{clip.name}</span>}
      </div>
      {picking && (
        <Picker
          label="The clip that shows it"
          chosen={typeof clip === "string" ? clip : ""}
          choose={({ id }) => setClip(id)}
        />
      )}
      <Problem of={problem} />
      <div className="row end">
        <button type="submit" className="primary" disabled={busy || !name.trim() || !clip}>
          {busy ? "Making…" : "Make the character"}
        </button>
      </div>
    </form>
  );
}

function Card({ character, gone }: { character: Character; gone: () => Promise<void> }) {
  const { busy, problem, run } = useTask();
  const { id, name, description } = character;
  const remove = () =>
    run(async () => {
      if (!window.confirm(`Delete ${name}? Clips with it stay; what waits and begins with its frame fails.`)) return;
      await call("DELETE", `/videos/characters/${id}`);
      await gone();
    });
  return (
    <li className="card">
      <img src={portrait(character)} alt="" loading="lazy" />
      <h2>{name}</h2>
      <p className="muted">{description || "Clips begin with this frame."}</p>
      <div className="row">
        <a className="button" href={to("with", id)}>
          Use it in a prompt
        </a>
        <button type="button" className="quiet" disabled={busy} onClick={remove} aria-label={`Delete ${name}`}>
          <Icon name="trash" />
        </button>
      </div>
      <Problem of={problem} />
    </li>
  );
}
