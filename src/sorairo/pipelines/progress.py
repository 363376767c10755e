"""How far a generation is: stages by name, steps done, and a look at what is coming; other work as lines of text."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from sorairo.media import Frames

PERCENT = {
    "loading": (0, 2),
    "policy": (2, 3),
    "text": (3, 5),
    "sampling": (5, 80),
    "decoding": (80, 97),
    "signing": (97, 99),
}
"""Where in the whole each stage begins and ends."""
STAGES = tuple(PERCENT)

Preview = Callable[[], "Frames"]
"""Computes small frames [t h w 3] of the clip as it stands; costs nothing until it is called."""


@dataclass(frozen=True)
class Progress:
    """``done`` of ``total`` steps of a stage; each stage reports 0 when it begins and ``total`` when it ends.

    notices: lines for the user about what will probably not come out as asked.
    """

    stage: str
    done: int
    total: int
    preview: Preview | None = None
    notices: tuple[str, ...] = ()


OnProgress = Callable[[Progress], None]


class Advance(Protocol):
    """Reports that ``done`` steps of the stage are behind us."""

    def __call__(self, done: int, preview: Preview | None = None, notices: tuple[str, ...] = ()) -> None: ...


def silent(*progress: object) -> None:
    """Reports to nobody."""


class StageClock:
    """Reports each stage's progress and keeps the seconds it took."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str, total: int = 1) -> Iterator[Advance]:
        """A stage of ``total`` steps; what it does not report itself is reported when it ends."""
        assert name in STAGES, name
        last = 0

        def advance(done: int, preview: Preview | None = None, notices: tuple[str, ...] = ()) -> None:
            nonlocal last
            last = done
            self._on_progress(Progress(name, done, total, preview, notices))

        advance(0)
        start = time.perf_counter()
        yield advance
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
        if last < total:
            advance(total)


class Estimate:
    """How much of a whole generation is behind us, and how long the rest takes."""

    def __init__(self) -> None:
        self._percent, self._begun, self._first = 0.0, 0.0, 0.0

    def after(self, progress: Progress, moment: float) -> tuple[float, int | None]:
        """Percent, which never falls, and seconds left, by the pace since sampling began: what came before says
        nothing about it. ``moment``: now, by a clock that only goes on."""
        low, high = PERCENT[progress.stage]
        self._percent = max(self._percent, low + (high - low) * progress.done / progress.total)
        if not self._begun or self._percent <= PERCENT["sampling"][0]:
            self._begun, self._first = moment, self._percent
        done = self._percent - self._first
        return self._percent, round((moment - self._begun) * (100 - self._percent) / done) if done > 0 else None


class ProgressLines:
    """How far a stage is, and the minutes left: twenty lines of it, more in a terminal; ``to`` stdout if None."""

    def __init__(self, to: TextIO | None = None) -> None:
        self._to, self._begun = to, dict[str, tuple[float, int]]()

    def __call__(self, stage: str, done: int, total: int) -> None:
        since, first = self._begun.setdefault(stage, (time.monotonic(), done))
        if done >= total:
            del self._begun[stage]
        elif not sys.stderr.isatty() and done % max(1, total // 20):
            return
        minutes = (time.monotonic() - since) / 60 * (total - done) / max(1, done - first)
        left = f"  {minutes:.0f} min left" if done > first else ""  # of the first step nobody knows how long it took
        print(f"{stage} {done}/{total}{left}", file=self._to, flush=True)
