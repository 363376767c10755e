"""Requests: every mistake is one line with the value and the nearest valid one, which is then accepted."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sorairo.pipelines.request import MAX_PROMPT_CHARACTERS, MAX_SEED, VideoRequest
from sorairo.shapes import NATIVE_BUCKETS, VideoShape, parse_size

REQUEST = VideoRequest("a red ball")


def refusal(**changes: Any) -> str:
    """The message about a request with ``changes``."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the text is what the caller checks)
        replace(REQUEST, **changes)
    return str(caught.value)


def test_a_prompt_alone_is_a_request() -> None:
    assert REQUEST.shape == VideoShape(33, 96, 160)


@pytest.mark.parametrize("prompt", ["🔴🎳", "赤い球が転がる", "كرة حمراء تتدحرج", "a\nb", "x" * MAX_PROMPT_CHARACTERS])
def test_every_script_is_accepted(prompt: str) -> None:
    assert VideoRequest(prompt).prompt == prompt


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prompt": ""}, ["prompt is empty"]),
        ({"prompt": " \t\n"}, ["prompt is empty"]),
        ({"prompt": "x" * 50_000}, ["prompt has 50000 characters", "8000"]),
        ({"negative_prompt": "x" * 50_000}, ["negative_prompt has 50000"]),
        ({"prompt": "a\udc80"}, ["prompt", "Unicode", "1"]),
        ({"width": 100, "height": 100}, ["size is 100x100", "96x96"]),
        ({"width": 0}, ["size is 0x96", "32x96"]),
        ({"width": 1921, "height": 1080}, ["width is 1921", "nearest is 1920"]),
        ({"height": 100_000}, ["height is 100000", "nearest is 1920"]),
        ({"seconds": 0.0}, ["seconds is 0;", "0.5"]),
        ({"seconds": 100_000.0}, ["seconds is 100000;", "nearest is 60"]),
        ({"seconds": 4.2}, ["seconds is 4.2", "nearest is 4"]),
        ({"seconds": float("nan")}, ["seconds is nan"]),
        ({"seconds": float("inf")}, ["seconds is inf", "nearest is 60"]),
        ({"fps": 7}, ["fps is 7", "nearest is 8"]),
        ({"fps": 120}, ["fps is 120", "nearest is 60"]),
        ({"seed": -1}, ["seed is -1", "nearest is 0"]),
        ({"seed": MAX_SEED + 1}, [f"seed is {MAX_SEED + 1}", f"nearest is {MAX_SEED}"]),
        ({"num_inference_steps": 0}, ["num_inference_steps is 0", "nearest is 1"]),
        ({"num_inference_steps": 201}, ["num_inference_steps is 201", "nearest is 200"]),
        ({"guidance_scale": 31.0}, ["guidance_scale is 31", "nearest is 30"]),
        ({"guidance_scale": float("nan")}, ["guidance_scale is nan"]),
    ],
)
def test_a_mistake_is_named(changes: dict[str, Any], words: list[str]) -> None:
    message = refusal(**changes)
    assert "\n" not in message
    for word in words:
        assert word in message


@given(st.integers(-50, 2200), st.integers(-50, 2200))
def test_the_nearest_sizes_lead_to_a_valid_one(width: int, height: int) -> None:
    request, wanted = None, {"width": width, "height": height}
    for _ in range(4):
        try:
            request = replace(REQUEST, **wanted)
            break
        except ValueError as error:
            if sides := re.findall(r"(\d+)x(\d+)", str(error).split("nearest")[-1]):
                wanted = {"width": int(sides[0][0]), "height": int(sides[0][1])}
            else:
                wanted[str(error).split()[0]] = int(str(error).split()[-1])
    assert request is not None
    assert (request.plan.width, request.plan.height) == (request.width, request.height)


@given(st.floats(-1, 70))
def test_the_nearest_length_is_valid_and_near(seconds: float) -> None:
    try:
        replace(REQUEST, seconds=seconds)
    except ValueError as error:
        nearest = float(str(error).split()[-1])
        assert replace(REQUEST, seconds=nearest).shape.seconds == nearest
        assert abs(nearest - min(max(seconds, 0.5), 60)) <= 0.25


@pytest.mark.parametrize("shape", NATIVE_BUCKETS)
def test_native_sizes_are_valid(shape: VideoShape) -> None:
    assert replace(REQUEST, width=shape.width, height=shape.height).shape == shape


@given(st.text(min_size=1, max_size=50), st.integers(0, MAX_SEED), st.floats(0, 30), st.integers(1, 16))
def test_json_gives_back_what_it_was_given(prompt: str, seed: int, guidance: float, halves: int) -> None:
    if not prompt.strip():
        return
    request = VideoRequest(prompt, "dark", seconds=halves / 2, seed=seed, guidance_scale=guidance)
    assert VideoRequest.from_json(request.to_json()) == request


def test_json_holds_every_field() -> None:
    assert set(json.loads(REQUEST.to_json())) == {field.name for field in fields(VideoRequest)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("[1]", "a JSON list"),
        ("{}", "prompt is empty"),
        ('{"prompt": "a", "promt": "b"}', "unknown key 'promt'; the nearest known key is 'prompt'"),
        ('{"prompt": "a", "seed": "1"}', "seed is '1'; expected int"),
        ('{"prompt": "a", "seed": true}', "seed is True; expected int"),
        ('{"prompt": "a", "seed": 1.5}', "seed is 1.5; expected int"),
        ('{"prompt": 7}', "prompt is 7; expected str"),
        ('{"prompt": "a", "seconds": NaN}', "seconds is nan"),
        ('{"prompt": "a", "width": 100}', "nearest is 96x96"),
    ],
)
def test_json_is_strict(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        VideoRequest.from_json(text)


def test_whole_numbers_are_lengths_too() -> None:
    assert VideoRequest.from_json('{"prompt": "a", "seconds": 2}').seconds == 2.0


@pytest.mark.parametrize(("text", "size"), [("160x96", (160, 96)), ("96X160", (96, 160)), ("128×128", (128, 128))])  # noqa: RUF001
def test_sizes_are_read(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "160", "x", "160x", "-160x96", "1e2x96", "160x96x3", "axb"])
def test_what_is_no_size_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"size is {text!r}")):
        parse_size(text)
