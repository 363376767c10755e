"""The written examples keep their promises, and the report counts them right."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

import numpy as np
import pytest

from sorairo.safety.classifier import normed
from sorairo.safety.decision import Finding
from sorairo.safety.examples import Example, load_examples
from sorairo.safety.report import tables
from sorairo.safety.training import (
    CLASSES,
    JOINED,
    Learned,
    chosen_thresholds,
    is_learned,
    left_out_scores,
    threshold_table,
    train,
    weights_of,
    with_long,
)

EXAMPLES = load_examples()
LISTED = {"characters", "circumvention"}
SPLITS = ("train", "test", "second", "third", "development")


def split_of(split: str) -> list[Example]:
    return [example for example in EXAMPLES if example.split == split]


def test_there_are_enough_examples() -> None:
    assert len(EXAMPLES) >= 3000
    assert sum(e.style.startswith("evasion") for e in EXAMPLES) >= 300
    assert sum(e.is_hard for e in EXAMPLES) >= 300
    assert len({e.text for e in EXAMPLES}) == len(EXAMPLES)


def test_every_example_is_labelled() -> None:
    assert {e.category for e in EXAMPLES} == set(CLASSES) | LISTED
    assert {e.split for e in EXAMPLES} == {*SPLITS}
    assert all(e.near for e in EXAMPLES if e.category == "none")


def test_every_category_is_learned_and_tested() -> None:
    learned = Counter(e.category for e in EXAMPLES if is_learned(e))
    assert set(learned) == set(CLASSES)
    assert min(Counter(e.category for e in split_of("test")).values()) >= 20


@pytest.mark.parametrize("label", ["family", "style", "text"])
def test_nothing_crosses_the_splits(label: str) -> None:
    labels = [{getattr(e, label) for e in split_of(split)} for split in SPLITS]
    assert sum(map(len, labels)) == len(set().union(*labels))


def test_no_training_prompt_is_worded_like_one_of_the_later_sets() -> None:
    words = [(e, frozenset(re.findall(r"[a-z']+", e.text.lower()))) for e in EXAMPLES]
    learned: dict[str, list[int]] = defaultdict(list)
    for number, (example, said) in enumerate(words):
        for word in said if example.split == "train" else ():
            learned[word].append(number)
    alike = []
    for example, said in words:
        shared = (
            Counter(n for word in said for n in learned[word]) if example.split in ("second", "third") else Counter()
        )
        alike += [
            (example.text, words[n][0].text) for n, both in shared.items() if both >= 0.6 * len(said | words[n][1])
        ]
    assert alike == []


def test_the_second_set_has_300_prompts_in_five_manners() -> None:
    second = [e for e in EXAMPLES if e.style.startswith("second: ")]
    assert len(second) == 300
    assert len({e.style for e in second}) == 5
    assert {e.category for e in second} == (set(CLASSES) | LISTED) - {"circumvention"}


def test_the_third_set_has_400_prompts_in_five_manners() -> None:
    third = split_of("third")
    assert len(third) == 400
    assert Counter(e.style for e in third) == dict.fromkeys({e.style for e in third}, 80)
    assert Counter(e.category for e in third if e.category != "none") == dict.fromkeys(
        {*CLASSES[1:]} - {"sexual_minors"}, 30
    )


def test_no_slot_is_left_open() -> None:
    assert [e.text for e in EXAMPLES if set("{}@") & set(e.text) and not e.style.startswith("evasion")] == []


def test_the_tables_count() -> None:
    def example(category: str, style: str = "chat", near: str = "") -> Example:
        return Example("x", category, "f", style, "test", near)

    def said(category: str, layer: str = "classifier") -> tuple[Finding, ...]:
        return (Finding(category, layer, 1.0, 0.5, (), "prompt", ""),)

    found = [
        (example("sexual"), said("sexual_minors", "lists")),
        (example("sexual"), ()),
        (example("hate"), said("hate")),
        (example("none", near="hate"), said("hate")),
        (example("none", style="vbench", near="none"), ()),
        (example("sexual", style="evasion: dots"), said("sexual")),
    ]
    text = tables(found, "evasion")
    assert "| sexual | 1 of 2 = 0.500 | 0.095 to 0.905 | 0.00 | 0.50 |" in text
    assert "| all | 2 of 3 = 0.667 |" in text
    assert "| hard negatives | 1 of 1 = 1.000 |" in text
    assert "| VBench (written by others) | 0 of 1 = 0.000 |" in text
    assert "| dots | 1 of 1 = 1.000 | 0.207 to 1.000 | none |  |" in text
    assert "captions" not in text


def test_training_tells_what_can_be_told() -> None:
    """Two classes, whose difference is in one token of three."""
    rng = np.random.default_rng(0)
    labels = [i % 2 for i in range(60)]
    texts = rng.normal(size=(60, 3, 8)).astype(np.float32) * 0.1 + np.eye(8, dtype=np.float32)[2]
    texts[:, 1] += np.eye(8, dtype=np.float32)[labels]
    learned = Learned.of([(text, text[:2]) for text in texts], labels)
    scores = left_out_scores(learned, ["a", "b"] * 15 + ["c", "d"] * 15, passes=60)
    assert scores[1::2, 0].min() > scores[::2, 0].max()
    table = threshold_table(scores, learned.labels)
    assert f"| {CLASSES[1]} |" in table
    assert table.count(": 1.00 found") == 3  # the only category that has examples
    first, second = (train(learned, passes=2, networks=2) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    np.testing.assert_allclose(learned.text(1)[0], normed(texts[1]), atol=1e-3)
    assert [part.shape for part in learned.text(1)] == [(3, 8), (2, 8)]


def test_thresholds_refuse_no_more_than_they_may_and_find_what_they_can() -> None:
    """One category tells well, another badly: the first is made strict, the second left alone."""
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1, 2], [1000, 200, 200])
    scores = np.zeros((1400, len(CLASSES) - 1), np.float32)
    scores[:, 0] = np.clip(rng.normal(0.2, 0.1, 1400) + 0.5 * (labels == 1), 0, 1)
    scores[:, 1] = rng.uniform(size=1400)
    listed = np.zeros(1400, bool)
    listed[:5] = True
    least = chosen_thresholds(scores, labels, listed, np.where(labels == 0, 1e-3, 0).astype(np.float32))
    refused = (scores >= least).any(1) | listed
    assert refused[labels == 0].mean() <= 0.03
    assert refused[labels == 1].mean() > 0.9
    assert least[0] < 0.55 < 0.9 < least[1]
    assert (least[2:] > 1).all()  # nothing is found by these


def test_ordinary_prompts_are_three_in_four_of_the_harmless() -> None:
    kinds = [("hate", ""), ("none", "hate"), ("none", "hate"), ("none", "hate"), ("none", "none")]
    weights = weights_of([Example("x", category, "f", "s", "train", near) for category, near in kinds])
    np.testing.assert_allclose(weights, [0, 1 / 12, 1 / 12, 1 / 12, 3 / 4])


def test_a_harmful_part_makes_a_long_example_harmful() -> None:
    short = [e for e in split_of("train") if is_learned(e)]
    long = with_long(short)[len(short) :]
    assert len(long) > 300
    assert {e.category for e in long} == set(CLASSES)
    assert with_long(short) == with_long(short)
    texts = {e.text: e.category for e in short}
    for example in long[:50]:
        parts = re.split("|".join(re.escape(joint) for pair in JOINED for joint in pair), example.text)
        told = {texts[part] for part in parts if part in texts} - {"none"}
        assert told <= {example.category}
