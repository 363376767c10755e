"""Each filter gives its reason, from the value that is set; the policy's own detectors have the last word."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from sorairo.data.footage_filters import ACCEPTED, REASONS, FilterSettings, rejected
from sorairo.data.ingest import settings_with
from sorairo.media import Frames
from sorairo.safety.detectors import TextDetector, opened

GOOD = {"seconds": 3.0, "light": 0.5, "motion": 0.02, "shake": 0.002, "bars": 0.0, "sharpness": 0.1}
SETTINGS = FilterSettings()


def samples(words: str = "", number: int = 3) -> Frames:
    rough = np.random.default_rng(1).integers(60, 200, (4, 6, 3), np.uint8)
    picture = Image.fromarray(rough).resize((480, 272), Image.Resampling.BICUBIC)
    ImageDraw.Draw(picture).text((40, 220), words, fill="white", font_size=28)
    return np.stack([np.asarray(picture)] * number)


@pytest.mark.parametrize(
    ("measure", "value", "reason"),
    [
        ("seconds", 0.9, "too short"),
        ("light", 0.01, "dark"),
        ("motion", 0.0, "still"),
        ("bars", 0.2, "letterboxed"),
        ("shake", 0.05, "shaky"),
        ("sharpness", 0.001, "blurred"),
    ],
)
def test_each_bound_has_its_reason(measure: str, value: float, reason: str) -> None:
    found = rejected(GOOD | {measure: value}, samples(), "", SETTINGS)
    assert found is not None
    assert found.reason == reason
    assert reason in REASONS
    assert found.detail.startswith(f"{measure} is {value:g}; ")


def test_a_good_shot_is_accepted() -> None:
    assert rejected(GOOD, samples(), "", SETTINGS) is None
    assert ACCEPTED.reason == ""


def test_what_nobody_has_looked_at_is_not_taken() -> None:
    found = rejected(GOOD | {"seconds": 0.4}, samples(number=1)[:0], "", FilterSettings(least_seconds=0.1))
    assert found is not None
    assert found.reason == "too short"


def test_writing_that_stays_is_found() -> None:
    assert opened(TextDetector)
    found = rejected(GOOD, samples("SUBSCRIBE to my channel"), "", SETTINGS)
    assert found is not None
    assert found.reason == "text"
    passing = np.concatenate([samples(number=2), samples("SUBSCRIBE to my channel", number=1)])
    assert rejected(GOOD, passing, "", SETTINGS) is None


def test_the_operators_policy_decides(own_settings: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SORAIRO_HOME", str(tmp_path))
    policy = files("sorairo.safety").joinpath("data/policy.toml").read_text()
    (tmp_path / "policy.toml").write_text(policy + "\n[pictures]\nnudity = 0.0\n")
    found = rejected(GOOD, samples(), "", SETTINGS)
    assert found is not None
    assert found.reason == "policy"
    assert "nudity detector" in found.detail


def test_what_other_rules_found_is_not_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SORAIRO_HOME", str(tmp_path))
    before = SETTINGS.digest
    policy = files("sorairo.safety").joinpath("data/policy.toml").read_text()
    (tmp_path / "policy.toml").write_text(policy + "\n[pictures]\nnudity = 0.0\n")
    stricter = SETTINGS.digest
    monkeypatch.setattr("sorairo.data.footage_filters.opened", lambda kind: None)  # as where no detector is installed
    assert len({before, stricter, SETTINGS.digest}) == 3


def test_settings_are_changed_by_name() -> None:
    changed = settings_with(["least_seconds=2", "most_text=0.5"])
    assert (changed.least_seconds, changed.most_text) == (2.0, 0.5)
    assert changed.digest != SETTINGS.digest == FilterSettings().digest
    with pytest.raises(ValueError, match="nearest known key is 'most_text'"):
        settings_with(["most_texts=1"])
    with pytest.raises(ValueError, match="a bound is set as NAME=NUMBER"):
        settings_with(["most_text=much"])
    with pytest.raises(ValueError, match="a bound is set as NAME=NUMBER"):
        settings_with(["most_text=nan"])
