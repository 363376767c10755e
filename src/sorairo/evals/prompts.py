"""The fixed list of held-out prompts: each is a true caption of a clip of the split "test", which no model trains on.

The clip itself is the ceiling: a perfect model would make one like it. Never changes between runs or machines.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sorairo.shapes import NATIVE_BUCKETS, VideoShape
from sorairo.world import Caption, Style, WorldClip, caption, make_clip

STYLES: tuple[Style, ...] = ("fragment", "short", "medium", "dense")
CLIP_SEEDS: tuple[tuple[int, ...], ...] = (
    # hit, domino, drop, occlude, cross, collide, tower, ramp, slide, still, domino, still
    (4, 21, 12, 3, 31, 41, 5, 1, 13, 0, 116, 70),
    (14, 29, 19, 9, 54, 45, 7, 2, 17, 6, 122, 76),
    (34, 32, 23, 11, 58, 46, 15, 10, 66, 8, 133, 87),
    (35, 51, 38, 20, 65, 60, 16, 28, 94, 24, 160, 89),
    (36, 56, 62, 42, 69, 86, 18, 30, 109, 26, 166, 105),
    (39, 59, 96, 44, 74, 103, 22, 43, 110, 33, 170, 119),
    (48, 67, 108, 49, 80, 129, 25, 57, 112, 37, 174, 126),
    (52, 71, 113, 63, 81, 162, 27, 61, 115, 47, 178, 130),
    (55, 84, 117, 64, 82, 167, 40, 72, 118, 50, 218, 144),
    (73, 92, 137, 77, 91, 172, 53, 75, 123, 68, 221, 147),
)
"""Rounds of one clip of each scenario, and a second one of those that can be counted."""
ROUND = len(CLIP_SEEDS[0])
NUM_PROMPTS = ROUND * len(CLIP_SEEDS)
NUM_QUICK = 2 * ROUND


@dataclass(frozen=True)
class Case:
    """A prompt, and the clip that it truly describes."""

    caption: Caption
    clip: WorldClip


def held_out_cases(num_prompts: int = NUM_PROMPTS, shape: VideoShape = NATIVE_BUCKETS[0]) -> tuple[Case, ...]:
    """The first prompts of the list, in all styles; the first NUM_QUICK have every scenario twice.

    Raises ValueError for a number that the list does not have.
    """
    if not 1 <= num_prompts <= NUM_PROMPTS:
        nearest = min(max(num_prompts, 1), NUM_PROMPTS)
        raise ValueError(f"num_prompts is {num_prompts}; the list has 1 to {NUM_PROMPTS}: the nearest is {nearest}")
    places = [(turn, place) for turn in range(len(CLIP_SEEDS)) for place in range(ROUND)][:num_prompts]
    return tuple(_case(CLIP_SEEDS[turn][place], STYLES[(turn + place) % len(STYLES)], shape) for turn, place in places)


def _case(seed: int, style: Style, shape: VideoShape) -> Case:
    clip = make_clip(seed, shape, "test")
    return Case(caption(clip, style, np.random.default_rng(seed)), clip)
