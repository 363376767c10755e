"""False statements are false, true ones are true, and the rules agree with perfect eyes."""

from __future__ import annotations

import numpy as np
import pytest

from sorairo.evals.agreement import Agreement, false_statements, true_statements
from sorairo.evals.detector_examples import perfect_eyes
from sorairo.evals.judgement import judge
from sorairo.evals.statements import FACTS
from sorairo.shapes import NATIVE_BUCKETS
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
    assert kinds == set(FACTS)


def test_rules_agree_with_perfect_eyes() -> None:
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
