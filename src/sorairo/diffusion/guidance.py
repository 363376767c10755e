"""Steering towards the prompt and what is known. Never knows what a prompt is: the batch's halves differ in it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool
from torch import Tensor

from sorairo.diffusion.flow import Latents, NoiseMap, interpolate

Velocity = Callable[[Latents, NoiseMap], Latents]


def classifier_free(velocity: Velocity, guidance_scale: float, noise: Latents | None = None) -> Velocity:
    """Ho & Salimans 2022 (arXiv 2207.12598), eq. 6: v = v_negative + guidance_scale (v_prompt - v_negative).

    ``velocity`` is called once on a doubled batch, [prompts, negative prompts], and must hold the texts in that order.
    With ``noise`` the negative half does not see what is known either, where that is `several_known` frames: it is as
    noisy there as the noisiest place. So what is made goes on with what is known, not only with the prompt: history
    guidance, Song et al. 2025 (arXiv 2502.06764). As much on both roads would add up, and contrast grow from window to
    window of a long clip: the scale is its root there.
    """

    def guided(latents: Latents, noise_map: NoiseMap) -> Latents:
        unseen, unseen_map, scale = latents, noise_map, torch.full((len(latents), 1, 1, 1, 1), float(guidance_scale))
        if noise is not None:
            several = several_known(noise_map)[:, None, None, None]
            hidden = several * (noise_map == 0) * noise_map.amax((1, 2, 3), keepdim=True)
            unseen, unseen_map = interpolate(latents, noise, hidden), noise_map + hidden
            scale = torch.where(several.unsqueeze(1).cpu(), scale.sqrt(), scale)
        doubled = velocity(torch.cat([latents, unseen]), torch.cat([noise_map, unseen_map]))
        prompt, negative = doubled.chunk(2)
        return torch.lerp(negative, prompt, scale.to(prompt))

    return guided


def several_known(noise_map: NoiseMap) -> Bool[Tensor, " b"]:
    """Of which clips more than one frame is known. One says what is there; several already say what happens."""
    return (noise_map.amax((2, 3)) == 0).sum(1) > 1
