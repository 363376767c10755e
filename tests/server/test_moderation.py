"""Reports, appeals, take-downs with all that was made from them, suspensions, incidents; and that the audit tells."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select
from starlette.testclient import TestClient
from tests.server.conftest import SMALL, Enter, both, error_of, finish

from sorairo.cli.moderating import incident, reports, suspend, takedown
from sorairo.pipelines.policy import RefusedError
from sorairo.server import moderation
from sorairo.server.access import Service
from sorairo.server.audit import lines
from sorairo.server.jobs import Jobs
from sorairo.server.keys import SCOPES
from sorairo.server.tables import VideoRow, now


@pytest.fixture
def bob(enter: Enter) -> TestClient:
    return enter("bob", scopes=SCOPES[:-1])


@pytest.fixture
def admin(enter: Enter) -> TestClient:
    return enter("root", tier="operator")


def made(client: TestClient, service: Service, path: str = "", **fields: Any) -> str:
    """The id of a finished video."""
    answer = client.post(f"/v1/videos{path}", json=SMALL | fields if not path else fields)
    assert answer.status_code == 200, answer.text
    video: str = answer.json()["id"]
    finish(service, video)
    with service.database.writing.begin() as session:
        row = session.scalars(select(VideoRow).where(VideoRow.id == video)).one()
        row.completed_at = now()
    return video


def derive(service: Service, video: str, source: str, asked: str = "") -> None:
    """As if `video` had been made from `source`: by the tools' field, or by what the request holds."""
    with service.database.writing.begin() as session:
        row = session.scalars(select(VideoRow).where(VideoRow.id == video)).one()
        row.remixed_from_video_id = None if asked else source
        row.request = asked or row.request


def actions(service: Service) -> list[tuple[str, str]]:
    with service.database.reading() as session:
        return [(line.action, line.subject) for line in lines(session)]


@both
def test_a_report_is_queued_decided_and_answered(
    alice: TestClient, admin: TestClient, enter: Enter, service: Service
) -> None:
    video = made(alice, service)
    body = {"reason": "hate", "message": "look at the flag"}
    case = alice.post(f"/v1/videos/{video}/reports", json=body).json()
    assert (case["kind"], case["video_id"], case["outcome"]) == ("report", video, "open")
    assert alice.post(f"/v1/videos/{video}/reports", json=body).json() == case, "pressed twice, told once"
    assert enter("bob", scopes=SCOPES[:-1]).get("/v1/cases").json()["data"] == []
    (waiting,) = admin.get("/v1/admin/cases").json()["data"]
    assert (waiting["id"], waiting["account"], waiting["message"]) == (case["id"], "alice", "look at the flag")
    told = {"outcome": "upheld", "answer": "It is gone."}
    assert admin.post(f"/v1/admin/cases/{case['id']}", json=told).status_code == 200
    assert admin.get("/v1/admin/cases").json()["data"] == []
    (seen,) = alice.get("/v1/cases").json()["data"]
    assert (seen["outcome"], seen["answer"], bool(seen["closed_at"])) == ("upheld", "It is gone.", True)
    assert {("case.report", video), ("case.closed", case["id"])} <= {*actions(service)}


def test_a_wrong_report_is_refused(alice: TestClient, bob: TestClient, service: Service) -> None:
    video = made(alice, service)
    assert error_of(alice.post(f"/v1/videos/{video}/reports", json={"reason": "ugly"}), 400)["param"] == "reason"
    long = {"reason": "hate", "message": "x" * 2001}
    assert error_of(alice.post(f"/v1/videos/{video}/reports", json=long), 400)["param"] == "message"
    assert error_of(bob.post(f"/v1/videos/{video}/reports", json={"reason": "hate"}), 404)
    assert error_of(bob.get("/v1/admin/cases"), 403)["code"] == "missing_scope"


def test_what_is_published_can_be_reported_by_others(alice: TestClient, bob: TestClient, service: Service) -> None:
    video = made(alice, service)
    with service.database.writing.begin() as session:
        row = session.scalars(select(VideoRow).where(VideoRow.id == video)).one()
        row.publication, row.published_at = "published", now()
    bob.app.state.service = replace(service, settings=replace(service.settings, feeds=True))  # type: ignore[attr-defined]
    assert bob.post(f"/v1/videos/{video}/reports", json={"reason": "my_rights"}).status_code == 200


@both
def test_the_operator_sees_what_a_case_is_about_and_the_audit_tells(
    alice: TestClient, bob: TestClient, admin: TestClient, service: Service
) -> None:
    video = made(alice, service)
    case = alice.post(f"/v1/videos/{video}/reports", json={"reason": "hate"}).json()["id"]
    account = alice.post("/v1/appeals", json={"message": "lift it"}).json()["id"]
    first, second = admin.get("/v1/admin/cases").json()["data"]
    assert (first["owner"], first["video"]["prompt"], first["video"]["watchable"]) == ("alice", "a red ball", True)
    assert (second["owner"], second["video"], second["suspended_until"]) == ("alice", None, 0)
    path = f"/v1/admin/cases/{case}/content"
    error_of(admin.get(f"/v1/videos/{video}/content"), 404)
    for _ in ("private", "taken down"):
        answer = admin.get(path, headers={"range": "bytes=2-3"})
        assert (answer.status_code, answer.content) == (206, b"23")
        assert answer.headers["cache-control"] == "private, no-store"
        admin.post("/v1/admin/takedowns", json={"video_id": video, "reason": "x"})
    assert [subject for action, subject in actions(service) if action == "video.watched"] == [video, video]
    assert error_of(bob.get(path), 403)["code"] == "missing_scope"
    assert error_of(admin.get(f"/v1/admin/cases/{account}/content"), 404)["code"] == "case_not_found"
    admin.post(f"/v1/admin/videos/{video}/restore")
    alice.delete(f"/v1/videos/{video}")
    assert admin.get("/v1/admin/cases").json()["data"][0]["video"]["watchable"] is False
    error_of(admin.get(path), 404)


@both
def test_a_take_down_takes_what_was_made_from_it_too(
    alice: TestClient, bob: TestClient, admin: TestClient, service: Service
) -> None:
    source, remix, remixed, other = (made(alice, service) for _ in range(4))
    blend = made(bob, service)
    derive(service, remix, source)
    derive(service, remixed, remix)
    with service.database.reading() as session:
        asked = session.scalars(select(VideoRow.request).where(VideoRow.id == blend)).one()
    derive(service, blend, source, asked[:-1] + f', "source": {{"path": "videos/{remix}/video.mp4"}}}}')
    queued = alice.post("/v1/videos", json=SMALL).json()["id"]
    derive(service, queued, remixed)

    answer = admin.post("/v1/admin/takedowns", json={"video_id": source, "reason": "a face without consent"}).json()
    assert set(answer["videos"]) == {source, remix, remixed, blend, queued}
    for client, video in ((alice, source), (alice, remixed), (bob, blend), (alice, queued)):
        seen = client.get(f"/v1/videos/{video}").json()
        assert (seen["status"], seen["error"]["code"], seen["publication"]) == ("failed", "taken_down", "private")
        assert "a face without consent" in seen["error"]["message"]
        assert error_of(client.get(f"/v1/videos/{video}/content"), 404)["code"] == "video_not_ready"
    assert error_of(alice.post(f"/v1/videos/{source}/remix", json={"prompt": "x"}), 404)
    assert alice.get(f"/v1/videos/{other}/content").status_code == 200
    assert [subject for action, subject in actions(service) if action == "video.taken_down"] == answer["videos"]

    assert admin.post(f"/v1/admin/videos/{remix}/restore").status_code == 200
    assert alice.get(f"/v1/videos/{remix}/content").content == b"0123456789"
    assert error_of(admin.post(f"/v1/admin/videos/{queued}/restore"), 404), "it was never finished"
    assert error_of(admin.post("/v1/admin/takedowns", json={"video_id": "video_none", "reason": "x"}), 404)


def test_an_upload_is_taken_down_by_what_was_made_from_it(alice: TestClient, service: Service) -> None:
    video = made(alice, service)
    with service.database.writing.begin() as session:
        row = session.scalars(select(VideoRow).where(VideoRow.id == video)).one()
        row.request = row.request[:-1] + ', "anchors": [{"path": "uploads/file_5/picture.png"}]}'
        assert moderation.take_down(session, "file_", "x") == [] if moderation.derived(session, "file_") else True
        assert [row.id for row in moderation.take_down(session, "file_5", "stolen")] == [video]


def test_what_is_purged_is_gone(alice: TestClient, admin: TestClient, service: Service) -> None:
    video = made(alice, service)
    admin.post("/v1/admin/takedowns", json={"video_id": video, "reason": "x", "purge": True})
    with pytest.raises(FileNotFoundError):
        service.storage.size(f"videos/{video}/video.mp4")
    assert error_of(admin.post(f"/v1/admin/videos/{video}/restore"), 404)


@both
def test_a_suspended_account_looks_and_appeals_and_no_more(
    alice: TestClient, bob: TestClient, admin: TestClient, service: Service
) -> None:
    video = made(alice, service)
    (account,) = {key["id"]: key for key in admin.get("/v1/admin").json()["keys"] if key["account"] == "alice"}.values()
    assert account
    row = admin.post("/v1/admin/accounts/alice", json={"days": 3, "reason": "three reports upheld"}).json()
    assert 2.9 * 86_400 < row["suspended_until"] - now() <= 3 * 86_400
    refusal = error_of(alice.post("/v1/videos", json=SMALL), 403)
    assert (refusal["code"], "three reports upheld" in refusal["message"]) == ("account_suspended", True)
    assert error_of(alice.delete(f"/v1/videos/{video}"), 403)["code"] == "account_suspended"
    assert alice.get(f"/v1/videos/{video}/content").status_code == 200
    assert alice.get("/v1/account").json()["suspended"] == refusal["message"]
    assert bob.get("/v1/account").json()["suspended"] == ""
    case = alice.post("/v1/appeals", json={"message": "it was satire"}).json()
    assert (case["kind"], case["reason"], case["video_id"]) == ("appeal", "account", "")
    assert bob.post("/v1/videos", json=SMALL).status_code == 200
    assert admin.post("/v1/admin/accounts/alice", json={"days": 0}).json()["suspended_until"] == 0
    assert alice.post("/v1/videos", json=SMALL).status_code == 200
    done = [action for action, _ in actions(service) if action.startswith("account.") and action != "account.tier"]
    assert done == ["account.suspended", "account.restored"]


def test_an_owner_appeals_against_a_take_down(
    alice: TestClient, bob: TestClient, admin: TestClient, service: Service
) -> None:
    video = made(alice, service)
    admin.post("/v1/admin/takedowns", json={"video_id": video, "reason": "x"})
    body = {"video_id": video, "message": "I painted it"}
    assert alice.post("/v1/appeals", json=body).json()["reason"] == "taken_down"
    assert error_of(bob.post("/v1/appeals", json=body), 404)
    assert error_of(alice.post("/v1/appeals", json={"message": " "}), 400)["param"] == "message"


def test_the_cases_of_one_account_have_an_end(alice: TestClient, service: Service) -> None:
    with service.database.writing.begin() as session:
        owner = session.scalars(select(VideoRow.account_id).where(VideoRow.id == made(alice, service))).one()
    with service.database.writing.begin() as session:
        for number in range(50):
            moderation.file_case(session, "key", owner, "report", f"video_{number}", reason="other")
    assert "50 of this account" in error_of(alice.post("/v1/appeals", json={"message": "x"}), 400)["message"]


@pytest.mark.parametrize(
    ("path", "body", "status", "param"),
    [
        ("cases/case_none", {"outcome": "upheld"}, 404, "case_id"),
        ("accounts/none", {"days": 1, "reason": "x"}, 404, "account_id"),
        ("accounts/alice", {"days": 1}, 400, "reason"),
        ("accounts/alice", {"days": "many", "reason": "x"}, 400, "days"),
        ("takedowns", {"video_id": "video_none"}, 400, "reason"),
    ],
)
def test_an_operator_s_mistake_is_told(
    admin: TestClient, alice: TestClient, path: str, body: dict[str, Any], status: int, param: str
) -> None:
    assert error_of(admin.post(f"/v1/admin/{path}", json=body), status)["param"] == param


def test_an_incident_is_handed_over_as_one_file(
    alice: TestClient, admin: TestClient, service: Service, tmp_path: Path
) -> None:
    source = made(alice, service)
    remix = made(alice, service)
    derive(service, remix, source)
    alice.post(f"/v1/videos/{source}/reports", json={"reason": "hate"})
    clip = (Path(__file__).parents[2] / "docs" / "gallery" / "01.webp").read_bytes()
    finish(service, source, clip)
    with service.database.writing.begin() as session:
        moderation.hand_over(session, service.storage, source, tmp_path / "incident.zip")
    with zipfile.ZipFile(tmp_path / "incident.zip") as archive:
        assert archive.read("video.mp4") == clip
        told = json.loads(archive.read("incident.json"))
    assert told["video"]["request"]["prompt"] == SMALL["prompt"]
    assert told["credentials"]["state"] in ("trusted", "valid")
    assert [case["reason"] for case in told["cases"]] == ["hate"]
    assert (told["derived"], told["account"]["name"], told["audit_broken_at"]) == ([remix], "alice", None)
    assert [line["action"] for line in told["audit"]][-3:] == ["video.created", "case.report", "video.handed_over"]


def test_the_commands_do_the_same(alice: TestClient, service: Service) -> None:
    video = made(alice, service)
    alice.post(f"/v1/videos/{video}/reports", json={"reason": "violence", "message": "blood"})
    here = ["--folder", str(service.settings.folder)]

    def run(command: Any, *arguments: str) -> str:
        result = CliRunner().invoke(command, [*arguments, *here], standalone_mode=False, catch_exceptions=False)
        return result.stdout.strip()

    case, *rest = run(reports).split("  ")
    assert rest == ["report", video, "violence", "alice", "blood"]
    assert run(takedown, video, "--reason", "blood") == video
    run(reports, "--close", case, "--as", "upheld", "--answer", "gone")
    assert run(reports) == ""
    assert run(reports, "--outcome", "upheld").startswith(case)
    run(suspend, "alice", "--days", "1", "--reason", "blood")
    assert error_of(alice.post("/v1/videos", json=SMALL), 403)
    assert run(takedown, video, "--reason", "a mistake", "--restore") == video
    out = service.settings.folder / "incident.zip"
    assert run(incident, video, "--output", str(out)) == str(out)
    assert zipfile.is_zipfile(out)
    with pytest.raises(ValueError, match="video is 'video_none'"):
        run(takedown, "video_none", "--reason", "x")


def test_each_group_has_its_thresholds_and_the_audit_tells_the_decision(enter: Enter, service: Service) -> None:
    jobs = Jobs(service.settings, service.database, "worker")
    video = enter("ada", tier="early-access").post("/v1/videos", json=SMALL).json()["id"]
    with service.database.writing.begin() as session:
        session.scalars(select(VideoRow).where(VideoRow.id == video)).one().prompt = "x"
    jobs.begin(video)
    jobs.steps["policy"](video)
    refused = (
        enter("ada", tier="early-access").post("/v1/videos", json=SMALL | {"prompt": "hardcore porn"}).json()["id"]
    )
    jobs.begin(refused)
    with pytest.raises(RefusedError):
        jobs.steps["policy"](refused)
    with service.database.reading() as session:
        told = {line.subject: json.loads(line.detail) for line in lines(session) if line.action == "video.judged"}
    assert (told[video]["decision"], told[refused]["decision"]) == ("allow", "refuse")
    assert told[refused]["categories"] == "sexual"
    assert told[refused]["policy"].startswith("sorairo-default ")
    assert "porn" not in json.dumps(told)
