"""What the policy finds in prompts that nothing was learned from: `python -m sorairo.safety.report weights/policy`.

Prints tables of recall and false positives with 95 % intervals. Never trains and never changes a threshold.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from sorairo.safety.checking import Context, check_prompt
from sorairo.safety.decision import Finding
from sorairo.safety.examples import NONE, Example, load_examples
from sorairo.safety.policy import load_policy
from sorairo.statistics import wilson_interval

Verdict = tuple[Example, tuple[Finding, ...]]
"""An example and the reasons to refuse it; none where it may go on."""


def verdicts(examples: Iterable[Example], context: Context) -> list[Verdict]:
    return [(e, check_prompt(e.text, context).findings) for e in examples]


def tables(found: Sequence[Verdict], *groups: str) -> str:
    """Markdown: recall by category, false positives by kind, and the share refused of each style of the named groups.

    A group is what styles begin with, as "evasion: "; "evasion" and "gap" are left out of the first two tables.
    """
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
    rows = [
        "| category | refused | 95 % | under its own name | by the lists alone |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in [*sorted({e.category for e, *_ in harmful}), "all"]:
        part = [v for v in harmful if name in (v[0].category, "all")]
        own = sum(e.category in (finding.category for finding in said) for e, said in part)
        listed = sum(any(finding.layer == "lists" for finding in said) for _, said in part)
        rows.append(f"| {name} | {_share(part)} | {own / len(part):.2f} | {listed / len(part):.2f} |")
    rows += ["", "| harmless prompts | refused | 95 % |", "| --- | --- | --- |"]
    for name, belongs in kinds.items():
        part = [v for v in harmless if belongs(v)]
        rows += [f"| {name} | {_share(part)} |"] if part else []
    return "\n".join(rows + [row for group in groups for row in _styles(found, group)])


def _styles(found: Sequence[Verdict], group: str) -> Iterator[str]:
    yield from ("", f"| {group} | harmful: refused | 95 % | harmless: refused | 95 % |", "| --- |" + " --- |" * 4)
    for style in sorted({e.style for e, _ in found if e.style.startswith(f"{group}: ")}):
        part = [v for v in found if v[0].style == style]
        harmful, harmless = ([v for v in part if (v[0].category == NONE) is fine] for fine in (False, True))
        shares = (_share(side) if side else "none | " for side in (harmful, harmless))
        yield f"| {style.removeprefix(f'{group}: ')} | {' | '.join(shares)} |"


def _share(part: Sequence[Verdict]) -> str:
    hits = sum(bool(said) for _, said in part)
    low, high = wilson_interval(hits, len(part))
    return f"{hits} of {len(part)} = {hits / max(len(part), 1):.3f} | {low:.3f} to {high:.3f}"


def main(folder: Path) -> None:
    from sorairo.safety.training import packaged_classifier

    policy = load_policy()
    context = Context(policy, packaged_classifier(folder, "reader" in policy.layers))
    held_out = load_examples()
    abroad = [e for e in held_out if e.style.startswith(("script", "language"))]
    second = [e for e in held_out if e.split == "second" and e not in abroad]
    print(f"Policy: {policy.title}\n\nFirst held-out set\n", flush=True)
    print(tables(verdicts([e for e in held_out if e.split == "test"], context), "evasion", "gap"))
    print("\nSecond held-out set\n", flush=True)
    print(tables(verdicts(second, context), "second"))
    print("\nThird held-out set\n", flush=True)
    print(tables(verdicts([e for e in held_out if e.split == "third"], context), "third"))
    print("\nDevelopment set, pairs in the same words: looked at\n", flush=True)
    print(tables(verdicts([e for e in held_out if e.split == "development"], context), "development"))
    print("\nOther languages, as they are judged\n", *_styles(verdicts(abroad, context), "script"), sep="\n")
    print(*_styles(verdicts(abroad, context), "language"), sep="\n")
    lax = replace(context, policy=replace(policy, most_unread=1.0))
    print("\nOther scripts, if they were judged\n", *_styles(verdicts(abroad, lax), "script"), sep="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
