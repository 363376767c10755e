"""How many videos a minute become shots, with one worker and with two, and what memory many files take. Checks nothing.

python bench/ingest.py [FOLDER OF VIDEOS, by default runs/footage] [NUMBER OF SMALL FILES]
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from sorairo.data.dataset import read_card
from sorairo.data.footage_items import find_items
from sorairo.data.ingest import ingest
from sorairo.media import write_mp4


def timed(footage: Path, out: Path, workers: int) -> float:
    begun = time.perf_counter()
    ingest(footage, out, lambda *_: None, workers=workers, allow_unknown_licence=True)
    return time.perf_counter() - begun


def by_workers(footage: Path, folder: Path) -> None:
    number = len(find_items(footage))
    for workers in (1, 2):
        out = folder / f"{workers}" / "set"
        spent = timed(footage, out, workers)
        card = read_card(out)
        each_minute = (
            f"{60 * number / spent:.1f} videos a minute, {card['seconds'] / spent:.2f} seconds of video a second"
        )
        print(f"{workers} worker{'s' * (workers > 1)}: {number} files, {spent:.0f} s, {each_minute}", flush=True)
    print("the same bytes:", (folder / "1/set/card.json").read_bytes() == (folder / "2/set/card.json").read_bytes())


def many_files(number: int, folder: Path) -> None:
    """Each a film of three frames, of other bytes."""
    write_mp4(
        folder / "one.mp4",
        [np.full((32, 32, 3), value, np.uint8) for value in (60, 90, 120)],
        width=32,
        height=32,
        fps=12,
    )
    film = (folder / "one.mp4").read_bytes()
    for some in (number // 10, number):
        small = folder / f"{some}-files"
        small.mkdir()
        for index in range(some):
            (small / f"{index}.mp4").write_bytes(film + (16).to_bytes(4, "big") + b"free" + index.to_bytes(8, "big"))
        spent = timed(small, folder / f"{some}-set", 1)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{some} small files: {1000 * spent / some:.0f} ms each, {peak:.0f} MiB at most so far", flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="sorairo-bench-") as folder:
        many_files(int(sys.argv[2]) if len(sys.argv) > 2 else 2000, Path(folder))
        by_workers(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("runs/footage"), Path(folder))


if __name__ == "__main__":
    main()
