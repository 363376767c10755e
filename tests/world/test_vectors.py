"""Arithmetic of 3-tuples and the noise of the ground."""

from __future__ import annotations

import numpy as np
import pytest

from sorairo.world.vectors import along, clamp, dot, fractal, lattice, mix, noise, scaled, sub, times, unit, vec

A, B = (1.0, -2.0, 3.0), (0.5, 4.0, -1.0)


def test_vectors_agree_with_numpy() -> None:
    a, b = np.array(A), np.array(B)
    assert dot(A, B) == pytest.approx(a @ b)
    assert sub(A, B) == pytest.approx(a - b)
    assert times(A, B) == pytest.approx(a * b)
    assert scaled(A, 2.5) == pytest.approx(2.5 * a)
    assert along(A, B, 3.0) == pytest.approx(a + 3 * b)
    assert vec(np.arange(9.0), 4) == (4.0, 5.0, 6.0)


def test_mixing_has_both_ends_and_a_middle() -> None:
    assert mix(A, B, 0.0) == pytest.approx(A)
    assert mix(A, B, 1.0) == pytest.approx(B)
    assert mix(A, B, 0.5) == pytest.approx(tuple((a + b) / 2 for a, b in zip(A, B, strict=True)))


def test_unit_vectors_have_length_one_and_keep_their_direction() -> None:
    direction = unit(A)
    assert dot(direction, direction) == pytest.approx(1)
    assert np.cross(direction, A) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("value", "kept"), [(-1.0, 0.0), (0.3, 0.3), (7.0, 1.0)])
def test_clamp_keeps_what_is_inside(value: float, kept: float) -> None:
    assert clamp(value, 0.0, 1.0) == kept


def test_lattice_is_a_hash_with_a_flat_histogram() -> None:
    values = np.array([lattice(float(x), float(y)) for x in range(-40, 40) for y in range(-40, 40)])
    assert values.min() >= 0
    assert values.max() <= 1
    counts, _ = np.histogram(values, bins=10, range=(0, 1))
    assert counts.min() > 0.8 * counts.mean()


def test_noise_meets_its_lattice_and_is_smooth_between() -> None:
    assert noise(3.0, -5.0) == pytest.approx(lattice(3.0, -5.0))
    samples = np.array([noise(x, 0.4) for x in np.linspace(0, 6, 601)])
    assert np.abs(np.diff(samples)).max() < 0.03


def test_fractal_noise_stays_in_range() -> None:
    samples = np.array([fractal(x * 0.37, x * 0.71) for x in range(500)])
    assert samples.min() >= 0
    assert samples.max() <= 1
    assert samples.std() > 0.05
