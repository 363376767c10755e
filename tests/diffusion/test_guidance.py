"""Classifier-free guidance in one doubled call."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sorairo.diffusion.guidance import classifier_free
from sorairo.diffusion.samplers import SAMPLERS
from sorairo.diffusion.schedules import sampling_levels

PROMPT, NEGATIVE = torch.randn(2, 2, 3, 2, 2, 2, generator=torch.Generator().manual_seed(0))
LATENTS, LEVELS = torch.randn(2, 3, 2, 2, 2), torch.full((2, 2, 2, 2), 0.5)


def answers(latents: Tensor, noise_map: Tensor) -> Tensor:
    assert len(latents) == len(noise_map) == 4
    assert torch.equal(latents[:2], latents[2:])
    return torch.cat([PROMPT, NEGATIVE])


@pytest.mark.parametrize("scale", [0.0, 1.0, 3.5])
def test_guidance_goes_from_the_negative_prompt_through_the_prompt(scale: float) -> None:
    guided = classifier_free(answers, scale)(LATENTS, LEVELS)
    torch.testing.assert_close(guided, NEGATIVE + scale * (PROMPT - NEGATIVE))


def test_guided_sampling_of_two_points_overshoots_by_the_scale() -> None:
    """The prompt's data is one clip, the negative prompt's another: with v = noise - clip the end is known."""
    clips = torch.randn(2, 2, 3, 2, 2, 2)

    def velocity(latents: Tensor, noise_map: Tensor) -> Tensor:
        return LATENTS.repeat(2, 1, 1, 1, 1) - clips.flatten(0, 1)

    guided = classifier_free(velocity, 2.0)
    end = SAMPLERS["euler"](guided, LATENTS, torch.ones_like(LEVELS), sampling_levels(3))
    torch.testing.assert_close(end, 2 * clips[0] - clips[1], atol=1e-5, rtol=1e-5)


def test_the_negative_half_does_not_see_several_known_frames() -> None:
    """They get this noise at the highest level, and the scale is its root; one known frame, and every noisy place and
    the prompts' half, stay as they are."""
    prompt, negative, latents, noise = torch.randn(4, 2, 3, 3, 2, 2)
    levels = torch.zeros(2, 3, 2, 2)
    levels[0, 2], levels[1, 1:] = 0.5, 0.25
    seen: list[Tensor] = []

    def velocity(latents: Tensor, noise_map: Tensor) -> Tensor:
        seen.extend([*latents.chunk(2), *noise_map.chunk(2)])
        return torch.cat([prompt, negative])

    guided = classifier_free(velocity, 4.0, noise=noise)(latents, levels)
    shown, unseen, kept, unseen_map = seen
    assert torch.equal(shown, latents)
    assert torch.equal(kept, levels)
    assert torch.equal(unseen_map[0], torch.full((3, 2, 2), 0.5))
    torch.testing.assert_close(unseen[0, :, :2], torch.lerp(latents, noise, 0.5)[0, :, :2])
    assert torch.equal(unseen[0, :, 2], latents[0, :, 2])
    assert torch.equal(unseen_map[1], levels[1])
    assert torch.equal(unseen[1], latents[1])
    scales = torch.tensor([2.0, 4.0]).view(2, 1, 1, 1, 1)
    torch.testing.assert_close(guided, negative + scales * (prompt - negative))
