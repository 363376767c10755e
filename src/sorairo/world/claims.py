"""What a caption asserts, in a form that a program can check against facts or pixels."""

from dataclasses import dataclass
from typing import Literal

Style = Literal["fragment", "short", "medium", "dense"]
CLAIM_KINDS = ("object", "count", "motion", "event", "relation", "ground", "light", "camera")


@dataclass(frozen=True)
class Claim:
    """One assertion. Fields by kind; what is None is not asserted.

    object: subject is an index, with color, shape, size, material. count: number of color and shape in view at once.
    motion: subject moves to side ("left", "right", "down"), in a manner ("roll", "slide"). event: name (of
    EVENT_KINDS, or "stay hidden"), subject, other, side. relation: subject is to the left of other. ground, light,
    camera: name.
    """

    kind: str
    subject: int | None = None
    other: int | None = None
    name: str | None = None
    side: str | None = None
    manner: str | None = None
    color: str | None = None
    shape: str | None = None
    size: str | None = None
    material: str | None = None
    number: int | None = None


@dataclass(frozen=True)
class Caption:
    """A text and exactly what it says."""

    text: str
    style: Style
    claims: tuple[Claim, ...]
