import { type ReactNode, useEffect, useState } from "react";
import { content, type Fields, get, make, type Video } from "./api";
import type { Known } from "./app";
import { nameOf, type Point, PRESETS } from "./curve";
import { CurveEditor } from "./curveeditor";
import { CutEditor } from "./cut";
import { Choice, FINE, Field, FineFields, fineFields, Price } from "./fields";
import { Icon } from "./icons";
import { aspect, down, up, workSize } from "./money";
import { Problem } from "./problem";
import { to, useTask } from "./state";

type Given = Known & { video: Video };

const TOOLS = {
  remix: { text: "Remix", Form: Remix },
  extend: { text: "Extend", Form: Extend },
  cut: { text: "Re-cut", Form: Recut },
  loop: { text: "Loop", Form: Loop },
  blend: { text: "Blend", Form: Blend },
} as const;

/** What can be made of a clip. */
export function Tools(given: Given) {
  const [chosen, setChosen] = useState<keyof typeof TOOLS | "">("");
  const Form = chosen && TOOLS[chosen].Form;
  return (
    <section className="tools" aria-label="Tools">
      <div className="row" role="group" aria-label="Work on this clip">
        {(Object.keys(TOOLS) as (keyof typeof TOOLS)[]).map((name) => (
          <button
            type="button"
            key={name}
            aria-pressed={chosen === name}
            onClick={() => setChosen(chosen === name ? "" : name)}
          >
            <Icon name={name} /> {TOOLS[name].text}
          </button>
        ))}
      </div>
      {Form && <Form key={chosen} {...given} />}
    </section>
  );
}

interface SheetProps extends Given {
  route: string;
  fields: Fields;
  seconds: number;
  about: string;
  prompt?: "needed" | "own";
  ready?: boolean;
  children?: ReactNode;
}

/** What the forms of all tools have in common: words, fine settings, the price, and the button that asks. */
function Sheet({
  video,
  account,
  refresh,
  route,
  fields,
  seconds,
  about,
  prompt = "own",
  ready = true,
  children,
}: SheetProps) {
  const [words, setWords] = useState(prompt === "needed" ? video.prompt : "");
  const [fine, setFine] = useState(FINE);
  const [open, setOpen] = useState(false);
  const { busy, problem, run } = useTask();
  const submit = () =>
    run(async () => {
      const own = words.trim() ? { prompt: words.trim() } : {};
      const made = await make(route, { video: { id: video.id }, ...own, ...fields, ...fineFields(fine) });
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
      {open && <FineFields fine={fine} change={setFine} />}
      <Problem of={problem} />
      <div className="row end">
        <button type="button" className="quiet" aria-expanded={open} onClick={() => setOpen(!open)}>
          <Icon name="more" /> More
        </button>
        <Price account={account} size={workSize(video.size)} seconds={seconds} />
        <button type="submit" className="primary" disabled={busy || !ready}>
          {busy ? "Asking…" : "Make"}
        </button>
      </div>
    </form>
  );
}

const STRENGTHS = [["subtle", "Subtle", 0.4], ["mild", "Mild", 0.6], ["strong", "Strong", 0.8]] as const; // biome-ignore format: rows

function Remix(given: Given) {
  const [strength, setStrength] = useState(0.6);
  const known = STRENGTHS.find(([, , level]) => level === strength);
  return (
    <Sheet
      {...given}
      route="edits"
      fields={{ strength: known?.[0] ?? strength }}
      seconds={down(Number(given.video.seconds))}
      about="The clip made anew as the prompt says. A mild remix keeps how it moves, a strong one hardly anything."
      prompt="needed"
    >
      <div className="row" role="group" aria-label="Strength">
        {STRENGTHS.map(([name, text, level]) => (
          <button type="button" key={name} aria-pressed={known?.[0] === name} onClick={() => setStrength(level)}>
            {text}
          </button>
        ))}
        <input
          type="range"
          aria-label="Strength, from 0 (the clip itself) to 1 (another one)"
          min={0}
          max={1}
          step={0.05}
          value={strength}
          onChange={(event) => setStrength(Number(event.target.value))}
        />
        <output>{strength.toFixed(2)}</output>
      </div>
    </Sheet>
  );
}

const ADDED = [0.5, 1, 2, 4].map((n) => [String(n), `${n} s`] as const);

function Extend(given: Given) {
  const [seconds, setSeconds] = useState("2");
  const [backward, setBackward] = useState(false);
  return (
    <Sheet
      {...given}
      route="extensions"
      fields={{ seconds, backward }}
      seconds={up(Number(given.video.seconds) + Number(seconds))}
      about="What comes after the clip, or what came before it. The clip itself stays as it is."
      prompt="needed"
    >
      <div className="row">
        <button type="button" aria-pressed={backward} onClick={() => setBackward(true)}>
          Before
        </button>
        <button type="button" aria-pressed={!backward} onClick={() => setBackward(false)}>
          After
        </button>
        <Choice label="Added" value={seconds} change={setSeconds} options={ADDED} />
      </div>
    </Sheet>
  );
}

function Loop(given: Given) {
  const [seconds, setSeconds] = useState("1");
  return (
    <Sheet
      {...given}
      route="loops"
      fields={{ seconds }}
      seconds={up(Number(given.video.seconds) + Number(seconds))}
      about="A way from the clip's end back to its beginning, so that it goes round without a seam."
    >
      <Choice label="Way back" value={seconds} change={setSeconds} options={ADDED.slice(0, 3)} />
    </Sheet>
  );
}

function Recut(given: Given) {
  const length = Number(given.video.seconds);
  const [ends, setEnds] = useState<[number, number]>([0, length]);
  const [before, setBefore] = useState("0");
  const [after, setAfter] = useState("1");
  const added = Number(before) + Number(after);
  return (
    <Sheet
      {...given}
      route="recuts"
      fields={{ start: ends[0], end: ends[1], before: Number(before), after: Number(after) }}
      seconds={up(ends[1] - ends[0] + added)}
      about="Keep the best of the clip and have more made at its ends. Drag the handles, or move them with the arrow keys."
    >
      <CutEditor video={given.video} ends={ends} change={setEnds} />
      <div className="row">
        <Field label="Seconds before" value={before} change={setBefore} type="number" min={0} max={20} step={0.5} />
        <Field label="Seconds after" value={after} change={setAfter} type="number" min={0} max={20} step={0.5} />
      </div>
    </Sheet>
  );
}

const CURVES: [string, string][] = [["transition", "Transition"], ["mix", "Mix"], ["sample", "Sample"]]; // biome-ignore format: pairs

function Blend(given: Given) {
  const [other, setOther] = useState<Video | null>(null);
  const [points, setPoints] = useState<Point[]>(PRESETS.transition ?? []);
  const preset = nameOf(points);
  return (
    <Sheet
      {...given}
      route="blends"
      fields={{ second_video: { id: other?.id }, influence: preset ?? points }}
      seconds={down(Math.min(Number(given.video.seconds), Number(other?.seconds ?? given.video.seconds)))}
      about="This clip and another mixed. The curve says when the other shows: below this one, above the other."
      ready={Boolean(other)}
    >
      <Picker label="The other clip" not={given.video.id} chosen={other?.id} choose={setOther} />
      <div className="row" role="group" aria-label="Curve">
        {CURVES.map(([name, text]) => (
          <button
            type="button"
            key={name}
            aria-pressed={preset === name}
            onClick={() => setPoints(PRESETS[name] ?? [])}
          >
            {text}
          </button>
        ))}
        {!preset && <span className="muted">Your own curve</span>}
      </div>
      <CurveEditor points={points} change={setPoints} />
    </Sheet>
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
