"""A clip of the world: made from a seed, rendered at any size.

`make_clip` gives everything but pixels; `render` gives pixels. Both are pure functions of their arguments: the same
on any process of any machine with the same versions of MuJoCo and numba.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Literal, get_args

import numpy as np

from sorairo.shapes import VideoShape
from sorairo.world.camera import draw_camera, half_extent, is_mirrored, mirrored, view_tangent
from sorairo.world.environment import draw_environment
from sorairo.world.facts import Facts, observe
from sorairo.world.objects import HELD_OUT_PAIRS, SceneObject, solid_rows
from sorairo.world.physics import simulate
from sorairo.world.scenarios import HELD_OUT_SCENES, SCENARIOS, Draw, make_up, with_held_out_pair
from sorairo.world.tracer import Ids, Pixels, trace_frame
from sorairo.world.vectors import Table

Split = Literal["train", "test", "novel"]
SALTS = {"train": 0x50A1, "test": 0x7E57, "novel": 0x0E17}
ATTEMPTS = 24
SHORTEST_ACTION, LONGEST_ACTION = 1.5, 8.0  # seconds within which the action is planned
STILLNESS = {"still": 0.2, "cross": 0.85, "occlude": 0.85}  # probability of a still camera; 0.55 otherwise
AZIMUTHS = {"occlude": (0.0, 0.1), "domino": (0.12, 0.42)}  # of the camera, radians; up to 0.3 otherwise


@dataclass(frozen=True)
class WorldClip:
    """A scene and its motion. poses [t n 12], camera [t 13], environment [48]: what the tracer reads."""

    seed: int
    split: Split
    shape: VideoShape
    scenario: str
    objects: tuple[SceneObject, ...]
    poses: Table
    camera: Table
    environment: Table
    facts: Facts

    @property
    def make_up(self) -> str:
        """See `sorairo.world.scenarios.make_up`."""
        return make_up(self.scenario, self.objects, self.facts.camera_move)

    def mirrored(self) -> WorldClip:
        """The same clip with left and right exchanged, in the picture and in the facts."""
        return replace(self, camera=mirrored(self.camera), facts=self.facts.mirrored())


def make_clip(seed: int, shape: VideoShape, split: Split = "train") -> WorldClip:
    """The clip of a seed: its scenario, physics, camera and facts. Clips of different splits never coincide.

    A shape of the same aspect ratio, length and rate gives the same scene at any size. Raises ValueError for an unknown
    split or a negative seed.
    """
    if split not in get_args(Split):
        raise ValueError(f"split is {split!r}; it must be one of {', '.join(get_args(Split))}")
    if seed < 0:
        raise ValueError(f"seed is {seed}; the nearest valid seed is 0")
    names, weights = list(SCENARIOS), np.array([weight for _, weight in SCENARIOS.values()])
    scenario = str(np.random.default_rng([SALTS[split], seed]).choice(names, p=weights / weights.sum()))
    for attempt in range(ATTEMPTS):
        clip = _attempt(seed, shape, split, scenario if attempt < ATTEMPTS // 2 else "still", attempt)
        if clip is not None:
            return clip
    raise AssertionError(f"no scene for seed {seed} of {split} in {ATTEMPTS} attempts")


def _attempt(seed: int, shape: VideoShape, split: Split, scenario: str, attempt: int) -> WorldClip | None:
    """One draw of a scenario; None when what was meant to be seen did not happen."""
    rng = np.random.default_rng([SALTS[split], seed, attempt])
    seconds = min(max(shape.seconds, SHORTEST_ACTION), LONGEST_ACTION)
    draw = Draw(rng, seconds, *half_extent(shape.width, shape.height))
    drawn = SCENARIOS[scenario][0](draw)
    objects = tuple(with_held_out_pair(draw, drawn) if split == "novel" else drawn)
    environment, light, ground = draw_environment(rng)
    tangent, azimuth = view_tangent(shape.width, shape.height), AZIMUTHS.get(scenario, (0.0, 0.3))
    camera, move = draw_camera(rng, shape.num_frames, tangent, azimuth, STILLNESS.get(scenario, 0.55))
    if split == "train" and make_up(scenario, objects, move) in HELD_OUT_SCENES:
        return None
    trajectory = simulate(objects, shape.num_frames, shape.fps)
    if not np.isfinite(trajectory.poses).all():
        return None
    aspect = shape.width / shape.height
    facts = observe(objects, trajectory, camera, solid_rows(objects), aspect, shape.fps, (light, ground, move))
    clip = WorldClip(seed, split, shape, scenario, objects, trajectory.poses, camera, environment, facts)
    return clip if _worth_showing(clip) else None


def _worth_showing(clip: WorldClip) -> bool:
    """Whether the scenario's point came out where a viewer can see it, and nothing shows that should not."""
    facts, objects = clip.facts, clip.objects
    hidden = [i for i, o in enumerate(objects) if o.role == "stopper"]
    if facts.area[:, hidden].any():
        return False
    shown = [(o.color, o.shape) for o, largest in zip(objects, facts.area.max(0), strict=True) if largest > 0.004]
    if clip.split == "novel" and HELD_OUT_PAIRS.isdisjoint(shown):
        return False
    main = [i for i, o in enumerate(objects) if o.role in ("actor", "target", "member", "prop")]
    if clip.shape.seconds < SHORTEST_ACTION:
        return bool((facts.area.max(0)[main] > 0.003).any())
    if any(np.quantile(facts.area[:, i], 0.85) < 0.004 for i in main if objects[i].role != "member"):
        return False
    return SEEN_HAPPENING[clip.scenario](clip)


def _actor(clip: WorldClip) -> int:
    return next(i for i, o in enumerate(clip.objects) if o.role == "actor")


def _happens(*kinds: str) -> Callable[[WorldClip], bool]:
    """A test that the actor is the subject of one event of each kind."""
    return lambda clip: all(
        any(e.kind == kind and e.subject == _actor(clip) for e in clip.facts.events) for kind in kinds
    )


def _moves(clip: WorldClip) -> bool:
    return clip.facts.direction[_actor(clip)] in ("left", "right")


def _moves_and(*kinds: str) -> Callable[[WorldClip], bool]:
    return lambda clip: _moves(clip) and _happens(*kinds)(clip)


def _all_fall(clip: WorldClip) -> bool:
    fallen = {e.subject for e in clip.facts.events if e.kind == "topple"}
    return _moves_and("hit")(clip) and fallen >= {i for i, o in enumerate(clip.objects) if o.shape == "domino"}


def _in_view(clip: WorldClip) -> bool:
    """Every object of a still life is well visible at some time, the members of a group at the same time."""
    shown = (clip.facts.visible > 0.6) & (clip.facts.area > 0.003)
    members = [i for i, o in enumerate(clip.objects) if o.role == "member"]
    return bool(shown.mean(0).min() > 0.3) and (not members or bool(shown[:, members].all(1).mean() > 0.5))


SEEN_HAPPENING: dict[str, Callable[[WorldClip], bool]] = {
    "hit": _moves_and("hit"),
    "domino": _all_fall,
    "drop": lambda clip: _happens("land")(clip) or _happens("hit")(clip),
    "occlude": _moves_and("hide"),
    "cross": _moves_and("enter", "leave"),
    "collide": lambda clip: _moves(clip) and any(e.kind == "hit" for e in clip.facts.events),
    "tower": _moves_and("hit"),
    "ramp": _moves_and("descend"),
    "slide": _moves,
    "still": _in_view,
}


def render(
    clip: WorldClip,
    frames: Sequence[int] | None = None,
    width: int | None = None,
    height: int | None = None,
    antialias: int = 2,
) -> tuple[Pixels, Ids]:
    """Pixels uint8 [t h w 3] and ids int8 [t h w] (object index, -1 ground, -2 sky) of some or all frames, at any size.

    antialias: side of the grid of samples in pixels that differ from their neighbours; 1 for none.
    """
    chosen = list(range(clip.shape.num_frames)) if frames is None else list(frames)
    wide, high = width or clip.shape.width, height or clip.shape.height
    if not all(-clip.shape.num_frames <= f < clip.shape.num_frames for f in chosen):
        raise ValueError(f"frames is {chosen}; the nearest valid frames are 0 to {clip.shape.num_frames - 1}")
    flip = is_mirrored(clip.camera[0])
    camera = mirrored(clip.camera) if flip else clip.camera
    pixels, ids = np.empty((len(chosen), high, wide, 3), np.uint8), np.empty((len(chosen), high, wide), np.int8)
    solids, picture = solid_rows(clip.objects), np.empty((high, wide, 3))
    for k, f in enumerate(chosen):
        if k and all(np.array_equal(rows[chosen[k - 1]], rows[f]) for rows in (clip.poses, clip.camera)):
            pixels[k], ids[k] = pixels[k - 1], ids[k - 1]
        else:
            trace_frame(solids, clip.poses[f], clip.environment, camera[f], antialias, picture, pixels[k], ids[k])
    return (pixels[:, :, ::-1].copy(), ids[:, :, ::-1].copy()) if flip else (pixels, ids)


@dataclass(frozen=True)
class RenderRequest:
    """A clip to make and render in another process; width and height default to the shape's."""

    seed: int
    shape: VideoShape
    split: Split = "train"
    width: int | None = None
    height: int | None = None
    mirrored: bool = False


def render_request(request: RenderRequest) -> tuple[WorldClip, Pixels, Ids]:
    clip = make_clip(request.seed, request.shape, request.split)
    clip = clip.mirrored() if request.mirrored else clip
    return clip, *render(clip, width=request.width, height=request.height)


def render_many(requests: Iterable[RenderRequest], workers: int = 1) -> Iterator[tuple[WorldClip, Pixels, Ids]]:
    """Clips with pixels and ids in the order of the requests, made by workers processes (1: in this one)."""
    if workers <= 1:
        yield from map(render_request, requests)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(render_request, requests, chunksize=4)
