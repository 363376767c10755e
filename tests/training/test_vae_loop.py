"""The autoencoder's training: crops by step, losses in closed form, statistics, and a run that was interrupted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sorairo.checkpoint import load_into, load_tensors
from sorairo.data.world_frames import read_frames
from sorairo.models.video_vae import VideoVAE, to_video
from sorairo.pipelines.cards import load_config
from sorairo.training.recipe import Recipe, Schedule, VAETraining
from sorairo.training.vae_loop import Crops, VAETrainer, gradient_error, latent_statistics, structural_error
from sorairo.world.tracer import Pixels

ReadLog = Callable[[Path], list[dict[str, Any]]]
CONFIG = VAETraining(batch_size=3, crop_frames=5, crop_side=32, footage_share=0.5)


def numbered(frames: int, height: int, width: int) -> Pixels:
    """A clip whose pixels tell where they are: frame, row, column."""
    return np.stack(np.meshgrid(range(frames), range(height), range(width), indexing="ij"), axis=-1).astype(np.uint8)


def places(video: torch.Tensor) -> torch.Tensor:
    """Frame, row and column of every pixel of videos of numbered clips: [b 3 t h w]."""
    return ((video + 1) * 127.5).round().long()


@pytest.fixture(scope="module")
def world(reference: Path, recipe: Recipe) -> list[Pixels]:
    return [read_frames(recipe.data, reference / "frames", seed) for seed in recipe.data.seeds()]


def test_crops_are_a_pure_function_of_the_step() -> None:
    one, other = (Crops([numbered(9, 40, 50)], [], CONFIG, seed=3) for _ in range(2))
    for step in (5, 0, 5):
        assert torch.equal(one.draw(step), other.draw(step))
    assert not torch.equal(one.draw(0), one.draw(1))
    assert not torch.equal(one.draw(0), replace(one, seed=4).draw(0))


def test_a_crop_is_a_piece_of_a_clip_or_of_its_mirror_image() -> None:
    crops, seen = Crops([numbered(9, 40, 50)], [], CONFIG, seed=0), []
    for step in range(10):
        video = crops.draw(step)
        assert video.shape == (3, 3, 5, 32, 32)
        frame, row, column = places(video).unbind(1)
        assert (frame.diff(dim=1) == 1).all()
        assert (row.diff(dim=2) == 1).all()
        steps = column.diff(dim=3).flatten(1)
        assert ((steps == 1).all(1) | (steps == -1).all(1)).all()
        seen += steps[:, 0].tolist()
    assert set(seen) == {-1, 1}


def test_over_a_picture_the_camera_glides() -> None:
    photograph = numbered(1, 60, 70)
    crops, moves = Crops([numbered(9, 40, 50)], [photograph], replace(CONFIG, footage_share=1), seed=0), set()
    for step in range(10):
        _, row, column = places(crops.draw(step)).unbind(1)
        for corner in (row[:, :, 0, 0], column[:, :, 0, 0]):
            assert corner.min() >= 0
            moves |= set(corner.diff(dim=1).unique().tolist())
    assert moves <= {-2, -1, 0, 1, 2}
    assert len(moves) > 2


def test_footage_takes_its_share() -> None:
    black, white = np.zeros((9, 32, 32, 3), np.uint8), np.full((9, 32, 32, 3), 255, np.uint8)
    crops = Crops([black], [white], replace(CONFIG, footage_share=0.25), seed=0)
    white_share = torch.cat([crops.draw(step) for step in range(100)]).mean((1, 2, 3, 4)).gt(0).float().mean()
    assert white_share.item() == pytest.approx(0.25, abs=0.08)
    assert (Crops([black], [], CONFIG, seed=0).draw(0) == -1).all()


def test_gradient_error_in_closed_form() -> None:
    video = torch.randn(1, 3, 2, 4, 4)
    assert gradient_error(video, video) == 0
    assert gradient_error(video + 0.3, video).item() == pytest.approx(0, abs=1e-6)
    slope = torch.arange(4.0)[:, None] * 0.5 + torch.arange(4.0) * 0.25
    assert gradient_error(video + slope, video).item() == pytest.approx(0.75, abs=1e-5)


def test_structural_error_in_closed_form() -> None:
    video = torch.rand(2, 3, 2, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert structural_error(video, video).item() == pytest.approx(0, abs=1e-5)
    grey, white = torch.zeros(1, 3, 1, 8, 8), torch.ones(1, 3, 1, 8, 8)
    lightness = (2 * 1 * 2 + 4e-4) / (1 + 4 + 4e-4)  # of 1 and 2 above black
    assert structural_error(grey, white).item() == pytest.approx(1 - lightness, abs=1e-5)
    pattern = (-1.0) ** torch.arange(8)[:, None] * (-1.0) ** torch.arange(8) * 0.5
    variance = 0.25 * (1 - 1 / 49**2)  # a window of 49 holds one more of either sign
    opposite = (2 * -variance + 36e-4) / (2 * variance + 36e-4)
    unlike = structural_error(pattern.expand(1, 3, 1, 8, 8), -pattern.expand(1, 3, 1, 8, 8)).item()
    assert unlike == pytest.approx(1 - opposite, abs=2e-3)


def test_statistics_are_over_all_clips_together(recipe: Recipe, world: list[Pixels]) -> None:
    torch.manual_seed(0)
    vae = VideoVAE(recipe.model.video_vae).eval()
    vae.set_statistics(*latent_statistics(vae, world))
    latents = torch.cat([vae.encode(to_video(clip)) for clip in world])
    assert latents.mean((0, 2, 3, 4)).abs().max() < 1e-3
    assert (latents.std((0, 2, 3, 4)) - 1).abs().max() < 1e-3


def test_training_lowers_the_loss_and_writes_averaged_weights_with_statistics(
    recipe: Recipe, world: list[Pixels], tmp_path: Path, read_log: ReadLog
) -> None:
    schedule = Schedule(steps=25, decay_steps=5, warmup_steps=3, ema_decay=0.5)
    recipe = replace(recipe, video_vae=replace(recipe.video_vae, schedule=schedule), minutes_per_checkpoint=9)
    trainer = VAETrainer(recipe, tmp_path, Crops(world, [], recipe.video_vae, 0))
    path = trainer.run()
    losses = [line["loss"] for line in read_log(tmp_path / "vae.jsonl") if "loss" in line]
    assert np.mean(losses[-4:]) < 0.9 * np.mean(losses[:2])
    vae = VideoVAE(recipe.model.video_vae)
    assert load_into(vae, path) == {"steps": 25}
    assert torch.equal(vae.encoder.layers[0].weight, trainer.state.average.weights["encoder.layers.0.weight"])
    assert not torch.equal(vae.latent_std, torch.ones(4))


def test_an_interrupted_training_goes_on_with_the_same_weights(
    recipe: Recipe, world: list[Pixels], tmp_path: Path
) -> None:
    def train(folder: Path, steps: int) -> Path:
        schedule = Schedule(steps=steps, decay_steps=1, warmup_steps=2)
        changed = replace(recipe, video_vae=replace(recipe.video_vae, schedule=schedule), minutes_per_checkpoint=9)
        return VAETrainer(changed, folder, Crops(world, [], changed.video_vae, 0)).run()

    straight = load_tensors(train(tmp_path / "straight", 5))[0]
    train(tmp_path / "twice", 2)
    twice = load_tensors(train(tmp_path / "twice", 5))[0]
    assert all(torch.equal(straight[name], twice[name]) for name in straight)


def test_with_a_frozen_encoder_only_decoding_changes(
    recipe: Recipe, world: list[Pixels], tiny_model: Path, tmp_path: Path
) -> None:
    config = load_config(tiny_model)
    frozen = replace(recipe.video_vae, frozen_encoder=True, structure_weight=0.3)
    start = replace(recipe, model=config, start=str(tiny_model), video_vae=frozen)
    path = VAETrainer(start, tmp_path, Crops(world, [], frozen, seed=0)).run()
    before, after = (load_tensors(file)[0] for file in (tiny_model / "video_vae.safetensors", path))
    changed = {name for name, value in after.items() if not torch.equal(value, before[name].float())}
    assert changed == {name for name in after if name.startswith("decoder.")}


def test_averaged_latents_are_trained_too(
    recipe: Recipe, world: list[Pixels], tmp_path: Path, read_log: ReadLog
) -> None:
    """A step on averaged latents decodes to half the size; its error is not that of whole pictures, so none is told."""
    changed = replace(recipe, video_vae=replace(recipe.video_vae, coarse_share=1.0), minutes_per_checkpoint=9)
    VAETrainer(changed, tmp_path, Crops(world, [], changed.video_vae, 0)).run()
    lines = read_log(tmp_path / "vae.jsonl")
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert all("psnr" not in line and line["samples_per_second"] > 0 for line in lines)
