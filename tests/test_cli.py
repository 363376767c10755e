"""The command line: what it prints, what it returns, and one clear line for every mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import sorairo
from sorairo import cli
from sorairo.cli.making import Output
from sorairo.media import check_output, read_video
from sorairo.pipelines import VideoRequest
from sorairo.provenance import verify

SMALL = ["--size", "64x32", "--seconds", "1", "--steps", "3"]
PROMPT = "a red ball"


@pytest.fixture
def generate(tiny_model: Path, tmp_path: Path) -> Callable[..., int]:
    """Runs `sorairo generate` with the tiny model; later options win over the small defaults."""

    def run(prompt: str = PROMPT, *options: str, output: Path = tmp_path / "a.mp4") -> int:
        return cli.run(["generate", prompt, "-o", str(output), "--model", str(tiny_model), *SMALL, *options])

    return run


@pytest.fixture
def error(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """The one line on stderr, and nothing else anywhere."""

    def read() -> str:
        captured = capsys.readouterr()
        lines = captured.err.splitlines()
        assert captured.out == ""
        assert len(lines) == 1
        assert lines[0].startswith("error: ")
        return lines[0]

    return read


def run_alone(*arguments: str, before: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, with Python lines to run `before` it."""
    program = f"{before}\nimport sys\nfrom sorairo.cli import run\nsys.exit(run({list(arguments)!r}))"
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )


def test_generate_writes_a_signed_clip(
    generate: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate() == 0
    captured = capsys.readouterr()
    assert captured.out == f"{tmp_path / 'a.mp4'}\n"
    assert "9 frames of 64x32 at 8 per second, signed; loading" in captured.err
    assert verify(tmp_path / "a.mp4").state == "trusted"


def test_generate_takes_every_option(
    generate: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--size", "32x64", "--seconds", "1.5", "--seed", "7", "--steps", "2", "--guidance", "1"]
    assert generate(PROMPT, *options, "--negative", "snow", "--preview") == 0
    assert "▀" not in capsys.readouterr().err  # which is no terminal here
    asked = verify(tmp_path / "a.mp4").facts["request"]
    assert (asked["width"], asked["height"], asked["seconds"], asked["seed"]) == (32, 64, 1.5, 7)
    assert (asked["num_inference_steps"], asked["guidance_scale"], asked["negative_prompt"]) == (2, 1.0, "snow")
    assert read_video(tmp_path / "a.mp4")[0].shape == (13, 64, 32, 3)


@pytest.mark.parametrize("prompt", ["🔴🎳", "une balle rouge", "-", "a\nb", "[bold]a ball[/bold]"])
def test_every_sign_is_accepted(generate: Callable[..., int], tmp_path: Path, prompt: str) -> None:
    assert generate(prompt) == 0
    assert verify(tmp_path / "a.mp4").facts["request"]["prompt"] == prompt


@pytest.mark.parametrize("prompt", ["赤い球が転がる", "كرة"])
def test_a_script_that_the_policy_cannot_read_is_refused(
    generate: Callable[..., int], tmp_path: Path, prompt: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(prompt) == 2
    assert "error: prompt: refused as unreadable" in capsys.readouterr().err
    assert not (tmp_path / "a.mp4").exists()


def test_unknown_words_are_a_note(generate: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert generate("a red dragon") == 0
    assert "was not trained on: dragon. It knows balls and cubes." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([""], "prompt is empty"),
        (["x" * 50_000], "prompt has 50000 characters; at most 8000"),
        ([PROMPT, "--size", "100x100"], "size is 100x100; .* the nearest is 96x96"),
        ([PROMPT, "--size", "large"], "size is 'large'; it must be WIDTHxHEIGHT"),
        ([PROMPT, "--seconds", "0"], "error: --seconds is 0; .* the nearest is 0.5"),
        ([PROMPT, "--seconds", "100000"], "seconds is 100000; .* the nearest is 60"),
        ([PROMPT, "--seconds", "long"], "'long' is not a valid float"),
        ([PROMPT, "--seed", "-1"], "error: --seed is -1; .* the nearest is 0"),
        ([PROMPT, "--steps", "0"], "error: --steps is 0; .* the nearest is 1"),
        ([PROMPT, "--guidance", "99"], "error: --guidance is 99.0; .* the nearest is 30"),
        ([PROMPT, "--sed", "1"], "No such option.*--seed"),
        ([PROMPT, "--model", "none"], "model is 'none'"),
    ],
)
def test_a_wrong_request_is_one_line(
    generate: Callable[..., int], error: Callable[[], str], tmp_path: Path, options: list[str], words: str
) -> None:
    import re

    assert generate(*options) == 2
    assert re.search(words, error())
    assert list(tmp_path.iterdir()) == []


def test_a_prompt_of_broken_bytes_is_one_line(generate: Callable[..., int], error: Callable[[], str]) -> None:
    assert generate(os.fsdecode(b"a \xff ball")) == 2
    assert "not valid Unicode" in error()


def test_a_folder_that_is_not_there_is_one_line(
    generate: Callable[..., int], error: Callable[[], str], tmp_path: Path
) -> None:
    assert generate(output=tmp_path / "none" / "a.mp4") == 2
    assert "there is no folder" in error()


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that nobody may write to")
def test_an_unwritable_folder_is_one_line(generate: Callable[..., int], error: Callable[[], str]) -> None:
    assert generate(output=Path("/proc/a.mp4")) == 2
    assert "nothing can be written there" in error()


def test_an_existing_file_is_kept_unless_told(
    generate: Callable[..., int], error: Callable[[], str], tmp_path: Path
) -> None:
    (tmp_path / "a.mp4").write_bytes(b"old")
    assert generate() == 2
    assert "it exists already" in error()
    assert (tmp_path / "a.mp4").read_bytes() == b"old"
    assert generate(PROMPT, "--overwrite") == 0
    assert (tmp_path / "a.mp4").read_bytes() != b"old"


@pytest.mark.parametrize("name", ["config.json", "card.json", "video_vae.safetensors", "dit.safetensors"])
@pytest.mark.parametrize("broken", [True, False])
def test_a_broken_or_missing_weights_file_is_one_line(
    tiny_model: Path, tmp_path: Path, error: Callable[[], str], name: str, broken: bool
) -> None:
    import shutil

    model = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    if broken:
        (model / name).write_bytes((model / name).read_bytes()[:-50])
    else:
        (model / name).unlink()
    assert cli.run(["generate", PROMPT, "-o", str(tmp_path / "a.mp4"), "--model", str(model), *SMALL]) == 2
    assert name in error()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs the limits of a process")
def test_a_full_disk_in_mid_write_is_one_line_and_the_next_run_goes_on(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The system refuses to write on after some bytes of each file: as a full disk does, without mounting one."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))"
    for name in ("temporary", "out"):
        (tmp_path / name).mkdir()
    output = tmp_path / "out" / "a.mp4"
    places = {"TMPDIR": str(tmp_path / "temporary"), "SORAIRO_HOME": str(tmp_path / "home")}
    command = ["generate", PROMPT, "-o", str(output), "--model", str(tiny_model), *SMALL, "--size", "128x128"]
    full = run_alone(*command, before=limit, **places)
    assert (full.returncode, full.stdout) == (1, "")
    notes = [line for line in full.stderr.splitlines() if not line.startswith("note: ")]
    assert len(notes) == 1
    assert notes[0].startswith("error: ")
    assert "File too large" in notes[0]
    assert [path for path in tmp_path.rglob("*") if "mp4" in path.name] == []
    assert len(list((tmp_path / "home" / "unfinished").glob("*/*"))) == 1

    monkeypatch.setenv("SORAIRO_HOME", places["SORAIRO_HOME"])
    assert cli.run(command) == 0
    assert "sampling" not in capsys.readouterr().err
    assert list((tmp_path / "home" / "unfinished").iterdir()) == []


def test_verify_prints_what_it_found(
    generate: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generate()
    capsys.readouterr()
    assert cli.run(["verify", str(tmp_path / "a.mp4")]) == 0
    text = capsys.readouterr().out
    assert text.startswith("trusted\n")
    assert "\n  model: tiny\n" in text
    assert "\n  request:\n    fps: 8\n" in text
    assert f"\n    prompt: {PROMPT}\n" in text
    assert "\n    visible_mark: true\n" in text
    assert "negative_prompt" not in text, "what is empty says nothing"
    assert cli.run(["verify", "--json", str(tmp_path / "a.mp4")]) == 0
    assert json.loads(capsys.readouterr().out)["facts"]["request"]["prompt"] == PROMPT


def test_files_of_a_request_and_parents_are_told_farther_in(
    generate: Callable[..., int], tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generate()
    loop = ["loop", str(tmp_path / "a.mp4"), "--seconds", "0.5", "-o", str(tmp_path / "b.mp4"), "--steps", "2"]
    assert cli.run([*loop, "--model", str(tiny_model)]) == 0
    capsys.readouterr()
    assert cli.run(["verify", str(tmp_path / "b.mp4")]) == 0
    text = capsys.readouterr().out
    assert "  request:\n    anchor:\n      material:\n        path: a.mp4\n" in text
    assert "  parent:\n    title: a.mp4\n" in text
    assert not set("{}'") & set(text)


def test_a_changed_byte_of_media_is_found(
    generate: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generate()
    clip = tmp_path / "a.mp4"
    content = bytearray(clip.read_bytes())
    content[content.index(b"mdat") + 100] ^= 1
    clip.write_bytes(content)
    assert cli.run(["verify", str(clip)]) == 4
    assert "invalid" in capsys.readouterr().out


def test_verify_of_an_unsigned_or_missing_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], error: Callable[[], str]
) -> None:
    assert cli.run(["world", "--seconds", "0.5", "--size", "64x64", "-o", str(tmp_path / "w.mp4")]) == 0
    assert cli.run(["verify", str(tmp_path / "w.mp4")]) == 5
    assert "none\n" in capsys.readouterr().out
    assert cli.run(["verify", str(tmp_path / "none.mp4")]) == 2
    assert "does not exist" in error()


def test_world_prints_the_caption_of_its_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["world", "--seed", "5", "--seconds", "0.5", "--size", "64x48", "-o"]
    texts, clips = [], []
    for name in ("a.mp4", "b.mp4"):
        assert cli.run([*command, str(tmp_path / name)]) == 0
        texts.append(capsys.readouterr().out)
        clips.append((tmp_path / name).read_bytes())
    assert cli.run([*command, str(tmp_path / "a.mp4")]) == 2
    assert "it exists already" in capsys.readouterr().err
    assert cli.run([*command, str(tmp_path / "a.mp4"), "--overwrite"]) == 0
    assert texts[0] == texts[1] != "\n"
    assert clips[0] == clips[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["generat"], "there is no command 'generat'; the nearest is 'generate'"),
        (["generate"], "Missing argument 'PROMPT'"),
        (
            ["train", "recipes/smok.toml"],
            "there is no such file: the nearest there is recipes/smoke.toml",
        ),
        (["train", "none/a.toml"], "recipe is none/a.toml; there is no such file"),
        (["world", "--size", "30x30"], "width is 30"),
        (["world", "-o", "w.txt"], "error: --output is w.txt; a clip is an .mp4 file: the nearest name is w.mp4"),
        (["generate", "a", "-o", "."], "error: --output is ., a folder; name a file in it, such as clip.mp4"),
        (["whence", "none.mp4", "--store", "none"], "store is none; there is no such file"),
        (["world", "--split", "tset"], "'tset' is not one of 'train', 'test', 'novel'"),
        (["eval", "--model", "none"], "model is 'none'"),
        (["eval", "--clips", "none"], "clips is none; there is no folder with .mp4 files"),
    ],
)
def test_other_mistakes_are_one_line(arguments: list[str], words: str, error: Callable[[], str]) -> None:
    assert cli.run(arguments) == 2
    assert words in error()


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([]) == 0
    assert "Commands:" in capsys.readouterr().out


def test_models_lists_what_is_installed(shipped_model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["models"]) == 0
    assert shipped_model in capsys.readouterr().out


def test_the_default_name_comes_from_prompt_and_seed() -> None:
    for prompt, name in (("A red ball, rolling: to the left & away", "a-red-ball-rolling-to-the-5"), ("🔴", "5")):
        request = VideoRequest(prompt, seed=5)
        assert str(Output("generate", None, False, False).named(request)) == f"{name}.mp4"
        assert str(Output("image", None, False, False).named(replace(request, still=True))) == f"image-{name}.png"


def test_long_words_leave_room_for_the_seed_and_for_temporary_names(tmp_path: Path) -> None:
    for prompt in ("indistinguishable " * 6, " ".join(sign * 15 for sign in "abcdef"), "红" * 100, "ж" * 100):
        for number in (0, 2**64 - 1):
            name = Output("generate", None, False, False).named(VideoRequest(prompt, seed=number)).name
            assert name.endswith(f"-{number}.mp4")
            assert len(name) <= 84
            assert check_output(tmp_path / name, overwrite=False) == tmp_path / name


def test_what_strangers_wrote_cannot_drive_the_terminal() -> None:
    assert cli.printable("a\x1b[2Jb\n\tc\u202e") == "a [2Jb c "


def test_interrupting_is_no_traceback(tiny_model: Path, tmp_path: Path) -> None:
    interrupted_sampling = textwrap.dedent("""
        import os, signal
        import sorairo.pipelines.sampling as sampling
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background inherits it ignored
        noise = sampling.initial_noise
        def interrupt(*arguments, **others):
            os.kill(os.getpid(), signal.SIGINT)
            return noise(*arguments, **others)
        sampling.initial_noise = interrupt
    """)
    command = ["generate", PROMPT, "-o", str(tmp_path / "a.mp4"), "--model", str(tiny_model), "--steps", "200"]
    stopped = run_alone(*command, before=interrupted_sampling)
    assert (stopped.returncode, stopped.stderr.splitlines()[-1]) == (130, "error: interrupted")
    assert list(tmp_path.iterdir()) == []


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    """Processor time, since the clock also counts what else the machine does."""
    import resource

    heavy = "{'torch', 'numpy', 'numba', 'rich'} & {*sys.modules}"
    check = f"import atexit, sys; atexit.register(lambda: print(sorted({heavy})))"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    shown = run_alone("--help", before=check)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert shown.stdout.splitlines()[-1] == "[]"
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.3


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"sorairo, version {sorairo.__version__}\n"
