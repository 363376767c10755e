"""A strip of sampled clips, drawn every few minutes of a training so that one can see what it has learned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from einops import rearrange
from torch import Tensor

from sorairo.config import DiTConfig
from sorairo.diffusion.guidance import classifier_free
from sorairo.diffusion.noise_maps import full
from sorairo.diffusion.samplers import initial_noise, multistep
from sorairo.diffusion.schedules import sampling_levels, timestep_shift
from sorairo.media import write_png
from sorairo.models.dit import DiT
from sorairo.models.precision import autocast
from sorairo.models.text_encoder import TextEncoder
from sorairo.models.video_vae import VideoVAE
from sorairo.shapes import VideoShape

NUM_STEPS = 16
GUIDANCE_SCALE = 4.0
FRAMES_PER_STRIP = 6


@dataclass
class SampleStrip:
    """Samples the same prompts and seeds each time, where ``vae`` and ``encoder`` are; one row of frames a prompt."""

    folder: Path
    prompts: tuple[str, ...]
    config: DiTConfig
    vae: VideoVAE
    encoder: TextEncoder
    shape: VideoShape

    @torch.no_grad()
    def draw(self, weights: dict[str, Tensor], step: int) -> Tensor:
        """Picture uint8 [h w 3] of all prompts, also written to the folder as step-N.png."""
        device = self.vae.latent_mean.device
        model = DiT(self.config).eval().to(device)
        model.load_state_dict(weights)
        text = self.encoder([*self.prompts, *[""] * len(self.prompts)])
        memory = model.text_memory(text.states, text.mask[:, None])
        guided = classifier_free(lambda latents, noise_map: model(latents, noise_map, memory), GUIDANCE_SCALE)
        latent = self.shape.latent
        noise = initial_noise(range(len(self.prompts)), latent, self.config.latent_channels).to(device)
        start_map = full(latent).expand(len(noise), -1, -1, -1).to(device)
        levels = sampling_levels(NUM_STEPS, timestep_shift(latent))
        with autocast(device):
            video = self.vae.decode(multistep(guided, noise, start_map, levels))
        picture = _rows(video)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_png(self.folder / f"step-{step:08d}.png", picture.numpy())
        return picture


def _rows(video: Tensor) -> Tensor:
    """Videos [b 3 t h w] in [-1, 1] as one picture uint8: a row of frames for each."""
    chosen = torch.linspace(0, video.shape[2] - 1, FRAMES_PER_STRIP).round().long()
    rows = rearrange(video[:, :, chosen].float().cpu(), "b c t h w -> (b h) (t w) c")
    return ((rows + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
