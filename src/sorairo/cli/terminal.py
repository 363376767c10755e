"""What a user sees: one line for a mistake, notes, a bar for each stage with the time that is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from sorairo.media import Frames
    from sorairo.pipelines import Progress


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
