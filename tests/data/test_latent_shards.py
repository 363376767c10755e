"""Shards: what is encoded, with true captions, mirrored versions and pictures; made once and the same each time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sorairo.checkpoint import load_tensors
from sorairo.data import latent_shards
from sorairo.data.descriptions import describe
from sorairo.data.latent_shards import shard_paths, write_shards
from sorairo.data.world_frames import WorldDataConfig, read_frames
from sorairo.models.precision import autocast
from sorairo.models.text_encoder import TextEncoder
from sorairo.models.video_vae import VideoVAE, to_video


def silent(*_: object) -> None:
    pass


def test_a_shard_holds_latents_and_the_states_of_its_captions(
    config: WorldDataConfig, frames: Path, shards: list[Path], vae: VideoVAE, encoder: TextEncoder
) -> None:
    tensors, metadata = load_tensors(shards[0])
    described = [(seed, one) for seed in config.seeds() for one in describe(config, seed)]
    assert metadata["captions"] == [list(one.captions) for _, one in described]
    for index in (0, 1, 7):
        seed, one = described[index]
        with autocast(torch.device("cpu")):
            latents = vae.encode(to_video(one.show(read_frames(config, frames, seed))))[0].half()
        assert torch.equal(tensors[f"latents.{index:04d}"], latents)
        parts = tensors[f"states.{index:04d}"].split(tensors[f"lengths.{index:04d}"].tolist())
        for text, states in zip(one.captions, parts, strict=True):
            torch.testing.assert_close(states.float(), encoder([text]).states[0], atol=2e-3, rtol=2e-3)


def test_mirrored_latents_are_those_of_the_mirrored_frames(shards: list[Path], vae: VideoVAE, frames: Path) -> None:
    """The autoencoder is not symmetric, so latents are encoded from mirrored pixels, not flipped."""
    tensors, _ = load_tensors(shards[0])
    clip, mirrored = tensors["latents.0000"], tensors["latents.0001"]
    assert clip.shape == mirrored.shape
    assert not torch.equal(clip.flip(-1), mirrored)
    pixels = np.load(frames / "5.npy")[:, :, ::-1]
    torch.testing.assert_close(mirrored.float(), vae.encode(to_video(pixels))[0], atol=0.05, rtol=0.05)


def test_made_twice_and_with_captions_by_other_processes_a_shard_has_the_same_bytes(
    config: WorldDataConfig, frames: Path, shards: list[Path], vae: VideoVAE, encoder: TextEncoder, tmp_path: Path
) -> None:
    again = write_shards(config, frames, tmp_path, vae, encoder, silent, workers=2)
    assert [path.name for path in again] == [path.name for path in shards]
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in shards]


def test_shards_that_exist_are_kept(
    config: WorldDataConfig,
    frames: Path,
    vae: VideoVAE,
    encoder: TextEncoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(latent_shards, "CLIPS_PER_SHARD", 2)
    first, second = shard_paths(config, tmp_path, vae)
    first.write_bytes(b"kept")
    progress: list[tuple[str, int, int]] = []
    assert write_shards(config, frames, tmp_path, vae, encoder, lambda *told: progress.append(told)) == [first, second]
    assert first.read_bytes() == b"kept"
    assert len(load_tensors(second)[1]["captions"]) == 4
    assert progress == [("latents", 2, 2)]


def test_a_shards_name_tells_what_is_in_it(config: WorldDataConfig, vae: VideoVAE, tmp_path: Path) -> None:
    def names(config: WorldDataConfig, vae: VideoVAE = vae) -> list[str]:
        return [path.name for path in shard_paths(config, tmp_path, vae)]

    other = VideoVAE(vae.config)
    assert names(config) == names(config)
    assert names(config) != names(config, other)
    assert names(config) != names(replace(config, sizes=("32x32",)))
    few, many = names(replace(config, num_clips=100)), names(replace(config, num_clips=150))
    assert few == many[:2]  # more clips of the same kind: what is there is used


def test_pixels_there_and_back() -> None:
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    video = to_video(pixels)
    assert (video.shape, video.min().item(), video.max().item()) == ((1, 3, 1, 16, 16), -1, 1)
    assert np.array_equal(((video[0] + 1) * 127.5).round().permute(1, 2, 3, 0).numpy(), pixels)
