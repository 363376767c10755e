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
from sorairo.server.tidying import tidy
from sorairo.server.tiers import Tiers
from sorairo.server.webhooks import new_secret
from sorairo.server.worker import Worker

pytestmark = both


@pytest.fixture
def worker(service: Service) -> Iterator[Worker]:
    worker = Worker(service.settings)
    worker.launch()
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
        worker._alone(worker.jobs.judge, "video_1")
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
    assert [step["function_name"] for step in DBOS.list_workflow_steps(video_id)][:6] == [*worker.jobs.steps]


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
    endpoint_id = f"we_{caller.account_id} video.completed video.failed"
    assert worker._receivers(video_id) == [(caller.account_id, endpoint_id, "video.completed", video_id, 7)]
    with service.database.writing.begin() as session:
        delete(session, caller, video_id)
    assert worker._receivers(video_id) == []


def test_what_nobody_answers_waits_for_its_next_try_and_holds_no_thread(
    worker: Worker, service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sorairo.server.worker.RETRY_AFTER_SECONDS", (0, 600))
    with service.database.writing.begin() as session:
        for number in range(20):
            own = {"id": f"we_{number}", "account_id": caller.account_id, "name": "", "secret": new_secret()}
            url = "http://127.0.0.1:9/"  # where nobody listens
            session.add(WebhookEndpoint(**own, url=url, event_types="video.completed"))
    video_id = ask(service, caller)
    assert worker._claim() == video_id
    make(worker, video_id)
    until_all_were_tried()
    waiting = DBOS.list_workflows(status="DELAYED")
    assert {one.workflow_id for one in waiting} == {f"{video_id} video.completed we_{n} 1" for n in range(20)}
    assert all(one.created_at and one.delay_until_epoch_ms for one in waiting)
    assert {round(((one.delay_until_epoch_ms or 0) - (one.created_at or 0)) / 10_000) for one in waiting} == {60}
    other = ask(service, caller)
    make(worker, other)
    assert row_of(service, other).status == "completed"
    until_all_were_tried()  # what still ran would keep its connection past the end of this test


def until_all_were_tried() -> None:
    while DBOS.list_workflows(status=["PENDING", "ENQUEUED"]):
        assert len(DBOS.list_workflows(status="PENDING")) <= 8
        time.sleep(0.05)


def test_the_last_try_is_the_last(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sorairo.server.worker.RETRY_AFTER_SECONDS", (0, 0.1))
    tried: list[tuple[Any, ...]] = []
    monkeypatch.setattr(worker, "_send", lambda *told: tried.append(told))
    worker._enqueue(0, "account_1", "we_1", "video.failed", "video_1", 7)
    while DBOS.list_workflows(status=["PENDING", "ENQUEUED", "DELAYED"]):
        time.sleep(0.05)
    assert tried == [("we_1", "video.failed", "video_1", 7)] * 2


def test_an_address_that_is_gone_is_not_tried_again(worker: Worker) -> None:
    assert worker._send("we_none", "video.completed", "video_1", 7)


def test_what_is_over_is_tidied_away_and_nothing_else(
    worker: Worker, service: Service, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finished video and a failed job that no worker has seen to; one that is made, one that waits, one deleted while
    it is made, and one that another worker is at."""
    done, broke, mine, queued, deleted, others = names = [ask(service, caller) for _ in range(6)]
    make(worker, done)
    with monkeypatch.context() as patch:
        patch.setattr(worker.jobs, "begin", broken)
        with pytest.raises(RuntimeError, match="a bug"):
            make(worker, broke)
    going, asleep = threading.Event(), threading.Event()
    monkeypatch.setattr(worker.jobs, "begin", lambda _: (going.set(), asleep.wait(60), {"code": "stopped"})[-1])
    for video_id, executor in ((broke, "gone-0"), (mine, "here-0"), (others, "busy-0"), (deleted, worker.executor)):
        change(service, video_id, status="in_progress", executor=executor)
    with SetWorkflowID(deleted):
        handle = DBOS.start_workflow(worker._make, deleted)
    going.wait(60)
    change(service, deleted, deleted_at=7)
    folders = {name: service.settings.work_folder / name for name in [*names, "video_unknown", "notes"]}
    for folder in folders.values():
        folder.mkdir()
    tidy(service.database, service.settings.work_folder)
    assert {name for name, folder in folders.items() if folder.exists()} == {*names, "notes"} - {done}
    assert {job.workflow_id for job in DBOS.list_workflows()} == {done, broke, deleted}, "they ended a moment ago"
    monkeypatch.setattr("sorairo.server.tidying.KEPT_SECONDS", -60.0)
    tidy(service.database, service.settings.work_folder)
    assert {job.workflow_id for job in DBOS.list_workflows()} == {broke, deleted}
    assert DBOS.list_workflow_steps(done) == []
    asleep.set()
    handle.get_result()
    worker._rescue()
    assert row_of(service, broke).error_code == "server_error", "its job was kept for this"
    tidy(service.database, service.settings.work_folder)
    assert DBOS.list_workflows() == []
    assert row_of(service, done).status == "completed"
    assert {name for name, folder in folders.items() if folder.exists()} == {mine, queued, others, "notes"}


def test_a_tidying_takes_more_than_one_handful(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sorairo.server.tidying.KEPT_SECONDS", -60.0)
    monkeypatch.setattr("sorairo.server.tidying._AT_ONCE", 2)
    for number in range(5):
        with SetWorkflowID(f"video_{number}"):
            DBOS.start_workflow(worker._deliver, 9, "account_1", "we_none", "video.failed", "video_1", 7).get_result()
    assert len(DBOS.list_workflows()) == 5
    tidy(worker.database, worker.settings.work_folder)
    assert DBOS.list_workflows() == []
