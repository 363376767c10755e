"""Draws the next batches while an accelerator works on this one. Never changes what is drawn, or its order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

BatchT = TypeVar("BatchT")
NUM_AHEAD = 2


def batches(draw: Callable[[int], BatchT], steps: range, device: torch.device) -> Iterator[BatchT]:
    """``draw(step)`` of every step; drawn ahead by a thread unless the processor is also what trains."""
    if device.type == "cpu":
        yield from map(draw, steps)
        return
    with ThreadPoolExecutor(1) as thread:
        coming = deque(thread.submit(draw, step) for step in steps[:NUM_AHEAD])
        for step in steps:
            current = coming.popleft().result()
            if step + NUM_AHEAD in steps:
                coming.append(thread.submit(draw, step + NUM_AHEAD))
            yield current
