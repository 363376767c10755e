"""The whole of a training, as a user runs it: killed and repeated, on several processes, from a wrong recipe."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sorairo.checkpoint import load_tensors
from sorairo.config import load_toml
from sorairo.media import claimed
from sorairo.pipelines.bundle import load_bundle
from sorairo.pipelines.cards import find_model, load_config
from sorairo.training.recipe import Recipe
from sorairo.training.run import _check_start, train

WriteRecipe = Callable[..., Path]
ReadLog = Callable[[Path], list[dict[str, Any]]]
LossesOf = Callable[..., dict[int, float]]

STEPS = 20
SMOKE = Path(__file__).parents[2] / "recipes" / "smoke.toml"
UPSCALER = SMOKE.with_name("upscaler.toml")
TRAIN, UPSCALE = ["-m", "sorairo.cli", "train"], ["-m", "sorairo.training.upscaler_loop"]


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("smoke")
    recipe = folder / "smoke.toml"
    recipe.write_text("seconds_per_line = 0.0\n" + SMOKE.read_text())  # every step
    train(recipe, folder)
    return folder


def test_the_smoke_recipe_learns_one_clip_by_heart(smoke: Path, read_log: ReadLog) -> None:
    psnr = [line["psnr"] for line in read_log(smoke / "vae.jsonl") if "psnr" in line]
    assert np.mean(psnr[-10:]) > np.mean(psnr[:10]) + 2
    losses = [line["loss"] for line in read_log(smoke / "dit.jsonl") if "loss" in line]
    assert np.mean(losses[:10]) > 1.5
    assert np.mean(losses[-20:]) < 0.3


def test_a_finished_training_is_a_model(smoke: Path) -> None:
    recipe = load_toml(Recipe, SMOKE)
    bundle = load_bundle(str(smoke / "smoke"))
    assert bundle.config == recipe.model
    assert bundle.card.facts["step"] == recipe.dit.schedule.steps
    assert bundle.card.facts["recipe"]["data"]["num_clips"] == 1
    weights, _ = load_tensors(smoke / "dit.safetensors")
    for name, value in bundle.dit.state_dict().items():
        torch.testing.assert_close(value.float(), weights[name], atol=1e-3, rtol=1e-2)


def test_a_model_is_distilled_by_a_recipe_that_starts_from_it(smoke: Path, tmp_path: Path) -> None:
    jumps = 'name = "quick"\nnum_inference_steps = 2\ndistilled = true'
    text = SMOKE.read_text().replace('name = "smoke"', jumps).replace("steps = 150", "steps = 60")
    recipe = tmp_path / "quick.toml"
    recipe.write_text(f'start = "{smoke / "smoke"}"\n{text}')
    made = load_bundle(str(train(recipe, tmp_path / "run")))
    assert (made.name, made.config.distilled, made.card.facts["recipe"]["start"]) == ("quick", True, "smoke")
    teacher = load_bundle(str(smoke / "smoke"))
    for name, value in made.video_vae.state_dict().items():
        assert torch.equal(value, teacher.video_vae.state_dict()[name])
    assert not torch.equal(made.dit.head.output.weight, teacher.dit.head.output.weight)
    parent = {"name": "smoke", "weights_sha256": teacher.weights_sha256}
    assert made.card.facts["lineage"] == {"parent": parent, "method": "distillation"}
    assert made.card.datasets == ()
    assert not (tmp_path / "run" / "vae.jsonl").exists()


def test_a_finished_training_repeated_changes_nothing(
    reference: Path, write_recipe: WriteRecipe, tmp_path: Path
) -> None:
    def content() -> dict[str, bytes]:
        """All but the board's files and the card, whose preview differs in its last digits."""
        paths = [path for path in reference.rglob("*") if path.is_file() and path.name != "card.json"]
        return {str(path): path.read_bytes() for path in paths if "tensorboard" not in path.parts}

    before = content()
    train(write_recipe(tmp_path), reference)
    assert content() == before


def test_killed_in_the_middle_the_same_command_goes_on_with_the_same_losses(
    reference: Path, write_recipe: WriteRecipe, losses_of: LossesOf, environment: dict[str, str], tmp_path: Path
) -> None:
    recipe, run = write_recipe(tmp_path, more="minutes_per_checkpoint = 0.0\n"), tmp_path / "killed"
    command = [sys.executable, *TRAIN, str(recipe), "--out", str(run)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    log, deadline = run / "dit.jsonl", time.monotonic() + 150
    while not (log.exists() and log.read_text().count("\n") >= 5):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert 5 <= len(losses_of(run)) < STEPS
    assert list((run / "dit").glob("step-*"))

    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    assert losses_of(run) == losses_of(reference)
    for name in ("dit.safetensors", "tiny/config.json", "tiny/dit.safetensors", "tiny/video_vae.safetensors"):
        assert (run / name).read_bytes() == (reference / name).read_bytes()


def torchrun(number: int, recipe: Path, run: Path, environment: dict[str, str]) -> str:
    """Runs it, and returns what it says beside its progress."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(number)]
    command = [*launcher, *TRAIN, str(recipe), "--out", str(run)]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.run(command, env=environment, check=True, text=True, **pipes).stderr


def test_two_processes_have_the_losses_of_one_and_go_on_from_each_others_checkpoints(
    reference: Path, write_recipe: WriteRecipe, losses_of: LossesOf, environment: dict[str, str], tmp_path: Path
) -> None:
    expected, run = losses_of(reference), tmp_path / "run"
    assert "Warning" not in torchrun(2, write_recipe(tmp_path, steps=4), run, environment)
    assert losses_of(run) == pytest.approx({step: expected[step] for step in range(1, 5)}, abs=1e-5)
    train(write_recipe(tmp_path, steps=7), run)
    torchrun(2, write_recipe(tmp_path, steps=10), run, environment)
    assert losses_of(run) == pytest.approx({step: expected[step] for step in range(1, 11)}, abs=1e-5)


def test_a_run_with_an_autoencoder_brought_along_samples_and_a_wish_for_discretion(
    prepared: Path, write_recipe: WriteRecipe, tmp_path: Path
) -> None:
    """The autoencoder is not trained again, samples are drawn, and where footage lay is nobody's business."""
    more = f'minutes_per_sample = 0.0\nsample_prompts = ["a red ball"]\nfootage = "{tmp_path}/home/films"\n'
    target = train(write_recipe(tmp_path, 2, more), prepared)
    assert not (prepared / "vae").exists()
    drawn = sorted(path.name for path in (prepared / "samples").iterdir())
    assert drawn == ["step-00000001.png", "step-00000002.png"]
    card = (target / "card.json").read_text()
    assert json.loads(card)["facts"]["recipe"]["footage"] == "films"
    assert str(tmp_path) not in card + (target / "config.json").read_text()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("step = 3\n", r"tiny\.toml: unknown key 'step'"),
        ('footage = "/nowhere/at/all"\n', "footage is '/nowhere/at/all'; there is no such folder"),
        ('start = "sorairo-bass"\n', "model is 'sorairo-bass'"),
        ('start = "sorairo-base"\n', r"latent_channels is 4; that of the start 'sorairo-base' is 32"),
    ],
)
def test_a_wrong_recipe_fails_before_anything_is_made(
    write_recipe: WriteRecipe, tmp_path: Path, more: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        train(write_recipe(tmp_path, 1, more), tmp_path / "run")
    assert not (tmp_path / "run").exists() or not any((tmp_path / "run").iterdir())


def test_a_start_may_have_larger_patches_but_no_other_sizes(tiny_model: Path) -> None:
    recipe = Recipe(load_config(tiny_model), start=str(tiny_model))
    finer = replace(recipe.model, dit=replace(recipe.model.dit, patch=1))
    _check_start(replace(recipe, model=finer))
    for wrong, message in (({"patch": 4}, "patch is 4; .* is 2"), ({"depth": 4}, "depth is 4; .* is 2")):
        with pytest.raises(ValueError, match=rf"model\.dit\.{message}"):
            _check_start(replace(recipe, model=replace(recipe.model, dit=replace(recipe.model.dit, **wrong))))


def test_a_second_run_in_the_same_folder_is_refused(
    write_recipe: WriteRecipe, tmp_path: Path, environment: dict[str, str]
) -> None:
    """The first one is killed: nothing of its claim is left."""
    run, recipe = tmp_path / "run", write_recipe(tmp_path, 1)
    holding = "import sys, time; from pathlib import Path; from sorairo.media import claimed\n"
    holding += "with claimed(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    first = subprocess.Popen([sys.executable, "-c", holding, str(run)], env=environment, stdout=subprocess.PIPE)
    assert first.stdout
    assert first.stdout.readline() == b"held\n"
    for command in ([*TRAIN, str(recipe), "--out", str(run)], [*UPSCALE, str(UPSCALER), str(run)]):
        second = subprocess.run(
            [sys.executable, *command], env=environment, capture_output=True, text=True, check=False
        )
        (line,) = second.stderr.splitlines()
        assert line.endswith(f"out is {run}; another run is at work in it: wait, or take {run}-2")
        assert second.returncode == 2
    first.kill()
    assert first.communicate() == (b"", None)
    with claimed(run):
        assert not list(run.iterdir())


def test_another_recipes_folder_is_refused(prepared: Path, write_recipe: WriteRecipe, tmp_path: Path) -> None:
    path = write_recipe(tmp_path, 1)
    path.write_text(path.read_text().replace('"48x32"', '"32x32"'))
    with pytest.raises(ValueError, match="give each recipe its own folder"):
        train(path, prepared)
    path.write_text(path.read_text().replace("latent_channels = 4", "latent_channels = 8"))
    with pytest.raises(ValueError, match=r"video_vae\.safetensors does not fit"):
        train(path, prepared)


def test_the_recipe_of_the_distilled_model_makes_one_of_its_form() -> None:
    assert load_toml(Recipe, SMOKE.with_name("turbo.toml")).model == load_config(find_model("sorairo-turbo"))


def test_the_built_in_model_has_grown_from_what_its_recipe_makes() -> None:
    made, shipped = load_toml(Recipe, SMOKE.with_name("cpu.toml")).model, load_config(find_model("sorairo-base"))
    assert shipped.dit.depth > made.dit.depth
    grown = replace(made, dit=replace(made.dit, depth=shipped.dit.depth), guidance_scale=shipped.guidance_scale)
    assert grown == shipped
