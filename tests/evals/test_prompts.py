from collections import Counter

import pytest

from sorairo.evals import prompts
from sorairo.evals.prompts import (
    KINDS,
    NUM_PROMPTS,
    NUM_QUICK,
    ROUND,
    SLOTS,
    STYLES,
    _listed,
    _make_up,
    bench_cases,
    draw_seeds,
    held_out_cases,
)
from sorairo.evals.statements import statements
from sorairo.world import HELD_OUT_PAIRS, SCENARIOS
from sorairo.world.scenarios import HELD_OUT_SCENES


def test_the_list_is_long_and_has_nothing_twice() -> None:
    listed = _listed()
    assert sum(len(listed[kind]) for kind in KINDS) >= 400
    assert {kind: len(listed[kind]) for kind in KINDS} == {kind: rounds * ROUND for kind, rounds in KINDS.items()}
    assert all(len(set(listed[kind])) == len(listed[kind]) for kind in KINDS)
    assert not set(listed["familiar"]) & set(listed["new scenes"])
    assert len(listed["words"]) >= 400  # texts: two clips may be told in the same words


def test_the_quick_list_has_every_scenario_and_style() -> None:
    cases = held_out_cases(NUM_QUICK)
    assert [case.clip.scenario for case in cases] == [*SLOTS, *SLOTS]
    assert set(SLOTS) == set(SCENARIOS)
    assert set(Counter(case.caption.style for case in cases).values()) == {NUM_QUICK // len(STYLES)}
    assert {case.clip.split for case in cases} == {"test"}
    assert all(any(s.fact == "shape" for s in statements(case.caption.claims)) for case in cases)


def test_kinds_are_what_they_say() -> None:
    cases = bench_cases(quick=True)
    assert Counter(case.kind for case in cases) == {"familiar": 24, "new pairs": 6, "new scenes": 6, "places": 6}
    for case in cases:
        pairs = {(thing.color, thing.shape) for thing in case.clip.objects} & HELD_OUT_PAIRS
        assert bool(pairs) == (case.kind == "new pairs")
        if case.kind == "new scenes":
            assert case.clip.make_up in HELD_OUT_SCENES
            assert case.clip.make_up not in _listed()["make_ups"]
        if case.kind == "places":
            assert any(s.fact == "relation" for s in statements(case.caption.claims))
            assert not any(s.fact == "direction" for s in statements(case.caption.claims))


def test_make_ups_of_training_clips_are_listed() -> None:
    for seed in (3, 11, 50_003):
        assert _make_up(seed) in _listed()["make_ups"]


def test_the_list_is_the_same_each_time() -> None:
    assert [c.caption for c in held_out_cases(5)] == [c.caption for c in held_out_cases(6)][:5]
    assert draw_seeds("familiar", ROUND) == _listed()["familiar"][:ROUND]


def test_fresh_lists_differ_and_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "QUICK_ROUNDS", {"familiar": 0.25, "new pairs": 0.25})
    first, again, second = (bench_cases(quick=True, fresh=number) for number in (0, 0, 1))
    assert [c.caption for c in first] == [c.caption for c in again]
    assert not {c.clip.seed for c in first} & {c.clip.seed for c in second}
    assert min(c.clip.seed for c in first) >= prompts.FIRST_FRESH
    with pytest.raises(ValueError, match="fresh is -1"):
        bench_cases(fresh=-1)


@pytest.mark.parametrize(("number", "nearest"), [(0, 1), (-3, 1), (NUM_PROMPTS + 1, NUM_PROMPTS)])
def test_other_numbers_are_refused(number: int, nearest: int) -> None:
    with pytest.raises(ValueError, match=f"num_prompts is {number}.*nearest is {nearest}"):
        held_out_cases(number)
