import { type ReactNode, useEffect, useState } from "react";
import { type Character, type Clip, content, type Fields, get, make, type Video } from "./api";
import type { Known } from "./app";
import { castField, naming, toggled } from "./cast";
import { Cast, CastButton } from "./casting";
import { FINE, FineFields, fineFields, Price } from "./fields";
import { Icon } from "./icons";
import { aspect, workSize } from "./money";
import { Problem } from "./problem";
import { to, useTask } from "./state";

export type Given = Known & { video: Clip };

interface SheetProps extends Given {
  route: string;
  fields: Fields;
  seconds: number;
  size?: string;
  about: string;
  prompt?: "needed" | "own";
  ready?: boolean;
  prepare?: () => Promise<Fields>;
  children?: ReactNode;
}

/** What the forms of all tools have in common: words, characters, fine settings, the price, and the button that asks; `prepare`
 * gives fields that are made only then. */
export function Sheet({
  video,
  account,
  refresh,
  route,
  fields,
  seconds,
  size = workSize(video.size),
  about,
  prompt = "own",
  ready = true,
  prepare,
  children,
}: SheetProps) {
  const [words, setWords] = useState(prompt === "needed" ? video.prompt : "");
  const [fine, setFine] = useState(FINE);
  const [open, setOpen] = useState(false);
  const [cast, setCast] = useState<Character[]>([]);
  const [casting, setCasting] = useState(false);
  const { busy, problem, run } = useTask();
  const toggle = (one: Character) => {
    const next = toggled(cast, one);
    setCast(next);
    if (next.includes(one)) setWords(naming(one.name, words));
  };
  const submit = () =>
    run(async () => {
      const own = { ...(words.trim() ? { prompt: words.trim() } : {}), ...castField(cast) };
      const last = await prepare?.();
      const made = await make(route, { video: { id: video.id }, ...own, ...fields, ...last, ...fineFields(fine) });
      refresh();
      location.hash = to("video", made.id);
    });
  return (
    <form
      className="sheet card"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <p className="muted">{about}</p>
      {children}
      <label className="field wide">
        <span>{prompt === "needed" ? "Prompt" : "Prompt (the clip's own, if empty)"}</span>
        <textarea
          rows={2}
          value={words}
          required={prompt === "needed"}
          maxLength={8000}
          onChange={(event) => setWords(event.target.value)}
        />
      </label>
      {casting && <Cast cast={cast} toggle={toggle} worded />}
      {open && <FineFields fine={fine} change={setFine} />}
      <Problem of={problem} />
      <div className="row end">
        <CastButton cast={cast} open={casting} toggle={() => setCasting(!casting)} />
        <button type="button" className="quiet" aria-expanded={open} onClick={() => setOpen(!open)}>
          <Icon name="more" /> More
        </button>
        <Price account={account} size={size} seconds={seconds} />
        <button type="submit" className="primary" disabled={busy || !ready}>
          {busy ? "Asking…" : "Make"}
        </button>
      </div>
    </form>
  );
}

/** The account's finished clips to choose one of. */
export function Picker(props: { label: string; not?: string; chosen?: string; choose: (video: Video) => void }) {
  const [videos, setVideos] = useState<Video[] | null>(null);
  const [problem, setProblem] = useState<unknown>(null);
  useEffect(() => {
    get<{ data: Video[] }>("/videos?limit=100")
      .then(({ data }) => setVideos(data.filter((video) => video.status === "completed" && video.id !== props.not)))
      .catch(setProblem);
  }, [props.not]);
  if (videos?.length === 0) return <p className="muted">There is no other finished clip yet.</p>;
  return (
    <fieldset className="picker">
      <legend>{props.label}</legend>
      <Problem of={problem} />
      {(videos ?? []).map((video) => (
        <label key={video.id} data-chosen={video.id === props.chosen || undefined}>
          <input
            type="radio"
            name={props.label}
            checked={video.id === props.chosen}
            onChange={() => props.choose(video)}
          />
          <img
            src={content(video.id, "thumbnail")}
            alt={video.title || video.prompt}
            title={video.title || video.prompt}
            style={{ aspectRatio: aspect(video.size) }}
            loading="lazy"
          />
        </label>
      ))}
    </fieldset>
  );
}
