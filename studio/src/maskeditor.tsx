import { type PointerEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { upload } from "./api";
import { useDrop } from "./drag";
import { Field, FileButton, type Picture, takePicture } from "./fields";
import { asFile, box, drawn, paint, type Shape } from "./mask";
import { Problem } from "./problem";
import { useTask } from "./state";

/** A mask as it stands: shapes that were drawn, or a picture that was handed in. */
export interface Mask {
  shapes: Shape[];
  picture: Picture | null;
}

export const NO_MASK: Mask = { shapes: [], picture: null };
export const isMarked = (mask: Mask) => Boolean(mask.picture) || mask.shapes.length > 0;

/** Hands the mask in, and names it as a field of a request. */
export const maskField = async (mask: Mask, size: [number, number]) => ({
  mask: { id: mask.picture?.id ?? (await upload(await asFile(mask.shapes, size))) },
});

interface Props {
  size: [number, number];
  mask: Mask;
  change: (mask: Mask) => void;
  what: string;
  children: ReactNode;
}

/** A picture to paint on: with the pointer, by four numbers, or by a black and white picture of the same size. */
export function MaskEditor({ size, mask, change, what, children }: Props) {
  const [width, height] = size;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [brush, setBrush] = useState(12);
  const { busy, problem, run } = useTask();
  const take = (file: File) => run(async () => change({ shapes: [], picture: await takePicture(file) }));
  useDrop(take);
  const set = (shapes: Shape[]) => change({ shapes, picture: null });

  useEffect(() => {
    if (!canvas.current) return;
    canvas.current.width = width; // clears it
    canvas.current.height = height;
    paint(canvas.current, mask.shapes, "#fff");
  }, [mask, width, height]);

  const at = (event: PointerEvent): [number, number] => {
    const place = event.currentTarget.getBoundingClientRect();
    return [(event.clientX - place.left) / place.width, (event.clientY - place.top) / place.height];
  };
  const begin = (event: PointerEvent) => {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    set(drawn([...mask.shapes, { kind: "stroke", radius: brush / 200, points: [] }], ...at(event)));
  };
  const follow = (event: PointerEvent) => {
    if (event.currentTarget.hasPointerCapture(event.pointerId)) set(drawn(mask.shapes, ...at(event)));
  };
  const count = mask.shapes.length;
  return (
    <div className="maskeditor">
      <div className="painted" style={{ aspectRatio: width / height }}>
        {children}
        {mask.picture && <img className="over" src={mask.picture.picture} alt={`Mask: ${mask.picture.name}`} />}
        <canvas ref={canvas} className="over" aria-label="Mask" onPointerDown={begin} onPointerMove={follow} />
      </div>
      <p className="small muted" role="status">
        {mask.picture
          ? `The white of ${mask.picture.name} ${what}.`
          : `${count || "No"} marked ${count === 1 ? "area" : "areas"}: white ${what}.`}
      </p>
      <div className="row">
        <label className="field">
          <span>Brush</span>
          <input
            type="range"
            min={2}
            max={40}
            value={brush}
            onChange={(event) => setBrush(Number(event.target.value))}
          />
        </label>
        <button type="button" disabled={!count} onClick={() => set(mask.shapes.slice(0, -1))}>
          Undo
        </button>
        <button type="button" disabled={!isMarked(mask)} onClick={() => change(NO_MASK)}>
          Clear
        </button>
        <FileButton label={busy ? "Taking in…" : "Mask picture"} take={take} />
      </div>
      <BoxFields size={size} add={(shape) => set([...mask.shapes, shape])} />
      <Problem of={problem} />
    </div>
  );
}

const SIDES = ["Left", "Top", "Width", "Height"] as const;

/** A box by its numbers, for whoever has no pointer. */
function BoxFields({ size, add }: { size: [number, number]; add: (shape: Shape) => void }) {
  const [sides, setSides] = useState(["0", "0", String(Math.round(size[0] / 2)), String(Math.round(size[1] / 2))]);
  const shape = box(
    sides.map((side) => (side === "" ? Number.NaN : Number(side))) as [number, number, number, number],
    size,
  );
  return (
    <fieldset
      className="row box"
      onKeyDown={(event) => {
        if (event.key !== "Enter" || !(event.target instanceof HTMLInputElement)) return;
        event.preventDefault(); // the box, not the form
        if (shape) add(shape);
      }}
    >
      <legend>A box, in pixels of {size.join(" × ")}</legend>
      {SIDES.map((side, i) => (
        <Field
          key={side}
          label={side}
          type="number"
          value={sides[i] ?? ""}
          change={(value) => setSides(sides.map((known, k) => (k === i ? value : known)))}
        />
      ))}
      <button type="button" disabled={!shape} onClick={() => shape && add(shape)}>
        Mark the box
      </button>
    </fieldset>
  );
}
