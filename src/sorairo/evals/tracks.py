"""Where things go: tracks of what a noun names, in metres on the ground, and the moments when two of them meet.

The world's camera is known but for its tilt and its strength, which are those that let the most stand still. Never
judges a statement. Frames are numbers of frames; places are metres: x to the right and y away from the middle of the
clip's view, z up. Clips of other cameras are measured by the same ruler, in metres of this world.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import numpy.typing as npt

from sorairo.evals.statements import Noun
from sorairo.shapes import NATIVE_FPS
from sorairo.sight.observation import Observation, Sighting, near
from sorairo.world.camera import camera_rows, view_tangent

Floats = npt.NDArray[np.float64]
Frames = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

LEAST_AREA = 0.002  # share of the picture: about 30 pixels of 160 x 96
LEAST_SHAPE_SHARE = 0.5  # of the frames that show the colour in full
SEAM = 0.15  # of the usual area that shows of a colour: less of it, in another shape, is the seam of two other colours
AT_SIDE = 0.9  # screen units from the middle, where of what comes and goes little may show
FULL = 0.6  # of the largest area that shows of a colour
TILTS, STRENGTHS = (0.15, 0.22, 0.29), (0.8, 0.9, 1.0, 1.1, 1.2)  # of the world's cameras
USUAL_TILT = 0.22
STEP, LONGEST_STEP = 4, 0.2  # frames; metres that something still may seem to move in them
FARTHEST = 9.0  # metres behind the middle at which the ground ends
AT_BORDER = 0.97  # screen units from the middle
TOUCHING = 2  # cells between two masks
MEETING = 3  # frames that a meeting takes
MOSTLY, LEVEL = 0.65, 0.1  # share of the narrower one's width, and screen units, of what stands on something
SLIVER = 0.33  # of the largest of its kind in the picture
SEVERAL = 3  # frames that show more than one of a kind
LINK, LOST = 0.2, 3  # screen units from frame to frame, and frames, after which it is another one
SPEED_FRAMES = 3  # from which a speed is read
NEAREST = 0.3  # quantile of the depths at which something stood
BALL_LIFT = 0.15  # of its radius that a ball's middle lies behind its lowest visible edge; all of it for a flat base
FLAT_BASES = ("cube", "cylinder", "cone", "block", "ring")  # their middle lies behind their lowest visible edge


@dataclass(frozen=True)
class Track:
    """Where something was, frame by frame: its middle, its left and right edge, how far away it stood, bottom and top.

    frames [n]; x, left, right, y, z, top [n] in metres.
    """

    frames: Frames
    x: Floats
    left: Floats
    right: Floats
    y: Floats
    z: Floats
    top: Floats

    @property
    def distance(self) -> float:
        """How far away it stood where it stood nearest: what covers its foot makes it seem farther away."""
        return float(np.quantile(self.y, NEAREST)) if len(self.frames) else FARTHEST

    @property
    def radius(self) -> float:
        """Half its width."""
        return float(np.median(self.right - self.left)) / 2 if len(self.frames) else 0.0


def sightings_of(noun: Noun, seen: Observation) -> list[Sighting]:
    """All sightings of a thing by its look.

    By its colour alone where that shows one thing at a time, whose shape is hard to tell while it is partly covered, or
    where nothing of that colour has mostly the shape: so a movement can be judged when the shape is wrong. Slivers of
    another shape are left out, as between two things a third colour may show.
    """
    large = [s for s in seen.sightings if s.area >= LEAST_AREA]
    colored = [s for s in large if noun.color in (None, s.color)]
    usual = float(np.median([s.area for s in colored] or [0.0]))
    colored = [s for s in colored if s.shape == noun.shape or s.area > SEAM * usual or max(-s.left, s.right) > AT_SIDE]
    alone = bool(colored) and np.median([len(own) for own in _by_frame(colored).values()]) == 1
    if noun.color is None or not (alone or shape_share(noun, seen) < LEAST_SHAPE_SHARE):
        colored = [s for s in colored if noun.shape in (None, s.shape)]
    found = _by_frame(colored)
    if found and np.median([len(own) for own in found.values()]) == 1:  # what shows beside the only one is a stray
        return [max(own, key=lambda s: s.area) for own in found.values()]
    return [s for own in found.values() for s in own]


def numbers_of(noun: Noun, seen: Observation) -> npt.NDArray[np.int64]:
    """How many of a kind show in each frame [t]; what is less than SLIVER is the seam of two colours."""
    shown = [s for s in seen.sightings if noun.color in (None, s.color) and s.shape == noun.shape]
    areas = [[s.area for s in shown if s.frame == frame] for frame in range(seen.num_frames)]
    return np.array([sum(a >= max(LEAST_AREA, SLIVER * max(own)) for a in own) for own in areas], np.int64)


def members(noun: Noun, seen: Observation) -> list[list[Sighting]]:
    """What shows of each of several alike, followed from frame to frame; of a thing alone, all that shows of it."""
    if (numbers_of(noun, seen) > 1).sum() < SEVERAL:
        return [sightings_of(noun, seen)]
    alike = [s for s in seen.sightings if noun.color in (None, s.color) and s.shape == noun.shape]
    paths: list[list[Sighting]] = []
    for s in sorted((s for s in alike if s.area >= LEAST_AREA), key=lambda s: (s.frame, -s.area)):
        near_by = [
            p
            for p in paths
            if p[-1].color == s.color and 0 < s.frame - p[-1].frame <= LOST and screen_distance(p[-1], s) < LINK
        ]
        if near_by:
            min(near_by, key=lambda path: screen_distance(path[-1], s)).append(s)
        else:
            paths.append([s])
    return [path for path in paths if len(path) > LOST]


def screen_distance(a: Sighting, b: Sighting) -> float:
    """Screen units along the axis in which they are farther apart."""
    return max(abs(a.x - b.x), abs(a.y - b.y))


def shape_share(noun: Noun, seen: Observation) -> float:
    """In how many of the frames that show a colour in full it has the noun's shape."""
    colored = [s for s in seen.sightings if noun.color in (None, s.color) and s.area >= LEAST_AREA]
    full = FULL * max((s.area for s in colored), default=0.0) if noun.color else 0.0
    colored = [s for s in colored if s.area >= full]
    shaped = [s for s in colored if noun.shape in (None, s.shape)]
    return len(frames_of(shaped)) / max(len(frames_of(colored)), 1)


def frames_of(sightings: list[Sighting]) -> set[int]:
    return {s.frame for s in sightings}


def track(noun: Noun, seen: Observation) -> Track:
    """All that shows of a thing, or of several alike, as one."""
    return track_of(sightings_of(noun, seen), seen)


def track_of(sightings: list[Sighting], seen: Observation) -> Track:
    """Sightings of one thing, or of several, as one track, all as far away as where it stood nearest."""
    by_frame = _by_frame(sightings)
    frames = np.array(sorted(by_frame), np.int64)
    if not len(frames):
        return Track(frames, *np.zeros((6, 0)))
    x = [float(np.average([s.x for s in by_frame[f]], weights=[s.area for s in by_frame[f]])) for f in frames.tolist()]
    left = np.array([min(s.left for s in by_frame[f]) for f in frames.tolist()])
    right = np.array([max(s.right for s in by_frame[f]) for f in frames.tolist()])
    lowest = [min(by_frame[f], key=lambda s: s.bottom) for f in frames.tolist()]
    camera, aspect = camera_of(seen)[frames], _aspect(seen)
    depth = standing_places(lowest, seen)[1]
    plane = np.full(len(frames), float(np.quantile(depth, NEAREST)))
    bottom = np.array([s.bottom for s in lowest])
    middle, begin, end = (at_depth(camera, side, bottom, aspect, plane) for side in (np.array(x), left, right))
    highest = np.array([max(s.top for s in by_frame[f]) for f in frames.tolist()])
    top = at_depth(camera, np.array(x), highest, aspect, plane)[1]
    begin[0], end[0] = _completed(begin[0], end[0], left < -AT_BORDER, right > AT_BORDER)
    return Track(frames, middle[0], begin[0], end[0], depth, middle[1], top)


def _completed(left: Floats, right: Floats, from_left: Flags, from_right: Flags) -> tuple[Floats, Floats]:
    """Edges [n] as they would be if the picture did not end where it does, by the width that shows when all is in."""
    widths, whole = right - left, ~(from_left | from_right)
    width = np.quantile(widths[whole], 0.75) if whole.any() else widths.max()
    return np.where(from_left, right - width, left), np.where(from_right, left + width, right)


def _aspect(seen: Observation) -> float:
    return float(seen.labels.shape[2] / seen.labels.shape[1])


def _rays(camera: Floats, x: Floats, y: Floats, aspect: float) -> Floats:
    """Directions [n 3] of the places x, y [n] on screen; camera rows [n 13]."""
    tangent = camera[:, 12]
    across, up = (x * tangent * aspect)[:, None], (y * tangent)[:, None]
    return camera[:, 9:12] + across * camera[:, 3:6] + up * camera[:, 6:9]


def on_ground(camera: Floats, x: Floats, y: Floats, aspect: float) -> Floats:
    """Where places x, y [n] on screen lie on the ground: [2 n], across and away. Above the horizon: FARTHEST."""
    rays = _rays(camera, x, y, aspect)
    reach = -camera[:, 2] / np.minimum(rays[:, 2], -1e-3)
    point = camera[:, :2] + reach[:, None] * rays[:, :2]
    return np.stack([np.clip(point[:, 0], -FARTHEST, FARTHEST), np.minimum(point[:, 1], FARTHEST)])


def at_depth(camera: Floats, x: Floats, y: Floats, aspect: float, depth: Floats) -> Floats:
    """Where places x, y [n] on screen lie in the upright planes at depth [n]: [2 n], across and up."""
    rays = _rays(camera, x, y, aspect)
    reach = (depth - camera[:, 1]) / np.maximum(rays[:, 1], 1e-3)
    return np.stack([camera[:, 0] + reach * rays[:, 0], camera[:, 2] + reach * rays[:, 2]])


@lru_cache(maxsize=4)
def camera_of(seen: Observation) -> Floats:
    """Rows [t 13] of the world's camera for the move that was seen: of all tilts and strengths the stillest one."""
    height, width = seen.labels.shape[1:]

    def rows(tilt: float, strength: float) -> Floats:
        return camera_rows(seen.camera_move, seen.num_frames, 0.0, tilt, strength, view_tangent(width, height))

    if seen.camera_move == "still" or seen.camera_move.startswith("zoom") or not seen.sightings:
        return rows(USUAL_TILT, 1.0)
    tried = [rows(tilt, strength) for strength in STRENGTHS for tilt in TILTS]
    pairs = _pairs(seen)
    return min(tried, key=lambda camera: _unrest(camera, pairs, width / height)) if pairs else rows(USUAL_TILT, 1.0)


def _pairs(seen: Observation) -> list[tuple[Sighting, Sighting]]:
    """Sightings of the same colour, alone in their frames, some frames apart."""
    alone = defaultdict[tuple[str, int], list[Sighting]](list)
    for s in seen.sightings:
        if s.area >= LEAST_AREA and min(1 + s.left, 1 - s.right, 1 + s.bottom) > 0.02:
            alone[s.color, s.frame].append(s)
    single = {key: found[0] for key, found in alone.items() if len(found) == 1}
    return [(s, single[c, f + STEP]) for (c, f), s in single.items() if (c, f + STEP) in single]


def _unrest(camera: Floats, pairs: list[tuple[Sighting, Sighting]], aspect: float) -> float:
    """How far things seem to move on the ground, each step counted up to LONGEST_STEP."""
    places = [standing(camera[[s.frame for s in side]], side, aspect) for side in zip(*pairs, strict=True)]
    return float(np.minimum(np.linalg.norm(places[1] - places[0], axis=0), LONGEST_STEP).sum())


@dataclass(frozen=True)
class Meeting:
    """The gap between two things closes at a frame. first, second: all of the way of each.

    depth_gap: metres between the places where they stand then, or stood nearest, whichever is less: the foot of a
    stack's upper ones and of what flies is not on the ground. apart: between where they stood nearest. above: whether
    the first one stays above the middle of the other.
    """

    frame: int
    first: Track
    second: Track
    depth_gap: float
    above: bool

    @property
    def apart(self) -> float:
        return abs(self.first.distance - self.second.distance)


def meetings(noun: Noun, other: Noun, seen: Observation) -> list[Meeting]:
    """Each time that one of the first kind meets one of the other."""
    pairs = product(members(noun, seen), members(other, seen))
    return [meeting for first, second in pairs for meeting in _meetings_of(first, second, seen)]


def _meetings_of(first: list[Sighting], second: list[Sighting], seen: Observation) -> Iterator[Meeting]:
    """Each time that the masks of two things come within TOUCHING cells of each other."""
    own, others = _by_frame(first), _by_frame(second)
    frames = [f for f in sorted(own.keys() & others.keys()) if _touching(own[f], others[f], seen.labels[f])]
    if not frames:
        return
    path, other_path = track_of(first, seen), track_of(second, seen)
    for start in (f for f in frames if f - 1 not in frames):
        pairs = [(a, b) for f in range(start, start + MEETING) if f in frames for a in own[f] for b in others[f]]
        after = [(a, b) for f in range(start, start + MEETING + 1) for a in own.get(f, []) for b in others.get(f, [])]
        gap = min(abs(standing_places([a], seen)[1, 0] - standing_places([b], seen)[1, 0]) for a, b in pairs)
        on_top = any(_stands_on(a, b) for a, b in pairs if a.frame == start)
        above = on_top and all(a.bottom > b.y for a, b in after)
        yield Meeting(start, path, other_path, min(gap, abs(path.distance - other_path.distance)), above)


def _stands_on(one: Sighting, other: Sighting) -> bool:
    """Whether the lower edge of the one is at the upper edge of the other, and mostly over it."""
    across = min(one.right, other.right) - max(one.left, other.left)
    narrower = min(one.right - one.left, other.right - other.left)
    return across > MOSTLY * narrower and abs(one.bottom - other.top) < LEVEL


def _by_frame(sightings: list[Sighting]) -> dict[int, list[Sighting]]:
    by_frame: dict[int, list[Sighting]] = defaultdict(list)
    for sighting in sightings:
        by_frame[sighting.frame].append(sighting)
    return by_frame


def _touching(own: list[Sighting], others: list[Sighting], labels: npt.NDArray[np.int8]) -> bool:
    if not any(_boxes_meet(a, b, labels.shape) for a in own for b in others):
        return False
    mine, theirs = (np.isin(labels, [s.number for s in chosen]) for chosen in (own, others))
    return bool((mine & near(theirs, TOUCHING)).any())


def _boxes_meet(a: Sighting, b: Sighting, size: tuple[int, ...]) -> bool:
    across, up = 2 * (TOUCHING + 1) / size[1], 2 * (TOUCHING + 1) / size[0]
    return max(a.left, b.left) - min(a.right, b.right) < across and max(a.bottom, b.bottom) - min(a.top, b.top) < up


def standing_places(sightings: Sequence[Sighting], seen: Observation) -> Floats:
    """Where the middles of what things stand on lie: [2 n], across and away, in metres."""
    return standing(camera_of(seen)[[s.frame for s in sightings]], sightings, _aspect(seen))


def standing(camera: Floats, sightings: Sequence[Sighting], aspect: float) -> Floats:
    """The same by a camera's rows [n 13], one for each sighting."""
    left, right, bottom = np.array([(s.left, s.right, s.bottom) for s in sightings]).reshape(-1, 3).T
    ground = on_ground(camera, (left + right) / 2, bottom, aspect)
    begin, end = (on_ground(camera, side, bottom, aspect) for side in (left, right))
    radius = np.linalg.norm(end - begin, axis=0) / 2
    flat = np.array([s.shape in FLAT_BASES and s.tipped <= 0.5 for s in sightings])
    away = ground - camera[:, :2].T
    middles: Floats = ground + np.where(flat, 1.0, BALL_LIFT) * radius * away / np.maximum(
        np.linalg.norm(away, axis=0), 1e-6
    )
    return middles


def jolt(path: Track, axis: Floats, frame: int) -> float:
    """Change of speed along an axis of a track about a frame, in metres per second."""
    before = (path.frames <= frame) & (path.frames >= frame - SPEED_FRAMES)
    after = (path.frames >= frame) & (path.frames <= frame + SPEED_FRAMES)
    if before.sum() < 2 or after.sum() < 2:
        return 0.0
    return NATIVE_FPS * abs(slope(path.frames[after], axis[after]) - slope(path.frames[before], axis[before]))


def slope(frames: Frames, values: Floats) -> float:
    """Least squares."""
    centred = frames - frames.mean()
    return float((centred * values).sum() / (centred * centred).sum())
