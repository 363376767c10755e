"""What is asked for: a prompt, sizes and numbers, checked once. Never rounds what the user said; imports no torch."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from sorairo.config import load
from sorairo.shapes import NATIVE_FPS, SPATIAL_STRIDE, TEMPORAL_STRIDE, VideoShape

MAX_PROMPT_CHARACTERS = 8000
MIN_SECONDS = TEMPORAL_STRIDE / NATIVE_FPS
MAX_SECONDS = 8.0
MIN_SIDE, MAX_SIDE = 2 * SPATIAL_STRIDE, 512
MAX_SEED = 2**64 - 1
MAX_STEPS = 200
MAX_GUIDANCE = 30.0


@dataclass(frozen=True)
class VideoRequest:
    """One clip to make. Whoever holds one holds a valid one.

    Raises:
        ValueError: one line with the field, its value and the nearest valid value.
    """

    prompt: str
    negative_prompt: str = ""
    width: int = 160
    height: int = 96
    seconds: float = 4.0
    fps: int = NATIVE_FPS
    seed: int = 0
    num_inference_steps: int = 30
    guidance_scale: float = 6.0
    model: str = "sorairo-base"

    def __post_init__(self) -> None:
        _check_text("prompt", self.prompt)
        _check_text("negative_prompt", self.negative_prompt)
        if not self.prompt.strip():
            raise ValueError("prompt is empty; describe what happens, for example: a red ball rolls to the right")
        _check_size(self.width, self.height)
        _check_seconds(self.seconds)
        if self.fps != NATIVE_FPS:
            raise ValueError(
                f"fps is {self.fps}; the model makes {NATIVE_FPS} frames a second: the nearest is {NATIVE_FPS}"
            )
        _check_range("seed", self.seed, 0, MAX_SEED)
        _check_range("num_inference_steps", self.num_inference_steps, 1, MAX_STEPS)
        _check_range("guidance_scale", self.guidance_scale, 0, MAX_GUIDANCE)

    @property
    def shape(self) -> VideoShape:
        return VideoShape.from_seconds(self.seconds, self.width, self.height, self.fps)

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain data, for a signed manifest or a file."""
        return asdict(self)

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> VideoRequest:
        """The request that `to_json` wrote. Raises ValueError for unknown keys, wrong types and invalid values."""
        try:
            data = json.loads(text)
        except ValueError as error:
            raise ValueError(f"request is not JSON: {error}") from error
        if not isinstance(data, dict):
            raise ValueError(f'request is a JSON {type(data).__name__}; it must be an object such as {{"prompt": ...}}')
        if "prompt" not in data:
            raise ValueError("request has no prompt")
        return load(cls, data, "request")


def parse_size(text: str) -> tuple[int, int]:
    """Width and height of a text such as 160x96. Raises ValueError of one line."""
    width, mark, height = text.lower().replace("×", "x").partition("x")  # noqa: RUF001 (the sign people paste)
    if not (mark and width.strip().isdecimal() and height.strip().isdecimal()):
        raise ValueError(f"size is {text!r}; it must be WIDTHxHEIGHT, for example 160x96")
    return int(width), int(height)


def _check_text(field: str, text: str) -> None:
    if len(text) > MAX_PROMPT_CHARACTERS:
        raise ValueError(
            f"{field} has {len(text)} characters; at most {MAX_PROMPT_CHARACTERS} are allowed, and the model reads "
            "about the first hundred words"
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{field} is not valid Unicode text at character {error.start}") from error


def _check_size(width: int, height: int) -> None:
    nearest = [_nearest_side(side) for side in (width, height)]
    if nearest != [width, height]:
        raise ValueError(
            f"size is {width}x{height}; sides are multiples of {SPATIAL_STRIDE} from {MIN_SIDE} to {MAX_SIDE}: "
            f"the nearest is {nearest[0]}x{nearest[1]}"
        )


def _nearest_side(side: int) -> int:
    return min(max(round(side / SPATIAL_STRIDE) * SPATIAL_STRIDE, MIN_SIDE), MAX_SIDE)


def _check_seconds(seconds: float) -> None:
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        nearest = MAX_SECONDS if seconds > MAX_SECONDS else MIN_SECONDS
        raise ValueError(
            f"seconds is {seconds:g}; a clip lasts {MIN_SECONDS:g} to {MAX_SECONDS:g} seconds, longer ones are not "
            f"made yet: the nearest is {nearest:g}"
        )
    nearest = round(seconds / MIN_SECONDS) * MIN_SECONDS
    if not math.isclose(seconds, nearest):
        raise ValueError(
            f"seconds is {seconds:g}; lengths are multiples of {MIN_SECONDS:g}: the nearest is {nearest:g}"
        )


def _check_range(field: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        nearest = high if value > high else low
        raise ValueError(f"{field} is {value}; it must lie between {low} and {high}: the nearest is {nearest}")
