"""The upscaler's training: its loss in closed form, from recipe to folder, and a run that was interrupted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sorairo.checkpoint import load_tensors
from sorairo.config import load_toml
from sorairo.data.upscaler_pairs import Pair, PairCrops, PairsConfig
from sorairo.models.upscaler import UpscalerConfig
from sorairo.pipelines.finishing import load_upscaler
from sorairo.training.recipe import Schedule, run_recipe
from sorairo.training.upscaler_loop import (
    SOFTNESS,
    UpscalerRecipe,
    UpscalerTrainer,
    train_upscaler,
    upscaling_loss,
)

ROOT = Path(__file__).parents[2]
RECIPE = UpscalerRecipe(
    Schedule(steps=12, decay_steps=4, warmup_steps=2, ema_decay=0.5),
    UpscalerConfig(width=8, num_blocks=1, fine_width=4),
    PairsConfig(2, num_frames=5, num_before=1, sizes=("16x16",), scales=(8,)),
    batch_size=2,
    crop_side=12,
    bfloat16=False,
    minutes_per_checkpoint=9,
    seconds_per_line=0,
)
WRITTEN = """
batch_size = 2
crop_side = 12
seconds_per_line = 0.0
[model]
width = 8
num_blocks = 1
fine_width = 4
[pairs]
num_clips = 2
num_frames = 5
num_before = 1
sizes = ["16x16"]
scales = [8]
[schedule]
steps = 2
decay_steps = 1
"""


def stripes() -> Pair:
    """Sharp stripes that move, and their averages: more than bicubic interpolation can know."""
    columns = np.arange(16 * 8)
    frames = [np.where((columns + 8 * t) // 12 % 2, 220, 40) for t in range(3)]
    large = np.stack(frames)[:, None, :, None].repeat(128, axis=1).repeat(3, axis=3).astype(np.uint8)
    small = large.reshape(3, 16, 8, 16, 8, 3).mean((2, 4)).astype(np.uint8)
    return Pair(np.stack([small, small]), large[-2:])


def trainer(folder: Path, steps: int = 12) -> UpscalerTrainer:
    recipe = replace(RECIPE, schedule=replace(RECIPE.schedule, steps=steps))
    return UpscalerTrainer(recipe, folder, PairCrops([stripes()], 0.5, recipe.batch_size, recipe.crop_side, 0))


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "upscaler.jsonl").read_text().splitlines()]


def test_the_loss_in_closed_form() -> None:
    video = torch.randn(1, 3, 2, 8, 8)
    assert upscaling_loss(video, video, 1, 1).item() == pytest.approx(0, abs=1e-6)
    rounded = (0.3**2 + SOFTNESS**2) ** 0.5 - SOFTNESS
    assert upscaling_loss(video + 0.3, video, 1, 1).item() == pytest.approx(rounded, abs=1e-5)
    flicker = torch.tensor([0.3, -0.3])[:, None, None]
    assert upscaling_loss(video + flicker, video, 1, 0.5).item() == pytest.approx(rounded + 0.5 * 0.6, abs=1e-5)
    slope = 0.3 * torch.arange(8.0)
    steeper = upscaling_loss(video + slope, video, 1, 1) - upscaling_loss(video + slope, video, 0, 1)
    assert steeper.item() == pytest.approx(0.3, abs=1e-5)


def test_training_beats_bicubic_interpolation_and_writes_averaged_weights(tmp_path: Path) -> None:
    training = trainer(tmp_path, 40)
    folder = training.run()
    gains = [line["gain"] for line in lines(tmp_path) if "gain" in line]
    assert gains[0] == pytest.approx(0, abs=1e-4)
    assert gains[-1] > 0.5
    upscaler = load_upscaler(str(folder))
    average = training.state.average.weights["trunk.layers.0.weight"]
    assert torch.equal(upscaler.state_dict()["trunk.layers.0.weight"], average.half().float())
    assert load_tensors(folder / "upscaler.safetensors")[1]["recipe"]["crop_side"] == 12


def test_an_interrupted_training_goes_on_with_the_same_weights(tmp_path: Path) -> None:
    straight = load_tensors(trainer(tmp_path / "straight", 5).run() / "upscaler.safetensors")[0]
    first = trainer(tmp_path / "twice", 5)
    for step in range(2):
        first._step(step, first.crops.draw(step))
    first.state.save(2)
    twice = load_tensors(trainer(tmp_path / "twice", 5).run() / "upscaler.safetensors")[0]
    assert all(torch.equal(straight[name], twice[name]) for name in straight)


def test_from_a_recipe_to_a_folder(tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tiny.toml").write_text(f'autoencoder = "{tiny_model}"\n{WRITTEN}')
    folder = tmp_path / "run"
    run_recipe(UpscalerRecipe, train_upscaler, [str(tmp_path / "tiny.toml"), str(folder)])
    assert capsys.readouterr().out.splitlines()[-1] == str(folder / "sorairo-upscaler")
    assert len(list((folder / "pairs").glob("*.npy"))) == 4
    assert load_upscaler(str(folder / "sorairo-upscaler")).config.width == 8


def test_a_crop_larger_than_a_clip_is_refused() -> None:
    with pytest.raises(ValueError, match="crop_side is 20; the largest that fits every clip is 16"):
        replace(RECIPE, crop_side=20)


def test_the_shipped_recipe_is_whole() -> None:
    recipe = load_toml(UpscalerRecipe, ROOT / "recipes" / "upscaler.toml")
    assert recipe.model == load_upscaler().config
