import { useEffect, useRef, useState } from "react";
import { make, type Video } from "./api";
import type { Known } from "./app";
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
  props: Known & { draft: string; setDraft: (text: string) => void; made: (video: Video) => void },
) {
  const { account, refresh, draft, setDraft, made } = props;
  const [taste, setTaste] = useState(savedTaste);
  const [style, setStyle] = useState("");
  const [fine, setFine] = useState(FINE);
  const [open, setOpen] = useState(false);
  const [picture, setPicture] = useState<Picture | null>(null);
  const { busy, problem, run } = useTask();
  const box = useRef<HTMLTextAreaElement>(null);
  const taking = useTask();
  const count = Math.min(Number(taste.variations), account.limits.variations);

  const choose = (change: Partial<Taste>) => {
    const next = { ...taste, ...change };
    localStorage.setItem("taste", JSON.stringify(next));
    setTaste(next);
  };
  const take = (file: File) => taking.run(async () => setPicture(await takePicture(file)));
  const isOver = useDrop(take);

  useEffect(() => {
    const area = box.current;
    if (!area) return;
    area.style.height = "auto";
    area.style.height = `${Math.min(area.scrollHeight, 180)}px`;
    if (draft && document.activeElement === document.body) area.focus();
  }, [draft]);

  const submit = () =>
    run(async () => {
      const prompt = (account.styles[style] ?? "{prompt}").replace("{prompt}", draft.trim());
      const fields = { prompt, size: taste.size, seconds: taste.seconds };
      const first = picture ? { input_reference: { id: picture.id } } : {};
      for (let number = 0; number < count; number++) {
        made(await make("", { ...fields, ...first, ...fineFields(fine, number) }));
      }
      setDraft("");
      setStyle("");
      setPicture(null);
    }).then(refresh);

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
            <button type="button" className="quiet" aria-label="Take the picture out" onClick={() => setPicture(null)}>
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
            if (event.key === "Enter" && !event.shiftKey && draft.trim()) {
              event.preventDefault();
              if (!busy) submit();
            }
          }}
        />
        <button type="submit" className="primary" disabled={busy || !(draft.trim() || picture)}>
          {busy ? "Asking…" : "Make"}
        </button>
      </div>
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
        <button type="button" className="quiet" aria-expanded={open} onClick={() => setOpen(!open)}>
          <Icon name="more" /> More
        </button>
        <Price account={account} size={taste.size} seconds={Number(taste.seconds)} count={count} />
      </div>
      {open && <FineFields fine={fine} change={setFine} />}
    </form>
  );
}

/** Whether a file is held over the page; a picture that is dropped anywhere is taken. */
export function useDrop(take: (file: File) => void) {
  const [isOver, setIsOver] = useState(false);
  const latest = useRef(take);
  latest.current = take;
  useEffect(() => {
    const over = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      setIsOver(true);
    };
    const leave = (event: DragEvent) => event.relatedTarget || setIsOver(false);
    const drop = (event: DragEvent) => {
      const [file] = event.dataTransfer?.files ?? [];
      if (!file) return;
      event.preventDefault();
      setIsOver(false);
      latest.current(file);
    };
    window.addEventListener("dragover", over);
    window.addEventListener("dragleave", leave);
    window.addEventListener("drop", drop);
    return () => {
      window.removeEventListener("dragover", over);
      window.removeEventListener("dragleave", leave);
      window.removeEventListener("drop", drop);
    };
  }, []);
  return isOver;
}
