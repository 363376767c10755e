"""Where things go: tracks of what a noun names, corrected for the camera, and the moments when two of them meet.

Never judges a statement. Times are frames; places are screen units, [-1, 1] on both axes, y up.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sorairo.evals.observation import Observation, Sighting, near
from sorairo.evals.statements import Noun
from sorairo.shapes import NATIVE_FPS
from sorairo.world.camera import view_tangent

Floats = npt.NDArray[np.float64]
Frames = npt.NDArray[np.int64]

LEAST_AREA = 0.002  # share of the picture: about 30 pixels of 160 x 96
LEAST_SHAPE_SHARE = 0.5  # of the frames that show the colour
PAN_ANGLE = 0.28  # radians that the world's camera turns in a pan
ZOOM_WIDE, ZOOM_CLOSE = 1.22, 0.72  # times the usual angle of view
TOUCHING = 2  # cells between two masks
MEETING = 3  # frames that a meeting takes
SPEED_FRAMES = 3  # from which a speed is read
FLAT_BASES = ("cube", "cylinder", "cone")  # the middle of their base lies above their lowest visible edge
BASE_LIFT = 0.2  # of half their width: the sine of the camera's usual tilt


@dataclass(frozen=True)
class Track:
    """Where something was, frame by frame: its middle, corrected for pan and zoom. frames [n], x, y [n]."""

    frames: npt.NDArray[np.int64]
    x: Floats
    y: Floats


def sightings_of(noun: Noun, seen: Observation) -> list[Sighting]:
    """All sightings of a thing by its look.

    By its colour alone where nothing of that colour has mostly the shape, so that a movement can be judged when the
    shape is wrong.
    """
    large = [s for s in seen.sightings if s.area >= LEAST_AREA]
    colored = [s for s in large if noun.color in (None, s.color)]
    shaped = [s for s in colored if noun.shape in (None, s.shape)]
    enough = len(frames_of(shaped)) >= LEAST_SHAPE_SHARE * len(frames_of(colored))
    return shaped if enough or noun.color is None else colored


def frames_of(sightings: list[Sighting]) -> set[int]:
    return {s.frame for s in sightings}


def track(noun: Noun, seen: Observation) -> Track:
    """The middle of all that shows of a thing, or of several alike."""
    by_frame = _by_frame(sightings_of(noun, seen))
    frames = np.array(sorted(by_frame), np.int64)
    middles = [
        np.average([(s.x, s.y) for s in by_frame[f]], axis=0, weights=[s.area for s in by_frame[f]])
        for f in frames.tolist()
    ]
    x, y = np.array(middles).reshape(-1, 2).T
    return Track(frames, *steadied(x, y, frames, seen))


def steadied(x: Floats, y: Floats, frames: npt.NDArray[np.int64], seen: Observation) -> tuple[Floats, Floats]:
    """Places as a still camera would show them, when the camera pans or zooms as the world's does."""
    time = frames / max(seen.num_frames - 1, 1)
    eased = time * time * (3 - 2 * time)
    height, width = seen.labels.shape[1:]
    if seen.camera_move.startswith("pan"):
        sign = 1 if seen.camera_move.endswith("right") else -1
        return x + sign * PAN_ANGLE * eased / (view_tangent(width, height) * width / height), y
    if seen.camera_move.startswith("zoom"):
        begin, end = (ZOOM_WIDE, ZOOM_CLOSE) if seen.camera_move.endswith("in") else (ZOOM_CLOSE, ZOOM_WIDE)
        angle = begin + (end - begin) * eased
        return x * angle, y * angle
    return x, y


@dataclass(frozen=True)
class Meeting:
    """The gap between two things closes at a frame. depth_gap: between the places where they stand, screen units.

    above: whether the first one stays above the middle of the other.
    """

    frame: int
    depth_gap: float
    above: bool


def meetings(noun: Noun, other: Noun, seen: Observation) -> list[Meeting]:
    """Each time that the masks of two things come within TOUCHING cells of each other."""
    own, others = (_by_frame(sightings_of(chosen, seen)) for chosen in (noun, other))
    frames = [f for f in sorted(own.keys() & others.keys()) if _touching(own[f], others[f], seen.labels[f])]
    found = []
    for start in (f for f in frames if f - 1 not in frames):
        pairs = [(a, b) for f in range(start, start + MEETING) if f in frames for a in own[f] for b in others[f]]
        after = [(a, b) for f in range(start, start + MEETING + 1) for a in own.get(f, []) for b in others.get(f, [])]
        gap = min(abs(standing_place(a, seen) - standing_place(b, seen)) for a, b in pairs)
        over = max(min(a.right, b.right) - max(a.left, b.left) for a, b in pairs) > 0.05
        found.append(Meeting(start, gap, over and all(a.bottom > b.y for a, b in after)))
    return found


def _by_frame(sightings: list[Sighting]) -> dict[int, list[Sighting]]:
    by_frame: dict[int, list[Sighting]] = defaultdict(list)
    for sighting in sightings:
        by_frame[sighting.frame].append(sighting)
    return by_frame


def _touching(own: list[Sighting], others: list[Sighting], labels: npt.NDArray[np.int8]) -> bool:
    mine, theirs = (np.isin(labels, [s.number for s in chosen]) for chosen in (own, others))
    return bool((mine & near(theirs, TOUCHING)).any())


def standing_place(sighting: Sighting, seen: Observation) -> float:
    """Height on screen of the middle of what it stands on: the higher, the farther away."""
    if sighting.shape not in FLAT_BASES or sighting.tipped > 0.5:
        return sighting.bottom
    height, width = seen.labels.shape[1:]
    return float(sighting.bottom + BASE_LIFT * (sighting.right - sighting.left) / 2 * width / height)


def jolt(path: Track, axis: Floats, frame: int) -> float:
    """Change of speed along an axis of a track about a frame, in screen units per second."""
    before = (path.frames <= frame) & (path.frames >= frame - SPEED_FRAMES)
    after = (path.frames >= frame) & (path.frames <= frame + SPEED_FRAMES)
    if before.sum() < 2 or after.sum() < 2:
        return 0.0
    return NATIVE_FPS * abs(_slope(path.frames[after], axis[after]) - _slope(path.frames[before], axis[before]))


def _slope(frames: Frames, values: Floats) -> float:
    """Least squares."""
    centred = frames - frames.mean()
    return float((centred * values).sum() / (centred * centred).sum())
