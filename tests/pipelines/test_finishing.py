"""Finishing: moments and sizes exactly as asked for, frames passed through untouched, one at a time, and loading."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from sorairo.checkpoint import save_tensors
from sorairo.models.interpolator import Interpolator
from sorairo.models.upscaler import Upscaler, UpscalerConfig
from sorairo.pipelines.finishing import (
    SETTINGS_FILE,
    WEIGHTS_FILE,
    cut_out,
    finish,
    load_upscaler,
    with_rate,
)
from sorairo.pipelines.size_plan import SizePlan

CONFIG = UpscalerConfig(width=8, num_blocks=1, fine_width=4)
OFFERED = [(854, 480), (480, 854), (480, 480), (1280, 720), (720, 720), (1920, 1080), (1080, 1920), (1080, 1080)]


def ramp(frames: int, height: int = 32, width: int = 32) -> list[np.ndarray]:
    """Frames whose brightness tells their time: 10 grey levels a frame."""
    return [np.full((height, width, 3), 10 * index, np.uint8) for index in range(frames)]


def native(plan: SizePlan, frames: int = 1) -> list[np.ndarray]:
    shape = (frames, plan.native_height, plan.native_width, 3)
    return list(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An upscaler's folder with random weights."""
    torch.manual_seed(0)
    upscaler = Upscaler(CONFIG)
    for parameter in upscaler.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    save_tensors(tmp_path / WEIGHTS_FILE, upscaler.half().state_dict(), {})
    (tmp_path / SETTINGS_FILE).write_text(json.dumps({"width": 8, "num_blocks": 1, "fine_width": 4}))
    return tmp_path


@pytest.mark.parametrize("fps", [8, 12, 16, 24, 25, 30, 60])
@pytest.mark.parametrize("frames", [1, 2, 9])
def test_every_moment_of_the_new_rate_is_there(fps: int, frames: int) -> None:
    made = list(with_rate(ramp(frames), 8, fps))
    assert len(made) == 1 + int((frames - 1) / 8 * fps)
    shown = [float(frame.mean()) for frame in made]
    assert shown == pytest.approx([10 * 8 * k / fps for k in range(len(made))], abs=0.51)


@pytest.mark.parametrize("fps", [8, 16, 24])
def test_frames_that_were_there_are_the_very_same(fps: int) -> None:
    frames = ramp(5)
    made = list(with_rate(iter(frames), 8, fps))
    assert all(after is before for after, before in zip(made[:: fps // 8], frames, strict=True))


def test_an_interpolator_makes_what_lies_between() -> None:
    torch.manual_seed(0)
    interpolator = Interpolator().eval().requires_grad_(False)
    frames = ramp(3)
    made = list(with_rate(frames, 8, 16, interpolator))
    assert np.array_equal(made[1], interpolator.between(frames[0], frames[1], 0.5))
    assert made[2] is frames[1]


def test_between_two_equal_frames_nothing_is_invented() -> None:
    frame = ramp(2)[1]
    torch.manual_seed(0)
    made = with_rate([frame, frame.copy()], 8, 24, Interpolator().eval())
    assert all(np.array_equal(each, frame) for each in made)


@pytest.mark.parametrize("size", OFFERED)
@pytest.mark.parametrize("learned", [False, True])
def test_exactly_the_pixels_that_were_asked_for(size: tuple[int, int], learned: bool) -> None:
    torch.manual_seed(0)
    plan, upscaler = SizePlan.of(*size), Upscaler(CONFIG).eval() if learned else None
    (made,) = finish(native(plan), plan, 8, 8, upscaler)
    assert made.shape == (size[1], size[0], 3)
    assert made.dtype == np.uint8


def test_what_needs_nothing_passes_through() -> None:
    plan = SizePlan.of(160, 96)
    frames = native(plan, 2)
    made = list(finish(frames, plan, 8, 8, Upscaler(CONFIG)))
    assert all(np.array_equal(a, b) for a, b in zip(made, frames, strict=True))


def test_the_crop_is_the_middle() -> None:
    plan = SizePlan.of(1280, 720)
    frame = np.repeat(np.arange(768)[:, None, None] // 4, 3, axis=2).astype(np.uint8).repeat(1280, axis=1)
    assert np.array_equal(cut_out(frame, plan), frame[24:744])


def test_the_same_part_is_shown_before_and_after_upscaling() -> None:
    plan = SizePlan.of(480, 854)
    rows, columns = np.mgrid[:160, :96]
    small = np.stack([rows, 2 * columns, rows + columns], -1).astype(np.uint8)
    large = small.repeat(8, axis=0).repeat(8, axis=1)
    assert np.abs(cut_out(small, plan).astype(int) - cut_out(large, plan)).mean() < 1


def test_the_first_upscaler_that_knows_nothing_is_nearly_bicubic() -> None:
    plan = SizePlan.of(480, 480)
    smooth = [np.linspace(20, 200, 128).astype(np.uint8)[:, None, None].repeat(128, 1).repeat(3, 2)]
    (learned,), (plain,) = finish(smooth, plan, 8, 8, Upscaler(CONFIG)), finish(smooth, plan, 8, 8)
    assert np.abs(learned.astype(int) - plain).mean() < 1


def test_frames_are_taken_as_they_are_needed() -> None:
    taken: list[int] = []

    def counted() -> Iterator[np.ndarray]:
        for index, frame in enumerate(ramp(20, 96, 160)):
            taken.append(index)
            yield frame

    made = finish(counted(), SizePlan.of(1280, 720), 8, 24, Upscaler(CONFIG).eval())
    for _ in range(7):
        next(made)
    assert taken == [0, 1, 2]


def test_an_upscaler_is_loaded_from_its_folder(folder: Path) -> None:
    upscaler = load_upscaler(str(folder))
    assert upscaler.config == CONFIG
    assert not upscaler.training
    assert upscaler.widen.weight.dtype == torch.float32
    assert not any(parameter.requires_grad for parameter in upscaler.parameters())
    assert bool(upscaler.heads["8"].get_parameter("weight").any())


def test_the_shipped_upscaler_is_found_by_its_name() -> None:
    upscaler = load_upscaler()
    flat = [np.full((16, 16, 3), 128, np.uint8)] * 3
    made = list(upscaler.stream(flat, 8))
    assert np.abs(made[-1][32:-32, 32:-32].astype(int) - 128).mean() < 8


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (lambda f: (f / SETTINGS_FILE).unlink(), "upscaler.json is missing"),
        (lambda f: (f / SETTINGS_FILE).write_text("{"), "cannot be read as JSON"),
        (lambda f: (f / SETTINGS_FILE).write_text('{"widht": 8}'), "nearest known key is 'width'"),
        (lambda f: (f / SETTINGS_FILE).write_text('{"width": 16}'), "does not fit Upscaler"),
        (lambda f: (f / WEIGHTS_FILE).write_bytes(b"no"), WEIGHTS_FILE),
    ],
)
def test_a_broken_folder_is_refused(folder: Path, spoil: object, line: str) -> None:
    spoil(folder)  # type: ignore[operator]
    with pytest.raises(ValueError, match=line):
        load_upscaler(str(folder))


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="upscaler is 'sorairo-upscalr'; the nearest installed upscaler is"):
        load_upscaler("sorairo-upscalr")
