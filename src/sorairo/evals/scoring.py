"""How many statements hold, prompt by prompt, and what that is worth between floor and ceiling. Never sees pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sorairo.evals.judgement import judge
from sorairo.evals.laws import LAWS
from sorairo.evals.statements import FACTS, GROUPS, Statement
from sorairo.sight.observation import Observation
from sorairo.statistics import Floats, bootstrap_interval, pooled_share, share_and_interval, share_of_way

SCORED_GROUPS: dict[str, tuple[str, ...]] = {**GROUPS, "physics": LAWS}
ROWS: dict[str, tuple[str, ...]] = {**{fact: (fact,) for fact in (*FACTS, *LAWS)}, "event": ("hit", "topple")}
"""Rows of a report, and the facts or laws that each pools."""
NUM_OTHERS = 5  # clips of other prompts against which each prompt is held for the floor

Tally = dict[str, Floats]
"""For each fact, [p 2]: how many statements of a prompt hold, and how many there are."""


@dataclass(frozen=True)
class Score:
    """One row: shares of statements that hold, from 0 to 1, each with a 95 % interval.

    fraction: how far the score is from floor to ceiling. reconstruction: real clips through the autoencoder.
    """

    fact: str
    num_statements: int
    score: float
    score_interval: tuple[float, float]
    floor: float
    ceiling: float
    fraction: float
    fraction_interval: tuple[float, float]
    reconstruction: float | None = None


def tally(said: Sequence[tuple[Statement, ...]], seen: Sequence[Observation]) -> Tally:
    """Statements of each prompt against the clip in the same place."""
    counts = {fact: np.zeros((len(said), 2)) for fact in FACTS}
    for index, (of_prompt, clip) in enumerate(zip(said, seen, strict=True)):
        for statement in of_prompt:
            if statement.fact in counts:
                counts[statement.fact][index] += (judge(statement, clip), 1)
    return counts


def no_tally(number: int) -> Tally:
    """Nothing held against ``number`` prompts."""
    return {row: np.zeros((number, 2)) for row in (*FACTS, *LAWS)}


def tally_others(said: Sequence[tuple[Statement, ...]], seen: Sequence[Observation]) -> Tally:
    """Statements of each prompt against the clips of the next few prompts."""
    shifts = range(1, min(NUM_OTHERS, len(said) - 1) + 1)
    tallies = [tally(said, [*seen[shift:], *seen[:shift]]) for shift in shifts]
    empty = np.zeros((len(said), 2))
    return {fact: sum((t[fact] for t in tallies), start=empty) for fact in FACTS}


def part(counts: Tally, chosen: npt.NDArray[np.bool_]) -> Tally:
    """Of some prompts alone."""
    return {fact: of_fact[chosen] for fact, of_fact in counts.items()}


def score_rows(
    made: Tally,
    floor: Tally,
    ceiling: Tally,
    scored: Sequence[str],
    rebuilt: Tally | None = None,
    pooling: Mapping[str, tuple[str, ...]] = ROWS,
) -> tuple[Score, ...]:
    """Rows of those facts that are scored and that some prompt speaks of, each of the facts that ``pooling`` says."""
    rows = {row: [fact for fact in facts if fact in scored] for row, facts in pooling.items()}
    scores = [
        _score(
            row,
            pooled(made, facts),
            pooled(floor, facts),
            pooled(ceiling, facts),
            pooled(rebuilt, facts) if rebuilt else None,
        )
        for row, facts in rows.items()
        if facts
    ]
    return tuple(score for score in scores if score.num_statements)


def pooled(counts: Tally, facts: Sequence[str]) -> Floats:
    """Counts [p 2] of several facts together."""
    return sum((counts[fact] for fact in facts[1:]), start=counts[facts[0]])


def _score(row: str, made: Floats, floor: Floats, ceiling: Floats, rebuilt: Floats | None) -> Score:
    def fraction(chosen: npt.NDArray[np.int64]) -> float:
        return share_of_way(*(pooled_share(counts[chosen]) for counts in (made, floor, ceiling)))

    score, score_interval = share_and_interval(made)
    return Score(
        fact=row,
        num_statements=int(made[:, 1].sum()),
        score=score,
        score_interval=score_interval,
        floor=pooled_share(floor),
        ceiling=pooled_share(ceiling),
        fraction=fraction(np.arange(len(made))),
        fraction_interval=bootstrap_interval(fraction, len(made)),
        reconstruction=None if rebuilt is None else pooled_share(rebuilt),
    )
