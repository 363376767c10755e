"""Files from strangers: whatever they hold, the answer is one line, and nothing of the machine is in it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from starlette.datastructures import UploadFile

from sorairo.media import read_picture, read_video, write_mp4, write_png
from sorairo.server.access import Service
from sorairo.server.errors import ApiError
from sorairo.server.keys import open_account
from sorairo.server.uploads import file_name, store


def upload(service: Service, content: bytes, name: str = "a.mp4") -> str:
    """Its name in the storage."""
    with service.database.writing.begin() as session:
        account = open_account(session, "alice").id
    return file_name(store(service, account, UploadFile(io.BytesIO(content), filename=name), "video"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("clips") / "a.mp4"
    frames = np.random.default_rng(0).integers(0, 255, (9, 32, 64, 3), np.uint8)
    write_mp4(path, frames, width=64, height=32, fps=8)
    return path.read_bytes()


def test_a_clip_is_written_anew(service: Service, clip: bytes, tmp_path: Path) -> None:
    name = upload(service, clip, "../../../etc/a.png")
    copy = service.storage.fetch(name, tmp_path / "copy.mp4")
    assert copy.read_bytes() != clip
    frames, fps = read_video(copy)
    assert (frames.shape, fps) == ((9, 32, 64, 3), 8)


def test_a_picture_is_one_whatever_it_is_called(service: Service, tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (33, 65, 3), np.uint8)
    write_png(tmp_path / "a.png", picture)
    name = upload(service, (tmp_path / "a.png").read_bytes(), "a.mp4")
    assert np.array_equal(read_picture(service.storage.fetch(name, tmp_path / "copy.png")), picture)


@pytest.mark.parametrize("kind", ["empty", "truncated", "playlist", "concat", "text", "forged", "bomb"])
def test_hostile_files_are_refused_in_one_line(service: Service, clip: bytes, kind: str, tmp_path: Path) -> None:
    contents = {
        "empty": b"",
        "truncated": clip[: len(clip) // 3],
        "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n",
        "concat": f"ffconcat version 1.0\nfile '{tmp_path}/secret.mp4'\n".encode(),
        "text": b"hello",
        "forged": clip[:40] + bytes(len(clip) - 40),
        "bomb": bomb(),
    }
    with pytest.raises(ApiError) as caught:
        upload(service, contents[kind])
    assert caught.value.status == 400
    assert caught.value.param == "video"
    assert "\n" not in caught.value.message
    assert "sorairo-upload" not in caught.value.message


def bomb() -> bytes:
    """20 kB that would be a picture of 400 million pixels."""
    from PIL import Image

    memory = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(memory, "PNG", optimize=True)
    return memory.getvalue()
