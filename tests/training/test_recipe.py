"""Recipes: strict, whole, and every one in the folder can be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sorairo.config import DiTConfig, ModelConfig, VideoVAEConfig
from sorairo.data.world_frames import WorldDataConfig
from sorairo.training.recipe import Recipe, Schedule, VAETraining, read_recipe

FOLDER = Path(__file__).parents[2] / "recipes"
OTHERS = {"upscaler", "captioner"}  # are no text-to-video models
RECIPES = sorted(path for path in FOLDER.glob("*.toml") if path.stem not in OTHERS)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_can_be_read(path: Path) -> None:
    recipe = read_recipe(path)
    assert recipe.dit.schedule.steps > recipe.dit.schedule.decay_steps > 0
    assert recipe.footage == "", "a recipe of ours must not need what nobody else has"


def test_the_recipes_of_the_documentation_exist() -> None:
    assert {path.stem for path in RECIPES} >= {"smoke", "cpu", "gpu"}


def test_a_mistake_names_file_and_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[dit.schedule]\nstep = 3")
    with pytest.raises(ValueError, match=r"mine\.toml\.dit\.schedule: unknown key 'step'; .* 'steps'"):
        read_recipe(path)


def test_steps_must_be_told_where_a_schedule_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[dit.schedule]\nwarmup_steps = 3")
    with pytest.raises(ValueError, match=r"mine\.toml\.dit\.schedule: 'steps' is missing"):
        read_recipe(path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"model": ModelConfig(dit=DiTConfig(latent_channels=8))}, "latent_channels is 8; the autoencoder's .* is 32"),
        ({"data": WorldDataConfig(num_frames=9)}, "crop_frames is 17; the longest possible is 9"),
        ({"data": WorldDataConfig(sizes=("160x96", "48x96"))}, "crop_side is 64; the largest that fits .* is 48"),
        ({"video_vae": VAETraining(crop_frames=16)}, "num_frames is 16; it must be 1 \\+ 4k"),
        ({"video_vae": VAETraining(frozen_encoder=True)}, "frozen_encoder is true without a start"),
        ({"video_vae": VAETraining(crop_side=60)}, "60; it must be a multiple of 16"),
        ({"video_vae": VAETraining(batch_size=0)}, "video_vae.batch_size is 0; the nearest possible is 1"),
        ({"workers": 0}, "workers is 0; the nearest possible is 1"),
        ({"seed": -1}, "seed is -1; the nearest possible is 0"),
        ({"model": ModelConfig(name="")}, "model.name is ''; it names a new folder inside the training's"),
        ({"model": ModelConfig(name="my/model")}, "model.name is 'my/model'; it names"),
        ({"model": ModelConfig(name="vae")}, "model.name is 'vae'; it names"),
        ({"sample_prompts": ("a ball", "")}, "prompt is empty"),
    ],
)
def test_parts_that_do_not_fit_each_other(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe(**wrong)  # type: ignore[arg-type]


def test_a_recipe_for_another_autoencoder_can_be_made() -> None:
    model = ModelConfig("x", VideoVAEConfig(latent_channels=16), DiTConfig(latent_channels=16))
    assert replace(Recipe(), model=model).model is model


def test_the_schedule_in_closed_form() -> None:
    schedule = Schedule(steps=100, decay_steps=20, warmup_steps=10)
    assert schedule.factor(0) == pytest.approx(0.1)
    assert schedule.factor(4) == pytest.approx(0.5)
    assert {schedule.factor(step) for step in range(9, 81)} == {1.0}
    assert schedule.factor(90) == pytest.approx(0.5)
    assert schedule.factor(99) == pytest.approx(0.05)
    assert schedule.factor(100) == schedule.factor(1000) == 0


def test_the_schedule_without_warm_up_and_decay() -> None:
    schedule = Schedule(steps=5, decay_steps=0, warmup_steps=0)
    assert [schedule.factor(step) for step in range(5)] == [1, 1, 1, 1, 1]


def test_a_longer_schedule_begins_the_same() -> None:
    short, long = Schedule(steps=100, decay_steps=20), Schedule(steps=500, decay_steps=100)
    assert [short.factor(step) for step in range(80)] == [long.factor(step) for step in range(80)]
