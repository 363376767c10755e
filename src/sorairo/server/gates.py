"""Where a request's texts are looked at before it is sampled: the policy, and the prompt's expansion. Both still empty.

Every prompt is allowed and none is rewritten, and ``/healthz`` says so. What is built takes the place of `check_prompt`
and `expand_prompt`; the jobs call them already, each as a step of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sorairo.pipelines.request import VideoRequest

POLICY = "none"  # the policy's name, for /healthz


@dataclass(frozen=True)
class Decision:
    """Whether texts may be made a video of, and then which; if not, why, in one line for their author."""

    allowed: bool
    texts: Mapping[str, str]
    words: str = ""

    def reason(self) -> str:
        return self.words


def check_prompt(texts: Mapping[str, str]) -> Decision:
    """Allows everything: there is no policy yet."""
    return Decision(True, texts)


def expand_prompt(text: str) -> str:
    """The prompt as it is: there is no expansion yet."""
    return text


def texts_of(request: VideoRequest) -> dict[str, str]:
    """Every text that is made a picture of, by its field."""
    return {"prompt": request.prompt} | {f"scenes[{n}]": scene.prompt for n, scene in enumerate(request.scenes)}


def with_texts(request: VideoRequest, texts: Mapping[str, str]) -> VideoRequest:
    """The request with its texts as `check_prompt` left them."""
    scenes = tuple(replace(scene, prompt=texts[f"scenes[{n}]"]) for n, scene in enumerate(request.scenes))
    return replace(request, prompt=texts["prompt"], scenes=scenes)
