"""A server that speaks chat completions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from sorairo.pipelines.language_model import LanguageModel


class Endpoint(ThreadingHTTPServer):
    """Answers with `content` (or the very `body`) after the `statuses` that are left; keeps what it was sent."""

    content = "a caption"
    body: bytes | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses: list[int] = []
        self.seen: list[dict[str, Any]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.seen.append({"path": self.path, "key": self.headers["authorization"], "body": sent})
        usage = {"prompt_tokens": 100, "completion_tokens": 7}
        whole = {"choices": [{"message": {"content": self.server.content}}], "usage": usage}
        answer = self.server.body or json.dumps(whole).encode()
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
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


@pytest.fixture
def asked(endpoint: Endpoint) -> LanguageModel:
    return LanguageModel(f"http://127.0.0.1:{endpoint.server_port}/v1", "eyes", "secret", 5.0, pauses=(0.0, 0.0))
