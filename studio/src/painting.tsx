import { useRef, useState } from "react";
import { content } from "./api";
import { arrow, dragging } from "./drag";
import { Field } from "./fields";
import { clamp } from "./mask";
import { isMarked, MaskEditor, maskField, NO_MASK } from "./maskeditor";
import { down, larger, sides } from "./money";
import { type Given, Sheet } from "./sheet";

/** A part of the clip made anew. */
export function Inpaint(given: Given) {
  const size = sides(given.video.size) ?? [160, 96];
  const [mask, setMask] = useState(NO_MASK);
  const [moment, setMoment] = useState("0");
  const player = useRef<HTMLVideoElement>(null);
  const show = (at: string) => {
    setMoment(at);
    if (player.current) player.current.currentTime = Number(at);
  };
  return (
    <Sheet
      {...given}
      route="inpaints"
      fields={{}}
      seconds={down(Number(given.video.seconds))}
      about="A part of the picture made anew through the whole clip, as the prompt says. Paint it, or give a box."
      ready={isMarked(mask)}
      prepare={() => maskField(mask, size)}
    >
      <MaskEditor size={size} mask={mask} change={setMask} what="is made anew">
        <video ref={player} src={content(given.video.id)} muted playsInline preload="auto" aria-label="The clip" />
      </MaskEditor>
      <label className="field">
        <span>Moment shown</span>
        <input
          type="range"
          min={0}
          max={Number(given.video.seconds)}
          step={0.125}
          value={moment}
          onChange={(event) => show(event.target.value)}
        />
      </label>
    </Sheet>
  );
}

/** The clip inside a larger picture: its place is dragged, moved by arrow keys, or given by numbers. */
export function Outpaint(given: Given) {
  const own = sides(given.video.size) ?? [160, 96];
  const [size, setSize] = useState(larger(given.video.size));
  const around = sides(size) ?? own;
  const room: [number, number] = [Math.max(0, around[0] - own[0]), Math.max(0, around[1] - own[1])];
  const [share, setShare] = useState<[number, number]>([0.5, 0.5]); // of the room, so that it stays inside
  const frame = useRef<HTMLDivElement>(null);
  const place = [Math.round(share[0] * room[0]), Math.round(share[1] * room[1])] as const;
  const put = (left: number, top: number) =>
    setShare([clamp(left / (room[0] || 1), 0, 1), clamp(top / (room[1] || 1), 0, 1)]);
  const ready = around[0] >= own[0] && around[1] >= own[1] && room[0] + room[1] > 0;
  return (
    <Sheet
      {...given}
      route="outpaints"
      fields={{ size, place }}
      size={size}
      seconds={down(Number(given.video.seconds))}
      about="The clip inside a larger picture; what is around it is made. Drag the clip to its place, or move it with the arrow keys."
      ready={ready}
    >
      <div className="stage" ref={frame} style={{ aspectRatio: around[0] / around[1] }}>
        <button
          type="button"
          aria-label={`The clip's place: ${place[0]} from the left, ${place[1]} from the top`}
          style={{
            left: `${(100 * place[0]) / around[0]}%`,
            top: `${(100 * place[1]) / around[1]}%`,
            width: `${Math.min(100, (100 * own[0]) / around[0])}%`,
            backgroundImage: `url(${content(given.video.id, "thumbnail")})`,
            aspectRatio: own[0] / own[1],
          }}
          {...dragging(
            () => frame.current,
            (x, y) => put(x * around[0] - own[0] / 2, y * around[1] - own[1] / 2),
          )}
          onKeyDown={(event) => {
            const step = arrow(event.key);
            if (!step) return;
            event.preventDefault();
            put(place[0] + 8 * step[0], place[1] - 8 * step[1]);
          }}
        />
      </div>
      <div className="row">
        <Field label="Larger size" value={size} change={setSize} hint={larger(given.video.size)} />
        <Field
          label="Left"
          type="number"
          min={0}
          max={room[0]}
          value={String(place[0])}
          change={(value) => put(Number(value), place[1])}
        />
        <Field
          label="Top"
          type="number"
          min={0}
          max={room[1]}
          value={String(place[1])}
          change={(value) => put(place[0], Number(value))}
        />
      </div>
    </Sheet>
  );
}
