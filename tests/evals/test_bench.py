"""The commands of bench/ that print numbers of the autoencoder and of guidance, on tiny models."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from sorairo.evals.detector import Detector
from sorairo.media import write_mp4
from sorairo.pipelines.bundle import load_bundle
from sorairo.shapes import NATIVE_BUCKETS

BENCH = Path(__file__).parents[2] / "bench"


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCH / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def autoencoder() -> ModuleType:
    return loaded("autoencoder")


def noise(num_frames: int = 33) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (num_frames, 32, 48, 3), dtype=np.uint8)


def test_what_is_kept_is_perfect(autoencoder: ModuleType) -> None:
    ((decibels, likeness, seconds),) = autoencoder.measure(lambda frames: frames, [noise()])
    assert (decibels, likeness) == (np.inf, 1)
    assert seconds >= 0
    ((decibels, _, _),) = autoencoder.measure(lambda frames: frames[-4:], [noise()])
    assert decibels == np.inf


def test_a_row_has_means_and_intervals(autoencoder: ModuleType) -> None:
    rows = [(30.0, 0.9, 1.0), (32.0, 0.92, 3.0)]
    assert autoencoder.line("world", rows) == "| world | 2 | 31.00 (30.00 to 32.00) | 0.910 (0.900 to 0.920) | 2.00 |"


def test_later_frames_are_the_same_until_they_are_encoded_otherwise(autoencoder: ModuleType, tiny_model: Path) -> None:
    vae, frames = load_bundle(str(tiny_model)).video_vae, noise()
    whole = autoencoder.rebuilt(vae, frames)
    assert whole.shape == frames.shape
    after = autoencoder.ends_rebuilt(vae, frames, still=False)
    assert after.shape == (autoencoder.LATER, 32, 48, 3)
    assert np.array_equal(after, whole[-autoencoder.LATER :])
    still = np.repeat(frames[:1], 33, axis=0)
    behind, before = (autoencoder.ends_rebuilt(vae, still, still=way) for way in (True, False))
    assert np.array_equal(behind, before)  # its true past is a still


def test_footage_is_fitted_to_the_nearest_native_shape(autoencoder: ModuleType, tmp_path: Path) -> None:
    frames = np.zeros((10, 90, 160, 3), np.uint8)
    write_mp4(tmp_path / "a.mp4", frames, width=160, height=90, fps=8)
    (clip,) = autoencoder.footage(tmp_path)
    wide = NATIVE_BUCKETS[0]
    assert clip.shape == (9, wide.height, wide.width, 3)
    with pytest.raises(ValueError, match="there is no video"):
        autoencoder.footage(tmp_path / "none")


def test_guidance_is_swept_on_the_same_prompts(tiny_model: Path, detector: Detector) -> None:
    guidance = loaded("guidance")
    guidance.LIKE = guidance.replace(guidance.LIKE, num_inference_steps=1)
    rows = guidance.sweep(str(tiny_model), [1.0, 4.0], 2)
    assert list(rows) == [1.0, 4.0]
    text = guidance.table(rows).splitlines()
    assert text[0].startswith("| guidance | ")
    assert [line.split(" | ")[0] for line in text[2:]] == ["| 1", "| 4"]
    assert all(line.count("|") == text[0].count("|") for line in text)
