"""Prompts told in full: what the check lets through, what the user's words become, and what is left alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.conftest import Endpoint

from sorairo.pipelines.expansion import (
    Expander,
    content,
    expand_by_endpoint,
    expanded,
    load_expander,
    scene_facts,
)
from sorairo.pipelines.language_model import LanguageModel
from sorairo.pipelines.policy import texts_of, with_texts
from sorairo.pipelines.request import VideoRequest

SCENE = "The scene is set on grass at night. The camera is still."


@dataclass(frozen=True)
class Proposing(Expander):
    """An expander whose writer proposes what the test says: the check is what is tested."""

    proposal: str = ""

    def _propose(self, prompt: str) -> str:
        return self.proposal


@pytest.fixture(scope="module")
def real(tiny_captioner: Path) -> Expander:
    return load_expander(str(tiny_captioner))


def proposing(
    real: Expander, proposal: str, words: str = "a the red blue ball cube hits hitting rolls left right floor sand"
) -> Expander:
    from sorairo.models.vocabulary import Vocabulary

    return Proposing(real.writer, Vocabulary.of([words]), real.encoder, proposal)


def test_what_keeps_every_word_is_used(real: Expander) -> None:
    told = f"A red ball hits a blue cube. {SCENE}"
    made = proposing(real, told).expand("red ball hitting blue cube")
    assert made.text == told
    assert made.added == {"ground": "grass", "light": "night", "camera": "still"}
    assert made.note == "told in full"


@pytest.mark.parametrize(
    "wrong",
    ["A blue ball hits a red cube.", "A red ball hits a cube.", "A red ball hits a blue cube and stops.",
     "A blue cube hits a red ball.", "Two red balls hit a blue cube.", "A red ball rolls. A blue cube."],
)  # fmt: skip
def test_what_changes_a_fact_is_not_used(real: Expander, wrong: str) -> None:
    made = proposing(real, f"{wrong} {SCENE}").expand("a red ball hits a blue cube")
    expected = "A red ball hits a blue cube. The scene is set on grass. It takes place at night. The camera is still."
    assert made.text.replace("checkered", "").startswith("A red ball hits a blue cube.")
    assert scene_facts(made.text)[0] == scene_facts(expected)[0]
    assert made.note.startswith("in your own words")


def test_what_the_user_said_of_the_scene_is_kept(real: Expander) -> None:
    made = proposing(real, f"A red ball rolls left. {SCENE}").expand("a red ball rolls left, at night")
    assert made.added == {"ground": "grass", "camera": "still"}
    other = proposing(real, f"A red ball rolls left. {SCENE}").expand("a red ball rolls left at sunset")
    assert other.text == "A red ball rolls left at sunset. The scene is set on grass. The camera is still."
    assert other.note.startswith("in your own words")


@pytest.mark.parametrize("prompt", ["a red ball rolls left across the floor", "a red ball rolls left across the sand"])
def test_a_ground_that_the_deed_names_is_kept(real: Expander, prompt: str) -> None:
    sentence = prompt[0].upper() + prompt[1:]
    made = proposing(real, f"{sentence}. {SCENE}", prompt).expand(prompt)
    assert made.text == f"{sentence}. It takes place at night. The camera is still."


@pytest.mark.parametrize(
    "prompt", ["a dragon eats a red ball", "at night", "", "a red ball 日本", "a red ball \N{DOG FACE}"]
)
def test_what_it_does_not_know_is_left_as_it_is(real: Expander, prompt: str) -> None:
    made = real.expand(prompt)
    assert made.text == prompt
    assert made.added == {}
    assert made.note.startswith("left as it is")


def test_a_random_writer_never_changes_what_is_said(real: Expander) -> None:
    for prompt in ("a red ball", "a red ball rolls left"):
        made = real.expand(prompt)
        assert content(prompt) == content(made.text)[: len(content(prompt))]


def test_scene_facts_are_found_in_any_wording() -> None:
    facts, rest = scene_facts(
        "On a chessboard floor, in the glow of sunset, a ball rolls, the camera swings to the left."
    )
    assert facts == {"ground": "checker", "light": "sunset", "camera": "pan left"}
    assert content(rest) == ["ball", "roll"]


def test_forms_of_a_word_are_one() -> None:
    assert content("rolling balls and boxes") == content("rolls ball box")
    assert content("knocks over the red dominoes") == ["knock", "over", "red", "domino"]
    assert content("left") != content("right")


def test_an_endpoint_may_not_lose_a_word(endpoint: Endpoint, asked: LanguageModel) -> None:
    endpoint.content = "A shiny red ball waits. The scene is set on sand at sunset."
    made = expand_by_endpoint("a red ball", asked)
    assert made.text == endpoint.content
    assert made.added == {"ground": "sand", "light": "sunset"}
    lost = expand_by_endpoint("a red ball at night", asked)
    assert (lost.text, lost.added) == ("a red ball at night", {})
    assert expand_by_endpoint("two red balls", asked).text == "two red balls"


def test_a_request_keeps_both_texts_and_both_are_judged(real: Expander) -> None:
    request = VideoRequest("a red ball")
    made = expanded(request, proposing(real, f"There is a red ball. {SCENE}").expand(request.prompt))
    assert made.prompt == f"There is a red ball. {SCENE}"
    assert made.user_prompt == "a red ball"
    texts = texts_of(made)
    assert texts == {"prompt": made.prompt, "user_prompt": "a red ball"}
    assert with_texts(made, {"prompt": "x", "user_prompt": "y"}).user_prompt == "y"
    assert VideoRequest.from_json(made.to_json()) == made
    assert expanded(VideoRequest("a dragon"), real.expand("a dragon")) == VideoRequest("a dragon")
    assert "user_prompt" not in texts_of(request)
