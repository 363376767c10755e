"""Seconds and memory of a minute of video against four seconds, each by the command line in a process of its own.

python bench/long.py
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

PROMPT = "a red ball rolls to the right on a wooden floor in daylight"


def spent(command: list[str]) -> tuple[float, float]:
    """Wall-clock seconds of a command, whose output is dropped, and MiB at its peak."""
    nowhere = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
    start = time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ, file_actions=nowhere)
    _, status, usage = os.wait4(process, 0)
    assert status == 0, f"{' '.join(command)} failed"
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return time.perf_counter() - start, usage.ru_maxrss / unit


def measure(seconds: int, folder: str) -> tuple[float, float]:
    """What one generation takes."""
    output = str(Path(folder) / f"{seconds}.mp4")
    return spent([sys.executable, "-m", "sorairo.cli", "generate", PROMPT, "--seconds", str(seconds), "-o", output])


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sorairo-") as folder:
        (short, small), (long, large) = measure(4, folder), measure(60, folder)
    print(f" 4 s of video   {short:6.1f} s   {short / 4:5.2f} s for each   {small:6.0f} MiB at the peak")
    print(f"60 s of video   {long:6.1f} s   {long / 60:5.2f} s for each   {large:6.0f} MiB at the peak")
    print(f"ratio                     {(long / 60) / (short / 4):5.2f}              {large / small:6.2f}")


if __name__ == "__main__":
    main()
