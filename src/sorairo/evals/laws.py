"""Whether things move by the laws of physics: fits of fall, bounce, rolling and collision to the tracks of a clip.

Needs no prompt. A fit is lawful where its number and what it leaves over are such as fits to real clips have, by limits
that come with the detectors. Distances are metres of this world, so laws are the world's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import numpy.typing as npt

from sorairo.evals.happenings import MOVED_DOWN, first_hit, first_way, set_off, shift
from sorairo.evals.statements import Noun, Statement
from sorairo.evals.tracks import LEAST_AREA, Frames, Track, slope, track
from sorairo.shapes import NATIVE_FPS
from sorairo.sight.observation import Observation

LAWS = ("fall", "bounce", "roll", "collision", "momentum")
LEAST_POINTS = 4
SOON, LOWER = 4, 0.1  # frames in view until it falls, and metres that it comes lower in each frame then
STEEP = 0.5  # metres aside for each metre of a free fall, at most
LEAST_WAY = 0.8  # metres that something rolls
AROUND = 4  # frames before and after a collision from which speeds are read
LEAST_CHANGE, MOVING = 0.25, 0.5  # metres per second
LEAST_SEEN = 0.25  # share of frames
TAIL = 0.1  # of real fits' numbers on either side that count as unlawful
JUMBLE = 6.0  # frames by which the frames of a jumbled clip are out of place, at most

Floats = npt.NDArray[np.float64]
Limits = Mapping[str, Sequence[float]]
"""For each law: least and largest number, and the most that a fit leaves over."""


@dataclass(frozen=True)
class Fit:
    """One law fitted to one motion.

    number: for fall, m/s² downward; bounce, rebound speed for each unit of landing speed; roll, m/s² of slowing down;
    collision, speed of parting for each unit of speed of meeting; momentum, mass of the one that is hit for each unit
    of the other's. residual: root mean square of what the fit leaves over, for each metre of way.
    """

    law: str
    number: float
    residual: float = 0.0


def fits(seen: Observation) -> list[Fit]:
    """All that can be fitted to what moves alone in its look."""
    tracks = {noun: track(noun, seen) for noun in lone_nouns(seen)}
    moving = {noun for noun, path in tracks.items() if first_way(path)}
    pairs = [pair for pair in permutations(tracks, 2) if pair[0] in moving]
    hits = {(a, b): first_hit(Statement("hit", a, b), seen) for a, b in pairs}
    met: dict[Noun, int] = {}
    for pair, frame in hits.items():
        for noun in pair if frame is not None else ():
            met[noun] = min(frame or 0, met.get(noun, seen.num_frames))
    found = [fit for noun, path in tracks.items() for fit in _alone(path, met.get(noun, seen.num_frames))]
    for (a, b), frame in hits.items():
        if frame is not None:
            found += _together(tracks[a], tracks[b], frame)
    return found


def lone_nouns(seen: Observation) -> list[Noun]:
    """The looks of which there is one in most frames that show any, colour by colour."""
    large = [s for s in seen.sightings if s.area >= LEAST_AREA]
    nouns = []
    for color in sorted({s.color for s in large}):
        shapes = Counter(s.shape for s in large if s.color == color)
        per_frame = Counter(s.frame for s in large if s.color == color)
        if len(per_frame) >= LEAST_SEEN * seen.num_frames and np.median(list(per_frame.values())) == 1:
            nouns.append(Noun(color, max(shapes, key=lambda shape: shapes[shape])))
    return nouns


def _alone(path: Track, met: int) -> Iterator[Fit]:
    if len(path.frames) < LEAST_POINTS:
        return
    if path.z[0] - path.z.min() > MOVED_DOWN:
        yield from _fall(path)
    elif np.ptp(path.z) < MOVED_DOWN:
        yield from _roll(path, met)


def _fall(path: Track) -> Iterator[Fit]:
    """A parabola until it comes no lower (z = z0 + v t - g t² / 2), and the height that it comes up to again."""
    begun = set_off(path)
    if begun is None or begun > path.frames[0] + SOON:  # pushed over an edge, or toppled
        return
    begin = int(np.flatnonzero(path.frames == begun)[0])
    num_falling = 1 + int(np.argmax(np.append(np.diff(path.z[begin + 1 :]) > -LOWER, True)))
    height, aside = path.z[begin:] - path.z[begin + num_falling], np.abs(shift(path))[begin + num_falling]
    if height[0] < MOVED_DOWN or aside > STEEP * height[0]:  # down a slope
        return
    if num_falling >= LEAST_POINTS:
        yield _parabola("fall", path.frames[begin:][:num_falling], height[:num_falling], height[0])
    if len(height) - num_falling >= LEAST_POINTS:
        yield Fit("bounce", float(np.sqrt(height[num_falling:].max() / height[0])))


def _roll(path: Track, met: int) -> Iterator[Fit]:
    """A parabola of small bend: constant slowing down, from when it moves until it stops or meets something."""
    own = path.frames < met
    frames, x = path.frames[own], shift(path)[own]
    moving = np.flatnonzero(np.abs(np.diff(x)) * NATIVE_FPS > MOVING / 2)
    if not len(moving):
        return
    part = slice(moving[0], moving[-1] + 2)
    frames, x = frames[part], x[part] * np.sign(x[moving[-1] + 1])
    if len(frames) > LEAST_POINTS and np.ptp(x) > LEAST_WAY:
        yield _parabola("roll", frames, x, np.ptp(x))


def _parabola(law: str, frames: Frames, places: Floats, way: float) -> Fit:
    time = frames / NATIVE_FPS
    parabola = np.polyfit(time, places, 2)
    left_over = np.sqrt(np.mean(np.square(places - np.polyval(parabola, time))))
    return Fit(law, -2 * float(parabola[0]), float(left_over / way))


def _together(first: Track, second: Track, frame: int) -> Iterator[Fit]:
    """Speeds u before and v after along x: (v2 - v1) / (u1 - u2), and (u1 - v1) / (v2 - u2) = m2 / m1."""
    speeds = [_speeds(path, frame) for path in (first, second)]
    if any(np.isnan(pair).any() for pair in speeds):
        return
    (u1, v1), (u2, v2) = speeds
    if abs(u1 - u2) > MOVING:
        yield Fit("collision", (v2 - v1) / (u1 - u2))
        if abs(v2 - u2) > LEAST_CHANGE:
            yield Fit("momentum", (u1 - v1) / (v2 - u2))


def _speeds(path: Track, frame: int) -> tuple[float, float]:
    before = (path.frames >= frame - AROUND) & (path.frames <= frame)
    after = (path.frames > frame) & (path.frames <= frame + AROUND)
    if before.sum() < 2 or after.sum() < 2:
        return float("nan"), float("nan")
    x = (path.left + path.right) / 2
    return tuple(NATIVE_FPS * slope(path.frames[part], x[part]) for part in (before, after))  # type: ignore[return-value]


def limits_of(real: Sequence[Fit]) -> dict[str, Sequence[float]]:
    """Between which numbers, and under which residual, most fits to real clips lie."""
    limits: dict[str, Sequence[float]] = {}
    for law in LAWS:
        own = [fit for fit in real if fit.law == law]
        if own:
            low, high = np.quantile([fit.number for fit in own], [TAIL, 1 - TAIL])
            limits[law] = [float(low), float(high), float(np.quantile([fit.residual for fit in own], 1 - TAIL))]
    return limits


def lawful(fit: Fit, limits: Limits) -> bool:
    low, high, most = limits[fit.law]
    return low <= fit.number <= high and fit.residual <= most


def tally_laws(fitted: Sequence[Sequence[Fit]], limits: Limits) -> dict[str, Floats]:
    """For each law, [p 2]: how many fits to a clip are lawful, and how many there are."""
    counts = {law: np.zeros((len(fitted), 2)) for law in LAWS}
    for index, of_clip in enumerate(fitted):
        for fit in of_clip:
            if fit.law in limits:
                counts[fit.law][index] += (lawful(fit, limits), 1)
    return counts


def jumbled(seen: Observation, seed: int = 0) -> Observation:
    """The same frames, each a little out of its place: things look as they do, and move by no law."""
    noise = np.random.default_rng(seed).uniform(0, JUMBLE, seen.num_frames)
    order = np.argsort(np.arange(seen.num_frames) + noise)
    place = {int(frame): index for index, frame in enumerate(order)}
    moved = tuple(replace(s, frame=place[s.frame]) for s in seen.sightings)
    return replace(seen, sightings=moved, labels=seen.labels[order])


def medians(fitted: Sequence[Sequence[Fit]]) -> dict[str, dict[str, float]]:
    """For each law: how many fits, and the quartiles of their numbers."""
    found = {}
    for law in LAWS:
        numbers = [fit.number for of_clip in fitted for fit in of_clip if fit.law == law]
        if numbers:
            low, middle, high = np.quantile(numbers, [0.25, 0.5, 0.75]).tolist()
            found[law] = {"fits": len(numbers), "low": low, "median": middle, "high": high}
    return found
