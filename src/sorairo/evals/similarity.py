"""How like two videos are, pixel by pixel: PSNR, SSIM, and the error of what changes in time. Never looks at content.

All take frames uint8 [t h w 3], or one frame [h w 3].
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sorairo.media import Frames

PEAK, GREY = 255, 128
WINDOW, SIGMA = 11, 1.5
C1, C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2


def psnr(a: Frames, b: Frames) -> float:
    """Peak signal-to-noise ratio over all pixels, in decibels; infinite where nothing differs."""
    _check(a, b)
    error = np.mean([np.square(x.astype(np.float32) - y).mean(dtype=np.float64) for x, y in zip(a, b, strict=True)])
    return math.inf if error == 0 else 10 * math.log10(PEAK**2 / float(error))


def ssim(a: Frames, b: Frames) -> float:
    """Structural similarity (Wang et al. 2004, equation 13), the mean over colours and frames; 1 where nothing differs.

    A Gaussian window of 11 x 11 with sigma 1.5, only where it lies within the frame: sides are at least 11.
    """
    _check(a, b)
    pairs = [(a, b)] if a.ndim == 3 else zip(a, b, strict=True)
    return float(np.mean([_ssim_of_frame(x, y) for x, y in pairs]))


def motion_error(a: Frames, b: Frames) -> float:
    """Mean absolute error of the differences between frames that follow each other, in grey levels: flicker."""
    _check(a, b)
    wide = (a.astype(np.int16), b.astype(np.int16))
    one, other = (np.diff(frames, axis=0) for frames in wide)
    return float(np.abs(one - other).mean(dtype=np.float64))


def _check(a: Frames, b: Frames) -> None:
    if a.shape != b.shape or a.dtype != np.uint8 or b.dtype != np.uint8:
        raise ValueError(f"frames are {a.dtype} {list(a.shape)} and {b.dtype} {list(b.shape)}; both must be alike")


def _ssim_of_frame(a: Frames, b: Frames) -> float:
    # Less a middle grey, which moves the means alone and keeps the squares small enough for float32.
    x, y = (torch.from_numpy(np.ascontiguousarray(frame)).float().permute(2, 0, 1)[:, None] - GREY for frame in (a, b))
    mean_x, mean_y = _blurred(x), _blurred(y)
    covariance = _blurred(x * y) - mean_x * mean_y
    variances = _blurred(x * x + y * y) - mean_x**2 - mean_y**2
    mean_x, mean_y = mean_x + GREY, mean_y + GREY
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    return float((luminance * (2 * covariance + C2) / (variances + C2)).mean())


def _blurred(x: Tensor) -> Tensor:
    """Pictures [c 1 h w] under the window, which is a product of two: [c 1 h-10 w-10]."""
    offsets = torch.arange(WINDOW) - WINDOW // 2
    weights = torch.exp(-(offsets**2) / (2 * SIGMA**2))
    weights = weights / weights.sum()
    return F.conv2d(F.conv2d(x, weights.view(1, 1, -1, 1)), weights.view(1, 1, 1, -1))
