import math

import numpy as np
import pytest

from sorairo.statistics import Z95, bootstrap_interval, pooled_share, share_of_way, wilson_interval


@pytest.mark.parametrize(("successes", "total"), [(0, 10), (3, 10), (10, 10), (70, 140)])
def test_wilson_bounds_solve_the_score_equation(successes: int, total: int) -> None:
    """Each bound p is where the observed share lies z standard errors of p away."""
    share = successes / total
    for bound in wilson_interval(successes, total):
        assert abs(share - bound) == pytest.approx(Z95 * math.sqrt(bound * (1 - bound) / total), abs=1e-7)


def test_wilson_of_none_found_and_of_nothing_asked() -> None:
    low, high = wilson_interval(0, 20)
    assert low == 0
    assert high == pytest.approx(Z95**2 / (20 + Z95**2))
    assert wilson_interval(0, 0) == (0, 1)


def test_wilson_is_symmetric() -> None:
    low, high = wilson_interval(3, 17)
    assert wilson_interval(14, 17) == pytest.approx((1 - high, 1 - low))


def test_bootstrap_of_a_mean_agrees_with_theory() -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)
    low, high = bootstrap_interval(lambda chosen: float(values[chosen].mean()), len(values))
    half = Z95 * values.std() / math.sqrt(len(values))
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.05)


def test_bootstrap_repeats_and_leaves_out_what_is_no_number() -> None:
    assert bootstrap_interval(lambda chosen: 0.25, 7) == (0.25, 0.25)
    assert all(math.isnan(bound) for bound in bootstrap_interval(lambda chosen: math.nan, 7))
    first = [bootstrap_interval(lambda chosen: float(chosen.mean()), 9) for _ in range(2)]
    assert first[0] == first[1]


def test_shares_are_pooled_over_statements_not_prompts() -> None:
    assert pooled_share(np.array([[1.0, 1.0], [0.0, 3.0]])) == 0.25
    assert math.isnan(pooled_share(np.zeros((2, 2))))


def test_share_of_way() -> None:
    assert share_of_way(0.2, 0.2, 0.9) == 0
    assert share_of_way(0.9, 0.2, 0.9) == 1
    assert share_of_way(0.55, 0.2, 0.9) == pytest.approx(0.5)
    assert share_of_way(0.1, 0.2, 0.9) < 0
    assert math.isnan(share_of_way(0.5, 0.5, 0.5))


def test_wilson_s_own_example() -> None:
    low, high = wilson_interval(9, 10)  # Wilson 1927: 0.596 to 0.982
    assert (round(low, 3), round(high, 3)) == (0.596, 0.982)
    assert wilson_interval(10, 10)[1] == pytest.approx(1.0)
