"""Decisions with their reasons; what is broken refuses; what is harmless alone is judged together."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from sorairo.safety import Context, PromptClassifier, check_prompt, judge_request, load_policy
from sorairo.safety.classifier import Vectors
from sorairo.safety.word_lists import load_word_lists


def test_an_ordinary_prompt_goes_on_as_it_is(context: Context) -> None:
    decision = check_prompt("a ball rolls down the hill", context)
    assert (decision.action, decision.texts, decision.reason()) == (
        "allow",
        {"prompt": "a ball rolls down the hill"},
        "",
    )
    assert decision.policy.startswith(f"{context.policy.name} 5 (")


def test_a_listed_word_refuses_with_its_reason(context: Context) -> None:
    decision = check_prompt("Donald\u200b Trump juggles", context)
    (finding,) = decision.findings
    assert (finding.category, finding.layer, finding.where) == ("real_people", "lists", "prompt")
    assert finding.words == ("Donald\u200b Trump",)
    assert "invented person" in decision.reason()
    assert not decision.allowed
    assert decision.texts == {}


def test_the_classifier_refuses_with_the_words_that_led_to_it(context: Context) -> None:
    decision = check_prompt("a savage ambush with blades", replace(context, policy=lowered(context)))
    (finding,) = decision.findings
    assert (finding.category, finding.layer) == ("violence", "classifier")
    assert finding.score >= finding.threshold
    assert "savage" in finding.words


def lowered(context: Context, threshold: float = 0.7) -> object:
    return replace(context.policy, thresholds=dict.fromkeys(context.policy.thresholds, threshold))


def test_a_sentence_in_a_long_prompt_is_judged_by_itself(context: Context) -> None:
    text = "The cat sleeps in the sun. " * 8 + "Savage slicing of the rival. " + "Rain on a window. " * 8
    assert not check_prompt(text, replace(context, policy=lowered(context))).allowed


def test_minors_sharpen_the_category(context: Context) -> None:
    assert check_prompt("an erotic dance", context).findings[0].category == "sexual"
    assert check_prompt({"prompt": "an erotic dance", "upload": "a schoolgirl"}, context).findings[0].category == (
        "sexual_minors"
    )


def test_harmless_parts_are_judged_together(context: Context) -> None:
    parts = {"prompt": "the savage one", "upload": "ambush with blades"}
    strict = replace(context, policy=lowered(context, 0.75))
    alone = [check_prompt(text, strict).allowed for text in parts.values()]
    decision = check_prompt(parts, strict)
    assert not decision.allowed
    assert not all(alone) or decision.findings[0].where == "together"


@pytest.mark.parametrize("change", [{"surface": "public"}, {"has_upload": True}])
def test_feeds_and_uploads_are_stricter(context: Context, change: dict[str, object]) -> None:
    assert context.classifier is not None
    text = "a savage ambush with blades"
    score = context.classifier.highest(text)["violence"]
    at_its_edge = replace(context, policy=lowered(context, min(1.0, score + 0.01)))
    assert check_prompt(text, at_its_edge).allowed
    assert not check_prompt(text, replace(at_its_edge, **change)).allowed  # type: ignore[arg-type]


def test_brands_and_living_artists_are_rewritten_and_shown(context: Context) -> None:
    decision = check_prompt("an iPhone and a Ferrari, in the style of Greg Rutkowski", context)
    assert decision.action == "rewrite"
    assert decision.texts["prompt"] == "a smartphone and a sports car, in the style of an epic fantasy painter"
    assert [change.before for change in decision.changes] == ["iPhone", "Ferrari", "Greg Rutkowski"]
    assert "'iPhone' became 'smartphone'" in decision.reason()
    assert check_prompt(decision.texts, context).action == "allow"


def test_a_script_that_is_not_read_is_refused(context: Context) -> None:
    (finding,) = check_prompt("夕日と海と小さな船", context).findings
    assert finding.category == "unreadable"
    assert "English" in finding.advice


def test_a_decision_is_plain_data(context: Context) -> None:
    for text in ("a cat", "Batman", "an iPad"):
        assert json.loads(json.dumps(check_prompt(text, context).to_json()))["policy"]


def test_an_unknown_tier_is_the_callers_mistake(context: Context) -> None:
    with pytest.raises(ValueError, match="the nearest known one is 'trusted'"):
        check_prompt("a cat", replace(context, tier="trustd"))


def test_lists_that_cannot_be_read_refuse(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sorairo.safety.word_lists.FILES", ("none.toml",))
    load_word_lists.cache_clear()
    try:
        decision = check_prompt("a cat", context)
    finally:
        load_word_lists.cache_clear()
    assert decision.findings[0].category == "unavailable"
    assert "the lists did not work (FileNotFoundError)" in decision.reason()


def test_words_met_twice_are_rewritten_once(context: Context) -> None:
    lists_alone = replace(context, policy=replace(context.policy, layers=("lists",)))
    assert check_prompt("Studio  Ghibli sky", lists_alone).texts["prompt"] == "gentle hand-drawn animation sky"


def test_a_long_prompt_is_judged_soon(context: Context) -> None:
    start = time.process_time()
    assert check_prompt("A small red ball rolls over a bridge of glass and stops. " * 40, context).allowed
    assert time.process_time() - start < 3


def test_a_missing_classifier_refuses(context: Context) -> None:
    decision = check_prompt("a cat", replace(context, classifier=None))
    assert decision.findings[0].category == "unavailable"
    assert "weights are not loaded" in decision.reason()


def test_a_classifier_that_crashes_refuses(context: Context, weights: Path) -> None:
    def broken(texts: Sequence[str]) -> list[tuple[Vectors, ...]]:
        raise MemoryError("no room")

    decision = check_prompt("a cat", replace(context, classifier=PromptClassifier(weights, broken)))
    assert decision.findings[0].category == "unavailable"
    assert "MemoryError" in decision.reason()


def test_a_classifier_that_answers_nonsense_refuses(context: Context, weights: Path) -> None:
    def nonsense(texts: Sequence[str]) -> list[tuple[Vectors, ...]]:
        found = context.classifier._embed(texts)  # type: ignore[union-attr]
        return [tuple(part * float("nan") for part in states) for states in found]

    decision = check_prompt("a cat", replace(context, classifier=PromptClassifier(weights, nonsense)))
    assert decision.findings[0].category == "unavailable"


def test_a_layer_that_the_policy_leaves_out_is_not_asked(context: Context) -> None:
    lists_only = replace(context, policy=replace(context.policy, layers=("lists",)), classifier=None)
    assert check_prompt("a cat", lists_only).allowed


def test_a_judge_that_the_policy_demands_must_be_there(context: Context) -> None:
    assert judge_request({"prompt": "a cat"}, [], context).allowed
    demanding = replace(context, policy=replace(load_policy(), layers=("lists", "classifier", "judge")))
    assert judge_request({"prompt": "a cat"}, [], demanding).findings[0].category == "unavailable"
