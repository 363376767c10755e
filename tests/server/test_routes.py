"""The routes without a worker: bodies in every form, one shape for errors, quotas, and accounts that never meet."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient
from tests.server.conftest import SMALL, Enter, both, error_of, finish, new_key

from sorairo.server.access import Service
from sorairo.server.app import create_app
from sorairo.server.audit import first_broken
from sorairo.server.errors import ApiError
from sorairo.server.routes import byte_range
from sorairo.server.tables import AuditLine, VideoRow
from sorairo.server.webhooks import MOST_ENDPOINTS

ROOT = Path(__file__).parents[2]
BOTH = {"file_id": "file_1", "image_url": "data:image/png;base64,aaaa"}


@pytest.mark.parametrize(
    "sent",
    [
        {"json": SMALL | {"seed": 7}},
        {"data": SMALL | {"seed": "7"}},
        {"data": SMALL, "files": {"seed": (None, "7")}},
    ],
    ids=["json", "form", "multipart"],
)
def test_a_body_in_any_form_is_the_same_video(alice: TestClient, service: Service, sent: dict[str, Any]) -> None:
    answer = alice.post("/v1/videos", **sent)
    assert answer.status_code == 200, answer.text
    video = answer.json()
    assert (video["status"], video["seconds"], video["size"]) == ("queued", "1", "64x32")
    assert video["queue_position"] == 1
    assert answer.headers["openai-poll-after-ms"]
    with service.database.reading() as session:
        request = json.loads(session.scalars(select(VideoRow.request)).one())
    assert (request["seed"], request["seconds"], request["prompt"]) == (7, 1.0, "a red ball")


def test_the_same_asked_twice_is_two_clips(alice: TestClient, service: Service) -> None:
    videos = [alice.post("/v1/videos", json=SMALL | {"model": name}) for name in ("sora-2", "sora-2-pro-2025-10-06")]
    assert len({video.json()["model"] for video in videos}) == 1
    with service.database.reading() as session:
        first, second = (json.loads(text) for text in session.scalars(select(VideoRow.request)))
    assert first.pop("seed") != second.pop("seed")
    assert first == second
    assert error_of(alice.post("/v1/videos", json=SMALL | {"model": "sora-2-huge"}), 400)["code"] == "model_not_found"


def test_a_mistake_outside_the_body_is_named(alice: TestClient) -> None:
    assert error_of(alice.get("/v1/videos?limit=101"), 400)["message"].startswith("limit is '101': ")
    assert "begin with /v1" in error_of(alice.get("/videos"), 404)["message"]


def test_nested_fields_come_as_brackets_or_as_json_text(alice: TestClient, service: Service) -> None:
    scenes = json.dumps([{"start": 0.5, "prompt": "a cube"}])
    assert alice.post("/v1/videos", data=SMALL | {"scenes": scenes}).status_code == 200
    with service.database.reading() as session:
        request = json.loads(session.scalars(select(VideoRow.request)).one())
    assert request["scenes"] == [{"start": 0.5, "prompt": "a cube", "cut": False}]
    answer = alice.post("/v1/videos/loops", data={"video[id]": "video_none"})
    assert error_of(answer, 404)["code"] == "video_not_found"


@pytest.mark.parametrize(
    ("sent", "wanted"),
    [
        ({"json": SMALL | {"expand": True}}, True),
        ({"json": SMALL | {"expand": False}}, False),
        ({"json": SMALL | {"expand": None}}, False),
        ({"data": SMALL | {"expand": "true"}}, True),
        ({"data": SMALL | {"expand": "false"}}, False),
        ({"data": SMALL, "files": {"expand": (None, "true")}}, True),
    ],
)
def test_whether_a_prompt_is_told_in_full_comes_in_any_form(
    alice: TestClient, service: Service, sent: dict[str, Any], wanted: bool
) -> None:
    video = alice.post("/v1/videos", **sent).json()
    assert (video["prompt"], video["expanded_prompt"], video["expansion_note"]) == ("a red ball", None, "")
    with service.database.reading() as session:
        request = json.loads(session.scalars(select(VideoRow.request)).one())
    assert (request["prompt"], request["user_prompt"]) == ("a red ball", "a red ball" if wanted else "")


def test_only_a_new_clip_is_told_in_full(alice: TestClient) -> None:
    for route in ("edits", "cinemagraphs"):
        error = error_of(alice.post(f"/v1/videos/{route}", json={"prompt": "a", "expand": True}), 400)
        assert error["code"] == "unknown_parameter"


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, "invalid_json"),
        ({"json": [1]}, 400, "invalid_json"),
        ({"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}, 400, "invalid_json"),
        ({"content": b"x", "headers": {"content-type": "text/plain"}}, 415, "unsupported_content_type"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, "invalid_form"),
        ({"json": {}}, 400, "missing_required_parameter"),
        ({"json": SMALL | {"prompt": 7}}, 400, "invalid_type"),
        ({"json": SMALL | {"seconds": [1]}}, 400, "invalid_type"),
        ({"json": SMALL | {"seed": True}}, 400, "invalid_type"),
        ({"json": SMALL | {"seed": 1.5}}, 400, "invalid_value"),
        ({"data": SMALL, "files": {"input_reference": ("a.png", b"")}}, 400, "invalid_file"),
        ({"json": SMALL | {"scenes": [1]}}, 400, "invalid_type"),
        ({"json": SMALL | {"scenes": {}}}, 400, "invalid_type"),
        ({"json": SMALL | {"keyframes": [1]}}, 400, None),
        ({"json": SMALL | {"wrap": "perhaps"}}, 400, None),
        ({"json": SMALL | {"expand": "perhaps"}}, 400, "invalid_type"),
        ({"data": SMALL | {"expand": "1"}}, 400, "invalid_type"),
        ({"json": SMALL | {"expand": True, "scenes": [{"start": 0.5, "prompt": "a cube"}]}}, 400, "invalid_value"),
        ({"json": SMALL | {"expand": True, "keyframes": [{"id": "file_1", "time": 0}]}}, 400, "invalid_value"),
        ({"json": SMALL | {"owner": "bob"}}, 400, "unknown_parameter"),
        ({"json": SMALL | {"prompt": "a\0b"}}, 400, "invalid_value"),
        ({"json": SMALL | {"scenes": [{"start": 0.5, "prompt": "a\0b"}]}}, 400, "invalid_value"),
        ({"content": json.dumps(SMALL | {"input_reference": {"id": "\ud800"}})}, 400, "invalid_value"),
        ({"content": json.dumps(SMALL | {"\udfff": 1})}, 400, "invalid_value"),
        ({"json": SMALL | {"seed": "[" * 100_000}}, 400, "invalid_type"),
        ({"json": SMALL | {"seconds": 10**400}}, 400, "invalid_type"),
        ({"json": SMALL | {"keyframes": [{"id": "file_1", "time": 10**400}]}}, 404, "file_not_found"),
        ({"json": SMALL | {"input_reference": {"image_url": "data:image/png;base64,ä"}}}, 400, None),
        ({"json": SMALL | {"input_reference": {"image_url": "http://127.0.0.1/a.png"}}}, 400, None),
        ({"json": SMALL | {"input_reference": {"image_url": "data:image/png;base64,?"}}}, 400, None),
        ({"json": SMALL | {"input_reference": {"path": "/etc/passwd"}}}, 400, None),
        ({"json": SMALL | {"input_reference": {"file_id": "../../pepper"}}}, 404, "file_not_found"),
        ({"json": SMALL | {"input_reference": BOTH}}, 400, "invalid_value"),
        ({"json": SMALL | {"input_reference": {"id": "file_1", "file_id": "file_2"}}}, 400, "invalid_value"),
        ({"json": SMALL | {"input_reference": {"file_id": "file_1", "image_url": None}}}, 404, "file_not_found"),
        ({"json": SMALL | {"keyframes": [BOTH | {"time": 0}]}}, 400, "invalid_value"),
        ({"content": b"x" * (2**20 + 1)}, 413, "request_too_large"),
        ({"content": iter([b"x" * 2**19] * 3), "headers": {"content-type": "application/json"}}, 413, None),
        ({"data": {f"f{n}": "x" for n in range(100)}, "files": {"a": ("a", b"x")}}, 400, "invalid_form"),
    ],
)
def test_a_body_that_cannot_be_used_is_told_in_one_shape(
    alice: TestClient, sent: dict[str, Any], status: int, code: str | None
) -> None:
    error = error_of(alice.post("/v1/videos", **sent), status)
    assert code is None or error["code"] == code


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("PUT", "/v1/videos", 405),
        ("GET", "/v1/videos?limit=101", 400),
        ("GET", "/v1/videos?order=up", 400),
        ("GET", "/v1/videos?after=video_none", 404),
        ("GET", "/v1/videos/none/content?variant=sound", 400),
        ("GET", "/v1/models/none", 404),
        ("GET", "/v1/videos/%00", 404),
        ("GET", "/v1/videos?after=%00", 404),
        ("GET", f"/v1/videos?search={'a+' * 500}", 400),
        ("POST", "/v1/admin/accounts/alice?days=1", 400),
        ("GET", "/v1/videos/characters/none", 404),
        ("GET", "/v1/webhook_endpoints/none", 404),
        ("POST", "/v1/videos/none/remix", 400),
        ("POST", "/v1/videos/edits", 400),
    ],
)
def test_every_route_tells_its_errors_in_one_shape(alice: TestClient, method: str, path: str, status: int) -> None:
    error_of(alice.request(method, path), status)


def test_a_stranger_s_body_is_not_read(enter: Enter, service: Service) -> None:
    stranger = enter("alice")
    del stranger.headers["authorization"]
    paths = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    posted = [path for path, methods in paths.items() if "post" in methods]
    assert len(posted) > 20
    for path in posted:
        answer = stranger.post(path, content=b"{", headers={"content-type": "application/json"})
        assert error_of(answer, 401)["code"] == "missing_api_key"


def test_what_strangers_make_up_is_not_measured_apart(alice: TestClient) -> None:
    for number in range(3):
        error_of(alice.request(f"MADE{number}", "/v1/videos"), 405)
        error_of(alice.request(f"MADE{number}", f"/v1/made{number}"), 404)
    alice.get("/v1/videos")
    told = alice.get("/metrics").text
    assert "MADE" not in told.upper()
    assert 'sorairo_http_seconds_count{method="GET",route="/v1/videos",status="200"} 1.0' in told
    assert 'sorairo_http_seconds_count{method="unknown",route="unknown",status="405"} 3.0' in told


def test_a_key_is_needed_and_its_scopes_count(enter: Enter) -> None:
    reader = enter("alice", scopes=("videos.read",))
    assert reader.get("/v1/videos").status_code == 200
    assert error_of(reader.post("/v1/videos", json=SMALL), 403)["code"] == "missing_scope"
    assert error_of(reader.get("/v1/webhook_endpoints"), 403)["type"] == "permission_error"
    reader.headers.pop("authorization")
    assert error_of(reader.get("/v1/videos"), 401)["code"] == "missing_api_key"
    assert error_of(reader.get("/v1/videos", headers={"authorization": "Bearer x"}), 401)["code"] == "invalid_api_key"


@both
def test_another_account_cannot_tell_a_video_from_none(enter: Enter, service: Service) -> None:
    alice, bob = enter("alice"), enter("bob")
    video_id = alice.post("/v1/videos", json=SMALL).json()["id"]
    finish(service, video_id)
    paths = ("/v1/videos/{}", "/v1/videos/{}/content", "/v1/videos/{}/events", "/v1/videos?after={}")
    for path in paths:
        his, nobodys = (bob.get(path.format(name)) for name in (video_id, "video_none"))
        assert error_of(his, 404) == error_of(nobodys, 404) | {
            "message": error_of(nobodys, 404)["message"].replace("video_none", video_id)
        }
    error_of(bob.delete(f"/v1/videos/{video_id}"), 404)
    error_of(bob.post(f"/v1/videos/{video_id}/remix", json={"prompt": "x"}), 404)
    error_of(bob.post("/v1/videos/loops", json={"video": {"id": video_id}}), 404)
    assert bob.get("/v1/videos").json()["data"] == []
    assert alice.get(f"/v1/videos/{video_id}").status_code == 200


@both
def test_the_same_request_again_makes_no_second_video(alice: TestClient) -> None:
    headers = {"Idempotency-Key": "1"}
    first, again = (alice.post("/v1/videos", json=SMALL, headers=headers).json() for _ in range(2))
    assert first["id"] == again["id"]
    error = error_of(alice.post("/v1/videos", json=SMALL | {"seed": 1}, headers=headers), 409)
    assert error["code"] == "idempotency_conflict"
    assert alice.post("/v1/videos", json=SMALL, headers={"Idempotency-Key": "2"}).json()["id"] != first["id"]


@both
def test_a_full_queue_is_429_and_not_asked_again(enter: Enter) -> None:
    free = enter("carol", "free")
    for _ in range(3):
        assert free.post("/v1/videos", json=SMALL).status_code == 200
    answer = free.post("/v1/videos", json=SMALL)
    assert error_of(answer, 429)["code"] == "queue_full"
    assert (answer.headers["retry-after"], answer.headers["x-should-retry"]) == ("10", "false")


@both
def test_credits_are_spent_and_come_back(enter: Enter, service: Service) -> None:
    (service.settings.folder / "tiers.toml").write_text(
        "[free]\nconcurrent = 1\nwaiting = 9\npixels = 99999\nseconds = 9\ncredits = 1\n"
    )
    app = create_app(Service.of(service.settings, service.database))
    headers = {"authorization": f"Bearer {new_key(service, 'carol', 'free')}"}
    with TestClient(app, headers=headers) as free:
        video_id = free.post("/v1/videos", json=SMALL).json()["id"]
        assert error_of(free.post("/v1/videos", json=SMALL), 429)["code"] == "insufficient_quota"
        assert free.delete(f"/v1/videos/{video_id}").json() == {
            "id": video_id, "object": "video.deleted", "deleted": True
        }  # fmt: skip
        assert free.post("/v1/videos", json=SMALL).status_code == 200


def test_a_tier_limits_size_and_length(enter: Enter) -> None:
    free = enter("carol", "free")
    assert error_of(free.post("/v1/videos", json=SMALL | {"seconds": 8}), 400)["param"] == "seconds"


def test_what_is_not_finished_has_no_content(alice: TestClient) -> None:
    video_id = alice.post("/v1/videos", json=SMALL).json()["id"]
    assert error_of(alice.get(f"/v1/videos/{video_id}/content"), 404)["code"] == "video_not_ready"
    assert error_of(alice.post(f"/v1/videos/{video_id}/remix", json={"prompt": "x"}), 404)["code"] == "video_not_ready"


@pytest.mark.parametrize(
    ("wanted", "part"),
    [("bytes=0-", b"0123456789"), ("bytes=2-3", b"23"), ("bytes=-3", b"789"), ("bytes=8-99", b"89")],
)
def test_a_player_gets_the_range_it_asks_for(alice: TestClient, service: Service, wanted: str, part: bytes) -> None:
    video_id = alice.post("/v1/videos", json=SMALL).json()["id"]
    finish(service, video_id)
    answer = alice.get(f"/v1/videos/{video_id}/content", headers={"Range": wanted})
    assert (answer.status_code, answer.content) == (206, part)
    assert answer.headers["content-length"] == str(len(part))
    service.storage.remove(f"videos/{video_id}")  # as when it is deleted at this moment
    for path in ("content", "content?variant=thumbnail", "credentials"):
        assert error_of(alice.get(f"/v1/videos/{video_id}/{path}"), 404)["code"] == "file_not_found"


@pytest.mark.parametrize(
    "wanted", ["bytes=10-", f"bytes={'9' * 5000}-", "bytes=5-2", "bytes=-", "bytes=-0", "frames=1-2", "bytes=a-b"]
)
def test_a_range_that_is_not_there_is_416(wanted: str) -> None:
    with pytest.raises(ApiError) as caught:
        byte_range(wanted, 10)
    assert caught.value.status == 416
    assert caught.value.headers["content-range"] == "bytes */10"


@pytest.mark.parametrize("url", ["ftp://a/b", "https://", "https://user@a/", "x", 7, "https://a:x/", "h" * 3000])
def test_an_address_for_events_must_be_one(alice: TestClient, url: Any) -> None:
    answer = alice.post("/v1/webhook_endpoints", json={"url": url, "event_types": ["video.failed"]})
    assert error_of(answer, 400)["param"] == "url"


@pytest.mark.parametrize("kinds", [None, [], ["video.eaten"], "video.failed", [{}]])
def test_events_must_be_known_ones(alice: TestClient, kinds: Any) -> None:
    answer = alice.post("/v1/webhook_endpoints", json={"url": "https://example.org/", "event_types": kinds})
    assert error_of(answer, 400)["param"] == "event_types"


@both
def test_an_endpoint_is_changed_and_another_account_does_not_see_it(enter: Enter) -> None:
    alice, bob = enter("alice"), enter("bob")
    given = {"url": "https://example.org/", "event_types": ["video.failed"], "name": "a"}
    endpoint = alice.post("/v1/webhook_endpoints", json=given).json()
    assert endpoint["signing_secret"].startswith("whsec_")
    path = f"/v1/webhook_endpoints/{endpoint['id']}"
    assert alice.post(path, json={"name": "b"}).json()["name"] == "b"
    for name in ("", "b" * 81, 3):
        error_of(alice.post(path, json={"name": name}), 400)
    assert "signing_secret" not in alice.get(path).json()
    assert alice.post(path, json={"event_types": ["video.failed"] * 100}).json()["event_types"] == ["video.failed"]
    for _ in range(MOST_ENDPOINTS - 1):
        assert alice.post("/v1/webhook_endpoints", json=given).status_code == 200
    assert error_of(alice.post("/v1/webhook_endpoints", json=given), 400)["code"] == "too_many_endpoints"
    for answer in (bob.get(path), bob.post(path, json={}), bob.delete(path), bob.post(f"{path}/rotate_secret")):
        error_of(answer, 404)
    assert alice.get("/v1/webhook_event_types").json()["data"]


@both
def test_deeds_are_in_the_audit_without_prompts(alice: TestClient, service: Service) -> None:
    video_id = alice.post("/v1/videos", json=SMALL).json()["id"]
    alice.delete(f"/v1/videos/{video_id}")
    with service.database.reading() as session:
        lines = list(session.scalars(select(AuditLine)))
        assert [line.action for line in lines if line.subject == video_id] == ["video.created", "video.deleted"]
        assert "red ball" not in " ".join(line.detail for line in lines)
        assert first_broken(session) is None
        assert session.scalars(select(VideoRow.prompt)).one() == ""


def test_a_bug_is_500_in_the_one_shape(enter: Enter, service: Service) -> None:
    alice = enter("alice")
    video_id = alice.post("/v1/videos", json=SMALL).json()["id"]
    with service.database.writing.begin() as session:
        session.execute(update(VideoRow).values(status="lost"))
    assert error_of(alice.get(f"/v1/videos/{video_id}"), 500)["type"] == "server_error"


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_a_lost_storage_is_told_by_health(enter: Enter, service: Service) -> None:
    alice = enter("alice")
    assert alice.get("/healthz").json()["counts"]["workers"] == 0
    service.database.writing.kw["bind"].dispose()
    (service.settings.folder / "library.sqlite").unlink()
    assert alice.get("/healthz").status_code == 503


def test_lost_files_are_told_by_health(enter: Enter, service: Service) -> None:
    alice = enter("alice")
    assert alice.get("/healthz").status_code == 200
    shutil.rmtree(service.settings.storage_url)
    Path(service.settings.storage_url).touch()
    answer = alice.get("/healthz")
    assert (answer.status_code, answer.json()["reason"]) == (503, "FileExistsError")


def test_the_committed_description_is_the_one_that_is_served(service: Service) -> None:
    committed = json.loads((ROOT / "docs" / "openapi.json").read_text())
    assert committed == create_app(service).openapi()
