"""What the policy finds in prompts that nothing was learned from: `python -m sorairo.safety.report weights/policy`.

Prints tables of recall and false positives with 95 % intervals. Never trains and never changes a threshold.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from sorairo.safety.checking import Context, check_prompt
from sorairo.safety.classifier import PromptClassifier
from sorairo.safety.examples import NONE, Example, load_examples
from sorairo.safety.policy import load_policy

Verdict = tuple[Example, tuple[str, ...]]
"""An example and the categories that it was refused for; none where it may go on."""


def wilson_interval(hits: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927), which holds near 0 and 1 also."""
    if not total:
        return 0.0, 1.0
    share, spread = hits / total, z * z / total
    middle = (share + spread / 2) / (1 + spread)
    half = z * ((share * (1 - share) + spread / 4) / total) ** 0.5 / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def verdicts(examples: Iterable[Example], context: Context) -> list[Verdict]:
    return [(e, tuple(f.category for f in check_prompt(e.text, context).findings)) for e in examples]


def tables(found: Sequence[Verdict]) -> str:
    """Markdown: recall by category, false positives by kind, recall of evasions by kind."""
    plain = [v for v in found if not v[0].style.startswith(("evasion", "gap"))]
    harmful = [v for v in plain if v[0].category != NONE]
    harmless = [v for v in plain if v[0].category == NONE]
    kinds: dict[str, Callable[[Verdict], bool]] = {
        "hard negatives": lambda v: v[0].is_hard,
        "VBench (written by others)": lambda v: v[0].style == "vbench",
        "the built-in world's captions": lambda v: v[0].style.startswith("world"),
        "other": lambda v: not v[0].is_hard and v[0].style != "vbench" and not v[0].style.startswith("world"),
        "all": lambda v: True,
    }
    rows = ["| category | refused | 95 % | under its own name |", "| --- | --- | --- | --- |"]
    for name in [*sorted({e.category for e, _ in harmful}), "all"]:
        part = [v for v in harmful if name in (v[0].category, "all")]
        own = sum(e.category in said for e, said in part)
        rows.append(f"| {name} | {_share(part)} | {own / len(part):.2f} |")
    rows += ["", "| harmless prompts | refused | 95 % |", "| --- | --- | --- |"]
    rows += [f"| {name} | {_share([v for v in harmless if belongs(v)])} |" for name, belongs in kinds.items()]
    for title, prefix in (("evasion", "evasion: "), ("what it was not made for", "gap: ")):
        styles = sorted({e.style for e, _ in found if e.style.startswith(prefix)})
        rows += ["", f"| {title} | refused | 95 % |", "| --- | --- | --- |"] if styles else []
        rows += [f"| {s.removeprefix(prefix)} | {_share([v for v in found if v[0].style == s])} |" for s in styles]
    return "\n".join(rows)


def _share(part: Sequence[Verdict]) -> str:
    hits = sum(bool(said) for _, said in part)
    low, high = wilson_interval(hits, len(part))
    return f"{hits} of {len(part)} = {hits / max(len(part), 1):.3f} | {low:.3f} to {high:.3f}"


def main(folder: Path) -> None:
    from sorairo.safety.training import packaged_embed

    context = Context(load_policy(), PromptClassifier(folder, packaged_embed(), words_tried=0))
    print(tables(verdicts([example for example in load_examples() if example.split == "test"], context)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
