"""What autoencoders and generators do to pixels, roughly: blur, ringing, blotches, noise, shifts of colour.

Never moves anything: what a degraded picture shows is where it was.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Pictures = Float[Tensor, "b 3 h w"]
SHRINKS = (1.5, 2.0, 2.5, 3.0)
KERNEL_RADIUS = 4
UNTOUCHED = 0.2  # share of pictures that stay as they are


def degrade(pictures: Pictures, generator: torch.Generator, strength: float = 1.0) -> Pictures:
    """Pictures in [-1, 1], each damaged in its own way; strength 0 leaves all of them as they are."""

    def amount(most: float) -> Tensor:
        return torch.rand(len(pictures), 1, 1, 1, generator=generator) * most * strength

    x = ringing(pictures, SHRINKS[int(torch.randint(len(SHRINKS), (), generator=generator))], amount(1.2))
    x = blur(x, amount(1.4).flatten(), amount(0.9).flatten())
    x = x + amount(0.12) * blotches(x, generator)
    x = x + amount(0.06) * torch.randn(x.shape, generator=generator)
    gain = 1 + amount(0.3) * (torch.rand(len(x), 3, 1, 1, generator=generator) - 0.5)
    x = x * gain + amount(0.3) * (torch.rand(len(x), 1, 1, 1, generator=generator) - 0.5)
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * (1 + amount(0.5) * (torch.rand(len(x), 1, 1, 1, generator=generator) - 0.6))
    spared = torch.rand(len(x), 1, 1, 1, generator=generator) < UNTOUCHED
    return torch.where(spared, pictures, x).clamp(-1, 1)


def ringing(pictures: Pictures, shrink: float, amount: Tensor) -> Pictures:
    """Mixes in the picture shrunk and enlarged again by a cubic kernel, which overshoots at edges."""
    size = pictures.shape[-2:]
    small = F.interpolate(pictures, scale_factor=1 / shrink, mode="area")
    back = F.interpolate(small, size=size, mode="bicubic", align_corners=False)
    return torch.lerp(pictures, back, amount)


def blur(pictures: Pictures, sigma_x: Tensor, sigma_y: Tensor) -> Pictures:
    """Gaussian blur, each picture with its own standard deviations [b] in pixels: wide ones smear as motion does."""
    reach = torch.arange(-KERNEL_RADIUS, KERNEL_RADIUS + 1.0)
    rows, columns = (
        torch.softmax(-0.5 * (reach / sigma.clamp(min=0.1)[:, None]) ** 2, dim=1) for sigma in (sigma_y, sigma_x)
    )
    kernels = (rows[:, :, None] * columns[:, None, :]).repeat_interleave(3, 0)[:, None]
    padded = F.pad(pictures, (KERNEL_RADIUS,) * 4, mode="replicate")
    blurred = F.conv2d(padded.flatten(0, 1)[None], kernels, groups=len(kernels))
    return blurred.view_as(pictures)


def blotches(pictures: Pictures, generator: torch.Generator) -> Pictures:
    """Smooth coloured noise of about unit variance, with spots of about 8 pixels."""
    height, width = pictures.shape[-2:]
    coarse = torch.randn(len(pictures), 3, -(-height // 8), -(-width // 8), generator=generator)
    return F.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=False)
