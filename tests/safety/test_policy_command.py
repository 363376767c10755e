"""`sorairo policy check` explains a decision: as text, as JSON, and by its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sorairo import cli
from sorairo.cli.policy import as_text
from sorairo.safety import Change, Decision, Finding

LISTS_ONLY = """
name = "lists only"
version = 3
layers = ["lists"]
[thresholds]
[judge]
[stricter]
[tiers.standard]
"""


@pytest.fixture
def lists_only(tmp_path: Path) -> str:
    (tmp_path / "mine.toml").write_text(LISTS_ONLY)
    return str(tmp_path / "mine.toml")


def test_a_refusal_says_what_why_and_what_may_change(lists_only: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["policy", "check", "Batman on a bus", "--policy", lists_only]) == 1
    out = capsys.readouterr().out
    assert out.startswith(
        "refused\n  prompt: characters, by the lists (1.00, refused from 1.00); because of 'Batman'\n"
    )
    assert "what you may change: describe a character of your own" in out
    assert "policy: lists only 3 (" in out


def test_what_may_be_made_says_how_it_was_rewritten(lists_only: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["policy", "check", "an iPhone in the rain", "--policy", lists_only]) == 0
    out = capsys.readouterr().out
    assert "allowed with other words\n  prompt: 'iPhone' became 'smartphone'" in out
    assert "  prompt: a smartphone in the rain\n" in out


def test_json_is_the_whole_decision(lists_only: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--policy", lists_only, "--upload", "the face of Donald Trump", "--json"]
    assert cli.run(["policy", "check", "he dances", *options]) == 1
    decision = json.loads(capsys.readouterr().out)
    (finding,) = decision["findings"]
    assert (finding["category"], finding["layer"], finding["where"]) == ("real_people", "lists", "upload")
    assert finding["words"] == ["Donald Trump"]
    assert decision["action"] == "refuse"


@pytest.mark.parametrize("wrong", [["--tier", "gold"], ["--policy", "none.toml"]])
def test_a_wrong_request_is_one_line(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["policy", "check", "a cat", *wrong]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_a_stranger_s_text_cannot_take_over_the_terminal() -> None:
    finding = Finding("hate", "classifier", 0.987, 0.9, ("bad\x1b[2J",), "prompt", "stop")
    assert as_text(Decision("refuse", {}, (finding,))).splitlines()[1] == (
        "  prompt: hate, by the classifier (0.99, refused from 0.90); because of 'bad [2J'"
    )
    change = Change("brands", "prompt", "iPad\x07", "tablet", "plain")
    assert "\x07" not in as_text(Decision("rewrite", {"prompt": "tablet\x07"}, (), (change,)))
