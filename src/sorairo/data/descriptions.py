"""What is shown of each world clip, and its captions: the clip, its mirror image, and single frames as pictures.

Never renders, never imports torch: many processes do this at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sorairo.data.world_frames import WorldDataConfig
from sorairo.world import Style, WorldClip, caption
from sorairo.world.clip import Pixels

CLIP_STYLES: tuple[Style, ...] = ("fragment", "short", "medium", "dense")
STILL_STYLES: tuple[Style, ...] = ("fragment", "short", "medium")
STILLS_PER_CLIP = 2


@dataclass(frozen=True)
class Description:
    """Several true captions of a clip or of one of its frames, as they are or mirrored."""

    mirrored: bool
    still: int | None
    captions: tuple[str, ...]

    def show(self, frames: Pixels) -> Pixels:
        """What is described, from the clip's frames uint8 [t h w 3]."""
        shown = frames if self.still is None else frames[self.still : self.still + 1]
        return shown[:, :, ::-1] if self.mirrored else shown


def describe(config: WorldDataConfig, seed: int) -> list[Description]:
    """The clip of a seed, its mirror image, and pictures out of both: always the same for the same seed."""
    clip = config.clip(seed)
    versions, rng = (clip, clip.mirrored()), np.random.default_rng([seed, 1])
    described = [
        Description(mirrored, None, _captions(versions[mirrored], CLIP_STYLES, rng)) for mirrored in (False, True)
    ]
    for number in range(STILLS_PER_CLIP):
        still, mirrored = int(rng.integers(config.num_frames)), number % 2 == 0
        described.append(Description(mirrored, still, _captions(versions[mirrored], STILL_STYLES, rng, still)))
    return described


def _captions(
    clip: WorldClip, styles: tuple[Style, ...], rng: np.random.Generator, still: int | None = None
) -> tuple[str, ...]:
    return tuple(caption(clip, style, rng, still).text for style in styles)
