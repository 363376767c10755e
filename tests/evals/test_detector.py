"""The shipped weights on real clips, and how they are kept."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sorairo.checkpoint import load_tensors, save_tensors
from sorairo.evals.agreement import LEAST_AGREEMENT, false_statements, true_statements
from sorairo.evals.detector import (
    Detector,
    as_input,
    camera_frames,
    detector_file,
    load_detector,
    native_size,
    save_detector,
)
from sorairo.evals.detector_examples import scene_examples
from sorairo.evals.judgement import judge
from sorairo.evals.laws import LAWS
from sorairo.evals.statements import FACTS
from sorairo.shapes import NATIVE_BUCKETS
from sorairo.sight.observation import Observation
from sorairo.sight.scene_net import NUM_CAMERA_PICTURES, PAINTS, CameraNet, SceneNet
from sorairo.world import SHAPES, WorldClip, make_clip, render

SEEDS = (1000, 1003, 1005, 1009)


@pytest.fixture(scope="module")
def watched(detector: Detector) -> list[tuple[WorldClip, Observation]]:
    clips = [make_clip(seed, NATIVE_BUCKETS[seed % 3], "test") for seed in SEEDS]
    return [(clip, detector.observe(render(clip)[0])) for clip in clips]


def test_cells_of_real_pictures(detector: Detector) -> None:
    clips = [make_clip(seed, NATIVE_BUCKETS[0], "test") for seed in range(1100, 1106)]
    examples = [example for clip in clips for example in scene_examples(clip, [3, 16, 29])]
    with torch.no_grad():
        seen = detector.scene(as_input(torch.from_numpy(np.stack([e.pixels for e in examples]))))
    paint, shape = (np.stack([getattr(e.cells, name) for e in examples]) for name in ("paint", "shape"))
    things = (paint < len(PAINTS)) & (shape < len(SHAPES))
    assert (seen.color.argmax(1).numpy() == paint).mean() > 0.98
    assert (seen.color.argmax(1).numpy() == paint)[things].mean() > 0.9
    assert (seen.shape.argmax(1).numpy() == shape)[things].mean() > 0.75


def test_true_of_real_clips_false_of_what_contradicts_them(watched: list[tuple[WorldClip, Observation]]) -> None:
    found, refused = [], []
    for clip, seen in watched:
        rng = np.random.default_rng(0)
        true = true_statements(clip, rng)
        found += [judge(statement, seen) for statement in true]
        refused += [not judge(statement, seen) for statement in false_statements(clip, true, rng)]
    assert min(len(found), len(refused)) > 20
    assert np.mean(found) > 0.85
    assert np.mean(refused) > 0.85


def test_things_of_other_clips_are_not_there(watched: list[tuple[WorldClip, Observation]]) -> None:
    mine, others = [], []
    for clip, seen in watched:
        for other, _ in watched:
            said = [s for s in true_statements(other, np.random.default_rng(0)) if s.fact in ("shape", "hit", "topple")]
            (mine if other is clip else others).extend(judge(s, seen) for s in said)
    assert np.mean(mine) > 0.8
    assert np.mean(others) < 0.2


def test_the_detectors_say_how_far_they_agree(detector: Detector) -> None:
    assert set(detector.agreement) == set(FACTS)
    assert sum(share >= LEAST_AGREEMENT for share in detector.agreement.values()) >= 8
    assert set(detector.limits) == set(LAWS)
    assert all(low < high and most >= 0 for low, high, most in detector.limits.values())
    assert detector_file().stat().st_size < 2e6


def test_saved_detectors_see_the_same(tmp_path: Path, knock_over: WorldClip) -> None:
    torch.manual_seed(0)
    first = Detector(SceneNet().half().float(), CameraNet().half().float(), {"light": 0.5}, {"fall": [1.0, 2.0, 0.5]})
    save_detector(tmp_path / "d.safetensors", first, {"clips": 3})
    second = load_detector(tmp_path / "d.safetensors")
    frames = render(knock_over, range(0, 33, 3), 64, 48)[0]
    one, two = first.observe(frames), second.observe(frames)
    assert one.sightings == two.sightings
    assert np.array_equal(one.labels, two.labels)
    assert second.agreement == {"light": 0.5}
    assert second.limits == {"fall": [1.0, 2.0, 0.5]}


def test_broken_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere"):
        load_detector(tmp_path / "nowhere.safetensors")
    save_detector(tmp_path / "d.safetensors", Detector(SceneNet(), CameraNet()), {})
    tensors, _ = load_tensors(tmp_path / "d.safetensors")
    tensors.pop("camera.moves.bias")
    save_tensors(tmp_path / "d.safetensors", tensors, {})
    with pytest.raises(ValueError, match="missing"):
        load_detector(tmp_path / "d.safetensors")


@pytest.mark.parametrize(
    ("size", "native"),
    [((96, 160), (96, 160)), ((128, 128), (128, 128)), ((720, 1280), (96, 160)), ((100, 170), (96, 176))],
)
def test_pictures_of_any_size(size: tuple[int, int], native: tuple[int, int]) -> None:
    assert native_size(torch.zeros(1, 3, *size)).shape[-2:] == native


def test_frames_of_the_camera_network() -> None:
    assert camera_frames(33) == [4, 8, 12, 16, 20, 24, 28]
    assert len(set(camera_frames(9))) == NUM_CAMERA_PICTURES


def test_one_picture_is_a_clip(detector: Detector, knock_over: WorldClip) -> None:
    seen = detector.observe(render(knock_over, [0])[0])
    assert seen.num_frames == 1
    assert seen.camera_move == "still"
    assert {s.color for s in seen.sightings} <= set(PAINTS)
