"""The nouns of size: how many frames, how many pixels, how many latents; and the arithmetic between them.

Never imports torch or numpy, never rounds a user's sizes silently.

Legend of axes, used in every annotation: b batch, t frames, h height, w width, c channels, n tokens, l text tokens,
d width of a token.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

TEMPORAL_STRIDE = 4
SPATIAL_STRIDE = 16
NATIVE_FPS = 8


@dataclass(frozen=True)
class LatentShape:
    """Size of a clip in latents: ``num_frames`` x ``height`` x ``width``."""

    num_frames: int
    height: int
    width: int

    def num_tokens(self, patch: int) -> int:
        """Number of transformer tokens when a patch covers (1, patch, patch) latents; odd sides are padded."""
        return self.num_frames * -(-self.height // patch) * -(-self.width // patch)

    @property
    def num_video_frames(self) -> int:
        """Frames of video that decode from these latents: 1 + 4 (t - 1)."""
        return 1 + TEMPORAL_STRIDE * (self.num_frames - 1)


@dataclass(frozen=True)
class VideoShape:
    """Size of a clip in pixels. ``num_frames`` is 1 + 4k: a picture, then groups of four. Sides are multiples of 16."""

    num_frames: int
    height: int
    width: int
    fps: int = NATIVE_FPS

    def __post_init__(self) -> None:
        _check_multiple("width", self.width, SPATIAL_STRIDE)
        _check_multiple("height", self.height, SPATIAL_STRIDE)
        if self.num_frames < 1 or (self.num_frames - 1) % TEMPORAL_STRIDE:
            below = max(1, 1 + (self.num_frames - 1) // TEMPORAL_STRIDE * TEMPORAL_STRIDE)
            nearest = f"{below} or {below + TEMPORAL_STRIDE}"
            raise ValueError(f"num_frames is {self.num_frames}; it must be 1 + 4k: the nearest are {nearest}")
        if self.fps < 1:
            raise ValueError(f"fps is {self.fps}; it must be at least 1 (the model's own rate is {NATIVE_FPS})")

    @classmethod
    def from_seconds(cls, seconds: float, width: int, height: int, fps: int = NATIVE_FPS) -> VideoShape:
        """Shape of a clip of ``seconds``: the first frame plus ``seconds * fps`` more, in groups of four."""
        groups = seconds * fps / TEMPORAL_STRIDE
        if seconds < 0 or abs(groups - round(groups)) > 1e-6:
            nearest = max(0, round(groups)) * TEMPORAL_STRIDE / fps
            raise ValueError(f"seconds is {seconds:g}; at {fps} fps the nearest valid length is {nearest:g}")
        return cls(1 + round(groups) * TEMPORAL_STRIDE, height, width, fps)

    @property
    def latent(self) -> LatentShape:
        groups = (self.num_frames - 1) // TEMPORAL_STRIDE
        return LatentShape(1 + groups, self.height // SPATIAL_STRIDE, self.width // SPATIAL_STRIDE)

    @property
    def seconds(self) -> float:
        """Time from the first frame to the last, in seconds."""
        return (self.num_frames - 1) / self.fps


def parse_size(text: str) -> tuple[int, int]:
    """Width and height of a text such as 160x96. Raises ValueError of one line."""
    width, mark, height = text.lower().replace("×", "x").partition("x")  # noqa: RUF001 (the sign people paste)
    if not (mark and width.strip().isdecimal() and height.strip().isdecimal()):
        raise ValueError(f"size is {text!r}; it must be WIDTHxHEIGHT, for example 160x96")
    return int(width), int(height)


def _check_multiple(field: str, value: int, stride: int) -> None:
    if value < stride or value % stride:
        below = max(stride, value // stride * stride)
        nearest = str(below) if value < stride else f"{below} or {below + stride}"
        raise ValueError(f"{field} is {value}; it must be a multiple of {stride}: the nearest are {nearest}")


NATIVE_BUCKETS = (VideoShape(33, 96, 160), VideoShape(33, 160, 96), VideoShape(33, 128, 128))


def nearest_bucket(width: int, height: int) -> VideoShape:
    """The model's own size whose proportions are most like those of ``width`` x ``height``."""
    return min(NATIVE_BUCKETS, key=lambda shape: abs(math.log(shape.width / shape.height * height / width)))
