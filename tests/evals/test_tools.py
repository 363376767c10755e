"""The tools' table: a clip that is kept scores like a real one, another's like the floor; and seams by closed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sorairo.evals import tools
from sorairo.evals.tools import Seams, measure_seams, score_tools, table, window_seams
from sorairo.pipelines import ModelBundle, load_bundle
from sorairo.pipelines.request import VideoRequest


@pytest.fixture(scope="module")
def bundle(tiny_model: Path) -> ModelBundle:
    return load_bundle(str(tiny_model), torch.device("cpu"))


def test_what_keeps_everything_is_at_the_ceiling(bundle: ModelBundle, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {
        "keeps": lambda files, prompt: tools.tools.remix(files.clip, prompt, 0.0),
        "noise": lambda _, prompt: VideoRequest(prompt, num_inference_steps=1, guidance_scale=1.0),
    }
    monkeypatch.setattr(tools, "TOOLS", kept)
    scores = score_tools(bundle, 4)
    assert all(score.fraction == 1 for score in scores["keeps"] if score.floor < score.ceiling)
    assert any(score.fraction < 0.5 for score in scores["noise"])
    printed = table(scores).splitlines()
    assert printed[0].startswith("| tool | colour | shape")
    assert printed[2].startswith("| keeps | 1.00 ")


def test_every_tool_builds_a_request(tmp_path: Path) -> None:
    real, files = tools._written(tools.held_out_cases(2), tmp_path)
    requests = {name: build(files[0], "a ball") for name, build in tools.TOOLS.items()}
    assert all(request.shape.num_frames == len(real[0]) for request in requests.values())
    assert len({request.to_json() for request in requests.values()}) == len(requests)


def test_a_jump_is_told_from_motion() -> None:
    ramp = np.arange(20, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    assert measure_seams(ramp, [10]) == Seams(1, 1, 0, 0)
    ramp[10:] += 9
    assert measure_seams(ramp, [10]) == Seams(10, 1, 9, 0)


def test_seams_are_where_a_window_begins_to_add() -> None:
    assert window_seams(9) == []
    assert window_seams(20) == [33, 57]
