"""Whether a statement is true of what was seen. Rules over places, shapes and times; nothing is learned here.

Never knows what the clip was meant to show. Times are frames; places are screen units, [-1, 1] on both axes, y up.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sorairo.evals.observation import Observation, Sighting
from sorairo.evals.statements import Statement
from sorairo.evals.tracks import (
    LEAST_AREA,
    LEAST_SHAPE_SHARE,
    MEETING,
    frames_of,
    jolt,
    meetings,
    sightings_of,
    steadied,
    track,
)

Floats = npt.NDArray[np.float64]

LEAST_PRESENCE = 0.1  # share of a clip's frames
LEAST_COUNT_SHARE = 0.2  # of the frames that show any
MOVED_ACROSS, MOVED_DOWN = 0.15, 0.3  # screen units
APART = 0.05  # screen units between the left and the right one
AGREEING = 0.8  # share of frames in which one is left of the other
SAME_DEPTH = 0.1  # screen units between the places where two things stand
JOLT, HARD_JOLT, FALLING = 0.3, 0.5, 1.2  # changes of speed in a hit, screen units per second
AT_EDGE = 0.9  # screen units
LIES, STANDS = 0.6, 0.4  # probability of lying
COLLAPSE = 0.5  # of a cube that a stack loses in height


def judge(statement: Statement, seen: Observation) -> bool:
    """Whether the statement holds. Raises KeyError for a fact that nothing detects."""
    return JUDGES[statement.fact](statement, seen)


def _colour(statement: Statement, seen: Observation) -> bool:
    return _present([s for s in seen.sightings if s.color == statement.noun.color], seen)


def _present(sightings: list[Sighting], seen: Observation) -> bool:
    frames = frames_of([s for s in sightings if s.area >= LEAST_AREA])
    return len(frames) >= max(1.0, LEAST_PRESENCE * seen.num_frames)


def _shape(statement: Statement, seen: Observation) -> bool:
    noun = statement.noun
    colored = [s for s in seen.sightings if noun.color in (None, s.color) and s.area >= LEAST_AREA]
    shaped = [s for s in colored if s.shape == noun.shape]
    share = len(frames_of(shaped)) / max(len(frames_of(colored)), 1)
    return _present(shaped, seen) and (noun.color is None or share >= LEAST_SHAPE_SHARE)


def _count(statement: Statement, seen: Observation) -> bool:
    """The largest number that shows for a while: what overlaps at one time is apart at another."""
    shown = [s for s in seen.sightings if statement.noun.color in (None, s.color) and s.shape == statement.noun.shape]
    numbers = np.bincount([s.frame for s in shown if s.area >= LEAST_AREA], minlength=seen.num_frames)
    shares = [(numbers >= n).sum() / max((numbers > 0).sum(), 1) for n in range(1, int(numbers.max()) + 1)]
    return bool(sum(share >= LEAST_COUNT_SHARE for share in shares) == statement.value)


def _direction(statement: Statement, seen: Observation) -> bool:
    """The first way that it goes far enough."""
    path = track(statement.noun, seen)
    if len(path.frames) < 2:
        return False
    across, up = path.x - path.x[0], path.y - path.y[0]
    far = np.flatnonzero((np.abs(across) > MOVED_ACROSS) | (up < -MOVED_DOWN))
    if not len(far):
        return False
    first = int(far[0])
    way = "down" if up[first] < -MOVED_DOWN else "right" if across[first] > 0 else "left"
    return way == statement.value


def _relation(statement: Statement, seen: Observation) -> bool:
    assert statement.other is not None
    left, right = track(statement.noun, seen), track(statement.other, seen)
    _, mine, yours = np.intersect1d(left.frames, right.frames, return_indices=True)
    gap = right.x[yours] - left.x[mine]
    return len(gap) > 0 and bool((gap > APART).mean() >= AGREEING)


def _hit(statement: Statement, seen: Observation) -> bool:
    """The gap closes, and one of the two changes its speed then: sideways at the same depth, or falling onto it."""
    assert statement.other is not None
    first, second = (track(noun, seen) for noun in (statement.noun, statement.other))
    for meeting in meetings(statement.noun, statement.other, seen):
        around = range(meeting.frame - 1, meeting.frame + MEETING)
        across, down = (max(jolt(first, axis, f) for f in around) for axis in (first.x, first.y))
        pushed = max(jolt(second, second.x, f) for f in around)
        if meeting.depth_gap < SAME_DEPTH and down < FALLING and max(across, pushed) > JOLT:
            return True
        if meeting.above and down > HARD_JOLT:
            return True
    return False


def _topple(statement: Statement, seen: Observation) -> bool:
    """It stood first and lies later; of cubes, which look the same on any side, the stack comes down."""
    shown = sightings_of(statement.noun, seen)
    frames = sorted(frames_of(shown))
    if len(frames) < 4:
        return False
    if statement.noun.shape == "cube":
        return _comes_down(shown, seen)
    lying = np.array([_lying_share(shown, frame) for frame in frames])
    stood = np.flatnonzero(lying < STANDS)
    return bool(len(stood) and lying[stood[0] :].max() > LIES)


def _lying_share(shown: list[Sighting], frame: int) -> float:
    own = [s for s in shown if s.frame == frame]
    return float(np.average([s.tipped for s in own], weights=[s.area for s in own]))


def _comes_down(shown: list[Sighting], seen: Observation) -> bool:
    """The highest edge falls by more than half a cube."""
    frames = sorted(frames_of(shown))
    highest = [max((s for s in shown if s.frame == f), key=lambda s: s.top) for f in frames]
    places = np.array([(s.top, s.bottom) for s in highest]).T
    _, top = steadied(places[0], places[0], np.array(frames), seen)
    _, bottom = steadied(places[1], places[1], np.array(frames), seen)
    return bool(top[0] - top.min() > COLLAPSE * (top[0] - bottom[0]))


def _enter(statement: Statement, seen: Observation) -> bool:
    frames = sorted(frames_of(sightings_of(statement.noun, seen)))
    return bool(frames) and frames[0] > 0 and _at_edge(statement, seen, frames[0])


def _leave(statement: Statement, seen: Observation) -> bool:
    frames = sorted(frames_of(sightings_of(statement.noun, seen)))
    return bool(frames) and frames[-1] < seen.num_frames - 1 and _at_edge(statement, seen, frames[-1])


def _at_edge(statement: Statement, seen: Observation, frame: int) -> bool:
    """Whether it is at the edge of the picture, on the side that is said if one is."""
    here = [s for s in sightings_of(statement.noun, seen) if s.frame == frame]
    at = {
        "left": any(s.left < -AT_EDGE for s in here),
        "right": any(s.right > AT_EDGE for s in here),
        None: any(max(-s.left, s.right, s.top, -s.bottom) > AT_EDGE for s in here),
    }
    return at[statement.value if isinstance(statement.value, str) else None]


JUDGES: dict[str, Callable[[Statement, Observation], bool]] = {
    "colour": _colour,
    "shape": _shape,
    "count": _count,
    "direction": _direction,
    "relation": _relation,
    "hit": _hit,
    "topple": _topple,
    "enter": _enter,
    "leave": _leave,
    "ground": lambda statement, seen: seen.ground == statement.value,
    "light": lambda statement, seen: seen.light == statement.value,
    "camera": lambda statement, seen: seen.camera_move == statement.value,
}
