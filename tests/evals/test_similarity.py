"""PSNR, SSIM and the error of motion against closed forms and an independent reckoning."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sorairo.evals.similarity import C1, C2, motion_error, psnr, ssim


def noise(frames: int = 3, height: int = 24, width: int = 32, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def test_the_same_is_the_same() -> None:
    frames = noise()
    assert psnr(frames, frames) == math.inf
    assert ssim(frames, frames) == pytest.approx(1, abs=1e-6)
    assert motion_error(frames, frames) == 0


@pytest.mark.parametrize("step", [1, 5, 50])
def test_psnr_of_a_constant_step(step: int) -> None:
    frames = np.full((2, 16, 16, 3), 100, np.uint8)
    assert psnr(frames, frames + np.uint8(step)) == pytest.approx(20 * math.log10(255 / step))


def test_psnr_is_over_all_pixels_together() -> None:
    a = np.zeros((2, 16, 16, 3), np.uint8)
    b = a.copy()
    b[1] = 10
    assert psnr(a, b) == pytest.approx(10 * math.log10(255**2 / 50))


def test_ssim_of_flat_frames_is_their_luminance_alone() -> None:
    a, b = np.full((16, 16, 3), 100, np.uint8), np.full((16, 16, 3), 150, np.uint8)
    expected = (2 * 100 * 150 + C1) / (100**2 + 150**2 + C1)
    assert ssim(a, b) == pytest.approx(expected, abs=1e-5)


def test_ssim_as_reckoned_window_by_window() -> None:
    a, b = (noise(1, 13, 12, seed)[0] for seed in (0, 1))
    offsets = np.arange(11) - 5
    weights = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    weights /= weights.sum()
    found = []
    for top, left, color in np.ndindex(3, 2, 3):
        x, y = (frame[top : top + 11, left : left + 11, color].astype(float) for frame in (a, b))
        mx, my = (weights * x).sum(), (weights * y).sum()
        vx, vy = (weights * (x - mx) ** 2).sum(), (weights * (y - my) ** 2).sum()
        cov = (weights * (x - mx) * (y - my)).sum()
        found.append((2 * mx * my + C1) * (2 * cov + C2) / ((mx**2 + my**2 + C1) * (vx + vy + C2)))
    assert ssim(a, b) == pytest.approx(np.mean(found), abs=1e-4)


def test_ssim_falls_with_noise_and_is_symmetric() -> None:
    clean = np.tile(np.linspace(0, 255, 32).astype(np.uint8)[:, None], (2, 24, 1, 3))
    rng = np.random.default_rng(0)
    noisy = [np.clip(clean + rng.normal(0, s, clean.shape), 0, 255).astype(np.uint8) for s in (2, 8, 32)]
    found = [ssim(clean, frames) for frames in noisy]
    assert found == sorted(found, reverse=True)
    assert ssim(noisy[1], clean) == pytest.approx(found[1])


def test_of_several_frames_ssim_is_the_mean() -> None:
    a, b = noise(seed=0), noise(seed=1)
    assert ssim(a, b) == pytest.approx(np.mean([ssim(x, y) for x, y in zip(a, b, strict=True)]))


def test_motion_error_sees_flicker_and_not_a_lasting_offset() -> None:
    still = np.full((4, 16, 16, 3), 100, np.uint8)
    assert motion_error(still, still + np.uint8(20)) == 0
    flickering = still.copy()
    flickering[1::2] += 6
    assert motion_error(flickering, still) == pytest.approx(6)
    dark = np.zeros_like(still)
    dark[1::2] = 255
    assert motion_error(dark, still) == pytest.approx(255), "differences do not wrap around"


@pytest.mark.parametrize("measure", [psnr, ssim, motion_error])
def test_frames_that_do_not_match_are_refused(measure: object) -> None:
    with pytest.raises(ValueError, match="both must be alike"):
        measure(noise(), noise(width=30))  # type: ignore[operator]
    with pytest.raises(ValueError, match="float32"):
        measure(noise().astype(np.float32), noise())  # type: ignore[operator]
