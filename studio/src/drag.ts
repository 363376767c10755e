import { type PointerEvent, useEffect, useRef, useState } from "react";

/** Handlers that follow a pointer held down on something, in parts of `place`'s width and height, from 0 to 1. */
export function dragging(place: () => Element | null, moved: (x: number, y: number) => void) {
  const follow = (event: PointerEvent) => {
    const box = place()?.getBoundingClientRect();
    if (box) moved((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  };
  return {
    onPointerDown: (event: PointerEvent) => {
      if (event.button !== 0) return;
      event.currentTarget.setPointerCapture(event.pointerId);
      event.stopPropagation();
    },
    onPointerMove: (event: PointerEvent) => {
      if (event.currentTarget.hasPointerCapture(event.pointerId)) follow(event);
    },
  };
}

const KEYS: Record<string, [x: number, y: number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

/** Which way an arrow key points, as steps to the right and up. */
export const arrow = (key: string) => KEYS[key];

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
