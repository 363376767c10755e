"""Words a model knows: derived from the world, true of every caption it writes, silent about what it cannot judge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sorairo.pipelines.advice import notices
from sorairo.pipelines.cards import ModelCard, load_card
from sorairo.pipelines.request import VideoRequest
from sorairo.pipelines.vocabulary import unknown_words, words_of, world_summary, world_vocabulary
from sorairo.shapes import VideoShape
from sorairo.world import COLORS, caption, make_clip

PROMPT = "a red ball rolls in from the left and knocks over a row of yellow dominoes, on a wooden floor at sunset"


@pytest.fixture
def card(tiny_model: Path) -> ModelCard:
    return load_card(tiny_model)


def test_words_are_lower_case_letters_each_once() -> None:
    assert words_of("A ball, a Ball's shadow; 3 BALLS_2 🔴") == ["a", "ball", "ball's", "shadow", "balls"]


def test_the_world_knows_its_own_tables() -> None:
    known = set(world_vocabulary([]))
    assert {"ball", "domino", "dominoes", "knocks", "wooden", "sunset", "camera"} <= known
    assert not any(set(word) & set("{}|:") for word in known)


def test_captions_add_words() -> None:
    assert set(world_vocabulary(["zebra"])) == {*world_vocabulary([]), "zebra"}


def test_every_caption_of_the_world_is_known(card: ModelCard) -> None:
    rng = np.random.default_rng(1)
    clips = [make_clip(seed, VideoShape(13, 96, 96)) for seed in range(100, 108)]
    texts = [caption(clip, style, rng).text for clip in clips for style in ("fragment", "dense") for _ in range(20)]
    assert not {word for text in texts for word in unknown_words(text, card.vocabulary)}


def test_a_prompt_of_the_world_is_known(card: ModelCard) -> None:
    assert unknown_words(PROMPT, card.vocabulary) == []
    assert set(COLORS) <= set(card.vocabulary)


@pytest.mark.parametrize("word", ["knocked", "knocking", "balls", "Ball's", "SUNSET", "dominos"])
def test_other_forms_of_known_words_are_known(card: ModelCard, word: str) -> None:
    assert unknown_words(word, card.vocabulary) == []


@pytest.mark.parametrize("word", ["dragon", "spaceship", "дракон", "ドラゴン"])
def test_unknown_words_are_named(card: ModelCard, word: str) -> None:
    assert unknown_words(f"a red {word} and a {word}", card.vocabulary) == [word]


def test_words_that_show_nothing_are_never_named() -> None:
    assert unknown_words("please show them both: a ball", ["ball"]) == ["show"]


def test_the_summary_names_shapes_and_colours() -> None:
    assert world_summary().startswith("It knows one small world: sphere, cube")
    assert world_summary().endswith("purple and pink.")


def test_without_a_vocabulary_nothing_is_unknown() -> None:
    assert unknown_words("a dragon", ()) == []


def test_notices_name_unknown_words_and_say_what_is_known(card: ModelCard) -> None:
    (line,) = notices(VideoRequest("a red dragon", model="tiny"), card)
    assert line == "tiny was not trained on: dragon. It knows balls and cubes."


def test_notices_shorten_long_lists(card: ModelCard) -> None:
    prompt = " ".join(f"{letter}qqq" for letter in "abcdefghijkl")
    (line,) = notices(VideoRequest(prompt), card)
    assert "hqqq, ..." in line
    assert "iqqq" not in line


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (VideoRequest("🔴"), "there are none in this prompt"),
        (VideoRequest("red ball " * 60), "only about its first"),
        (VideoRequest("red ball", width=96, height=96), "was trained at 160x96, 96x160, 128x128"),
    ],
)
def test_notices(card: ModelCard, request_: VideoRequest, words: str) -> None:
    (line,) = notices(request_, card)
    assert words in line


def test_a_prompt_that_fits_has_no_notices(card: ModelCard) -> None:
    assert notices(VideoRequest(PROMPT), card) == []
