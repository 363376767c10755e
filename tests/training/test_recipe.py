"""Recipes: strict, whole, and every one in the folder can be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sorairo.config import DiTConfig, ModelConfig, VideoVAEConfig, load, load_toml
from sorairo.data.latent_dataset import DrawConfig
from sorairo.data.world_frames import WorldDataConfig
from sorairo.training.captioner_loop import CaptionerRecipe
from sorairo.training.recipe import DiTTraining, Recipe, Schedule, VAETraining
from sorairo.training.upscaler_loop import UpscalerRecipe

FOLDER = Path(__file__).parents[2] / "recipes"
OTHERS = {"upscaler", "captioner"}  # are no text-to-video models
ONE_FRAME, ONE_CROP = WorldDataConfig(num_frames=1), VAETraining(crop_frames=1)
NO_PICTURES = DiTTraining(draw=DrawConfig(picture_share=0.0))
RECIPES = sorted(path for path in FOLDER.glob("*.toml") if path.stem not in OTHERS)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_can_be_read(path: Path) -> None:
    recipe = load_toml(Recipe, path)
    assert recipe.dit.schedule.steps > recipe.dit.schedule.decay_steps > 0
    assert recipe.footage == "", "a recipe of ours must not need what nobody else has"


def test_the_recipes_of_the_documentation_exist() -> None:
    assert {path.stem for path in RECIPES} >= {"smoke", "cpu", "gpu"}


def test_a_mistake_names_file_and_key(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[dit.schedule]\nstep = 3")
    with pytest.raises(ValueError, match=r"mine\.toml\.dit\.schedule: unknown key 'step'; .* 'steps'"):
        load_toml(Recipe, path)


def test_steps_must_be_told_where_a_schedule_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[dit.schedule]\nwarmup_steps = 3")
    with pytest.raises(ValueError, match=r"mine\.toml\.dit\.schedule: 'steps' is missing"):
        load_toml(Recipe, path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"model": ModelConfig(dit=DiTConfig(latent_channels=8))}, "latent_channels is 8; the autoencoder's .* is 32"),
        ({"data": WorldDataConfig(num_frames=9)}, "crop_frames is 17; the longest possible is 9"),
        ({"data": WorldDataConfig(sizes=("160x96", "48x96"))}, "crop_side is 64; the largest that fits .* is 48"),
        ({"video_vae": VAETraining(crop_frames=16)}, "num_frames is 16; it must be 1 \\+ 4k"),
        ({"video_vae": VAETraining(frozen_encoder=True)}, "frozen_encoder is true without a start"),
        ({"video_vae": VAETraining(crop_side=60)}, "60; it must be a multiple of 16"),
        ({"video_vae": VAETraining(crop_side=48)}, "crop_side is 48; with a coarse_share it must be a multiple of 32"),
        ({"video_vae": VAETraining(crop_frames=1, structure_weight=0.5)}, "crop_frames is 1; with a structure_weight"),
        ({"data": ONE_FRAME, "video_vae": ONE_CROP, "dit": NO_PICTURES}, "picture_share is 0, but data.num_frames 1"),
        ({"data": ONE_FRAME, "video_vae": ONE_CROP, "sample_prompts": ("a red ball",)}, "seconds is 0"),
        ({"model": ModelConfig(name="")}, "model.name is ''; it names a new folder inside the training's"),
        ({"model": ModelConfig(name="my/model")}, "model.name is 'my/model'; it names"),
        ({"model": ModelConfig(name="vae")}, "model.name is 'vae'; it names"),
        ({"model": ModelConfig(name="dit.jsonl")}, "model.name is 'dit.jsonl'; it names"),
        ({"model": ModelConfig(name="a\0b")}, "model.name is .*; it names"),
        ({"sample_prompts": ("a ball", "")}, "prompt is empty"),
    ],
)
def test_parts_that_do_not_fit_each_other(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "field", "value", "message"),
    [
        (Recipe, "dit.draw.picture_share", 1.5, "is 1.5; the nearest possible is 1"),
        (Recipe, "dit.draw.late_share", -0.1, "is -0.1; the nearest possible is 0"),
        (Recipe, "video_vae.footage_share", 2, "is 2.0; the nearest possible is 1"),
        (Recipe, "video_vae.batch_size", 0, "is 0; the nearest possible is 1"),
        (Recipe, "video_vae.kl_weight", -1.0, "is -1.0; the nearest possible is 0"),
        (Recipe, "dit.level_shift", 0.0, "is 0.0; the nearest possible is 1e-09"),
        (Recipe, "dit.maps.region", -1.0, "is -1.0; the nearest possible is 0"),
        (Recipe, "minutes_per_checkpoint", float("nan"), "is nan; the nearest possible is 0"),
        (Recipe, "workers", 0, "is 0; the nearest possible is 1"),
        (Recipe, "seed", -1, "is -1; the nearest possible is 0"),
        (CaptionerRecipe, "num_prompts", 0, "is 0; the nearest possible is 1"),
        (CaptionerRecipe, "model.num_heads", 0, "is 0; the nearest possible is 1"),
        (CaptionerRecipe, "model.num_looks", [3, 4, 5], "is .3, 4, 5.; expected 2 values"),
        (CaptionerRecipe, "model.num_looks", [3, 4], r"is \(3, 4\); the world has \(11, 10\)"),
        (CaptionerRecipe, "data.num_frames", 65, "is 65; the longest possible is 61"),
        (UpscalerRecipe, "pairs.num_before", -1, "is -1; the nearest possible is 0"),
        (UpscalerRecipe, "pairs.clean_share", 1.1, "is 1.1; the nearest possible is 1"),
        (UpscalerRecipe, "pairs.scales", [8, 9], r"is \(8, 9\) and .* scales are of \(8, 12\)"),
        (UpscalerRecipe, "pairs.rates", [], r" \(\); each needs one at least"),
        (UpscalerRecipe, "model.width", 0, "is 0; the nearest possible is 1"),
    ],
)
def test_a_number_that_would_fail_later(kind: type[object], field: str, value: object, message: str) -> None:
    *tables, key = field.split(".")
    data: dict[str, object] = {key: value}
    for table in reversed(tables):
        data = {table: data}
    with pytest.raises(ValueError, match=rf"{key}.* {message.strip()}") as error:
        load(kind, data, "mine.toml")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value", "nearest"),
    [
        ("steps", 0, "1"), ("decay_steps", -1, "0"), ("warmup_steps", -1, "0"), ("ema_decay", 1.5, "1"),
        ("muon_learning_rate", 0.0, "1e-09"), ("adamw_learning_rate", -1.0, "1e-09"), ("weight_decay", -0.1, "0"),
    ],
)  # fmt: skip
def test_an_impossible_schedule(name: str, value: float, nearest: str) -> None:
    with pytest.raises(ValueError, match=rf"^mine\.{name} is {value}; the nearest possible is {nearest}$"):
        load(Schedule, {"steps": 5, "decay_steps": 1, name: value}, "mine")


def test_a_mixture_of_no_maps() -> None:
    names = ("one_level", "level_per_frame", "first_known", "last_known", "ends_known", "some_known", "region")
    with pytest.raises(ValueError, match=r"every share of dit\.maps is 0"):
        load(DiTTraining, {"maps": dict.fromkeys(names, 0)})


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
