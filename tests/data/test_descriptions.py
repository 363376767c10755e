"""Descriptions: a clip, its mirror image and pictures, each with captions of its own, the same each time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sorairo.data.descriptions import CLIP_STYLES, STILL_STYLES, Description, describe
from sorairo.data.world_frames import WorldDataConfig


def test_a_seed_gives_a_clip_its_mirror_image_and_pictures(config: WorldDataConfig) -> None:
    described = describe(config, 5)
    assert [(one.mirrored, one.still is None) for one in described] == [
        (False, True),
        (True, True),
        (True, False),
        (False, False),
    ]
    assert all(one.still in range(config.num_frames) for one in described[2:])
    assert [len(one.captions) for one in described] == [len(CLIP_STYLES)] * 2 + [len(STILL_STYLES)] * 2
    assert all(caption for one in described for caption in one.captions)


@pytest.mark.parametrize(("mirrored", "still"), [(False, None), (True, None), (False, 2), (True, 0)])
def test_what_is_shown(mirrored: bool, still: int | None) -> None:
    frames = np.arange(3 * 4 * 5 * 3, dtype=np.uint8).reshape(3, 4, 5, 3)
    shown = Description(mirrored, still, ()).show(frames)
    expected = frames if still is None else frames[[still]]
    assert np.array_equal(shown, expected[:, :, ::-1] if mirrored else expected)


def test_captions_of_the_mirror_image_are_its_own(config: WorldDataConfig) -> None:
    """Where one tells left only, the other tells right."""
    told = {"left": 0, "right": 0}
    for seed in range(100, 112):
        clip, mirrored, *_ = describe(replace(config, num_frames=9), seed)
        sides = [[side for side in told if f" {side}" in " ".join(one.captions)] for one in (clip, mirrored)]
        for side in sides[0]:
            told[side] += 1
        if len(sides[0]) == len(sides[1]) == 1:
            assert sides[0] != sides[1]
    assert min(told.values()) > 0


def test_descriptions_are_the_same_each_time_and_differ_by_seed(config: WorldDataConfig) -> None:
    assert describe(config, 6) == describe(config, 6)
    assert describe(config, 6) != describe(config, 7)
