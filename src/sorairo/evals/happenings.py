"""What happens in a clip, and when: hits, falls, comings and goings, hiding; and what must not happen.

Rules over tracks; nothing is learned here, and what the clip was meant to show is not known. Times are frames.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from sorairo.evals.statements import Noun, Statement
from sorairo.evals.tracks import (
    FULL,
    LEAST_AREA,
    MEETING,
    Meeting,
    Track,
    frames_of,
    jolt,
    meetings,
    numbers_of,
    screen_distance,
    sightings_of,
    track,
    track_of,
)
from sorairo.sight.observation import Observation, Sighting

Floats = npt.NDArray[np.float64]
Judge = Callable[[Statement, Observation], bool]

MOVED_ACROSS, MOVED_DOWN, SET_OFF = 0.3, 0.5, 0.1  # metres
SAME_DEPTH, NEAR_DEPTH = 0.4, 0.7  # metres between the places where two things stand
PASSING = 1.15  # metres between where they stood nearest, from which one goes past the other
BOTH_JOLT = 0.4  # metres per second, of both, where it is not sure that they stand at one depth
WITHIN_REACH = 1.0  # metres of depth in which one may touch the other
JOLT, HARD_JOLT, FALLING = 0.25, 0.6, 6.0  # changes of speed in a hit, metres per second
AT_EDGE = 0.9  # screen units
LIES, STANDS, LEANS = 0.6, 0.4, 0.2  # probability of lying
LASTING, LOWER, LOW = 3, 0.12, 0.3  # frames that it lies; of its height that its top comes down then, or at all
COLLAPSE = 0.3  # of a cube that a stack loses in height
BLINK = 2  # frames that something may be missed
PARTLY = 0.5  # of its usual area, that shows of what goes behind something or comes out
COVERED, STRIDE = 0.5, 0.35  # share of it behind what passes, and screen units that this goes in a frame
NARROW, FASTER = 0.3, 4.5  # screen units of it, and steps as its last one, that go over the edge between two frames
HARDLY = 0.15  # of its largest area, less of which is as good as hidden
BESIDE = 0.12  # screen units between what hides and what hides it
OFTEN = 0.2  # share of the frames that show any


def shift(path: Track) -> Floats:
    """How far it went across since its first frame: what both of its edges did, since one alone may get covered."""
    left, right = path.left - path.left[0], path.right - path.right[0]
    return np.where(left * right > 0, np.sign(left) * np.minimum(np.abs(left), np.abs(right)), 0.0)


def first_way(path: Track) -> tuple[str, int] | None:
    """The first way that it goes far enough, "left", "right" or "down", and the frame by which it has.

    Down is also what comes down more than it goes aside, whichever is sooner.
    """
    if len(path.frames) < 2:
        return None
    across, down = shift(path), path.z[0] - path.z
    fallen, aside = np.flatnonzero(down > MOVED_DOWN), np.flatnonzero(np.abs(across) > MOVED_ACROSS)
    if len(fallen) and abs(across[fallen[0]]) < down[fallen[0]]:
        return "down", int(path.frames[fallen[0]])
    if not len(aside):
        return None
    return "right" if across[aside[0]] > 0 else "left", int(path.frames[aside[0]])


def set_off(path: Track) -> int | None:
    """The last frame before it falls, if it does: it may hit something before it has come far."""
    way = first_way(path)
    if way is None or way[0] != "down":
        return None
    return int(path.frames[(path.frames < way[1]) & (path.z > path.z[0] - SET_OFF)][-1])


def first_hit(statement: Statement, seen: Observation) -> int | None:
    """The gap closes, and one of the two changes its speed then: sideways at the same depth, or falling onto it."""
    assert statement.other is not None
    return min((m.frame for m in meetings(statement.noun, statement.other, seen) if _is_hit(m)), default=None)


def _is_hit(meeting: Meeting) -> bool:
    around, paths = range(meeting.frame - 1, meeting.frame + MEETING), (meeting.first, meeting.second)
    down = max(jolt(meeting.first, meeting.first.z, f) for f in around)
    # Of both edges, since what goes past covers one of them.
    aside = [min(max(jolt(p, edge, f) for f in around) for edge in (p.left, p.right)) for p in paths]
    same = meeting.depth_gap < SAME_DEPTH and max(aside) > JOLT
    near = same or (meeting.depth_gap < NEAR_DEPTH and min(aside) > BOTH_JOLT)
    return (near and down < FALLING and meeting.apart < PASSING) or (meeting.above and down > HARD_JOLT)


def _enter(statement: Statement, seen: Observation) -> int | None:
    frames = sorted(frames_of(sightings_of(statement.noun, seen)))
    return frames[0] if frames and frames[0] > 0 and _at_edge(statement, seen, frames[0]) else None


def _leave(statement: Statement, seen: Observation) -> int | None:
    frames = sorted(frames_of(sightings_of(statement.noun, seen)))
    gone = frames and frames[-1] < seen.num_frames - 1 and _at_edge(statement, seen, frames[-1])
    return frames[-1] if gone else None


def _at_edge(statement: Statement, seen: Observation, frame: int) -> bool:
    """Whether it is at the edge of the picture, on the side that is said if one is."""
    here = [s for s in sightings_of(statement.noun, seen) if s.frame == frame]
    at = {
        "left": any(s.left < -AT_EDGE for s in here),
        "right": any(s.right > AT_EDGE for s in here),
        None: any(reaches_edge(s) for s in here),
    }
    return at[statement.value if statement.value in ("left", "right") else None]


def reaches_edge(sighting: Sighting) -> bool:
    return max(-sighting.left, sighting.right, sighting.top, -sighting.bottom) > AT_EDGE


def _hide(statement: Statement, seen: Observation) -> int | None:
    """The first frame in which hardly any of it is seen, having been beside what hides it, or partly behind that."""
    own = _mostly_seen(statement.noun, seen)
    others = {s.frame: s for s in sightings_of(statement.other, seen)} if statement.other else None
    for frame in sorted(own):
        gone = range(frame + 1, min(frame + 1 + BLINK, seen.num_frames))
        inward = frame - 1 in own and abs(own[frame].x) < abs(own[frame - 1].x)
        if not gone or any(f in own for f in gone) or (reaches_edge(own[frame]) and not inward):
            continue
        if others is None or (frame in others and _beside(own[frame], others[frame])):
            return frame + 1
    return None


def _mostly_seen(noun: Noun, seen: Observation) -> dict[int, Sighting]:
    shown = sightings_of(noun, seen)
    least = HARDLY * max((s.area for s in shown), default=0.0)
    return {s.frame: s for s in shown if s.area > least}


def _beside(one: Sighting, other: Sighting) -> bool:
    across = max(one.left, other.left) - min(one.right, other.right)
    return max(across, max(one.bottom, other.bottom) - min(one.top, other.top)) < BESIDE


def _reappear(statement: Statement, seen: Observation) -> int | None:
    hidden = _hide(statement, seen)
    later = [f for f in _mostly_seen(statement.noun, seen) if hidden is not None and f > hidden]
    return min(later, default=None)


MOMENTS: dict[str, Callable[[Statement, Observation], int | None]] = {
    "fall": lambda statement, seen: set_off(track(statement.noun, seen)),
    "enter": _enter,
    "hit": first_hit,
    "hide": _hide,
    "reappear": _reappear,
    "leave": _leave,
}
"""When something happens for the first time, or None."""


def _order(statement: Statement, seen: Observation) -> bool:
    """Both happen, and the one told first is not the later one."""
    first, second = (
        MOMENTS[name](Statement(name, statement.noun, statement.other), seen)
        for name in str(statement.value).split(" then ")
    )
    return first is not None and second is not None and first < second


def _topple(statement: Statement, seen: Observation) -> bool:
    """It stood first, and lies or is lower later, for good; of cubes, alike on all sides, the highest comes down."""
    if statement.noun.shape == "cube":
        return _comes_down(statement.noun, seen)
    shown = sightings_of(statement.noun, seen)
    frames = sorted(frames_of(shown))
    lying = np.array([_lying_share(shown, frame) for frame in frames])
    stood = np.flatnonzero(lying < STANDS)
    if len(frames) < 4 or not len(stood):
        return False
    path, first = track_of(shown, seen), stood[0]
    lies, sunk = lying > LIES, (path.top[first] - path.top) / (path.top[first] - path.z[first])
    lies[:first] = False
    if len(shown) > len(frames):  # several, of which the lowest and the highest may be two
        return bool(lies.sum() >= LASTING)
    low = sunk > LOW
    low[:first] = False
    lying_lower = lies.sum() >= LASTING and sunk[lies].max() > LOWER
    leaning = low.sum() >= 2 and lying[low].max() > LEANS
    if not (lying_lower or leaning or (lies[-1] and low[-1])):
        return False
    again = lying[np.flatnonzero(lies | low)[-1] + 1 :] < STANDS
    return bool(again.sum() < LASTING)


def _lying_share(shown: list[Sighting], frame: int) -> float:
    own = [s for s in shown if s.frame == frame]
    return float(np.average([s.tipped for s in own], weights=[s.area for s in own]))


def _comes_down(noun: Noun, seen: Observation) -> bool:
    """The highest edge falls by a part of a cube: of a stack, or of one that shows in full."""
    cubes = [s for s in seen.sightings if noun.color in (None, s.color) and s.shape == "cube" and s.area >= LEAST_AREA]
    if len(frames_of(cubes)) < 4:
        return False
    if sum(s.frame == cubes[0].frame for s in cubes) == 1:
        cubes = sightings_of(noun, seen)
        cubes = [s for s in cubes if s.area >= FULL * max(s.area for s in cubes)]
    highest = [max((s for s in cubes if s.frame == f), key=lambda s: s.top) for f in sorted(frames_of(cubes))]
    path = track_of(highest, seen)
    return bool(path.top[0] - path.top.min() > COLLAPSE * (path.top[0] - path.z[0]))


def _rests(statement: Statement, seen: Observation) -> bool:
    """Nothing moves before it is touched: until the first meeting with what hits it, it stays where it was."""
    assert statement.other is not None
    path = track(statement.noun, seen)
    met = [m.frame for m in meetings(statement.other, statement.noun, seen) if m.above or m.depth_gap < WITHIN_REACH]
    if not met or len(path.frames) < 2:
        return False
    way = first_way(path)
    return way is None or way[1] >= min(met)


def _single(statement: Statement, seen: Observation) -> bool:
    """There are never two of it for long."""
    numbers = numbers_of(statement.noun, seen)
    return bool(numbers.any() and (numbers > 1).sum() <= OFTEN * (numbers > 0).sum())


def _stays(statement: Statement, seen: Observation) -> bool:
    """It comes and goes only over the edge of the picture or behind something."""
    own = {s.frame: s for s in sightings_of(statement.noun, seen)}
    if not own:
        return False
    usual = float(np.median([s.area for s in own.values()]))
    frames = [-1, *sorted(own), seen.num_frames]
    gaps = [(a, b) for a, b in pairwise(frames) if b - a - 1 > BLINK]
    ends = [(f, way) for a, b in gaps for f, way in ((a, 1), (b, -1)) if f in own]
    return all(
        own[f].area < PARTLY * usual or _goes_out(own, f, way) or _covered(own[f], way, seen) > COVERED
        for f, way in ends
    )


def _goes_out(own: dict[int, Sighting], frame: int, way: int) -> bool:
    """Whether what is at the edge of the picture may be outside a few frames later (way 1), or was before (-1)."""
    here = own[frame]
    before = next((own[f] for f in (frame - 2 * way, frame - way, frame - 3 * way) if f in own), None)
    for edge, rest in (("left", "right"), ("right", "left"), ("bottom", "top"), ("top", "bottom")):
        sign = 1 if edge in ("right", "top") else -1
        if sign * getattr(here, edge) > AT_EDGE:
            inside = 1 - sign * getattr(here, rest)
            step = abs(getattr(here, rest) - getattr(before, rest)) / abs(frame - before.frame) if before else np.inf
            if inside < NARROW + FASTER * step:
                return True
    return False


def _covered(one: Sighting, way: int, seen: Observation) -> float:
    """Share of where it was that in the next frame (way 1), or the one before (-1), things show that were nearby."""
    frame, where = one.frame + way, seen.labels[one.frame] == one.number
    if not 0 <= frame < seen.num_frames:
        return 0.0
    others = [s for s in seen.sightings if s.color != one.color]
    here, there = ([s for s in others if s.frame == f] for f in (one.frame, frame))
    covers = [s.number for s in there if any(_one_step(s, p) for p in here)]
    return float(np.isin(seen.labels[frame], covers)[where].mean())


def _one_step(a: Sighting, b: Sighting) -> bool:
    """Whether both may be the same thing in neighbouring frames."""
    return (a.color, a.shape) == (b.color, b.shape) and screen_distance(a, b) < STRIDE


def _happens(name: str) -> Judge:
    return lambda statement, seen: MOMENTS[name](statement, seen) is not None


HAPPENINGS: dict[str, Judge] = {
    **{name: _happens(name) for name in MOMENTS if name != "fall"},
    "order": _order,
    "topple": _topple,
    "rests": _rests,
    "single": _single,
    "stays": _stays,
}
