"""Descriptions: a clip, its mirror image and pictures, each with captions of its own, the same each time."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from sorairo.data.descriptions import CLIP_STYLES, STILL_STYLES, Description, describe
from sorairo.data.world_frames import WorldDataConfig
from sorairo.world import render
from sorairo.world.story import placed_pairs


def test_a_seed_gives_a_clip_its_mirror_image_and_pictures(config: WorldDataConfig) -> None:
    described = describe(config, 5)
    assert [(one.mirrored, one.still is None) for one in described] == [
        (False, True),
        (True, True),
        (True, False),
        (False, False),
    ]
    assert all(one.still in range(config.num_frames) for one in described[2:])
    assert [len(one.captions) for one in described] == [len(CLIP_STYLES) + 1] * 2 + [len(STILL_STYLES)] * 2
    assert all(caption for one in described for caption in one.captions)


@pytest.mark.parametrize(("mirrored", "still"), [(False, None), (True, None), (False, 2), (True, 0)])
def test_what_is_shown(mirrored: bool, still: int | None) -> None:
    frames = np.arange(3 * 4 * 5 * 3, dtype=np.uint8).reshape(3, 4, 5, 3)
    shown = Description(mirrored, still, (), np.zeros((1, 1, 1), np.float16)).show(frames)
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


def test_a_film_is_told_by_the_places_of_what_stands_in_it(config: WorldDataConfig) -> None:
    """Where one thing is left of another from the first frame to the last, one caption says so."""
    for seed in range(100, 112):
        clip = config.clip(seed)
        for film, version in zip(describe(config, seed, clip), (clip, clip.mirrored()), strict=False):
            places = re.search(r"\b(left|right) of an? ", film.captions[-1])
            assert bool(places) == bool(placed_pairs(version))


def test_descriptions_are_the_same_each_time_and_differ_by_seed(config: WorldDataConfig) -> None:
    one, again, other = ([(d.captions, d.cover.tolist()) for d in describe(config, seed)] for seed in (6, 6, 7))
    assert one == again
    assert one != other


def test_cover_tells_where_objects_are(config: WorldDataConfig) -> None:
    """In blocks of 16 pixels and groups of four frames, against the ids of every pixel."""
    described = describe(config, 5)
    _, ids = render(config.clip(5), antialias=1)
    shares = (ids >= 0).reshape(len(ids), ids.shape[1] // 16, 16, ids.shape[2] // 16, 16).mean((2, 4))
    for index, cover in enumerate(described[0].cover):
        group = shares[:1] if index == 0 else shares[4 * index - 3 : 4 * index + 1]
        assert (cover <= group.max(0) + 0.2).all()
        assert (cover >= group.min(0) - 0.2).all()
    assert np.array_equal(described[1].cover, described[0].cover[:, :, ::-1])
    still = described[2].still
    assert still is not None
    np.testing.assert_allclose(described[2].cover[0, :, ::-1], shares[still], atol=0.2)
