"""What a generation costs: time and memory against seconds, pixels and steps, with the exponents that fit.

python bench/curves.py [MODEL]

Every generation is one of the command line, in a process of its own; its start is measured first and left out of the
times. Time = c x^e: 1 is linear; memory is what is added to a clip of the first size.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from long import PROMPT, spent

from sorairo.pipelines.cards import find_model, load_config
from sorairo.pipelines.request import VideoRequest

LENGTHS = (4, 8, 16, 32)
SIZES = ("160x96", "320x192", "640x384", "1280x768")
STEPS = (4, 8, 16, 32)


def exponent(amounts: Sequence[float], seconds: Sequence[float]) -> float:
    """e of time = c x^e, by least squares in logarithms."""
    return float(np.polyfit(np.log(amounts), np.log(seconds), 1)[0])


def curve(what: str, values: Sequence[str | int], amounts: Sequence[float], option: str, model: str) -> list[str]:
    """Rows of one curve, and its exponent in the last."""
    rows, times = [], []
    with tempfile.TemporaryDirectory(prefix="sorairo-") as folder:
        start, _ = spent([sys.executable, "-m", "sorairo.cli", "--help"])
        for value in values:
            output = str(Path(folder) / f"{value}.mp4")
            command = [sys.executable, "-m", "sorairo.cli", "generate", PROMPT, "--model", model, option, str(value)]
            seconds, memory = spent([*command, "-o", output])
            times.append(seconds - start)
            rows.append(f"| {what} {value} | {times[-1]:.1f} | {memory:.0f} | |")
    return [*rows, f"| {what} | | | x^{exponent(amounts, times):.2f} |"]


def main() -> None:
    model = sys.argv[1] if len(sys.argv) > 1 else VideoRequest.model
    pixels = [int(size.partition("x")[0]) * int(size.partition("x")[2]) for size in SIZES]
    print(f"By {model}.\n")
    print("| a clip of | seconds | MiB at the peak | time grows as |\n| --- | --- | --- | --- |")
    rows = curve("--seconds", LENGTHS, LENGTHS, "--seconds", model) + curve("--size", SIZES, pixels, "--size", model)
    if not load_config(find_model(model)).distilled:
        rows += curve("--steps", STEPS, STEPS, "--steps", model)
    print("\n".join(rows))


if __name__ == "__main__":
    main()
