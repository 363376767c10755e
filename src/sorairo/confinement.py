"""Work on a stranger's file in a process of its own, which can neither take this machine's memory nor its time.

Run as `python -m sorairo.confinement` it takes orders, a line of JSON each, and forks a process for each of them: what
is slow to load is loaded once. Never takes from such a process anything but JSON, and never tells it this machine's
settings.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import json
import os
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any

MOST_TOLD_BYTES = 2**26
_turn = threading.Lock()
_forking: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Confines:
    """What a process may use: memory, each file that it writes, seconds of a core, and seconds by the clock."""

    memory_bytes: int = 4 * 2**30
    file_bytes: int = 2**30
    processor_seconds: int = 60
    seconds: float = 120.0


def confine(confines: Confines) -> None:
    """Sets the limits of this process, for good. The clock is its parent's business."""
    limits = {"AS": confines.memory_bytes, "FSIZE": confines.file_bytes, "CPU": confines.processor_seconds, "CORE": 0}
    for name, most in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))


def run_confined(confines: Confines, work: Callable[..., Any], *arguments: Any) -> Any:
    """``work(*arguments)``, a function of a module, from a fresh process; all of it must be JSON data.

    Raises:
        ValueError: what ``work`` raised as one; or it took too long, too much memory, or broke.
        OSError: ``work`` found the disk full.
    """
    order = {"module": work.__module__, "name": work.__name__, "arguments": arguments, "confines": asdict(confines)}
    with _turn:
        if not _forking or _forking[0].poll() is not None:
            command = [sys.executable, "-P", "-m", "sorairo.confinement"]  # -P: nothing of the folder that we are in
            quiet = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # what forks has no threads
            _forking[:] = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=quiet)]
        sending, receiving = _forking[0].stdin, _forking[0].stdout
        assert sending
        assert receiving
        sending.write(json.dumps(order).encode() + b"\n")
        sending.flush()
        line = receiving.readline()
    told = json.loads(line) if line.strip() else {}
    if "full" in told:
        raise OSError(*told["full"])
    if "made" not in told:
        raise ValueError(told.get("refused", "it cannot be decoded: it broke its decoder, or wanted too much"))
    return told["made"]


@atexit.register
def _dismiss() -> None:
    for process in _forking:
        process.communicate()  # it ends with its orders


def _take_orders() -> None:
    for line in sys.stdin.buffer:
        order = json.loads(line)
        work, confines = getattr(import_module(order["module"]), order["name"]), Confines(**order["confines"])
        receiving, sending = os.pipe()
        child = os.fork()
        if not child:
            _obey(work, order["arguments"], confines, sending)
        os.close(sending)
        told = _heard(receiving, confines.seconds)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(receiving)
        sys.stdout.buffer.write(told.replace(b"\n", b" ") + b"\n")
        sys.stdout.buffer.flush()


def _obey(work: Callable[..., Any], arguments: list[Any], confines: Confines, sending: int) -> None:
    """The forked process: it sees neither other orders nor other answers, and does not return."""
    with open(os.devnull, "rb+") as nothing, contextlib.suppress(BaseException):
        os.dup2(nothing.fileno(), 0)
        os.dup2(nothing.fileno(), 1)
        confine(confines)
        try:
            told = {"made": work(*arguments)}
        except ValueError as error:
            told = {"refused": str(error)}
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            told = {"full": [error.errno, error.strerror, error.filename]} if full else {}
        except MemoryError:
            told = {"refused": "it wants more memory than a file may have"}
        with open(sending, "wb") as file:
            file.write(json.dumps(told).encode())
    os._exit(0)


def _heard(receiving: int, seconds: float) -> bytes:
    """All that is sent until the end; nothing but a reason if that takes too long, or is too much."""
    until, told = time.monotonic() + seconds, b""
    while select.select([receiving], [], [], max(0.0, until - time.monotonic()))[0]:
        piece = os.read(receiving, 2**16)
        if not piece:
            return told
        told += piece
        if len(told) > MOST_TOLD_BYTES:
            break
    return json.dumps({"refused": "it takes too long to decode"}).encode()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever interrupts its parent wants no second report
    _take_orders()
