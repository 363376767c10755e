"""World clips as frames on disk, made once by seed and read as memory maps. Never trains and never encodes.

A clip is its seed, so whatever is missing is simply made again; running twice, or after a kill, continues.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np

from sorairo.config import Checked, Count, Natural
from sorairo.media import new_file
from sorairo.shapes import VideoShape, parse_size
from sorairo.world import WorldClip, make_clip, render
from sorairo.world.tracer import Pixels

ResultT = TypeVar("ResultT")
OnProgress = Callable[[str, int, int], None]
"""Called with a stage's name, how much is done, and how much there is."""


@dataclass(frozen=True)
class WorldDataConfig(Checked):
    """Which clips to make: of ``num_clips`` seeds from ``first_seed`` on; seed i has the size ``sizes[i % len]``."""

    num_clips: Count = 6000
    first_seed: Natural = 0
    num_frames: Count = 33
    sizes: tuple[str, ...] = ("160x96", "160x96", "160x96", "128x128", "96x160")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.sizes:
            raise ValueError("data.sizes is empty; it needs one at least, such as '160x96'")
        for size in self.sizes:
            width, height = parse_size(size)
            VideoShape(self.num_frames, height, width)

    def seeds(self) -> range:
        return range(self.first_seed, self.first_seed + self.num_clips)

    @property
    def shortest_side(self) -> int:
        return min(side for size in self.sizes for side in parse_size(size))

    def shape(self, seed: int) -> VideoShape:
        """Size of the clip of ``seed``."""
        width, height = parse_size(self.sizes[seed % len(self.sizes)])
        return VideoShape(self.num_frames, height, width)

    def clip(self, seed: int) -> WorldClip:
        return make_clip(seed, self.shape(seed))


def frames_path(folder: Path, seed: int) -> Path:
    return folder / f"{seed}.npy"


def read_frames(config: WorldDataConfig, folder: Path, seed: int) -> Pixels:
    """Frames uint8 [t h w 3] of a clip that `write_frames` made, as a memory map.

    Raises:
        ValueError: the folder holds clips of another length or size, or a damaged one.
    """
    path, shape = frames_path(folder, seed), config.shape(seed)
    try:
        frames: Pixels = np.load(path, mmap_mode="r")
    except (ValueError, EOFError):
        raise ValueError(f"{path} is damaged: delete it, and it is made again") from None
    expected = (shape.num_frames, shape.height, shape.width, 3)
    if frames.shape != expected:
        raise ValueError(f"{path} is {frames.shape}, the recipe asks for {expected}: give each recipe its own folder")
    return frames


def write_frames(config: WorldDataConfig, folder: Path, workers: int, on_progress: OnProgress) -> None:
    """Renders every clip that is not in ``folder`` yet, on ``workers`` processes."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [seed for seed in config.seeds() if not frames_path(folder, seed).exists()]
    done = config.num_clips - len(missing)
    for _ in in_processes(partial(_write_one, config, folder), missing, workers):
        done += 1
        on_progress("world", done, config.num_clips)


def in_processes(make: Callable[[int], ResultT], seeds: list[int], workers: int) -> Iterator[ResultT]:
    """``make(seed)`` of every seed, in order, made by ``workers`` processes: by this one where one is enough."""
    if workers == 1 or len(seeds) < 2:
        yield from map(make, seeds)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(make, seeds)


def _write_one(config: WorldDataConfig, folder: Path, seed: int) -> None:
    frames, _ = render(config.clip(seed))
    with new_file(frames_path(folder, seed)) as temporary, temporary.open("wb") as file:
        np.save(file, frames)
