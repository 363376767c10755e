"""The main path: a request becomes a signed clip. Never trains and never answers HTTP.

Names load on first use: checking a request or listing models does not wait for torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sorairo.pipelines.bundle import ModelBundle as ModelBundle
    from sorairo.pipelines.bundle import load_bundle as load_bundle
    from sorairo.pipelines.bundle import write_bundle as write_bundle
    from sorairo.pipelines.cards import ModelCard as ModelCard
    from sorairo.pipelines.cards import list_models as list_models
    from sorairo.pipelines.generation import Clip as Clip
    from sorairo.pipelines.generation import Generation as Generation
    from sorairo.pipelines.generation import generate as generate
    from sorairo.pipelines.policy import RefusedError as RefusedError
    from sorairo.pipelines.progress import Progress as Progress
    from sorairo.pipelines.request import VideoRequest as VideoRequest
    from sorairo.pipelines.sampling import GenerationError as GenerationError

_ROOMS = {
    "bundle": ("ModelBundle", "load_bundle", "write_bundle"),
    "cards": ("ModelCard", "list_models"),
    "generation": ("Clip", "Generation", "generate"),
    "policy": ("RefusedError",),
    "progress": ("Progress",),
    "request": ("VideoRequest",),
    "sampling": ("GenerationError",),
}
_HOMES = {name: f"sorairo.pipelines.{module}" for module, names in _ROOMS.items() for name in names}
__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
