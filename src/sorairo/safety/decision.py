"""What a policy decided, and why: for the user, the audit log and the next step. Never judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Finding:
    """One reason to refuse. ``where``: the field of the request; ``words``: in the user's own spelling."""

    category: str
    layer: str
    score: float
    threshold: float
    words: tuple[str, ...]
    where: str
    advice: str


@dataclass(frozen=True)
class Change:
    """Words put in the place of others, to be shown to the user."""

    category: str
    where: str
    before: str
    after: str
    advice: str


@dataclass(frozen=True)
class Decision:
    """``texts``: what may go on, rewritten where ``changes`` says so; empty when refused."""

    action: Literal["allow", "rewrite", "refuse"]
    texts: Mapping[str, str]
    findings: tuple[Finding, ...] = ()
    changes: tuple[Change, ...] = ()
    policy: str = ""

    @classmethod
    def of(
        cls, findings: Sequence[Finding], policy: str, texts: Mapping[str, str], changes: Sequence[Change] = ()
    ) -> Decision:
        """Refuses where there are findings, the worst first; else lets ``texts`` go on."""
        if findings:
            return cls("refuse", {}, tuple(sorted(findings, key=lambda f: -f.score)), (), policy)
        return cls("rewrite" if changes else "allow", texts, (), tuple(changes), policy)

    @property
    def allowed(self) -> bool:
        return self.action != "refuse"

    def reason(self) -> str:
        """One line for the user; "" where nothing was found."""
        if self.findings:
            worst = self.findings[0]
            words = f" ({', '.join(repr(word) for word in worst.words)})" if worst.words else ""
            return f"{worst.where}: refused as {worst.category} by the {worst.layer}{words}; {worst.advice}"
        return "; ".join(f"{c.where}: {c.before!r} became {c.after!r}, {c.advice}" for c in self.changes)

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"reason": self.reason()}


def unavailable(where: str, layer: str, what: str) -> Finding:
    """For a layer that did not work, since ``what``: what was not judged is refused."""
    advice = f"the {layer} did not work ({what}): nothing is wrong with the request; ask the operator, then try again"
    return Finding("unavailable", layer, 1.0, 0.0, (), where, advice)
