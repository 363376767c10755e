"""How wrong transformers are about the velocity, on held-out clips, at four noise levels: what their training lowers.

python bench/velocity.py [MODEL ...] [--clips N]

Clips are of the split "test", from FIRST_SEED on, each with its dense caption; the same noise for every model. Models
are names or folders. Errors of models with different autoencoders cannot be compared.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from torch import Tensor

from sorairo.diffusion.flow import interpolate, squared_error, velocity_target
from sorairo.models.dit import Text
from sorairo.models.precision import autocast
from sorairo.models.video_vae import to_video
from sorairo.pipelines.bundle import ModelBundle, load_bundle
from sorairo.shapes import NATIVE_BUCKETS
from sorairo.world import WorldClip, caption, make_clip, render

FIRST_SEED = 30_000
LEVELS = (0.3, 0.6, 0.85, 0.97)


@torch.inference_mode()
def errors(bundle: ModelBundle, seed: int) -> list[float]:
    """Mean squared errors on the clip of a seed, at each of the levels."""
    clip = make_clip(seed, NATIVE_BUCKETS[seed % len(NATIVE_BUCKETS)], split="test")
    text = bundle.text_encoder([caption(clip, "dense", np.random.default_rng(seed)).text])
    clean, noise = clean_and_noise(bundle, clip)
    return [error(bundle, clean, noise, Text(text.states, text.mask[:, None]), level) for level in LEVELS]


def clean_and_noise(bundle: ModelBundle, clip: WorldClip) -> tuple[Tensor, Tensor]:
    """A clip's latents, and noise of their shape by the clip's seed."""
    with autocast(bundle.device):
        clean = bundle.video_vae.encode(to_video(render(clip)[0]).to(bundle.device)).float()
    return clean, torch.randn(clean.shape, generator=torch.Generator().manual_seed(clip.seed)).to(clean)


def error(bundle: ModelBundle, clean: Tensor, noise: Tensor, text: Text, level: float) -> float:
    noise_map = torch.full_like(clean[:, 0], level)
    with autocast(bundle.device):
        velocity = bundle.dit(interpolate(clean, noise, noise_map), noise_map, text)
    return squared_error(velocity, velocity_target(clean, noise)).mean().item()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="*", default=["sorairo-base"])
    parser.add_argument("--clips", type=int, default=36)
    options = parser.parse_args()
    print("| model | weights | " + " | ".join(f"level {level:g}" for level in LEVELS) + " | mean |")
    print("| --- " * (len(LEVELS) + 3) + "|")
    for model in options.models:
        bundle = load_bundle(model)
        means = np.mean([errors(bundle, FIRST_SEED + number) for number in range(options.clips)], axis=0)
        cells = " | ".join(f"{mean:.3f}" for mean in (*means, means.mean()))
        print(f"| {bundle.name} | `{bundle.weights_sha256[:12]}` | {cells} |", flush=True)


if __name__ == "__main__":
    main()
