"""The policy on the main path: every text of a request is judged, and rewritten or refused, before anything is made.

Never judges by itself: that is the room `safety`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch

from sorairo.models.text_encoder import TextEncoder
from sorairo.pipelines.cards import weight_roots
from sorairo.pipelines.request import VideoRequest
from sorairo.provenance import home_folder
from sorairo.safety import Context, Decision, PromptClassifier, check_prompt, load_policy, pooled
from sorairo.safety.classifier import Vectors

CLASSIFIER = "policy"
POLICY_FILE = "policy.toml"


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
    if not decision.allowed:
        raise RefusedError(decision)
    return with_texts(request, decision.texts), decision


def standard_context(encoder: TextEncoder) -> Context:
    """The operator's policy (policy.toml in the settings folder), else the one that comes with the package.

    Raises ValueError for a policy that is not understood.
    """
    own = home_folder() / POLICY_FILE
    return Context(load_policy(own if own.exists() else None), _classifier(encoder))


def texts_of(request: VideoRequest) -> dict[str, str]:
    """Every text that is made a picture of, by its field: below a guidance of 1 the negative prompt is one too."""
    negative = {"negative_prompt": request.negative_prompt} if request.guidance_scale < 1 else {}
    scenes = {f"scenes[{n}]": scene.prompt for n, scene in enumerate(request.scenes)}
    return {"prompt": request.prompt} | negative | scenes


def with_texts(request: VideoRequest, texts: Mapping[str, str]) -> VideoRequest:
    """The request with other texts in the same fields."""
    scenes = tuple(replace(scene, prompt=texts[f"scenes[{n}]"]) for n, scene in enumerate(request.scenes))
    negative = texts.get("negative_prompt", request.negative_prompt)
    return replace(request, prompt=texts["prompt"], negative_prompt=negative, scenes=scenes)


@cache
def _classifier(encoder: TextEncoder) -> PromptClassifier | None:
    """None where its weights are missing: a policy that needs it then refuses, and says so."""

    @torch.inference_mode()
    def embed(texts: Sequence[str]) -> Vectors:
        states, mask = encoder(list(texts))
        return pooled(states.cpu().numpy(), mask.cpu().numpy())

    folders: list[Path] = [root / CLASSIFIER for root in weight_roots() if (root / CLASSIFIER).is_dir()]
    return PromptClassifier(folders[0], embed) if folders else None
