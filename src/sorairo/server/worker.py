"""The worker: takes videos from the line one after another, and sees to those that dead workers left.

The line is a query over the library, which knows tiers, limits and turns; DBOS keeps the steps of what was taken. Each
worker has a name of its own, kept by a lock file, so that one that starts again goes on with what it was at; what a
worker leaves that does not come back is taken over by another.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from dbos import DBOS, DBOSConfig, SetEnqueueOptions, SetWorkflowID
from sqlalchemy import delete, select

from sorairo.server.database import open_installation, serialise
from sorairo.server.jobs import FAILED, Jobs, Outcome
from sorairo.server.library import LIVE, next_in_line
from sorairo.server.settings import Settings
from sorairo.server.tables import LOST_AFTER_SECONDS, VideoRow, WebhookEndpoint, WorkerRow
from sorairo.server.tidying import TIDY_EVERY_SECONDS, tidy
from sorairo.server.webhooks import RETRY_AFTER_SECONDS, event, send

log = logging.getLogger(__name__)

_IDLE_SECONDS, _HEARTBEAT_SECONDS = 0.25, 5.0
_DELIVERIES = "deliveries"


class Worker:
    """One process of it: DBOS is one for each process."""

    def __init__(self, settings: Settings) -> None:
        settings.work_folder.mkdir(parents=True, exist_ok=True)
        self._lock, self.executor = claim_name(settings.folder)
        self.settings, self.database = settings, open_installation(settings.library_url)
        self.jobs = Jobs(settings, self.database, self.executor)
        self.jobs.storage.check()
        self._stopping, self._woken, self._active = False, threading.Event(), set[str]()
        self._running, self._judging = threading.Lock(), False
        self._make, self._deliver = self._workflows()

    def launch(self) -> None:
        """From now on DBOS brings back what this worker was at, and sends what is due."""
        DBOS.launch()
        DBOS.register_queue(_DELIVERIES, worker_concurrency=32, partition_worker_concurrency=8)  # a part: an account

    def run(self, parent: int | None = None) -> None:
        """Until SIGTERM or SIGINT, or the ``parent`` is gone. A job under way then goes on in the next worker."""
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._stop)
        self.launch()
        beaten = tidied = -TIDY_EVERY_SECONDS
        while not self._stopping and parent in (None, os.getppid()):
            if time.monotonic() - beaten >= _HEARTBEAT_SECONDS:
                beaten = time.monotonic()
                self._beat()
                self._rescue()
            if time.monotonic() - tidied >= TIDY_EVERY_SECONDS:
                tidied = time.monotonic()
                threading.Thread(target=tidy, args=(self.database, self.settings.work_folder), daemon=True).start()
            if not self._active:
                self._take()
            self._woken.wait(_IDLE_SECONDS)
            self._woken.clear()
        for video_id in tuple(self._active):
            self.jobs.give_back(video_id)
        os._exit(0)  # a step in a thread would be waited for

    def _take(self) -> None:
        """Judging and making take turns where there is both to do: neither waits for all of the other."""
        for _ in range(2):
            self._judging = not self._judging
            if video_id := self.jobs.next_to_judge() if self._judging else self._claim():
                self._active.add(video_id)
                if self._judging:
                    threading.Thread(target=self._alone, args=(self.jobs.judge, video_id), daemon=True).start()
                else:
                    with SetWorkflowID(video_id):
                        DBOS.start_workflow(self._make, video_id)
                return

    def _stop(self, *_: object) -> None:
        self._stopping = True
        self._woken.set()

    def _workflows(self) -> tuple[Any, Any]:
        """Registers with DBOS what it keeps the steps of. The version of the application is fixed: by default it is a
        hash of the code, and a new release would leave old jobs alone."""
        config = DBOSConfig(name="sorairo", system_database_url=self.settings.jobs_url, executor_id=self.executor,
                            application_version="1", log_level="WARNING")  # fmt: skip
        DBOS(config=config)

        @DBOS.workflow(name="make_video")
        def make(video_id: str) -> None:
            self._alone(self._make_video, video_id)

        @DBOS.workflow(name="deliver")
        def deliver(tries: int, account_id: str, *told: Any) -> None:
            if not DBOS.run_step({"name": "send"}, self._send, *told) and tries + 1 < len(RETRY_AFTER_SECONDS):
                self._enqueue(tries + 1, account_id, *told)

        return make, deliver

    def _make_video(self, video_id: str) -> None:
        """Always the same steps, as DBOS knows them by their numbers; those that were finished are not run again."""
        hindrance, outcome = self.jobs.begin(video_id), Outcome()
        for step in self.jobs.steps:
            outcome = DBOS.run_step({"name": step}, self.jobs.run, step, video_id, outcome or hindrance)
        DBOS.run_step({"name": "end"}, self.jobs.end, video_id, outcome)
        for told in DBOS.run_step({"name": "announce"}, self._receivers, video_id):
            self._enqueue(0, *told)

    def _enqueue(self, tries: int, account_id: str, endpoint_id: str, kind: str, video_id: str, at: int) -> None:
        """Each try is a job of its own, which until it is due is a row and no thread; accounts take turns."""
        due = SetEnqueueOptions(queue_partition_key=account_id, delay_seconds=RETRY_AFTER_SECONDS[tries] or None)
        with SetWorkflowID(f"{video_id} {kind} {endpoint_id} {tries}"), due:
            DBOS.enqueue_workflow(_DELIVERIES, self._deliver, tries, account_id, endpoint_id, kind, video_id, at)

    def _alone(self, work: Callable[[str], None], video_id: str) -> None:
        """One at a time, also of those that DBOS brings back."""
        try:
            with self._running:
                self._active.add(video_id)
                work(video_id)
        finally:
            self._active.discard(video_id)
            self._woken.set()  # the next need not wait for the clock

    def _receivers(self, video_id: str) -> list[tuple[str, str, str, str, int]]:
        """Account, endpoint, event, video and time for each address that is told what became of a video."""
        with self.database.reading() as session:
            row = session.scalars(select(VideoRow).where(VideoRow.id == video_id)).one()
            kind, at = f"video.{row.status}", row.completed_at or 0
            endpoints = session.scalars(select(WebhookEndpoint).where(WebhookEndpoint.account_id == row.account_id))
            told = [endpoint.id for endpoint in endpoints if kind in endpoint.event_types.split()]
        return [(row.account_id, endpoint_id, kind, video_id, at) for endpoint_id in told if not row.deleted_at]

    def _send(self, endpoint_id: str, kind: str, video_id: str, at: int) -> bool:
        """Whether no more is to be sent: it arrived, or the address is not there any more."""
        endpoint = self.database.scalar(select(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id))
        if endpoint is None:
            return True
        try:
            status = send(endpoint, event(endpoint, kind, video_id, at), private=self.settings.private_webhooks)
            return 200 <= status < 300
        except (OSError, ValueError) as error:
            log.warning("%s is not reached: %s", endpoint_id, error)
            return False

    def _claim(self) -> str | None:
        """The next video in the line, now this worker's, unless it has one: DBOS may be about to bring one back."""
        mine = select(VideoRow.id).where(VideoRow.executor == self.executor, VideoRow.status == "in_progress")
        busy = self.database.scalar(mine.where(LIVE).limit(1))
        if busy or self.database.scalar(next_in_line().limit(1)) is None:
            return None
        with self.database.writing.begin() as session:
            serialise(session, "line")
            row = session.scalar(select(VideoRow).where(VideoRow.id == next_in_line().limit(1).scalar_subquery()))
            if row is None:
                return None
            row.status, row.executor = "in_progress", self.executor
            return row.id

    def _beat(self) -> None:
        with self.database.writing.begin() as session:
            session.merge(WorkerRow(executor=self.executor, seen_at=time.time()))

    def _rescue(self) -> None:
        """What dead workers were at is taken over, deliveries too; what was taken from the line and never begun goes
        back."""
        with self.database.writing.begin() as session:
            serialise(session, "rescue")  # of two that see it, one takes it over
            silent = WorkerRow.seen_at <= time.time() - LOST_AFTER_SECONDS
            dead = list(session.scalars(delete(WorkerRow).where(silent).returning(WorkerRow.executor)))
            for left in DBOS.list_workflows(status="PENDING", executor_id=dead, load_output=False) if dead else ():
                log.warning("%s is taken over from %s", left.workflow_id, left.executor_id)
                DBOS.resume_workflow(left.workflow_id, queue_name=left.queue_name)
            orphaned = VideoRow.executor.not_in(select(WorkerRow.executor)) | (VideoRow.executor == self.executor)
            failed = list[str]()
            for row in session.scalars(select(VideoRow).where(VideoRow.status == "in_progress", orphaned)):
                if row.id in self._active:
                    continue
                status = DBOS.get_workflow_status(row.id)
                if status is None:
                    row.status = "queued"
                elif status.status in ("ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"):
                    row.executor = self.executor  # whose it is may end it
                    failed.append(row.id)
        for video_id in failed:
            self.jobs.end(video_id, FAILED)


def claim_name(folder: Path) -> tuple[IO[bytes], str]:
    """The first name that no living worker of this machine's folder has, and the lock that keeps it."""
    number = 0
    while True:
        lock = open(folder / f"worker-{number}.lock", "ab")  # noqa: SIM115 (held as long as the worker lives)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock, f"{socket.gethostname()}-{number}"
        except BlockingIOError:
            lock.close()
            number += 1


if __name__ == "__main__":  # how a server starts its workers
    server, values = os.getppid(), json.loads(sys.argv[1])
    Worker(Settings(**values | {"folder": Path(values["folder"])})).run(server)
