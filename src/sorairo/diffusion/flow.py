"""Rectified flow: the straight path between clean latents and noise, its velocity, and the training loss.

Liu et al. 2022 (arXiv 2209.03003), Lipman et al. 2023 (arXiv 2210.02747). Here every place has its own noise level s:
``noise_map`` [b t h w] in [0, 1], 0 known and 1 pure noise. Never draws random numbers and never calls a model.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

Latents = Float[Tensor, "b c t h w"]
NoiseMap = Float[Tensor, "b t h w"]


def interpolate(clean: Latents, noise: Latents, noise_map: NoiseMap) -> Latents:
    """Point on the path: x_s = (1 - s) x_0 + s noise. Where s is 0 the result is ``clean``, bit for bit."""
    level = noise_map.unsqueeze(1)
    return (1 - level) * clean + level * noise


def velocity_target(clean: Latents, noise: Latents) -> Latents:
    """What the model learns: dx/ds = noise - x_0, the same all along the path."""
    return noise - clean


def clean_from_velocity(noisy: Latents, velocity: Latents, noise_map: NoiseMap) -> Latents:
    """The clean latents that ``velocity`` points to: x_0 = x_s - s v."""
    return noisy - noise_map.unsqueeze(1) * velocity


def squared_error(velocity: Latents, target: Latents) -> NoiseMap:
    """Mean over channels of the squared error, at every place."""
    return (velocity.float() - target.float()).square().mean(dim=1)


def flow_loss(error: NoiseMap, noise_map: NoiseMap, weight: NoiseMap | None = None) -> Float[Tensor, " b"]:
    """Mean of ``error`` over the noisy places of each clip; known places (s = 0) teach nothing and are left out.

    Every clip weighs the same however little of it is noisy, so a batch split over machines has the same mean.
    ``weight`` makes some places count more; what is learned best at each place stays the same.
    """
    noisy = (noise_map > 0).to(error.dtype)
    noisy = noisy if weight is None else noisy * weight
    return (error * noisy).sum(dim=(1, 2, 3)) / noisy.sum(dim=(1, 2, 3)).clamp(min=1e-6)
