"""Pictures of the world with the truth for each cell: what the detectors learn from and are checked against.

Uses the splits "train" and "novel" for learning (the latter so that no pair of colour and shape is strange to a
detector); "test" is for checking only. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sorairo.evals.detector import camera_frames
from sorairo.media import Frames
from sorairo.shapes import NATIVE_BUCKETS, VideoShape
from sorairo.sight.scene_net import CELL, PAINTS
from sorairo.world import CAMERA_MOVES, GROUNDS, LIGHTS, SHAPES, WorldClip, make_clip, render
from sorairo.world.camera import draw_camera, view_tangent
from sorairo.world.facts import TILTED

BUCKET_ORDER = (0, 2, 0, 1)  # of NATIVE_BUCKETS, clip by clip: half of them are wide
NOVEL_EVERY = 5  # one clip of so many comes from the split "novel"
PICTURES_PER_CLIP = 4
WINDOW = 9  # frames that go through an autoencoder together, so that its blur in time is seen too
REBUILT = 0.5  # share of clips whose pictures did
STANDING_SHAPES = ("cylinder", "cone", "block", "domino")  # those that look another way when they lie
UNKNOWN = -1
MOST_THINGS = 20  # in one picture

Labels = npt.NDArray[np.int8]
Rebuild = Callable[[Frames], Frames]
"""Frames uint8 [t h w 3] encoded and decoded."""


class CellTruth(NamedTuple):
    """For each cell [y x]: paint, shape, tipped (0, 1, UNKNOWN) and thing (index, or UNKNOWN for none)."""

    paint: Labels
    shape: Labels
    tipped: Labels
    thing: Labels


@dataclass(frozen=True)
class SceneExample:
    """pixels uint8 [h w 3], what its cells show, the indices of light and ground."""

    pixels: Frames
    cells: CellTruth
    light: int
    ground: int


@dataclass(frozen=True)
class CameraExample:
    """pixels uint8 [k h w 3] at half size, and the index of the move."""

    pixels: Frames
    move: int


def size_of(index: int) -> VideoShape:
    """The size of the index-th clip."""
    return NATIVE_BUCKETS[BUCKET_ORDER[index % len(BUCKET_ORDER)]]


def learning_clip(index: int) -> WorldClip:
    """The index-th clip to learn from."""
    return make_clip(index, size_of(index), "train" if index % NOVEL_EVERY else "novel")


def scene_examples(clip: WorldClip, frames: Sequence[int], rebuild: Rebuild | None = None) -> Iterator[SceneExample]:
    """Frames with their truth: rendered, and rebuilt if wanted."""
    light, ground = LIGHTS.index(clip.facts.light), GROUNDS.index(clip.facts.ground)
    pixels, ids = render(clip, frames)
    for picture, things, frame in zip(rebuild(pixels) if rebuild else pixels, ids, frames, strict=True):
        cells = cell_truth(clip, frame, things[CELL // 2 :: CELL, CELL // 2 :: CELL])
        yield SceneExample(picture, cells, light, ground)


def cell_truth(clip: WorldClip, frame: int, ids: Labels) -> CellTruth:
    """What cells show, from the ids of things in them."""
    paints = [PAINTS.index(o.color) for o in clip.objects]
    shapes = [SHAPES.index(o.shape) for o in clip.objects]
    tipped = [
        int(clip.poses[frame, i, 11] < TILTED) if o.shape in STANDING_SHAPES else UNKNOWN
        for i, o in enumerate(clip.objects)
    ]
    tables = zip((paints, shapes, tipped), (len(PAINTS), len(SHAPES), UNKNOWN), strict=True)
    # Ids of ground and sky are -1 and -2, so they pick the entries that follow those of the things.
    paint, shape, tilt = (np.array([*table, none, none], np.int8)[ids] for table, none in tables)
    return CellTruth(paint, shape, tilt, np.maximum(ids, UNKNOWN))


def offsets_to_middle(thing: Tensor) -> Tensor:
    """[b y x] indices of things to [b 2 y x] cells (y, x) from each cell to the middle of what shows of its thing."""
    flat = (thing.long() + 1).flatten(1)
    grid = torch.stack(torch.meshgrid(*(torch.arange(float(n)) for n in thing.shape[1:]), indexing="ij")).flatten(1)
    count = torch.zeros(len(flat), MOST_THINGS).scatter_add_(1, flat, torch.ones(flat.shape)).clamp(min=1)
    middles = [
        (torch.zeros_like(count).scatter_add_(1, flat, axis.expand_as(flat)) / count).gather(1, flat) - axis
        for axis in grid
    ]
    return torch.stack(middles, dim=1).view(len(thing), 2, *thing.shape[1:])


def camera_examples(clip: WorldClip, rng: np.random.Generator) -> Iterator[CameraExample]:
    """The clip as its camera saw it, and once more with another camera, which moves."""
    yield _camera_example(clip, clip.camera, clip.facts.camera_move)
    tangent = view_tangent(clip.shape.width, clip.shape.height)
    camera, move = draw_camera(rng, clip.shape.num_frames, tangent, (0, 0.3), stillness=0)
    yield _camera_example(clip, camera, move)


def _camera_example(clip: WorldClip, camera: npt.NDArray[np.float64], move: str) -> CameraExample:
    shape = clip.shape
    frames = camera_frames(shape.num_frames)
    pixels, _ = render(replace(clip, camera=camera), frames, shape.width // 2, shape.height // 2, antialias=1)
    return CameraExample(pixels, CAMERA_MOVES.index(move))


def draw_examples(
    indices: Sequence[int], rebuild: Rebuild | None = None
) -> Iterator[tuple[VideoShape, list[SceneExample], list[CameraExample]]]:
    """Examples of each clip in turn. Each clip gives PICTURES_PER_CLIP pictures and two camera examples."""
    for index in indices:
        clip, rng = learning_clip(index), np.random.default_rng([0, index])
        if rebuild and rng.random() < REBUILT:
            start = int(rng.integers(clip.shape.num_frames - WINDOW + 1))
            examples = list(scene_examples(clip, range(start, start + WINDOW), rebuild))
            examples = [examples[k] for k in rng.choice(WINDOW, PICTURES_PER_CLIP, replace=False).tolist()]
        else:
            frames = sorted(rng.choice(clip.shape.num_frames, PICTURES_PER_CLIP, replace=False).tolist())
            examples = list(scene_examples(clip, frames))
        yield clip.shape, examples, list(camera_examples(clip, rng))
