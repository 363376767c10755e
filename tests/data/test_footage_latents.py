"""Shots as the model's clips: its rate, sizes and lengths; what is held out; and that nothing is encoded twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sorairo.checkpoint import load_tensors
from sorairo.data.footage_latents import held_out, windows, write_footage_latents
from sorairo.data.ingest import ingest
from sorairo.media import Frames
from sorairo.models.text_encoder import TextEncoder
from sorairo.models.video_vae import VideoVAE
from sorairo.shapes import nearest_bucket

NOTES = '["*"]\nlicence = "CC0-1.0"\nsource = "a test"\n'


def numbered(number: int, height: int = 32, width: int = 48) -> list[Frames]:
    return [np.full((height, width, 3), index, np.uint8) for index in range(number)]


def shown(number: int, fps: float) -> list[list[int]]:
    return [clip[:, 0, 0, 0].tolist() for clip in windows(numbered(number), number, fps)]


def test_windows_follow_one_another_at_the_models_rate() -> None:
    clips = shown(150, 24)  # 6.25 s: 50 frames at 8 a second
    assert [len(clip) for clip in clips] == [33, 1, 17, 1]
    assert clips[0] == list(range(0, 99, 3))
    assert clips[2] == list(range(99, 150, 3))
    assert clips[1] == [clips[0][16]]  # the middle one, as a picture
    assert shown(10, 8) == [[0, 1, 2, 3, 4, 5, 6, 7, 8], [4]]
    assert [len(clip) for clip in shown(4, 8)] == []
    assert shown(6, 4)[0] == [0, 0, 1, 2, 2, 2, 3, 4, 4]  # slower than the model: some are shown again


@pytest.mark.parametrize(
    ("size", "bucket"), [((720, 1280), (96, 160)), ((1280, 720), (160, 96)), ((500, 480), (128, 128))]
)
def test_the_bucket_is_the_one_of_the_nearest_proportions(size: tuple[int, int], bucket: tuple[int, int]) -> None:
    shape = nearest_bucket(size[1], size[0])
    assert (shape.height, shape.width) == bucket
    assert next(windows(numbered(9, *size), 9, 8)).shape == (9, *bucket, 3)


def row(item: str, number: int) -> dict[str, Any]:
    return {"item": item, "key": f"{item}-{number}"}


def test_whole_files_are_held_out() -> None:
    rows = [row(f"{item}.mp4", number) for item in range(10) for number in range(3)]
    out = held_out(rows)
    assert len(out) == 3
    assert len({key.split("-")[0] for key in out}) == 1
    assert out <= held_out([*rows, row("new.mp4", 0)]) | out
    assert held_out(rows) == held_out(rows[::-1])


def test_of_one_file_shots_are_held_out_and_something_is_left() -> None:
    assert len(held_out([row("a.mp4", number) for number in range(20)])) == 2
    assert len(held_out([row("a.mp4", 0), row("b.mp4", 0)])) == 1
    with pytest.raises(ValueError, match="has 1 shots; it needs two"):
        held_out([row("a.mp4", 0)])


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory, write_film: Callable[..., Path]) -> Path:
    folder = tmp_path_factory.mktemp("footage")
    write_film(folder / "a.mp4", shots=(1, 2))
    write_film(folder / "b.mp4", shots=(3,))
    (folder / "footage.toml").write_text(NOTES)
    return ingest(folder, tmp_path_factory.mktemp("data") / "two", lambda *_: None).parent


def test_shards_of_examples_with_captions(footage: Path, tmp_path: Path, vae: VideoVAE, encoder: TextEncoder) -> None:
    with pytest.raises(ValueError, match="3 of its 3 shots have no caption"):
        write_footage_latents(footage, tmp_path, vae, encoder, lambda *_: None)
    asked: list[int] = []

    def caption(frames: Frames) -> str:
        asked.append(len(frames))
        return f"{len(frames)} frames of blots"

    made = write_footage_latents(footage, tmp_path, vae, encoder, lambda *_: None, caption)
    assert made.captions == ("1 frames of blots", "9 frames of blots")
    tensors, metadata = load_tensors(made.train[0])
    assert sorted(tensors[f"latents.{n:04d}"].shape[1] for n in range(len(metadata["captions"]))) in (
        [1, 3],
        [1, 1, 3, 3],
    )
    assert tensors["latents.0000"].shape == (4, 3, 6, 10)
    assert not tensors["cover.0000"].any()
    before = len(asked)
    assert write_footage_latents(footage, tmp_path, vae, encoder, lambda *_: None, caption) == made
    assert len(asked) == before == 6  # encoded once: a clip and a picture of each shot
