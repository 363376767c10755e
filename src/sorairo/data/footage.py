"""Real videos and pictures from a folder as arrays, for the autoencoder's training mix. Never keeps or changes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sorairo.media import read_any
from sorairo.world.tracer import Pixels

SUFFIXES = (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".jpg", ".jpeg", ".png", ".webp", ".gif")
SIDE = 192
"""Footage is reduced until its shorter side is about this long, so that a crop shows more than a blank wall."""


def read_footage(folder: Path, smallest_side: int) -> list[Pixels]:
    """Clips uint8 [t h w 3] of every video and picture below ``folder`` (a picture has one frame), in name order.

    Clips with a side of less than ``smallest_side`` pixels are left out.

    Raises:
        ValueError: the folder is missing, holds no footage large enough, or a file cannot be read; the file is named.
    """
    if not folder.is_dir():
        raise ValueError(f"footage is {str(folder)!r}; there is no such folder")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    clips = [clip for clip in (_reduced(read_any(path)[0]) for path in paths) if min(clip.shape[1:3]) >= smallest_side]
    if not clips:
        raise ValueError(f"footage is {str(folder)!r}; it holds no video or picture of {smallest_side} pixels a side")
    return clips


def _reduced(clip: Pixels) -> Pixels:
    """The clip reduced by a whole factor, each pixel the mean of a square."""
    factor = max(1, min(clip.shape[1:3]) // SIDE)
    height, width = (length // factor * factor for length in clip.shape[1:3])
    squares = clip[:, :height, :width].reshape(len(clip), height // factor, factor, width // factor, factor, 3)
    reduced: Pixels = np.rint(squares.mean(axis=(2, 4), dtype=np.float32)).astype(np.uint8)
    return reduced
