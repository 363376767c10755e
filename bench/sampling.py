"""What each way of sampling is worth: WorldBench's scores beside the time, on the same prompts and seeds.

python bench/sampling.py [--prompts N] MODEL[:STEPS[:GUIDANCE]] ...

For example sorairo-base sorairo-base:12 sorairo-base:30:4.5 sorairo-turbo. Without N: those of `sorairo eval --quick`.
Seconds are of text, sampling and decoding of one clip at a time: what its user waits for.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sorairo.evals.agreement import scored_facts
from sorairo.evals.detector import load_detector
from sorairo.evals.evaluation import LIKE, requests_of, sample_clips
from sorairo.evals.prompts import Case, bench_cases, held_out_cases
from sorairo.evals.scoring import Score, score_rows, tally, tally_others
from sorairo.evals.statements import FACTS, GROUPS, statements
from sorairo.pipelines.bundle import load_bundle
from sorairo.pipelines.sampling_plan import SamplingPlan
from sorairo.world import render


@dataclass(frozen=True)
class Way:
    """One row. scores: of each group of facts, and of all; seconds: the median for a clip."""

    name: str
    weights: str
    plan: SamplingPlan
    seconds: float
    scores: tuple[Score, ...]

    def row(self) -> str:
        each = (f"{s.fraction:.2f} ({s.fraction_interval[0]:.2f} to {s.fraction_interval[1]:.2f})" for s in self.scores)
        how = self.plan
        passes = how.num_steps * (1 if how.distilled or how.guidance_scale == 1 else 2)
        guidance = f"{how.guidance_scale:g}" + (", inside" if how.distilled else "")
        cells = (self.name, f"`{self.weights[:12]}`", how.num_steps, guidance, passes, f"{self.seconds:.2f}", *each)
        return f"| {' | '.join(map(str, cells))} |"


def compare(ways: Sequence[str], cases: Sequence[Case]) -> list[Way]:
    """Raises ValueError for an unknown model, or numbers that it cannot be sampled with."""
    detector, said = load_detector(), [statements(case.caption.claims) for case in cases]
    real = [detector.observe(render(case.clip)[0]) for case in cases]
    floor, ceiling = tally_others(said, real), tally(said, real)
    scored, rows = scored_facts(detector.agreement), []
    for way in ways:
        model, steps, scale = (*way.split(":"), "", "")[:3]
        like = replace(LIKE, num_inference_steps=int(steps) if steps else None)
        like = replace(like, guidance_scale=float(scale) if scale else None)
        bundle, made, seconds = load_bundle(model), [], []
        start = time.perf_counter()
        for clip in sample_clips(requests_of(cases, bundle, like), bundle, batch_size=1):
            seconds.append(time.perf_counter() - start)
            made.append(detector.observe(clip))
            print(f"\r{way}: {len(made)} of {len(cases)}", end="", file=sys.stderr, flush=True)
            start = time.perf_counter()
        print(file=sys.stderr)
        scores = score_rows(tally(said, made), floor, ceiling, scored, pooling={**GROUPS, "all": FACTS})
        plan = SamplingPlan.of(like, bundle.config)
        rows.append(Way(bundle.name, bundle.weights_sha256, plan, sorted(seconds)[len(seconds) // 2], scores))
        print(rows[-1].row(), file=sys.stderr)
    return rows


def table(ways: Sequence[Way]) -> str:
    """Ways to the ceiling, with 95 % intervals, as Markdown."""
    header = ["model", "weights", "steps", "guidance", "passes", "seconds", *(score.fact for score in ways[0].scores)]
    return "\n".join([f"| {' | '.join(header)} |", "| --- " * len(header) + "|", *(way.row() for way in ways)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ways", nargs="+", metavar="MODEL[:STEPS[:GUIDANCE]]")
    parser.add_argument("--prompts", type=int, help="of the familiar ones")
    given = parser.parse_args()
    cases = held_out_cases(given.prompts) if given.prompts else bench_cases(quick=True)
    print(table(compare(given.ways, cases)))


if __name__ == "__main__":
    main()
