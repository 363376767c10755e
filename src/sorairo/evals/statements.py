"""What a prompt says, as statements about what can be seen: claims without indices, each said once.

Never looks at pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sorairo.world import Claim

FACTS = (
    "colour",
    "shape",
    "count",
    "direction",
    "relation",
    "hit",
    "topple",
    "enter",
    "leave",
    "ground",
    "light",
    "camera",
)
"""The facts that have a detector. What else prompts claim is counted, and not scored."""
SCENE_FACTS = ("ground", "light", "camera")
SIGHTED_EVENTS = ("hit", "topple", "enter", "leave")


@dataclass(frozen=True)
class Noun:
    """A thing, or several alike, by their look; None is not said."""

    color: str | None = None
    shape: str | None = None

    def __str__(self) -> str:
        return " ".join(word for word in (self.color, self.shape) if word) or "thing"


@dataclass(frozen=True)
class Statement:
    """Something that is true of a clip or not. fact: one of FACTS, or the name of something that nothing detects.

    value: a number for count, "left", "right" or "down" for direction, a side (or None) for enter and leave, a name for
    ground, light and camera.
    """

    fact: str
    noun: Noun = Noun()
    other: Noun | None = None
    value: str | int | None = None

    def __str__(self) -> str:
        words = (self.noun if self.noun != Noun() else None, self.fact, self.value, self.other)
        return " ".join(str(word) for word in words if word is not None)


def statements(claims: Sequence[Claim]) -> tuple[Statement, ...]:
    """The statements of a caption's claims, in their order. An object's colour and its shape are two statements."""
    nouns = {c.subject: Noun(c.color, c.shape) for c in claims if c.kind == "object" and c.subject is not None}
    made = [statement for claim in claims for statement in _of_claim(claim, nouns)]
    return tuple(dict.fromkeys(made))


def _of_claim(claim: Claim, nouns: dict[int, Noun]) -> Iterable[Statement]:
    noun = nouns.get(claim.subject, Noun()) if claim.subject is not None else Noun()
    other = nouns.get(claim.other) if claim.other is not None else None
    if claim.kind == "object":
        return _of_object(claim)
    if claim.kind == "count":
        return [Statement("count", Noun(claim.color, claim.shape), value=claim.number)]
    if claim.kind == "motion":
        # A motion without a side is said of things that also do something else.
        return [Statement("direction", noun, value=claim.side)] if claim.side else []
    if claim.kind == "event":
        return [Statement(str(claim.name), noun, other, claim.side)]
    if claim.kind == "relation":
        return [Statement("relation", noun, other)]
    assert claim.kind in SCENE_FACTS, claim.kind
    return [Statement(claim.kind, value=claim.name)]


def _of_object(claim: Claim) -> list[Statement]:
    noun = Noun(claim.color, claim.shape)
    said = [Statement("colour", Noun(claim.color))] if claim.color else []
    said.append(Statement("shape", noun))
    said += [Statement(name, noun, value=getattr(claim, name)) for name in ("size", "material") if getattr(claim, name)]
    return said
