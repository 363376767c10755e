"""Whether telling short prompts in full pays: WorldBench's scores with and without it, on the same prompts and seeds.

python bench/expansion.py [--model MODEL] [--prompts N]

Prompts are the fragments and short ones of WorldBench's list. What a prompt claims is scored, not what was added to it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from sorairo.evals.detector import load_detector
from sorairo.evals.evaluation import requests_of, sample_clips
from sorairo.evals.prompts import Case, bench_cases
from sorairo.evals.scoring import Tally, pooled, tally
from sorairo.evals.statements import FACTS, GROUPS, statements
from sorairo.pipelines.bundle import ModelBundle, load_bundle
from sorairo.pipelines.expansion import expanded, load_expander
from sorairo.pipelines.request import VideoRequest
from sorairo.statistics import Floats, bootstrap_interval, pooled_share

STYLES = ("fragment", "short")


def measure(cases: Sequence[Case], requests: Sequence[VideoRequest], bundle: ModelBundle, batch_size: int = 4) -> Tally:
    """What the clips of the requests hold of the cases' statements."""
    detector = load_detector()
    seen = [detector.observe(frames) for frames in sample_clips(requests, bundle, batch_size)]
    return tally([statements(case.caption.claims) for case in cases], seen)


def gained(before: Tally, after: Tally, facts: Sequence[str]) -> tuple[str, str]:
    """Growth of the share of statements that hold, and its 95 % interval over prompts, paired."""
    counts = [pooled(tallied, facts) for tallied in (before, after)]

    def gain(chosen: Floats | slice) -> float:
        return pooled_share(counts[1][chosen]) - pooled_share(counts[0][chosen])

    low, high = bootstrap_interval(gain, len(counts[0]))
    return f"{gain(slice(None)):+.2f}", f"{low:+.2f} to {high:+.2f}"


def row(name: str, before: Tally, after: Tally, facts: Sequence[str]) -> str:
    """A line of the table: both shares, and what was gained."""
    shares = [f"{pooled_share(pooled(tallied, facts)):.2f}" for tallied in (before, after)]
    return f"| {' | '.join([name, *shares, *gained(before, after, facts)])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="sorairo-base")
    parser.add_argument("--prompts", type=int, default=96)
    given = parser.parse_args()
    bundle, expander = load_bundle(given.model), load_expander()
    cases = [case for case in bench_cases() if case.caption.style in STYLES][: given.prompts]
    plain = requests_of(cases, bundle)
    told = [expanded(request, expander.expand(request.prompt)) for request in plain]
    told = [replace(request, user_prompt="") for request in told]  # the batch's requests differ in their prompts alone
    changed = sum(a.prompt != b.prompt for a, b in zip(plain, told, strict=True))
    print(f"{len(cases)} prompts, {changed} of them told in full\n")
    before, after = (measure(cases, requests, bundle, batch_size=1) for requests in (plain, told))
    print("| group | as it is | told in full | difference | 95 % |\n| --- | --- | --- | --- | --- |")
    for name, facts in {**GROUPS, "all": FACTS}.items():
        print(row(name, before, after, facts))


if __name__ == "__main__":
    main()
