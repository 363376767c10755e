"""The commands for footage: what they print, and that a mistake is one line and exit code 2."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sorairo import cli
from sorairo.media import write_mp4


def test_a_folder_becomes_a_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "footage").mkdir()
    grey = [np.full((32, 32, 3), value, np.uint8) for value in (60, 90, 120)]
    write_mp4(tmp_path / "footage" / "a.mp4", grey, width=32, height=32, fps=12)
    command = ["ingest", str(tmp_path / "footage"), "--out", str(tmp_path / "set")]
    assert cli.run(command) == 0
    told = capsys.readouterr()
    assert "| licence | 1 |" in told.out
    assert cli.run([*command, "--allow-unknown-licence"]) == 0
    told = capsys.readouterr()
    assert "| too short | 1 |" in told.out
    assert told.err.splitlines()[:2] == ["footage 0/1", "footage 1/1  0 min left"]
    assert cli.run([*command, "--allow-unknown-licence", "--set", "least_seconds=0.1"]) == 0
    assert "| least_seconds | 0.1 |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ingest", "nowhere", "--out", "set"], "error: footage is 'nowhere'; there is no such folder or list"),
        (["ingest", ".", "--out", "set", "--set", "most_bar=1"], "nearest known key is 'most_bars'"),
        (
            ["finetune", "sorairo-base", "nowhere", "--out", "own", "--steps", "0"],
            "error: --steps is 0; the nearest possible is 1",
        ),
        (["finetune", "no-model", "nowhere", "--out", "own"], "error: model is 'no-model'"),
        (["lineage", "nothing.mp4"], "nothing.mp4 does not exist"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.run(arguments) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert words in told[0]
    assert list(tmp_path.iterdir()) == []
