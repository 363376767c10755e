"""What captions say, word by word: all wordings are used, sides follow the mirror, words and claims agree."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import cache

import numpy as np
import pytest

from sorairo.world import EVENT_KINDS, GROUNDS, HELD_OUT_PAIRS, LIGHTS, Caption, Claim, WorldClip, caption, words
from sorairo.world.facts import OTHER_SIDE
from sorairo.world.story import beats

STYLES = ("fragment", "short", "medium", "dense")
DRAWS = 12
SLOT = {
    "v": rf"(?:{'|'.join(sorted({verb for verbs in words.VERBS.values() for verb in verbs}))})",
    "side": "(?:left|right)",
    "far": "(?:left|right)",
    "it": "(?:it|them)",
    "be": "(?:is|are)",
    "roll": "(?:roll|move)",
    "ground": "(?:floor|sand|snow|grass)",
}
Said = list[tuple[WorldClip, Caption, bool]]


def pattern(wording: str) -> re.Pattern[str]:
    """A wording as what it looks like in a text; other objects are any words, and are not looked for at the start."""
    wording = re.sub(r"^{[ax]} ", "", wording)
    filled = re.sub(r"{(\w+)}", lambda slot: SLOT.get(slot[1], r"[\w ,]+?"), wording)
    return re.compile(rf"\b{filled}\b")


@pytest.fixture(scope="module")
def said(clips: tuple[WorldClip, ...]) -> Said:
    """Captions of all clips in all styles, of films and (True) of pictures."""
    drawn: Said = []
    for clip in clips:
        rng = np.random.default_rng([7, clip.seed])
        for style in STYLES:
            drawn += [(clip, caption(clip, style, rng), False) for _ in range(DRAWS)]
            frame = int(rng.integers(clip.shape.num_frames))
            drawn.append((clip, caption(clip, style, rng, still=frame), True))
    return drawn


@pytest.fixture(scope="module")
def text(said: Said, clips: tuple[WorldClip, ...]) -> str:
    """All captions in lower case, and more of the rarest beat: what comes back where it went."""
    told = [caption.text for _, caption, _ in said]
    for clip in clips:
        rng = np.random.default_rng(clip.seed)
        if any(beat.kind == "reappear" for beat in beats(clip)):
            told += [caption(clip, "dense", rng).text for _ in range(120)]
    return "\n".join(told).lower()


def swapped(text: str) -> str:
    return re.sub(r"\b(left|right)\b", lambda m: OTHER_SIDE[m[1]], text, flags=re.IGNORECASE)


@pytest.mark.parametrize(
    "table", ["ACTIONS", "PASSIVES", "GROUND_PHRASES", "LIGHT_PHRASES", "LIGHT_WORDS", "CAMERA_PHRASES"]
)
def test_every_wording_of_a_table_is_used(table: str, text: str) -> None:
    unused = [w for options in getattr(words, table).values() for w in set(options) if not pattern(w).search(text)]
    assert not unused


@pytest.mark.parametrize("row", ["MEETINGS", "MIXED", "ROWS", "STACKS", "PICTURES", "TAKES_PLACE"])
def test_every_wording_of_a_row_is_used(row: str, text: str) -> None:
    assert not [wording for wording in set(getattr(words, row)) if not pattern(wording).search(text)]


def test_every_noun_and_adjective_is_used(text: str) -> None:
    nouns = {noun for options in words.SHAPE_WORDS.values() for noun in options} - {"tall block"}
    assert not [noun for noun in nouns if not re.search(rf"\b{noun}\b", text)]
    assert re.search(r"\btall (\w+ ){1,3}block\b", text)
    adjectives = [w for table in (words.SIZE_WORDS, words.MATERIAL_WORDS, words.PROP_WORDS) for w in table.values()]
    for word in {word for options in adjectives for word in options} | {"boxes", "dominoes"}:
        assert re.search(rf"\b{word}\b", text), word


def test_left_and_right_change_places_in_the_mirror(clips: tuple[WorldClip, ...]) -> None:
    """With equal choices of words, the text of the mirrored clip is the text with left and right exchanged."""
    compared = 0
    for clip in clips[:100]:
        for k, style in enumerate(STYLES):
            here, there = (caption(c, style, np.random.default_rng([clip.seed, k])) for c in (clip, clip.mirrored()))
            if any(claim.kind == "relation" for claim in here.claims + there.claims):
                continue  # which pair is told of may differ
            assert swapped(here.text) == there.text
            assert [mirror(claim) for claim in here.claims] == list(there.claims)
            compared += here.text != there.text
    assert compared > 100


def mirror(claim: Claim) -> Claim:
    move = " ".join(OTHER_SIDE.get(word, word) for word in (claim.name or "").split())
    fields = {**vars(claim), "name": move or None}
    return Claim(**{**fields, "side": OTHER_SIDE.get(claim.side or "", claim.side)})


def test_relations_change_places_in_the_mirror(said: Said) -> None:
    """Who is to the left of another one is to the right of it in the mirror, so that no relation holds in both."""
    checked = 0
    for clip, told, still in said:
        for claim in told.claims:
            if claim.kind == "relation" and not still:
                x = clip.mirrored().facts.screen[:, [claim.subject, claim.other], 0]
                both = (clip.facts.visible[:, [claim.subject, claim.other]] > 0.3).all(1)
                assert (x[both, 0] > x[both, 1]).all()
                checked += 1
    assert checked > 50


def claimed(told: Caption, field: str, kind: str = "object") -> set[str]:
    return {getattr(claim, field) for claim in told.claims if claim.kind == kind} - {None}


@cache
def finder(options: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(sorted(options, key=len, reverse=True))})\b")


@pytest.mark.parametrize(("table", "field"), [(words.SIZE_WORDS, "size"), (words.MATERIAL_WORDS, "material")])
def test_sizes_and_materials_are_said_where_they_are_claimed(
    table: dict[str, tuple[str, ...]], field: str, said: Said
) -> None:
    for _, told, _ in said:
        named = {name for name, options in table.items() if finder(tuple(options)).search(told.text.lower())}
        assert named == claimed(told, field), told


def test_grounds_and_lights_are_said_where_they_are_claimed(said: Said) -> None:
    """No text speaks of another light or ground than its clip's. Things also land "on the sand" without a claim."""
    lights = {name: (*words.LIGHT_PHRASES[name], *words.LIGHT_WORDS[name]) for name in LIGHTS}
    for clip, told, _ in said:
        lower = told.text.lower()
        named = {name for name in LIGHTS if finder(tuple(lights[name])).search(lower)}
        assert named == claimed(told, "name", "light") <= {clip.facts.light}, told
        named = {name for name in GROUNDS if finder(tuple(words.GROUND_PHRASES[name])).search(lower)}
        assert named | claimed(told, "name", "ground") <= {clip.facts.ground}, told


def test_the_camera_is_spoken_of_where_it_is_claimed(said: Said) -> None:
    phrases = {move: [pattern(w) for w in set(options)] for move, options in words.CAMERA_PHRASES.items()}
    for clip, told, still in said:
        named = {move for move, options in phrases.items() if any(p.search(told.text.lower()) for p in options)}
        kinds = {move.split()[0] for move in claimed(told, "name", "camera")}
        assert {move.split()[0] for move in named} == kinds, told
        assert kinds <= {clip.facts.camera_move.split()[0]}
        assert not (still and kinds)


def test_rolling_and_sliding_are_said_where_they_are_claimed(said: Said) -> None:
    """Only of a ramp, which nothing but balls go down, is rolling said as a matter of course."""
    for clip, told, _ in said:
        lower, manners = told.text.lower(), claimed(told, "manner", "motion")
        assert ("slide" in manners) == bool(re.search(r"\b(slid|glid)(es|ing)\b", lower)), told
        if clip.scenario != "ramp" and not re.search(r"out of (view|frame|the picture)|behind", lower):
            assert ("roll" in manners) == bool(re.search(r"\broll(s|ing)?\b", lower)), told


def test_what_goes_down_a_ramp_rolls(by_scenario: dict[str, list[WorldClip]]) -> None:
    for clip in by_scenario["ramp"]:
        index = next(i for i, thing in enumerate(clip.objects) if thing.role == "actor")
        assert clip.objects[index].shape == "sphere"
        assert clip.facts.manner[index] == "roll"


def test_every_event_that_is_claimed_is_an_event_of_the_facts(said: Said) -> None:
    for clip, told, _ in said:
        for claim in told.claims:
            if claim.kind == "event" and claim.name in EVENT_KINDS:
                same = [e for e in clip.facts.events if e.kind == claim.name and e.subject == claim.subject]
                same = [e for e in same if claim.name == "push" or claim.other in (None, e.other)]
                assert any(claim.side in (None, e.side) for e in same), (told, claim)


def test_one_name_is_one_object(said: Said) -> None:
    """Two things that a text names one by one are never both "the red ball"."""
    for clip, told, _ in said:
        owners: dict[tuple[str, str], set[int]] = defaultdict(set)
        for claim in told.claims:
            if claim.kind == "object" and clip.objects[claim.subject].group is None:
                owners[claim.color, claim.shape].add(claim.subject)
        assert all(len(indices) == 1 for indices in owners.values()), told


def test_captions_of_train_and_test_never_name_a_held_out_pair(said: Said) -> None:
    met = set()
    for clip, told, _ in said:
        pairs = {(c.color, c.shape) for c in told.claims if c.kind in ("object", "count")} & HELD_OUT_PAIRS
        assert clip.split == "novel" or not pairs, told
        met |= pairs
    assert met == HELD_OUT_PAIRS


def test_looking_at_a_clip_changes_nothing(clips: tuple[WorldClip, ...]) -> None:
    """Captions depend on their own generator alone, not on what was said before or on other generators."""
    for clip in clips[:10]:
        first = [caption(clip, style, np.random.default_rng(3)).text for style in STYLES]
        np.random.default_rng(0).normal(size=9)
        before = clip.facts.to_json()
        again = [caption(clip, style, np.random.default_rng(3)).text for style in reversed(STYLES)]
        assert first == again[::-1]
        assert clip.facts.to_json() == before
