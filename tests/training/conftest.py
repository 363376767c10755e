"""The smallest recipe that goes through every stage, and what it prepares, made once."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import sorairo
from sorairo.config import load_toml
from sorairo.data.latent_dataset import LatentDataset
from sorairo.training.recipe import Recipe
from sorairo.training.run import train

RECIPE = """
workers = 1
bfloat16 = false
seconds_per_line = 0.0

[model]
name = "tiny"
[model.video_vae]
latent_channels = 4
encoder_widths = [8, 8, 16]
decoder_widths = [8, 8, 16]
decoder_blocks = 1
[model.dit]
depth = 2
latent_channels = 4

[data]
num_clips = 2
num_frames = 5
sizes = ["48x32"]

[video_vae]
num_clips = 2
batch_size = 2
crop_frames = 5
crop_side = 32
[video_vae.schedule]
steps = 3
decay_steps = 1

[dit.schedule]
steps = STEPS
decay_steps = 1
warmup_steps = 3
[dit.draw]
tokens_per_batch = 60
"""
STEPS = 20

WriteRecipe = Callable[..., Path]
ReadLog = Callable[[Path], list[dict[str, Any]]]
LossesOf = Callable[..., dict[int, float]]


def _write_recipe(folder: Path, steps: int = STEPS, more: str = "") -> Path:
    path = folder / "tiny.toml"
    path.write_text(more + RECIPE.replace("STEPS", str(steps)))
    return path


def _read_log(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _losses_of(folder: Path, name: str = "dit") -> dict[int, float]:
    lines = _read_log(folder / f"{name}.jsonl")
    return {line["step"]: line.get("loss", line.get("picture_loss")) for line in lines}


@pytest.fixture(scope="session")
def write_recipe() -> WriteRecipe:
    """Writes the recipe for ``steps`` steps of the transformer into a folder, with ``more`` settings in front."""
    return _write_recipe


@pytest.fixture(scope="session")
def read_log() -> ReadLog:
    """Reads a log's lines."""
    return _read_log


@pytest.fixture(scope="session")
def losses_of() -> LossesOf:
    """Reads the loss of every logged step of a run, of clips and of pictures; steps count from 1."""
    return _losses_of


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an uninterrupted run of one process."""
    folder = tmp_path_factory.mktemp("reference")
    train(_write_recipe(folder), folder / "run")
    return folder / "run"


@pytest.fixture
def prepared(reference: Path, tmp_path: Path) -> Path:
    """The folder of a run whose transformer is not trained yet."""
    folder = tmp_path / "run"
    for part in ("frames", "latents"):
        shutil.copytree(reference / part, folder / part)
    shutil.copy(reference / "video_vae.safetensors", folder)
    return folder


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return load_toml(Recipe, _write_recipe(tmp_path_factory.mktemp("recipe")))


@pytest.fixture(scope="session")
def dataset(reference: Path, recipe: Recipe) -> LatentDataset:
    return LatentDataset(sorted((reference / "latents").iterdir()), torch.zeros(2, 384), recipe.dit.draw, recipe.seed)


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """For processes that tests start: they find this very package, and keep to one thread."""
    source = str(Path(sorairo.__file__).parents[1])
    return os.environ | {"PYTHONPATH": source, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
