"""False statements are false, true ones are true, and the rules agree with perfect eyes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from sorairo.evals.agreement import Agreement, count_agreement, false_statements, spliced, true_statements
from sorairo.evals.judgement import judge
from sorairo.evals.statements import FACTS
from sorairo.shapes import NATIVE_BUCKETS
from sorairo.sight.observation import Observation
from sorairo.world import WorldClip, make_clip


@pytest.fixture(scope="module")
def clips() -> list[WorldClip]:
    return [make_clip(seed, NATIVE_BUCKETS[0], "test") for seed in range(1000, 1040)]


def test_what_is_false_contradicts_the_facts(clips: list[WorldClip]) -> None:
    kinds = set()
    for clip in clips:
        rng = np.random.default_rng(clip.seed)
        true = true_statements(clip, rng)
        false = false_statements(clip, true, rng)
        assert not set(true) & set(false)
        kinds |= {s.fact for s in false}
        colors = {o.color for o in clip.objects}
        looks = {(o.color, o.shape) for o in clip.objects}
        for s in false:
            if s.fact == "colour":
                assert s.noun.color not in colors
            if s.fact == "shape":
                assert (s.noun.color, s.noun.shape) not in looks
            if s.fact in ("enter", "leave", "topple", "hit"):
                happened = [e for e in clip.facts.events if e.kind == s.fact and e.side == s.value]
                assert s.noun.color not in {clip.objects[e.subject].color for e in happened} or s.other
    assert kinds == set(FACTS) - {"stays"}  # which is told of clips that are cut


def test_a_cut_makes_things_vanish(clips: list[WorldClip], perfect_eyes: Callable[[WorldClip], Observation]) -> None:
    watched = [(clip, perfect_eyes(clip)) for clip in clips[:3]]
    half = clips[0].shape.num_frames // 2
    cut = spliced(watched[0][1], watched[1][1])
    assert {s for s in cut.sightings if s.frame < half} == {s for s in watched[0][1].sightings if s.frame < half}
    assert {s for s in cut.sightings if s.frame >= half} == {s for s in watched[1][1].sightings if s.frame >= half}
    rows = {row.fact: row for row in count_agreement(watched)}
    assert set(rows) == set(FACTS)
    assert rows["stays"].num_false > 0
    assert rows["stays"].num_false_refused >= rows["stays"].num_false / 2
    assert rows["light"].num_true_found == rows["light"].num_true == 3


def test_rules_agree_with_perfect_eyes(perfect_eyes: Callable[[WorldClip], Observation]) -> None:
    """Most of the time: what the rules miss with perfect eyes is lost to everyone."""
    found, refused = [], []
    for seed in (1001, 1004, 1008, 1013, 1020):
        clip = make_clip(seed, NATIVE_BUCKETS[0], "test")
        seen, rng = perfect_eyes(clip), np.random.default_rng(0)
        true = true_statements(clip, rng)
        found += [judge(s, seen) for s in true]
        refused += [not judge(s, seen) for s in false_statements(clip, true, rng)]
    assert np.mean(found) > 0.9
    assert np.mean(refused) > 0.9


def test_agreement_is_balanced() -> None:
    row = Agreement("hit", num_true=10, num_false=40, num_true_found=9, num_false_refused=40)
    assert (row.sensitivity, row.specificity, row.balanced) == (0.9, 1.0, 0.95)
    low, high = row.interval
    assert low < 0.95 < high
    always = Agreement("hit", 10, 40, 10, 0)
    assert always.balanced == 0.5
