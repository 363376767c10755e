"""The studio's routes without a browser: its files, a cookie's limits, names and folders, credentials, and admins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient
from tests.server.conftest import SMALL, Enter, both, error_of, finish, new_key

from sorairo.media import write_mp4
from sorairo.provenance import Manifest, sign
from sorairo.server.access import COOKIE, Service
from sorairo.server.app import create_app
from sorairo.server.tiers import price

HEADER = {"x-sorairo-studio": "1"}


@pytest.fixture
def stranger(service: Service) -> TestClient:
    """A browser that nobody is signed in with."""
    return TestClient(create_app(service), raise_server_exceptions=False)


def make(client: TestClient, **fields: str) -> str:
    answer = client.post("/v1/videos", json=SMALL | fields)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/", "text/html"), ("/app.js", "text/javascript"), ("/app.css", "text/css"), ("/icon.svg", "image/svg+xml")],
)
def test_the_studio_is_served_under_a_strict_policy(stranger: TestClient, path: str, kind: str) -> None:
    answer = stranger.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == kind
    policy = dict(rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; "))
    assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'none'", "'self'", "'self'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert stranger.get(path, headers={"if-none-match": answer.headers["etag"]}).status_code == 304


def test_no_other_file_is_served(stranger: TestClient) -> None:
    for path in ("/studio.py", "/..%2Fkeys.py", "/index", "/favicon.ico"):
        error_of(stranger.get(path), 404)


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_a_cookie_opens_what_its_key_opens(stranger: TestClient, service: Service) -> None:
    key = new_key(service, "alice")
    made_up = stranger.post("/v1/session", headers=HEADER | bearer("sorairo_1_2"))
    assert error_of(made_up, 401)["code"] == "invalid_api_key"
    error_of(stranger.post("/v1/session", headers=bearer(key)), 401)  # another site's form
    error_of(stranger.post("/v1/session", headers=HEADER), 401)
    answer = stranger.post("/v1/session", headers=HEADER | bearer(key))
    rules = {rule.strip().lower() for rule in answer.headers["set-cookie"].split(";")[1:]}
    assert rules == {"httponly", "path=/v1", "samesite=strict"}
    assert stranger.get("/v1/account").json()["name"] == "alice"
    assert error_of(stranger.post("/v1/videos", json=SMALL), 401)["code"] == "missing_api_key"
    assert stranger.post("/v1/videos", json=SMALL, headers=HEADER).status_code == 200
    stranger.delete("/v1/session")
    assert COOKIE not in stranger.cookies
    error_of(stranger.get("/v1/account"), 401)


def test_over_tls_the_cookie_stays_there(service: Service) -> None:
    client = TestClient(create_app(service), base_url="https://studio.example")
    answer = client.post("/v1/session", headers=HEADER | bearer(new_key(service, "alice")))
    assert "secure" in answer.headers["set-cookie"].lower()


@both
def test_an_account_knows_its_limits_and_what_is_left(enter: Enter) -> None:
    alice = enter("alice", "plus")
    before = alice.get("/v1/account").json()
    alice.post(f"/v1/videos/{make(alice, seconds='8', size='480x480')}", json={"folder": "Balls"})
    after = alice.get("/v1/account").json()
    limits = after["limits"]
    assert (after["tier"], limits["seconds"], after["folders"]) == ("plus", 10, ["Balls"])
    assert before["credits_left"] - after["credits_left"] == price(480, 480, 8)
    assert price(480, 480, 8) == 480 * 480 * 8 / limits["pixel_seconds_per_credit"]
    assert "{prompt}" in after["styles"]["night"]


def test_what_the_owner_notes_is_kept_and_found(enter: Enter) -> None:
    alice = enter("alice")
    first, second = make(alice, prompt="a red ball"), make(alice, prompt="a blue ball, 100%")
    noted = alice.post(f"/v1/videos/{first}", json={"title": "Sunday", "folder": "Balls", "favourite": True}).json()
    assert (noted["title"], noted["folder"], noted["favourite"]) == ("Sunday", "Balls", True)
    assert alice.get(f"/v1/videos/{first}").json()["title"] == "Sunday"

    def found(query: str) -> list[str]:
        return [video["id"] for video in alice.get(f"/v1/videos?{query}").json()["data"]]

    assert found("") == [second, first]
    assert found("search=BALL sunday") == found("folder=Balls") == found("favourite=true") == [first]
    assert found("search=100%25") == found("folder=") == found("favourite=false") == [second]
    assert found("search=1%25%25") == found("search=red blue") == []
    assert alice.post(f"/v1/videos/{first}", json={"folder": ""}).json()["folder"] == ""


@pytest.mark.parametrize("sent", [{"title": 7}, {"favourite": "yes"}, {"folder": "x" * 81}, {"status": "completed"}])
def test_nothing_else_can_be_changed(enter: Enter, sent: dict[str, object]) -> None:
    alice = enter("alice")
    video_id = make(alice)
    assert error_of(alice.post(f"/v1/videos/{video_id}", json=sent), 400)["param"] == next(iter(sent))
    assert alice.get(f"/v1/videos/{video_id}").json()["status"] == "queued"


def test_credentials_are_checked_anew_each_time(enter: Enter, service: Service, tmp_path: Path) -> None:
    alice, clip = enter("alice"), tmp_path / "clip.mp4"
    video_id = make(alice)
    assert error_of(alice.get(f"/v1/videos/{video_id}/credentials"), 404)["code"] == "video_not_ready"
    write_mp4(clip, np.zeros((9, 32, 64, 3), np.uint8), width=64, height=32, fps=8)
    sign(clip, clip, Manifest("clip.mp4", "tiny", "0" * 64, {"prompt": "a red ball"}))
    content = bytearray(clip.read_bytes())
    finish(service, video_id, bytes(content))
    found = alice.get(f"/v1/videos/{video_id}/credentials").json()
    assert (found["state"], found["reasons"], found["facts"]["model"]) == ("trusted", [], "tiny")
    assert found["facts"]["request"]["prompt"] == "a red ball"
    content[-1] ^= 1
    finish(service, video_id, bytes(content))
    assert alice.get(f"/v1/videos/{video_id}/credentials").json()["state"] == "invalid"


def test_another_account_sees_and_changes_nothing(enter: Enter, service: Service) -> None:
    alice, bob = enter("alice"), enter("bob")
    video_id = make(alice)
    finish(service, video_id)
    error_of(bob.post(f"/v1/videos/{video_id}", json={"title": "mine"}), 404)
    error_of(bob.get(f"/v1/videos/{video_id}/credentials"), 404)
    assert bob.get("/v1/videos?search=ball").json()["data"] == []
    assert bob.get("/v1/account").json()["folders"] == []


def test_only_an_admin_sees_keys_queue_and_audit(enter: Enter, service: Service) -> None:
    alice, admin = enter("alice", scopes=("videos.read", "videos.write")), enter("boss", "operator")
    for method, path in (("GET", "/v1/admin"), ("POST", "/v1/admin/keys"), ("DELETE", "/v1/admin/keys/1")):
        assert error_of(alice.request(method, path), 403)["code"] == "missing_scope"
    video_id = make(alice)
    seen = admin.get("/v1/admin").json()
    assert [(job["id"], job["account"]) for job in seen["queue"]] == [(video_id, "alice")]
    assert {key["account"] for key in seen["keys"]} == {"alice", "boss"}
    assert (seen["audit"][0]["action"], seen["audit_broken_at"]) == ("video.created", None)
    assert "red ball" not in str(seen)


def test_an_admin_makes_and_revokes_keys(enter: Enter, stranger: TestClient) -> None:
    admin = enter("boss", "operator")
    key = admin.post("/v1/admin/keys", json={"account": "carol", "tier": "plus"}).json()["key"]
    stranger.headers["authorization"] = f"Bearer {key}"
    account = stranger.get("/v1/account").json()
    assert (account["name"], account["tier"], "admin" in account["scopes"]) == ("carol", "plus", False)
    assert admin.delete(f"/v1/admin/keys/{key.split('_')[1]}").json()["object"] == "key.revoked"
    error_of(stranger.get("/v1/account"), 401)
    lines = admin.get("/v1/admin").json()["audit"]
    assert [line["action"] for line in lines[:3]] == ["key.revoked", "key.created", "account.tier"]
    own = next(key["id"] for key in admin.get("/v1/admin").json()["keys"] if key["account"] == "boss")
    assert {line["actor"] for line in lines[:3]} == {own}
    assert error_of(admin.post("/v1/admin/keys", json={"account": " "}), 400)["param"] == "account"
    assert error_of(admin.post("/v1/admin/keys", json={"account": "a", "tier": "gold"}), 400)["param"] == "tier"
    error_of(admin.delete("/v1/admin/keys/none"), 404)
