"""A few tiny clips on disk and what encodes them, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sorairo.config import VideoVAEConfig
from sorairo.data.latent_shards import write_shards
from sorairo.data.world_frames import WorldDataConfig, write_frames
from sorairo.models.text_encoder import TextEncoder
from sorairo.models.video_vae import VideoVAE

CONFIG = WorldDataConfig(num_clips=3, first_seed=5, num_frames=5, sizes=("48x32", "32x48"))


@pytest.fixture(scope="session")
def config() -> WorldDataConfig:
    return CONFIG


@pytest.fixture(scope="session")
def vae() -> VideoVAE:
    torch.manual_seed(0)
    return VideoVAE(VideoVAEConfig(4, (8, 8, 16), (8, 8, 16), 1, 1)).eval().requires_grad_(False)


@pytest.fixture(scope="session")
def encoder() -> TextEncoder:
    return TextEncoder()


@pytest.fixture(scope="session")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frames")
    write_frames(CONFIG, folder, 1, lambda *_: None)
    return folder


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory, frames: Path, vae: VideoVAE, encoder: TextEncoder) -> list[Path]:
    return write_shards(CONFIG, frames, tmp_path_factory.mktemp("latents"), vae, encoder, lambda *_: None)
