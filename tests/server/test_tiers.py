"""Tiers: data that an installation may replace, and a price that grows with what is asked."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from sorairo.server.tiers import Tiers, check, load_tiers, price


def test_the_price_is_sora_s_for_its_smallest_clip() -> None:
    assert price(480, 480, 5) == 20
    assert price(480, 480, 10) == 40
    assert price(160, 96, 0.5) == 1


def test_higher_tiers_allow_more() -> None:
    tiers = Tiers()
    ladder = [tiers.free, tiers.plus, tiers.pro]
    fields = ("concurrent", "waiting", "pixels", "seconds", "credits", "priority", "variations", "requests")
    for field in (*fields, "upload_bytes"):
        limits = [getattr(tier, field) for tier in ladder]
        assert limits == sorted(limits)
        assert limits[0] < limits[-1]


def test_what_is_over_the_limit_is_told_by_name() -> None:
    check(Tiers().free, 480, 480, 5)
    with pytest.raises(ValueError, match=r"size is 1280x720; .* at most 409920 pixels"):
        check(Tiers().free, 1280, 720, 5)
    with pytest.raises(ValueError, match=r"seconds is 8; .* at most 5"):
        check(Tiers().free, 480, 480, 8)


def test_an_installation_replaces_what_it_names(tmp_path: Path) -> None:
    assert load_tiers(tmp_path) == Tiers()
    limits = "concurrent = 9\nwaiting = 9\npixels = 9\nseconds = 9\ncredits = 9\n"
    (tmp_path / "tiers.toml").write_text(f"[plus]\n{limits}")
    tiers = load_tiers(tmp_path)
    assert tiers.plus.concurrent == 9
    assert tiers.pro == Tiers().pro


def test_an_unknown_tier_or_limit_is_told(tmp_path: Path) -> None:
    assert Tiers().named("red-team") is Tiers().named("red_team")
    with pytest.raises(ValueError, match="nearest is 'pro'"):
        Tiers().named("prp")
    (tmp_path / "tiers.toml").write_text("[gold]\n")
    with pytest.raises(ValueError, match="unknown key 'gold'"):
        load_tiers(tmp_path)


@pytest.mark.parametrize("line", ["requests = 0", "concurrent = 0", "waiting = -1"])
def test_a_limit_that_stops_everything_is_told(tmp_path: Path, line: str) -> None:
    limits = "concurrent = 9\nwaiting = 9\npixels = 9\nseconds = 9\ncredits = 9\npriority = -1\n"
    limits = "".join(one for one in limits.splitlines(True) if line.split()[0] not in one) + line
    (tmp_path / "tiers.toml").write_text(f"[plus]\n{limits}")
    with pytest.raises(ValueError, match=rf"tiers.toml.plus.{line.replace('=', 'is')}; the least is"):
        load_tiers(tmp_path)


LIMITS = "concurrent = 9\nwaiting = 9\npixels = 9\nseconds = 9\ncredits = 9\n"


def test_a_policy_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is the operator's own policy, if there is one, and the tiers that the file names."""
    monkeypatch.setenv("SORAIRO_HOME", str(tmp_path))
    (tmp_path / "tiers.toml").write_text(f'[plus]\n{LIMITS}policy = "read_team"\n')
    with pytest.raises(ValueError, match=r"tiers.toml.plus.policy is 'read_team'; the nearest is 'red_team'$"):
        load_tiers(tmp_path)
    usual = (files("sorairo.safety") / "data" / "policy.toml").read_text()
    (tmp_path / "policy.toml").write_text(usual.replace("[tiers.red_team]", "[tiers.read_team]"))
    assert load_tiers(tmp_path).plus.policy == "read_team"
    assert load_tiers(tmp_path).red_team.policy == "red_team", "nobody asked for it here"
