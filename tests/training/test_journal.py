"""The log: means over steps, rates, loss by noise level; no line twice after a kill."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sorairo.training.journal import (
    DivergedError,
    Journal,
    Noted,
    loss_by_level,
    matmul_ceiling,
    require_tensorboard,
)

ReadLog = Callable[[Path], list[dict[str, Any]]]


def noted(loss: float, samples: int = 4, **more: Any) -> Noted:
    return Noted(samples, {"loss": torch.tensor(loss)}, **more)


def test_a_line_holds_means_and_rates(tmp_path: Path, read_log: ReadLog) -> None:
    with Journal(tmp_path, "x", range(3), seconds_per_line=1000, ceiling=1e6) as journal:
        started = time.monotonic()
        for step, loss in enumerate([1.0, 2.0, 6.0]):
            time.sleep(0.02)
            journal.add(step, noted(loss, samples=10, num_operations=1000.0))
    (line,) = read_log(tmp_path / "x.jsonl")
    seconds = time.monotonic() - started
    assert (line["step"], line["loss"]) == (3, 3.0)
    assert 0.02 <= line["seconds_per_step"] <= seconds / 3 + 0.1
    assert line["samples_per_second"] == pytest.approx(10 / line["seconds_per_step"])
    assert line["share_of_peak"] == pytest.approx(1000 / line["seconds_per_step"] / 1e6)


def test_a_line_is_written_every_few_seconds_and_at_the_end(
    tmp_path: Path, read_log: ReadLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("sorairo.training.journal.time", SimpleNamespace(monotonic=lambda: now))
    with Journal(tmp_path, "x", range(5), seconds_per_line=5.0) as journal:
        for step in range(5):
            now += 5.0 if step == 1 else 0.1
            journal.add(step, noted(float(step)))
    lines = read_log(tmp_path / "x.jsonl")
    assert [(line["step"], line["loss"]) for line in lines] == [(2, 0.5), (5, 3.0)]
    assert "share_of_peak" not in lines[0]


def test_numbers_may_come_in_some_steps_only(tmp_path: Path, read_log: ReadLog) -> None:
    with Journal(tmp_path, "x", range(3), 1000) as journal:
        journal.add(0, Noted(4, {"loss": torch.tensor(1.0)}))
        journal.add(1, Noted(8, {"picture_loss": torch.tensor(5.0)}))
        journal.add(2, Noted(3, {}))
    (line,) = read_log(tmp_path / "x.jsonl")
    assert (line["loss"], line["picture_loss"]) == (1.0, 5.0)
    assert line["samples_per_second"] == pytest.approx(5 / line["seconds_per_step"])


def test_a_run_that_goes_on_drops_what_it_does_again(tmp_path: Path, read_log: ReadLog) -> None:
    with Journal(tmp_path, "x", range(6), 0) as journal:
        for step in range(5):
            journal.add(step, noted(float(step)))
    with (tmp_path / "x.jsonl").open("a") as file:
        file.write('{"step": 6, "lo')  # killed while writing
    with Journal(tmp_path, "x", range(3, 6), 0) as journal:
        for step in range(3, 6):
            journal.add(step, noted(10.0 + step))
    lines = read_log(tmp_path / "x.jsonl")
    assert [(line["step"], line["loss"]) for line in lines] == [(1, 0), (2, 1), (3, 2), (4, 13), (5, 14), (6, 15)]


def test_the_board_shows_the_same(tmp_path: Path) -> None:
    with Journal(tmp_path, "x", range(2), 0) as journal:
        journal.add(0, noted(3.0))
        journal.add(1, noted(4.0))
        journal.picture(2, "samples", torch.zeros(4, 6, 3, dtype=torch.uint8))
    board = EventAccumulator(str(tmp_path / "tensorboard" / "x"))
    board.Reload()
    assert [(event.step, event.value) for event in board.Scalars("x/loss")] == [(1, 3.0), (2, 4.0)]
    assert [(event.step, event.width, event.height) for event in board.Images("samples")] == [(2, 6, 4)]


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_training_that_diverged_stops(tmp_path: Path, read_log: ReadLog, loss: float) -> None:
    with Journal(tmp_path, "x", range(9), 0) as journal:
        journal.add(0, noted(1.0))
        with pytest.raises(DivergedError, match=r"x: loss is (nan|inf) at step 2; try lower learning rates"):
            journal.add(1, noted(loss))
    assert [line["step"] for line in read_log(tmp_path / "x.jsonl")] == [1]


def test_loss_by_level_in_closed_form() -> None:
    losses, levels = torch.tensor([1.0, 3.0, 5.0, 7.0, 9.0]), torch.tensor([0.0, 0.19, 0.2, 0.999, 1.0])
    assert loss_by_level(losses, levels) == {"loss_level_0.2": 2.0, "loss_level_0.4": 5.0, "loss_level_1.0": 8.0}


def test_loss_by_level_is_over_all_clips_of_a_line(tmp_path: Path, read_log: ReadLog) -> None:
    with Journal(tmp_path, "x", range(2), 1000) as journal:
        journal.add(0, noted(0.0, by_level=(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.1, 0.1, 0.9]))))
        journal.add(1, noted(0.0, by_level=(torch.tensor([6.0]), torch.tensor([0.1]))))
    (line,) = read_log(tmp_path / "x.jsonl")
    assert (line["loss_level_0.2"], line["loss_level_1.0"]) == (3.0, 3.0)


def test_the_ceiling_is_a_plausible_speed() -> None:
    ceiling = matmul_ceiling(torch.device("cpu"), torch.float32, seconds=0.05)
    assert 1e8 < ceiling < 1e15


def test_tensorboard_is_asked_for_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    require_tensorboard()
    monkeypatch.setattr("sorairo.training.journal.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install 'sorairo\\[train\\]'"):
        require_tensorboard()
