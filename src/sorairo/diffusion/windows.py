"""A long clip in windows of the length the model was trained on, each of which sees frames that are finished.

Plans only: never samples.
"""

from __future__ import annotations

from collections.abc import Sequence


def plan_windows(known: Sequence[bool], length: int, context: int) -> list[slice]:
    """Windows of at most ``length`` latent frames that together make every frame which is not ``known``.

    They begin beside the first known frames, go back to the start, then on to the end; each holds at least ``context``
    finished frames, where there are any. With nothing known they go from the start to the end.
    """
    assert 0 <= context < length
    done, windows = list(known), []
    first = done.index(True) if True in done else 0

    def add(start: int, stop: int) -> None:
        windows.append(slice(start, stop))
        done[start:stop] = [True] * (stop - start)

    while not all(done[:first]):
        last = max(index for index in range(first) if not done[index])
        start = max(0, min(last + 1 + context, len(done)) - length)
        add(start, min(len(done), start + length))
    while not all(done):
        stop = min(len(done), max(0, done.index(False) - context) + length)
        add(max(0, stop - length), stop)
    return windows
