"""How a model is sampled for a request: as this says, else as the model does by itself. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sorairo.config import ModelConfig
from sorairo.pipelines.request import VideoRequest


@dataclass(frozen=True)
class SamplingPlan:
    """Steps and guidance. A ``distilled`` model takes its own few jumps, guidance inside."""

    num_steps: int
    guidance_scale: float
    distilled: bool = False

    @classmethod
    def of(cls, request: VideoRequest, config: ModelConfig) -> SamplingPlan:
        """Raises ValueError where a request asks of a distilled model what only others can do."""
        steps = config.num_inference_steps if request.num_inference_steps is None else request.num_inference_steps
        scale = config.guidance_scale if request.guidance_scale is None else request.guidance_scale
        if config.distilled:
            _check_fixed(config.name, "num_inference_steps", steps, config.num_inference_steps)
            _check_fixed(config.name, "guidance_scale", scale, config.guidance_scale)
            _check_fixed(config.name, "negative_prompt", request.negative_prompt, "")
        return cls(steps, scale, config.distilled)

    @property
    def told(self) -> dict[str, Any]:
        """As the fields of a request that leaves nothing to the model."""
        return {"num_inference_steps": self.num_steps, "guidance_scale": self.guidance_scale}


def _check_fixed(model: str, field: str, value: object, only: object) -> None:
    if value != only:
        raise ValueError(
            f"{field} is {value!r}; {model} is distilled and knows only {only!r}: leave it out, or use the model that "
            "it was distilled from"
        )
