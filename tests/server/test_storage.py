"""Storage: what is put in is whole, is read from any byte, and is gone when removed; in a folder and in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from sorairo.server.storage import CHUNK_BYTES, Storage

CONTENT = bytes(range(256)) * (CHUNK_BYTES // 128)


@pytest.fixture(params=["folder", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return Storage(str(tmp_path / "files") if request.param == "folder" else f"memory://{tmp_path.name}")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


def test_what_is_put_in_comes_out(storage: Storage, source: Path, tmp_path: Path) -> None:
    storage.check()
    storage.put(source, "videos/video_1/video.mp4")
    assert storage.size("videos/video_1/video.mp4") == len(CONTENT)
    assert storage.fetch("videos/video_1/video.mp4", tmp_path / "out").read_bytes() == CONTENT
    storage.put(source, "videos/video_1/video.mp4")


@pytest.mark.parametrize(("start", "stop"), [(0, len(CONTENT)), (1, 3), (CHUNK_BYTES - 1, 2 * CHUNK_BYTES), (5, 5)])
def test_any_range_is_read(storage: Storage, source: Path, start: int, stop: int) -> None:
    storage.put(source, "videos/a")
    assert b"".join(storage.read("videos/a", start, stop)) == CONTENT[start:stop]


def test_what_is_removed_is_gone(storage: Storage, source: Path) -> None:
    for name in ("videos/a/1", "videos/a/2", "videos/b/1"):
        storage.put(source, name)
    storage.remove("videos/a")
    storage.remove("videos/a")
    assert storage.size("videos/b/1") == len(CONTENT)
    with pytest.raises(FileNotFoundError):
        storage.size("videos/a/1")
