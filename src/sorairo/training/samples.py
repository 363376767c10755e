"""A strip of sampled clips, drawn every few minutes of a training so that one can see what it has learned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from einops import rearrange
from torch import Tensor

from sorairo.config import ModelConfig
from sorairo.media import write_png
from sorairo.models.dit import DiT
from sorairo.models.precision import autocast
from sorairo.models.text_encoder import TextEncoder
from sorairo.models.video_vae import VideoVAE
from sorairo.pipelines.bundle import ModelBundle
from sorairo.pipelines.cards import ModelCard
from sorairo.pipelines.progress import StageClock, silent
from sorairo.pipelines.request import VideoRequest
from sorairo.pipelines.sampling import sample
from sorairo.shapes import NATIVE_FPS, VideoShape

NUM_STEPS = 16
FRAMES_PER_STRIP = 6


@dataclass
class SampleStrip:
    """Samples the same prompts and seeds each time, where ``vae`` and ``encoder`` are; one row of frames a prompt."""

    folder: Path
    prompts: tuple[str, ...]
    config: ModelConfig
    vae: VideoVAE
    encoder: TextEncoder
    shape: VideoShape

    @torch.no_grad()
    def draw(self, weights: dict[str, Tensor], step: int) -> Tensor:
        """Picture uint8 [h w 3] of all prompts, also written to the folder as step-N.png."""
        device = self.vae.latent_mean.device
        model = DiT(self.config.dit).eval().to(device)
        model.load_state_dict(weights)
        name, card = self.config.name, ModelCard()
        bundle = ModelBundle(name, self.config, card, "", self.vae, model, self.encoder, None, device)
        seconds = (self.shape.num_frames - 1) / NATIVE_FPS
        steps = None if self.config.distilled else NUM_STEPS
        requests = [
            VideoRequest(prompt, "", self.shape.width, self.shape.height, seconds, seed=seed, num_inference_steps=steps)
            for seed, prompt in enumerate(self.prompts)
        ]
        latents = sample(requests, bundle, StageClock(silent))
        with autocast(device):
            picture = _rows(self.vae.decode(latents.to(device)))
        self.folder.mkdir(parents=True, exist_ok=True)
        write_png(self.folder / f"step-{step:08d}.png", picture.numpy())
        return picture


def _rows(video: Tensor) -> Tensor:
    """Videos [b 3 t h w] in [-1, 1] as one picture uint8: a row of frames for each."""
    chosen = torch.linspace(0, video.shape[2] - 1, FRAMES_PER_STRIP).round().long()
    rows = rearrange(video[:, :, chosen].float().cpu(), "b c t h w -> (b h) (t w) c")
    return ((rows + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
