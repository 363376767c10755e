"""Whether a statement is true of what was seen. Rules over places, shapes and times; nothing is learned here.

Never knows what the clip was meant to show. Places are screen units, [-1, 1] on both axes, y up, or metres.
"""

from __future__ import annotations

import numpy as np

from sorairo.evals.happenings import HAPPENINGS, Judge, first_way
from sorairo.evals.statements import Statement
from sorairo.evals.tracks import LEAST_AREA, LEAST_SHAPE_SHARE, frames_of, numbers_of, shape_share, sightings_of, track
from sorairo.sight.observation import Observation, Sighting
from sorairo.world import SIZES

LEAST_PRESENCE = 0.12  # share of a clip's frames
NAMED_AREA = 0.0055  # share of the picture from which a colour counts: smaller ones flare up at edges and in shadows
NAMED_SHARE = 0.18  # of a clip's frames
LEAST_COUNT_SHARE = 0.08  # of the frames that show any
APART = 0.05  # metres between the left and the right one
AGREEING = 0.8  # share of frames in which one is left of the other
BREADTHS = {"sphere": 1.0, "cube": 0.95, "cylinder": 0.72, "cone": 0.92, "ring": 1.08, "block": 0.5}
"""Half the width of a thing that stands, seen from any side, for each metre of its size."""


def judge(statement: Statement, seen: Observation) -> bool:
    """Whether the statement holds. Raises KeyError for a fact that nothing detects."""
    return JUDGES[statement.fact](statement, seen)


def _colour(statement: Statement, seen: Observation) -> bool:
    named = [s for s in seen.sightings if s.color == statement.noun.color and s.area >= NAMED_AREA]
    return _present(named, seen, NAMED_SHARE)


def _present(sightings: list[Sighting], seen: Observation, share: float = LEAST_PRESENCE) -> bool:
    return len(frames_of(sightings)) >= max(1.0, share * seen.num_frames)


def _shape(statement: Statement, seen: Observation) -> bool:
    noun = statement.noun
    shaped = [s for s in seen.sightings if noun.color in (None, s.color) and s.shape == noun.shape]
    share = shape_share(noun, seen) if noun.color else 1.0
    return _present([s for s in shaped if s.area >= LEAST_AREA], seen) and share >= LEAST_SHAPE_SHARE


def _size(statement: Statement, seen: Observation) -> bool:
    """The size whose breadth is nearest to that of its track."""
    shape, path = statement.noun.shape, track(statement.noun, seen)
    if shape not in BREADTHS or not len(path.frames):
        return False
    size = path.radius / BREADTHS[shape]
    return min(SIZES, key=lambda name: abs(np.log(SIZES[name] / max(size, 1e-3)))) == statement.value


def _count(statement: Statement, seen: Observation) -> bool:
    """The largest number that shows for a while: what overlaps at one time is apart at another."""
    numbers = numbers_of(statement.noun, seen)
    shares = [(numbers >= n).sum() / max((numbers > 0).sum(), 1) for n in range(1, int(numbers.max()) + 1)]
    return bool(sum(share >= LEAST_COUNT_SHARE for share in shares) == statement.value)


def _relation(statement: Statement, seen: Observation) -> bool:
    assert statement.other is not None
    left, right = track(statement.noun, seen), track(statement.other, seen)
    _, mine, yours = np.intersect1d(left.frames, right.frames, return_indices=True)
    gap = right.x[yours] - left.x[mine]
    return len(gap) > 0 and bool((gap > APART).mean() >= AGREEING)


def _above(statement: Statement, seen: Observation) -> bool:
    """When both are first seen, all of the one is higher than the middle of the other, and about over it."""
    assert statement.other is not None
    upper, lower = ({s.frame: s for s in sightings_of(n, seen)} for n in (statement.noun, statement.other))
    both = sorted(upper.keys() & lower.keys())
    if not both:
        return False
    one, other = upper[both[0]], lower[both[0]]
    return one.bottom > other.y and abs(one.x - other.x) < (one.right - one.left + other.right - other.left) / 2


def _direction(statement: Statement, seen: Observation) -> bool:
    way = first_way(track(statement.noun, seen))
    return way is not None and way[0] == statement.value


JUDGES: dict[str, Judge] = {
    "colour": _colour,
    "shape": _shape,
    "size": _size,
    "count": _count,
    "relation": _relation,
    "above": _above,
    "direction": _direction,
    **HAPPENINGS,
    "ground": lambda statement, seen: seen.ground == statement.value,
    "light": lambda statement, seen: seen.light == statement.value,
    "camera": lambda statement, seen: seen.camera_move == statement.value,
}
