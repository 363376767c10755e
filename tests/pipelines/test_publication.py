"""What everybody is to see is judged whole: the language model, where there is one, is asked as well."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest
from tests.pipelines.test_fails_closed import Judge

from sorairo.media import write_mp4
from sorairo.pipelines import ModelBundle, RefusedError, VideoRequest
from sorairo.pipelines.publication import judge_public
from sorairo.safety import load_policy


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    write_mp4(tmp_path / "a.mp4", np.zeros((9, 32, 64, 3), np.uint8), width=64, height=32, fps=8)
    return tmp_path / "a.mp4"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SORAIRO_HOME", str(tmp_path))
    return tmp_path


def test_the_title_comes_back(bundle: ModelBundle, clip: Path, home: Path) -> None:
    assert judge_public(VideoRequest("a red ball"), "Sunday", clip, bundle.text_encoder) == "Sunday"


def test_a_judge_that_the_policy_demands_and_nobody_named(bundle: ModelBundle, clip: Path, home: Path) -> None:
    shipped = (Path(load_policy.__code__.co_filename).parent / "data" / "policy.toml").read_text()
    (home / "policy.toml").write_text(shipped.replace('"reader"]', '"reader", "judge"]'))
    with pytest.raises(RefusedError, match="the judge did not work"):
        judge_public(VideoRequest("a red ball"), "Sunday", clip, bundle.text_encoder)


def test_a_judge_sees_title_and_frames_and_may_refuse(bundle: ModelBundle, clip: Path, home: Path) -> None:
    with Judge() as server:
        server.answers.append('{"violations": [{"category": "hate", "score": 0.9, "words": ["Sunday"]}]}')
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}/v1"
        (home / "judge.toml").write_text(f'base_url = "{address}"\nmodel = "tiny"\n')
        with pytest.raises(RefusedError, match="refused as hate by the judge"):
            judge_public(VideoRequest("a red ball"), "Sunday", clip, bundle.text_encoder)
        server.shutdown()
        thread.join()
    texts, *pictures = server.seen[-1]
    assert json.loads(texts["text"]) == {"prompt": "a red ball", "title": "Sunday"}
    assert [part["type"] for part in pictures] == ["image_url"] * 3  # at 0, 0.5 and 1 s
