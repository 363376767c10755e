import { useRef } from "react";
import { add, move, type Point, path, remove } from "./curve";
import { arrow, dragging } from "./drag";

const WIDTH = 480;
const HEIGHT = 120;
const NUDGE = 0.05;

/** The curve to be dragged: points move with the pointer or the arrow keys; a click on the line makes one. */
export function CurveEditor({ points, change }: { points: Point[]; change: (points: Point[]) => void }) {
  const box = useRef<SVGSVGElement>(null);
  const line = path(points, WIDTH, HEIGHT);
  const place = (event: React.MouseEvent) => {
    const frame = box.current?.getBoundingClientRect();
    if (frame) change(add(points, (event.clientX - frame.left) / frame.width));
  };
  return (
    <>
      <div className="curve">
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: the same */}
        <svg
          ref={box}
          viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
          preserveAspectRatio="none"
          onClick={place}
          role="group"
          aria-label="Influence curve"
        >
          <path className="area" d={`${line} V${HEIGHT} H0 Z`} />
          <path className="line" d={line} />
        </svg>
        {points.map(([at, share], index) => (
          <button
            type="button"
            className="knob"
            // biome-ignore lint/suspicious/noArrayIndexKey: a point is known by its place in the row
            key={index}
            role="slider"
            aria-label={`Point ${index + 1} of ${points.length}`}
            aria-valuemin={0}
            aria-valuemax={100}
            aria-valuenow={Math.round(share * 100)}
            aria-valuetext={`${Math.round(share * 100)} % of the other clip at ${Math.round(at * 100)} % of the length`}
            style={{ left: `${at * 100}%`, top: `${(1 - share) * 100}%` }}
            {...dragging(
              () => box.current,
              (x, y) => change(move(points, index, x, 1 - y)),
            )}
            onKeyDown={(event) => {
              const step = arrow(event.key);
              if (step) change(move(points, index, at + step[0] * NUDGE, share + step[1] * NUDGE));
              else if (event.key === "Delete" || event.key === "Backspace") change(remove(points, index));
              else return;
              event.preventDefault();
            }}
          />
        ))}
      </div>
      <p className="small muted">
        Click the line for a new point, drag it, press Delete to take it out.{" "}
        <button type="button" className="link" onClick={() => change(add(points, 0.5))}>
          Add a point in the middle
        </button>
      </p>
    </>
  );
}
