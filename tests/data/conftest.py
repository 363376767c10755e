"""A few tiny clips on disk and what encodes them, made once; and films of moving patterns, as footage to look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sorairo.config import VideoVAEConfig
from sorairo.data.latent_shards import write_shards
from sorairo.data.world_frames import WorldDataConfig, write_frames
from sorairo.media import write_mp4
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


WriteFilm = Callable[..., Path]


def _pattern(seed: int, height: int, width: int) -> np.ndarray:
    """A picture of soft blots, sharp enough and of its own, twice as wide as what is shown of it."""
    rng = np.random.default_rng(seed)
    rough = np.clip(rng.normal(rng.integers(60, 200, 3), 30, (height // 8, width // 4, 3)), 0, 255).astype(np.uint8)
    return np.asarray(Image.fromarray(rough).resize((2 * width, height), Image.Resampling.BICUBIC))


def _write_film(
    path: Path, shots: tuple[int, ...] = (1,), seconds: float = 1.5, fps: int = 12, size: tuple[int, int] = (96, 64)
) -> Path:
    """Shots of ``seconds`` each, the camera passing over another pattern in each."""
    width, height = size
    frames = [
        _pattern(seed, height, width)[:, step : step + width] for seed in shots for step in range(round(seconds * fps))
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_mp4(path, frames, width=width, height=height, fps=fps)
    return path


@pytest.fixture(scope="session")
def write_film() -> WriteFilm:
    """Writes an mp4 of moving patterns that every filter lets pass."""
    return _write_film
