"""The words that go with the detectors' weights: what they learned from, what it took, how far they can be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sorairo.evals.agreement import LEAST_AGREEMENT, Agreement

HEADER = (
    "| fact | agreement | 95 % | found when true | refused when false | scored |\n| --- | --- | --- | --- | --- | --- |"
)


def card_text(facts: dict[str, Any], tables: Mapping[str, Sequence[Agreement]]) -> str:
    """The card as Markdown. tables: agreement by the kind of pixels it was measured on."""
    parts = "\n\n".join(f"### {title}\n\n{agreement_table(rows)}" for title, rows in tables.items())
    numbers = "\n".join(f"- {name.replace('_', ' ')}: {value}" for name, value in facts.items())
    return f"""# Detectors of the evaluation

Two small networks that read clips from pixels alone: a feature pyramid that says for each cell of 2x2 pixels which
colour and shape it shows, where the middle of its thing is and whether the thing lies, and for each picture its light
and ground; and a network over correlation volumes of seven pictures that says how the camera moves. Everything else
(tracks, counts, directions, hits, falls) follows from these by the rules in `sorairo/evals/judgement.py`.

Trained on rendered clips of the world (splits "train" and "novel", from seed 0), half of them blurred, ringing, noisy
or off in colour as an autoencoder's or a generator's pictures are. Licence: Apache-2.0. Made again by
`python -m sorairo.evals.detector_training weights/detector`.

{numbers}

## Agreement with the truth

On held-out clips (split "test"), with statements that are true of the clip and statements that its facts contradict.
Agreement is the mean of both shares; facts under {LEAST_AGREEMENT:.2f} are not scored.

{parts}
"""


def agreement_table(rows: Sequence[Agreement]) -> str:
    """Agreement of each fact as a Markdown table."""
    lines = [
        f"| {a.fact} | {a.balanced:.3f} | {a.interval[0]:.2f} to {a.interval[1]:.2f} "
        f"| {a.num_true_found} of {a.num_true} | {a.num_false_refused} of {a.num_false} "
        f"| {'yes' if a.balanced >= LEAST_AGREEMENT else 'no'} |"
        for a in rows
    ]
    return "\n".join([HEADER, *lines])
