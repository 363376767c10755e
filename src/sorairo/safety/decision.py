"""What a policy decided, and why: for the user, the audit log and the next step. Never decides."""

from __future__ import annotations

from collections.abc import Mapping
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
