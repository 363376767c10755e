"""Fits by closed form, and that what moves by no law is found out."""

from __future__ import annotations

import numpy as np
import pytest

from sorairo.evals.laws import (
    LAWS,
    Fit,
    _alone,
    _together,
    fits,
    jumbled,
    lawful,
    limits_of,
    medians,
    tally_laws,
)
from sorairo.evals.tracks import Track
from sorairo.shapes import NATIVE_FPS
from sorairo.sight.observation import Observation, Sighting


def moving(x: np.ndarray, z: np.ndarray | None = None, radius: float = 0.4) -> Track:
    frames = np.arange(len(x))
    z = np.zeros(len(x)) if z is None else z
    return Track(frames, x, x - radius, x + radius, np.zeros(len(x)), z, z + 2 * radius)


TIME = np.arange(33) / NATIVE_FPS


def only(found: list[Fit], law: str) -> Fit:
    (fit,) = [fit for fit in found if fit.law == law]
    return fit


@pytest.mark.parametrize("gravity", [9.81, 3.0])
def test_gravity_and_rebound_of_a_fall(gravity: float) -> None:
    landing = np.sqrt(2 * 2.0 / gravity)
    up = 0.6 * gravity * landing  # leaves the ground at six tenths of its speed
    after = TIME - landing
    z = np.where(landing > TIME, 2.0 - gravity * TIME**2 / 2, np.maximum(0, up * after - gravity * after**2 / 2))
    found = list(_alone(moving(np.zeros(33), z), 33))
    assert only(found, "fall").number == pytest.approx(gravity, rel=1e-6)
    assert only(found, "fall").residual == pytest.approx(0, abs=1e-9)
    assert only(found, "bounce").number == pytest.approx(0.6, abs=0.05)


def test_what_comes_down_a_slope_does_not_fall_freely() -> None:
    z = np.maximum(0, 1.5 - TIME)
    assert list(_alone(moving(2 * (1.5 - z), z), 33)) == []


def test_what_topples_long_after_it_came_does_not_fall_freely() -> None:
    z = 1.5 - np.clip(9.81 * np.maximum(0, TIME - 2) ** 2 / 2, 0, 1.5)
    assert list(_alone(moving(np.zeros(33), z), 33)) == []


def test_a_fall_ends_where_it_comes_no_lower_though_it_rolls_down_later() -> None:
    landed = 2.0 - 9.81 * TIME**2 / 2 < 0.6
    z = np.where(landed, 0.6 - 0.02 * np.maximum(0, TIME - 1), 2.0 - 9.81 * TIME**2 / 2)
    assert only(list(_alone(moving(np.zeros(33), z), 33)), "fall").number == pytest.approx(9.81, rel=1e-6)


def test_slowing_down_of_what_rolls() -> None:
    x = np.where(TIME < 2.5, 2.5 * TIME - 0.5 * TIME**2, 3.125)
    fit = only(list(_alone(moving(x), 33)), "roll")
    assert fit.number == pytest.approx(1.0, abs=0.05)
    assert fit.residual < 0.01
    leftward = only(list(_alone(moving(-x), 33)), "roll")
    assert leftward.number == pytest.approx(fit.number)


def test_rolling_ends_where_something_is_met() -> None:
    x = np.minimum(2 * TIME, 2.0)  # stops dead at frame 8
    fit = only(list(_alone(moving(x), 9)), "roll")
    assert fit.number == pytest.approx(0, abs=1e-6)


def test_collision_of_two_masses() -> None:
    """The second has three times the mass, and half of the speed of meeting is left: by the laws of both."""
    u, mass, bounce = 2.0, 3.0, 0.5
    v2 = (1 + bounce) * u / (1 + mass)
    v1 = v2 - bounce * u
    met = 1.5
    first = moving(np.where(met > TIME, u * (TIME - met), v1 * (TIME - met)))
    second = moving(0.8 + np.where(met > TIME, 0, v2 * (TIME - met)))
    found = list(_together(first, second, int(met * NATIVE_FPS)))
    assert only(found, "collision").number == pytest.approx(bounce)
    assert only(found, "momentum").number == pytest.approx(mass)


def test_limits_hold_most_and_refuse_the_rest() -> None:
    rng = np.random.default_rng(0)
    real = [
        Fit("fall", float(n), float(r)) for n, r in zip(rng.normal(9.8, 1, 400), rng.uniform(0, 0.1, 400), strict=True)
    ]
    limits = limits_of(real)
    assert 0.68 < np.mean([lawful(fit, limits) for fit in real]) < 0.76
    assert not lawful(Fit("fall", 3.0), limits)
    assert not lawful(Fit("fall", 9.8, 0.5), limits)
    counts = tally_laws([real[:10], [], [Fit("fall", 3.0)]], limits)
    assert set(counts) == set(LAWS)
    assert counts["fall"][1:].tolist() == [[0, 0], [0, 1]]
    assert counts["roll"].sum() == 0


def test_medians_are_quartiles() -> None:
    assert medians([[Fit("roll", 1.0), Fit("roll", 3.0)], [Fit("roll", 2.0)]]) == {
        "roll": {"fits": 3, "low": 1.5, "median": 2.0, "high": 2.5}
    }


def rolls(num: int = 33) -> Observation:
    """A red ball that rolls to the right at an even speed, on a picture of 160 x 96."""
    sightings = []
    for frame in range(num):
        x = -0.7 + 1.4 * frame / (num - 1)
        sightings.append(Sighting(frame, 1, "red", "sphere", x, -0.1, x - 0.12, x + 0.12, -0.3, 0.1, 0.02, 0.0))
    return Observation(tuple(sightings), np.zeros((num, 48, 80), np.int8), "day", "sand", "still")


def test_a_jumbled_clip_shows_the_same_and_moves_otherwise() -> None:
    seen = rolls()
    mixed = jumbled(seen)
    assert sorted(s.frame for s in mixed.sightings) == list(range(33))
    assert sorted(s.x for s in mixed.sightings) == sorted(s.x for s in seen.sightings)
    smooth, rough = (only(fits(clip), "roll") for clip in (seen, mixed))
    assert smooth.residual < 0.02
    assert rough.residual > 3 * smooth.residual
