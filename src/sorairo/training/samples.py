"""A strip of sampled clips, drawn every few minutes of a training so that one can see what it has learned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sorairo.config import ModelConfig
from sorairo.media import strip, write_png
from sorairo.models.dit import DiT
from sorairo.models.precision import autocast
from sorairo.models.text_encoder import TextEncoder
from sorairo.models.video_vae import VideoVAE
from sorairo.pipelines.bundle import ModelBundle
from sorairo.pipelines.cards import ModelCard
from sorairo.pipelines.generation import decoded_frames
from sorairo.pipelines.progress import StageClock, silent
from sorairo.pipelines.request import VideoRequest
from sorairo.pipelines.sampling import sample
from sorairo.shapes import VideoShape

NUM_STEPS = 16


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
        seconds, steps = self.shape.seconds, None if self.config.distilled else NUM_STEPS
        requests = [
            VideoRequest(prompt, "", self.shape.width, self.shape.height, seconds, seed=seed, num_inference_steps=steps)
            for seed, prompt in enumerate(self.prompts)
        ]
        latents = sample(requests, bundle, StageClock(silent))
        with autocast(device):
            clips = [np.stack([*decoded_frames(row, bundle)]) for row in torch.split(latents, 1)]
        picture = np.concatenate([strip(frames, gap=0) for frames in clips])
        self.folder.mkdir(parents=True, exist_ok=True)
        write_png(self.folder / f"step-{step:08d}.png", picture)
        return torch.from_numpy(picture)
