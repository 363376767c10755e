"""What is shown of each world clip, its captions, and where its objects are: the clip, mirrored, and single frames.

Never imports torch: many processes do this at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sorairo.data.world_frames import WorldDataConfig
from sorairo.shapes import SPATIAL_STRIDE, TEMPORAL_STRIDE
from sorairo.world import Style, WorldClip, caption, render
from sorairo.world.grammar import placed
from sorairo.world.tracer import Pixels

CLIP_STYLES: tuple[Style, ...] = ("fragment", "short", "medium", "dense")
STILL_STYLES: tuple[Style, ...] = ("fragment", "short", "medium")
STILLS_PER_CLIP = 2
COVER_SIDE = 4  # rays along each side of a block of pixels: enough to say how full it is
Cover = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Description:
    """Several true captions of a clip or of one of its frames, as they are or mirrored.

    cover [t h w]: share of the pixels of each latent's block in which an object is seen, float16.
    """

    mirrored: bool
    still: int | None
    captions: tuple[str, ...]
    cover: Cover

    def show(self, frames: Pixels) -> Pixels:
        """What is described, from the clip's frames uint8 [t h w 3]."""
        shown = frames if self.still is None else frames[self.still : self.still + 1]
        return shown[:, :, ::-1] if self.mirrored else shown


def describe(config: WorldDataConfig, seed: int, clip: WorldClip | None = None) -> list[Description]:
    """The clip of a seed, if it is not there yet, its mirror image, and pictures out of both: always the same."""
    clip = clip or config.clip(seed)
    versions, rng = (clip, clip.mirrored()), np.random.default_rng([seed, 1])
    lasts = range(TEMPORAL_STRIDE, config.num_frames, TEMPORAL_STRIDE)
    cover = _cover(clip, [[0], *([last - 2, last] for last in lasts)])
    described = [
        Description(version is not clip, None, _film_captions(version, rng), _as_shown(cover, version is not clip))
        for version in versions
    ]
    for number in range(STILLS_PER_CLIP):
        still, mirrored = int(rng.integers(config.num_frames)), number % 2 == 0
        captions = _captions(versions[mirrored], STILL_STYLES, rng, still)
        described.append(Description(mirrored, still, captions, _as_shown(_cover(clip, [[still]]), mirrored)))
    return described


def _cover(clip: WorldClip, groups: Sequence[Sequence[int]]) -> Cover:
    """Most of what is covered in any frame of a group, for every group of frames that share a latent."""
    width, height = clip.shape.width // SPATIAL_STRIDE, clip.shape.height // SPATIAL_STRIDE
    frames = [frame for group in groups for frame in group]
    _, ids = render(clip, frames, COVER_SIDE * width, COVER_SIDE * height, antialias=1)
    blocks = (ids >= 0).reshape(-1, height, COVER_SIDE, width, COVER_SIDE).mean((2, 4))
    ends = np.cumsum([len(group) for group in groups])[:-1]
    return np.stack([part.max(0) for part in np.split(blocks, ends)]).astype(np.float16)


def _as_shown(cover: Cover, mirrored: bool) -> Cover:
    return cover[:, :, ::-1].copy() if mirrored else cover


def _film_captions(clip: WorldClip, rng: np.random.Generator) -> tuple[str, ...]:
    """One in each style, and one of two things by their places, which films are seldom told by; else one more."""
    places = placed(clip, rng) or caption(clip, "short", rng)
    return (*_captions(clip, CLIP_STYLES, rng), places.text)


def _captions(
    clip: WorldClip, styles: tuple[Style, ...], rng: np.random.Generator, still: int | None = None
) -> tuple[str, ...]:
    return tuple(caption(clip, style, rng, still).text for style in styles)
