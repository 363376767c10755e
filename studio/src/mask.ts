/** A mask: what is to be made anew, as shapes in parts of the picture's sides, from 0 to 1. */

export type Shape =
  | { kind: "box"; left: number; top: number; width: number; height: number }
  | { kind: "stroke"; radius: number; points: [x: number, y: number][] }; // radius in parts of the width

export const clamp = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value));

/** A box given in pixels of a picture, as far as it lies inside; null where nothing of it does. */
export function box(pixels: [left: number, top: number, width: number, height: number], size: [number, number]) {
  const [left, top, width, height] = pixels;
  if (!pixels.every(Number.isFinite)) return null;
  const [right, bottom] = [clamp(left + width, 0, size[0]), clamp(top + height, 0, size[1])];
  const [x, y] = [clamp(left, 0, size[0]), clamp(top, 0, size[1])];
  if (right <= x || bottom <= y) return null;
  const shape: Shape = {
    kind: "box",
    left: x / size[0],
    top: y / size[1],
    width: (right - x) / size[0],
    height: (bottom - y) / size[1],
  };
  return shape;
}

/** The shapes with one more point on the last, which is being drawn. */
export function drawn(shapes: Shape[], x: number, y: number): Shape[] {
  const last = shapes.at(-1);
  if (last?.kind !== "stroke") return shapes;
  return [...shapes.slice(0, -1), { ...last, points: [...last.points, [clamp(x, 0, 1), clamp(y, 0, 1)]] }];
}

/** Paints the shapes on a canvas, over what is there. */
export function paint(canvas: HTMLCanvasElement, shapes: Shape[], colour: string) {
  const pen = canvas.getContext("2d");
  if (!pen) return;
  const { width, height } = canvas;
  pen.fillStyle = colour;
  pen.strokeStyle = colour;
  pen.lineCap = "round";
  pen.lineJoin = "round";
  for (const shape of shapes) {
    if (shape.kind === "box") {
      const [left, top] = [Math.round(shape.left * width), Math.round(shape.top * height)];
      pen.fillRect(left, top, Math.round(shape.width * width), Math.round(shape.height * height));
      continue;
    }
    pen.lineWidth = 2 * shape.radius * width;
    pen.beginPath();
    shape.points.forEach(([x, y], i) => {
      if (i === 0) pen.moveTo(x * width, y * height);
      pen.lineTo(x * width, y * height);
    });
    pen.stroke();
  }
}

/** The mask as a picture of that size: white on black. */
export async function asFile(shapes: Shape[], size: [number, number]): Promise<File> {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = size;
  const pen = canvas.getContext("2d");
  if (pen) {
    pen.fillStyle = "black";
    pen.fillRect(0, 0, ...size);
  }
  paint(canvas, shapes, "white");
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
  if (!blob) throw new Error("This browser cannot write the mask.");
  return new File([blob], "mask.png", { type: "image/png" });
}
