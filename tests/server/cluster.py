"""A PostgreSQL server for as long as a block lasts, in a folder of its own. Needs Debian's package, or initdb."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text

from sorairo.server.database import open_database, upgrade

AS_LONG_AS_ITS_PARENT = '"$0" "$@" & read _; kill -INT $!; wait'
"""For a shell: even if its parent is killed, the pipe to it ends."""


class Cluster:
    """A PostgreSQL server that nobody else reaches: its only address is a socket in its folder.

    It refuses to run as root, so root runs it as the user that Debian's package makes.
    """

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder, self._copies = programs, folder, 0
        self._user: dict[str, Any] = {"user": "postgres"} if os.geteuid() == 0 else {}
        if self._user:
            shutil.chown(folder, "postgres")

    @staticmethod
    def programs() -> Path | None:
        """Where initdb is: Debian leaves it out of the PATH."""
        debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        found = shutil.which("initdb") or (debian and debian[-1] / "initdb")
        return Path(found).resolve().parent if found else None

    def url(self, database: str) -> str:
        return f"postgresql://sorairo@/{database}?host={self._folder}"

    def __enter__(self) -> Cluster:
        data = str(self._folder / "data")
        self._call("initdb", "-D", data, "-A", "trust", "-U", "sorairo", "--no-sync", "--encoding=UTF8")
        quick = [f"-c{name}=off" for name in ("fsync", "full_page_writes", "synchronous_commit")]
        command = [self._programs / "postgres", "-D", data, "-k", self._folder, "-clisten_addresses=", *quick]
        with open(self._folder / "log", "wb") as log:
            pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": log, "stderr": log, **self._user}
            self._process = subprocess.Popen(["sh", "-c", AS_LONG_AS_ITS_PARENT, *command], **pipes)
        while subprocess.run([self._programs / "pg_isready", "-q", "-h", self._folder], check=False).returncode:
            assert self._process.poll() is None, (self._folder / "log").read_text()
            time.sleep(0.05)
        self._run("CREATE DATABASE empty")
        engine = open_database(self.url("empty"))
        upgrade(engine)
        engine.dispose()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    @contextmanager
    def copy(self, template: str = "empty") -> Iterator[str]:
        """The address of a new database, by default a migrated one."""
        self._copies += 1
        name = f"copy_{self._copies}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        yield self.url(name)
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def program(self, name: str, *arguments: str) -> None:
        """One of PostgreSQL's own, on a database of this cluster."""
        command = [self._programs / name, "--host", self._folder, "--username", "sorairo", *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def _run(self, statement: str) -> None:
        engine = create_engine(self.url("postgres").replace("postgresql:", "postgresql+psycopg:"))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(statement))
        engine.dispose()

    def _call(self, program: str, *arguments: str) -> None:
        command = [self._programs / program, *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self._folder, **self._user)
