"""Reports, appeals, take-downs with all that was made from them, suspensions, incidents; and that the audit tells."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from sqlalchemy import select, update
from starlette.testclient import TestClient
from tests.server.conftest import SMALL, Enter, both, error_of, finish

from sorairo.cli.moderating import incident, reports, suspend, takedown
from sorairo.pipelines.policy import RefusedError
from sorairo.server import moderation
from sorairo.server.access import Service
from sorairo.server.audit import lines
from sorairo.server.jobs import Jobs
from sorairo.server.keys import SCOPES, open_account
from sorairo.server.storage import Storage
from sorairo.server.tables import VideoRow, now


@pytest.fixture
def bob(enter: Enter) -> TestClient:
    return enter("bob", scopes=SCOPES[:-1])


@pytest.fixture
def admin(enter: Enter) -> TestClient:
    return enter("root", tier="operator")


def made(client: TestClient, service: Service, path: str = "", content: bytes = b"0123456789", **fields: Any) -> str:
    """The id of a finished video."""
    answer = client.post(f"/v1/videos{path}", json=SMALL | fields if not path else fields)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    video: str = told["data"][0]["id"] if "data" in told else told["id"]
    finish(service, video, content)
    with service.database.writing.begin() as session:
        row = session.scalars(select(VideoRow).where(VideoRow.id == video)).one()
        row.completed_at = now()
    return video


def derive(service: Service, video: str, source: str) -> None:
    """As if `video` had been made from `source`."""
    with service.database.writing.begin() as session:
        session.execute(update(VideoRow).where(VideoRow.id == video).values(sources=f" video_0  {source} "))


def upload(client: TestClient, clip: bytes, name: str = "") -> str:
    """The id of a file, or with a name of a character."""
    path, field = ("/v1/videos/characters", "video") if name else ("/v1/files", "file")
    answer = client.post(path, data={"name": name} if name else {}, files={field: ("a.mp4", clip)})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def take_down(admin: TestClient, source: str, **fields: Any) -> list[str]:
    """The videos that went down with it."""
    answer = admin.post("/v1/admin/takedowns", json={"video_id": source, "reason": "stolen", **fields})
    assert answer.status_code == 200, answer.text
    videos: list[str] = answer.json()["videos"]
    return videos


def stored(service: Service, folder: str) -> bool:
    return (service.settings.folder / "files" / folder).exists()


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
    derive(service, blend, remix)
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


@both
def test_a_take_down_goes_on_through_what_was_deleted(
    alice: TestClient, admin: TestClient, service: Service, clip: bytes
) -> None:
    """Each link by the tools themselves: a second clip, a key frame, a variation, a character's first frame."""
    source, other = (made(alice, service, content=clip) for _ in range(2))
    pair = {"video": {"id": other}, "second_video": {"id": source}}
    blend = made(alice, service, "/blends", clip, **pair, prompt="both")
    framed = made(alice, service, content=clip, keyframes=[{"id": blend, "time": 0}])
    varied = made(alice, service, f"/{framed}/variations", clip, num_variations=1)
    for video in (blend, framed):
        assert alice.delete(f"/v1/videos/{video}").status_code == 200
    assert take_down(admin, source) == [source, blend, framed, varied]
    assert error_of(alice.get(f"/v1/videos/{varied}/content"), 404)
    assert alice.get(f"/v1/videos/{other}/content").status_code == 200
    mo = upload(alice, clip, "Mo")
    rolled = made(alice, service, content=clip, prompt="Mo rolls", characters=[{"id": mo}])
    alice.delete(f"/v1/videos/characters/{mo}")
    assert take_down(admin, mo) == [rolled]


def test_words_and_parts_of_names_are_no_sources(alice: TestClient, admin: TestClient, service: Service) -> None:
    video = made(alice, service, prompt="red/blue/green")
    derive(service, video, "file_5")
    for name in ("blue", "file_", "file%5", "video_none"):
        error_of(admin.post("/v1/admin/takedowns", json={"video_id": name, "reason": "x"}), 404)
    assert take_down(admin, "file_5") == [video]


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize("source", ["video", "file", "Mo"])
def test_nothing_is_made_of_what_is_taken_down(
    alice: TestClient, admin: TestClient, service: Service, clip: bytes, source: str
) -> None:
    """Also where the request itself comes from a clip that may be used: the source is looked at when it is taken."""
    name = made(alice, service, content=clip) if source == "video" else upload(alice, clip, source.removeprefix("file"))
    use = {"video": {"id": name}, "prompt": "x"}
    child = made(alice, service, "/edits", clip, **use)
    assert take_down(admin, name)[-1] == child
    error_of(alice.post("/v1/videos/edits", json=use), 404)
    assert error_of(alice.post(f"/v1/videos/{child}/variations", json={}), 404)["code"] == "video_not_ready"
    admin.post(f"/v1/admin/videos/{child}/restore")
    late = alice.post(f"/v1/videos/{child}/variations", json={"num_variations": 1}).json()["data"][0]["id"]
    jobs = Jobs(service.settings, service.database, "worker")
    jobs.begin(late)
    outcome = jobs.run("sampling", late, {})
    assert (outcome["code"], "was taken down" in outcome["message"]) == ("invalid_request", True)
    assert admin.post(f"/v1/admin/videos/{name}/restore").status_code == 200
    assert alice.post("/v1/videos/edits", json=use).status_code == 200


@pytest.mark.parametrize("name", ["", "Mo"])
def test_an_upload_is_taken_down_though_nothing_was_made_of_it(
    alice: TestClient, admin: TestClient, service: Service, clip: bytes, name: str
) -> None:
    file = upload(alice, clip, name)
    assert take_down(admin, file) == []
    assert error_of(alice.post("/v1/videos", json=SMALL | {"input_reference": {"id": file}}), 404)
    assert alice.get("/v1/videos/characters").json()["data"] == []
    if name:
        error_of(alice.get(f"/v1/videos/characters/{file}/content"), 404)
        error_of(alice.delete(f"/v1/videos/characters/{file}"), 404)
    assert stored(service, f"uploads/{file}")
    take_down(admin, file, purge=True)
    assert not stored(service, f"uploads/{file}")
    error_of(admin.post(f"/v1/admin/videos/{file}/restore"), 404)
    done = [action for action, subject in actions(service) if subject == file]
    assert done == ["file.taken_down", "video.purged"]


def test_what_is_purged_is_gone(alice: TestClient, admin: TestClient, service: Service) -> None:
    """In one call with the take-down, or later, of all that went down; but not of what was given back."""
    source, remix, other = (made(alice, service) for _ in range(3))
    derive(service, remix, source)
    assert take_down(admin, source) == [source, remix]
    assert stored(service, f"videos/{remix}")
    assert take_down(admin, source, purge=True) == []
    take_down(admin, other, purge=True)
    for video in (source, remix, other):
        assert not stored(service, f"videos/{video}")
        error_of(admin.post(f"/v1/admin/videos/{video}/restore"), 404)
    assert [subject for action, subject in actions(service) if action == "video.purged"] == [source, other]


def test_a_video_that_is_down_is_deleted_with_its_files(alice: TestClient, admin: TestClient, service: Service) -> None:
    video = made(alice, service)
    take_down(admin, video)
    assert alice.delete(f"/v1/videos/{video}").status_code == 200
    assert not stored(service, f"videos/{video}")
    error_of(admin.post(f"/v1/admin/videos/{video}/restore"), 404)


def test_what_is_written_in_a_form_stays_a_text(alice: TestClient, admin: TestClient, service: Service) -> None:
    video = made(alice, service)
    case = alice.post(f"/v1/videos/{video}/reports", data={"reason": "hate", "message": "true"}).json()
    assert case["message"] == "true"
    closed = admin.post(f"/v1/admin/cases/{case['id']}", data={"outcome": "upheld", "answer": "[gone]"})
    assert closed.json()["answer"] == "[gone]"
    assert alice.post("/v1/videos", data=SMALL | {"consent": "true"}).status_code == 200


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
    database = service.database

    class Slow(Storage):
        """While it fetches, somebody else writes."""

        def fetch(self, name: str, target: Path) -> Path:
            with database.writing.begin() as session:
                open_account(session, "somebody")
            return super().fetch(name, target)

    moderation.hand_over(database, Slow(service.settings.storage_url), source, tmp_path / "incident.zip")
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
    alice.post(f"/v1/videos/{video}/reports", json={"reason": "violence", "message": "blood\x1b[2J\nand more"})
    here = ["--folder", str(service.settings.folder), "--database", service.settings.database_url]

    def run(command: Any, *arguments: str) -> str:
        result = CliRunner().invoke(command, [*arguments, *here], standalone_mode=False, catch_exceptions=False)
        return result.stdout.strip()

    case, *rest = run(reports).split("  ")
    assert rest == ["report", video, "violence", "alice", "blood [2J and more"], "nothing takes over a terminal"
    assert run(takedown, video, "--reason", "blood") == video
    run(reports, "--close", case, "--as", "upheld", "--answer", "gone")
    assert run(reports) == ""
    assert run(reports, "--outcome", "upheld").startswith(case)
    run(suspend, "alice", "--days", "1", "--reason", "blood")
    assert error_of(alice.post("/v1/videos", json=SMALL), 403)
    with pytest.raises(click.UsageError, match="cannot be given back"):
        run(takedown, video, "--reason", "a mistake", "--restore", "--purge")
    assert run(takedown, video, "--reason", "a mistake", "--restore") == video
    out = service.settings.folder / "incident.zip"
    assert run(incident, video, "--output", str(out)) == str(out)
    assert zipfile.is_zipfile(out)
    assert run(takedown, video, "--reason", "blood", "--purge") == video
    assert not stored(service, f"videos/{video}")
    with pytest.raises(ValueError, match="video is 'video_none'"):
        run(takedown, "video_none", "--reason", "x")
    for command in ([takedown, video], [suspend, "alice", "--days", "1"]):
        with pytest.raises(ValueError, match="reason is empty"):
            run(*command, "--reason", " ")


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
    assert told[refused]["policy"].startswith("sorairo-")
    assert "porn" not in json.dumps(told)
