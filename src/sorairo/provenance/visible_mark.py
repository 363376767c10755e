"""The visible mark: the sign of the sky and the name, small, wandering slowly from corner to corner.

Drawn on finished frames only. Never hides more than a corner, and never the same one for long, so that no crop of the
picture takes it away for good.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sorairo.media import Frames

NAME = "Sorairo"
STAY_SECONDS, WALK_SECONDS = 2.0, 1.0
_CORNERS = ((1.0, 1.0), (0.0, 1.0), (0.0, 0.0), (1.0, 0.0))  # right and bottom as shares of what is free
_LIGHT, _SHADOW = 0.72, 0.45  # how much of a pixel is the mark's white, and its shadow's black
_SMALLEST_TEXT = 8
_OVERSAMPLING = 4
_INK, _ALIKE = 0.02, 0.6  # from here on a pixel belongs to the mark; and what is seen is the mark
# A low sun above the horizon: strokes (from, to) in a square of side 1, and a half circle.
_HORIZON = ((0.02, 0.74, 0.98, 0.74), (0.2, 0.93, 0.8, 0.93))
_SUN = (0.24, 0.26, 0.76, 0.78)
_RAYS = ((0.5, 0.02, 0.5, 0.14), (0.1, 0.2, 0.19, 0.29), (0.9, 0.2, 0.81, 0.29))


def draw_mark(frame: Frames, seconds: float) -> Frames:
    """The frame [h w 3] with the mark where it is at that moment of the clip."""
    height, width = frame.shape[:2]
    light, shadow = _shape(min(width, height))
    tall, wide = light.shape
    if tall > height or wide > width:  # a picture of a few pixels has no room for it
        return frame
    right, bottom = _place(seconds)
    left, top = round(_between(*_room(frame, 1, wide), right)), round(_between(*_room(frame, 0, tall), bottom))
    marked = frame.copy()
    under = marked[top : top + tall, left : left + wide].astype(np.float32)
    shaded = under * (1 - shadow[..., None])
    marked[top : top + tall, left : left + wide] = np.rint(shaded + (255 - shaded) * light[..., None])
    return marked


def clear_mark(frame: Frames) -> Frames:
    """The frame [h w 3] without the mark, wherever it is on its way; what was under it is filled in from around.

    For what is made after a marked frame, which would go on showing the mark where it was.
    """
    light, shadow = _shape(min(frame.shape[:2]))
    place = _find(frame.mean(-1, dtype=np.float32), light, shadow)
    if place is None:
        return frame
    rows, columns = (slice(first - 1, first + length + 1) for first, length in zip(place, light.shape, strict=True))
    hidden = np.pad(light + shadow > _INK, 1)
    area = frame[rows, columns].astype(np.float32)
    area[hidden] = area[~hidden].mean(0)
    for _ in range(light.shape[0]):
        around = np.mean([np.roll(area, step, axis) for step in (-1, 1) for axis in (0, 1)], axis=0)
        area[hidden] = around[hidden]
    cleared = frame.copy()
    cleared[rows, columns] = np.rint(area)
    return cleared


def _find(grey: NDArray[np.float32], light: NDArray[np.float32], shadow: NDArray[np.float32]) -> tuple[int, int] | None:
    """Where (top, left) the mark is: in a corner, or else between two of them, where it is likest by correlation."""
    (tall, wide), (high, low), (left, right) = light.shape, *(_room(grey, axis, light.shape[axis]) for axis in (0, 1))
    step = max(1, tall // _SMALLEST_TEXT)  # of a large mark a part of its pixels will do
    light, shadow = light[::step, ::step], shadow[::step, ::step]

    def likeness(place: tuple[int, int]) -> float:
        top, side = place
        seen = grey[top : top + tall : step, side : side + wide : step]
        under = np.median(seen)
        expected = light * (255 - under) - (1 - light) * shadow * under
        seen, expected = seen - seen.mean(), expected - expected.mean()
        return float((seen * expected).sum() / max(1e-6, np.linalg.norm(seen) * np.linalg.norm(expected)))

    corners = list(product((high, low), (left, right)))
    along = [*product((high, low), range(left, right)), *product(range(high, low), (left, right))]
    for places in (corners, along) if high <= low and left <= right else ():
        best = max(places, key=likeness, default=corners[0])
        if likeness(best) > _ALIKE:
            return best
    return None


def _room(frame: NDArray[Any], axis: int, part: int) -> tuple[int, int]:
    """The first and the last place of a part along a side of the frame."""
    margin = max(1, min(frame.shape[:2]) // 32)
    return margin, frame.shape[axis] - part - margin


def _place(seconds: float) -> tuple[float, float]:
    """Shares (right, bottom) of the free room: two seconds in a corner, one on the way to the next."""
    corner, elapsed = divmod(seconds, STAY_SECONDS + WALK_SECONDS)
    here, there = (_CORNERS[(int(corner) + step) % len(_CORNERS)] for step in (0, 1))
    walked = max(0.0, (elapsed - STAY_SECONDS) / WALK_SECONDS)
    eased = walked * walked * (3 - 2 * walked)
    return _between(here[0], there[0], eased), _between(here[1], there[1], eased)


def _between(low: float, high: float, share: float) -> float:
    return low + (high - low) * share


@cache
def _shape(side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Shares [h w] of white and of black for a picture whose shorter side is given: drawn large, then reduced."""
    text = max(_SMALLEST_TEXT, side // 18)
    size = text * _OVERSAMPLING
    font = ImageFont.load_default(size)
    sign, gap = round(1.05 * size), size // 4
    length = sign + gap + round(font.getlength(NAME))
    drawing = Image.new("L", (length + 2 * _OVERSAMPLING, round(1.25 * size) + 2 * _OVERSAMPLING))
    pen = ImageDraw.Draw(drawing)
    stroke = max(_OVERSAMPLING, size // 11)
    for line in (*_HORIZON, *_RAYS):
        pen.line([sign * at for at in line], fill=255, width=stroke)
    pen.arc([sign * at for at in _SUN], 180, 360, fill=255, width=stroke)
    pen.text((sign + gap, 0), NAME, fill=255, font=font)
    small = drawing.size[0] // _OVERSAMPLING, drawing.size[1] // _OVERSAMPLING
    ink: NDArray[np.float32] = np.asarray(drawing.resize(small, Image.Resampling.BOX), np.float32) / np.float32(255)
    below = np.pad(ink, ((1, 0), (1, 0)))[:-1, :-1]
    return ink * np.float32(_LIGHT), below * np.float32(_SHADOW)
