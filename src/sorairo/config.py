"""Settings as frozen dataclasses, and their strict loading from plain data: unknown keys and wrong types are errors.

Never executes configuration and never fills in what it does not understand.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, NamedTuple, TypeVar, get_type_hints

ConfigT = TypeVar("ConfigT")
TEXT_WIDTH = 384  # of a token's state, as the text encoder gives it


class Range(NamedTuple):
    """What a number may be, both ends included: the metadata of an Annotated type such as `Share`."""

    least: float
    most: float = math.inf


Count = Annotated[int, Range(1)]
Natural = Annotated[int, Range(0)]
Seed = Annotated[int, Range(0, 2**32 - 1)]
Share = Annotated[float, Range(0, 1)]
Weight = Annotated[float, Range(0, 1e9)]
Positive = Annotated[float, Range(1e-9, 1e3)]
Ratio = Annotated[float, Range(1 / 64, 64)]  # of widths, the least of which is 64
Duration = Annotated[float, Range(0)]
TextWidth = Annotated[int, Range(TEXT_WIDTH, TEXT_WIDTH)]
Widths = tuple[Count, Count, Count]


class Checked:
    """Settings whose values have the types, lengths and ranges of their annotations, however they are made."""

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self), include_extras=True).items():
            _convert(hint, getattr(self, name), name)


@dataclass(frozen=True)
class VideoVAEConfig(Checked):
    """Video autoencoder: ``latent_channels`` per 16x16x4 block, convolution widths at strides 4, 8 and 16."""

    latent_channels: Count = 32
    encoder_widths: Widths = (48, 96, 192)
    decoder_widths: Widths = (64, 128, 256)
    encoder_blocks: Natural = 1
    decoder_blocks: Natural = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("encoder_widths", "decoder_widths"):
            for fine, coarse in pairwise(widths := getattr(self, name)):
                if 8 * fine % coarse:
                    below = next(width for width in range(coarse, 0, -1) if 8 * fine % width == 0)
                    raise ValueError(f"{name} is {widths}; {coarse} must divide 8 times {fine}: the nearest is {below}")


@dataclass(frozen=True)
class DiTConfig(Checked):
    """Diffusion transformer. One dial: ``depth``; the width is 32 times it, heads are 64 wide."""

    depth: int = 8
    patch: Count = 2
    latent_channels: Count = 32
    text_width: TextWidth = TEXT_WIDTH
    mlp_ratio: Ratio = 4.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.depth < 2 or self.depth % 2:
            raise ValueError(f"depth is {self.depth}; it must be even and at least 2")

    @property
    def width(self) -> int:
        return 32 * self.depth

    @property
    def num_heads(self) -> int:
        return self.width // 64


@dataclass(frozen=True)
class ModelConfig(Checked):
    """What a model bundle is made of, and how it is sampled where a request does not say.

    ``distilled``: only in these steps, guided by this much already, without a negative prompt.
    """

    name: str = "sorairo-base"
    video_vae: VideoVAEConfig = field(default_factory=VideoVAEConfig)
    dit: DiTConfig = field(default_factory=DiTConfig)
    num_inference_steps: Count = 30
    guidance_scale: Weight = 2.5
    distilled: bool = False


def nearest_name(name: str, known: list[str]) -> str:
    """The known name most like ``name``, for an error message."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return close[0] if close else "none"


def check_name(what: str, name: str, known: Collection[str]) -> None:
    """Raises ValueError with the nearest of the known names, where ``name`` is none of them."""
    if name not in known:
        raise ValueError(f"{what} is {name!r}; the nearest is {nearest_name(name, [*known])!r}")


def load(cls: type[ConfigT], data: Mapping[str, Any], where: str = "config") -> ConfigT:
    """Builds the dataclass ``cls`` from plain data, recursively.

    Raises:
        ValueError: an unknown key (with the nearest known one), a missing one, or a value of the wrong type or range.
    """
    assert dataclasses.is_dataclass(cls)
    hints = get_type_hints(cls, include_extras=True)
    for key in data:
        if key not in hints:
            nearest = nearest_name(key, list(hints))
            raise ValueError(f"{where}: unknown key {key!r}; the nearest known key is {nearest!r}")
    for entry in dataclasses.fields(cls):
        needed = entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING
        if needed and entry.name not in data:
            raise ValueError(f"{where}: {entry.name!r} is missing")
    return cls(**{key: _convert(hints[key], value, f"{where}.{key}") for key, value in data.items()})


def load_toml(cls: type[ConfigT], path: Path) -> ConfigT:
    """Reads a TOML file into ``cls``; errors name the file."""
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as TOML: {error}") from error
    return load(cls, data, str(path))


def _convert(hint: Any, value: Any, where: str) -> Any:
    if isinstance(hint, UnionType):  # only ever: something, or None
        if value is None:
            return None
        hint = hint.__args__[0]
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        return load(hint, value, where)  # type: ignore[arg-type]
    origin = getattr(hint, "__origin__", None)
    if ranges := getattr(hint, "__metadata__", ()):
        value, (least, most) = _convert(origin, value, where), ranges[0]
        if not least <= value <= most:  # nor is what is no number
            raise ValueError(f"{where} is {value}; the nearest possible is {max(least, min(value, most))}")
        return value
    if origin is tuple and isinstance(value, list | tuple):
        inner = hint.__args__
        if ... not in inner and len(value) != len(inner):
            raise ValueError(f"{where} is {value}; expected {len(inner)} values")
        return tuple(_convert(inner[0], item, where) for item in value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    expected = origin or hint
    is_bool_for_int = expected is int and isinstance(value, bool)
    if isinstance(expected, type) and (is_bool_for_int or not isinstance(value, expected)):
        raise ValueError(f"{where} is {value!r}; expected {getattr(expected, '__name__', expected)}")
    return value
