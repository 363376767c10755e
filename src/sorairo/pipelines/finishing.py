"""From the frames a model makes to the frames that were asked for: frame rate first, then size, one frame at a time.

Memory does not grow with length. Never writes a file and never samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from sorairo.media import Frames
from sorairo.pipelines.cards import find_part, load_json
from sorairo.pipelines.size_plan import SizePlan

if TYPE_CHECKING:
    import torch

    from sorairo.models.interpolator import Interpolator
    from sorairo.models.upscaler import Upscaler

UPSCALER = "sorairo-upscaler"
SETTINGS_FILE, WEIGHTS_FILE = "upscaler.json", "upscaler.safetensors"


def finish(
    frames: Iterable[Frames],
    plan: SizePlan,
    fps_in: int,
    fps_out: int,
    upscaler: Upscaler | None = None,
    interpolator: Interpolator | None = None,
) -> Iterator[Frames]:
    """Frames uint8 [native_height native_width 3] at ``fps_in`` to frames uint8 [height width 3] at ``fps_out``.

    Without an ``upscaler`` frames are enlarged by bicubic interpolation, without an ``interpolator`` new ones are
    blends of their neighbours. What needs neither passes through unchanged.
    """
    assert fps_in <= fps_out, (fps_in, fps_out)
    return enlarged(with_rate(frames, fps_in, fps_out, interpolator), plan, upscaler)


def with_rate(
    frames: Iterable[Frames], fps_in: int, fps_out: int, interpolator: Interpolator | None = None
) -> Iterator[Frames]:
    """Every moment of another rate from the first frame to the last; what was there already is the very same frame."""
    number, earlier = 0, None
    for index, later in enumerate(frames):
        while number * fps_in <= index * fps_out:
            elapsed = number * fps_in - (index - 1) * fps_out  # since the earlier frame; fps_out is the later one
            yield later if elapsed == fps_out else between(earlier, later, elapsed / fps_out, interpolator)
            number += 1
        earlier = later


def between(earlier: Frames | None, later: Frames, moment: float, interpolator: Interpolator | None) -> Frames:
    """The frame at ``moment`` in [0, 1] between two; without an ``interpolator`` it is a blend of them."""
    assert earlier is not None, "the first frame's own moment is never between"
    if np.array_equal(earlier, later):
        return later
    if interpolator is not None:
        return interpolator.between(earlier, later, moment)
    return np.rint(earlier * np.float32(1 - moment) + later * np.float32(moment)).astype(np.uint8)


def enlarged(frames: Iterable[Frames], plan: SizePlan, upscaler: Upscaler | None = None) -> Iterator[Frames]:
    """Frames of the native size at the size asked for."""
    if upscaler is not None and plan.scale > 1:
        frames = upscaler.stream(frames, plan.scale)
    return (cut_out(frame, plan) for frame in frames)


def cut_out(frame: Frames, plan: SizePlan, resampling: str = "BICUBIC") -> Frames:
    """The crop of a frame [h w 3], upscaled or native, at the size asked for; resampled only where it has to be.

    ``resampling``: a filter of Pillow's; they average where a frame gets smaller.
    """
    from PIL import Image

    ratio = frame.shape[1] / (plan.scale * plan.native_width)
    assert frame.shape[0] == ratio * plan.scale * plan.native_height, f"a frame of {frame.shape} for {plan}"
    left, top, right, bottom = (ratio * edge for edge in plan.crop)
    if (right - left, bottom - top) == (plan.width, plan.height) and left.is_integer() and top.is_integer():
        return frame[int(top) : int(bottom), int(left) : int(right)]
    image = Image.fromarray(np.ascontiguousarray(frame))
    size = (plan.width, plan.height)
    return np.asarray(image.resize(size, Image.Resampling[resampling], (left, top, right, bottom)))


def load_upscaler(name_or_path: str = UPSCALER, device: torch.device | None = None) -> Upscaler:
    """A built-in upscaler by its name, or any by its folder, ready to run.

    Raises:
        ValueError: one line that names what is missing, broken or does not fit.
    """
    from sorairo.checkpoint import loaded
    from sorairo.models.upscaler import Upscaler, UpscalerConfig
    from sorairo.pipelines.bundle import default_device

    folder = find_part("upscaler", name_or_path, SETTINGS_FILE)
    upscaler = Upscaler(load_json(UpscalerConfig, folder / SETTINGS_FILE))
    return loaded(upscaler, folder / WEIGHTS_FILE).to(device or default_device())
