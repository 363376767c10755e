"""The unmodified official client against a live server: every method of `client.videos`, and what answers do to it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import time
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types import Video
from PIL import Image
from sqlalchemy import select
from tests.server.conftest import Live, Receiver

from sorairo.media import read_picture, read_video
from sorairo.provenance import verify
from sorairo.server.database import Database, open_database
from sorairo.server.settings import Settings
from sorairo.server.tables import VideoRow

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API is scheduled:DeprecationWarning")
FAST: dict[str, Any] = {"num_inference_steps": 4}
SLOW: dict[str, Any] = {"num_inference_steps": 200}
KEYS = {"id", "object", "model", "status", "progress", "created_at", "completed_at", "expires_at", "prompt", "size",
        "seconds", "remixed_from_video_id", "error"}  # fmt: skip


@pytest.fixture(scope="module")
def client(live: Live) -> Iterator[OpenAI]:
    with OpenAI(api_key=live.key, base_url=live.url, max_retries=0) as client:
        yield client


def done(client: OpenAI, video: Video) -> Video:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return client.videos.poll(video.id, poll_interval_ms=50)


@pytest.fixture(scope="module")
def video(client: OpenAI) -> Video:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made = client.videos.create_and_poll(
            prompt="a red ball",
            model="sora-2",
            seconds="1",
            size="64x32",
            extra_body=FAST,
            poll_interval_ms=50,  # type: ignore[arg-type]
        )
    assert made.status == "completed", made.error
    return made


@pytest.fixture(scope="module")
def clip(client: OpenAI, video: Video, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client.videos.download_content(video.id).write_to_file(path)
    return path


def picture() -> bytes:
    memory = io.BytesIO()
    Image.new("RGB", (64, 32), (200, 0, 0)).save(memory, "PNG")
    return memory.getvalue()


def test_a_video_has_all_keys_and_is_what_was_asked_for(video: Video) -> None:
    assert set(video.to_dict()) >= KEYS
    assert (video.object, video.progress, video.seconds, video.size) == ("video", 100, "1", "64x32")
    assert (video.model, video.prompt, video.error) == ("tiny", "a red ball", None)
    assert video.completed_at
    assert video.completed_at >= video.created_at


def test_the_download_is_a_signed_clip(clip: Path) -> None:
    assert read_video(clip)[0].shape == (9, 32, 64, 3)
    verdict = verify(clip)
    assert verdict.state == "trusted"
    assert verdict.facts["request"]["prompt"] == "a red ball"


@pytest.mark.parametrize(("variant", "kind"), [("thumbnail", "image/webp"), ("spritesheet", "image/jpeg")])
def test_its_pictures_are_signed_too(client: OpenAI, video: Video, tmp_path: Path, variant: Any, kind: str) -> None:
    answer = client.videos.download_content(video.id, variant=variant)
    assert answer.response.headers["content-type"] == kind
    answer.write_to_file(tmp_path / "picture")
    assert verify(tmp_path / "picture").state == "trusted"
    assert read_picture(tmp_path / "picture").shape == ((32, 64, 3) if variant == "thumbnail" else (128, 256, 3))


def test_streaming_and_ranges(client: OpenAI, video: Video, clip: Path) -> None:
    content = clip.read_bytes()
    with client.videos.with_streaming_response.download_content(video.id) as answer:
        assert b"".join(answer.iter_bytes(1000)) == content
    part = client.videos.download_content(video.id, extra_headers={"Range": "bytes=10-19"})
    assert part.response.status_code == 206
    assert part.read() == content[10:20]
    assert part.response.headers["content-range"] == f"bytes 10-19/{len(content)}"


def test_remix_edit_and_extend_by_id(client: OpenAI, video: Video) -> None:
    remix = client.videos.remix(video.id, prompt="a blue ball", extra_body=FAST)
    by_json = {"prompt": "a green ball", "video": {"id": video.id}, **FAST}
    edit = client.post("/videos/edits", body=by_json, cast_to=Video)
    by_form = client.videos.extend(
        prompt="it rolls", seconds="1", video=b"", extra_body={"video": {"id": video.id}, **FAST}
    )  # type: ignore[arg-type]
    for made in [done(client, made) for made in (remix, edit, by_form)]:
        assert (made.status, made.remixed_from_video_id, made.size) == ("completed", video.id, "64x32"), made.error
    assert done(client, by_form).seconds == "2"


def test_uploads_of_clips_and_pictures(client: OpenAI, clip: Path) -> None:
    edit = client.videos.edit(prompt="a blue ball", video=("clip.mp4", clip.read_bytes()), extra_body=FAST)
    address = "data:image/png;base64," + base64.b64encode(picture()).decode()
    sized: dict[str, Any] = {"prompt": "it rolls", "size": "64x32", "seconds": "1"}
    upload = client.videos.create(**sized, input_reference=("a.png", picture(), "image/png"), extra_body=FAST)
    by_address = client.videos.create(**sized, extra_body={"input_reference": {"image_url": address}, **FAST})
    file = client.files.create(file=("a.png", picture()), purpose="vision")
    by_id = client.videos.create(**sized, extra_body={"keyframes": json.dumps([{"id": file.id, "time": 1}]), **FAST})
    assert [done(client, made).status for made in (edit, upload, by_address, by_id)] == ["completed"] * 4


def test_our_own_tools(client: OpenAI, video: Video) -> None:
    one = {"video": {"id": video.id}, **FAST}
    bodies = {
        "loops": {**one, "seconds": 1},
        "blends": {**one, "second_video": {"id": video.id}, "influence": "mix"},
        "connections": {**one, "second_video": {"id": video.id}, "seconds": 1},
        "recuts": {**one, "start": 0.5, "end": 1, "after": 0.5},
    }
    made = {route: client.post(f"/videos/{route}", body=body, cast_to=Video) for route, body in bodies.items()}
    ends = {route: done(client, video) for route, video in made.items()}
    assert {route: end.status for route, end in ends.items()} == dict.fromkeys(bodies, "completed")
    assert [end.seconds for end in ends.values()] == ["2", "1", "3", "1"]


def test_characters(client: OpenAI, clip: Path) -> None:
    made = client.videos.create_character(name="Mo", video=("clip.mp4", clip.read_bytes()))
    assert made.id
    assert client.videos.get_character(made.id).name == "Mo"


def test_paging_meets_every_video_once(client: OpenAI, video: Video) -> None:
    assert [done(client, client.videos.remix(video.id, prompt="a cone", extra_body=FAST)).status for _ in "ab"]
    first = client.videos.list(limit=2)
    assert first.has_more
    forward, backward = (
        [item.id for item in client.videos.list(limit=3, order=order)]
        for order in ("asc", "desc")  # type: ignore[arg-type]
    )
    assert forward == backward[::-1]
    assert len(set(forward)) == len(forward) >= 3
    assert video.id in forward


def test_files_are_paged_through(client: OpenAI) -> None:
    made = {client.files.create(file=("a.png", picture()), purpose="vision").id for _ in range(3)}
    listed = [file.id for file in client.files.list(limit=1)]
    assert made <= set(listed)
    assert len(set(listed)) == len(listed)
    assert [file.id for file in client.files.list(order="asc")] == listed[::-1]
    assert client.files.retrieve(listed[0]).id == listed[0]
    for file in listed:
        client.files.delete(file)
    assert client.files.list().data == []


def test_models(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["tiny"]
    assert client.models.retrieve("tiny").owned_by == "sorairo"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"size": "65x32"}, "size"),
        ({"size": "wide"}, "size"),
        ({"seconds": "0.3"}, "seconds"),
        ({"seconds": "long"}, "seconds"),
        ({"model": "sora-9"}, "model"),
        ({"prompt": ""}, "prompt"),
        ({"extra_body": {"num_inference_steps": 0}}, "num_inference_steps"),
        ({"extra_body": {"sed": 1}}, "sed"),
        ({"extra_body": {"status": "completed"}}, "status"),
    ],
)
def test_a_wrong_field_is_named(client: OpenAI, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.videos.create(**{"prompt": "a red ball", **fields})
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"
    assert caught.value.request_id


def test_a_refused_prompt_is_a_failed_video_that_says_why(client: OpenAI) -> None:
    refused = done(client, client.videos.create(prompt="a naked woman", size="64x32", seconds="1"))  # type: ignore[arg-type]
    assert refused.error
    assert (refused.status, refused.error.code) == ("failed", "moderation_blocked")
    assert "naked woman" in refused.error.message


def test_what_is_not_there_is_404(client: OpenAI) -> None:
    for method in (client.videos.retrieve, client.videos.delete, client.videos.download_content):
        with pytest.raises(openai.NotFoundError) as caught:
            method("video_none")
        assert caught.value.code == "video_not_found"


def test_a_deleted_job_stops_and_is_gone(client: OpenAI, live: Live) -> None:
    long = client.videos.create(prompt="a red ball", size="64x32", seconds="8", extra_body=SLOW)  # type: ignore[arg-type]
    after = client.videos.create(prompt="a red ball", size="64x32", seconds="1", extra_body=FAST)  # type: ignore[arg-type]
    while client.videos.retrieve(long.id).progress < 6:
        time.sleep(0.05)
    deleted = client.videos.delete(long.id)
    assert (deleted.object, deleted.deleted) == ("video.deleted", True)
    assert done(client, after).status == "completed"
    assert not (live.folder / "work" / long.id).exists()
    with pytest.raises(openai.NotFoundError):
        client.videos.retrieve(long.id)


def test_a_key_is_refused_from_its_revocation_on(live: Live, client: OpenAI, video: Video) -> None:
    key = live.keys("create", "bob", "--tier", "pro")
    with OpenAI(api_key=key, base_url=live.url, max_retries=0) as bob:
        assert list(bob.videos.list()) == []
        with pytest.raises(openai.NotFoundError):
            bob.videos.retrieve(video.id)
        live.keys("revoke", key.split("_")[1])
        with pytest.raises(openai.AuthenticationError) as caught:
            bob.videos.list()
        assert caught.value.code == "invalid_api_key"
    assert "over" in next(line for line in live.keys("list").splitlines() if key.split("_")[1] in line)


def test_webhooks_are_managed_signed_and_sent_once(client: OpenAI, receiver: str) -> None:
    endpoint = client.webhooks.create(name="mine", url=receiver, event_types=["video.completed"])  # type: ignore[list-item]
    assert client.webhooks.test(endpoint.id, event_type="video.completed").status_code == 200  # type: ignore[arg-type]
    made = client.videos.create(prompt="a red ball", size="64x32", seconds="1", extra_body=FAST)  # type: ignore[arg-type]
    done(client, made)
    ends = time.monotonic() + 20
    while len(Receiver.got) < 2 and time.monotonic() < ends:
        time.sleep(0.05)
    _, (body, headers) = Receiver.got
    event: Any = client.webhooks.unwrap(body, headers, secret=endpoint.signing_secret)
    assert (event.type, event.data.id) == ("video.completed", made.id)
    with pytest.raises(openai.InvalidWebhookSignatureError):
        client.webhooks.unwrap(body + b" ", headers, secret=endpoint.signing_secret)
    assert client.webhooks.rotate_secret(endpoint.id).signing_secret != endpoint.signing_secret
    assert client.webhooks.delete(endpoint.id).deleted
    assert list(client.webhooks.list()) == []


def events_of(live: Live, video_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
    request = urllib.request.Request(
        f"{live.url}/videos/{video_id}/events", headers={"authorization": f"Bearer {live.key}"}
    )
    with urllib.request.urlopen(request) as answer:
        for block in answer.read().decode().split("\n\n")[:-1]:
            name, data = block.split("\n")
            yield name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_a_killed_worker_is_replaced_and_goes_on(client: OpenAI, live: Live) -> None:
    """kill -9 in the middle of sampling: the same video is finished, published once, and its progress never falls."""
    made = client.videos.create(prompt="a red ball", size="64x32", seconds="4", extra_body=SLOW)  # type: ignore[arg-type]
    waiting = client.videos.create(prompt="a red ball", size="64x32", seconds="1", extra_body=FAST)  # type: ignore[arg-type]
    assert client.videos.retrieve(waiting.id).to_dict()["queue_position"]
    while client.videos.retrieve(made.id).progress < 6:
        time.sleep(0.05)
    live.kill_worker()
    events = list(events_of(live, made.id))
    assert events[-1][0] == "video.completed"
    assert [data["progress"] for _, data in events] == sorted(data["progress"] for _, data in events)
    assert any(data["eta_seconds"] for _, data in events)
    assert any(data["preview"] for _, data in events)
    assert done(client, waiting).status == "completed"
    content = client.videos.download_content(made.id).read()
    again = client.videos.download_content(made.id).read()
    assert hashlib.sha256(content).digest() == hashlib.sha256(again).digest()


def test_a_video_that_kills_its_workers_fails_and_the_next_is_made(client: OpenAI, live: Live) -> None:
    poison = client.videos.create(prompt="a red ball", size="64x32", seconds="4", extra_body=SLOW)  # type: ignore[arg-type]
    after = client.videos.create(prompt="a red ball", size="64x32", seconds="1", extra_body=FAST)  # type: ignore[arg-type]
    for attempt in (1, 2):
        while attempts_at(live, poison.id) < attempt:
            time.sleep(0.05)
        live.kill_worker()
    failed = done(client, poison)
    assert failed.error
    assert (failed.status, failed.error.code) == ("failed", "worker_lost")
    assert done(client, after).status == "completed"


def attempts_at(live: Live, video_id: str) -> int:
    """At sampling."""
    engine = open_database(Settings(live.folder, live.database).library_url)
    with Database.of(engine).reading() as session:
        stage, attempts = session.execute(select(VideoRow.stage, VideoRow.attempts).filter_by(id=video_id)).one()
    engine.dispose()
    return int(attempts) if stage == "sampling" else 0


def test_health_and_measurements(live: Live) -> None:
    root = live.url.removesuffix("/v1")
    health = json.loads(urllib.request.urlopen(f"{root}/healthz").read())
    assert (health["status"], health["counts"]["workers"]) == ("ok", 1)
    text = urllib.request.urlopen(f"{root}/metrics").read().decode()
    assert 'sorairo_count{of="completed"}' in text
    assert 'route="/v1/videos/{video_id}"' in text
