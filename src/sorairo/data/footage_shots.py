"""One file of footage, looked at and cut into shots: what runs in a confined process (`sorairo.confinement`).

Shots are found by PySceneDetect's adaptive detector on frames that `sorairo.media` has decoded: OpenCV opens no file.
Never judges what it measures, and holds no more than small pictures of a file in memory.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice, pairwise
from math import ceil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scenedetect import FrameTimecode
from scenedetect.detectors import AdaptiveDetector

from sorairo.media import Frames, MediaLimits, TimedFrame, read_timed, write_mp4
from sorairo.provenance.fingerprint import thumbnails

LIMITS = MediaLimits(file_bytes=2**31, frames=36_000, seconds=600.0, decoded_bytes=sys.maxsize)
LOOKED_AT_SIDE, MEASURED_SIDE = 480, 160
SAMPLES_PER_SHOT = 8
THUMBNAILS_PER_SECOND = 2
BLACK = 26  # of 255: what no pixel of a black bar passes
Grey = NDArray[np.uint8]


def steady(frames: Iterable[TimedFrame]) -> Iterator[TimedFrame]:
    """Frames at the clip's mean rate, each the one that is nearest in time: a telephone's rate varies.

    A constant rate stays what it is. Raises ValueError for times that would need more frames than `LIMITS` has.
    """
    tick, last = 0, None
    for frame in frames:
        last = last or frame
        until = ceil((last.seconds + frame.seconds) / 2 * frame.fps)  # from this tick on, this frame is the nearer one
        if until > LIMITS.frames:
            raise ValueError(f"its times go up to {frame.seconds:.0f} s; that is more than {LIMITS.frames} frames")
        for _ in range(tick, until):
            yield last
        tick, last = max(tick, until), frame
    if last is not None:
        yield last


@dataclass
class _Notes:
    """What is kept of every frame: small numbers, and now and then a picture."""

    cuts: list[int] = field(default_factory=list)
    light: list[float] = field(default_factory=list)
    motion: list[float] = field(default_factory=list)  # share of 255 by which a pixel changes, 0 for a shot's first
    path: list[tuple[float, float]] = field(default_factory=list)  # how far the picture moved, in its longer sides
    brightest: list[tuple[Grey, Grey]] = field(default_factory=list)  # of each row, and of each column
    samples: dict[int, Frames] = field(default_factory=dict)
    thumbnails: dict[int, NDArray[np.uint8]] = field(default_factory=dict)


def look(path: str, folder: str) -> dict[str, Any]:
    """Shots of a file and what is measured of each, as plain data; pictures of each go to ``folder``/N.npz.

    Raises ValueError as `media.read_video` does.
    """
    notes, fps, hdr = _Notes(), 0.0, False
    detector = AdaptiveDetector(min_scene_len=1)
    before: Grey | None = None
    for frame in steady(read_timed(path, LIMITS, LOOKED_AT_SIDE)):
        fps, hdr = frame.fps, frame.hdr
        cut = detector.process_frame(FrameTimecode(len(notes.light), fps), _small(frame.picture)[:, :, ::-1])
        notes.cuts += [where.frame_num for where in cut]
        before = _note(notes, frame, before)
    shots = []
    for number, (start, stop) in enumerate(pairwise([0, *notes.cuts, len(notes.light)])):
        shots.append({"start": start, "stop": stop, "measures": _measured(notes, start, stop, fps)})
        _keep_pictures(notes, start, stop, Path(folder) / f"{number}.npz")
    return {"fps": fps, "hdr": hdr, "shots": shots}


def cut(path: str, folder: str, ranges: list[tuple[int, int, int]]) -> list[int]:
    """Writes ``folder``/N.mp4 of each range (number, first frame, end), at the file's own size and rate.

    A last odd row or column is left out: 4:2:0 needs even sides. Returns height and width.
    """
    frames, position, size = steady(read_timed(path, LIMITS)), 0, [0, 0]
    for number, start, stop in ranges:
        shot = islice(frames, start - position, stop - position)
        first, position = next(shot), stop
        height, width = size = [side // 2 * 2 for side in first.picture.shape[:2]]
        shown = (frame.picture[:height, :width] for frame in chain([first], shot))
        write_mp4(Path(folder) / f"{number}.mp4", shown, width=width, height=height, fps=first.fps)
    return size


def _small(picture: Frames) -> Frames:
    scale = MEASURED_SIDE / max(picture.shape[:2])
    height, width = (max(16, round(side * scale)) for side in picture.shape[:2])
    small = cv2.resize(np.ascontiguousarray(picture), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _note(notes: _Notes, frame: TimedFrame, before: Grey | None) -> Grey:
    index, small = len(notes.light), _small(frame.picture)
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
    notes.light.append(float(grey.mean()) / 255)
    notes.brightest.append((grey.max(1), grey.max(0)))
    if before is None:
        notes.motion.append(0.0)
        notes.path.append((0.0, 0.0))
    else:
        window = np.asarray(cv2.createHanningWindow(grey.shape[::-1], cv2.CV_32F))
        notes.motion.append(float(cv2.absdiff(grey, before).mean()) / 255)
        (across, down), _ = cv2.phaseCorrelate(before.astype(np.float32), grey.astype(np.float32), window)
        notes.path.append((across / MEASURED_SIDE, down / MEASURED_SIDE))
    if index % max(1, round(frame.fps)) == 0:
        notes.samples[index] = frame.picture
    if index in notes.samples or index % max(1, round(frame.fps / THUMBNAILS_PER_SECOND)) == 0:
        notes.thumbnails[index] = thumbnails([frame.picture])[0]
    return grey


def _measured(notes: _Notes, start: int, stop: int, fps: float) -> dict[str, float]:
    """``shake``: root mean square of the change of the camera's speed from frame to frame, in longer sides."""
    path = np.array(notes.path[start + 1 : stop])
    change = np.diff(path, axis=0) if len(path) > 1 else np.zeros((1, 2))
    motion = notes.motion[start + 1 : stop]
    samples = [picture for index, picture in notes.samples.items() if start <= index < stop]
    return {
        "seconds": (stop - start) / fps,
        "light": float(np.mean(notes.light[start:stop])),
        "motion": float(np.mean(motion)) if motion else 0.0,
        "shake": float(np.sqrt((change**2).sum(1).mean())),
        "bars": max(_bars([pair[axis] for pair in notes.brightest[start:stop]]) for axis in (0, 1)),
        "sharpness": float(np.median([_sharpness(picture) for picture in samples])) if samples else 0.0,
    }


def _bars(brightest: list[Grey]) -> float:
    """Share of a side that two bars take which stay black through the shot: twice the thinner one."""
    lit = np.flatnonzero(np.max(brightest, axis=0) > BLACK)
    if not len(lit):  # a black shot is dark, not letterboxed
        return 0.0
    length = len(brightest[0])
    return 2 * float(min(lit[0], length - 1 - lit[-1])) / length


def _sharpness(picture: Frames) -> float:
    """Variance of the Laplacian of the grey picture, over its own variance: contrast alone is not sharpness."""
    grey = np.asarray(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY))
    return float(cv2.Laplacian(grey, cv2.CV_32F).var()) / (float(grey.var()) + 1.0)


def _keep_pictures(notes: _Notes, start: int, stop: int, path: Path) -> None:
    inside = [index for index in notes.samples if start <= index < stop]
    chosen = np.linspace(0, len(inside) - 1, min(len(inside), SAMPLES_PER_SHOT)).round().astype(int)
    samples = [notes.samples[inside[number]] for number in chosen]
    small = [picture for index, picture in notes.thumbnails.items() if start <= index < stop]
    np.savez(path, samples=np.array(samples, np.uint8), thumbnails=np.array(small, np.uint8))
