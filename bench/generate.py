"""Seconds of each stage of one generation, and of the command line's start. Prints; checks nothing.

python bench/generate.py [MODEL]
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from sorairo.pipelines.request import VideoRequest

REPEATS = 3
PROMPT = "a red ball rolls in from the left and knocks over a row of yellow dominoes"


def seconds_of(command: list[str]) -> float:
    """Median wall-clock time of a process."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return median(times)


def stages_of(model: str) -> dict[str, float]:
    """Median time of each stage; the first generation, which warms up, is left out."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does
    import torch

    from sorairo.pipelines import generate

    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(REPEATS + 1):
            request = VideoRequest(PROMPT, seed=number, model=model)
            runs.append(generate(request, Path(folder) / f"{number}.mp4").seconds_per_stage)
    return {stage: median(run[stage] for run in runs[1:]) for stage in runs[0]}


def main() -> None:
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {load}, Python {platform.python_version()}")
    print(f"python -c pass   {seconds_of([sys.executable, '-c', 'pass']):7.2f} s")
    print(f"the CLI's help   {seconds_of([sys.executable, '-m', 'sorairo.cli', '--help']):7.2f} s")
    stages = stages_of(sys.argv[1] if len(sys.argv) > 1 else VideoRequest.model)
    for stage, seconds in stages.items():
        print(f"{stage:<16} {seconds:7.2f} s")
    print(f"{'all stages':<16} {sum(stages.values()):7.2f} s")


if __name__ == "__main__":
    main()
