"""A library of its own for every test, brought to today's form by the real migrations; and one live server for all.

The live server is `sorairo serve` as an operator starts it, with a worker process and the tiny model.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine

from sorairo.server.access import Service
from sorairo.server.database import Database, Sessions, open_database, upgrade
from sorairo.server.keys import SCOPES, create_key, open_account
from sorairo.server.settings import Settings
from sorairo.server.worker import claim_name

RUN = "import click; from sorairo.server.commands import COMMANDS; click.Group('', {c.name: c for c in COMMANDS})()"
COMMAND = [sys.executable, "-c", RUN]


@pytest.fixture(scope="session")
def empty_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("library") / "library.sqlite"
    engine = open_database(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture
def engine(tmp_path: Path, empty_library: Path) -> Iterator[Engine]:
    shutil.copy(empty_library, tmp_path / "library.sqlite")
    engine = open_database(f"sqlite:///{tmp_path / 'library.sqlite'}")
    yield engine
    engine.dispose()


@pytest.fixture
def database(engine: Engine) -> Database:
    return Database.of(engine)


@pytest.fixture
def sessions(database: Database) -> Sessions:
    return database.writing


@pytest.fixture
def service(tmp_path: Path, database: Database, tiny_model: Path) -> Service:
    settings = Settings(tmp_path, models=(str(tiny_model),), max_body_bytes=2**20, private_webhooks=True)
    return Service.of(settings, database)


def new_key(service: Service, account: str, tier: str = "pro", scopes: tuple[str, ...] = SCOPES) -> str:
    with service.database.writing.begin() as session:
        return create_key(session, service.pepper, open_account(session, account, tier), "test", scopes)


@dataclass(frozen=True)
class Live:
    """A server that runs: its address, its first key, its process and its folder."""

    url: str
    key: str
    process: subprocess.Popen[str]
    folder: Path

    def kill_worker(self) -> None:
        """As the kernel does when memory is short: nothing is told, nothing is put in order."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        (worker,) = [pid for task in tasks for pid in (task / "children").read_text().split()]
        os.kill(int(worker), signal.SIGKILL)

    def keys(self, *arguments: str) -> str:
        """What `sorairo keys` prints."""
        command = [*COMMAND, "keys", *arguments, "--folder", str(self.folder)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture(scope="session")
def live(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("installation")
    options = [
        "--port",
        "0",
        "--private-webhooks",
        "--max-attempts",
        "2",
        "--folder",
        str(folder),
        "--model",
        str(tiny_model),
    ]
    command = [*COMMAND, "serve", *options]
    home = tmp_path_factory.getbasetemp() / "settings"
    environment = {**os.environ, "SORAIRO_HOME": str(home), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        url, key = process.stdout.readline().strip(), process.stdout.readline().strip().rpartition(" ")[2]
        yield Live(url, key, process, folder)
        process.terminate()
        assert process.wait(30) == 0
        lock, name = claim_name(folder)
        lock.close()
        assert name.endswith("-0"), "a worker outlived its server"
