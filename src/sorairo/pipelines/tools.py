"""Sora's tools: each builds a `VideoRequest` from files and words, and nothing more. Never samples and never writes.

``settings`` are fields of the request: seed, num_inference_steps, guidance_scale, negative_prompt, model. Without a
prompt a clip's own is used, if its credentials tell one. Lengths are rounded up to what the model makes, half seconds,
so that no frame of the user's is lost. All raise ValueError of one line for files and values that cannot be used.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from sorairo.config import load_toml
from sorairo.media import Footage
from sorairo.pipelines.request import MAX_SECONDS, MIN_SECONDS, Anchor, Curve, Material, Scene, Source, VideoRequest
from sorairo.pipelines.size_plan import MOST_DIRECT_PIXELS
from sorairo.pipelines.styles import meaning
from sorairo.provenance.verification import verdict_on
from sorairo.shapes import NATIVE_FPS, SPATIAL_STRIDE, nearest_bucket

FRAME = 1 / NATIVE_FPS
STRENGTHS = {"subtle": 0.4, "mild": 0.6, "strong": 0.8}
"""Sora's words for how much a remix changes."""

INFLUENCES: dict[str, Curve] = {
    "transition": ((0.0, 0.0), (0.25, 0.0), (0.75, 1.0), (1.0, 1.0)),
    "mix": ((0.0, 0.0), (0.25, 0.5), (0.75, 0.5), (1.0, 1.0)),
    "sample": ((0.0, 0.0), (0.5, 0.5), (1.0, 0.0)),
}
"""Shares of the second clip over a blend's length, which runs from 0 to 1."""

CLOSE_SECONDS = 0.75  # cards that are closer cut: there is no time to pass from one to the other
BLEND_STRENGTH = 0.85


@dataclass(frozen=True)
class Probe:
    """What a file is: its size, and for a clip its rate, and how many frames it has at the model's, else 0."""

    path: Path
    width: int
    height: int
    num_frames: int
    fps: float

    @property
    def seconds(self) -> float:
        """From its first frame to its last."""
        return max(0, self.num_frames - 1) * FRAME

    @property
    def material(self) -> Material:
        return Material(str(self.path))

    @property
    def size(self) -> dict[str, int]:
        """The size to work in: its own if the model can, else the native one nearest in shape."""
        sides = self.width, self.height
        if any(side % SPATIAL_STRIDE for side in sides) or math.prod(sides) > MOST_DIRECT_PIXELS:
            native = nearest_bucket(*sides)
            sides = native.width, native.height
        return {"width": sides[0], "height": sides[1]}


def probe(path: str | Path, clip: bool | None = None) -> Probe:
    """Looks at a file; ``clip`` says which kind is wanted. Raises ValueError of one line."""
    frames = Footage(path)
    if clip is not None and clip != bool(frames.fps):
        kinds = ("a picture", "a clip") if clip else ("a clip", "a picture")
        raise ValueError(f"{path} is {kinds[0]}; {kinds[1]} is needed here")
    number = 1 + int((len(frames) - 1) / frames.fps * NATIVE_FPS + 1e-6) if frames.fps else 0
    return Probe(Path(path), frames.shape[2], frames.shape[1], number, frames.fps)


def animate(pictures: Sequence[tuple[str | Path, float]], prompt: str, seconds: float, **settings: Any) -> VideoRequest:
    """Pictures, each at its time in seconds, come to life: the first, first and last, or any."""
    if not pictures:
        raise ValueError("pictures is empty; give at least one picture and its time, such as 0")
    for path, _ in pictures:
        probe(path, clip=False)
    return keyframes(pictures, prompt, seconds, **settings)


def keyframes(
    pictures: Sequence[tuple[str | Path, float]], prompt: str, seconds: float, **settings: Any
) -> VideoRequest:
    """As `animate`, of clips too, and the length stays as it is."""
    probes = [probe(path) for path, _ in pictures]
    anchors = tuple(Anchor(one.material, time) for one, (_, time) in zip(probes, pictures, strict=True))
    return VideoRequest(prompt, seconds=seconds, anchors=anchors, **{**probes[0].size, **settings})


def extend(
    clip: str | Path, seconds: float, prompt: str = "", *, backward: bool = False, **settings: Any
) -> VideoRequest:
    """``seconds`` more after the clip, or before it."""
    _check_positive("seconds", seconds)
    known = probe(clip, clip=True)
    total = _grid(known.seconds + seconds)
    anchor = Anchor(known.material, total - known.seconds if backward else 0.0)
    return _request(prompt, known, total, anchors=(anchor,), **settings)


def loop(clip: str | Path, seconds: float = 1.0, prompt: str = "", **settings: Any) -> VideoRequest:
    """The clip, and ``seconds`` that lead from its end to its beginning."""
    _check_positive("seconds", seconds)
    known = probe(clip, clip=True)
    total = _grid(known.seconds + seconds)
    return _request(prompt, known, total, anchors=(Anchor(known.material),), wrap=True, **settings)


def connect(
    first: str | Path, second: str | Path, seconds: float = 2.0, prompt: str = "", **settings: Any
) -> VideoRequest:
    """Two clips, and ``seconds`` between them that lead from one to the other."""
    _check_positive("seconds", seconds)
    start, end = probe(first, clip=True), probe(second, clip=True)
    total = _grid(start.seconds + seconds + end.seconds)
    anchors = Anchor(start.material), Anchor(end.material, total - end.seconds)
    if not prompt and _own_prompt(end):
        middle = start.num_frames + int((total - start.seconds - end.seconds) * NATIVE_FPS) // 2
        settings["scenes"] = (Scene(middle * FRAME, _own_prompt(end)),)
    return _request(prompt, start, total, anchors=anchors, **settings)


def blend(
    first: str | Path,
    second: str | Path,
    prompt: str = "",
    *,
    influence: str | Curve = "transition",
    strength: float = BLEND_STRENGTH,
    **settings: Any,
) -> VideoRequest:
    """Both clips mixed along ``influence``: the second's share over the length (0 to 1), or a preset's name.

    Where the share is 0 or 1 the clip is its source; in between up to ``strength`` of it is made anew.
    """
    one, other = probe(first, clip=True), probe(second, clip=True)
    total = _floor(min(one.seconds, other.seconds))
    points: Curve = meaning("influence", influence, INFLUENCES) if isinstance(influence, str) else influence
    shares = tuple((at * total, share) for at, share in points)
    levels = tuple((time, round(min(1.0, 4 * c * (1 - c)) * strength, 6)) for time, c in _fine(shares, total))
    source = Source(one.material, strength=levels, second=other.material, influence=shares)
    return _request(prompt, one, total, source=source, **settings)


def remix(clip: str | Path, prompt: str, strength: str | float = "mild", **settings: Any) -> VideoRequest:
    """The clip as ``prompt`` says: subtle, mild, strong, or from 0 (the clip itself) to 1 (another one)."""
    known = probe(clip, clip=True)
    level = meaning("strength", strength, STRENGTHS) if isinstance(strength, str) else strength
    source = Source(known.material, strength=((0.0, level),))
    return _request(prompt, known, _floor(known.seconds), source=source, **settings)


def recut(
    clip: str | Path, start: float, end: float, before: float = 0.0, after: float = 0.0, prompt: str = "",
    **settings: Any,
) -> VideoRequest:  # fmt: skip
    """Seconds ``start`` to ``end`` of the clip, with ``before`` and ``after`` seconds made at its ends.

    What is kept begins at the clip's nearest frame and is whole frames of the model long.
    """
    known = probe(clip, clip=True)
    if not 0 <= start < end <= known.seconds:
        raise ValueError(
            f"start and end are {start:g} and {end:g}; they must lie in order between 0 and {known.seconds:g}"
        )
    start = round(start * known.fps) / known.fps
    kept = max(0, min(round((end - start) * NATIVE_FPS), int((known.seconds - start) * NATIVE_FPS + 1e-6))) * FRAME
    total = _grid(before + kept + after)
    time = total - kept if before and not after else before
    return _request(prompt, known, total, anchors=(Anchor(known.material, time, start, kept),), **settings)


def inpaint(clip: str | Path, mask: str | Path, prompt: str = "", **settings: Any) -> VideoRequest:
    """The clip with what is white in ``mask`` (a picture or a clip of its size) made anew."""
    known = probe(clip, clip=True)
    settings |= {"source": Source(known.material), "mask": probe(mask).material}
    return _request(prompt, known, _floor(known.seconds), **settings)


def outpaint(
    clip: str | Path, width: int, height: int, prompt: str = "", *, place: tuple[int, int] | None = None,
    **settings: Any,
) -> VideoRequest:  # fmt: skip
    """The clip inside a larger picture, at ``place`` (left, top) or in the middle; what is around it is made."""
    known = probe(clip, clip=True)
    place = place or ((width - known.width) // 2, (height - known.height) // 2)
    settings |= {"width": width, "height": height, "source": Source(known.material, place=place)}
    return _request(prompt, known, _floor(known.seconds), **settings)


def cinemagraph(
    picture: str | Path, mask: str | Path, prompt: str, seconds: float = 4.0, **settings: Any
) -> VideoRequest:
    """A picture in which only what is white in ``mask`` moves."""
    known = probe(picture, clip=False)
    settings |= {"source": Source(known.material), "mask": probe(mask).material}
    return _request(prompt, known, seconds, anchors=(Anchor(known.material),), **settings)


def image(prompt: str, **settings: Any) -> VideoRequest:
    """One picture."""
    return VideoRequest(prompt, still=True, **settings)


def vary(request: VideoRequest, number: int) -> tuple[VideoRequest, ...]:
    """The same request from 1, 2 or 4 other starting noises: the seeds that follow its own."""
    if number not in (1, 2, 4):
        nearest = min((1, 2, 4), key=lambda known: abs(known - number))
        raise ValueError(f"num_variations is {number}; it is 1, 2 or 4: the nearest is {nearest}")
    return tuple(replace(request, seed=(request.seed + k) % 2**64) for k in range(1, number + 1))


@dataclass(frozen=True)
class Card:
    """What a storyboard shows at ``time``: a text, a picture or a clip; a picture or clip may have a text too."""

    time: float = 0.0
    text: str = ""
    file: str = ""


@dataclass(frozen=True)
class Storyboard:
    """What a storyboard's TOML file holds: a length, a size, and cards."""

    seconds: float = 8.0
    size: tuple[int, ...] = (VideoRequest.width, VideoRequest.height)
    card: tuple[Card, ...] = field(default=())


def storyboard(file: str | Path, **settings: Any) -> VideoRequest:
    """Cards on a timeline: texts become scenes, files known frames; cards closer than 0.75 s cut, gaps are filled.

    Files are found beside the storyboard.
    """
    board = load_toml(Storyboard, Path(file))
    cards = sorted(board.card, key=lambda card: card.time)
    if not cards:
        raise ValueError(f'{file} has no cards; give at least one: [[card]] time = 0, text = "a red ball"')
    for card in cards:
        if not card.time >= 0 or not (card.text or card.file):
            raise ValueError(f"{file}: the card at {card.time:g} s must have a text or a file, at 0 s or later")
    if [card.time for card in cards if card.text].count(0.0) > 1:
        raise ValueError(f"{file}: two cards have a text at 0 s, and only one is told: the nearest time is {FRAME:g}")
    if len(board.size) != 2:
        raise ValueError(f"{file}: size is {list(board.size)}; it is a width and a height: [160, 96]")
    folder = Path(file).parent
    anchors = tuple(Anchor(probe(folder / card.file).material, card.time) for card in cards if card.file)
    close = {after.time for before, after in pairwise(cards) if after.time - before.time < CLOSE_SECONDS}
    told = [card for card in cards if card.text or card.time in close]
    scenes = tuple(Scene(card.time, card.text, card.time in close) for card in told if card.time > 0)
    prompt = next((card.text for card in cards if card.text), "")
    settings |= {"width": board.size[0], "height": board.size[1], "scenes": scenes, "anchors": anchors}
    return VideoRequest(prompt, seconds=board.seconds, **settings)


def _request(prompt: str, known: Probe, seconds: float, **settings: Any) -> VideoRequest:
    if MAX_SECONDS < seconds < math.inf:
        more = seconds - MAX_SECONDS
        raise ValueError(f"the clip would last {seconds:g} s; at most {MAX_SECONDS:g} are made: ask for {more:g} less")
    return VideoRequest(prompt or _own_prompt(known), seconds=seconds, **{**known.size, **settings})


def _own_prompt(known: Probe) -> str:
    """The prompt that a clip's credentials tell, if they hold."""
    if not known.num_frames:
        return ""
    verdict = verdict_on(known.path)
    request = verdict.facts.get("request") if verdict.state in ("trusted", "valid") else None
    prompt = request.get("prompt") if isinstance(request, dict) else None
    return prompt if isinstance(prompt, str) else ""


def _check_positive(name: str, seconds: float) -> None:
    if not seconds > 0:
        raise ValueError(f"{name} is {seconds:g}; it must be above 0: the nearest is {MIN_SECONDS:g}")


def _grid(seconds: float) -> float:
    """The next length that the model makes."""
    return math.ceil(seconds / MIN_SECONDS - 1e-9) * MIN_SECONDS if math.isfinite(seconds) else seconds


def _floor(seconds: float) -> float:
    return max(MIN_SECONDS, int(seconds / MIN_SECONDS + 1e-9) * MIN_SECONDS)


def _fine(points: Curve, seconds: float) -> Curve:
    """The curve's value at every frame of the model, so that what is computed from it bends between the points."""
    times = np.arange(round(seconds * NATIVE_FPS) + 1) * FRAME
    at, values = zip(*points, strict=True)
    return tuple(zip(times.tolist(), np.interp(times, at, values).tolist(), strict=True))
