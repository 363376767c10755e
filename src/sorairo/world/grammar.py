"""Captions from facts: four styles, many wordings, and for each text the exact list of what it claims.

Never says what did not visibly happen. The generator of random numbers only chooses words, order and what to leave out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar, get_args

import numpy as np

from sorairo.world import words
from sorairo.world.claims import Caption, Claim, Style
from sorairo.world.clip import WorldClip
from sorairo.world.facts import OTHER_SIDE
from sorairo.world.objects import ONE_SIZE, PROP_COLORS
from sorairo.world.story import Beat, beats, claims_of, is_placed, left_of, nameable, placed_pairs

SAY_SIZE = {"fragment": 0.12, "short": 0.25, "medium": 0.45, "dense": 0.85}
SAY_MATERIAL = {"fragment": 0.04, "short": 0.08, "medium": 0.2, "dense": 0.65}
MOST_BEATS = {"fragment": 1, "short": 2, "medium": 3, "dense": 5}
SIDE_KINDS = ("enter", "travel", "fall", "leave", "stop", "reappear", "reappear across", "stay hidden")  # cut first
AFTER_HIDING = ("reappear", "reappear across", "stay hidden")
Item = TypeVar("Item")


def caption(clip: WorldClip, style: Style, rng: np.random.Generator, still: int | None = None) -> Caption:
    """A true text about a clip, or about its frame still as a picture.

    Raises ValueError for an unknown style or a frame outside the clip.
    """
    if style not in get_args(Style):
        raise ValueError(f"style is {style!r}; it must be one of {', '.join(get_args(Style))}")
    if still is not None and not 0 <= still < clip.shape.num_frames:
        raise ValueError(f"still is {still}; the nearest valid frames are 0 to {clip.shape.num_frames - 1}")
    speaker = _Speaker(clip, style, rng, still)
    return speaker.captioned(speaker.picture() if still is not None else speaker.film())


def placed(clip: WorldClip, rng: np.random.Generator) -> Caption | None:
    """Two things by their places, "a red ball left of a blue cube, on sand"; None where none is left of another."""
    speaker = _Speaker(clip, "medium" if rng.random() < 0.5 else "short", rng, None)
    text = speaker.placed_pair()
    return speaker.captioned(speaker.in_its_setting(text)) if text else None


def expansion(clip: WorldClip, rng: np.random.Generator) -> tuple[Caption, str]:
    """A prompt as people type it, and the same told in full.

    The long text says what happens in the prompt's own words and order, as a whole sentence, and then where, in which
    light, and what the camera does: nothing else is new in it.
    """
    speaker = _Speaker(clip, "fragment" if rng.random() < 0.7 else "short", rng, None)
    prompt = speaker.captioned((speaker.placed_pair() if speaker.chance(0.2) else "") or speaker.film())
    setting = f"{speaker.pick(words.TAKES_PLACE)} {speaker.setting(True, True)}"
    parts = (speaker.clause, setting, speaker.camera(whole=True))
    return prompt, " ".join(sentence_case(part) for part in parts)


class _Speaker:
    """Says one caption; remembers what was named and what was claimed."""

    def __init__(self, clip: WorldClip, style: Style, rng: np.random.Generator, frame: int | None) -> None:
        self.clip, self.facts, self.style, self.rng, self.frame = clip, clip.facts, style, rng, frame
        self.claims: list[Claim] = []
        self.names: dict[int, str] = {}  # index -> "red ball"
        self.clause = ""  # what it says of objects and events, as a whole sentence

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def captioned(self, text: str) -> Caption:
        """The text with all that was claimed until now, each claim once."""
        return Caption(text, self.style, tuple(dict.fromkeys(self.claims)))

    def pick(self, options: Sequence[Item]) -> Item:
        return options[int(self.rng.integers(len(options)))]

    def pick_usual(self, options: tuple[str, ...]) -> str:
        """The usual wording, listed first, in two cases of five; else any."""
        return options[0] if self.chance(0.4) else self.pick(options)

    def claim(self, kind: str, **fields: str | int | None) -> None:
        self.claims.append(Claim(kind, **fields))  # type: ignore[arg-type]

    def noun(self, index: int, bare: bool = False) -> str:
        """An object by name: "a small red ball" when it is new, "the red ball" afterwards. bare: without article."""
        if index in self.names:
            return f"the {self.names[index]}"
        thing = self.clip.objects[index]
        size = self._size_word(index)
        material = self.pick(words.MATERIAL_WORDS[thing.material]) if self._says_material(index) else ""
        color = self.pick(words.PROP_WORDS[thing.color]) if thing.color in PROP_COLORS else thing.color
        shape = self.pick(words.SHAPE_WORDS[thing.shape])
        size, shape = ("tall", "block") if shape == "tall block" else (size, shape)
        self.names[index] = f"{color} {shape}"
        said = {
            "size": thing.size if size in words.SIZE_WORDS[thing.size] else None,
            "material": thing.material if material else None,
        }
        self.claim("object", subject=index, color=thing.color, shape=thing.shape, **said)
        phrase = " ".join(word for word in (size, color, material, shape) if word)
        return phrase if bare else with_article(phrase)

    def _size_word(self, index: int) -> str:
        thing = self.clip.objects[index]
        if thing.shape in ONE_SIZE or not self.chance(SAY_SIZE[self.style]):
            return ""
        if thing.size == "medium" and not self.chance(0.15):
            return ""
        return self.pick(words.SIZE_WORDS[thing.size])

    def _says_material(self, index: int) -> bool:
        thing = self.clip.objects[index]
        return not thing.static and thing.shape != "domino" and self.chance(SAY_MATERIAL[self.style])

    def group_noun(self, members: tuple[int, ...], bare: bool = False) -> str:
        """A row, a stack or several of a kind, with or without their number."""
        if members[0] in self.names:
            return f"the {self.names[members[0]]}"
        things = [self.clip.objects[i] for i in members]
        first, group = things[0], things[0].group
        same = len({thing.color for thing in things}) == 1
        color = first.color if same else self.pick(words.MIXED) if self.chance(0.6) else ""
        noun = self.pick(words.SHAPE_WORDS[first.shape])
        plural = words.PLURALS.get(noun, noun + "s")
        self.names.update(dict.fromkeys(members, plural if not color else f"{color} {plural}"))
        said = {"color": first.color if same else None, "shape": first.shape}
        for index in members:
            self.claim("object", subject=index, **said)
        number = ""
        if self._may_count(members) and (group == "alike" or self.chance(0.5)):
            number = words.NUMBERS[len(members)]
            self.claim("count", number=len(members), **said)
        kind = {"dominoes": words.ROWS, "stack": words.STACKS}.get(group or "")
        frame_word = self.pick(kind) if kind and self._in_order(members) else ""
        if not number and not frame_word:
            frame_word = "some" if not bare else ""
        return " ".join(word for word in (frame_word, number, color, plural) if word)

    def _in_order(self, members: tuple[int, ...]) -> bool:
        """Whether a row or stack still stands as one in the picture told of."""
        if self.frame is None:
            return True
        now, before = self.clip.poses[self.frame][list(members)], self.clip.poses[0][list(members)]
        upright, moved = now[:, 11], now[:, :3] - before[:, :3]
        return bool((upright > 0.9).all() and abs(moved).max() < 0.15)

    def _may_count(self, members: tuple[int, ...]) -> bool:
        """Whether the number is what a viewer counts: no others alike, and all in view at once."""
        first = self.clip.objects[members[0]]
        same = len({self.clip.objects[i].color for i in members}) == 1
        alike = [
            i
            for i, o in enumerate(self.clip.objects)
            if o.shape == first.shape and o.role != "stopper" and (not same or o.color == first.color)
        ]
        frames = slice(None) if self.frame is None else slice(self.frame, self.frame + 1)
        visible = self.facts.visible[frames, list(members)]
        return len(alike) == len(members) and bool((visible.min(1) > 0.25).any())

    def listing(self, indices: list[int], bare: bool = False) -> str:
        """Objects in one phrase, groups as one."""
        phrases, done = [], set[int]()
        for index in indices:
            if index in done:
                continue
            members = self._members(index, indices)
            done.update(members)
            phrases.append(self.group_noun(members, bare) if len(members) > 1 else self.noun(index, bare))
        return joined(phrases)

    def _members(self, index: int, among: list[int]) -> tuple[int, ...]:
        group = self.clip.objects[index].group
        if group is None:
            return (index,)
        return tuple(i for i in among if self.clip.objects[i].group == group)

    def setting(self, ground: bool, light: bool) -> str:
        """Where and when: "on a wooden floor at sunset", in either order."""
        parts = []
        if ground:
            self.claim("ground", name=self.facts.ground)
            parts.append(self.pick_usual(words.GROUND_PHRASES[self.facts.ground]))
        if light:
            self.claim("light", name=self.facts.light)
            parts.append(self.pick_usual(words.LIGHT_PHRASES[self.facts.light]))
        return " ".join(parts) if self.chance(0.7) else " ".join(reversed(parts))

    def camera(self, whole: bool = False) -> str:
        """How the camera moves; whole: as a clause that can stand alone."""
        self.claim("camera", name=self.facts.camera_move)
        options = words.CAMERA_PHRASES[self.facts.camera_move]
        return self.pick_usual(tuple(o for o in options if o.startswith("the ")) if whole else options)

    def action(self, beat: Beat) -> str:
        """One beat as a verb phrase in the third person, with its claims."""
        manner = self.facts.manner[beat.subject]
        if beat.kind == "leave" and (manner != "roll" or self.clip.objects[beat.subject].shape != "sphere"):
            manner = None  # how it moved at first need not be how it leaves
        verb = self.pick(words.VERBS[manner])
        phrase = self.pick_usual(words.ACTIONS[beat.kind])
        far = OTHER_SIDE.get(beat.side or "", "")
        manner = words.MANNERS.get(verb) if "{v}" in phrase else None
        self.claims += claims_of(beat, self.facts, manner, "{side}" in phrase)
        if "{x}" in phrase:
            phrase = phrase.replace("{x}", self._met(beat)).replace("{it}", "them" if beat.group else "it")
        return phrase.format(v=verb, side=beat.side, far=far, ground=words.GROUND_NOUNS.get(self.facts.ground, "floor"))

    def _met(self, beat: Beat) -> str:
        """What the subject of a beat meets: a group as one."""
        assert beat.other is not None
        return self.group_noun(beat.group) if beat.group else self.noun(beat.other)

    def told(self) -> list[Beat]:
        """The beats that this style tells, in order."""
        everything = list(beats(self.clip))
        if self.style != "dense" and self.chance(0.6):
            everything = [beat for beat in everything if beat.kind != "stop"] or everything
        most = MOST_BEATS[self.style]
        if self.style in ("short", "medium") and self.chance(0.25):
            most -= 1
        return self._shortened(everything, most)

    def _shortened(self, everything: list[Beat], most: int) -> list[Beat]:
        """At most so many beats: the main ones first, then from the beginning; what follows on another needs it.

        A single one is any that stands alone.
        """
        if most == 1:
            shuffled = sorted(everything, key=lambda _: self.rng.random())
            return [beat for beat in shuffled if beat.kind not in (*AFTER_HIDING, "stop", "leave")][:1]
        order = sorted(range(len(everything)), key=lambda k: everything[k].kind in SIDE_KINDS)
        chosen = [everything[k] for k in sorted(order[:most])]
        hides = any(beat.kind == "hide" for beat in chosen)
        return [beat for beat in chosen if hides or beat.kind not in AFTER_HIDING]

    def sentence(self, chosen: list[Beat]) -> str:
        """The actor and what it does, as one clause."""
        last = chosen[-1]
        if len(chosen) <= 2 and last.kind == "collide" and self.chance(0.4):
            return self._meeting(last)
        if len(chosen) == 1 and last.kind in words.PASSIVES and self.chance(0.3):
            return self._passive(last)
        subject = self.noun(chosen[0].subject)
        actions = [self.action(beat) for beat in chosen]
        self.clause = f"{subject} {self._chained(actions)}"
        if len(actions) == 1 and (doing := self._under_way(actions[0], 0.2)):
            return f"{subject} is {doing}"
        return self.clause

    def _under_way(self, action: str, probability: float) -> str:
        """The action by the -ing form of its verb, "rolling in from the left", or nothing."""
        verb, _, rest = action.partition(" ")
        if verb in words.PARTICIPLES and " and " not in action and self.chance(probability):
            return f"{words.PARTICIPLES[verb]} {rest}".strip()
        return ""

    def _passive(self, beat: Beat) -> str:
        """What happened to the other one: "a row of dominoes is knocked over by a red ball"."""
        self.claims += claims_of(beat, self.facts)
        x = self._met(beat)
        be = "is" if x.startswith(("a ", "an ", "the ")) else "are"
        return self.pick(words.PASSIVES[beat.kind]).format(x=x, be=be, a=self.noun(beat.subject))

    def _meeting(self, beat: Beat) -> str:
        assert beat.other is not None
        first, second = (beat.subject, beat.other) if self.chance(0.5) else (beat.other, beat.subject)
        phrase = self.pick(words.MEETINGS)
        rolls = all(self.facts.manner[i] == "roll" for i in (first, second))
        self.claim("event", name="hit", subject=beat.subject, other=beat.other)
        if "{roll}" in phrase:
            for index in (first, second):
                self.claim("motion", subject=index, manner="roll" if rolls else None)
        return phrase.format(a=self.noun(first), b=self.noun(second), roll="roll" if rolls else "move")

    def _chained(self, actions: list[str]) -> str:
        if len(actions) == 1:
            return actions[0]
        link = self.pick_usual((" and ", " and ", ", then ", " and then ", ", and "))
        return ", ".join(actions[:-1]) + link + actions[-1]

    def film(self) -> str:
        chosen = self.told()
        if self.style == "fragment":
            return self._fragment(chosen)
        if self.style == "dense":
            return self._dense(chosen)
        return self._sentence_style(chosen)

    def _fragment(self, chosen: list[Beat]) -> str:
        """Three to twelve words: a bare noun phrase, a short clause, or key words."""
        extra = self.pick(("ground", "light", "both")) if self.chance(0.3) else ""
        terse = not extra and self.chance(0.3)
        if not chosen or self.chance(0.12):
            named = self._grouped(nameable(self.clip))[: int(self.rng.integers(1, 4))]
            body = self.listing(named, bare=self.chance(0.4)) if named else self.pick(words.EMPTY)
            self.clause = there_is(body)
            extra = extra or ("ground" if len(body.split()) < 3 else "")
        else:
            bare = self.chance(0.4)
            subject, action = self.noun(chosen[0].subject, bare), self.action(chosen[0])
            self.clause = f"{with_article(subject) if bare else subject} {action}"
            body = f"{subject} {self._under_way(action, 0.5) or action}"
        if terse:  # as in a headline: "red ball knocks over row of dominoes"
            body = re.sub(r"\ban? ", "", body)
        if extra and self.chance(0.25):
            return self._key_words(body, extra)
        tail = self.setting(extra in ("ground", "both"), extra in ("light", "both"))
        return f"{body} {tail}".strip()

    def _key_words(self, body: str, extra: str) -> str:
        parts = [body]
        if extra in ("ground", "both"):
            parts.append(re.sub("^(on )?(in )?(a )?(the )?", "", self.setting(True, False)))
        if extra in ("light", "both"):
            self.claim("light", name=self.facts.light)
            parts.append(self.pick(words.LIGHT_WORDS[self.facts.light]))
        return ", ".join(parts)

    def _sentence_style(self, chosen: list[Beat]) -> str:
        body = self.sentence(chosen) if chosen else self._still_life()
        self.clause = self.clause or (body if chosen else there_is(body))
        return self.in_its_setting(body)

    def in_its_setting(self, body: str) -> str:
        """Short: one clause, perhaps its setting. Medium: with ground, light, and the camera when it moves."""
        medium = self.style == "medium"
        ground, light = (True, self.chance(0.9)) if medium else (self.chance(0.35), self.chance(0.4))
        where = self.setting(ground, light)
        text = self._placed_setting(body, where)
        moving = self.facts.camera_move != "still"
        if (moving and self.chance(0.85 if medium else 0.3)) or (medium and not moving and self.chance(0.08)):
            text = f"{text}, {self.camera()}"
        return self._finished(text)

    def _placed_setting(self, body: str, where: str) -> str:
        if not where:
            return body
        if self.chance(0.2):
            return f"{where}, {body}"
        return f"{body}, {where}" if self.chance(0.55) else f"{body} {where}"

    def _finished(self, text: str) -> str:
        if self.chance(0.35):
            return text[0].upper() + text[1:] + "."
        return text

    def _still_life(self) -> str:
        named = nameable(self.clip)
        if not named:
            return self.pick(words.EMPTY)
        self.rng.shuffle(named)
        return self.listing(self._grouped(named)[: 5 if self.style == "medium" else 4])

    def _grouped(self, named: list[int]) -> list[int]:
        """Members of groups first, and whole, so that a cut never splits a group."""
        return sorted(named, key=lambda i: (self.clip.objects[i].group is None, self.clip.objects[i].group or ""))

    def _dense(self, chosen: list[Beat]) -> str:
        """Sentences: setting, what happens, what else is there, left and right, camera; in one of two orders."""
        happening = self._happening(chosen)
        setting = f"{self.pick(words.TAKES_PLACE)} {self.setting(True, True)}"
        rest = [self._others(chosen), self._relation(words.IS_PLACED), self.camera(whole=True)]
        parts = [setting, happening, *rest] if self.chance(0.6) else [happening, *rest[:2], setting, rest[2]]
        return " ".join(sentence_case(part) for part in parts if part)

    def _happening(self, chosen: list[Beat]) -> str:
        if not chosen:
            named = nameable(self.clip)
            return f"there {be(named)} {self.listing(self._grouped(named))}" if named else self.pick(words.EMPTY)
        split = len(chosen) > 2 and self.chance(0.6)
        head = self.sentence(chosen[:2] if split else chosen)
        if not split:
            return head
        met = chosen[1].kind == "collide"  # "it" could be either of the two
        tail = self._chained([self.action(beat) for beat in chosen[2:]])
        name = self.noun(chosen[0].subject)
        opener = f"{name} " if met else self.pick(("it ", "then it ", "after that it ", f"{name} "))
        return f"{head}. {sentence_case(opener + tail, stop='')}"

    def _others(self, chosen: list[Beat]) -> str:
        rest = [i for i in nameable(self.clip) if i not in self.names and is_placed(self.clip, i)]
        if not rest or not chosen:
            return ""
        where = self.pick(("in the scene", "nearby", "in view", "also there", "not far away", "in the picture"))
        phrase, verb = self.listing(self._grouped(rest)), be(rest)
        return self.pick((f"{where} {verb} {phrase}", f"{phrase} {verb} {where}", f"there {verb} also {phrase}"))

    def _relation(self, wordings: tuple[str, ...]) -> str:
        """One left-right relation that holds for the whole clip; empty where there is none."""
        pairs = placed_pairs(self.clip)
        return self._side_by_side(*self.pick(pairs), wordings) if pairs else ""

    def placed_pair(self) -> str:
        """Two objects by their places, "a red ball to the left of a blue cube"; empty where none is left of another."""
        text = self._relation(words.PLACED)
        self.clause = f"there is {text}" if text else ""
        return text

    def _side_by_side(self, left: int, right: int, wordings: tuple[str, ...]) -> str:
        """The left one by its place beside the right one, or the right one by its place beside the left one."""
        self.claim("relation", subject=left, other=right)
        first, side, second = (left, "left", right) if self.chance(0.5) else (right, "right", left)
        return f"{self.noun(first)} {self.pick(wordings).format(side=side)} {self.noun(second)}"

    def picture(self) -> str:
        """One frame as a picture: only what is visible in it; nothing moves."""
        assert self.frame is not None
        named = self._grouped(nameable(self.clip, self.frame))
        named = named[: {"fragment": 2, "short": 3}.get(self.style, len(named))]
        pairs = [(a, b) for a in named for b in named if a != b and left_of(self.clip, a, b, self.frame)]
        lone = [pair for pair in pairs if all(self.clip.objects[i].group is None for i in pair)]
        if len(named) == 2 and lone and self.chance(0.5):
            body = self._side_by_side(*lone[0], words.PLACED)
        elif named:
            body = self.listing(named, bare=self.style == "fragment" and self.chance(0.4))
        else:  # empty only when not a pixel of an object shows
            body = self.pick(words.BARE if self.facts.inside[self.frame].any() else words.EMPTY)
        full = self.style in ("medium", "dense")
        where = self.setting(full or self.chance(0.5), full or self.chance(0.5))
        body = self.pick(words.PICTURES) + body if body.startswith(("a ", "an ")) and self.chance(0.2) else body
        text = f"{body} {where}".strip()
        if self.style != "dense":
            return text if self.style == "fragment" else self._finished(text)
        relation = self._side_by_side(*self.pick(lone), words.IS_PLACED) if lone else ""
        return " ".join(sentence_case(part) for part in (text, relation) if part)


def there_is(listing: str) -> str:
    """A listing as a sentence, each thing with an article: "red ball and blue cubes" with "there are a"."""
    parts = re.split(r"(, | and )", listing)
    whole = "".join(part if n % 2 or _is_complete(part) else with_article(part) for n, part in enumerate(parts))
    return f"there {'is' if len(parts) == 1 and whole.startswith(('a ', 'an ')) else 'are'} {whole}"


def _is_complete(phrase: str) -> bool:
    """Whether a phrase needs no article: it has one, or is of several things."""
    first, last = phrase.split()[0], phrase.split()[-1]
    several = (last.endswith("s") and last != "torus") or last == "tori"
    return several or first in ("a", "an", "some", "nothing", *words.NUMBERS)


def with_article(phrase: str) -> str:
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase


def be(named: list[int]) -> str:
    return "are" if len(named) > 1 else "is"


def joined(phrases: list[str]) -> str:
    return phrases[0] if len(phrases) == 1 else ", ".join(phrases[:-1]) + " and " + phrases[-1]


def sentence_case(text: str, stop: str = ".") -> str:
    return text[0].upper() + text[1:] + stop
