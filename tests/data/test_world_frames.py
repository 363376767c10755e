"""Frames on disk: each clip by its seed, made once, whoever makes it and however often one begins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sorairo.data.world_frames import WorldDataConfig, frames_path, read_frames, write_frames
from sorairo.shapes import VideoShape
from sorairo.world import render


def silent(*_: object) -> None:
    pass


def test_each_clip_is_that_of_its_seed(config: WorldDataConfig, frames: Path) -> None:
    assert sorted(path.name for path in frames.iterdir()) == ["5.npy", "6.npy", "7.npy"]
    for seed in config.seeds():
        assert np.array_equal(read_frames(config, frames, seed), render(config.clip(seed))[0])


def test_sizes_take_turns() -> None:
    config = WorldDataConfig(num_frames=9, sizes=("160x96", "96x160"))
    assert [config.shape(seed) for seed in (0, 1, 2)] == [
        VideoShape(9, 96, 160),
        VideoShape(9, 160, 96),
        VideoShape(9, 96, 160),
    ]


def test_only_what_is_missing_is_made(config: WorldDataConfig, frames: Path, tmp_path: Path) -> None:
    kept = np.zeros((5, 48, 32, 3), np.uint8)
    np.save(frames_path(tmp_path, 5), kept)  # an odd seed: the second size
    progress: list[tuple[str, int, int]] = []
    write_frames(config, tmp_path, 1, lambda *told: progress.append(told))
    assert progress == [("world", 2, 3), ("world", 3, 3)]
    assert np.array_equal(read_frames(config, tmp_path, 5), kept)
    for seed in (6, 7):
        assert frames_path(tmp_path, seed).read_bytes() == frames_path(frames, seed).read_bytes()


def test_what_a_kill_left_half_written_does_not_count(config: WorldDataConfig, frames: Path, tmp_path: Path) -> None:
    (tmp_path / ".5.npy.1234-5.partial").write_bytes(b"half")
    write_frames(replace(config, num_clips=1), tmp_path, 1, silent)
    assert frames_path(tmp_path, 5).read_bytes() == frames_path(frames, 5).read_bytes()


@pytest.mark.parametrize("content", [b"", b"damaged"])
def test_a_damaged_file_is_named(config: WorldDataConfig, tmp_path: Path, content: bytes) -> None:
    frames_path(tmp_path, 5).write_bytes(content)
    with pytest.raises(ValueError, match=r"5\.npy is damaged: delete it, and it is made again"):
        read_frames(config, tmp_path, 5)


def test_a_place_that_cannot_be_written_is_named(config: WorldDataConfig, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    with pytest.raises(OSError, match="a file"):
        write_frames(config, tmp_path / "a file" / "frames", 1, silent)


def test_several_processes_make_the_same(config: WorldDataConfig, frames: Path, tmp_path: Path) -> None:
    write_frames(replace(config, num_clips=2), tmp_path, 2, silent)
    for seed in (5, 6):
        assert frames_path(tmp_path, seed).read_bytes() == frames_path(frames, seed).read_bytes()


def test_frames_of_another_recipe_are_an_error(config: WorldDataConfig, frames: Path) -> None:
    message = r"5\.npy is \(5, 48, 32, 3\), the recipe asks for \(1, 48, 32, 3\): give each recipe its own folder"
    with pytest.raises(ValueError, match=message):
        read_frames(replace(config, num_frames=1), frames, 5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sizes": ("100x96",)}, "width is 100; it must be a multiple of 16"),
        ({"sizes": ()}, "data.sizes is empty; it needs one at least"),
        ({"num_clips": 0}, "num_clips is 0; the nearest possible is 1"),
        ({"first_seed": -1}, "first_seed is -1; the nearest possible is 0"),
        ({"num_frames": 32}, "num_frames is 32; it must be 1 \\+ 4k"),
    ],
)
def test_an_impossible_data_set(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WorldDataConfig(**wrong)  # type: ignore[arg-type]
