"""Every layer broken in turn on the main path: nothing is made, nothing is left, and the reason is said."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch

from sorairo.pipelines import ModelBundle, RefusedError, VideoRequest, generate, policy
from sorairo.provenance import verify
from sorairo.safety import load_policy
from sorairo.safety.classifier import FILE, READER_FILE
from sorairo.safety.word_lists import load_word_lists

SHIPPED = Path(load_policy.__code__.co_filename).parent / "data" / "policy.toml"
REQUEST = VideoRequest(
    "a red ball", width=64, height=32, seconds=1.0, num_inference_steps=2, guidance_scale=1.0, model="tiny"
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings of its own, with what was opened before forgotten."""
    monkeypatch.setenv("SORAIRO_HOME", str(tmp_path / "home"))
    for opened in (policy._classifier, policy._reader, policy.opened):
        opened.cache_clear()
        monkeypatch.setattr(policy, opened.__name__, opened.__wrapped__)
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def refusal(bundle: ModelBundle, folder: Path, error: type[Exception] = RefusedError) -> str:
    """What is said of a harmless request, which must leave no clip."""
    with pytest.raises(error) as raised:
        generate(REQUEST, folder / "a.mp4", bundle=bundle)
    assert not (folder / "a.mp4").exists()
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_with_all_layers_whole_the_clip_is_made(bundle: ModelBundle, home: Path, tmp_path: Path) -> None:
    assert verify(generate(REQUEST, tmp_path / "a.mp4", bundle=bundle).path).state == "trusted"


@pytest.mark.parametrize("content", [None, b"not tensors"])
def test_the_classifier_s_weights(
    bundle: ModelBundle, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    monkeypatch.setattr(policy, "weight_roots", lambda: [tmp_path])
    if content is None:
        assert "its weights are not loaded" in refusal(bundle, tmp_path)
    else:
        (tmp_path / "policy").mkdir()
        (tmp_path / "policy" / (READER_FILE if "reader" in load_policy().layers else FILE)).write_bytes(content)
        assert "weights cannot be read" in refusal(bundle, tmp_path, ValueError)


def test_the_encoder_under_the_classifier(bundle: ModelBundle, home: Path, tmp_path: Path) -> None:
    class Broken(torch.nn.Module):
        def depths(self, prompts: object) -> Any:
            raise RuntimeError("its weights are gone")

    broken = replace(bundle, text_encoder=Broken())
    assert "the classifier did not work (RuntimeError)" in refusal(broken, tmp_path)


def test_the_reader_that_the_policy_names(
    bundle: ModelBundle, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = load_policy(SHIPPED)
    monkeypatch.setattr(policy, "operators_policy", lambda _folder: named)
    monkeypatch.setattr("sorairo.models.language_encoder.MODEL_PACKAGE", "none_of_that_name")
    assert "the classifier did not work (ModuleNotFoundError)" in refusal(bundle, tmp_path)
    (tmp_path / "none.gguf").write_bytes(b"GGUF")
    monkeypatch.setattr("sorairo.models.language_encoder.packaged_file", lambda: tmp_path / "none.gguf")
    assert "the classifier did not work (ValueError)" in refusal(bundle, tmp_path)


def test_without_a_reader_the_small_policy_judges(
    bundle: ModelBundle, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sorairo.safety.policy.READER_PACKAGE", "none_of_that_name")
    monkeypatch.setattr("sorairo.models.language_encoder.MODEL_PACKAGE", "none_of_that_name")
    assert verify(generate(REQUEST, tmp_path / "a.mp4", bundle=bundle).path).state == "trusted"
    harmful = replace(REQUEST, prompt="a murderer stabs a woman and her blood covers the floor")
    with pytest.raises(RefusedError) as raised:
        generate(harmful, tmp_path / "b.mp4", bundle=bundle)
    assert raised.value.decision.policy.startswith("sorairo-small ")


def test_a_word_list(
    bundle: ModelBundle, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr("sorairo.safety.word_lists.FILES", ("none.toml",))
    load_word_lists.cache_clear()
    try:
        assert "the lists did not work (FileNotFoundError)" in refusal(bundle, tmp_path)
    finally:
        load_word_lists.cache_clear()


@pytest.mark.parametrize("text", ["name = 1\n", "not TOML", ""])
def test_the_policy_itself(bundle: ModelBundle, home: Path, tmp_path: Path, text: str) -> None:
    (home / "policy.toml").write_text(text)
    assert "policy.toml" in refusal(bundle, tmp_path, ValueError)


def test_of_a_clip_whose_frames_are_refused_nothing_is_kept(
    bundle: ModelBundle, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "opened", lambda _detector: lambda _frame: 0.95)
    assert "the frame at 0 s: refused as sexual" in refusal(bundle, tmp_path)
    assert not list((home / "unfinished").glob("*"))


def test_the_net_that_looks_at_frames(
    bundle: ModelBundle, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> Any:
        raise ValueError("no weights")

    monkeypatch.setattr(policy, "NudityDetector", missing)
    assert "its weights are not there" in refusal(bundle, tmp_path)


def test_the_watermark(
    bundle: ModelBundle, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    def failing(*_: object, **__: object) -> Any:
        raise FloatingPointError("the watermark cannot be put in")

    monkeypatch.setattr("sorairo.pipelines.marking.Marker.mark", failing)
    assert "watermark" in refusal(bundle, tmp_path, FloatingPointError)


def test_the_time_stamp_that_was_asked_for(bundle: ModelBundle, home: Path, tmp_path: Path) -> None:
    generate(REQUEST, tmp_path / "first.mp4", bundle=bundle)
    (home / "authority" / "signing.toml").write_text('time_stamp_url = "http://127.0.0.1:9/"')
    assert "cannot be signed" in refusal(bundle, tmp_path, RuntimeError)


# --- the judge -----------------------------------------------------------------------------------------------------


class Judge(ThreadingHTTPServer):
    """Gives its `answers` in turn, the last again and again, each after `delay` seconds; keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = ['{"violations": []}']
        self.delay = 0.0
        self.seen: list[Any] = []


class Handler(BaseHTTPRequestHandler):
    server: Judge

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.seen.append(sent["messages"][1]["content"])
        content = self.server.answers[min(len(self.server.seen), len(self.server.answers)) - 1]
        time.sleep(self.server.delay)
        answer = json.dumps({"choices": [{"message": {"content": content}}]}).encode()
        with suppress(OSError):  # whoever asked has gone
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    def log_message(self, format: str, *values: Any) -> None:
        pass


def name_judge(home: Path, server: Judge, seconds: float) -> None:
    address = f"http://127.0.0.1:{server.server_port}/v1"
    (home / "judge.toml").write_text(f'base_url = "{address}"\nmodel = "tiny"\ntimeout_seconds = {seconds}\n')


@pytest.fixture
def judge(home: Path) -> Iterator[Judge]:
    with Judge() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        name_judge(home, server, seconds=30.0)
        yield server
        server.shutdown()
        thread.join()


def test_the_judge_sees_the_prompt_first_and_then_the_output(bundle: ModelBundle, judge: Judge, tmp_path: Path) -> None:
    assert generate(REQUEST, tmp_path / "a.mp4", bundle=bundle).path.exists()
    first, second = judge.seen
    assert [part["type"] for part in first] == ["text"]
    assert [part["type"] for part in second] == ["text", *["image_url"] * 3]  # at 0, 0.5 and 1 s
    assert json.loads(second[0]["text"])["prompt"] == "a red ball"


@pytest.mark.parametrize("number", [1, 2])
def test_a_judge_who_refuses_text_or_output(
    bundle: ModelBundle, judge: Judge, home: Path, tmp_path: Path, number: int
) -> None:
    bad = '{"violations": [{"category": "violence", "score": 0.9, "words": ["ball"]}]}'
    judge.answers = [*(['{"violations": []}'] * (number - 1)), bad, '{"violations": []}']
    assert "refused as violence by the judge" in refusal(bundle, tmp_path)
    assert not list((home / "unfinished").glob("*")), "nothing is kept of what was refused"


def test_a_judge_who_is_late(bundle: ModelBundle, judge: Judge, home: Path, tmp_path: Path) -> None:
    name_judge(home, judge, seconds=1.0)
    judge.delay = 2.0
    assert "the judge did not work" in refusal(bundle, tmp_path)
    assert list((home / "unfinished").glob("*/latents.safetensors")), "whoever tries again need not sample again"


def test_a_judge_at_no_address(bundle: ModelBundle, home: Path, tmp_path: Path) -> None:
    (home / "judge.toml").write_text('base_url = "http://[::1"\nmodel = "tiny"\n')
    assert "the judge did not work (the judge gave no usable answer: InvalidURL)" in refusal(bundle, tmp_path)


def test_a_judge_that_the_policy_demands_and_nobody_named(bundle: ModelBundle, home: Path, tmp_path: Path) -> None:
    shipped = SHIPPED.read_text()
    (home / "policy.toml").write_text(shipped.replace('"classifier", ', '"classifier", "judge", '))
    assert "the judge did not work (none is configured)" in refusal(bundle, tmp_path)
