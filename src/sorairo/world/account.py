"""All that a viewer can tell of a clip, as claims, in one strict notation that reads back into the same claims.

The notation is what a captioner learns to write besides English, so that a program can check what it says:

    objects: large red metal sphere; 4 yellow domino. events: red sphere enter left; red sphere roll right;
    red sphere hit yellow domino; yellow domino topple. places: blue cube left of green cone.
    ground: wood. light: day. camera: still.

Objects are named by colour and shape: two that look alike are one entry with a number. The actor comes first, the
others from left to right.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from sorairo.world.claims import Claim
from sorairo.world.clip import WorldClip
from sorairo.world.facts import EVENT_KINDS
from sorairo.world.objects import COLORS, MATERIALS, ONE_SIZE, PROP_COLORS, SHAPES, SIZES, SceneObject
from sorairo.world.story import beats, claims_of, nameable, placed_pairs

EVENTS = (*EVENT_KINDS, "stay hidden")
MANNERS = ("roll", "slide", "move")
Looks = dict[tuple[str, ...], int]
"""The number of each thing, by its colour and shape."""
SEEN_TOGETHER = 0.25  # visible share of each of several that are counted at once


def account(clip: WorldClip) -> tuple[Claim, ...]:
    """The claims of a perfect witness; subjects are numbered in the order of the objects told of."""
    story = beats(clip)
    told = {i for beat in story for i in (beat.subject, beat.other, *beat.group) if i is not None}
    places, actor = clip.facts.screen[:, :, 0].mean(0), story[0].subject if story else -1
    pairs = sorted(placed_pairs(clip), key=lambda pair: tuple(places[list(pair)]))
    order = sorted(told | set(nameable(clip)), key=lambda i: (i != actor, float(places[i])))
    looks = list(dict.fromkeys(_look(clip.objects[i]) for i in order))
    claims = [claim for number, look in enumerate(looks) for claim in _named(clip, look, number, order)]
    number = {i: looks.index(_look(clip.objects[i])) for i in order}
    for beat in story:
        claims += [_renumbered(claim, number) for claim in claims_of(beat, clip.facts, clip.facts.manner[beat.subject])]
    claims += [Claim("relation", number[left], number[right]) for left, right in pairs]
    scene = {"ground": clip.facts.ground, "light": clip.facts.light, "camera": clip.facts.camera_move}
    return tuple(dict.fromkeys([*claims, *(Claim(kind, name=name) for kind, name in scene.items())]))


def _look(thing: SceneObject) -> tuple[str, str]:
    return thing.color, thing.shape


def _named(clip: WorldClip, look: tuple[str, str], number: int, order: Sequence[int]) -> Iterator[Claim]:
    """The objects of one look, and how many of them are in view at once."""
    alike = [i for i in order if _look(clip.objects[i]) == look]
    sizes, materials = ({getattr(clip.objects[i], name) for i in alike} for name in ("size", "material"))
    color, shape = look
    size = sizes.pop() if len(sizes) == 1 and shape not in ONE_SIZE else None
    material = materials.pop() if len(materials) == 1 and shape not in ONE_SIZE else None
    yield Claim("object", number, color=color, shape=shape, size=size, material=material)
    count = int((clip.facts.visible[:, alike] > SEEN_TOGETHER).sum(1).max())
    if count > 1:
        yield Claim("count", number=count, color=color, shape=shape)


def _renumbered(claim: Claim, number: dict[int, int]) -> Claim:
    subject, other = (None if i is None else number[i] for i in (claim.subject, claim.other))
    manner = claim.manner if claim.manner in MANNERS else None
    return Claim(claim.kind, subject, other, claim.name, claim.side, manner)


def write_account(claims: Sequence[Claim]) -> str:
    """Claims of `account` in the notation."""
    names = {c.subject: f"{c.color} {c.shape}" for c in claims if c.kind == "object"}
    counts = {f"{c.color} {c.shape}": c.number for c in claims if c.kind == "count"}
    entries: dict[str, list[str]] = {"objects": [], "events": [], "places": [], "ground": [], "light": [], "camera": []}
    for claim in claims:
        subject, other = names.get(claim.subject), names.get(claim.other)
        if claim.kind == "object":
            entries["objects"].append(
                _joined(counts.get(str(subject)), claim.size, claim.color, claim.material, claim.shape)
            )
        elif claim.kind == "motion":
            entries["events"].append(_joined(subject, claim.manner or "move", claim.side))
        elif claim.kind == "event":
            entries["events"].append(_joined(subject, claim.name, other, claim.side))
        elif claim.kind == "relation":
            entries["places"].append(f"{subject} left of {other}")
        elif claim.kind != "count":
            entries[claim.kind].append(str(claim.name))
    return " ".join(f"{title}: {'; '.join(dict.fromkeys(said))}." for title, said in entries.items() if said)


def _joined(*parts: object) -> str:
    return " ".join(str(part) for part in parts if part is not None)


def read_account(text: str) -> tuple[Claim, ...]:
    """The claims of a text in the notation. What is not in the notation is left out: a model may have written it."""
    sections = {title: said.strip() for title, said in re.findall(r"(\w+):([^.:]*)\.", text)}
    entries = {title: [entry.split() for entry in said.split(";")] for title, said in sections.items()}
    numbers: Looks = {}
    claims = [claim for entry in entries.get("objects", []) for claim in _read_object(entry, numbers)]
    for entry in [*entries.get("events", []), *entries.get("places", [])]:
        claims += _read_event(entry, numbers)
    scene = [Claim(kind, name=sections[kind]) for kind in ("ground", "light", "camera") if kind in sections]
    return tuple(dict.fromkeys([*claims, *scene]))


def _read_object(entry: list[str], numbers: Looks) -> Iterator[Claim]:
    kinds: tuple[Collection[str], ...] = ({*COLORS, *PROP_COLORS}, SHAPES, SIZES, MATERIALS)
    color, shape, size, material = (next((word for word in entry if word in known), None) for known in kinds)
    if color is None or shape is None or (color, shape) in numbers:
        return
    numbers[color, shape] = len(numbers)
    yield Claim("object", numbers[color, shape], color=color, shape=shape, size=size, material=material)
    if entry[0].isdecimal() and int(entry[0]) > 1:
        yield Claim("count", number=int(entry[0]), color=color, shape=shape)


def _read_event(entry: list[str], numbers: Looks) -> Iterator[Claim]:
    """An event, a motion, or a place: colour, shape, then what is said of it."""
    subject, rest = numbers.get((*entry[:2],)), entry[2:]
    other = numbers.get((*rest[-2:],)) if len(rest) > 2 else None
    if subject is None or not rest:
        return
    side = rest[-1] if rest[-1] in ("left", "right", "down") else None
    words = rest[:-2] if other is not None else rest[:-1] if side else rest
    name = " ".join(words)
    if name == "left of" and other is not None:
        yield Claim("relation", subject, other)
    elif name in MANNERS:
        yield Claim("motion", subject, side=side, manner=name if name != "move" else None)
    elif name in EVENTS:
        yield Claim("event", subject, other, name, side)
