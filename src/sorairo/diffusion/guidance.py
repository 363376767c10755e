"""Steering away from the negative prompt. Never knows what a prompt is: the two halves of the batch differ in it."""

from __future__ import annotations

from collections.abc import Callable

import torch

from sorairo.diffusion.flow import Latents, NoiseMap

Velocity = Callable[[Latents, NoiseMap], Latents]


def classifier_free(velocity: Velocity, guidance_scale: float, rescale: float = 0.0) -> Velocity:
    """Ho & Salimans 2022 (arXiv 2207.12598), eq. 6: v = v_negative + guidance_scale (v_prompt - v_negative).

    ``velocity`` is called once on a doubled batch, [prompts, negative prompts], and must hold the texts in that order.
    ``rescale`` in [0, 1] draws each clip's spread back to that of v_prompt, against over-saturation: Lin et al. 2024
    (arXiv 2305.08891), eq. 15 and 16.
    """

    def guided(latents: Latents, noise_map: NoiseMap) -> Latents:
        doubled = velocity(torch.cat([latents, latents]), torch.cat([noise_map, noise_map]))
        prompt, negative = doubled.chunk(2)
        result = torch.lerp(negative, prompt, guidance_scale)
        if not rescale:
            return result
        axes = tuple(range(1, result.ndim))
        spread = prompt.std(dim=axes, keepdim=True) / result.std(dim=axes, keepdim=True).clamp(min=1e-8)
        return result * (1 + rescale * (spread - 1))

    return guided
