"""What others rely on: layers, public names, commands, Make targets, and pages that tell the truth about them."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from importlinter.cli import lint_imports

from sorairo.cli import commands

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

COMMANDS = {
    "accounts", "animate", "audit", "blend", "caption", "cinemagraph", "connect", "eval", "expand", "extend",
    "finetune", "forget", "generate", "image", "incident", "ingest", "inpaint", "keys", "lineage", "loop", "models",
    "outpaint", "policy", "recut", "remix", "reports", "reproduce", "serve", "storyboard", "suspend", "takedown",
    "tiers", "train", "vary", "verify", "whence", "worker", "world",
}  # fmt: skip
TARGETS = {
    "bench", "check", "demo", "footage", "gallery", "recaption-study", "safety-report", "scaling-study", "screenshots",
    "setup", "studio", "test", "train", "world",
}  # fmt: skip
PUBLIC = {
    "sorairo.pipelines": {
        "Clip", "Generation", "GenerationError", "ModelBundle", "ModelCard", "Progress", "RefusedError", "VideoRequest",
        "generate", "list_models", "load_bundle", "write_bundle",
    },
    "sorairo.provenance": {
        "EXIT_CODES", "Answer", "Authority", "ClipStore", "Ingredient", "KnownClip", "Manifest", "Origin",
        "SigningError", "Verdict", "home_folder", "open_authority", "sign", "trust_anchors", "verify", "whence",
    },
    "sorairo.safety": {
        "CATEGORIES", "Change", "Context", "Decision", "Finding", "LLMJudge", "PictureContext", "Policy",
        "PromptClassifier", "check_frame", "check_prompt", "check_uploads", "judge_request", "load_policy",
    },
    "sorairo.world": {
        "CAMERA_MOVES", "CLAIM_KINDS", "COLORS", "EVENT_KINDS", "GROUNDS", "HELD_OUT_PAIRS", "LIGHTS", "MATERIALS",
        "SCENARIOS", "SHAPES", "SIZES", "Caption", "Claim", "Event", "Facts", "RenderRequest", "SceneObject", "Style",
        "WorldClip", "caption", "make_clip", "render", "render_many",
    },
}  # fmt: skip
LIGHT_ROOMS = ["cli", "config", "media", "pipelines", "provenance", "safety", "shapes", "world"]
LIGHT_PIPELINES = ["advice", "cards", "progress", "request", "vocabulary"]
LIGHT_MODULES = [f"sorairo.{name}" for name in [*LIGHT_ROOMS, *(f"pipelines.{name}" for name in LIGHT_PIPELINES)]]


def test_imports_point_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_what_a_user_feels_loads_no_torch() -> None:
    imports = "; ".join(f"import {name}" for name in LIGHT_MODULES)
    subprocess.run([sys.executable, "-c", f"{imports}; import sys; assert 'torch' not in sys.modules"], check=True)


@pytest.mark.parametrize("name", PUBLIC)
def test_the_public_surface_is_frozen(name: str) -> None:
    module = importlib.import_module(name)
    assert set(module.__all__) == PUBLIC[name]
    assert all(getattr(module, public) is not None for public in module.__all__)


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    pipelines = importlib.import_module("sorairo.pipelines")
    with pytest.raises(AttributeError, match="no attribute 'genarate'"):
        _ = pipelines.genarate


def test_the_commands_are_frozen() -> None:
    assert set(commands.commands) == COMMANDS


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_explains_itself(name: str) -> None:
    command = commands.commands[name]
    assert command.help
    assert all(option.help for option in command.params if isinstance(option, click.Option))


def test_the_make_targets_exist() -> None:
    text = (ROOT / "Makefile").read_text()
    assert set(re.findall(r"^([a-z-]+):.*", text, re.MULTILINE)) == TARGETS
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony
    assert set(phony[1].split()) == TARGETS


def test_ci_calls_what_the_readme_says() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert {"make check", "make test"} <= set(lines)
    assert "make test" in (ROOT / "README.md").read_text()


def written_commands() -> list[tuple[str, str]]:
    """(page, command line) of every line of a page that starts with sorairo or make."""
    return [
        (page.name, line.strip().split("  ")[0])
        for page in PAGES
        for line in page.read_text().splitlines()
        if re.match(r"(    |\$ )?(sorairo|make) ", line)
    ]


@pytest.mark.parametrize(("page", "line"), written_commands())
def test_pages_name_commands_that_exist(page: str, line: str) -> None:
    words = line.split("#")[0].split()
    if words[0] == "make":
        assert words[1] in TARGETS
        return
    command = commands.commands[words[1]]
    if isinstance(command, click.Group):
        command = command.commands[words[2]]
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}
    assert {word for word in words if word.startswith("-")} <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    if not (ROOT / "docs" / "gallery.md").exists():  # made by `make gallery`, once there are weights to show
        links = [link for link in links if "gallery" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_version_has_one_home() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" in project["dynamic"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", importlib.import_module("sorairo").__version__)
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_licence_is_apache() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
