"""How far each detector agrees with the truth, on real clips that it has not seen: true statements and false ones.

The false ones are made so that they contradict the clip's facts, one word changed where that is possible.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from sorairo.evals.judgement import judge
from sorairo.evals.statements import FACTS, SCENE_FACTS, Noun, Statement, statements
from sorairo.shapes import VideoShape
from sorairo.sight.observation import Observation
from sorairo.statistics import wilson_interval
from sorairo.world import CAMERA_MOVES, COLORS, GROUNDS, LIGHTS, SHAPES, SIZES, WorldClip, caption
from sorairo.world.facts import OTHER_SIDE
from sorairo.world.story import is_placed

LEAST_AGREEMENT = 0.97
"""A fact whose detector agrees less with the truth is not scored."""
NAMES: dict[str, tuple[str, ...]] = {"ground": GROUNDS, "light": LIGHTS, "camera": CAMERA_MOVES}
OPPOSITE = {**OTHER_SIDE, "down": "left"}
CLEAR_AREA, CLEAR_SHARE = 0.004, 0.5  # of the picture, of the thing: what a viewer makes out
FALLING_SHAPES = ("cube", "cylinder", "cone", "block", "domino")
RAN = 1.0  # metres that something went before it touched anything
INSIDE = 0.55  # screen units from the middle, well inside the picture


@dataclass(frozen=True)
class Agreement:
    """How often a detector said so when it was true, and not when it was false."""

    fact: str
    num_true: int
    num_false: int
    num_true_found: int
    num_false_refused: int

    @property
    def sensitivity(self) -> float:
        return self.num_true_found / max(self.num_true, 1)

    @property
    def specificity(self) -> float:
        return self.num_false_refused / max(self.num_false, 1)

    @property
    def balanced(self) -> float:
        """Mean of both, so that neither saying yes nor saying no is of use."""
        return (self.sensitivity + self.specificity) / 2

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the share of right answers, for as many true as false statements."""
        total = self.num_true + self.num_false
        return wilson_interval(self.balanced * total, total)


def scored_facts(agreement: Mapping[str, float]) -> list[str]:
    """The facts that are scored, by how far each fact's detector agrees with the truth."""
    return [fact for fact in FACTS if agreement.get(fact, 0.0) >= LEAST_AGREEMENT]


def true_statements(clip: WorldClip, rng: np.random.Generator) -> list[Statement]:
    """What two captions say, as far as it can be detected."""
    said = [s for style in ("medium", "dense") for s in statements(caption(clip, style, rng).claims)]
    return [s for s in dict.fromkeys(said) if s.fact in FACTS]


def false_statements(clip: WorldClip, true: list[Statement], rng: np.random.Generator) -> list[Statement]:
    """Statements that the facts contradict."""
    made = [false for statement in true for false in _changed(statement, clip, rng)]
    made += _about_others(clip, rng)
    return [s for s in dict.fromkeys(made) if s not in true]


def _changed(statement: Statement, clip: WorldClip, rng: np.random.Generator) -> Iterator[Statement]:
    """The statement with one word changed."""
    fact, noun, value = statement.fact, statement.noun, statement.value
    if fact in SCENE_FACTS:
        yield Statement(fact, value=_another(NAMES[fact], {str(value)}, rng))
    elif fact == "colour":
        yield Statement(fact, Noun(_another(COLORS, {o.color for o in clip.objects}, rng)))
    elif fact == "shape" and noun.color:
        own = {o.shape for o in clip.objects if o.color == noun.color}
        yield Statement(fact, Noun(noun.color, _another(SHAPES, own, rng)))
    elif fact == "count" and isinstance(value, int):
        yield Statement(fact, noun, value=max(1, value + int(rng.choice([-1, 1]))))
    elif fact == "relation":
        assert statement.other is not None
        yield Statement(fact, statement.other, noun)
    elif fact in ("direction", "enter", "leave") and value:
        yield Statement(fact, noun, value=OPPOSITE[str(value)])
    elif fact == "size":
        yield Statement(fact, noun, value=_another(SIZES, {str(value)}, rng))
    elif fact == "order":
        yield Statement(fact, noun, statement.other, " then ".join(reversed(str(value).split(" then "))))


def _another(options: Iterable[str], taken: set[str], rng: np.random.Generator) -> str:
    return str(rng.choice([option for option in options if option not in taken]))


def _about_others(clip: WorldClip, rng: np.random.Generator) -> Iterator[Statement]:
    """Events and motions of things, alone in their colour, to which they did not happen."""
    clear = (clip.facts.visible > CLEAR_SHARE) & (clip.facts.area > CLEAR_AREA)
    events = {(e.kind, index) for e in clip.facts.events for index in (e.subject, e.other) if index is not None}
    colors = [o.color for o in clip.objects]
    actor = next((i for i, o in enumerate(clip.objects) if o.role == "actor" and colors.count(o.color) == 1), None)
    for i, thing in enumerate(clip.objects):
        noun = Noun(thing.color, thing.shape)
        if thing.color not in COLORS or clear[:, i].mean() < 0.4:
            continue
        if colors.count(thing.color) > 1:
            if thing.role == "member" and clear[:, i].all():
                yield Statement("single", noun)
            continue
        for fact, frame in (("enter", 0), ("leave", -1)):
            if clear[frame, i]:
                yield Statement(fact, noun)
        if ("topple", i) not in events and thing.role != "actor" and thing.shape in FALLING_SHAPES:
            yield Statement("topple", noun)
        if is_placed(clip, i):
            yield Statement("direction", noun, value=str(rng.choice(["left", "right"])))
            if actor is not None and ("hit", i) not in events and not thing.static:
                yield Statement("hit", Noun(colors[actor], clip.objects[actor].shape), noun)
        if actor is not None and i != actor:
            yield from _of_actor(clip, actor, i, events)


def _of_actor(clip: WorldClip, actor: int, other: int, events: set[tuple[str, int]]) -> Iterator[Statement]:
    """What the actor did not do to, behind or above another thing, and what did not wait for it."""
    moving, thing = clip.objects[actor], clip.objects[other]
    noun, second = Noun(moving.color, moving.shape), Noun(thing.color, thing.shape)
    places = clip.poses[:, :, :3]
    if clip.facts.visible[clip.facts.inside[:, actor] > 0, actor].min(initial=1) > CLEAR_SHARE:
        yield Statement("hide", noun, second)
        yield Statement("reappear", noun, second)
    if moving.position[2] < 2 * moving.rest_height and clip.facts.direction[actor] in ("left", "right"):
        yield Statement("above", noun, second)
    touches = [e.time for e in clip.facts.events if e.kind == "hit" and {e.subject, e.other} == {actor, other}]
    if touches and clip.facts.direction[actor] in ("left", "right"):
        first = int(np.argmax(clip.facts.area[:, actor] > CLEAR_AREA))
        if np.linalg.norm(places[int(touches[0] * clip.shape.fps), actor] - places[first, actor]) > RAN:
            yield Statement("rests", noun, second)


def spliced(before: Observation, after: Observation) -> Observation:
    """A cut in the middle of a clip: what was there vanishes, and other things are there instead."""
    half = before.num_frames // 2
    kept = [s for s in before.sightings if s.frame < half] + [s for s in after.sightings if s.frame >= half]
    return replace(before, sightings=tuple(kept), labels=np.concatenate([before.labels[:half], after.labels[half:]]))


def _vanishing(clip: WorldClip, other: WorldClip) -> Iterator[Statement]:
    """Of things that are in full view at the cut, and that the other clip does not have."""
    facts, half = clip.facts, clip.shape.num_frames // 2
    foreign, colors = {o.color for o in other.objects}, [o.color for o in clip.objects]
    for i, thing in enumerate(clip.objects):
        whole = facts.visible[half - 1, i] > 0.9 and facts.area[half - 1, i] > 2 * CLEAR_AREA
        inside = abs(facts.screen[half - 1, i]).max() < INSIDE
        if whole and inside and thing.color not in foreign and colors.count(thing.color) == 1:
            yield Statement("stays", Noun(thing.color, thing.shape))


def count_agreement(watched: Iterable[tuple[WorldClip, Observation]], seed: int = 0) -> tuple[Agreement, ...]:
    """Agreement of each fact over clips and what was seen of them."""
    counts = {fact: np.zeros(4, int) for fact in FACTS}
    last: dict[VideoShape, tuple[WorldClip, Observation]] = {}
    for clip, seen in watched:
        rng = np.random.default_rng([seed, clip.seed])
        true = true_statements(clip, rng)
        for statement in true:
            counts[statement.fact] += (1, 0, judge(statement, seen), 0)
        for statement in false_statements(clip, true, rng):
            counts[statement.fact] += (0, 1, 0, not judge(statement, seen))
        if clip.shape in last:
            cut = spliced(seen, last[clip.shape][1])
            for statement in _vanishing(clip, last[clip.shape][0]):
                counts[statement.fact] += (0, 1, 0, not judge(statement, cut))
        last[clip.shape] = clip, seen
    return tuple(Agreement(fact, *count.tolist()) for fact, count in counts.items())
