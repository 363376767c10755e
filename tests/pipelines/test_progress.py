"""The estimate of a whole generation: it never falls, and counts time from the beginning of sampling."""

from __future__ import annotations

from sorairo.pipelines.progress import Estimate, Progress


def test_the_estimate_goes_by_the_pace_since_sampling_began() -> None:
    estimate = Estimate()
    assert estimate.after(Progress("loading", 1, 1), 100.0) == (2.0, None)
    assert estimate.after(Progress("sampling", 0, 5), 190.0) == (5.0, None), "loading says nothing about the rest"
    assert estimate.after(Progress("sampling", 1, 5), 200.0) == (20.0, 53)
    assert estimate.after(Progress("sampling", 0, 5), 215.0) == (20.0, 133), "a window that begins anew"
    assert estimate.after(Progress("signing", 1, 1), 220.0)[0] == 99.0
