import { useState } from "react";
import type { Video } from "./api";
import { nameOf, type Point, PRESETS } from "./curve";
import { CurveEditor } from "./curveeditor";
import { CutEditor } from "./cut";
import { Choice, Field } from "./fields";
import { Icon } from "./icons";
import { down, up } from "./money";
import { Inpaint, Outpaint } from "./painting";
import { type Given, Picker, Sheet } from "./sheet";

const TOOLS = {
  remix: { text: "Remix", Form: Remix },
  extend: { text: "Extend", Form: Extend },
  cut: { text: "Re-cut", Form: Recut },
  loop: { text: "Loop", Form: Loop },
  blend: { text: "Blend", Form: Blend },
  connect: { text: "Connect", Form: Connect },
  inpaint: { text: "Inpaint", Form: Inpaint },
  outpaint: { text: "Outpaint", Form: Outpaint },
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

function Connect(given: Given) {
  const [other, setOther] = useState<Video | null>(null);
  const [seconds, setSeconds] = useState("2");
  return (
    <Sheet
      {...given}
      route="connections"
      fields={{ second_video: { id: other?.id }, seconds: Number(seconds) }}
      seconds={up(Number(given.video.seconds) + Number(seconds) + Number(other?.seconds ?? 0))}
      about="This clip, then another, and seconds between them that lead from the one to the other."
      ready={Boolean(other)}
    >
      <Picker label="The clip it leads to" not={given.video.id} chosen={other?.id} choose={setOther} />
      <Choice label="Between" value={seconds} change={setSeconds} options={ADDED} />
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
