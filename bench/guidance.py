"""What guidance is worth: the way from floor to ceiling at several scales, on the same prompts and seeds.

python bench/guidance.py [--model MODEL] [--prompts N] 3 4.5 6
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from sorairo.evals.agreement import LEAST_AGREEMENT
from sorairo.evals.detector import load_detector
from sorairo.evals.evaluation import LIKE, requests_of, sample_clips
from sorairo.evals.judgement import JUDGES
from sorairo.evals.prompts import NUM_QUICK, held_out_cases
from sorairo.evals.scoring import Score, score_rows, tally, tally_others
from sorairo.evals.statements import statements
from sorairo.pipelines.bundle import load_bundle
from sorairo.world import render


def sweep(model: str, scales: list[float], num_prompts: int) -> dict[float, tuple[Score, ...]]:
    """Scores for each scale. Raises ValueError for an unknown model or a number of prompts that there is not."""
    cases, bundle, detector = held_out_cases(num_prompts), load_bundle(model), load_detector()
    said = [statements(case.caption.claims) for case in cases]
    real = [detector.observe(render(case.clip)[0]) for case in cases]
    floor, ceiling = tally_others(said, real), tally(said, real)
    scored = [fact for fact in JUDGES if detector.agreement.get(fact, 0.0) >= LEAST_AGREEMENT]
    rows = {}
    for scale in scales:
        requests = requests_of(cases, bundle, replace(LIKE, guidance_scale=scale))
        made = []
        for clip in sample_clips(requests, bundle):
            made.append(detector.observe(clip))
            print(f"\rguidance {scale:g}: {len(made)} of {len(cases)}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        rows[scale] = score_rows(tally(said, made), floor, ceiling, scored)
    return rows


def table(rows: dict[float, tuple[Score, ...]]) -> str:
    """Ways to the ceiling, with 95 % intervals, as Markdown."""
    facts = list(dict.fromkeys(score.fact for scores in rows.values() for score in scores))
    lines = [f"| guidance | {' | '.join(facts)} |", "| --- |" + " --- |" * len(facts)]
    for scale, scores in rows.items():
        cells = {
            s.fact: f"{s.fraction:.2f} ({s.fraction_interval[0]:.2f} to {s.fraction_interval[1]:.2f})" for s in scores
        }
        lines.append(f"| {scale:g} | {' | '.join(cells.get(fact, '-') for fact in facts)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scales", type=float, nargs="+")
    parser.add_argument("--model", default="sorairo-base", help="name or folder")
    parser.add_argument("--prompts", type=int, default=NUM_QUICK, help="of the familiar ones")
    given = parser.parse_args()
    print(table(sweep(given.model, given.scales, given.prompts)))


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        raise SystemExit(str(error)) from None
