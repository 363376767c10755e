"""Batches drawn ahead are the same ones in the same order, and mistakes come through."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from sorairo.training.prefetch import NUM_AHEAD, batches

CUDA = torch.device("cuda")  # nothing is put there


@pytest.mark.parametrize("steps", [range(0), range(1), range(7, 9), range(3, 20)])
def test_the_same_batches_in_the_same_order(steps: range) -> None:
    assert list(batches(lambda step: step**2, steps, CUDA)) == [step**2 for step in steps]


def test_a_few_are_drawn_while_one_is_in_use() -> None:
    drawn: list[int] = []
    coming = batches(lambda step: drawn.append(step), range(100), CUDA)
    next(coming)
    deadline = time.monotonic() + 5
    while len(drawn) < 1 + NUM_AHEAD and time.monotonic() < deadline:
        time.sleep(0.001)
    assert drawn == list(range(1 + NUM_AHEAD))
    coming.close()  # type: ignore[attr-defined]


def test_a_mistake_in_drawing_is_raised_at_its_step() -> None:
    def draw(step: int) -> int:
        if step == 2:
            raise ValueError("no data")
        return step

    coming = batches(draw, range(5), CUDA)
    assert (next(coming), next(coming)) == (0, 1)
    with pytest.raises(ValueError, match="no data"):
        next(coming)


def test_on_a_processor_no_thread_takes_part() -> None:
    threads = set(batches(lambda _: threading.current_thread(), range(3), torch.device("cpu")))
    assert threads == {threading.current_thread()}
    ahead = set(batches(lambda _: threading.current_thread(), range(3), CUDA))
    assert threading.current_thread() not in ahead
