"""Clips of a folder: their prompts, their rate, what plain words say, and a whole report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sorairo.evals.detector import Detector
from sorairo.evals.folders import at_native_rate, read_prompts, score_folder, words_of
from sorairo.evals.prompts import bench_cases, case_of, held_out_cases
from sorairo.media import write_mp4
from sorairo.world import render


def write(path: Path, frames: np.ndarray, fps: int = 8) -> None:
    write_mp4(path, frames, width=frames.shape[2], height=frames.shape[1], fps=fps)


def test_prompts_come_from_a_list_a_text_or_the_name(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4", "a red ball-0.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "prompts.json").write_text(json.dumps({"a.mp4": "a blue cube"}))
    (tmp_path / "b.txt").write_text("a green cone\n")
    assert read_prompts(tmp_path) == {"a red ball-0.mp4": "a red ball", "a.mp4": "a blue cube", "b.mp4": "a green cone"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1]", "must be an object"),
        ("{", "is no JSON"),
        ('{"a.mp4": 1}', "must"),
        ('{"a": "a blue cube"}', r"a file of .*prompts\.json is 'a'; the nearest is 'a\.mp4'"),
    ],
)
def test_a_wrong_list_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.mp4").touch()
    (tmp_path / "prompts.json").write_text(text)
    with pytest.raises(ValueError, match=words) as error:
        read_prompts(tmp_path)
    assert "\n" not in str(error.value)


def test_a_text_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    (tmp_path / "a.txt").write_bytes(b"a caf\xe9")
    with pytest.raises(ValueError, match=r"a\.txt is no text in UTF-8"):
        read_prompts(tmp_path)


def test_a_folder_without_clips(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(ValueError, match=r"no folder with \.mp4 files"):
            read_prompts(folder)


@pytest.mark.parametrize(
    ("fps", "taken"), [(8, [0, 1, 2, 3]), (16, [0, 2]), (24, [0, 3]), (4, [0, 0, 1, 2, 2, 2, 3, 3])]
)
def test_frames_at_the_native_rate(fps: int, taken: list[int]) -> None:
    frames = np.arange(4, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    assert at_native_rate(frames, fps)[:, 0, 0, 0].tolist() == taken


def test_plain_words() -> None:
    said = {
        str(s)
        for s in words_of("A shiny RED metal ball and two green boxes, in the snow at night; the camera pans left.")
    }
    assert said == {
        "red colour",
        "red sphere shape",
        "green colour",
        "green cube shape",
        "ground snow",
        "light night",
        "camera pan left",
    }
    assert words_of("A cat plays the piano.") == ()


def test_a_folder_of_real_clips_is_at_its_ceiling(tmp_path: Path, detector: Detector) -> None:
    cases = held_out_cases(3)
    (tmp_path / "clips").mkdir()
    for number, case in enumerate(cases):
        write(tmp_path / "clips" / f"{number}.mp4", render(case.clip)[0])
    (tmp_path / "clips" / "prompts.json").write_text(
        json.dumps({f"{n}.mp4": c.caption.text for n, c in enumerate(cases)})
    )
    report = score_folder(tmp_path / "clips", tmp_path / "report")
    assert [result.clip_seed for result in report.prompts] == [case.clip.seed for case in cases]
    rows = {row.fact: row for row in report.scores}
    assert rows["colour"].score >= rows["colour"].ceiling - 0.2 > rows["colour"].floor
    page = (tmp_path / "report" / "evaluation.html").read_text()
    assert page.count("<video") == 3
    assert 'src="../clips/0.mp4"' in page


def test_other_prompts_have_no_ceiling(tmp_path: Path, detector: Detector, capsys: pytest.CaptureFixture[str]) -> None:
    frames = render(held_out_cases(1)[0].clip, range(9))[0]
    for name in ("a red ball.mp4", "a blue cube at night.mp4", "a cat.mp4"):
        write(tmp_path / name, frames)
    report = score_folder(tmp_path, tmp_path / "report")
    told = "nothing can be scored of 1 of 3 prompts, which name nothing known here: 'a cat'"
    assert capsys.readouterr().err == f"note: {told}\n"
    assert {result.kind for result in report.prompts} == {"own"}
    assert all(np.isnan(row.ceiling) and np.isnan(row.fraction) for row in report.scores)
    assert json.loads((tmp_path / "report" / "evaluation.json").read_text())["scores"][0]["ceiling"] is None


def test_every_prompt_of_the_list_is_known_by_its_words() -> None:
    for case in bench_cases(quick=True)[::5]:
        found = case_of(case.caption.text)
        assert found is not None
        assert (found.caption, found.kind, found.clip.seed) == (case.caption, case.kind, case.clip.seed)
    assert case_of("a red ball") is None
