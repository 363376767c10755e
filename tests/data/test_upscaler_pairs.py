"""The upscaler's examples: the same scene small and large, made once, and crops that show the same place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sorairo.config import VideoVAEConfig
from sorairo.data.upscaler_pairs import Pair, PairCrops, PairsConfig, write_pairs
from sorairo.models.video_vae import VideoVAE

CONFIG = PairsConfig(3, num_frames=5, num_before=2, sizes=("32x16", "16x16"), scales=(8, 12))
TOLD: list[tuple[str, int, int]] = []


def told(stage: str, done: int, total: int) -> None:
    TOLD.append((stage, done, total))


@pytest.fixture(scope="module")
def vae() -> VideoVAE:
    torch.manual_seed(0)
    return VideoVAE(VideoVAEConfig(4, (8, 8, 8), (8, 8, 8), 1, 1)).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pairs")


@pytest.fixture(scope="module")
def pairs(folder: Path, vae: VideoVAE) -> list[Pair]:
    return write_pairs(CONFIG, folder, vae, told)


def reduced(frames: np.ndarray, factor: int) -> np.ndarray:
    t, h, w, c = frames.shape
    return frames.reshape(t, h // factor, factor, w // factor, factor, c).mean((2, 4))


def numbered(scale: int, side: int = 12, frames: int = 4) -> Pair:
    """A pair whose pixels tell their place in the small frame: frame, row, column."""
    places = np.stack(np.meshgrid(range(frames), range(side), range(side), indexing="ij"), -1).astype(np.uint8)
    large = places[-2:].repeat(scale, axis=1).repeat(scale, axis=2)
    return Pair(np.stack([places, places + np.uint8(100)]), large)


def places(video: torch.Tensor) -> torch.Tensor:
    return ((video + 1) * 127.5).round().long()


def crops(share: float = 1.0, seed: int = 0) -> PairCrops:
    return PairCrops([numbered(8), numbered(12)], share, batch_size=3, side=5, seed=seed)


def test_each_pair_has_its_size_and_scale(pairs: list[Pair]) -> None:
    assert [pair.scale for pair in pairs] == [CONFIG.scales[seed % 2] for seed in CONFIG.seeds()]
    for seed, pair in zip(CONFIG.seeds(), pairs, strict=True):
        shape = CONFIG.shape(seed)
        assert pair.small.shape == (2, CONFIG.num_before + 2, shape.height, shape.width, 3)
        assert pair.large.shape == (2, pair.scale * shape.height, pair.scale * shape.width, 3)


def test_small_and_large_show_the_same_moments(pairs: list[Pair]) -> None:
    for pair in pairs:
        assert np.abs(reduced(pair.large, pair.scale) - pair.small[0, -2:]).mean() < 6


def test_the_second_version_went_through_the_autoencoder(pairs: list[Pair]) -> None:
    assert all(not np.array_equal(*pair.small) for pair in pairs)


def test_what_is_there_is_not_made_again(folder: Path, pairs: list[Pair], vae: VideoVAE) -> None:
    paths = sorted(folder.glob("*.npy"))
    assert len(paths) == 2 * CONFIG.num_clips
    before = {path: path.stat().st_mtime_ns for path in paths}
    paths[-1].unlink()
    again = write_pairs(CONFIG, folder, vae, told)
    assert {path for path in paths if path.stat().st_mtime_ns != before[path]} == {paths[-1]}
    assert all(np.array_equal(a.small, b.small) for a, b in zip(pairs, again, strict=True))
    assert TOLD[-1] == ("pairs", 3, 3)


def test_rates_take_turns() -> None:
    assert {CONFIG.shape(seed).fps for seed in CONFIG.seeds()} == {8, 24}


def test_the_large_frames_lie_anywhere_after_those_before() -> None:
    config = PairsConfig()
    first = [config.first_large(seed) for seed in range(300)]
    assert min(first) == config.num_before
    assert max(first) == config.num_frames - 2


def test_more_frames_before_than_there_are_is_refused() -> None:
    with pytest.raises(ValueError, match="the most for 5 frames is 3"):
        replace(CONFIG, num_before=4)


def test_crops_show_the_same_place_small_and_large() -> None:
    seen = set()
    for step in range(20):
        small, large = crop = crops().draw(step)
        assert small.shape[-2:] == (5, 5)
        assert large.shape == (3, 3, 2, 5 * crop.scale, 5 * crop.scale)
        middle = crop.scale // 2
        assert torch.equal(places(large[..., middle :: crop.scale, middle :: crop.scale]), places(small[:, :, -2:]))
        seen.add((crop.scale, small.shape[2], int(small[0, 2].diff(dim=-1).sign().unique())))
    assert {scale for scale, _, _ in seen} == {8, 12}
    assert {frames for _, frames, _ in seen} == {2, 3, 4}, "some start as a clip does"
    assert {direction for _, _, direction in seen} == {-1, 1}, "some are mirrored"


def test_crops_are_a_pure_function_of_the_step() -> None:
    for step in (4, 0, 4):
        assert all(torch.equal(a, b) for a, b in zip(crops().draw(step), crops().draw(step), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(crops(seed=1).draw(0), crops().draw(0), strict=False))


def test_a_share_is_clean() -> None:
    drawn = torch.cat([crops(0.25).draw(step).small[:, 0, -1, 0, 0] for step in range(100)])
    assert places(drawn).lt(100).float().mean().item() == pytest.approx(0.25, abs=0.08)
