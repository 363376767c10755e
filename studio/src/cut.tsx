import { useRef } from "react";
import { type Clip, content } from "./api";
import { arrow, dragging } from "./drag";
import { aspect } from "./money";
import { FRAME, snap, trim } from "./timeline";

const MOMENTS = [0, 2, 4, 6, 9, 11, 13, 15]; // of the sprite sheet's sixteen, four in a row
const HEIGHT = 62; // of the strip, in pixels

/** A clip as a strip of its moments, with a handle at each end of what is kept. */
export function CutEditor(props: { video: Clip; ends: [number, number]; change: (ends: [number, number]) => void }) {
  const { video, ends, change } = props;
  const box = useRef<HTMLDivElement>(null);
  const player = useRef<HTMLVideoElement>(null);
  const length = Number(video.seconds);
  const set = (which: 0 | 1, time: number) => {
    const next = trim(ends, which, time, length);
    change(next);
    if (player.current) player.current.currentTime = next[which];
  };
  const handle = (which: 0 | 1, label: string) => (
    <button
      type="button"
      className="handle"
      role="slider"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={length}
      aria-valuenow={ends[which]}
      aria-valuetext={`${ends[which].toFixed(3)} s`}
      style={{ left: `${(ends[which] / length) * 100}%` }}
      {...dragging(
        () => box.current,
        (x) => set(which, snap(x * length)),
      )}
      onKeyDown={(event) => {
        const step = arrow(event.key)?.[0];
        if (!step) return;
        event.preventDefault();
        set(which, ends[which] + step * FRAME);
      }}
    />
  );
  return (
    <div className="cut">
      <video
        ref={player}
        src={content(video.id)}
        muted
        playsInline
        preload="auto"
        aria-label="The frame at the handle"
      />
      <div className="strip" ref={box}>
        {MOMENTS.map((n) => (
          <span key={n}>
            <b
              style={{
                width: `max(100%, ${HEIGHT * aspect(video.size)}px)`,
                aspectRatio: aspect(video.size),
                backgroundImage: `url(${content(video.id, "spritesheet")})`,
                backgroundPosition: `${((n % 4) / 3) * 100}% ${(Math.floor(n / 4) / 3) * 100}%`,
              }}
            />
          </span>
        ))}
        <i style={{ left: 0, width: `${(ends[0] / length) * 100}%` }} />
        <i style={{ left: `${(ends[1] / length) * 100}%`, right: 0 }} />
        {handle(0, "Start")}
        {handle(1, "End")}
      </div>
      <p className="small muted">
        Kept: {ends[0].toFixed(2)} s to {ends[1].toFixed(2)} s of {length} s
      </p>
    </div>
  );
}
