"""The measuring of size and rate: perfect methods score perfectly, known faults score what they should."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
import torch

from sorairo.config import VideoVAEConfig
from sorairo.evals import finishing
from sorairo.evals.finishing import COMPARED, SIZES, as_markdown, decoded, measure_rates, measure_sizes, timed
from sorairo.models.video_vae import VideoVAE
from sorairo.pipelines.finishing import enlarged, with_rate
from sorairo.pipelines.size_plan import SizePlan
from sorairo.shapes import VideoShape

SMALL = [(100, 60)]  # needs no upscaling, so that nothing large is rendered


def darker(frames: object, plan: SizePlan) -> Iterator[np.ndarray]:
    return (np.clip(frame.astype(int) - 10, 0, 255).astype(np.uint8) for frame in enlarged(frames, plan))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def sizes() -> finishing.Table:
    methods = {
        "same": lambda plan: partial(enlarged, plan=plan),
        "darker": lambda plan: partial(darker, plan=plan),
    }
    return measure_sizes(methods, None, 2, SMALL)


def test_a_perfect_method_is_perfect(sizes: finishing.Table) -> None:
    for likeness, structure, motion, seconds in sizes["100x60", "same"]:
        assert likeness == math.inf
        assert structure == pytest.approx(1)
        assert motion == 0
        assert seconds > 0


def test_a_darker_picture_keeps_its_motion(sizes: finishing.Table) -> None:
    for likeness, structure, motion, _ in sizes["100x60", "darker"]:
        assert likeness == pytest.approx(20 * math.log10(255 / 10), abs=1)
        assert structure < 1
        assert motion < 0.1


def test_every_clip_is_scored(sizes: finishing.Table) -> None:
    assert {key: len(scores) for key, scores in sizes.items()} == {("100x60", "same"): 2, ("100x60", "darker"): 2}


def test_rates_are_scored_where_nothing_was_there_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finishing, "NATIVE_BUCKETS", (VideoShape(13, 16, 32),))
    monkeypatch.setattr(finishing, "SMOOTH_FRAMES", 13)

    def forgetful(frames: object) -> Iterator[np.ndarray]:
        """Black wherever a frame has to be made."""
        for index, frame in enumerate(with_rate(frames, 8, 24)):  # type: ignore[arg-type]
            yield frame if index % 3 == 0 else np.zeros_like(frame)

    blending = partial(with_rate, fps_in=8, fps_out=24)
    table = measure_rates({"blending": blending, "forgetful": forgetful}, 2)
    for good, bad in zip(table["32x16", "blending"], table["32x16", "forgetful"], strict=True):
        assert good[0] > 20 > 12 > bad[0]
        assert good[1] > bad[1]
        assert good[2] < bad[2]


def test_seconds_are_those_of_the_processor() -> None:
    frames = np.zeros((3, 4, 4, 3), np.uint8)
    made, seconds = timed(lambda given: (frame + np.uint8(1) for frame in given), frames)
    assert np.array_equal(made, frames + 1)
    assert 0 <= seconds < 1


def test_through_the_autoencoder_and_not() -> None:
    torch.manual_seed(0)
    vae = VideoVAE(VideoVAEConfig(4, (8, 8, 8), (8, 8, 8), 1, 1)).eval()
    frames = np.random.default_rng(0).integers(0, 256, (5, 16, 32, 3), dtype=np.uint8)
    assert decoded(None, frames) is frames
    assert decoded(vae, frames).shape == frames.shape
    assert not np.array_equal(decoded(vae, frames), frames)


def test_the_table_shows_means() -> None:
    table = {("480x480", "upscaler"): [(30.0, 0.9, 1.0, 0.5), (32.0, 0.8, 2.0, 0.5)]}
    head, rule, row = as_markdown(table, "size").splitlines()
    assert head.startswith("| size | method | PSNR, dB | SSIM |")
    assert head.count("|") == rule.count("|") == row.count("|")
    assert row == "| 480x480 | upscaler | 31.00 | 0.8500 | 1.50 | 0.500 |"


def test_every_size_on_offer_is_measured() -> None:
    heights = {min(size) for size in SIZES}
    assert heights == {480, 720, 1080}
    assert all(SizePlan.of(*size).scale > 1 for size in SIZES)
    assert len(SIZES) == len(set(SIZES)) == 9
    assert len(COMPARED) > 1, "the error of motion needs neighbours"
