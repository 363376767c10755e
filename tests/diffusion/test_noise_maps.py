"""One map per tool of the design, and errors that name what does not fit."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sorairo.diffusion.noise_maps import curve, region, snap_to_patches
from sorairo.shapes import LatentShape

SHAPE = LatentShape(5, 6, 10)


def per_frame(noise_map: Tensor) -> list[float]:
    """Levels of the frames, which must be constant in each."""
    assert noise_map.shape == (1, SHAPE.num_frames, SHAPE.height, SHAPE.width)
    assert torch.equal(noise_map.amin((-1, -2)), noise_map.amax((-1, -2)))
    return noise_map[0, :, 0, 0].tolist()


def test_text_to_video_starts_from_noise_everywhere() -> None:
    assert per_frame(curve(SHAPE, [1.0] * 5)) == [1] * 5


def test_text_to_image_is_one_frame_of_noise() -> None:
    assert torch.equal(curve(LatentShape(1, 2, 2), [1.0]), torch.ones(1, 1, 2, 2))


def test_blend_follows_its_curve() -> None:
    assert per_frame(curve(SHAPE, [0.0, 0.25, 0.5, 0.75, 1.0])) == [0, 0.25, 0.5, 0.75, 1]


def test_region_of_any_size_is_snapped_to_whole_patches() -> None:
    pixels = torch.zeros(1, 96, 160, dtype=torch.bool)
    pixels[0, 40, 70] = True  # one pixel: latent (2, 4), patch (1, 2) of size 2
    noise_map = region(SHAPE, pixels, patch=2)
    expected = torch.zeros(1, 5, 6, 10)
    expected[:, :, 2:4, 4:6] = 1
    assert torch.equal(noise_map, expected)


def test_a_moving_region_has_one_mask_per_frame() -> None:
    mask = torch.zeros(5, 6, 10, dtype=torch.bool)
    mask[3, 0, 0] = True
    noise_map = region(SHAPE, mask, patch=1)
    assert noise_map.shape == (1, 5, 6, 10)
    assert noise_map.sum() == noise_map[0, 3, 0, 0] == 1


def test_an_empty_and_a_full_region() -> None:
    assert not region(SHAPE, torch.zeros(1, 9, 9, dtype=torch.bool), patch=2).any()
    assert torch.equal(region(SHAPE, torch.ones(1, 9, 9, dtype=torch.bool), patch=2), torch.ones(1, 5, 6, 10))


@pytest.mark.parametrize("size", [(6, 10), (5, 3), (1, 1)])
def test_snapping_is_constant_in_each_patch_and_never_lowers(size: tuple[int, int]) -> None:
    noise_map = torch.rand(2, 3, *size)
    snapped = snap_to_patches(noise_map, 2)
    assert snapped.shape == noise_map.shape
    assert bool((snapped >= noise_map).all())
    assert torch.equal(snap_to_patches(snapped, 2), snapped)
    assert torch.equal(snapped[..., 0, 0], noise_map[..., :2, :2].amax((-1, -2)))
    assert torch.equal(snap_to_patches(noise_map, 1), noise_map)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: curve(SHAPE, [0.0, 0.0, 0.0, 0.0, 1.5]), r"curve is 1\.5.*nearest is 1"),
        (lambda: curve(SHAPE, [-1.0, 0.0, 0.0, 0.0, 0.0]), r"curve is -1.*nearest is 0"),
        (lambda: curve(SHAPE, [0.0, 0.0, float("nan"), 0.0, 0.0]), "curve is nan"),
        (lambda: curve(SHAPE, [0.5]), "1 levels.*5 latent frames"),
        (lambda: region(SHAPE, torch.ones(2, 6, 10, dtype=torch.bool), 2), "2 pictures; give 1 or 5"),
    ],
)
def test_what_does_not_fit_is_named(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
