"""Finding models on disk and reading what they say of themselves. Never loads a weight; imports no torch."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import sorairo
from sorairo.config import ModelConfig, load, nearest_name

SettingsT = TypeVar("SettingsT")

CONFIG_FILE, CARD_FILE = "config.json", "card.json"
VAE_FILE, DIT_FILE = "video_vae.safetensors", "dit.safetensors"
WEIGHT_FILES = (DIT_FILE, VAE_FILE)


@dataclass(frozen=True)
class ModelCard:
    """What a model is, for people and programs.

    vocabulary: the words it was trained on. preview_weight [c 3] and preview_bias [3]: the linear map from latents to
    colours in [-1, 1]. facts: whatever its training recorded.
    """

    summary: str = ""
    licence: str = ""
    vocabulary: tuple[str, ...] = ()
    preview_weight: tuple[tuple[float, ...], ...] = ()
    preview_bias: tuple[float, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Name and SHA-256 of the card of every data set of footage that it descends from, the latest first."""
        found, lineage = [], self.facts.get("lineage")
        while isinstance(lineage, dict):
            if "dataset" in lineage:
                found.append(f"{lineage['dataset']['name']} {lineage['dataset']['card_sha256']}")
            lineage = lineage["parent"].get("lineage")
        return tuple(found)


def weight_roots() -> list[Path]:
    """Folders that hold the built-in models: inside an installed package, or at the repository's root."""
    package = Path(sorairo.__file__).resolve().parent
    return [package / "weights", package.parents[1] / "weights"]


def list_models() -> dict[str, Path]:
    """Folders of the built-in models by name."""
    return _installed(CONFIG_FILE)


def find_part(kind: str, name_or_path: str, settings_file: str) -> Path:
    """The folder of a built-in upscaler or captioner (``kind``), or of one given as a path.

    Raises:
        ValueError: no such folder, with the nearest name.
    """
    found = _installed(settings_file)
    folder = found.get(name_or_path, Path(name_or_path))
    if not folder.is_dir():
        nearest = nearest_name(name_or_path, [*found])
        raise ValueError(f"{kind} is {name_or_path!r}; the nearest installed {kind} is {nearest!r}")
    return folder


def find_model(name_or_path: str) -> Path:
    """The folder of a built-in model, or of one given as a path.

    Raises:
        ValueError: no such model, with the nearest name; or a folder without a model in it.
    """
    models = list_models()
    folder = models.get(name_or_path, Path(name_or_path))
    if folder.is_dir():
        return folder
    if os.sep in name_or_path:
        raise ValueError(f"model is {name_or_path}; there is no such folder")
    if not models:
        raise ValueError(f"model is {name_or_path!r}; no model is installed: train one, or give the folder of one")
    raise ValueError(
        f"model is {name_or_path!r}; the nearest installed model is {nearest_name(name_or_path, [*models])!r}"
    )


def load_config(folder: Path) -> ModelConfig:
    """Raises ValueError of one line for a file that is missing, broken or of another kind."""
    return load_json(ModelConfig, folder / CONFIG_FILE)


def load_card(folder: Path) -> ModelCard:
    """Raises ValueError of one line for a file that is missing, broken or of another kind."""
    return load_json(ModelCard, folder / CARD_FILE)


def _installed(file: str) -> dict[str, Path]:
    """Built-in folders that hold such a file, by name."""
    return dict(sorted((path.parent.name, path.parent) for root in weight_roots() for path in root.glob(f"*/{file}")))


def load_json(cls: type[SettingsT], path: Path) -> SettingsT:
    """What a file of a model's folder says, as ``cls``. Raises ValueError of one line that names the file."""
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ValueError(f"{path.parent} is not a whole model: {path.name} is missing") from error
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path} holds a JSON {type(data).__name__}, not an object")
    return load(cls, data, str(path))
