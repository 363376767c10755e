"""The shape of captions: lengths, variety, words, and the way that people write."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from sorairo.shapes import VideoShape
from sorairo.world import GROUNDS, LIGHTS, WorldClip, caption, make_clip, words
from sorairo.world.grammar import joined, sentence_case, with_article
from sorairo.world.story import beats, left_of, nameable

STYLES = ("fragment", "short", "medium", "dense")
LISTS = {
    "wordings": words.ACTIONS,
    "ground": words.GROUND_PHRASES,
    "light": words.LIGHT_PHRASES,
    "camera": words.CAMERA_PHRASES,
}


def texts(clips: tuple[WorldClip, ...], style: str, draws: int = 3) -> list[str]:
    return [caption(clip, style, np.random.default_rng([clip.seed, k])).text for clip in clips for k in range(draws)]


def lengths(clips: tuple[WorldClip, ...], style: str) -> list[int]:
    return [len(text.split()) for text in texts(clips, style)]


def test_styles_differ_in_length(clips: tuple[WorldClip, ...]) -> None:
    means = [np.mean(lengths(clips, style)) for style in STYLES]
    assert means == sorted(means)
    assert means[0] < 9
    assert 8 < means[1] < 17
    assert 14 < means[2] < 27
    assert 25 < means[3] < 45


def test_fragments_are_short_and_lower_case(clips: tuple[WorldClip, ...]) -> None:
    words_of = lengths(clips, "fragment")
    assert min(words_of) >= 2
    assert max(words_of) <= 22
    assert np.mean(np.array(words_of) <= 6) > 0.25
    assert all(text == text.lower() and not text.endswith(".") for text in texts(clips, "fragment"))


def test_some_fragments_drop_their_article(clips: tuple[WorldClip, ...]) -> None:
    bare = [text for text in texts(clips, "fragment") if not re.match(r"(an?|the|two|three|four|some) ", text)]
    assert 0.3 < len(bare) / len(texts(clips, "fragment")) < 0.8


def test_dense_captions_are_sentences(clips: tuple[WorldClip, ...]) -> None:
    for text in texts(clips, "dense", 1):
        sentences = re.split(r"(?<=\.) ", text)
        assert len(sentences) >= 2
        assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in sentences)


@pytest.mark.parametrize("style", ["short", "medium"])
def test_single_sentences_come_with_and_without_capitals(style: str, clips: tuple[WorldClip, ...]) -> None:
    capital = [text[0].isupper() for text in texts(clips, style)]
    assert 0.2 < np.mean(capital) < 0.5
    assert all(text.endswith(".") == text[0].isupper() for text in texts(clips, style))


@pytest.mark.parametrize("style", STYLES)
def test_no_text_has_a_hole_or_a_wrong_article(style: str, clips: tuple[WorldClip, ...]) -> None:
    for text in texts(clips, style, 4):
        assert not re.search(r"[{}]|  |None| ,|,,|\.\.| \.|\ban? (the|an?)\b", text), text
        assert not re.search(r"\ba [aeio]|\ban [^aeiou]", text.lower()), text
        assert text == text.strip()


def test_one_clip_is_told_in_many_ways(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips[:12]:
        rng = np.random.default_rng(0)
        for style, least in (("fragment", 8), ("short", 18), ("medium", 30), ("dense", 35)):
            assert len({caption(clip, style, rng).text for _ in range(40)}) >= least, (clip.seed, style)


@pytest.mark.parametrize("name", LISTS)
def test_every_fact_has_eight_wordings(name: str) -> None:
    for key, wordings in LISTS[name].items():
        assert len(set(wordings)) >= 8, key


def test_every_ground_and_light_has_words() -> None:
    assert set(words.GROUND_PHRASES) == set(GROUNDS)
    assert set(words.LIGHT_PHRASES) == set(words.LIGHT_WORDS) == set(LIGHTS)


def test_every_action_has_its_participle() -> None:
    verbs = {verb for options in words.VERBS.values() for verb in options}
    first = {phrase.split()[0] for wordings in words.ACTIONS.values() for phrase in wordings}
    known = verbs | first - {"{v}", "does", "is", "never", "can"}
    assert known <= set(words.PARTICIPLES)


def test_wordings_of_a_side_never_name_a_fixed_one() -> None:
    for key, wordings in words.ACTIONS.items():
        assert not any(re.search(r"\b(left|right)\b", wording) for wording in wordings), key


def test_ten_ways_to_come_in_are_used(clips: tuple[WorldClip, ...]) -> None:
    entering = [clip for clip in clips if any(beat.kind == "enter" for beat in beats(clip))]
    found = {
        re.sub(r"left|right", "side", match)
        for clip in entering
        for text in texts((clip,), "medium", 12)
        for match in re.findall(r"(?:\w+ ){1,3}(?:in |view |frame |picture |scene )?from the (?:left|right)", text)
    }
    assert len(found) >= 10


def test_the_example_of_the_readme_is_a_sentence_of_this_language() -> None:
    """The grammar itself can say what a user will type."""
    shape = VideoShape(33, 96, 160)
    made = (make_clip(seed, shape) for seed in range(400))
    clip = next(c for c in made if c.scenario == "domino" and any(beat.kind == "enter" for beat in beats(c)))
    facts = replace(clip.facts, ground="wood", light="sunset", camera_move="still")
    pattern = re.compile(
        r"an? \w+ ball rolls in from the (left|right) and knocks over a row of (\w+ )?dominoes,?"
        r" on a wooden floor at sunset"
    )
    rng = np.random.default_rng(0)
    said = (caption(replace(clip, facts=facts), "medium", rng).text for _ in range(6000))
    assert any(pattern.fullmatch(text) for text in said)


def test_main_actors_are_named_in_few_words(clips: tuple[WorldClip, ...]) -> None:
    brief = [text for text in texts(clips, "fragment", 6) if 3 <= len(text.split()) <= 6]
    assert any(re.fullmatch(r"(an? )?\w+ ball (roll|mov|travel)\w+ \w+( the \w+)?", text) for text in brief)
    assert any("hit" in text or "knock" in text for text in brief)


def test_pictures_have_no_verbs_of_motion(clips: tuple[WorldClip, ...]) -> None:
    moving = re.compile(r"\b(rolls?|rolling|falls|hits|knocks|enters|leaves|bounces|camera|slides|moves)\b")
    for clip in clips:
        rng = np.random.default_rng(clip.seed)
        for style in STYLES:
            text = caption(clip, style, rng, still=int(rng.integers(33))).text
            assert not moving.search(text.lower()), text


def test_pictures_name_only_what_that_frame_shows(by_scenario: dict[str, list[WorldClip]]) -> None:
    for clip in by_scenario["cross"]:
        actor = next(i for i, thing in enumerate(clip.objects) if thing.role == "actor")
        assert clip.facts.area[0, actor] == 0
        for k in range(4):
            said = caption(clip, "dense", np.random.default_rng(k), still=0)
            assert all(claim.subject != actor for claim in said.claims if claim.kind == "object")


def test_unknown_styles_and_frames_are_refused(clips: tuple[WorldClip, ...]) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="style is 'long'; it must be one of fragment, short, medium, dense"):
        caption(clips[0], "long", rng)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="still is 33; the nearest valid frames are 0 to 32"):
        caption(clips[0], "short", rng, still=33)


def test_beats_begin_with_how_the_actor_comes_into_motion(clips: tuple[WorldClip, ...]) -> None:
    openings = {"hit", "land on", "enter", "travel", "cross", "fall", "descend", "knock", "collide", "push"}
    for clip in clips:
        story = beats(clip)
        assert bool(story) == (clip.scenario != "still")
        assert not story or story[0].kind in openings


def test_a_thing_that_stood_is_not_said_to_collide(clips: tuple[WorldClip, ...]) -> None:
    """Two things collide when both were under way."""
    for clip in clips:
        for beat in beats(clip):
            if beat.kind == "collide":
                assert np.linalg.norm(clip.objects[beat.other].velocity) > 0.1


def test_left_of_is_asymmetric_and_sees_the_picture(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips[:60]:
        named = nameable(clip)
        for a in named:
            assert not left_of(clip, a, a)
            for b in named:
                assert not (left_of(clip, a, b) and left_of(clip, b, a))


def test_nothing_unseen_is_nameable(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips:
        for index in nameable(clip, 16):
            assert clip.facts.area[16, index] > 0.004
            assert clip.objects[index].role != "stopper"


@pytest.mark.parametrize(("phrase", "expected"), [("red ball", "a red ball"), ("orange cone", "an orange cone")])
def test_articles(phrase: str, expected: str) -> None:
    assert with_article(phrase) == expected


def test_lists_and_sentences() -> None:
    assert joined(["a"]) == "a"
    assert joined(["a", "b"]) == "a and b"
    assert joined(["a", "b", "c"]) == "a, b and c"
    assert sentence_case("a ball rolls") == "A ball rolls."
