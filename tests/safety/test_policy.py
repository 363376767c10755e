"""The policy is data: read strictly, stricter where it says so, and never laxer where it must not be."""

from __future__ import annotations

from pathlib import Path

import pytest

from sorairo.safety import CATEGORIES, load_policy
from sorairo.safety.policy import Policy

MINE = """
name = "mine"
version = 2
layers = ["lists"]
[thresholds]
sexual = 0.5
sexual_minors = 0.4
[judge]
[stricter]
upload = 0.5
[tiers.standard]
[tiers.lax]
sexual = 0.8
sexual_minors = 1.0
"""


def written(folder: Path, text: str) -> Policy:
    (folder / "policy.toml").write_text(text)
    return load_policy(folder / "policy.toml")


def test_the_policy_is_on_when_nobody_chose_one() -> None:
    policy = load_policy()
    assert {"lists", "classifier"} <= set(policy.layers)
    assert all(0 < policy.threshold(category, "standard") < 1 for category in CATEGORIES)


def test_without_the_reader_another_policy_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    found, known = [], load_policy()
    for package in ("numpy", "none_of_that_name"):
        monkeypatch.setattr("sorairo.safety.policy.READER_PACKAGE", package)
        found.append(load_policy())
    whole, small = found
    assert (whole.name, small.name) == ("sorairo-default", "sorairo-small")
    assert set(whole.layers) - set(small.layers) == {"reader"}
    assert whole.digest != small.digest
    assert (whole.tiers, whole.stricter) == (small.tiers, small.stricter)
    assert known in found


@pytest.mark.parametrize("situation", ["upload", "public", "minors"])
def test_uploads_feeds_and_minors_are_stricter(situation: str) -> None:
    policy = load_policy()
    for category in CATEGORIES:
        assert policy.threshold(category, "standard", [situation]) < policy.threshold(category, "standard")


def test_tiers_have_their_own_thresholds(tmp_path: Path) -> None:
    policy = written(tmp_path, MINE)
    assert policy.threshold("sexual", "lax") == 0.8
    assert policy.threshold("sexual", "lax", ["upload"]) == 0.4
    assert policy.threshold("hate", "lax") > 1


def test_no_tier_relaxes_what_protects_children(tmp_path: Path) -> None:
    assert written(tmp_path, MINE).threshold("sexual_minors", "lax") == 0.4


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("sexual = 0.5", "sexy = 0.5", "unknown name 'sexy'; the nearest is 'sexual'"),
        ("sexual = 0.5", "sexual = 5", "sexual is 5; it must be a number from 0 to 1"),
        ('["lists"]', '["list"]', "unknown name 'list'; the nearest is 'lists'"),
        ("tiers.standard", "tiers.plain", "tiers has no 'standard'"),
        ("version = 2", "version = 2\ncolour = 1", "unknown key 'colour'"),
        ('["lists"]', '["lists", "reader"]', "layers has 'reader' without 'classifier'"),
        ("version = 2", "version =", "cannot be read"),
    ],
)
def test_what_is_not_understood_is_an_error(tmp_path: Path, before: str, after: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        written(tmp_path, MINE.replace(before, after))


def test_an_unknown_tier_is_an_error() -> None:
    with pytest.raises(ValueError, match="tier is 'trustd'; the nearest known one is 'trusted'"):
        load_policy().threshold("sexual", "trustd")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the policy cannot be read"):
        load_policy(tmp_path / "none.toml")
