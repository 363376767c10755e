"""Processes with limits: what comes back, what is refused, and that one file's end is not the next one's."""

from __future__ import annotations

import json
import math
import operator
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import pytest

from sorairo.confinement import Confines, run_confined


def test_what_a_process_makes_comes_back_as_data() -> None:
    assert run_confined(Confines(), math.hypot, 3, 4) == 5.0
    assert run_confined(Confines(), json.loads, '{"lines": ["one\\ntwo"]}') == {"lines": ["one\ntwo"]}


def test_its_own_reason_for_refusing_is_told() -> None:
    with pytest.raises(ValueError, match="invalid literal for int"):
        run_confined(Confines(), int, "seven")


def test_it_knows_nothing_of_this_machines_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SORAIRO_SECRET", "hidden")
    assert run_confined(Confines(), os.getenv, "SORAIRO_SECRET") is None
    assert run_confined(Confines(), os.getpid) != run_confined(Confines(), os.getpid) != os.getpid()


def test_one_that_dies_is_told_in_a_line_and_the_next_one_works() -> None:
    with pytest.raises(ValueError, match=r"^it cannot be decoded: it broke its decoder, or wanted too much$"):
        run_confined(Confines(), os.abort)
    assert run_confined(Confines(), math.floor, 2.5) == 2


def test_a_full_disk_is_not_taken_for_a_broken_file() -> None:
    with pytest.raises(OSError, match="No space left on device"):
        run_confined(Confines(), shutil.copyfile, __file__, "/dev/full")


def test_an_interrupted_one_says_nothing() -> None:
    command = [sys.executable, "-m", "sorairo.confinement"]
    running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    order = {"module": "math", "name": "floor", "arguments": [2.5], "confines": asdict(Confines())}
    assert running.stdin
    assert running.stdout
    running.stdin.write(json.dumps(order).encode() + b"\n")
    running.stdin.flush()
    assert json.loads(running.stdout.readline()) == {"made": 2}
    running.send_signal(signal.SIGINT)
    assert running.communicate() == (b"", b"")


def test_too_long_by_the_clock() -> None:
    begun = time.monotonic()
    with pytest.raises(ValueError, match="takes too long"):
        run_confined(Confines(seconds=0.3), time.sleep, 60)
    assert time.monotonic() - begun < 30


def test_too_much_of_a_core() -> None:
    with pytest.raises(ValueError, match="wanted too much"):
        run_confined(Confines(processor_seconds=1), pow, 7, 100_000_000)


def test_too_much_memory() -> None:
    with pytest.raises(ValueError, match=r"more memory|wanted too much"):
        run_confined(Confines(memory_bytes=2**28), operator.mul, "a", 2**30)
