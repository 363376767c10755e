"""World clips as latents, captions and token states in shards of safetensors, so that training needs no autoencoder.

A shard holds the clips of a run of seeds, each as it is and mirrored, and single frames of them as pictures. Its file
is named by what went into it; shards that exist are not made again. Never trains.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sorairo.checkpoint import save_tensors
from sorairo.data.descriptions import Description, describe
from sorairo.data.world_frames import OnProgress, WorldDataConfig, in_processes, read_frames
from sorairo.models.precision import autocast
from sorairo.models.text_encoder import TextEncoder
from sorairo.models.video_vae import VideoVAE, to_video
from sorairo.world.tracer import Pixels

CLIPS_PER_SHARD = 50
FORMAT = 3  # of a shard; 2 says where objects are, 3 tells films by places too
Example = tuple[Pixels, Description]
"""One thing to learn: pixels uint8 [t h w 3] and what they show."""


def write_shards(
    config: WorldDataConfig,
    frames: Path,
    folder: Path,
    vae: VideoVAE,
    encoder: TextEncoder,
    on_progress: OnProgress,
    workers: int = 1,
) -> list[Path]:
    """Encodes all clips of ``config`` where ``vae`` is and returns the shards' paths; goes on with an earlier run.

    ``workers`` processes write the captions meanwhile.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = shard_paths(config, folder, vae)
    groups = {path: group for path, group in zip(paths, _groups(config), strict=True) if not path.exists()}
    seeds = [seed for group in groups.values() for seed in group]
    described = in_processes(partial(describe, config), seeds, workers)
    for number, (path, group) in enumerate(groups.items(), start=len(paths) - len(groups) + 1):
        shown = ((read_frames(config, frames, seed), next(described)) for seed in group)
        write_examples(path, [(one.show(pixels), one) for pixels, each in shown for one in each], vae, encoder)
        on_progress("latents", number, len(paths))
    return paths


def shard_paths(config: WorldDataConfig, folder: Path, vae: VideoVAE) -> list[Path]:
    """Where `write_shards` puts what it makes."""
    name = _fingerprint(config, vae)
    return [folder / f"{name}-{group[0]:08d}-{len(group)}.safetensors" for group in _groups(config)]


def _groups(config: WorldDataConfig) -> list[range]:
    """The seeds of each shard."""
    seeds = config.seeds()
    return [seeds[start : start + CLIPS_PER_SHARD] for start in range(0, len(seeds), CLIPS_PER_SHARD)]


def write_examples(path: Path, examples: list[Example], vae: VideoVAE, encoder: TextEncoder) -> None:
    """Encodes ``examples`` where ``vae`` is into one shard."""
    tensors: dict[str, Tensor] = {}
    for index, (frames, description) in enumerate(examples):
        tensors[f"latents.{index:04d}"] = _encode(vae, frames).half()
        tensors[f"cover.{index:04d}"] = torch.from_numpy(description.cover)
        text = encoder(description.captions)
        tensors[f"states.{index:04d}"] = text.states[text.mask].half()  # captions one after another, no padding
        tensors[f"lengths.{index:04d}"] = text.mask.sum(1).short()
    save_tensors(path, tensors, {"captions": [list(description.captions) for _, description in examples]})


@torch.no_grad()
def _encode(vae: VideoVAE, frames: Pixels) -> Tensor:
    device = vae.latent_mean.device
    with autocast(device):
        return vae.encode(to_video(frames).to(device))[0]


def _fingerprint(config: WorldDataConfig, vae: VideoVAE) -> str:
    """Name of what a shard depends on besides its seeds: its format, sizes and the encoder's weights."""
    made: dict[str, Any] = {"format": FORMAT}
    made |= {key: value for key, value in asdict(config).items() if key not in ("num_clips", "first_seed")}
    digest = hashlib.sha256(json.dumps(made, sort_keys=True).encode())
    for tensor in (*vae.encoder.state_dict().values(), vae.latent_mean, vae.latent_std):
        digest.update(tensor.contiguous().cpu().numpy().tobytes())
    return digest.hexdigest()[:12]
