"""Shares with their uncertainty. Knows numbers only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Z95 = 1.959963984540054
NUM_RESAMPLES = 1000
Floats = npt.NDArray[np.float64]


def wilson_interval(successes: float, total: float) -> tuple[float, float]:
    """Wilson's 95 % score interval of a share (Wilson 1927, J. Am. Stat. Assoc. 22); (0, 1) for no observation."""
    if total == 0:
        return 0.0, 1.0
    share, spread = successes / total, Z95 * Z95 / total
    middle = (share + spread / 2) / (1 + spread)
    half = Z95 / (1 + spread) * np.sqrt(share * (1 - share) / total + spread / (4 * total))
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def bootstrap_interval(statistic: Callable[[npt.NDArray[np.int64]], float], size: int) -> tuple[float, float]:
    """95 % percentile interval of a statistic of indices, resampled with repetition (Efron 1979).

    Draws whole prompts, since the statements of one prompt stand or fall together. Draws for which the statistic is
    not a number are left out.
    """
    rng = np.random.default_rng(0)
    values = np.array([statistic(rng.integers(0, size, size)) for _ in range(NUM_RESAMPLES)])
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def pooled_share(counts: Floats) -> float:
    """Share over all prompts, from [p 2] successes and totals; not a number when nothing was asked."""
    successes, total = counts.sum(0).tolist()
    return successes / total if total else float("nan")


def share_and_interval(counts: Floats) -> tuple[float, tuple[float, float]]:
    """The same with its 95 % interval over prompts."""
    return pooled_share(counts), bootstrap_interval(lambda chosen: pooled_share(counts[chosen]), len(counts))


def share_of_way(score: float, floor: float, ceiling: float) -> float:
    """How far a score is on the way from the floor to the ceiling; not a number when they do not differ."""
    return (score - floor) / (ceiling - floor) if ceiling > floor else float("nan")
