"""The estimate of a whole generation: it never falls, and counts time from the beginning of sampling; and progress as
lines of text."""

from __future__ import annotations

import time

import pytest

from sorairo.pipelines.progress import Estimate, Progress, ProgressLines


def test_the_estimate_goes_by_the_pace_since_sampling_began() -> None:
    estimate = Estimate()
    assert estimate.after(Progress("loading", 1, 1), 100.0) == (2.0, None)
    assert estimate.after(Progress("sampling", 0, 5), 190.0) == (5.0, None), "loading says nothing about the rest"
    assert estimate.after(Progress("sampling", 1, 5), 200.0) == (20.0, 53)
    assert estimate.after(Progress("sampling", 0, 5), 215.0) == (20.0, 133), "a window that begins anew"
    assert estimate.after(Progress("signing", 1, 1), 220.0)[0] == 99.0


def test_long_work_says_how_far_it_is_and_how_long_it_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    minutes = [0]
    monkeypatch.setattr(time, "monotonic", lambda: 60.0 * minutes[0])
    lines = ProgressLines()
    for done in range(41):
        minutes[0] = done
        lines("frames", done, 40)
    told = capsys.readouterr().out.splitlines()
    assert told == ["frames 0/40", *(f"frames {done}/40  {40 - done} min left" for done in range(2, 41, 2))]
