"""The small pictures of a finished clip, signed like the clip itself. Never looks at an unsigned one."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
from PIL import Image

from sorairo.media import Frames, read_video
from sorairo.pipelines.generation import Clip
from sorairo.provenance import sign

SHEET_COLUMNS, SHEET_ROWS, SHEET_WIDTH = 4, 4, 1280


def write_pictures(clip: Clip, thumbnail: str, spritesheet: str) -> None:
    """Writes the thumbnail, the clip's middle, and the sheet, 16 moments row by row, beside the clip by these names."""
    frames, _ = read_video(clip.path)
    _write(clip, thumbnail, frames[len(frames) // 2])
    _write(clip, spritesheet, sheet(frames))


def sheet(frames: Frames) -> Frames:
    """Frames [t h w 3] of a clip, evenly chosen, as one picture."""
    chosen = np.linspace(0, len(frames) - 1, SHEET_COLUMNS * SHEET_ROWS).round().astype(int)
    width = min(frames.shape[2], SHEET_WIDTH // SHEET_COLUMNS)
    size = width, max(1, round(frames.shape[1] * width / frames.shape[2]))
    small = [np.asarray(Image.fromarray(frames[index]).resize(size)) for index in chosen]
    rows = [np.concatenate(small[row * SHEET_COLUMNS :][:SHEET_COLUMNS], axis=1) for row in range(SHEET_ROWS)]
    return np.concatenate(rows)


def animation(frames: Frames) -> bytes:
    """A preview as a moving WebP, in memory: it is looked at while the clip is made, and then forgotten."""
    first, *others = map(Image.fromarray, frames)
    memory = BytesIO()
    first.save(memory, "WEBP", save_all=True, append_images=others, duration=500, loop=0, quality=75)
    return memory.getvalue()


def _write(clip: Clip, name: str, picture: Frames) -> None:
    path = clip.path.with_name(name)
    Image.fromarray(picture).save(path)
    sign(path, path, replace(clip.manifest, title=path.name))
