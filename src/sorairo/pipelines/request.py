"""What is asked for: texts, files on a timeline, sizes and numbers, checked once. Every tool is one of these records.

Never rounds what the user said, never opens a file; imports no torch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import PurePath
from typing import Any

from sorairo.config import load
from sorairo.pipelines.size_plan import MOST_DIRECT_PIXELS, SMALLEST_SIDE, SizePlan
from sorairo.shapes import NATIVE_FPS, SPATIAL_STRIDE, TEMPORAL_STRIDE, VideoShape

MAX_PROMPT_CHARACTERS = 8000
MIN_SECONDS = TEMPORAL_STRIDE / NATIVE_FPS
MAX_SECONDS = 60.0
MAX_FPS = 60
MAX_SEED = 2**64 - 1
MAX_STEPS = 200
MAX_GUIDANCE = 30.0

Curve = tuple[tuple[float, float], ...]
"""Points (seconds, value) joined by straight lines; before the first and after the last the value stays."""


@dataclass(frozen=True)
class Material:
    """A picture or a clip that is used. ``sha256`` of its bytes binds a request to it; empty: whatever lies there."""

    path: str
    sha256: str = ""


@dataclass(frozen=True)
class Scene:
    """From ``start`` seconds on, ``prompt`` holds; with ``cut`` nothing before it is seen any more."""

    start: float
    prompt: str
    cut: bool = False


@dataclass(frozen=True)
class Anchor:
    """Known frames: ``material`` from its second ``start``, for ``seconds`` (None: to its end), laid at ``time``.

    ``strength`` 1 keeps them as they are; less lets the model change them.
    """

    material: Material
    time: float = 0.0
    start: float = 0.0
    seconds: float | None = None
    strength: float = 1.0


@dataclass(frozen=True)
class Source:
    """A clip or picture under the whole timeline, changed by ``strength`` (0 keeps it, 1 ignores it).

    With ``second`` the two are mixed; ``influence`` is the second's share. ``place``: left and top edge at which it
    lies in a larger picture, in its own size; what is around it is made. None: it fills the picture.
    """

    material: Material
    start: float = 0.0
    strength: Curve = ((0.0, 1.0),)
    second: Material | None = None
    influence: Curve = ((0.0, 0.0),)
    place: tuple[int, int] | None = None


@dataclass(frozen=True)
class VideoRequest:
    """One clip to make, or with ``still`` one picture. Whoever holds one holds a valid one.

    ``mask``: white is made, black stays as in ``source``. ``wrap``: after the last frame comes the first again.
    ``visible_mark``: whether the sign of this software wanders through the corners (docs/provenance.md).
    ``num_inference_steps``, ``guidance_scale``: None leaves them to the model.
    ``consent``: what the user states of the people in pictures that are used.
    ``user_prompt``: what the user wrote, where ``prompt`` is that told in full; nothing is made of it.
    Times are seconds on the timeline. An empty prompt leaves the model free, where there are known frames.

    Raises:
        ValueError: one line with the field, its value and the nearest valid value.
    """

    prompt: str = ""
    negative_prompt: str = ""
    width: int = 160
    height: int = 96
    seconds: float = 4.0
    fps: int = NATIVE_FPS
    seed: int = 0
    num_inference_steps: int | None = None
    guidance_scale: float | None = None
    model: str = "sorairo-base"
    scenes: tuple[Scene, ...] = ()
    anchors: tuple[Anchor, ...] = ()
    source: Source | None = None
    mask: Material | None = None
    wrap: bool = False
    still: bool = False
    visible_mark: bool = True
    consent: str = ""
    user_prompt: str = ""

    def __post_init__(self) -> None:
        for field in ("prompt", "negative_prompt", "consent", "user_prompt"):
            _check_text(field, getattr(self, field))
        if not (self.prompt.strip() or self.anchors or self.source):
            raise ValueError("prompt is empty; describe what happens, for example: a red ball rolls to the right")
        _check_size(self.width, self.height)
        _check_seconds(self.seconds)
        _check_range("fps", self.fps, NATIVE_FPS, MAX_FPS)
        _check_range("seed", self.seed, 0, MAX_SEED)
        _check_range("num_inference_steps", self.num_inference_steps, 1, MAX_STEPS)
        _check_range("guidance_scale", self.guidance_scale, 0, MAX_GUIDANCE)
        _check_scenes(self.scenes, self.seconds)
        _check_anchors(self.anchors, self.seconds)
        if self.source:
            _check_source(self.source)
        _check_together(self)

    @property
    def plan(self) -> SizePlan:
        """How the size is made."""
        return SizePlan.of(self.width, self.height)

    @property
    def shape(self) -> VideoShape:
        """Size of what the model makes, before it is enlarged and its rate is raised."""
        sides = self.plan.native_width, self.plan.native_height
        return VideoShape(1, *sides[::-1]) if self.still else VideoShape.from_seconds(self.seconds, *sides, NATIVE_FPS)

    @property
    def num_frames(self) -> int:
        """Frames of the finished clip."""
        return 1 + (self.shape.num_frames - 1) * self.fps // NATIVE_FPS

    @property
    def lands(self) -> bool:
        """Whether made frames may lead into known ones."""
        return self.wrap or any(anchor.time > 0 for anchor in self.anchors)

    @property
    def materials(self) -> tuple[Material, ...]:
        """Every file that is used."""
        under = (self.source.material, self.source.second) if self.source else ()
        files = (*(anchor.material for anchor in self.anchors), *under, self.mask)
        return tuple(file for file in files if file)

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain data."""
        return asdict(self)

    def for_strangers(self) -> dict[str, Any]:
        """As `to_dict`, for a signed manifest: of files only the names, since folders are nobody's business."""
        return self.with_materials(lambda m: replace(m, path=PurePath(m.path).name)).to_dict()

    def with_materials(self, change: Any) -> VideoRequest:
        """The same request with ``change(material)`` in place of each material."""
        source = self.source
        if source:
            second = change(source.second) if source.second else None
            source = replace(source, material=change(source.material), second=second)
        anchors = tuple(replace(anchor, material=change(anchor.material)) for anchor in self.anchors)
        return replace(self, anchors=anchors, source=source, mask=change(self.mask) if self.mask else None)

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
        return cls.from_dict(data)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> VideoRequest:
        """The request of `to_dict`, or of a signed manifest. Raises ValueError as `from_json` does."""
        return load(cls, data, "request")


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
    """Small sizes are the model's own, in its steps; larger ones are enlarged to the pixel."""
    if width * height <= MOST_DIRECT_PIXELS:
        nearest = [max(SMALLEST_SIDE, round(side / SPATIAL_STRIDE) * SPATIAL_STRIDE) for side in (width, height)]
        if nearest != [width, height]:
            raise ValueError(
                f"size is {width}x{height}; the sides of so small a clip are multiples of {SPATIAL_STRIDE} from "
                f"{SMALLEST_SIDE} on: the nearest is {nearest[0]}x{nearest[1]}"
            )
    SizePlan.of(width, height)


def _check_seconds(seconds: float) -> None:
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        nearest = MAX_SECONDS if seconds > MAX_SECONDS else MIN_SECONDS
        raise ValueError(
            f"seconds is {seconds:g}; a clip lasts {MIN_SECONDS:g} to {MAX_SECONDS:g} seconds, a picture "
            f"is still: the nearest is {nearest:g}"
        )
    _check_grid("seconds", seconds, MIN_SECONDS)


def _check_grid(field: str, seconds: float, step: float) -> None:
    nearest = max(0.0, round(seconds / step) * step) if math.isfinite(seconds) else 0.0
    if not math.isclose(seconds, nearest, abs_tol=1e-9):
        raise ValueError(f"{field} is {seconds:g}; it must be a multiple of {step:g}: the nearest is {nearest:g}")


def _check_range(field: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:
        nearest = high if value > high else low
        raise ValueError(f"{field} is {value}; it must lie between {low} and {high}: the nearest is {nearest}")


def _check_scenes(scenes: tuple[Scene, ...], seconds: float) -> None:
    for number, scene in enumerate(scenes):
        field = f"scenes[{number}]"
        _check_text(f"{field}.prompt", scene.prompt)
        _check_grid(f"{field}.start", scene.start, 1 / NATIVE_FPS)
        _check_range(f"{field}.start", scene.start, 1 / NATIVE_FPS, seconds)
    for number, (before, after) in enumerate(pairwise(scenes), start=1):
        if after.start <= before.start:
            raise ValueError(
                f"scenes[{number}].start is {after.start:g}; scenes come in order: the nearest is "
                f"{before.start + 1 / NATIVE_FPS:g}"
            )


def _check_anchors(anchors: tuple[Anchor, ...], seconds: float) -> None:
    for number, anchor in enumerate(anchors):
        field = f"anchors[{number}]"
        _check_grid(f"{field}.time", anchor.time, 1 / NATIVE_FPS)
        _check_range(f"{field}.time", anchor.time, 0, seconds)
        _check_range(f"{field}.start", anchor.start, 0, math.inf)
        _check_range(f"{field}.strength", anchor.strength, 0, 1)
        if anchor.seconds is not None:
            _check_grid(f"{field}.seconds", anchor.seconds, 1 / NATIVE_FPS)


def _check_source(source: Source) -> None:
    _check_range("source.start", source.start, 0, math.inf)
    for name, curve in (("strength", source.strength), ("influence", source.influence)):
        if not curve or any(len(point) != 2 for point in curve):
            raise ValueError(f"source.{name} is {list(curve)}; it is a list of points [seconds, value]: [[0, 1]]")
        for _, value in curve:
            _check_range(f"source.{name}", value, 0, 1)
        if any(after[0] <= before[0] for before, after in pairwise(curve)):
            raise ValueError(f"source.{name} has times {[point[0] for point in curve]}; they must rise")


def _check_together(request: VideoRequest) -> None:
    """What each field allows but not all of them at once."""
    if request.mask and not request.source:
        raise ValueError("mask is given without a source; it says which part of a source is made anew")
    if request.wrap and not any(anchor.time == 0 for anchor in request.anchors):
        raise ValueError("wrap is true without an anchor at time 0; a loop leads back into frames that are known")
    if request.still and (request.wrap or request.scenes or request.anchors):
        raise ValueError("still is true with scenes, anchors or wrap; one picture has no timeline: leave them out")
    if request.wrap and any(scene.cut for scene in request.scenes):
        raise ValueError("wrap is true with a scene that cuts; a loop has no cuts: set cut to false")
