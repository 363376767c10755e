import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sorairo.evals.detector import Detector
from sorairo.evals.evaluation import (
    LIKE,
    Asked,
    Watched,
    judged,
    requests_of,
    run_evaluation,
    sample_clips,
    through_vae,
)
from sorairo.evals.prompts import held_out_cases
from sorairo.evals.report import About
from sorairo.pipelines.bundle import load_bundle
from sorairo.provenance import verify
from sorairo.shapes import VideoShape
from sorairo.world import render

SMALL = VideoShape(5, 48, 64)


def test_a_model_is_evaluated(tiny_model: Path, detector: Detector, tmp_path: Path) -> None:
    heard: list[tuple[str, int, int]] = []
    output = tmp_path / "report"
    report = run_evaluation(
        tiny_model,
        output=output,
        num_prompts=3,
        like=replace(LIKE, num_inference_steps=1),
        batch_size=2,
        progress=lambda *news: heard.append(news),
    )
    assert {stage for stage, _, _ in heard} == {"real", "autoencoder", "model"}
    assert heard[-1] == ("model", 3, 3)
    assert report.about["num_prompts"] == len(report.prompts) == 3
    assert set(report.about["seconds"]) == {"real", "autoencoder", "model"}
    rows = {row.fact: row for row in (*report.scores, *report.doubtful)}
    assert all(rows[fact].ceiling >= 0.5 for fact in ("colour", "light"))
    assert rows["colour"].score < rows["colour"].ceiling
    assert set(report.groups) == {"all", "familiar"}
    data = json.loads((output / "evaluation.json").read_text())
    assert [row["fact"] for row in data["scores"]] == [row.fact for row in report.scores]
    assert data["model"] in (output / "evaluation.md").read_text()
    clips = sorted((output / "clips").iterdir())
    assert [f"clips/{clip.name}" for clip in clips] == [result.clip for result in report.prompts]
    assert all(verify(clip).facts["model"] == data["model"] for clip in clips)


def test_clips_do_not_depend_on_the_batch(tiny_model: Path) -> None:
    bundle, cases = load_bundle(str(tiny_model)), held_out_cases(3, SMALL)
    like = replace(LIKE, width=64, height=48, seconds=0.5, num_inference_steps=2, guidance_scale=2.0, seed=7)
    requests = requests_of(cases, bundle, like)
    assert [request.seed for request in requests] == [7, 8, 9]
    one, all_at_once = (list(sample_clips(requests, bundle, size)) for size in (1, 3))
    assert [clip.shape for clip in one] == [(5, 48, 64, 3)] * 3
    for alone, together in zip(one, all_at_once, strict=True):
        assert abs(alone.astype(int) - together).max() <= 1
    assert not np.array_equal(one[0], one[1])


def test_through_the_autoencoder(tiny_model: Path) -> None:
    frames = render(held_out_cases(1, SMALL)[0].clip)[0]
    rebuilt = through_vae(frames, load_bundle(str(tiny_model)))
    assert rebuilt.shape == frames.shape
    assert rebuilt.dtype == np.uint8


def test_real_clips_are_at_the_ceiling_and_kinds_stand_apart(detector: Detector) -> None:
    cases = held_out_cases(4)
    asked = [replace(Asked.of(case, ""), kind=kind) for case, kind in zip(cases, "aabb", strict=True)]
    seen = [detector.observe(render(case.clip)[0]) for case in cases]
    about = About(
        model="real", weights_sha256="", detector_sha256="", num_prompts=4, size="", num_inference_steps=0,
        guidance_scale=0.0, seed=0, seconds={},
    )  # fmt: skip
    report = judged(about, asked, Watched(seen, seen, seen), detector)
    assert all(row.score == row.ceiling == row.reconstruction for row in report.scores)
    assert list(report.groups) == ["all", "a", "b"]
    numbers = {kind: {row.fact: row.num_statements for row in rows} for kind, rows in report.groups.items()}
    assert numbers["all"]["composition"] == numbers["a"]["composition"] + numbers["b"]["composition"]
    assert not {row.fact for row in report.scores} & {row.fact for row in report.doubtful}
    assert report.laws["made"] == report.laws["real"]


def test_a_wrong_number_of_prompts_costs_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="num_prompts is 0"):
        run_evaluation("sorairo-base", output=tmp_path, num_prompts=0)
