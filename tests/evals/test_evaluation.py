import json
from pathlib import Path

import numpy as np
import pytest

from sorairo.evals.detector import Detector
from sorairo.evals.evaluation import Sampling, run_evaluation, sample_clips, through_vae
from sorairo.evals.prompts import held_out_cases
from sorairo.pipelines.bundle import load_bundle
from sorairo.shapes import VideoShape
from sorairo.world import render

SMALL = VideoShape(5, 48, 64)


def test_a_model_is_evaluated(tiny_model: Path, detector: Detector, tmp_path: Path) -> None:
    heard: list[tuple[str, int, int]] = []
    report = run_evaluation(
        tiny_model,
        output=tmp_path / "report",
        num_prompts=3,
        num_inference_steps=1,
        batch_size=2,
        progress=lambda *news: heard.append(news),
    )
    assert {stage for stage, _, _ in heard} == {"real", "autoencoder", "model"}
    assert heard[-1] == ("model", 3, 3)
    assert report.num_prompts == len(report.prompts) == 3
    assert all(row.ceiling >= 0.5 for row in report.scores if row.fact in ("colour", "light", "ground"))
    assert all(row.score < row.ceiling for row in report.scores if row.fact == "colour")
    data = json.loads((tmp_path / "report" / "evaluation.json").read_text())
    assert [row["fact"] for row in data["scores"]] == [row.fact for row in report.scores]
    assert report.model in (tmp_path / "report" / "evaluation.md").read_text()


def test_clips_do_not_depend_on_the_batch(tiny_model: Path) -> None:
    bundle, cases = load_bundle(str(tiny_model)), held_out_cases(3, SMALL)
    one, all_at_once = (list(sample_clips(cases, bundle, Sampling(SMALL, 2, 2.0, 7, size))) for size in (1, 3))
    assert [clip.shape for clip in one] == [(5, 48, 64, 3)] * 3
    for alone, together in zip(one, all_at_once, strict=True):
        assert abs(alone.astype(int) - together).max() <= 1
    assert not np.array_equal(one[0], one[1])


def test_through_the_autoencoder(tiny_model: Path) -> None:
    frames = render(held_out_cases(1, SMALL)[0].clip)[0]
    rebuilt = through_vae(frames, load_bundle(str(tiny_model)))
    assert rebuilt.shape == frames.shape
    assert rebuilt.dtype == np.uint8


def test_a_wrong_number_of_prompts_costs_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="num_prompts is 0"):
        run_evaluation("sorairo-base", output=tmp_path, num_prompts=0)
