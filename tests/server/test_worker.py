"""The worker in this process, with a real DBOS: what it takes, what it gives back, and whom it tells."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from dbos import DBOS, SetWorkflowID
from sqlalchemy import select, update
from tests.server.conftest import both

from sorairo.pipelines import VideoRequest
from sorairo.server.access import Service
from sorairo.server.keys import Caller, open_account
from sorairo.server.library import Order, delete, submit
from sorairo.server.moderation import penalise
from sorairo.server.tables import VideoRow, WebhookEndpoint, WorkerRow
from sorairo.server.tiers import Tiers
from sorairo.server.webhooks import new_secret
from sorairo.server.worker import Worker

pytestmark = both


@pytest.fixture
def worker(service: Service) -> Iterator[Worker]:
    worker = Worker(service.settings)
    DBOS.launch()
    yield worker
    DBOS.destroy(destroy_registry=True)
    worker.database.writing.kw["bind"].dispose()
    worker._lock.close()


@pytest.fixture
def caller(service: Service) -> Caller:
    with service.database.writing.begin() as session:
        return Caller(open_account(session, "alice", "pro").id, "key", "pro", frozenset())


def ask(service: Service, caller: Caller, **fields: Any) -> str:
    small: dict[str, Any] = {"width": 64, "height": 32, "seconds": 1.0, "num_inference_steps": 4}
    request = VideoRequest("a red ball", model=service.settings.models[0], **small | fields)
    with service.database.writing.begin() as session:
        return submit(session, caller, Tiers().pro, Order("create", request, "tiny")).id


def row_of(service: Service, video_id: str) -> VideoRow:
    with service.database.reading() as session:
        return session.scalars(select(VideoRow).where(VideoRow.id == video_id)).one()


def make(worker: Worker, video_id: str) -> None:
    with SetWorkflowID(video_id):
        DBOS.start_workflow(worker._make, video_id).get_result()


def change(service: Service, video_id: str, **values: Any) -> None:
    with service.database.writing.begin() as session:
        session.execute(update(VideoRow).where(VideoRow.id == video_id).values(**values))


def test_nothing_is_begun_for_a_suspended_account(worker: Worker, service: Service, caller: Caller) -> None:
    video_id, later = (ask(service, caller) for _ in range(2))
    for days, waiting, status in ((1, video_id, "failed"), (0, later, "completed")):
        with service.database.writing.begin() as session:
            penalise(session, "alice", days, "blood")
        assert worker._claim() == waiting
        make(worker, waiting)
        assert row_of(service, waiting).status == status
    row = row_of(service, video_id)
    assert (row.error_code, row.stage, "blood" in row.error_message) == ("account_suspended", "queued", True)


def test_a_judgement_that_fails_does_not_stop_the_worker(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker.jobs, "judge", broken)
    worker._active.add("video_1")
    with pytest.raises(RuntimeError, match="a bug"):
        worker._judge("video_1")
    assert (worker._active, worker._woken.is_set()) == (set(), True)


def test_a_claimed_video_is_made_once(worker: Worker, service: Service, caller: Caller) -> None:
    video_id = ask(service, caller)
    assert worker._claim() == video_id
    assert worker._claim() is None
    assert row_of(service, video_id).executor == worker.executor
    make(worker, video_id)
    row = row_of(service, video_id)
    assert row.status == "completed"
    file = service.settings.folder / "files" / "videos" / video_id / "video.mp4"
    written = file.stat().st_mtime_ns
    make(worker, video_id)
    assert file.stat().st_mtime_ns == written
    assert [step["function_name"] for step in DBOS.list_workflow_steps(video_id)][:5] == [*worker.jobs.steps]


def test_what_was_never_begun_goes_back_into_the_line(worker: Worker, service: Service, caller: Caller) -> None:
    mine, dead, alive = (ask(service, caller) for _ in range(3))
    for video_id, executor in ((mine, worker.executor), (dead, "gone-0"), (alive, "busy-0")):
        change(service, video_id, status="in_progress", executor=executor)
    with service.database.writing.begin() as session:
        session.add(WorkerRow(executor="busy-0", seen_at=time.time()))
        session.add(WorkerRow(executor="gone-0", seen_at=0.0))
    worker._rescue()
    assert [row_of(service, video_id).status for video_id in (mine, dead, alive)] == ["queued", "queued", "in_progress"]


def test_what_another_worker_failed_at_and_left_fails(
    worker: Worker, service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    video_id = ask(service, caller)
    with monkeypatch.context() as patch:
        patch.setattr(worker.jobs, "begin", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            make(worker, video_id)
    change(service, video_id, status="in_progress", executor="gone-0")
    worker._rescue()
    row = row_of(service, video_id)
    assert (row.status, row.error_code) == ("failed", "server_error")


def test_a_bug_of_ours_fails_the_video_and_not_the_worker(
    worker: Worker, service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    video_id = ask(service, caller)
    assert worker._claim() == video_id
    with monkeypatch.context() as patch:
        patch.setattr(worker.jobs, "begin", broken)
        with pytest.raises(RuntimeError, match="a bug"):
            make(worker, video_id)
    worker._rescue()
    row = row_of(service, video_id)
    assert (row.status, row.error_code) == ("failed", "server_error")
    other = ask(service, caller)
    assert worker._claim() == other
    make(worker, other)
    assert row_of(service, other).status == "completed"


def broken(_video_id: str) -> dict[str, str]:
    raise RuntimeError("a bug")


def test_a_job_cut_off_after_it_was_published_ends_well(
    worker: Worker, service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DBOS knows steps by their numbers: those that come after must have the same in every run."""
    video_id = ask(service, caller)
    assert worker._claim() == video_id
    with monkeypatch.context() as patch:
        patch.setattr(worker, "_receivers", broken)
        with pytest.raises(RuntimeError, match="a bug"):
            make(worker, video_id)
    assert row_of(service, video_id).status == "completed"
    steps = len(DBOS.list_workflow_steps(video_id))
    again = DBOS.fork_workflow(video_id, steps)
    again.get_result()
    assert len(DBOS.list_workflow_steps(again.get_workflow_id())) == steps
    assert row_of(service, video_id).status == "completed"


def test_one_video_at_a_time_even_when_two_are_resumed(
    worker: Worker, service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    most, lock, run = [0, 0], threading.Lock(), worker.jobs.run

    def counted(step: str, video_id: str, before: dict[str, str]) -> dict[str, str]:
        with lock:
            most[0] += 1
            most[1] = max(most)
        try:
            return run(step, video_id, before)
        finally:
            with lock:
                most[0] -= 1

    monkeypatch.setattr(worker.jobs, "run", counted)
    handles = []
    for video_id in [ask(service, caller) for _ in range(3)]:
        change(service, video_id, status="in_progress", executor=worker.executor)
        with SetWorkflowID(video_id):
            handles.append(DBOS.start_workflow(worker._make, video_id))
    for handle in handles:
        handle.get_result()
    assert most == [0, 1]


def test_only_those_who_asked_are_told(worker: Worker, service: Service, caller: Caller) -> None:
    with service.database.writing.begin() as session:
        bob = open_account(session, "bob").id
        for account, kinds in (
            (caller.account_id, "video.completed video.failed"),
            (caller.account_id, "video.failed"),
            (bob, "video.completed"),
        ):
            session.add(
                WebhookEndpoint(
                    id=f"we_{account} {kinds}", account_id=account, name="", url="https://example.org/",
                    event_types=kinds, secret=new_secret(),
                )
            )  # fmt: skip
    video_id = ask(service, caller)
    assert worker._receivers(video_id) == []
    change(service, video_id, status="completed", completed_at=7)
    expected = (f"we_{caller.account_id} video.completed video.failed", "video.completed", 7)
    assert worker._receivers(video_id) == [expected]
    with service.database.writing.begin() as session:
        delete(session, caller, video_id)
    assert worker._receivers(video_id) == []


def test_an_address_that_is_gone_is_not_tried_again(worker: Worker) -> None:
    assert worker._send("we_none", "video.completed", "video_1", 7)
