"""Writes docs/performance.md: what every bench/ of time and memory prints, beside the machine. For an idle machine.

pip install --target FOLDER --no-deps diffusers==0.42.1 importlib_metadata zipp Pillow
PYTHONPATH=FOLDER python bench/performance.py > docs/performance.md

diffusers is no dependency of this project, so it gets a folder of its own.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

BENCH = Path(__file__).parent
SECTIONS = {
    "From a sentence to a signed file, by stages": "generate.py",
    "A minute against four seconds": "long.py",
    "What a generation costs": "curves.py",
    "The world's renderer against MuJoCo's": "world.py",
    "Networks against the classes of diffusers": "peers.py",
    "The transformers in single precision": "peers.py --float32 --transformers",
}


def machine() -> str:
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text().splitlines() if cpus.exists() else []
    processor = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{processor or platform.processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"torch {version('torch')}; load before: {load}."
    )


def section(title: str, command: str) -> str:
    """What a script prints: tables as they are, other lines as a block."""
    print(command, file=sys.stderr, flush=True)
    script, *options = command.split()
    done = subprocess.run([sys.executable, BENCH / script, *options], check=True, stdout=subprocess.PIPE, text=True)
    said = done.stdout.strip()
    block = said if "|" in said else f"```\n{said}\n```"
    return f"## {title}\n\n`python bench/{command}`\n\n{block}\n"


def main() -> None:
    print("# Performance\n")
    print("Written by `python bench/performance.py > docs/performance.md`; its head names what it compares with.")
    print(machine())
    print("Absolute times are of this machine and its load: read the ratios, which are of one run.\n")
    for title, command in SECTIONS.items():
        print(section(title, command), flush=True)


if __name__ == "__main__":
    main()
