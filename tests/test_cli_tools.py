"""The tools' commands: each makes its file, every mistake is one line and leaves none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sorairo import cli
from sorairo.media import read_any, write_mp4, write_png
from sorairo.pipelines.styles import CAMERA_WORDS, dressed
from sorairo.provenance import verify
from sorairo.world import CAMERA_MOVES

SMALL = ["--size", "64x32"]
STORY = 'seconds = 1\nsize = [64, 32]\n[[card]]\ntext = "a ball"\n[[card]]\ntime = 0.5\nfile = "picture.png"\n'


@pytest.fixture
def files(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a signed clip, a picture, a mask and a storyboard."""
    monkeypatch.chdir(tmp_path)
    assert run("generate", "a red ball", *SMALL, "--seconds", "1", "-o", "clip.mp4", model=tiny_model) == 0
    frames = read_any("clip.mp4")[0]
    write_png("picture.png", frames[0])
    write_png(
        "mask.png", np.where(np.arange(64)[None, :, None] < 32, 0, 255).repeat(32, 0).repeat(3, 2).astype(np.uint8)
    )
    Path("story.toml").write_text(STORY)
    return tmp_path


def run(*arguments: str, model: Path) -> int:
    return cli.run([*arguments, "--steps", "2", "--guidance", "1", "--model", str(model)])


@pytest.mark.parametrize(
    ("words", "num_frames"),
    [
        (["animate", "picture.png", "it moves", "--seconds", "1", "--last", "picture.png"], 9),
        (["extend", "clip.mp4", "--seconds", "0.5", "--camera", "orbit left"], 13),
        (["extend", "clip.mp4", "--seconds", "0.5", "--backward"], 13),
        (["loop", "clip.mp4", "--seconds", "0.5"], 13),
        (["connect", "clip.mp4", "clip.mp4", "--seconds", "1"], 25),
        (["blend", "clip.mp4", "clip.mp4", "--curve", "0:0,0.5:1,1:0"], 9),
        (["remix", "clip.mp4", "snow", "--strength", "0.5", "--style", "night"], 9),
        (["storyboard", "story.toml"], 9),
        (["recut", "clip.mp4", "--start", "0.5", "--end", "1", "--after", "0.5"], 9),
        (["inpaint", "clip.mp4", "a cube", "--mask", "mask.png"], 9),
        (["outpaint", "clip.mp4", "--size", "96x64"], 9),
        (["cinemagraph", "picture.png", "it moves", "--mask", "mask.png", "--seconds", "1"], 9),
        (["image", "a cube", *SMALL], 1),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_every_tool_makes_its_file(
    words: list[str], num_frames: int, files: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run(*words, model=tiny_model) == 0
    (name,) = capsys.readouterr().out.splitlines()
    assert name.startswith(words[0])
    assert len(read_any(files / name)[0]) == num_frames
    assert verify(files / name).state == "trusted"


def test_variations_have_their_seeds_in_their_names(files: Path, tiny_model: Path) -> None:
    words = ["generate", "a", *SMALL, "--seconds", "1", "--num-variations", "2", "--seed", "7", "-o", "v.mp4"]
    assert run(*words, model=tiny_model) == 0
    assert sorted(path.name for path in files.glob("v*.mp4")) == ["v-7.mp4", "v-8.mp4"]


def test_all_names_of_variations_are_looked_at_before_the_first_is_made(files: Path, tiny_model: Path) -> None:
    (files / "v-1.mp4").touch()
    assert run("generate", "a", *SMALL, "--seconds", "1", "--num-variations", "2", "-o", "v.mp4", model=tiny_model) == 2
    assert not (files / "v-0.mp4").exists()


def test_a_clips_own_prompt_is_dressed_and_its_rate_raised(files: Path, tiny_model: Path) -> None:
    dress = ["--style", "night", "--camera", "rise", "--fps", "16"]
    assert run("extend", "clip.mp4", "--seconds", "0.5", *dress, "-o", "e.mp4", model=tiny_model) == 0
    asked = verify(files / "e.mp4").facts["request"]
    assert (asked["prompt"], asked["fps"]) == ("a red ball, at night, the camera rises", 16)
    assert len(read_any("e.mp4")[0]) == 25


def test_reproduce_says_whether_the_frames_are_the_same(
    files: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("extend", "clip.mp4", "--seconds", "0.5", "-o", "longer.mp4", model=tiny_model) == 0
    assert cli.run(["reproduce", "longer.mp4", "--model", str(tiny_model)]) == 0
    assert "the same: all 13 frames are equal" in capsys.readouterr().out
    assert cli.run(["whence", "longer.mp4"]) == 0
    assert "longer.mp4, made" in capsys.readouterr().out  # and not the copy that was compared, which is gone
    (files / "longer.mp4").rename("longer")
    assert cli.run(["reproduce", "longer", "--model", str(tiny_model)]) == 0
    assert "the same: all" in capsys.readouterr().out
    write_mp4(files / "plain.mp4", read_any("clip.mp4")[0], width=64, height=32, fps=8)
    assert cli.run(["reproduce", "plain.mp4"]) == 2
    assert "plain.mp4 has no credentials that hold (none)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["inpaint", "clip.mp4", "--mask", "small.png"], "mask small.png is 16x16; it must have the source's"),
        (["extend", "text.mp4"], "text.mp4 is neither a video nor a png"),
        (["animate", "huge.png", "a"], "huge.png cannot be used: it has more than 33554432 pixels"),
        (["remix", "clip.mp4", "a", "--strength", "1.2"], "error: --strength is 1.2"),
        (["recut", "clip.mp4", "--end", "1", "--before", "0.3", "--after", "1"], "error: --before is 0.3; it must be"),
        (["blend", "clip.mp4", "clip.mp4", "--curve", "mxi"], "error: --curve is 'mxi'; known are"),
        (["extend", "clip.mp4", "--negative", "x" * 9000], "error: --negative has 9000 characters"),
        (["outpaint", "clip.mp4", "--size", "96x64", "--place", "90", "0"], "error: --place: left is 90"),
        (["animate", "picture.png", "a", "--at", "0", "picture.png"], "two cannot hold one frame"),
        (["loop", "clip.mp4", "--seconds", "0"], "seconds is 0; it must be above 0"),
        (["generate", "a", "--style", "nihgt"], "style is 'nihgt'"),
        (["generate", "a", "--camera", "orbit lef"], "the nearest is 'orbit left'"),
        (["blend", "clip.mp4", "clip.mp4", "--curve", "0:x"], "curve is '0:x'; it is a preset or points"),
        (["storyboard", "twixe.toml"], "twixe.toml; there is no such file: the nearest there is twice.toml"),
        (["outpaint", "clip.mp4", "--size", "32x48"], "size is 32x48; what lies in it is 64x32: the nearest is 64x48"),
        (["storyboard", "twice.toml"], "twice.toml: two cards have a text at 0 s"),
        (["storyboard", "early.toml"], "early.toml: the card at -1 s must have a text or a file, at 0 s or later"),
        (["storyboard", "empty.toml"], "empty.toml: the card at 2 s must have a text or a file"),
        (["image", "a", "--fps", "61"], "error: --fps is 61; it must lie between 8 and 60"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line_and_no_file(
    words: list[str], message: str, files: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("text.mp4").write_text("no video")
    for name, cards in (("twice", ({}, {})), ("early", ({"time": -1},)), ("empty", ({}, {"time": 2, "text": ""}))):
        told = [f'[[card]]\ntime = {one.get("time", 0)}\ntext = "{one.get("text", "a")}"\n' for one in cards]
        Path(f"{name}.toml").write_text("".join(told))
    write_png("small.png", np.zeros((16, 16, 3), np.uint8))
    Path("huge.png").write_bytes(huge_png(40_000))
    before, _ = sorted(files.iterdir()), capsys.readouterr()
    assert run(*words, "-o", "out.mp4", model=tiny_model) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1
    assert sorted(files.iterdir()) == before


def test_recut_says_what_was_taken_where_that_is_not_what_was_asked_for(
    files: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert run("recut", "clip.mp4", "--start", "0.3", "--end", "1", "-o", "a.mp4", model=tiny_model) == 0
    said = "note: 0.25 to 1 s are kept, with 0 s made before them and 0.25 s after"
    assert said in capsys.readouterr().err.splitlines()
    assert run("recut", "clip.mp4", "--start", "0.5", "--end", "1", "-o", "b.mp4", model=tiny_model) == 0
    assert "are kept" not in capsys.readouterr().err


def huge_png(side: int) -> bytes:
    """The head of a picture that claims to be as large as that."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b"")


def test_own_styles_come_from_the_settings(own_settings: Path) -> None:
    own_settings.mkdir(exist_ok=True)
    (own_settings / "styles.toml").write_text('rain = "{prompt} in the rain"\nnight = "at midnight, {prompt}"\n')
    try:
        assert dressed("a ball", "rain", "zoom in") == "a ball in the rain, the camera zooms in"
        assert dressed("a ball", "night") == "at midnight, a ball"
        assert dressed("", "night") == "at midnight"
        (own_settings / "styles.toml").write_text('rain = "wet"\n')
        with pytest.raises(ValueError, match=r"rain is 'wet'; a style is a text that holds \{prompt\}"):
            dressed("a ball", "rain")
    finally:
        (own_settings / "styles.toml").unlink()


def test_every_camera_move_of_the_world_has_words() -> None:
    assert set(CAMERA_WORDS) == set(CAMERA_MOVES)
