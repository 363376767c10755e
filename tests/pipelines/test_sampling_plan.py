"""Steps and guidance: the request's, else the model's; a distilled model's alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sorairo.config import ModelConfig
from sorairo.pipelines.request import VideoRequest
from sorairo.pipelines.sampling_plan import SamplingPlan

PLAIN = ModelConfig("plain", num_inference_steps=12, guidance_scale=3.0)
QUICK = replace(PLAIN, name="quick", distilled=True)
REQUEST = VideoRequest("a red ball")


def test_what_the_request_leaves_open_the_model_says() -> None:
    assert SamplingPlan.of(REQUEST, PLAIN) == SamplingPlan(12, 3.0)
    assert SamplingPlan.of(replace(REQUEST, num_inference_steps=5), PLAIN) == SamplingPlan(5, 3.0)
    assert SamplingPlan.of(replace(REQUEST, guidance_scale=0.0), PLAIN) == SamplingPlan(12, 0.0)
    assert SamplingPlan(5, 0.0).told == {"num_inference_steps": 5, "guidance_scale": 0.0}


def test_a_distilled_model_takes_what_it_knows_and_nothing_else() -> None:
    plan = SamplingPlan.of(REQUEST, QUICK)
    assert plan == SamplingPlan(12, 3.0, distilled=True)
    assert SamplingPlan.of(replace(REQUEST, **plan.told), QUICK) == plan


@pytest.mark.parametrize(
    ("field", "value", "only"),
    [("num_inference_steps", 30, "12"), ("guidance_scale", 4.5, "3.0"), ("negative_prompt", "snow", "''")],
)
def test_more_of_a_distilled_model_is_an_error_that_says_what_it_knows(field: str, value: Any, only: str) -> None:
    with pytest.raises(
        ValueError, match=f"{field} is {value!r}; quick is distilled and knows only {only}: leave it out"
    ):
        SamplingPlan.of(replace(REQUEST, **{field: value}), QUICK)
