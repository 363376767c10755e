"""Judges uploads and the frames of what was made: nudity, and faces of people. Never lets a broken layer pass.

Faces are let in only with permission and consent, and none that may be a minor's. Ages of faces are told badly, so
beside any face nudity is judged as where minors are mentioned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from sorairo.media import Frames
from sorairo.safety.decision import Decision, Finding, unavailable
from sorairo.safety.policy import Policy

NUDITY, FACES, MINORS = "nudity detector", "face detector", "age estimate"
_SEXUAL_ADVICE = "show nobody naked, and no sexual act"
_PEOPLE_ADVICE = "somebody's face is in it: it needs an account that may use pictures of people, and your statement " \
    "that everybody shown is an adult and agrees (--consent)"  # fmt: skip
_MINORS_ADVICE = "somebody in it looks too young: use pictures of adults only"

Detector = Callable[[Frames], float]
"""How sure it is, from 0 to 1, that a picture [h w 3] shows what it looks for."""


@dataclass(frozen=True)
class PictureContext:
    """What pictures are judged with and for.

    people: the account may use pictures of people. consent: what the user states of them; it goes into the manifest.
    A detector that is None is missing, and refuses; ``minors`` is asked only where there is a face.
    """

    policy: Policy
    nudity: Detector | None
    faces: Detector | None
    minors: Detector | None
    people: bool = False
    consent: str = ""
    surface: Literal["private", "public"] = "private"
    timeout_seconds: float = 20.0


def check_uploads(uploads: Mapping[str, Sequence[Frames]], context: PictureContext) -> Decision:
    """Decides on pictures [h w 3] by the name of what they come from: of a clip two for each second."""
    findings = [found for where, frames in uploads.items() for found in _judged(where, frames, context)]
    return Decision.of(findings, context.policy.title, {})


def check_frame(frame: Frames, seconds: float, context: PictureContext) -> Decision:
    """Decides on one frame [h w 3] of what was made; one that is refused refuses the whole clip.

    Invented people are allowed, so faces are not looked for.
    """
    where = f"the frame at {seconds:g} s"
    try:
        score = _score(NUDITY, context.nudity, frame, context)
        findings = list(_nude(where, score, _situations(context), context))
    except _BrokenError as broken:
        findings = [unavailable(where, *broken.args)]
    return Decision.of(findings, context.policy.title, {})


class _BrokenError(Exception):
    """Of a layer, and what is wrong with it."""


def _judged(where: str, frames: Sequence[Frames], context: PictureContext) -> Iterator[Finding]:
    try:
        face = max((_score(FACES, context.faces, frame, context) for frame in frames), default=0.0)
        least = context.policy.picture_threshold("faces")
        situations = [*_situations(context), "upload", *(["minors"] if face >= least else [])]
        nudity = max((_score(NUDITY, context.nudity, frame, context) for frame in frames), default=0.0)
        minor = max((_score(MINORS, context.minors, frame, context) for frame in frames if face >= least), default=0.0)
    except _BrokenError as broken:
        yield unavailable(where, *broken.args)
        return
    yield from _nude(where, nudity, situations, context)
    if face >= least and not (context.people and context.consent.strip()):
        yield Finding("people", FACES, round(face, 3), least, (), where, _PEOPLE_ADVICE)
    youth = context.policy.picture_threshold("minors")
    if minor >= youth:
        yield Finding("minors", MINORS, round(minor, 3), youth, (), where, _MINORS_ADVICE)


def _nude(where: str, score: float, situations: Sequence[str], context: PictureContext) -> Iterator[Finding]:
    least = context.policy.picture_threshold("nudity", situations)
    if score >= least:
        yield Finding("sexual", NUDITY, round(score, 3), round(least, 3), (), where, _SEXUAL_ADVICE)


def _situations(context: PictureContext) -> list[str]:
    return ["public"] if context.surface == "public" else []


def _score(layer: str, detector: Detector | None, frame: Frames, context: PictureContext) -> float:
    """Raises _BrokenError for a detector that is missing, crashes, is late or gives no score."""
    if detector is None:
        raise _BrokenError(layer, "its weights are not there")
    pool = ThreadPoolExecutor(1)  # one that hangs is left behind: it cannot be ended
    try:
        score = pool.submit(detector, frame).result(context.timeout_seconds)
    except TimeoutError:
        raise _BrokenError(layer, f"no answer within {context.timeout_seconds:g} s") from None
    except Exception as error:  # whatever broke, the picture was not judged
        raise _BrokenError(layer, type(error).__name__) from error
    finally:
        pool.shutdown(wait=False)
    if not 0 <= score <= 1:  # nan would pass every comparison
        raise _BrokenError(layer, f"it scored {score}")
    return score
