"""`sorairo caption` and `sorairo expand`: what they print, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.conftest import Endpoint

from sorairo import cli
from sorairo.media import write_mp4
from sorairo.pipelines.language_model import LanguageModel


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    write_mp4(tmp_path / "clip.mp4", [np.full((32, 48, 3), 90, np.uint8)] * 3, width=48, height=32, fps=8)
    return tmp_path / "clip.mp4"


def test_an_endpoint_describes_clips_with_what_it_costs(
    clip: Path,
    asked: LanguageModel,
    endpoint: Endpoint,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    endpoint.content = "a ball\x1b[31m rolls"
    command = ["caption", str(clip), "--style", "short", "--endpoint", asked.base_url, "--endpoint-model", "eyes"]
    assert cli.run([*command, "--price", "2", "10", "-o", str(tmp_path / "record.jsonl")]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{clip}: a ball [31m rolls\n"
    assert "1 of 1 clips: 100 tokens read, 7 written, " in printed.err
    assert "cost 0.0003" in printed.err
    assert json.loads((tmp_path / "record.jsonl").read_text())["writer"] == "eyes"
    endpoint.statuses = [400]
    assert cli.run(command) == 1
    assert "answered 400" in capsys.readouterr().err


def test_a_captioner_that_is_not_there_is_one_line(
    clip: Path, tiny_captioner: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["caption", str(clip), "--captioner", str(tiny_captioner / "none")]) == 2
    assert "the nearest installed captioner is" in capsys.readouterr().err


def test_an_expansion_is_shown_with_what_it_adds(
    tiny_captioner: Path,
    asked: LanguageModel,
    endpoint: Endpoint,
    capsys: pytest.CaptureFixture[str],
) -> None:
    endpoint.content = "A red ball waits. The scene is set on snow. The camera is still."
    assert cli.run(["expand", "a red ball", "--endpoint", asked.base_url, "--endpoint-model", "m"]) == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == endpoint.content
    assert printed.err.strip() == "note: told in full; added: ground snow, camera still"
    assert cli.run(["expand", "a mauve dragon", "--captioner", str(tiny_captioner)]) == 0
    printed = capsys.readouterr()
    assert printed.out == "a mauve dragon\n"
    assert "it does not know: mauve, dragon; added: nothing" in printed.err
