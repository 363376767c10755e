"""What all tests share: tensor shapes checked at every call, one thread for each worker, a tiny model on disk, a
server that stands in for a language model.

The renderer is compiled once, before the workers start; workers take whole files, and the world's tests together, so
that what a file's tests share is made once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import settings
from jaxtyping import install_import_hook

CHECKED_MODELS = [f"sorairo.models.{name}" for name in ("attention", "dit", "rotary", "text_encoder")]
install_import_hook([*CHECKED_MODELS, "sorairo.diffusion", "sorairo.pipelines.preview"], "beartype.beartype")

from sorairo.config import DiTConfig, ModelConfig, VideoVAEConfig  # noqa: E402
from sorairo.shapes import VideoShape  # noqa: E402

if TYPE_CHECKING:
    from sorairo.pipelines import ModelBundle

ROOT = Path(__file__).parents[1]
TINY = ModelConfig(
    name="tiny",
    video_vae=VideoVAEConfig(4, (8, 16, 16), (8, 16, 16), encoder_blocks=1, decoder_blocks=1),
    dit=DiTConfig(depth=2, patch=2, latent_channels=4),
)


# The same examples everywhere, however slow the machine: a change is judged by what it changes.
settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")


def pytest_configure(config: pytest.Config) -> None:
    torch.set_num_threads(1)
    is_worker, has_workers = hasattr(config, "workerinput"), bool(getattr(config.option, "numprocesses", None))
    if has_workers and not is_worker:
        compile_renderer()


def compile_renderer() -> None:
    """Fills the compiler's cache, which lies beside the code."""
    from sorairo.world import make_clip, render

    render(make_clip(0, VideoShape(1, 32, 32)))


@pytest.fixture(autouse=True)
def own_settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees or changes this machine's own settings; all share one signing authority."""
    home = tmp_path_factory.getbasetemp() / "settings"
    monkeypatch.setenv("SORAIRO_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a real model with random weights that moves every number it touches."""
    from sorairo.checkpoint import save_tensors
    from sorairo.models.dit import DiT
    from sorairo.models.video_vae import VideoVAE
    from sorairo.pipelines.bundle import write_bundle

    folder = tmp_path_factory.mktemp("models") / "tiny"
    folder.mkdir()
    torch.manual_seed(0)
    dit = DiT(TINY.dit)
    for parameter in dit.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    save_tensors(folder / "video_vae.safetensors", VideoVAE(TINY.video_vae).half().state_dict(), {})
    save_tensors(folder / "dit.safetensors", dit.half().state_dict(), {})
    write_bundle(folder, TINY, {"steps": 0}, summary="It knows balls and cubes.")
    return folder


@pytest.fixture(scope="session")
def bundle(tiny_model: Path) -> ModelBundle:
    """The tiny model, ready to run."""
    from sorairo.pipelines import load_bundle

    return load_bundle(str(tiny_model), torch.device("cpu"))


@pytest.fixture(scope="session")
def tiny_captioner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a captioner that fits the tiny model's latents and writes random words."""
    from sorairo.checkpoint import save_tensors
    from sorairo.models.captioner import Captioner, CaptionerConfig
    from sorairo.models.vocabulary import Vocabulary

    folder, words = tmp_path_factory.mktemp("captioners") / "tiny", Vocabulary.of(["a red ball rolls left."])
    folder.mkdir()
    torch.manual_seed(1)
    model = Captioner(CaptionerConfig(latent_channels=4, width=24, depth=1, writer_depth=1, num_heads=2), len(words))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    torch.nn.init.constant_(model.next_word[1].bias[:7], -2.0)  # words before marks
    save_tensors(folder / "captioner.safetensors", model.half().state_dict(), {})
    settings = {"model": asdict(model.config), "words": " ".join(words.words)}
    (folder / "captioner.json").write_text(json.dumps(settings))
    return folder


class Endpoint(ThreadingHTTPServer):
    """Speaks chat completions: answers with `content` (or the very `body`) after `delay` seconds and the `statuses`
    that are left; keeps what it was sent."""

    content = "a caption"
    body: bytes | None = None
    delay = 0.0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses: list[int] = []
        self.seen: list[dict[str, Any]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.seen.append({"path": self.path, "key": self.headers["authorization"], "body": sent})
        time.sleep(self.server.delay)
        usage = {"prompt_tokens": 100, "completion_tokens": 7}
        whole = {"choices": [{"message": {"content": self.server.content}}], "usage": usage}
        answer = self.server.body or json.dumps(whole).encode()
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        with suppress(BrokenPipeError):  # whoever asked has gone
            self.wfile.write(answer)

    def log_message(self, format: str, *values: Any) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    server = Endpoint()
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["sorairo-base", "sorairo-turbo"])
def shipped_model(request: pytest.FixtureRequest) -> str:
    """The name of a built-in model; skips while its weights are not there."""
    name: str = request.param
    if not (ROOT / "weights" / name / "dit.safetensors").is_file():
        pytest.skip(f"weights/{name} has no weights yet")
    return name
