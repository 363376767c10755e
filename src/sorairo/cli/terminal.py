"""What a user sees: one line for a mistake, notes, a bar for each stage with the time that is left."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sorairo.config import nearest_name

if TYPE_CHECKING:
    from sorairo.media import Frames
    from sorairo.pipelines import Progress


FILE_NAMES = ("clip", "picture", "first")
CALLED = {
    "anchors[0]": FILE_NAMES, "anchors[1]": ("second",), "anchors[].time": ("others", "before"),
    "source": FILE_NAMES, "source.second": ("second",), "source.strength": ("strength",),
    "source.influence": ("curve",), "influence": ("curve",), "source.place": ("place",),
    "output": ("path", "output"), "set": ("changes",),
}  # fmt: skip
"""What a request's fields are called in the commands that take them by other names."""


def in_options(message: str, command: click.Command, words: Sequence[str]) -> str:
    """A message that begins with a field of the request, with what is typed for it in the command of ``words``."""
    for word in words:
        command = getattr(command, "commands", {}).get(word, command)
    names = {given.name: max(given.opts, key=len) for given in command.params}  # an argument has its name alone
    field = re.match(r"[\w.\[\]]*(?=:| is | has )", message)
    name = field[0] if field else ""
    called = CALLED.get(name) or CALLED.get(re.sub(r"\d+", "", name), (name,))
    return next((names[one] for one in called if one in names), name) + message.removeprefix(name)


def check_toml(what: str, path: Path) -> None:
    """Raises ValueError that names the nearest TOML file of the folder, where there is none at ``path``."""
    if not path.is_file():
        others = sorted(other.name for other in path.parent.glob("*.toml"))
        nearest = f": the nearest there is {path.parent / nearest_name(path.name, others)}" if others else ""
        raise ValueError(f"{what} is {path}; there is no such file{nearest}")


def fail(message: str, code: int) -> int:
    click.echo(f"error: {printable(message)}", err=True)
    return code


def note(message: str) -> None:
    click.echo(f"note: {printable(message)}", err=True)


def printable(text: object) -> str:
    """One line without control characters: a stranger's file may hold what would take over a terminal."""
    return "".join(sign if sign.isprintable() else " " for sign in " ".join(str(text).split()))


@contextmanager
def progress_bars(preview: bool = False) -> Iterator[Callable[[Progress], None]]:
    """A bar for each stage, with the time that is left; on a terminal only."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = TextColumn("{task.description:>11}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    tasks: dict[str, Any] = {}
    with Bars(
        *columns, TextColumn("left"), TimeRemainingColumn(), console=console, disable=not console.is_terminal
    ) as bars:

        def on_progress(progress: Progress) -> None:
            if progress.stage not in tasks:
                tasks[progress.stage] = bars.add_task(progress.stage, total=progress.total)
            bars.update(tasks[progress.stage], completed=progress.done)
            for notice in progress.notices:
                bars.console.out(f"note: {printable(notice)}", highlight=False)
            if preview and console.is_terminal and progress.preview and progress.done % 5 == 0:
                bars.print(_half_blocks(progress.preview()))

        yield on_progress


@contextmanager
def stage_bars() -> Iterator[Callable[[str, int, int], None]]:
    """For work that takes long, told as stage, done and total: a bar on a terminal, else a line now and then."""
    from sorairo.pipelines.progress import Progress, ProgressLines

    with progress_bars() as show:
        yield (lambda *told: show(Progress(*told))) if sys.stderr.isatty() else ProgressLines(sys.stderr)


def _half_blocks(frames: Frames) -> Any:
    """First, middle and last frame of a preview side by side, two rows of pixels in one row of text."""
    import numpy as np
    from rich.text import Text

    shown = [frames[0], frames[len(frames) // 2], frames[-1]]
    picture = np.concatenate(shown, axis=1).repeat(2, axis=0).repeat(2, axis=1)
    text = Text()
    for upper, lower in zip(picture[::2], picture[1::2], strict=True):
        for above, below in zip(upper, lower, strict=True):
            text.append("▀", f"rgb({','.join(map(str, above))}) on rgb({','.join(map(str, below))})")
        text.append("\n")
    return text
