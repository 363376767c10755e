"""What the service costs beside the engine: times to answer, jobs a second, revocation, memory. Prints a table.

python bench/service.py [JOBS] [REQUESTS_A_SECOND]

The server and its worker are the real ones, started as an operator does; only the engine is instant: its steps leave
three small files. Requests are sent at a fixed rate whether or not earlier ones were answered, and a time is counted
from the moment its request was due. PostgreSQL is the one that the tests start, if it is installed.
"""

from __future__ import annotations

import http.client
import json
import os
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median, quantiles
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from sqlalchemy import func, select  # noqa: E402
from tests.server.cluster import Cluster  # noqa: E402

from sorairo.pipelines.cards import list_models  # noqa: E402
from sorairo.server.database import Database, open_installation  # noqa: E402
from sorairo.server.keys import SCOPES, create_key, open_account, read_pepper, revoke_key  # noqa: E402
from sorairo.server.settings import Settings  # noqa: E402
from sorairo.server.tables import VideoRow  # noqa: E402

NUMBERS = [int(word) for word in sys.argv[1:] if word.isdigit()]
NUM_JOBS, RATE = (*NUMBERS, *(2000, 100)[len(NUMBERS) :])
SECONDS, NUM_REVOCATIONS, THREADS = 10, 20, 16
LIMITS = "concurrent = 5\nwaiting = 9999\npixels = 9999999\nseconds = 99\ncredits = 999999999\nrequests = 999999\n"
CLIP = {"prompt": "a red ball rolls in from the left", "size": "160x96", "seconds": "4"}


class Caller:
    """One account's requests, over a connection for each thread."""

    def __init__(self, url: str, key: str) -> None:
        self._host = url.removeprefix("http://").removesuffix("/v1")
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self._own = threading.local()

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        if not hasattr(self._own, "connection"):
            self._own.connection = http.client.HTTPConnection(self._host, timeout=60)
        text = None if body is None else json.dumps(body)
        self._own.connection.request(method, f"/v1{path}", text, self._headers)
        answer = self._own.connection.getresponse()
        return answer.status, json.loads(answer.read())


def paced(send: Callable[[], int]) -> tuple[float, float]:
    """Milliseconds at the median and at the 99th percentile, at `RATE` requests a second for `SECONDS`."""
    begun, times = time.perf_counter() + 0.1, []

    def one(number: int) -> None:
        due = begun + number / RATE
        time.sleep(max(0.0, due - time.perf_counter()))
        assert send() == 200
        times.append(1000 * (time.perf_counter() - due))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(one, range(RATE * SECONDS)))
    return median(times), quantiles(times, n=100)[98]


def revocation(url: str, database: Database, pepper: bytes) -> float:
    """Milliseconds from a key's revocation in another process to the first refusal, while it asks without a pause."""
    with database.writing.begin() as session:
        key = create_key(session, pepper, open_account(session, "bench", "operator"), "short", SCOPES)
    caller, refused = Caller(url, key), threading.Event()
    moments: list[float] = []

    def ask() -> None:
        while caller("GET", "/models")[0] == 200:
            pass
        moments.append(time.perf_counter())
        refused.set()

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.1)
    with database.writing.begin() as session:
        revoke_key(session, key.split("_")[1])
    committed = time.perf_counter()
    refused.wait()
    thread.join()
    return 1000 * max(0.0, moments[0] - committed)


def megabytes(process: int) -> float:
    """What a process holds in memory now."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@contextmanager
def started(*command: str) -> Iterator[tuple[int, str]]:
    """A process, and the first line that it prints."""
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE) as process:
        assert process.stdout
        yield process.pid, process.stdout.readline().decode().strip()
        process.send_signal(signal.SIGTERM)


def instant_worker(values: dict[str, Any]) -> None:
    """The worker of the service with steps that take no time; publishing is the real one."""
    from sorairo.server.storage import VARIANTS
    from sorairo.server.worker import Worker

    worker = Worker(Settings(**values | {"folder": Path(values["folder"])}))

    def sign(video_id: str) -> None:
        folder = worker.settings.work_folder / video_id
        folder.mkdir()
        for name, _ in VARIANTS.values():
            (folder / name).write_bytes(bytes(100_000))

    steps = worker.jobs.steps
    nothing = dict.fromkeys(steps, lambda _: None)
    worker.jobs.steps = {**nothing, "signing": sign, "publishing": steps["publishing"]}
    print("ready", flush=True)
    worker.run()


def finished(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).where(VideoRow.status == "completed")) or 0


def through_the_queue(settings: Settings, database: Database, num_jobs: int) -> tuple[float, float]:
    """Jobs a second while a worker empties the line, and its memory afterwards."""
    with started(__file__, "--worker", json.dumps(asdict(settings), default=str)) as (worker, _):
        while finished(database) < num_jobs // 20:  # its start is not the queue's
            time.sleep(0.05)
        first, begun = finished(database), time.perf_counter()
        while (done := finished(database)) < num_jobs:
            time.sleep(0.2)
        return (done - first) / (time.perf_counter() - begun), megabytes(worker)


def measure(settings: Settings, command: list[str]) -> dict[str, str]:
    """All of it, with one database."""
    (settings.folder / "tiers.toml").write_text(f"[operator]\n{LIMITS}")
    database, pepper = open_installation(settings.library_url), read_pepper(settings.pepper_file)
    with database.writing.begin() as session:
        key = create_key(session, pepper, open_account(session, "bench", "operator"), "bench", SCOPES)
    ids: list[str] = []

    def create() -> int:
        status, video = caller("POST", "/videos", CLIP)
        ids.append(video["id"])
        return status

    rows = {}
    with started("-m", "sorairo.cli", "serve", "--port", "0", "--workers", "0", *command) as (server, url):
        caller, first = Caller(url, key), megabytes(server)
        for name, send in {
            "create": create,
            "retrieve": lambda: caller("GET", f"/videos/{random.choice(ids)}")[0],
            "list of 20": lambda: caller("GET", "/videos")[0],
        }.items():
            rows[f"{name}, p50 / p99 at {RATE}/s, ms"] = "{:.1f} / {:.1f}".format(*paced(send))
        while len(ids) < NUM_JOBS:
            create()
        speed, worker = through_the_queue(settings, database, NUM_JOBS)
        rows["jobs a second through the queue"] = f"{speed:.1f}"
        times = [revocation(url, database, pepper) for _ in range(NUM_REVOCATIONS)]
        rows["revocation to refusal, median / longest, ms"] = f"{median(times):.1f} / {max(times):.1f}"
        rows[f"web process, MiB, before / after {NUM_JOBS} jobs"] = f"{first:.0f} / {megabytes(server):.0f}"
        rows[f"worker, MiB, after {NUM_JOBS} jobs"] = f"{worker:.0f}"
    database.writing.kw["bind"].dispose()
    return rows


def main() -> None:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{platform.machine()}, {len(os.sched_getaffinity(0))} of {os.cpu_count()} cores, load {load}")
    tables: dict[str, dict[str, str]] = {}
    model = next(iter(list_models()))
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(Path(folder), models=(model,))
        tables["SQLite"] = measure(settings, ["--folder", folder])
    if programs := Cluster.programs():
        place = Path(tempfile.mkdtemp(prefix="sorairo-"))
        with tempfile.TemporaryDirectory() as folder, Cluster(programs, place) as cluster, cluster.copy() as url:
            settings = Settings(Path(folder), url, models=(model,))
            tables["PostgreSQL"] = measure(settings, ["--folder", folder, "--database", url])
        shutil.rmtree(place)
    print(f"| | {' | '.join(tables)} |\n| --- |{' --- |' * len(tables)}")
    for row in tables["SQLite"]:
        print(f"| {row} | {' | '.join(table[row] for table in tables.values())} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        instant_worker(json.loads(sys.argv[2]))
    else:
        main()
