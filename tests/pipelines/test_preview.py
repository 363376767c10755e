"""The preview is a linear map, so it recovers a linear relation exactly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from sorairo.pipelines.preview import LatentPreview, fit_preview, to_pixels

WEIGHT = torch.tensor([[0.2, 0.0, -0.1], [0.0, 0.3, 0.1]])
BIAS = torch.tensor([0.1, -0.2, 0.0])


@pytest.fixture
def latents() -> Tensor:
    return torch.randn(2, 2, 3, 4, 5, generator=torch.Generator().manual_seed(0))


def video_of(latents: Tensor) -> Tensor:
    """A clip whose blocks of pixels are the map of their latents, the first latent frame standing for one frame."""
    colours = torch.einsum("bcthw,ck->bkthw", latents, WEIGHT) + BIAS[:, None, None, None]
    blocks = colours.repeat_interleave(4, 2).repeat_interleave(16, 3).repeat_interleave(16, 4)
    return blocks[:, :, 3:]


def test_a_linear_relation_is_recovered(latents: Tensor) -> None:
    fitted = fit_preview(latents, video_of(latents))
    torch.testing.assert_close(fitted.weight, WEIGHT, atol=1e-4, rtol=0)
    torch.testing.assert_close(fitted.bias, BIAS, atol=1e-4, rtol=0)


def test_detail_inside_a_block_does_not_matter(latents: Tensor) -> None:
    video = video_of(latents)
    stripes = torch.tensor([1.0, -1.0]).repeat(video.shape[-1] // 2)
    fitted = fit_preview(latents, video + 0.3 * stripes)
    torch.testing.assert_close(fitted.weight, WEIGHT, atol=1e-4, rtol=0)


def test_a_look_has_one_pixel_for_each_latent(latents: Tensor) -> None:
    pictures = LatentPreview(WEIGHT, BIAS)(latents[:1])
    assert pictures.dtype == np.uint8
    assert pictures.shape == (3, 4, 5, 3)


def test_colours_become_the_nearest_pixels() -> None:
    colours = torch.tensor([-2.0, -1.0, 0.0, 1 / 127.5, 1.0, 2.0])
    assert to_pixels(colours).tolist() == [0, 0, 128, 128, 255, 255]
