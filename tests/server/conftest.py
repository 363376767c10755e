"""A library of its own for every test, brought to today's form by the real migrations; and one live server for all.

The library is SQLite, and where a test says `both` also PostgreSQL, in a cluster that lasts as long as the tests. The
live server is `sorairo serve` as an operator starts it, with a worker process and the tiny model.
"""

from __future__ import annotations

import http.server
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, select, update
from starlette.testclient import TestClient
from tests.server import mortal
from tests.server.cluster import Cluster

from sorairo.media import write_mp4
from sorairo.server.access import Service
from sorairo.server.app import create_app
from sorairo.server.database import Database, Sessions, open_database, upgrade
from sorairo.server.keys import SCOPES, create_key, open_account
from sorairo.server.settings import Settings
from sorairo.server.tables import VideoRow
from sorairo.server.worker import claim_name

ROOT = Path(__file__).parents[2]
RUN = "import click; from sorairo.cli.operating import COMMANDS; click.Group('', {c.name: c for c in COMMANDS})()"
COMMAND = [sys.executable, "-c", RUN]


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file of nine noisy frames, 64x32."""
    path = tmp_path_factory.mktemp("clips") / "a.mp4"
    frames = np.random.default_rng(0).integers(0, 255, (9, 32, 64, 3), np.uint8)
    write_mp4(path, frames, width=64, height=32, fps=8)
    return path.read_bytes()


@pytest.fixture(scope="session")
def empty_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("library") / "library.sqlite"
    engine = open_database(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """PostgreSQL with a migrated database to copy; ends with the tests."""
    programs = Cluster.programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed here: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="sorairo-"))
    try:
        with Cluster(programs, folder) as cluster:
            yield cluster
    finally:
        shutil.rmtree(folder)


USUAL = os.environ.get("SORAIRO_TEST_DATABASE", "sqlite")
"""For tests that say nothing of it, and for the live server."""

both = pytest.mark.parametrize("kind", ["sqlite", "postgresql"], indirect=True)
"""For tests that must hold with either database."""


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    name: str = getattr(request, "param", USUAL)
    return name


@pytest.fixture
def database_url(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """What an operator says after --database: nothing for SQLite, whose file lies in the folder."""
    if kind == "sqlite":
        shutil.copy(request.getfixturevalue("empty_library"), tmp_path / "library.sqlite")
        yield ""
    else:
        with request.getfixturevalue("cluster").copy() as url:
            yield url


@pytest.fixture(scope="session")
def bucket() -> Iterator[str]:
    """The address of an S3 bucket, kept by moto's server; the environment says how to reach it."""
    server = pytest.importorskip("moto.server", reason="moto, which stands for S3, is not installed")
    threaded = server.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    threaded.start()
    host, port = threaded.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
            patch.setenv(name, "us-east-1")
        urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/clips", method="PUT")).close()
        yield "s3://clips"
    threaded.stop()


@pytest.fixture
def engine(tmp_path: Path, database_url: str) -> Iterator[Engine]:
    engine = open_database(Settings(tmp_path, database_url).library_url)
    yield engine
    engine.dispose()


@pytest.fixture
def database(engine: Engine) -> Database:
    return Database.of(engine)


@pytest.fixture
def sessions(database: Database) -> Sessions:
    return database.writing


@pytest.fixture
def service(tmp_path: Path, database_url: str, database: Database, tiny_model: Path) -> Service:
    settings = Settings(tmp_path, database_url, models=(str(tiny_model),), max_body_bytes=2**20, private_webhooks=True)
    return Service.of(settings, database)


SMALL: dict[str, Any] = {"prompt": "a red ball", "size": "64x32", "seconds": "1"}
Enter = Callable[..., TestClient]


def new_key(service: Service, account: str, tier: str = "pro", scopes: tuple[str, ...] = SCOPES) -> str:
    with service.database.writing.begin() as session:
        return create_key(session, service.pepper, open_account(session, account, tier), "test", scopes)


@pytest.fixture
def enter(service: Service) -> Iterator[Enter]:
    """Clients of accounts, each with a key of its own."""
    app = create_app(service)
    opened: list[TestClient] = []

    def open_client(account: str = "alice", tier: str = "pro", **key: Any) -> TestClient:
        headers = {"authorization": f"Bearer {new_key(service, account, tier, **key)}"}
        opened.append(TestClient(app, headers=headers, raise_server_exceptions=False))
        return opened[-1]

    yield open_client
    for client in opened:
        client.close()


@pytest.fixture
def alice(enter: Enter) -> TestClient:
    return enter("alice")


def finish(service: Service, video_id: str, content: bytes = b"0123456789") -> None:
    """Puts a video where a worker would."""
    file = service.settings.folder / "made"
    file.write_bytes(content)
    service.storage.put(file, f"videos/{video_id}/video.mp4")
    with service.database.writing.begin() as session:
        session.execute(update(VideoRow).where(VideoRow.id == video_id).values(status="completed", progress=100))


def error_of(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["x-request-id"]
    assert set(answer.json()) == {"error"}
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


@dataclass(frozen=True)
class Mother:
    """The process that has the workers, one at a time."""

    process: subprocess.Popen[str]
    notes: Path

    def bear(self, settings: Settings, fatal: str = "") -> int:
        """A new worker's process id."""
        assert self.process.stdin
        environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        values = json.dumps([asdict(settings), fatal, str(self.notes), environment], default=str)
        print(values, file=self.process.stdin, flush=True)
        return self._told()

    def bury(self) -> int:
        """Waits for its death, and says of which signal."""
        return -self._told()

    def die_in(self, settings: Settings, step: str) -> None:
        self.bear(settings, step)
        assert self.bury() == signal.SIGKILL

    def _told(self) -> int:
        assert self.process.stdout
        return int(self.process.stdout.readline())


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    home = str(tmp_path_factory.getbasetemp() / "settings")
    environment = {**os.environ, "SORAIRO_HOME": home, "OMP_NUM_THREADS": "1"}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, mortal.__file__], text=True, env=environment, **pipes) as process:
        yield process
        process.communicate()


@pytest.fixture
def mother(nursery: subprocess.Popen[str], tmp_path: Path) -> Mother:
    return Mother(nursery, tmp_path / "steps")


def row_of(service: Service, video_id: str) -> VideoRow:
    with service.database.reading() as session:
        return session.scalars(select(VideoRow).where(VideoRow.id == video_id)).one()


def wait_for(service: Service, video_id: str) -> VideoRow:
    while (row := row_of(service, video_id)).status not in ("completed", "failed"):
        time.sleep(0.1)
    return row


class Receiver(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent, and answers what it is told to, else 200."""

    got: list[tuple[bytes, dict[str, str]]] = []  # noqa: RUF012
    answers: list[int] = []  # noqa: RUF012

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.got.append((body, {key.lower(): value for key, value in self.headers.items()}))
        self.send_response(self.answers.pop() if self.answers else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    Receiver.got.clear()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    server.server_close()
    thread.join()


@dataclass(frozen=True)
class Live:
    """A server that runs: its address, its first key, its process and its folder."""

    url: str
    key: str
    process: subprocess.Popen[str]
    folder: Path
    database: str

    def kill_worker(self) -> None:
        """As the kernel does when memory is short: nothing is told, nothing is put in order."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        (worker,) = [pid for task in tasks for pid in (task / "children").read_text().split()]
        os.kill(int(worker), signal.SIGKILL)

    def keys(self, *arguments: str) -> str:
        """What `sorairo keys` prints."""
        command = [*COMMAND, "keys", *arguments, "--folder", str(self.folder), "--database", self.database]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="session")
def live(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Live]:
    with ExitStack() as stack:
        url = "" if USUAL == "sqlite" else stack.enter_context(request.getfixturevalue("cluster").copy())
        yield from serving(tiny_model, tmp_path_factory, url)


def serving(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory, database: str) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("installation")
    options = [
        "--port",
        "0",
        "--private-webhooks",
        "--feeds",
        "--max-attempts",
        "2",
        "--folder",
        str(folder),
        "--model",
        str(tiny_model),
        "--database",
        database,
    ]
    command = [*COMMAND, "serve", *options]
    home = tmp_path_factory.getbasetemp() / "settings"
    environment = {**os.environ, "SORAIRO_HOME": str(home), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        url, key = process.stdout.readline().strip(), process.stdout.readline().strip().rpartition(" ")[2]
        yield Live(url, key, process, folder, database)
        process.terminate()
        assert process.wait(30) == 0
        lock, name = claim_name(folder)
        lock.close()
        assert name.endswith("-0"), "a worker outlived its server"
