"""`sorairo whence`: what it prints, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sorairo import cli
from sorairo.media import write_mp4
from sorairo.provenance import ClipStore, KnownClip
from sorairo.provenance.fingerprint import fingerprint
from sorairo.provenance.watermark import Watermark


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, without credentials, of a clip that this machine knows."""
    monkeypatch.setenv("SORAIRO_HOME", str(tmp_path / "home"))
    rough = np.random.default_rng(0).integers(60, 200, (4, 6, 3), np.uint8)
    soft = np.asarray(Image.fromarray(rough).resize((160, 96), Image.Resampling.BICUBIC))
    marked = Watermark(0x00ABCDEF1, 160, 96).mark(soft)
    write_mp4(tmp_path / "copy.mp4", [marked] * 5, width=160, height=96, fps=8)
    known = KnownClip(
        0x00ABCDEF1, "a \x1b[31mball.mp4", "m", "2026-01-01T00:00:00Z", fingerprint(tmp_path / "copy.mp4")
    )
    ClipStore().add(known)
    return tmp_path / "copy.mp4"


def test_a_copy_is_named_with_its_evidence(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["whence", str(copy)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("a  [31mball.mp4, made 2026-01-01T00:00:00Z: by its watermark (score ")
    assert "likeness (" in line
    assert cli.run(["whence", str(copy), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["credentials"] == "none"
    assert answer["origins"][0]["identity"] == "000abcdef1"[1:]


def test_a_stranger_has_another_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_mp4(tmp_path / "b.mp4", [np.full((96, 160, 3), 90, np.uint8)] * 2, width=160, height=96, fps=8)
    assert cli.run(["whence", str(tmp_path / "b.mp4")]) == 5
    assert "no clip that is known here" in capsys.readouterr().out
    assert cli.run(["whence", str(tmp_path / "none.mp4")]) == 2
    assert "does not exist" in capsys.readouterr().err
