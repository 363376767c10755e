"""What the upscaler learns from: small frames as it will meet them, and the same scene rendered 8 or 12 times as large.

Of each clip two neighbouring frames are rendered large; the small frames before them come along, as rendered and as the
video autoencoder gives them back. What is missing is made, so that running again continues. Never trains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sorairo.config import Count, Natural, Share
from sorairo.data.world_frames import OnProgress, WorldDataConfig
from sorairo.media import new_file
from sorairo.models.precision import autocast
from sorairo.models.upscaler import SCALES
from sorairo.models.video_vae import VideoVAE, to_video
from sorairo.shapes import TEMPORAL_STRIDE, VideoShape
from sorairo.world import render
from sorairo.world.tracer import Pixels

NUM_LARGE = 2  # so that their difference in time can be learned


@dataclass(frozen=True)
class PairsConfig(WorldDataConfig):
    """Pairs of ``num_clips`` seeds of the split "train" from ``first_seed`` on; ``rates`` are frames a second.

    Seed i takes the i-th of ``sizes``, ``scales`` and ``rates``, each from its start again when it ends. ``num_before``
    small frames lead to the large ones. ``clean_share`` of what is drawn has not gone through the autoencoder.
    """

    num_clips: Count = 240
    first_seed: Natural = 20_000
    num_before: Natural = 6
    scales: tuple[int, ...] = (8, 8, 12)
    rates: tuple[Count, ...] = (8, 24)
    clean_share: Share = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.scales and self.rates and {*self.scales} <= {*SCALES}):
            told = f"pairs.scales is {self.scales} and pairs.rates {self.rates}"
            raise ValueError(f"{told}; each needs one at least, and scales are of {SCALES}")
        most = self.num_frames - NUM_LARGE
        if self.num_before > most:
            raise ValueError(f"pairs.num_before is {self.num_before}; the most for {self.num_frames} frames is {most}")

    def shape(self, seed: int) -> VideoShape:
        return replace(super().shape(seed), fps=self.rates[seed % len(self.rates)])

    def first_large(self, seed: int) -> int:
        """The earlier of the two frames of a seed that are rendered large."""
        return int(np.random.default_rng(seed).integers(self.num_before, self.num_frames - NUM_LARGE + 1))


class Pair(NamedTuple):
    """small uint8 [2 n h w 3]: as rendered, as decoded; large uint8 [2 scale*h scale*w 3]: the last two of n frames."""

    small: Pixels
    large: Pixels

    @property
    def scale(self) -> int:
        return int(self.large.shape[2] // self.small.shape[3])


class Crops(NamedTuple):
    """Videos in [-1, 1]: small [b 3 n h w] and large [b 3 2 scale*h scale*w]."""

    small: Tensor
    large: Tensor

    @property
    def scale(self) -> int:
        return self.large.shape[-1] // self.small.shape[-1]


def write_pairs(config: PairsConfig, folder: Path, vae: VideoVAE, on_progress: OnProgress) -> list[Pair]:
    """Renders and decodes every pair that is not in ``folder`` yet; returns all, as memory maps.

    For another autoencoder delete the files ``*-small.npy``: the large frames, which take longer, stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pairs = []
    for number, seed in enumerate(config.seeds(), start=1):
        large = _kept(folder / f"{seed}-large.npy", partial(_large_frames, config, seed))
        small = _kept(folder / f"{seed}-small.npy", partial(_small_frames, config, seed, vae))
        pairs.append(Pair(small, large))
        on_progress("pairs", number, config.num_clips)
    return pairs


def _kept(path: Path, make: Callable[[], Pixels]) -> Pixels:
    """A memory map of the file, which is made first if it is not there."""
    if not path.exists():
        with new_file(path) as temporary, temporary.open("wb") as file:
            np.save(file, make())
    frames: Pixels = np.load(path, mmap_mode="r")
    return frames


def _large_frames(config: PairsConfig, seed: int) -> Pixels:
    shape, scale, first = config.shape(seed), config.scales[seed % len(config.scales)], config.first_large(seed)
    frames = range(first, first + NUM_LARGE)
    return render(config.clip(seed), frames, scale * shape.width, scale * shape.height)[0]


@torch.no_grad()
def _small_frames(config: PairsConfig, seed: int, vae: VideoVAE) -> Pixels:
    end = config.first_large(seed) + NUM_LARGE
    groups = -(-(end - 1) // TEMPORAL_STRIDE)  # the autoencoder is causal: later frames change nothing
    clean, _ = render(config.clip(seed), range(1 + groups * TEMPORAL_STRIDE))
    with autocast(torch.device("cpu")):
        decoded = vae.decode(vae.encode(to_video(clean)))[0].float()
    pixels = ((decoded + 1) * 127.5).round().to(torch.uint8).movedim(0, -1).numpy()
    window = slice(end - NUM_LARGE - config.num_before, end)
    return np.stack([clean[window], pixels[window]])


@dataclass(frozen=True)
class PairCrops:
    """Draws crops of ``side`` small pixels, mirrored half of the time."""

    pairs: Sequence[Pair]
    clean_share: float
    batch_size: int
    side: int
    seed: int

    def draw(self, step: int) -> Crops:
        """Crops of one scale with the same number of earlier frames: a pure function of the step.

        Some have no earlier frames, as at a clip's start.
        """
        rng = np.random.default_rng([self.seed, step])
        first = self.pairs[int(rng.integers(len(self.pairs)))]
        alike = [pair for pair in self.pairs if pair.scale == first.scale]
        start = int(rng.integers(first.small.shape[1] - NUM_LARGE + 1))
        crops = [self._crop(alike[int(rng.integers(len(alike)))], start, rng) for _ in range(self.batch_size)]
        return Crops(*(torch.cat([to_video(frames) for frames in part]) for part in zip(*crops, strict=True)))

    def _crop(self, pair: Pair, start: int, rng: np.random.Generator) -> Iterator[Pixels]:
        top, left = (int(rng.integers(length - self.side + 1)) for length in pair.small.shape[2:4])
        version = int(rng.random() >= self.clean_share)
        direction = -1 if rng.random() < 0.5 else 1
        for frames, scale in ((pair.small[version, start:], 1), (pair.large, pair.scale)):
            rows, columns = (slice(scale * at, scale * (at + self.side)) for at in (top, left))
            yield frames[:, rows, columns][:, :, ::direction]
