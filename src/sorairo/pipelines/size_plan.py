"""From the size that is asked for to the size the model makes, and back: arithmetic of pixels.

Never touches a frame; imports no torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from sorairo.shapes import NATIVE_BUCKETS, SPATIAL_STRIDE

SMALLEST_SIDE, LARGEST_SIDE = 32, 1920
MOST_PIXELS = 1920 * 1088
NATIVE_PIXELS = 160 * 96
MOST_DIRECT_PIXELS = NATIVE_PIXELS * 3 // 2
SCALES = (1, 8, 12)
BUCKETS = tuple((shape.width, shape.height) for shape in NATIVE_BUCKETS)
AREA_WEIGHT = 0.25  # of the model's area being off, against what is cut away
BUCKET_ADVANTAGE = 0.05  # a size the model was trained at may cut this much more

Sides = tuple[Fraction, Fraction]


@dataclass(frozen=True)
class SizePlan:
    """How frames of ``native_width`` x ``native_height`` become frames of ``width`` x ``height``.

    The upscaler makes them ``scale`` times as large (1: they stay as they are); of that the middle with the aspect
    ratio asked for is kept, and resampled where it is not of the size asked for.
    """

    width: int
    height: int
    native_width: int
    native_height: int
    scale: int

    @classmethod
    def of(cls, width: int, height: int) -> SizePlan:
        """The plan for a size in pixels: both sides even, from 32 to 1920.

        Sizes that the model can make by itself are made as they are: multiples of 16 and at most 23040 pixels. Others
        start from a size it was trained at, or from one of about that area that loses less.

        Raises:
            ValueError: a side is odd, too small or too large, or both together are.
        """
        _check_side("width", width)
        _check_side("height", height)
        if width * height > MOST_PIXELS:
            nearest = MOST_PIXELS // width // 2 * 2
            raise ValueError(f"size is {width}x{height}; the nearest valid size is {width}x{nearest}")
        if not (width % SPATIAL_STRIDE or height % SPATIAL_STRIDE) and width * height <= MOST_DIRECT_PIXELS:
            return cls(width, height, width, height, 1)
        aspect = Fraction(width, height)
        native = min(_native_sizes(), key=lambda sides: _cost(sides, aspect))
        kept, _ = _largest_inside(*native, aspect)
        scale = next((scale for scale in SCALES if scale * kept >= width), SCALES[-1])
        return cls(width, height, *native, scale)

    @property
    def crop(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of what is kept of an upscaled frame, in its pixels."""
        sides = self.scale * self.native_width, self.scale * self.native_height
        kept = _largest_inside(*sides, Fraction(self.width, self.height))
        left, top = ((side - length) / 2 for side, length in zip(sides, kept, strict=True))
        return float(left), float(top), float(left + kept[0]), float(top + kept[1])


def _check_side(name: str, side: int) -> None:
    if side % 2 or not SMALLEST_SIDE <= side <= LARGEST_SIDE:
        nearest = min(max(side + side % 2, SMALLEST_SIDE), LARGEST_SIDE)
        limits = f"it must be even and from {SMALLEST_SIDE} to {LARGEST_SIDE}"
        raise ValueError(f"{name} is {side}; {limits}: the nearest is {nearest}")


def _native_sizes() -> list[tuple[int, int]]:
    """The sizes the model was trained at, then all others near their area, wide and tall."""
    found = list(BUCKETS)
    for width in range(SPATIAL_STRIDE, NATIVE_PIXELS // SPATIAL_STRIDE + 1, SPATIAL_STRIDE):
        rows = NATIVE_PIXELS / width / SPATIAL_STRIDE
        for height in (SPATIAL_STRIDE * math.floor(rows), SPATIAL_STRIDE * math.ceil(rows)):
            found += [(width, height), (height, width)]
    return [size for size in found if 0 < size[0] * size[1] <= MOST_DIRECT_PIXELS]


def _largest_inside(width: int, height: int, aspect: Fraction) -> Sides:
    """The largest sides of an aspect ratio within others."""
    return min(Fraction(width), height * aspect), min(Fraction(height), width / aspect)


def _cost(native: tuple[int, int], aspect: Fraction) -> float:
    width, height = native
    kept_width, kept_height = _largest_inside(width, height, aspect)
    lost = math.log(width * height / (kept_width * kept_height))
    off = abs(math.log(width * height / NATIVE_PIXELS))
    return lost + AREA_WEIGHT * off - BUCKET_ADVANTAGE * (native in BUCKETS)
