"""Random maps for training: the promised shares, always something to learn, always whole patches."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch
from torch import Tensor

from sorairo.diffusion.noise_maps import snap_to_patches
from sorairo.diffusion.training_maps import MapMixture, draw_training_map
from sorairo.shapes import LatentShape

SHAPE = LatentShape(5, 6, 10)
KINDS = [field.name for field in fields(MapMixture)]


def draw(kind: str, batch: int = 200, shape: LatentShape = SHAPE, patch: int = 2, seed: int = 0) -> Tensor:
    only = MapMixture(**{name: float(name == kind) for name in KINDS})
    return draw_training_map(torch.Generator().manual_seed(seed), batch, shape, patch, only)


def known(noise_map: Tensor) -> Tensor:
    """[b t]: frames that are given; every frame must be wholly given or wholly noisy."""
    assert torch.equal((noise_map == 0).all(-1).all(-1), (noise_map == 0).any(-1).any(-1))
    return (noise_map == 0).all(-1).all(-1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [SHAPE, LatentShape(1, 4, 4), LatentShape(2, 3, 5), LatentShape(3, 1, 1)])
def test_every_map_is_made_of_whole_patches_and_has_something_to_learn(kind: str, shape: LatentShape) -> None:
    noise_map = draw(kind, shape=shape)
    assert noise_map.shape == (200, shape.num_frames, shape.height, shape.width)
    assert torch.equal(snap_to_patches(noise_map, 2), noise_map)
    assert noise_map.min() >= 0
    assert noise_map.max() < 1
    assert bool((noise_map > 0).flatten(1).any(1).all())


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "level_per_frame"])
def test_what_is_noisy_has_one_level(kind: str) -> None:
    for noise_map in draw(kind):
        assert len(noise_map[noise_map > 0].unique()) == 1


def test_one_level_has_nothing_known() -> None:
    assert not known(draw("one_level")).any()


def test_levels_per_frame_differ() -> None:
    noise_map = draw("level_per_frame")
    assert not known(noise_map).any()
    assert all(len(one.unique()) == SHAPE.num_frames for one in noise_map)


def test_first_frames_known_come_in_every_number() -> None:
    given = known(draw("first_known"))
    assert bool((given[:, :-1] >= given[:, 1:]).all())
    assert given.sum(1).unique().tolist() == [1, 2, 3, 4]


def test_last_frames_known_mirror_the_first() -> None:
    given = known(draw("last_known"))
    assert bool((given[:, :-1] <= given[:, 1:]).all())
    assert given.sum(1).unique().tolist() == [1, 2, 3, 4]


def test_both_ends_known_leave_one_gap() -> None:
    given = known(draw("ends_known"))
    assert bool(given[:, 0].all())
    assert bool(given[:, -1].all())
    assert bool(((given[:, 1:] != given[:, :-1]).sum(1) == 2).all())


def test_some_known_lie_anywhere() -> None:
    given = known(draw("some_known"))
    assert bool(given.any(0).all())
    assert bool((~given).any(0).all())
    assert given.sum(1).unique().tolist() == [1, 2, 3, 4]


def test_regions_hold_for_the_whole_clip_and_come_inside_and_outside() -> None:
    noisy = draw("region", patch=1) > 0
    assert torch.equal(noisy, noisy[:, :1].expand_as(noisy))
    assert bool((~noisy).flatten(1).any(1).all())
    corners = noisy[:, 0, 0, 0]
    assert 0.1 < corners.float().mean() < 0.9


def test_the_mixture_has_its_shares() -> None:
    noise_map = draw_training_map(torch.Generator().manual_seed(0), 3000, SHAPE, 2)
    one_level = torch.tensor([len(one.unique()) == 1 for one in noise_map])
    assert one_level.float().mean() == pytest.approx(MapMixture().one_level, abs=0.03)


def test_pictures_always_have_one_level() -> None:
    noise_map = draw_training_map(torch.Generator().manual_seed(0), 500, LatentShape(1, 6, 10), 2)
    assert all(len(one.unique()) == 1 for one in noise_map)
    assert noise_map.min() > 0


def test_longer_clips_are_trained_at_higher_levels() -> None:
    means = [draw("one_level", 500, LatentShape(frames, 6, 10)).mean() for frames in (1, 3, 9)]
    assert means == sorted(means)
    assert means[0] == pytest.approx(0.5, abs=0.03)


def test_the_shift_can_be_chosen() -> None:
    levels = [
        draw_training_map(torch.Generator().manual_seed(0), 500, SHAPE, 2, MapMixture(), shift).mean()
        for shift in (0.5, 1.0, 4.0)
    ]
    assert levels == sorted(levels)


def test_the_same_generator_draws_the_same_maps() -> None:
    first, second = (draw_training_map(torch.Generator().manual_seed(4), 50, SHAPE, 2) for _ in range(2))
    assert torch.equal(first, second)
