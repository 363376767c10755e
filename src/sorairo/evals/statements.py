"""What a prompt says, as statements about what can be seen: claims without indices, each said once.

Never looks at pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sorairo.world import Claim

GROUPS: dict[str, tuple[str, ...]] = {
    "composition": ("colour", "shape", "size", "count", "ground", "light"),
    "space": ("relation", "hide", "above"),
    "motion": ("direction", "camera", "enter", "leave"),
    "time": ("order",),
    "cause": ("hit", "topple", "rests"),
    "permanence": ("single", "stays", "reappear"),
}
FACTS = tuple(fact for facts in GROUPS.values() for fact in facts)
"""The facts that have a detector. What else prompts claim is counted, and not scored."""
SCENE_FACTS = ("ground", "light", "camera")
TIMED = ("fall", "enter", "hit", "hide", "reappear", "leave")
"""What happens to a thing at a moment that can be told."""


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
    ground, light, camera and size, two of TIMED for order ("enter then hit"). other: what is hit, hidden behind, above
    or to the right; for rests, what touches it first.
    """

    fact: str
    noun: Noun = Noun()
    other: Noun | None = None
    value: str | int | None = None

    def __str__(self) -> str:
        words = (self.noun if self.noun != Noun() else None, self.fact, self.value, self.other)
        return " ".join(str(word) for word in words if word is not None)


def statements(claims: Sequence[Claim]) -> tuple[Statement, ...]:
    """The statements of a caption's claims, in their order, then what follows from them.

    An object's colour and its shape are two statements.
    """
    nouns = {c.subject: Noun(c.color, c.shape) for c in claims if c.kind == "object" and c.subject is not None}
    made = [statement for claim in claims for statement in _of_claim(claim, nouns)]
    made += [*_consequences(made), *_permanence(claims, nouns)]
    return tuple(dict.fromkeys(made))


def _consequences(made: Sequence[Statement]) -> Iterable[Statement]:
    """What is above before it falls on something, what rests until it is hit, and which of two events comes first."""
    fallen = {s.noun for s in made if s.fact in ("topple", "push")} | {s.other for s in made if s.fact == "push"}
    falling = {s.noun for s in made if s.fact == "direction" and s.value == "down"}
    told: dict[Noun, Statement] = {}
    for statement in made:
        noun, other = statement.noun, statement.other
        if statement.fact == "hit" and other is not None:
            if noun in falling:
                yield Statement("above", noun, other)
            if other in fallen:
                yield Statement("rests", other, noun)
        if statement.fact in TIMED:
            before = told.get(noun)
            if before and not (before.other and other) and before.fact != statement.fact:
                yield Statement("order", noun, before.other or other, f"{before.fact} then {statement.fact}")
            told[noun] = statement
        elif statement.fact == "direction" and statement.value == "down":
            told[noun] = Statement("fall", noun)


def _permanence(claims: Sequence[Claim], nouns: dict[int, Noun]) -> Iterable[Statement]:
    """What is named alone, with its colour and shape, stays one and does not vanish."""
    counted = {Noun(c.color, c.shape) for c in claims if c.kind == "count"}
    looks = list(nouns.values())
    for noun in looks:
        if noun.color and noun.shape and looks.count(noun) == 1 and noun not in counted:
            yield Statement("single", noun)
            yield Statement("stays", noun)


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
