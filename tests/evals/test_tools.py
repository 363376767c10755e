"""The tools' table: a clip that is kept scores like a real one, another's like the floor; and seams by closed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sorairo.evals import tools
from sorairo.evals.tools import Seams, measure_seams, score_tools, seams_line, table, window_seams
from sorairo.pipelines import ModelBundle
from sorairo.pipelines.request import VideoRequest


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
    """Of brightness that rises by 4 into each latent frame, then by 3, 2 and 3, but by 12 into frame 9."""
    rises = np.tile([4, 3, 2, 3], 5)
    rises[8] = 12
    frames = np.concatenate([[0], rises]).cumsum().astype(np.uint8)[:, None, None, None] * np.ones((4, 4, 3), np.uint8)
    assert measure_seams(frames, [9]) == Seams(pixels=12 / 3, motion=9 / 1, borders=12 / 4)
    assert measure_seams(frames, [2]).pixels == 1


def test_a_score_of_seams_comes_with_its_interval() -> None:
    line = seams_line([Seams(1, 1, 1)] * 9 + [Seams(3, 1, 1)])
    assert line.startswith("pixels 1.00 [1.00, 1.00], motion 1.00 [1.00, 1.00], borders 1.00")
    assert seams_line([Seams(1, 1, 1), Seams(2, 1, 1)]).startswith("pixels 1.50 [1.00, 2.00]")


def test_seams_are_where_a_window_begins_to_add() -> None:
    assert window_seams(9) == []
    assert window_seams(20) == [33, 53, 73]
