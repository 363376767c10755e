"""The commands of bench/ that print numbers of the autoencoder, sampling, captions and scaling, on tiny models."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from sorairo.checkpoint import save_tensors
from sorairo.data.world_frames import WorldDataConfig
from sorairo.evals.detector import Detector
from sorairo.media import write_mp4
from sorairo.pipelines.bundle import load_bundle
from sorairo.shapes import NATIVE_BUCKETS

BENCH = Path(__file__).parents[2] / "bench"


def loaded(name: str) -> ModuleType:
    if str(BENCH) not in sys.path:
        sys.path.append(str(BENCH))  # as for a script, whose neighbours are modules
    return importlib.import_module(name)


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
    whole = autoencoder.decoded(vae, frames)
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


def test_ways_of_sampling_are_held_against_the_same_prompts(tiny_model: Path, detector: Detector) -> None:
    sampling = loaded("sampling")
    ways = sampling.compare([f"{tiny_model}:1", f"{tiny_model}:2:1"], sampling.held_out_cases(2))
    assert [(way.plan.num_steps, way.plan.guidance_scale) for way in ways] == [(1, 2.5), (2, 1.0)]
    header, _, *rows = sampling.table(ways).splitlines()
    assert [row.split(" | ")[2:5] for row in rows] == [["1", "2.5", "2"], ["2", "1", "2"]]  # steps, guidance, passes
    assert header.split(" | ")[:2] == ["| model", "weights"]
    assert header.endswith("| all |")
    assert all(row.count("|") == header.count("|") for row in rows)
    with pytest.raises(ValueError, match="num_inference_steps is 0"):
        sampling.compare([f"{tiny_model}:0"], sampling.held_out_cases(2))


def smallest(study: ModuleType, model: Path, folder: Path) -> Any:
    """A study of scaling: four examples, four steps, two prompts."""
    like = study.VideoRequest("each", width=48, height=32, seconds=0.5, num_inference_steps=1)
    tensors = {}
    for number in range(4):
        tensors |= {f"latents.{number:04d}": torch.randn(4, 2, 2, 3).half(), f"cover.{number:04d}": torch.ones(2, 2, 3)}
        tensors |= {f"states.{number:04d}": torch.randn(3, 384), f"lengths.{number:04d}": torch.tensor([1, 2])}
    save_tensors(folder / "shard.safetensors", tensors, {"captions": [["a", "b"]] * 4})
    draw = study.DrawConfig(tokens_per_batch=24)
    data = study.LatentDataset([folder / "shard.safetensors"], torch.zeros(1, 384), draw, 0)
    return study.Study(folder, load_bundle(str(model)), (data, data), 4, 2, like)


def test_networks_get_equal_time_and_are_measured_along_the_way(
    tiny_model: Path, detector: Detector, tmp_path: Path
) -> None:
    study = loaded("scaling_study")
    baselines = loaded("baselines")
    small = smallest(study, tiny_model, tmp_path)
    table = baselines.compare({"ours": baselines.Timed, "plain": baselines.Plain}, small, 0.8)
    header, _, *rows = table.splitlines()
    assert [row.split(" | ")[0] for row in rows] == ["| ours", "| plain"]
    assert all(row.count("|") == header.count("|") and int(row.split(" | ")[2]) > 0 for row in rows)
    assert rows[1].split(" | ")[4] != "never"  # it reaches its own last loss
    assert baselines.reached([(1.0, 0.9), (2.0, 0.5)], 0.6) == "2"
    assert baselines.reached([(1.0, 0.9)], 0.6) == "never"


def test_what_expansion_gains_is_paired_by_prompt() -> None:
    expansion = loaded("expansion")
    half, whole = ({"colour": np.array([[held, 2.0]] * 3)} for held in (1.0, 2.0))
    assert expansion.row("all", half, whole, ["colour"]) == "| all | 0.50 | 1.00 | +0.50 | +0.50 to +0.50 |"


def test_the_study_of_scaling_in_its_smallest_form(tiny_model: Path, detector: Detector, tmp_path: Path) -> None:
    """Two sizes, four steps each; what is done is not done again."""
    study = loaded("scaling_study")
    small = smallest(study, tiny_model, tmp_path)
    text = study.run_study(small, [2, 4])
    told = json.loads((tmp_path / "study.json").read_text())
    assert [(point["depth"], point["step"]) for point in told["points"]] == [(d, s) for d in (2, 4) for s in (1, 2, 4)]
    assert told["points"][3]["compute"] > told["points"][0]["compute"] == told["points"][2]["compute"] / 4
    assert text.count("\n| 2 | ") == 3 + 1
    assert {path.name for path in tmp_path.glob("strips-*")} == {f"strips-{multiple}.png" for multiple in (1, 4, 32)}
    weights = tmp_path / "depth-4" / "budget-000004.safetensors"
    before = weights.stat().st_mtime_ns
    assert study.run_study(small, [2, 4]) == text
    assert weights.stat().st_mtime_ns == before


def test_the_law_of_exact_points_is_found_and_only_the_best_count() -> None:
    study = loaded("scaling_study")
    points = [study.Point(2, step, step * 1e12, 0.25 + 0.5 * step**-0.3) for step in (1, 2, 4, 8, 16, 32)]
    law = study.fit(points)
    assert (law.floor, law.scale, law.exponent) == (pytest.approx(0.25, abs=0.01), pytest.approx(0.5, abs=0.01),
                                                    pytest.approx(0.3, abs=0.02))  # fmt: skip
    assert law.error < 1e-3
    worse = study.Point(4, 1, 3e12, 0.9)
    assert study.frontier([worse, *points]) == points
    with pytest.raises(ValueError, match="2 points"):
        study.fit(points[:2])


def test_the_study_of_captions_in_its_smallest_form(
    tiny_model: Path, tiny_captioner: Path, detector: Detector, tmp_path: Path
) -> None:
    """Three trainings of two steps on four clips, scored on two prompts."""
    from sorairo.pipelines.captions import BuiltInWriter, load_captioner

    study, data = loaded("recaption_study"), WorldDataConfig(4, num_frames=5, sizes=("48x32",))
    tensors = {f"latents.{n:04d}": torch.randn(4, 2, 2, 3).half() for n in range(16)}
    covers = {f"cover.{n:04d}": torch.zeros(2, 2, 3).half() for n in range(16)}
    save_tensors(tmp_path / "a-00000000-4.safetensors", tensors | covers, {})
    bundle = load_bundle(str(tiny_model))
    writer = BuiltInWriter(*load_captioner(str(tiny_captioner)), bundle.video_vae)
    clips = study.read_clips([tmp_path / "a-00000000-4.safetensors"], 4, writer, data)
    assert {len(texts) for texts in clips.texts.values()} == {4}
    like = study.VideoRequest("each", width=48, height=32, seconds=0.5, num_inference_steps=1)
    scores = study.run_study(study.Study(tmp_path, bundle, 2, 2, depth=2, tokens_per_batch=24, like=like), clips)
    assert list(scores) == ["tags", "captioner 95 %", "exact 95 %"]
    assert all(0 <= low <= share <= high <= 1 for share, low, high in (rows["all"] for rows in scores.values()))
    assert json.loads((tmp_path / "study.json").read_text())["clips"] == 4
    assert (tmp_path / "study.svg").read_text().count("<rect") >= 3
    rows = (tmp_path / "study.md").read_text().splitlines()
    assert len(rows) == 10
    assert rows[-4].startswith("| captions | all, more than tags")


def test_layouts_of_other_benchmarks(tmp_path: Path) -> None:
    clips = tmp_path / "report" / "clips"
    clips.mkdir(parents=True)
    verdicts = [{"red colour": True, "red sphere hit blue cube": None}, {"blue cube count 3": False}]
    prompts = [
        {"prompt": f"prompt/{n} " + "long " * 60, "clip": f"clips/{n}.mp4", "verdicts": v}
        for n, v in enumerate(verdicts)
    ]
    for n in (0, 1):
        (clips / f"{n}.mp4").write_text(str(n))
    (tmp_path / "report" / "evaluation.json").write_text(json.dumps({"prompts": prompts}))
    made = loaded("exports")
    assert made.export(tmp_path / "report", "vbench", tmp_path / "v") == 12
    assert sorted(path.read_text() for path in (tmp_path / "v" / "dynamic_degree").glob("*-0.mp4")) == ["0", "1"]
    assert made.export(tmp_path / "report", "t2v-compbench", tmp_path / "t") == 3
    assert (tmp_path / "t" / "video" / "interaction" / "0001.mp4").read_text() == "0"
    assert (tmp_path / "t" / "video" / "numeracy" / "0001.mp4").read_text() == "1"
    assert (tmp_path / "t" / "prompts" / "7_numeracy.txt").read_text() == prompts[1]["prompt"] + "\n"
    with pytest.raises(ValueError, match="layout is 'none'"):
        made.export(tmp_path / "report", "none", tmp_path / "t")
    (clips / "1.mp4").unlink()
    with pytest.raises(ValueError, match=r"'clips/1\.mp4' is missing"):
        made.export(tmp_path / "report", "vbench", tmp_path / "v")


def test_an_arm_reads_its_share_of_captions() -> None:
    study = loaded("recaption_study")
    latents, cover = [torch.zeros(4, 2, 2, 3)] * 2, [torch.zeros(2, 2, 3)] * 2
    main, tags, empty = ([torch.full((1, 384), value)] * 2 for value in (1.0, 2.0, 0.0))
    data = study.StudyData(latents, cover, main, tags, empty[0], 0.8, tokens=12 * 50)
    values = torch.cat([data.draw(step).states[:, 0, 0] for step in range(40)])
    assert (values == 0).float().mean().item() == pytest.approx(0.1, abs=0.03)
    assert (values == 2).float().mean().item() == pytest.approx(0.9 * 0.2, abs=0.04)
    assert torch.equal(data.draw(3).states, data.draw(3).states)
