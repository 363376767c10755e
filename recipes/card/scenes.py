"""World scenes for a card, made by processes of the CPU: what the tracer reads, captions, and where objects are.

Many processes do this at once. They trace only where no card does.
"""

from __future__ import annotations

import itertools
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Queue
from multiprocessing.sharedctypes import Synchronized

import numpy as np

from sorairo.data.descriptions import Description, describe
from sorairo.data.world_frames import WorldDataConfig
from sorairo.world import render
from sorairo.world.objects import solid_rows


@dataclass(frozen=True)
class Scene:
    """What `sorairo.world.tracer` reads: solids [n 16], poses [t n 12], environment [48] and camera [t 13], float64.

    frames: uint8 [t h w 3], if this process was to render them.
    """

    width: int
    height: int
    solids: np.ndarray
    poses: np.ndarray
    environment: np.ndarray
    camera: np.ndarray
    described: list[Description]
    frames: np.ndarray | None


def make_scene(config: WorldDataConfig, seed: int, rendered: bool = False) -> Scene:
    """The scene of a seed; always the same."""
    clip = config.clip(seed)
    tables = (solid_rows(clip.objects), clip.poses, clip.environment, clip.camera)
    frames = render(clip)[0] if rendered else None
    return Scene(clip.shape.width, clip.shape.height, *tables, describe(config, seed, clip), frames)


def keep_making(config: WorldDataConfig, first: int, step: int, rendered: Synchronized[int], box: Queue[Scene]) -> None:
    """Puts the scenes of the seeds ``first``, ``first + step`` and so on into ``box``, until it is ended."""
    for seed in itertools.count(first, step):
        with suppress(AssertionError):  # a scene that breaks a promise of the world's is no reason to stop
            box.put(make_scene(config, seed, bool(rendered.value)))
