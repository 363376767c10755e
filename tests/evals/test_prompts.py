from collections import Counter

import pytest

from sorairo.evals.prompts import CLIP_SEEDS, NUM_PROMPTS, NUM_QUICK, STYLES, held_out_cases
from sorairo.evals.statements import statements
from sorairo.world import SCENARIOS


def test_the_list_is_long_and_has_nothing_twice() -> None:
    seeds = [seed for turn in CLIP_SEEDS for seed in turn]
    assert NUM_PROMPTS == len(set(seeds)) >= 100


def test_the_quick_list_has_every_scenario_and_style() -> None:
    cases = held_out_cases(NUM_QUICK)
    scenarios = Counter(case.clip.scenario for case in cases)
    assert set(scenarios) == set(SCENARIOS)
    assert min(scenarios.values()) >= 2
    assert set(Counter(case.caption.style for case in cases).values()) == {NUM_QUICK // len(STYLES)}
    assert {case.clip.split for case in cases} == {"test"}
    assert all(any(s.fact == "shape" for s in statements(case.caption.claims)) for case in cases)


def test_the_list_is_the_same_each_time() -> None:
    assert [c.caption for c in held_out_cases(5)] == [c.caption for c in held_out_cases(6)][:5]


@pytest.mark.parametrize(("number", "nearest"), [(0, 1), (-3, 1), (NUM_PROMPTS + 1, NUM_PROMPTS)])
def test_other_numbers_are_refused(number: int, nearest: int) -> None:
    with pytest.raises(ValueError, match=f"num_prompts is {number}.*nearest is {nearest}"):
        held_out_cases(number)
