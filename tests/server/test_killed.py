"""kill -9 of a real worker in each step of a job, with either database: nothing is lost, made or paid for twice."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import replace

import pytest
from sqlalchemy import func, select, update
from tests.server.conftest import Mother, Receiver, both, row_of, wait_for

from sorairo.pipelines import VideoRequest
from sorairo.server.access import Service
from sorairo.server.keys import Caller, open_account
from sorairo.server.library import Order, credits_used, submit
from sorairo.server.tables import AuditLine, WebhookEndpoint, WorkerRow
from sorairo.server.tiers import Tiers
from sorairo.server.webhooks import new_secret
from sorairo.server.worker import claim_name

pytestmark = both
STEPS = ["policy", "expansion", "sampling", "decoding", "signing", "publishing"]


@pytest.fixture
def caller(service: Service) -> Caller:
    with service.database.writing.begin() as session:
        return Caller(open_account(session, "alice", "pro").id, "key", "pro", frozenset())


def ask(service: Service, caller: Caller) -> str:
    """A clip of a prompt that is to be told in full."""
    request = VideoRequest(
        "a red ball", width=64, height=32, seconds=1.0, num_inference_steps=4, model=service.settings.models[0],
        user_prompt="a red ball",
    )  # fmt: skip
    with service.database.writing.begin() as session:
        return submit(session, caller, Tiers().pro, Order("create", request, "tiny")).id


def listen(service: Service, caller: Caller, url: str) -> None:
    both_kinds = "video.completed video.failed"
    with service.database.writing.begin() as session:
        endpoint = WebhookEndpoint(id="we_1", account_id=caller.account_id, name="", url=url, secret=new_secret())
        endpoint.event_types = both_kinds
        session.add(endpoint)


def test_a_worker_killed_in_each_step(service: Service, caller: Caller, mother: Mother, receiver: str) -> None:
    """One video, six deaths, and one life to the end: each step is entered again, and none before it."""
    listen(service, caller, receiver)
    (service.settings.work_folder / "video_left").mkdir(parents=True)  # by a worker that nobody remembers
    video_id = ask(service, caller)
    for step in STEPS:
        mother.die_in(service.settings, step)
    row = row_of(service, video_id)
    assert row.status == "completed"  # it died after it had published, and before that was written down
    published = service.settings.folder / "files" / "videos" / video_id / "video.mp4"
    written = published.stat().st_mtime_ns
    after = ask(service, caller)
    worker = mother.bear(service.settings)
    assert (other := wait_for(service, after)).status == "completed"
    assert row.expanded_prompt == other.expanded_prompt != row.prompt == "a red ball"
    ends = time.monotonic() + 60
    while len(Receiver.got) < 2 and time.monotonic() < ends:
        time.sleep(0.1)
    os.kill(worker, signal.SIGTERM)
    assert mother.bury() == 0
    assert mother.notes.read_text().split() == sorted(STEPS * 2, key=STEPS.index)[:-1] + STEPS
    assert published.stat().st_mtime_ns == written
    assert sorted(json.loads(body)["data"]["id"] for body, _ in Receiver.got) == sorted([video_id, after])
    with service.database.reading() as session:
        assert credits_used(session, caller.account_id) == row.credits + row_of(service, after).credits
        created = session.scalar(select(func.count()).where(AuditLine.action == "video.created"))
        assert created == 2
    assert not list(service.settings.work_folder.iterdir())


def test_another_worker_takes_over_what_a_dead_one_left(
    service: Service, caller: Caller, mother: Mother, receiver: str
) -> None:
    """Two machines that do not come back: one died over a step, one before it could tell anybody of the end."""
    listen(service, caller, receiver)
    video_id, locks = ask(service, caller), []
    for fatal in ("sampling", "publishing"):
        mother.die_in(service.settings, fatal)
        with service.database.writing.begin() as session:
            session.execute(update(WorkerRow).values(seen_at=0.0))  # half a minute later
        lock, dead = claim_name(service.settings.folder)  # nobody is called so again
        locks.append(lock)
        assert row_of(service, video_id).executor == dead
    assert row_of(service, video_id).status == "completed"
    os.kill(serve_until(mother, service, 1), signal.SIGTERM)
    assert mother.bury() == 0
    for lock in locks:
        lock.close()
    assert mother.notes.read_text().split() == [*STEPS[:3], *STEPS[2:]]
    ((body, _),) = Receiver.got
    assert json.loads(body)["data"]["id"] == video_id


def test_a_delivery_outlives_its_worker(service: Service, caller: Caller, mother: Mother, receiver: str) -> None:
    """The worker is killed between two tries, and its machine does not come back: another makes the next."""
    listen(service, caller, receiver)
    Receiver.answers.append(503)
    video_id = ask(service, caller)
    os.kill(serve_until(mother, service, 1), signal.SIGKILL)
    assert mother.bury() == signal.SIGKILL
    with service.database.writing.begin() as session:
        session.execute(update(WorkerRow).values(seen_at=0.0))
    lock, _ = claim_name(service.settings.folder)
    os.kill(serve_until(mother, service, 2), signal.SIGTERM)
    assert mother.bury() == 0
    lock.close()
    first, second = Receiver.got
    assert json.loads(first[0])["data"]["id"] == video_id
    assert (first[0], first[1]["webhook-id"]) == (second[0], second[1]["webhook-id"])


def serve_until(mother: Mother, service: Service, number: int) -> int:
    """A worker that lives when so many events have been received."""
    worker, ends = mother.bear(service.settings), time.monotonic() + 60
    while len(Receiver.got) < number and time.monotonic() < ends:
        time.sleep(0.1)
    return worker


def test_a_video_that_kills_every_worker_fails_and_costs_nothing(
    service: Service, caller: Caller, mother: Mother
) -> None:
    settings = replace(service.settings, max_attempts=2)
    poison, after = ask(service, caller), ask(service, caller)
    for _ in range(2):
        mother.die_in(settings, "sampling")
    worker = mother.bear(settings)
    failed, made = wait_for(service, poison), wait_for(service, after)
    os.kill(worker, signal.SIGTERM)
    assert mother.bury() == 0
    assert (failed.status, failed.error_code, made.status) == ("failed", "worker_lost", "completed")
    with service.database.reading() as session:
        assert credits_used(session, caller.account_id) == made.credits
