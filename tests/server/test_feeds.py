"""Feeds: off until the operator opens them, what owners chose and the stricter policy let through, and nothing else."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import update
from starlette.testclient import TestClient
from tests.server.conftest import SMALL, Enter, Mother, both, error_of, finish, row_of, wait_for

from sorairo.media import write_mp4
from sorairo.pipelines import policy
from sorairo.pipelines.publication import judge_public
from sorairo.pipelines.request import Anchor, Material, VideoRequest
from sorairo.server.access import Service
from sorairo.server.audit import lines
from sorairo.server.jobs import Jobs
from sorairo.server.keys import SCOPES
from sorairo.server.moderation import penalise
from sorairo.server.tables import VideoRow, now


@pytest.fixture
def service(service: Service) -> Service:
    return replace(service, settings=replace(service.settings, feeds=True))


@pytest.fixture
def jobs(service: Service) -> Jobs:
    return Jobs(service.settings, service.database, "here-0")


@pytest.fixture
def mp4(tmp_path: Path) -> bytes:
    frames = np.random.default_rng(0).integers(0, 255, (9, 32, 64, 3), np.uint8)
    write_mp4(tmp_path / "made.mp4", frames, width=64, height=32, fps=8)
    return (tmp_path / "made.mp4").read_bytes()


def made(client: TestClient, service: Service, mp4: bytes, **fields: Any) -> str:
    video_id = str(client.post("/v1/videos", json=SMALL | fields).json()["id"])
    finish(service, video_id, mp4)
    return video_id


def show(client: TestClient, video_id: str, **fields: Any) -> dict[str, Any]:
    answer = client.post(f"/v1/videos/{video_id}", json={"published": True, **fields})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def judged(jobs: Jobs, service: Service) -> VideoRow:
    video_id = jobs.next_to_judge()
    assert video_id
    jobs.judge(video_id)
    return row_of(service, video_id)


def seen(client: TestClient, feed: str = "recent", **query: Any) -> list[str]:
    return [video["id"] for video in client.get(f"/v1/feeds/{feed}", params=query).json()["data"]]


def test_without_feeds_nothing_can_be_shown(enter: Enter, service: Service, mp4: bytes) -> None:
    object.__setattr__(service.settings, "feeds", False)
    alice = enter("alice")
    video_id = made(alice, service, mp4)
    assert error_of(alice.post(f"/v1/videos/{video_id}", json={"published": True}), 400)["code"] == "feeds_off"
    assert error_of(alice.get("/v1/feeds/recent"), 404)["code"] == "feed_not_found"
    assert alice.get("/v1/account").json()["feeds"] is False


@both
def test_what_is_published_is_seen_and_used_by_others_until_it_is_taken_back(
    enter: Enter, service: Service, jobs: Jobs, mp4: bytes
) -> None:
    alice, bob = enter("alice"), enter("bob", scopes=SCOPES[:-1])
    video_id = made(alice, service, mp4)
    edit = {"prompt": "a blue ball", "video": {"id": video_id}, "size": "64x32"}
    assert show(alice, video_id, title="Sunday")["publication"] == "pending"
    for hidden in ("pending", "judging"):
        assert row_of(service, video_id).publication == hidden
        assert seen(bob) == []
        error_of(bob.get(f"/v1/videos/{video_id}/content"), 404)
        error_of(bob.post("/v1/videos/edits", json=edit), 404)
        assert jobs.next_to_judge() in (video_id, None)
    jobs.judge(video_id)
    (told,) = bob.get("/v1/feeds/recent").json()["data"]
    assert {name: told[name] for name in ("id", "author", "title", "prompt", "size", "featured")} == {
        "id": video_id, "author": "alice", "title": "Sunday", "prompt": "a red ball", "size": "64x32",
        "featured": False,
    }  # fmt: skip
    content = bob.get(f"/v1/videos/{video_id}/content")
    assert (content.content, content.headers["cache-control"]) == (mp4, "private, no-store")
    assert bob.get(f"/v1/videos/{video_id}/credentials").json()["state"] == "none"
    assert bob.post("/v1/videos/edits", json=edit).json()["remixed_from_video_id"] == video_id
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", ""), ("GET", "/events"), ("POST", "/variations")):
        error_of(bob.request(method, f"/v1/videos/{video_id}{path}", json={}), 404)
    assert alice.post(f"/v1/videos/{video_id}", json={"published": False}).json()["publication"] == "private"
    assert seen(bob) == []
    error_of(bob.get(f"/v1/videos/{video_id}/content"), 404)


def test_what_was_told_in_full_is_shown_as_it_was_written(
    enter: Enter, service: Service, jobs: Jobs, mp4: bytes
) -> None:  # fmt: skip
    alice = enter("alice")
    video_id = made(alice, service, mp4, expand=True)
    asked = VideoRequest.from_json(row_of(service, video_id).request)
    with service.database.writing.begin() as session:
        told = replace(asked, prompt="There is a red ball. It is night.").to_json()
        session.execute(update(VideoRow).values(request=told, expansion_note="told in full"))
    assert alice.get(f"/v1/videos/{video_id}").json()["expanded_prompt"] == "There is a red ball. It is night."
    show(alice, video_id)
    assert judged(jobs, service).publication == "published"
    (shown,) = enter("bob").get("/v1/feeds/recent").json()["data"]
    assert shown["prompt"] == "a red ball"
    assert not {"expanded_prompt", "expansion_note"} & set(shown)
    (other,) = alice.post(f"/v1/videos/{video_id}/variations", json={"num_variations": 1}).json()["data"]
    assert (other["prompt"], other["expanded_prompt"]) == ("a red ball", "There is a red ball. It is night.")
    alice.delete(f"/v1/videos/{video_id}")
    assert (row_of(service, video_id).expanded_prompt, row_of(service, video_id).expansion_note) == (None, "")


def test_featured_is_what_the_operator_chose(enter: Enter, service: Service, jobs: Jobs, mp4: bytes) -> None:
    alice, bob = enter("alice"), enter("bob", scopes=SCOPES[:-1])
    mine = [made(alice, service, mp4) for _ in range(3)]
    error_of(alice.post(f"/v1/admin/videos/{mine[0]}", json={"featured": True}), 404)  # nobody published it
    for video_id in mine:
        show(alice, video_id)
        judged(jobs, service)
    error_of(bob.post(f"/v1/admin/videos/{mine[1]}", json={"featured": True}), 403)
    assert alice.post(f"/v1/admin/videos/{mine[1]}", json={"featured": True}).json()["featured"] is True
    assert (seen(bob, "featured"), seen(bob)) == ([mine[1]], mine[::-1])
    assert seen(bob, limit=2) + seen(bob, limit=2, after=mine[1]) == mine[::-1]
    error_of(bob.get("/v1/feeds/recent", params={"after": made(bob, service, mp4)}), 404)
    alice.post(f"/v1/admin/videos/{mine[1]}", json={"featured": False})
    alice.delete(f"/v1/videos/{mine[0]}")
    assert (seen(bob, "featured"), seen(bob)) == ([], [mine[2], mine[1]])


def test_only_what_is_finished_can_be_published(enter: Enter, service: Service, jobs: Jobs) -> None:
    alice = enter("alice")
    video_id = alice.post("/v1/videos", json=SMALL).json()["id"]
    assert error_of(alice.post(f"/v1/videos/{video_id}", json={"published": True}), 404)["code"] == "video_not_ready"
    assert jobs.next_to_judge() is None


@pytest.mark.parametrize("field", ["title", "prompt", "negative_prompt", "consent"])
def test_texts_are_judged_again(enter: Enter, service: Service, jobs: Jobs, mp4: bytes, field: str) -> None:
    """All that everybody reads: under the clip, and in its credentials."""
    alice, text = enter("alice"), "Mickey Mouse runs"
    video_id = made(alice, service, mp4, **({field: text} if field != "title" else {}))
    show(alice, video_id, **({"title": text} if field == "title" else {}))
    row = judged(jobs, service)
    assert row.publication == "refused"
    assert row.publication_reason.startswith(f"{field}: refused as characters")
    assert seen(alice) == []
    assert show(alice, video_id)["publication_reason"] == ""


def test_whose_face_it_is_may_be_stated(enter: Enter, service: Service, jobs: Jobs, mp4: bytes) -> None:
    alice = enter("alice")
    show(alice, made(alice, service, mp4, consent="It is my own face; I am 34 and agree to this."))
    assert judged(jobs, service).publication == "published"
    show(alice, made(alice, service, mp4, consent="It is my own face, says a murderer who stabs a woman."))
    assert judged(jobs, service).publication == "refused"


def test_a_new_title_is_judged_before_it_is_seen(enter: Enter, service: Service, jobs: Jobs, mp4: bytes) -> None:
    alice = enter("alice")
    video_id = made(alice, service, mp4)
    show(alice, video_id)
    judged(jobs, service)
    assert show(alice, video_id)["publication"] == "published"  # again: nothing new
    alice.post(f"/v1/videos/{video_id}", json={"folder": "Balls"})
    assert seen(alice) == [video_id]
    assert alice.post(f"/v1/videos/{video_id}", json={"title": "New"}).json()["publication"] == "pending"
    assert seen(alice) == []
    assert jobs.next_to_judge() == video_id
    alice.post(f"/v1/videos/{video_id}", json={"title": "Mickey Mouse"})  # while it is being judged
    jobs.judge(video_id)
    assert seen(alice) == []
    assert judged(jobs, service).publication == "refused"


@both
def test_nobody_publishes_a_title_that_another_worker_has_to_judge(
    enter: Enter, service: Service, jobs: Jobs, mp4: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one judges, the owner gives another title and a second worker takes it: each decides on what it read."""
    alice, second = enter("alice"), Jobs(service.settings, service.database, "there-0")
    video_id = made(alice, service, mp4)
    show(alice, video_id, title="Sunday")
    assert jobs.next_to_judge() == video_id

    def slowly(*given: Any) -> str:
        monkeypatch.setattr("sorairo.server.jobs.judge_public", judge_public)
        show(alice, video_id, title="Mickey Mouse")
        assert second.next_to_judge() == video_id
        return judge_public(*given)

    monkeypatch.setattr("sorairo.server.jobs.judge_public", slowly)
    jobs.judge(video_id)
    assert seen(alice) == []
    second.judge(video_id)
    assert (row_of(service, video_id).publication, seen(alice)) == ("refused", [])


@both
def test_a_title_that_comes_with_a_worker_is_judged(enter: Enter, service: Service, mp4: bytes) -> None:
    """The worker's claim is not yet written down when the owner's change begins."""
    alice = enter("alice")
    video_id = made(alice, service, mp4)
    show(alice, video_id)
    change = threading.Thread(target=alice.post, args=(f"/v1/videos/{video_id}",), kwargs={"json": {"title": "Monday"}})
    with service.database.writing.begin() as session:
        session.execute(update(VideoRow).where(VideoRow.id == video_id).values(publication="judging"))
        change.start()
        time.sleep(0.5)
    change.join()
    row = row_of(service, video_id)
    assert (row.title, row.publication) == ("Monday", "pending")


def test_a_title_is_shown_in_the_policy_s_words(enter: Enter, service: Service, jobs: Jobs, mp4: bytes) -> None:
    alice = enter("alice")
    show(alice, made(alice, service, mp4), title="My Coca-Cola can")
    row = judged(jobs, service)
    (shown,) = alice.get("/v1/feeds/recent").json()["data"]
    assert (row.publication, "Coca-Cola" in row.title, shown["title"]) == ("published", False, row.title)


def test_nobody_publishes_while_suspended(enter: Enter, service: Service, jobs: Jobs, mp4: bytes) -> None:
    alice, bob = enter("alice"), enter("bob")
    videos = [made(client, service, mp4) for client in (alice, bob)]
    for client, video_id in zip((alice, bob), videos, strict=True):
        show(client, video_id)
    for days, waiting in ((1, videos[1]), (0, videos[0])):
        with service.database.writing.begin() as session:
            penalise(session, "alice", days, "blood")
        assert jobs.next_to_judge() == waiting
        assert jobs.next_to_judge() is None


def test_who_asks_again_waits_again(
    enter: Enter, service: Service, jobs: Jobs, mp4: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob, moments = enter("alice"), enter("bob"), iter((now(), now() + 1, now() + 2))
    monkeypatch.setattr("sorairo.server.library.now", lambda: next(moments))
    first, second = (client.post("/v1/videos", json=SMALL).json()["id"] for client in (alice, bob))
    for video_id in (first, second):
        finish(service, video_id, mp4)
    for client, video_id in ((alice, first), (bob, second)):
        show(client, video_id)
    assert jobs.next_to_judge() == first
    show(alice, first, title="Monday")
    assert [jobs.next_to_judge() for _ in range(2)] == [second, first]


@pytest.mark.parametrize(("score", "result"), [(0.78, "refused"), (0.7, "published")])
def test_frames_have_a_lower_threshold_than_for_their_owner(
    enter: Enter, service: Service, jobs: Jobs, mp4: bytes, score: float, result: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.8 for the owner, 0.76 for all."""
    monkeypatch.setattr(policy, "opened", lambda _kind: lambda _frame: score)
    alice = enter("alice")
    show(alice, made(alice, service, mp4))
    row = judged(jobs, service)
    assert row.publication == result
    assert ("the frame at 0 s: refused as sexual" in row.publication_reason) == (result == "refused")


def test_faces_from_uploads_stay_private_whatever_was_consented_to(
    enter: Enter, service: Service, jobs: Jobs, mp4: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "opened", lambda kind: lambda _frame: 0.9 * (kind is policy.FaceDetector))
    alice = enter("alice")
    plain, used = made(alice, service, mp4), made(alice, service, mp4)
    request = VideoRequest("a man waves", anchors=(Anchor(Material("x.png")),), consent="All are adults and agree.")
    with service.database.writing.begin() as session:
        session.execute(update(VideoRow).where(VideoRow.id == used).values(request=request.to_json()))
    for video_id, result in ((plain, "published"), (used, "refused")):
        show(alice, video_id)
        assert judged(jobs, service).publication == result
    assert "somebody's face is in it" in row_of(service, used).publication_reason


def test_what_cannot_be_judged_is_refused_and_may_be_asked_again(enter: Enter, service: Service, jobs: Jobs) -> None:
    alice = enter("alice")
    video_id = made(alice, service, b"no clip")
    show(alice, video_id)
    row = judged(jobs, service)
    assert (row.publication, row.publication_reason[:17]) == ("refused", "The server failed")
    show(alice, video_id)
    assert jobs.next_to_judge() == video_id
    assert jobs.next_to_judge() is None, "what takes a worker down is not tried again by itself"
    alice.post(f"/v1/videos/{video_id}", json={"published": False})
    jobs.judge(video_id)
    assert row_of(service, video_id).publication == "private"


def test_a_worker_judges_and_makes_in_turns(enter: Enter, service: Service, mp4: bytes, mother: Mother) -> None:
    """So that neither those who publish nor those who wait for a video can be kept waiting by the others."""
    alice = enter("alice")
    first, second = (made(alice, service, mp4) for _ in range(2))
    queued = [alice.post("/v1/videos", json=SMALL | {"num_inference_steps": 2}).json()["id"] for _ in range(2)]
    for video_id in (first, second):
        show(alice, video_id)
    worker = mother.bear(service.settings)
    wait_for(service, queued[1])
    os.kill(worker, signal.SIGTERM)
    assert mother.bury() == 0
    with service.database.reading() as session:
        told = [line.subject for line in lines(session) if line.actor.endswith("-0")]
    assert told == [first, queued[0], second, queued[1]]
