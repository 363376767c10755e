"""Files from strangers: whatever they hold, the answer is one line, and nothing of the machine is in it."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from starlette.datastructures import UploadFile
from starlette.testclient import TestClient
from tests.server.conftest import SMALL, Enter, both, error_of

from sorairo.media import read_any, read_picture, read_video, write_mp4, write_png
from sorairo.provenance import Manifest, sign
from sorairo.server import uploads
from sorairo.server.access import Service
from sorairo.server.app import create_app
from sorairo.server.errors import ApiError
from sorairo.server.keys import open_account
from sorairo.server.uploads import credentials, file_name, store


def upload(service: Service, content: bytes, name: str = "a.mp4") -> str:
    """Its name in the storage."""
    with service.database.writing.begin() as session:
        account = open_account(session, "alice").id
    return file_name(store(service, account, UploadFile(io.BytesIO(content), filename=name), "video"))


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


KINDS = ["empty", "truncated", "half", "playlist", "concat", "text", "forged", "bomb", "large", "long", "script"]


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_files_are_refused_in_one_line(service: Service, clip: bytes, kind: str, tmp_path: Path) -> None:
    contents = {
        "empty": b"",
        "truncated": clip[: len(clip) // 3],
        "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n",
        "concat": f"ffconcat version 1.0\nfile '{tmp_path}/secret.mp4'\n".encode(),
        "text": b"hello",
        "forged": clip[:40] + bytes(len(clip) - 40),
        "bomb": bomb(),
        "half": clip[: clip.index(b"mdat") + 200],  # the index is whole, the pictures are not
        "large": video(tmp_path, 4096, 2304, 2),
        "long": video(tmp_path, 64, 32, 2500),
        "script": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
    }
    with pytest.raises(ApiError) as caught:
        upload(service, contents[kind])
    assert caught.value.status == 400
    assert caught.value.param == "video"
    assert "\n" not in caught.value.message
    assert "sorairo-upload" not in caught.value.message


def video(folder: Path, width: int, height: int, frames: int) -> bytes:
    """Black, and therefore small."""
    path = folder / "made.mp4"
    write_mp4(path, [np.zeros((height, width, 3), np.uint8)] * frames, width=width, height=height, fps=60)
    return path.read_bytes()


def test_whatever_is_in_a_header_is_refused_or_decoded(clip: bytes, tmp_path: Path) -> None:
    """Bytes of the header changed at random, in this process: only the errors that the child tells of come out."""
    numbers, refused = np.random.default_rng(0), []
    received = tmp_path / "received"
    for _ in range(40):
        changed = bytearray(clip)
        for place in numbers.integers(4, 900, 8):
            changed[place] = numbers.integers(256)
        received.write_bytes(changed)
        try:
            read_any(received)
        except ValueError as error:
            refused.append(str(error))
    assert len(refused) > 5
    assert not any("\n" in reason for reason in refused)


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """An address on this machine, and who called."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        calls: list[str] = []

        def answer() -> None:
            with suppress(OSError):
                while True:
                    server.accept()[0].close()
                    calls.append("called")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/", calls
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.parametrize("kind", ["playlist", "credentials"])
def test_no_address_in_a_file_is_called(
    service: Service, listener: tuple[str, list[str]], kind: str, tmp_path: Path
) -> None:
    url, calls = listener
    if kind == "playlist":
        with pytest.raises(ApiError):
            upload(service, f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}a.ts\n".encode(), "a.m3u8")
    else:
        text = f'''<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
            <rdf:Description xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="{url}a.c2pa"/>
            </rdf:RDF></x:xmpmeta>'''
        information, memory = PngInfo(), io.BytesIO()
        information.add_itxt("XML:com.adobe.xmp", text)
        Image.new("RGB", (64, 32)).save(memory, "PNG", pnginfo=information)
        assert credentials("alice", UploadFile(io.BytesIO(memory.getvalue())), "file")["state"] == "none"
    assert calls == []


@pytest.mark.parametrize("state", ["trusted", "invalid", "not_present"])
def test_credentials_of_a_file_are_told(alice: TestClient, clip: bytes, state: str, tmp_path: Path) -> None:
    (tmp_path / "draft.mp4").write_bytes(clip)
    signed = tmp_path / "signed.mp4"
    sign(tmp_path / "draft.mp4", signed, Manifest("signed.mp4", "tiny", "0" * 64, {"prompt": "a red ball"}))
    content = {"trusted": signed.read_bytes(), "not_present": clip}
    content["invalid"] = content["trusted"][:-9] + b"x" + content["trusted"][-8:]
    answer = alice.post("/v1/content_provenance_checks", files={"file": ("a", content[state])})
    (told,) = answer.json()["results"]
    assert (told["type"], told["validation_state"]) == ("c2pa", state)
    assert told["outcome"] == ("detected" if state == "trusted" else "not_detected")
    if state == "trusted":
        assert (told["model"], told["facts"]["request"]) == ("tiny", {"prompt": "a red ball"})
        assert told["issuer"]
        assert told["generated_at"]
    else:
        assert told["reasons"]


def test_one_account_decodes_two_at_once(
    service: Service, clip: bytes, alice: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "WAIT_SECONDS", 0)
    account = alice.get("/v1/account").json()["id"]
    held = uploads._turns.setdefault(account, threading.BoundedSemaphore(uploads.DECODED_AT_ONCE))
    for _ in range(uploads.DECODED_AT_ONCE):
        held.acquire()
    files = {"file": ("a.mp4", clip)}
    answer = alice.post("/v1/files", files=files)
    assert error_of(answer, 429)["code"] == "too_many_uploads"
    assert answer.headers["retry-after"]
    held.release()
    assert alice.post("/v1/files", files=files).status_code == 200


@both
def test_an_account_keeps_only_so_many_bytes(service: Service, alice: TestClient, enter: Enter, clip: bytes) -> None:
    files, folder = {"file": ("a.mp4", clip)}, service.settings.folder / "files" / "uploads"
    first = alice.post("/v1/files", files=files).json()
    assert first["bytes"] == sum(file.stat().st_size for file in folder.rglob("*.*"))
    mo = alice.post("/v1/videos/characters", data={"name": "Mo"}, files={"video": ("a.mp4", clip)}).json()["id"]
    taken = sum(file.stat().st_size for file in folder.rglob("*.*"))
    before = alice.get("/v1/account").json()
    assert before["upload_bytes_left"] == before["limits"]["upload_bytes"] - taken
    with limited(service, alice, taken + first["bytes"] - 1) as full:
        assert full.get("/v1/account").json()["upload_bytes_left"] == first["bytes"] - 1
        error = error_of(full.post("/v1/files", files=files), 413)
        assert (error["code"], error["param"]) == ("insufficient_storage", "file")
        assert f"{first['bytes']} bytes, and {first['bytes'] - 1} are left" in error["message"]
        error_of(full.post("/v1/videos", data=SMALL, files={"input_reference": ("a.mp4", clip)}), 413)
        assert {path.name for path in folder.iterdir()} == {first["id"], mo}
        assert enter("bob").post("/v1/files", files=files).status_code == 200
        full.delete(f"/v1/videos/characters/{mo}")
        assert full.post("/v1/files", files=files).status_code == 200


@both
def test_uploads_at_once_do_not_get_past_the_limit(service: Service, alice: TestClient, clip: bytes) -> None:
    size, answers = alice.post("/v1/files", files={"file": ("a.mp4", clip)}).json()["bytes"], list[int]()
    with limited(service, alice, 3 * size) as full:

        def send() -> None:
            answers.append(full.post("/v1/files", files={"file": ("a.mp4", clip)}).status_code)

        threads = [threading.Thread(target=send) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(answers) == [200, 200, 413, 413, 413]


def limited(service: Service, client: TestClient, upload_bytes: int) -> TestClient:
    """The same account on a server whose tier allows so much."""
    tiers = replace(service.tiers, pro=replace(service.tiers.pro, upload_bytes=upload_bytes))
    return TestClient(create_app(replace(service, tiers=tiers)), headers=client.headers)


def bomb() -> bytes:
    """20 kB that would be a picture of 400 million pixels."""
    memory = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(memory, "PNG", optimize=True)
    return memory.getvalue()
