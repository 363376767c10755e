"""Trains the video autoencoder on crops of frames: absolute, squared and gradient error, and a little divergence.

Part of the time the latents are averaged over 2x2 squares and must decode to the averaged picture, which keeps fine
noise out of them and makes them easier to generate (Kouzelis et al. 2025, EQ-VAE, section 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from sorairo.checkpoint import load_into, save_tensors
from sorairo.models.precision import autocast
from sorairo.models.video_vae import VideoVAE, to_video
from sorairo.pipelines.cards import VAE_FILE, find_model
from sorairo.training.journal import Noted
from sorairo.training.optimizers import Optimizers
from sorairo.training.parallel import CPU, Workers
from sorairo.training.recipe import Recipe, VAETraining
from sorairo.training.state import TrainingState
from sorairo.world.tracer import Pixels

CLIPS_FOR_STATISTICS = 64
SOME_FRAMES = 3  # structure is compared in one frame of so many, or it would take a third of a step
C1, C2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2  # of structural similarity, for values two apart at most


@dataclass(frozen=True)
class Crops:
    """Draws crops from world clips and from footage; each is a list of arrays uint8 [t h w 3] of any size."""

    world: Sequence[Pixels]
    footage: Sequence[Pixels]
    config: VAETraining
    seed: int

    def draw(self, step: int) -> Tensor:
        """Videos [b 3 t h w] in [-1, 1]: a pure function of the step."""
        rng = np.random.default_rng([self.seed, step])
        return torch.cat([to_video(self._crop(rng)) for _ in range(self.config.batch_size)])

    def _crop(self, rng: np.random.Generator) -> Pixels:
        real = len(self.footage) > 0 and rng.random() < self.config.footage_share
        source = self.footage if real else self.world
        clip = source[int(rng.integers(len(source)))]
        side, frames = self.config.crop_side, self.config.crop_frames
        top, left = (int(rng.integers(length - side + 1)) for length in clip.shape[1:3])
        if len(clip) < frames:  # a photograph: the camera glides over it
            return _glide(clip[0], frames, side, rng)
        start = int(rng.integers(len(clip) - frames + 1))
        crop = clip[start : start + frames, top : top + side, left : left + side]
        return crop[:, :, ::-1] if rng.random() < 0.5 else crop


def _glide(picture: Pixels, frames: int, side: int, rng: np.random.Generator) -> Pixels:
    """A moving window [frames side side 3] over a still picture, at most two pixels a frame."""
    room = np.array(picture.shape[:2]) - side
    speed = rng.integers(-2, 3, size=2)
    path = (np.arange(frames) - frames // 2)[:, None] * speed + rng.integers(room + 1)
    return np.stack([picture[y : y + side, x : x + side] for y, x in path.clip(0, room)])


class VAETrainer:
    """Everything one training of an autoencoder holds. One process does it, on ``device``."""

    def __init__(self, recipe: Recipe, folder: Path, crops: Crops, device: torch.device = CPU) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.config, self.folder, self.crops = recipe, recipe.video_vae, folder, crops
        self.device, self.schedule = device, recipe.video_vae.schedule
        self.model = VideoVAE(recipe.model.video_vae).to(device)
        if recipe.start:
            load_into(self.model, find_model(recipe.start) / VAE_FILE)
        self.model.encoder.requires_grad_(not self.config.frozen_encoder)
        last = f"decoder.layers.{len(self.model.decoder.layers) - 1}"
        optimizers = Optimizers(self.model, self.schedule, (last,), recipe.bfloat16)
        self.state = TrainingState.begun(folder / "vae", self.model, optimizers, Workers(device=device))

    def run(self) -> Path:
        """Trains up to the recipe's last step and returns the path of the averaged weights, statistics included."""
        self.state.run(self.crops.draw, self._step, self.recipe)
        if not self.config.frozen_encoder:
            self.model.set_statistics(*latent_statistics(self.model, self.crops.world[:CLIPS_FOR_STATISTICS]))
        path = self.folder / "video_vae.safetensors"
        save_tensors(path, self.model.state_dict(), {"steps": self.schedule.steps})
        return path

    def _step(self, step: int, video: Tensor) -> Noted:
        """Changes the weights; of steps on averaged latents only the time is noted."""
        generator = torch.Generator(self.device).manual_seed(self.recipe.seed * 1_000_003 + step)
        coarse = torch.rand((), generator=generator, device=self.device).item() < self.config.coarse_share
        with autocast(self.device, self.recipe.bfloat16):
            posterior = self.model.posterior(video)
            latents = posterior.sample(generator)
            if coarse:
                latents, video = (F.avg_pool3d(tensor, (1, 2, 2)) for tensor in (latents, video))
            made = self.model.reconstruct(latents).float()
        square, divergence = (made - video).square().mean(), posterior.kl()
        loss = (made - video).abs().mean() + self.config.gradient_weight * gradient_error(made, video)
        loss = loss + self.config.square_weight * square + self.config.kl_weight * divergence
        if self.config.structure_weight:
            some = slice(step % SOME_FRAMES, None, SOME_FRAMES)
            loss = loss + self.config.structure_weight * structural_error(made[:, :, some], video[:, :, some])
        loss.backward()  # type: ignore[no-untyped-call]
        self.state.update(step)
        psnr = 10 * torch.log10(4 / square)
        numbers = {} if coarse else {"loss": loss, "psnr": psnr, "kl": divergence}
        return Noted(len(video), {name: value.detach() for name, value in numbers.items()})


def gradient_error(made: Tensor, video: Tensor) -> Tensor:
    """Mean absolute error of the differences between neighbours, across and down: it keeps edges sharp."""
    difference = made - video
    return difference.diff(dim=-1).abs().mean() + difference.diff(dim=-2).abs().mean()


def structural_error(made: Tensor, video: Tensor) -> Tensor:
    """One less the structural similarity of values in [-1, 1] (Wang et al. 2004, equation 13), in windows of 7 x 7."""
    x, y = (rearrange(tensor, "b c t h w -> (b t) c h w") for tensor in (made, video))
    mean_x, mean_y, squares, product = (F.avg_pool2d(z, 7, stride=1) for z in (x, y, x * x + y * y, x * y))
    product_of_means, squares_of_means = mean_x * mean_y, mean_x**2 + mean_y**2
    lightness = (2 * (mean_x + 1) * (mean_y + 1) + C1) / ((mean_x + 1) ** 2 + (mean_y + 1) ** 2 + C1)
    structure = (2 * (product - product_of_means) + C2) / (squares - squares_of_means + C2)
    return 1 - (lightness * structure).mean()


@torch.no_grad()
def latent_statistics(vae: VideoVAE, clips: Sequence[Pixels]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation [c] of the unnormalised latents over whole clips uint8 [t h w 3]."""
    videos = (to_video(clip).to(vae.latent_mean.device) for clip in clips)
    latents = [rearrange(vae.posterior(video).mean, "b c t h w -> (b t h w) c") for video in videos]
    together = torch.cat(latents)
    return together.mean(0), together.std(0)
