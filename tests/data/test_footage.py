"""Footage from a folder: videos and pictures, reduced, in name order; every mistake named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sorairo.data.footage import read_footage
from sorairo.media import write_mp4, write_png


def picture(path: Path, height: int, width: int, value: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, np.full((height, width, 3), value, np.uint8))
    return path


def film(path: Path, frames: int, height: int, width: int) -> Path:
    values = np.linspace(40, 200, frames).astype(np.uint8)
    pictures = [np.full((height, width, 3), value, np.uint8) for value in values]
    write_mp4(path, pictures, width=width, height=height, fps=8)
    return path


def test_videos_and_pictures_in_name_order(tmp_path: Path) -> None:
    film(tmp_path / "b.mp4", 6, 64, 96)
    picture(tmp_path / "deep" / "c.PNG", 70, 80)
    picture(tmp_path / "a.png", 64, 64)
    (tmp_path / "notes.txt").write_text("no footage")
    clips = read_footage(tmp_path, 64)
    assert [clip.shape for clip in clips] == [(1, 64, 64, 3), (6, 64, 96, 3), (1, 70, 80, 3)]
    assert all(clip.dtype == np.uint8 for clip in clips)
    assert np.diff(clips[1].mean((1, 2, 3))).min() > 20


def test_large_footage_is_reduced_by_a_whole_factor(tmp_path: Path) -> None:
    board = np.zeros((400, 810, 3), np.uint8)
    board[::2, ::2] = board[1::2, 1::2] = 255
    write_png(tmp_path / "board.png", board)
    (clip,) = read_footage(tmp_path, 64)
    assert clip.shape == (1, 200, 405, 3)
    assert (clip == 128).all()  # 127.5, rounded: not the 127 of a cut


def test_what_is_too_small_is_left_out(tmp_path: Path) -> None:
    picture(tmp_path / "small.png", 40, 500)
    picture(tmp_path / "large.png", 64, 64)
    assert len(read_footage(tmp_path, 64)) == 1


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"footage is '.*nowhere'; there is no such folder"):
        read_footage(tmp_path / "nowhere", 64)


@pytest.mark.parametrize("names", [[], ["small.png"]])
def test_a_folder_without_footage_is_named(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        picture(tmp_path / name, 16, 16)
    with pytest.raises(ValueError, match="it holds no video or picture of 64 pixels a side"):
        read_footage(tmp_path, 64)


@pytest.mark.parametrize("name", ["broken.mp4", "broken.jpg"])
def test_a_broken_file_is_named(tmp_path: Path, name: str) -> None:
    picture(tmp_path / "a.png", 64, 64)
    (tmp_path / name).write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match=name):
        read_footage(tmp_path, 64)
