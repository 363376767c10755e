"""One command that serves: the web process, and workers as processes of their own that are started again when they die.

A worker that a video kills takes nothing else with it. Never opens an address but the one it is given.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from dataclasses import asdict
from socket import AF_INET, AF_INET6, IPPROTO_TCP, TCP_NODELAY, create_server

import click
import uvicorn
from sqlalchemy import func, select

from sorairo.server.access import Service
from sorairo.server.app import create_app
from sorairo.server.database import Database, open_installation
from sorairo.server.keys import SCOPES, create_key, open_account, read_pepper
from sorairo.server.settings import Settings
from sorairo.server.tables import ApiKey

_RESTART_AFTER_SECONDS = 1.0


def run(settings: Settings, host: str, port: int, num_workers: int) -> None:
    """Serves until it is told to stop; what is under way then goes on at the next start."""
    database = open_installation(settings.library_url)
    service = Service.of(settings, database)
    service.storage.check()
    app = create_app(service)
    config = uvicorn.Config(app, host, port, log_level="warning", timeout_graceful_shutdown=5)
    try:
        family = AF_INET6 if ":" in host else AF_INET
        socket = create_server((host, port), family=family, backlog=config.backlog)  # one may knock at once
    except OSError as error:
        raise OSError(f"{host}:{port} cannot be opened: {str(error.strerror).partition(' (')[0]}") from error
    socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)  # what asyncio does for its own; else answers wait 40 ms for an ACK
    name, number = f"[{host}]" if family == AF_INET6 else host, socket.getsockname()[1]
    click.echo(f"http://{name}:{number}/v1")
    if first := first_key(settings, database):
        click.echo(f"admin key, shown this once: {first}")
    click.echo(f"studio: http://{name}:{number}/")
    sys.stdout.flush()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises it again when it has closed
    with Workers(settings, num_workers):
        uvicorn.Server(config).run([socket])


def first_key(settings: Settings, database: Database) -> str | None:
    """A key with every scope, if the installation never had one for an admin."""
    with database.writing.begin() as session:
        if session.scalar(select(func.count()).where(ApiKey.scopes.contains("admin"))):
            return None
        account = open_account(session, "operator", "operator")
        return create_key(session, read_pepper(settings.pepper_file), account, "first", SCOPES)


class Workers:
    """Worker processes, kept alive while the block lasts."""

    def __init__(self, settings: Settings, number: int) -> None:
        self._command = [sys.executable, "-m", "sorairo.server.worker", json.dumps(asdict(settings), default=str)]
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._keep) for _ in range(number)]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _keep(self) -> None:
        while not self._stopping.is_set():
            process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL)
            while process.poll() is None and not self._stopping.wait(0.2):
                pass
            process.terminate()
            process.wait()
            self._stopping.wait(_RESTART_AFTER_SECONDS)
