import { useEffect, useRef, useState } from "react";
import { type Character, get, make, type Video } from "./api";
import type { Known } from "./app";
import { castField, naming, toggled } from "./cast";
import { Cast, CastButton } from "./casting";
import { useDrop } from "./drag";
import {
  Choice,
  FINE,
  FileButton,
  FineFields,
  fineFields,
  type Picture,
  Price,
  SizeAndLength,
  takePicture,
} from "./fields";
import { Icon } from "./icons";
import { isMarked, MaskEditor, maskField, NO_MASK } from "./maskeditor";
import { Problem } from "./problem";
import { useTask } from "./state";

interface Taste {
  size: string;
  seconds: string;
  variations: string;
}

const TASTE: Taste = { size: "160x96", seconds: "4", variations: "1" };

const COUNTS = [1, 2, 4];

/** What was chosen last, in this browser. */
function savedTaste(): Taste {
  try {
    return { ...TASTE, ...JSON.parse(localStorage.getItem("taste") ?? "{}") };
  } catch {
    return TASTE;
  }
}

/** Where a clip is asked for: a sentence, perhaps a first picture, and how it is to be made. */
export function Composer(
  props: Known & { starring: string; draft: string; setDraft: (text: string) => void; made: (video: Video) => void },
) {
  const { account, refresh, starring, draft, setDraft, made } = props;
  const [taste, setTaste] = useState(savedTaste);
  const [style, setStyle] = useState("");
  const [fine, setFine] = useState(FINE);
  const [open, setOpen] = useState(false);
  const [picture, setPicture] = useState<Picture | null>(null);
  const [part, setPart] = useState(NO_MASK);
  const [partly, setPartly] = useState(false); // only a part of the picture moves
  const [cast, setCast] = useState<Character[]>([]);
  const [casting, setCasting] = useState(false);
  const [full, setFull] = useState(false); // the prompt is told in full
  const { busy, problem, run } = useTask();
  const box = useRef<HTMLTextAreaElement>(null);
  const taking = useTask();
  const count = Math.min(Number(taste.variations), account.limits.variations);

  const choose = (change: Partial<Taste>) => {
    const next = { ...taste, ...change };
    localStorage.setItem("taste", JSON.stringify(next));
    setTaste(next);
  };
  const take = (file: File) => taking.run(async () => show(await takePicture(file)));
  const isOver = useDrop((file) => partly || take(file)); // else it is the mask's
  const show = (next: Picture | null) => {
    setPicture(next);
    setPart(NO_MASK);
    setPartly(false);
  };
  const toggle = (one: Character) => {
    const next = toggled(cast, one);
    setCast(next);
    if (next.includes(one)) setDraft(naming(one.name, draft));
  };

  useEffect(() => {
    if (!starring) return;
    taking.run(async () => {
      const one = await get<Character>(`/videos/characters/${starring}`);
      setCast([one]);
      setCasting(true);
      setDraft(`${one.name} `);
    });
  }, [starring, setDraft, taking.run]);

  useEffect(() => {
    const area = box.current;
    if (!area) return;
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight, 180)}px`;
    if (draft && document.activeElement === document.body) area.focus();
  }, [draft]);

  const byWords = !picture && cast.every((one) => one.description); // else a picture says more than words would
  const submit = () =>
    run(async () => {
      const prompt = (account.styles[style] ?? "{prompt}").replace("{prompt}", draft.trim());
      const fields = { prompt, size: taste.size, seconds: taste.seconds };
      const first = picture ? { input_reference: { id: picture.id } } : {};
      const mask = picture && partly ? await maskField(part, picture.size) : {};
      for (let number = 0; number < count; number++) {
        made(
          await make(partly ? "cinemagraphs" : "", {
            ...fields,
            ...first,
            ...(full && byWords ? { expand: true } : {}),
            ...castField(cast),
            ...mask,
            ...fineFields(fine, number),
          }),
        );
      }
      setCast([]);
      setCasting(false);
      setDraft("");
      setStyle("");
      setFull(false);
      show(null);
    }).then(refresh);
  const ready = partly ? draft.trim() && isMarked(part) : draft.trim() || picture;

  return (
    <form
      className="composer"
      aria-label="New clip"
      data-over={isOver || undefined}
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <Problem of={problem ?? taking.problem} />
      <div className="sentence">
        {picture && (
          <figure>
            <img src={picture.picture} alt={`First frame: ${picture.name}`} />
            <button type="button" className="quiet" aria-label="Take the picture out" onClick={() => show(null)}>
              <Icon name="close" />
            </button>
          </figure>
        )}
        <textarea
          ref={box}
          rows={1}
          aria-label="Prompt"
          placeholder={
            isOver
              ? "Drop the picture: the clip begins with it"
              : "Describe what happens, or drop a picture it begins with"
          }
          value={draft}
          maxLength={8000}
          onChange={(event) => setDraft(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && !event.shiftKey && draft.trim() && ready) {
              event.preventDefault();
              if (!busy) submit();
            }
          }}
        />
        <button type="submit" className="primary" disabled={busy || !ready}>
          {busy ? "Asking…" : "Make"}
        </button>
      </div>
      {picture && partly && (
        <MaskEditor size={picture.size} mask={part} change={setPart} what="moves, the rest stands still">
          <img src={picture.picture} alt={`The picture: ${picture.name}`} />
        </MaskEditor>
      )}
      {casting && <Cast cast={cast} toggle={toggle} worded={partly} />}
      <div className="choices">
        <SizeAndLength account={account} {...taste} set={(size, seconds) => choose({ size, seconds })} />
        <Choice
          label="Variations"
          value={String(count)}
          change={(variations) => choose({ variations })}
          options={COUNTS.filter((n) => n <= account.limits.variations).map((n) => [
            String(n),
            n === 1 ? "1 clip" : `${n} clips`,
          ])}
        />
        <Choice
          label="Style"
          value={style}
          change={setStyle}
          options={[["", "No style"], ...Object.keys(account.styles).map((name) => [name, name] as const)]}
        />
        <FileButton label={taking.busy ? "Taking in…" : "Picture"} take={take} />
        {picture && (
          <button type="button" aria-pressed={partly} onClick={() => setPartly(!partly)}>
            Only a part moves
          </button>
        )}
        <label className="check" title="Adds a place, a light and the camera, where you name none">
          <input
            type="checkbox"
            checked={full && byWords}
            disabled={!byWords}
            onChange={(event) => setFull(event.target.checked)}
          />
          Tell it in full
        </label>
        <CastButton cast={cast} open={casting} toggle={() => setCasting(!casting)} />
        <button type="button" className="quiet" aria-expanded={open} onClick={() => setOpen(!open)}>
          <Icon name="more" /> More
        </button>
        <Price account={account} size={taste.size} seconds={Number(taste.seconds)} count={count} />
      </div>
      {open && <FineFields fine={fine} change={setFine} />}
    </form>
  );
}
