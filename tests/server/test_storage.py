"""Storage: what is put in is whole, is read from any byte, and is gone when removed; in a folder, in memory
and in S3."""

from __future__ import annotations

import io
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient
from tests.server.conftest import SMALL, Mother, new_key, wait_for

from sorairo.provenance import verify
from sorairo.server.access import Service
from sorairo.server.app import create_app
from sorairo.server.storage import CHUNK_BYTES, Storage

CONTENT = bytes(range(256)) * (CHUNK_BYTES // 128 + 1)


@pytest.fixture(params=["folder", "memory", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "s3":
        return Storage(f"{request.getfixturevalue('bucket')}/{tmp_path.name}")
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


def test_half_a_file_is_no_file(
    storage: Storage, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.put(source, "videos/a")

    def break_off(_name: str, target: str) -> None:
        Path(target).write_bytes(CONTENT[:3])
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(storage._filesystem, "get_file", break_off)
        with pytest.raises(ConnectionError):
            storage.fetch("videos/a", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert storage.fetch("videos/a", tmp_path / "out").read_bytes() == CONTENT


@pytest.mark.parametrize(("start", "stop"), [(0, len(CONTENT)), (1, 3), (CHUNK_BYTES - 1, 2 * CHUNK_BYTES), (5, 5)])
def test_any_range_is_read(storage: Storage, source: Path, start: int, stop: int) -> None:
    storage.put(source, "videos/a")
    assert b"".join(storage.read("videos/a", start, stop)) == CONTENT[start:stop]


def test_what_is_removed_is_gone(storage: Storage, source: Path) -> None:
    for name in ("videos/a/1", "videos/a/2", "videos/b/1"):
        storage.put(source, name)
    storage.put(source, "uploads/c/1")
    storage.remove("videos/a", "uploads/c")
    storage.remove("videos/a")
    storage.remove()
    assert storage.size("videos/b/1") == len(CONTENT)
    for name in ("videos/a/1", "uploads/c/1"):
        with pytest.raises(FileNotFoundError):
            storage.size(name)


def test_a_bucket_that_is_not_there_is_noticed(bucket: str) -> None:
    Storage(bucket).check()
    with pytest.raises(OSError, match="files cannot be kept in 'nobody-has-this': "):
        Storage("s3://nobody-has-this").check()


def test_a_folder_that_cannot_be_used_is_noticed(tmp_path: Path) -> None:
    Storage(str(tmp_path / "files")).check()
    assert list((tmp_path / "files").iterdir()) == [], "the check leaves nothing"
    (tmp_path / "taken").touch()
    with pytest.raises(OSError, match=f"files cannot be kept in '{tmp_path}/taken': File exists$"):
        Storage(str(tmp_path / "taken")).check()


def test_what_comes_back_changed_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage(str(tmp_path))
    monkeypatch.setattr(storage._filesystem, "cat_file", lambda _: b"")
    with pytest.raises(OSError, match="is written there does not come back"):
        storage.check()
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_nobody_knows_is_told() -> None:
    with pytest.raises(ValueError, match="files is 'nowhere://clips'"):
        Storage("nowhere://clips")


def test_a_worker_elsewhere_shares_a_bucket(service: Service, bucket: str, mother: Mother, tmp_path: Path) -> None:
    """An upload, a clip made from it by another process, ranges of the clip, and nothing left when it is deleted."""
    settings = replace(service.settings, files_url=f"{bucket}/{tmp_path.name}")
    shared = Service.of(settings, service.database)
    worker = mother.bear(settings)
    headers = {"authorization": f"Bearer {new_key(shared, 'alice')}"}
    with TestClient(create_app(shared), headers=headers) as alice:
        memory = io.BytesIO()
        Image.new("RGB", (64, 32), (200, 0, 0)).save(memory, "PNG")
        fields = SMALL | {"num_inference_steps": "4"}
        video_id = alice.post(
            "/v1/videos", data=fields, files={"input_reference": ("a.png", memory.getvalue())}
        ).json()["id"]
        row = wait_for(shared, video_id)
        assert (row.status, row.error_message) == ("completed", None)
        path = f"/v1/videos/{video_id}/content"
        whole = alice.get(path)
        (tmp_path / "clip.mp4").write_bytes(whole.content)
        assert verify(tmp_path / "clip.mp4").state == "trusted"
        part = alice.get(path, headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, whole.content[10:20])
        assert alice.delete(f"/v1/videos/{video_id}").status_code == 200
        assert alice.get("/healthz").json()["status"] == "ok"
    os.kill(worker, signal.SIGTERM)
    assert mother.bury() == 0
    with pytest.raises(FileNotFoundError):
        shared.storage.size(f"videos/{video_id}/video.mp4")
    assert not (settings.folder / "files").exists()
