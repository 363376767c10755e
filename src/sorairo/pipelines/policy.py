"""The policy on the main path: every text of a request is judged, and rewritten or refused, and every upload, before
anything is made; and frames of what was made, before anybody sees them.

Never judges by itself: that is the room `safety`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache

from sorairo.media import Frames
from sorairo.models.language_encoder import LanguageEncoder
from sorairo.models.text_encoder import TextEncoder
from sorairo.pipelines.cards import weight_roots
from sorairo.pipelines.request import VideoRequest
from sorairo.pipelines.timeline import Placed, Timeline
from sorairo.provenance import home_folder
from sorairo.provenance.fingerprint import moments
from sorairo.safety import (
    Context,
    Decision,
    PictureContext,
    Policy,
    PromptClassifier,
    check_frame,
    check_prompt,
    check_uploads,
)
from sorairo.safety.classifier import FILE, READER_FILE, embedder
from sorairo.safety.detectors import FaceDetector, MinorDetector, NudityDetector, opened
from sorairo.safety.policy import STANDARD_TIER, operators_policy

CLASSIFIER = "policy"


class RefusedError(ValueError):
    """The policy refuses the request; ``decision`` says why."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.reason())
        self.decision = decision


def apply_policy(request: VideoRequest, context: Context) -> tuple[VideoRequest, Decision]:
    """The request as it may be made, and what was decided about its texts.

    Raises:
        RefusedError: one line with the field, the category, the words that led to it and what may be changed.
    """
    decision = check_prompt(texts_of(request), replace(context, has_upload=bool(request.materials)))
    accept(decision)
    return with_texts(request, decision.texts), decision


def standard_context(encoder: TextEncoder, group: str = STANDARD_TIER, policy: Policy | None = None) -> Context:
    """With the given policy, else the operator's (policy.toml in the settings folder) or the one of the package.

    Raises ValueError for a policy that is not understood.
    """
    policy = policy or operators_policy(home_folder())
    return Context(policy, _classifier(encoder, "reader" in policy.layers), tier=group)


def picture_context(request: VideoRequest, people: bool) -> PictureContext:
    """As `standard_context`, for pictures. ``people``: whether the account may use pictures of people."""
    policy, nudity = operators_policy(home_folder()), opened(NudityDetector)
    faces, minors = (opened(FaceDetector), opened(MinorDetector)) if request.materials else (None, None)
    return PictureContext(policy, nudity, faces, minors, people, request.consent)


def judge_uploads(timelines: Sequence[Timeline], context: PictureContext) -> list[Frames]:
    """Looks at every picture and clip that is laid on a timeline, two frames for each second; masks are no pictures.

    Returns what was looked at, frames [h w 3].

    Raises:
        RefusedError: one line with the place, the category and what may be changed.
    """
    uploads: dict[str, Placed] = {}
    for timeline in timelines:
        anchors = [(f"anchors[{number}]", anchor) for number, anchor in enumerate(timeline.anchors)]
        for where, placed in (*anchors, ("source", timeline.source), ("source.second", timeline.second)):
            if placed and not any(placed.frames is known.frames for known in uploads.values()):
                uploads[where] = placed
    shown = {
        where: [placed.frames[number] for number in moments(len(placed.frames), placed.fps)]
        for where, placed in uploads.items()
    }
    accept(check_uploads(shown, context))
    return [frame for frames in shown.values() for frame in frames]


def judge_frame(frame: Frames, number: int, request: VideoRequest, context: PictureContext) -> None:
    """Looks at a finished frame [h w 3] if it is one of the two of its second. Raises RefusedError."""
    if number in moments(request.num_frames, 0 if request.still else request.fps):
        accept(check_frame(frame, number / request.fps, context))


def accept(decision: Decision) -> None:
    """Raises RefusedError where it refuses."""
    if not decision.allowed:
        raise RefusedError(decision)


def texts_of(request: VideoRequest) -> dict[str, str]:
    """Every text that is made a picture of, by its field: below a guidance of 1 the negative prompt is one too.

    And what the user wrote before it was told in full.
    """
    scale = 1.0 if request.guidance_scale is None else request.guidance_scale
    negative = {"negative_prompt": request.negative_prompt} if scale < 1 else {}
    scenes = {f"scenes[{n}]": scene.prompt for n, scene in enumerate(request.scenes)}
    own = {"user_prompt": request.user_prompt} if request.user_prompt else {}
    return {"prompt": request.prompt} | own | negative | scenes


def with_texts(request: VideoRequest, texts: Mapping[str, str]) -> VideoRequest:
    """The request with other texts in the same fields."""
    scenes = tuple(replace(scene, prompt=texts[f"scenes[{n}]"]) for n, scene in enumerate(request.scenes))
    negative = texts.get("negative_prompt", request.negative_prompt)
    own = texts.get("user_prompt", request.user_prompt)
    return replace(request, prompt=texts["prompt"], negative_prompt=negative, scenes=scenes, user_prompt=own)


@lru_cache(maxsize=1)  # a worker that changes its model drops the encoder of the last
def _classifier(encoder: TextEncoder, with_reader: bool) -> PromptClassifier | None:
    """None where its weights are missing: a policy that needs it then refuses, and says so."""
    read = (lambda texts: _reader()(texts)) if with_reader else None  # what is missing or broken refuses, as it judges
    name = READER_FILE if with_reader else FILE
    folders = [root / CLASSIFIER for root in weight_roots() if (root / CLASSIFIER).is_dir()]
    return PromptClassifier(folders[0] / name, embedder(encoder.depths, read)) if folders else None


@cache
def _reader() -> LanguageEncoder:
    return LanguageEncoder()
