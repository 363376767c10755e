"""Events: signed as the standard says, and sent nowhere that the operator's own network would mind."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from sorairo.server import webhooks
from sorairo.server.errors import ApiError
from sorairo.server.tables import WebhookEndpoint
from sorairo.server.webhooks import check_url, event, new_secret, send, signature


def endpoint(url: str = "https://example.org/hook") -> WebhookEndpoint:
    return WebhookEndpoint(id="we_1", url=url, secret=new_secret())


def test_the_standard_s_own_example() -> None:
    """From the Standard Webhooks specification's libraries: known secret, id, time and body."""
    found = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}'
    )
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_is_new_and_long() -> None:
    one, other = new_secret(), new_secret()
    assert one != other
    assert len(base64.b64decode(one.removeprefix("whsec_"))) == 32
    key = base64.b64decode(one.removeprefix("whsec_"))
    expected = hmac.new(key, b"a.1.b", hashlib.sha256).digest()
    assert signature(one, "a", 1, "b") == f"v1,{base64.b64encode(expected).decode()}"


def test_an_event_keeps_its_id_however_often_it_is_sent() -> None:
    first, again = (event(endpoint(), "video.completed", "video_1", 7) for _ in range(2))
    assert first == again
    assert set(first) == {"id", "object", "created_at", "type", "data"}
    assert event(endpoint(), "video.failed", "video_1", 7)["id"] != first["id"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254", "192.168.1.1", "0.0.0.0"]
)
def test_private_networks_are_not_reached(host: str) -> None:
    with pytest.raises(OSError, match=r"private network|not supported|not known"):
        send(endpoint(f"http://{host}:9/"), {"id": "evt_1"})


def test_a_name_that_points_to_a_private_network_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: found)
    with pytest.raises(OSError, match="private network"):
        send(endpoint(), {"id": "evt_1"})


def test_plain_http_is_for_operators_who_say_so() -> None:
    assert check_url("http://127.0.0.1/", private=True) == "http://127.0.0.1/"
    with pytest.raises(ApiError):
        check_url("http://example.org/")


class Redirecting(http.server.BaseHTTPRequestHandler):
    """Sends everybody on to an address that would count."""

    paths: list[str] = []  # noqa: RUF012

    def do_POST(self) -> None:
        self.paths.append(self.path)
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(307)
        self.send_header("location", "/elsewhere")
        self.end_headers()

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def redirecting() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Redirecting)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook?a=b"
    server.shutdown()
    server.server_close()
    thread.join()


def test_redirects_are_not_followed(redirecting: str) -> None:
    body: dict[str, Any] = event(endpoint(), "video.completed", "video_1", 7)
    assert send(endpoint(redirecting), body, private=True) == 307
    assert Redirecting.paths == ["/hook?a=b"]


def test_an_answer_that_only_drips_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "_TIMEOUT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            line = server.accept()[0]
            with line, suppress(OSError):
                while True:
                    line.sendall(b"H")
                    time.sleep(0.05)

        thread = threading.Thread(target=drip)
        thread.start()
        begun = time.monotonic()
        with pytest.raises(OSError, match=r"no answer|reset"):
            send(endpoint(f"http://127.0.0.1:{server.getsockname()[1]}/"), {"id": "evt_1"}, private=True)
        assert time.monotonic() - begun < 5
        thread.join(10)
        assert not thread.is_alive()


def test_nobody_there_is_an_oserror() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="refused"):
            send(endpoint(f"http://127.0.0.1:{taken.getsockname()[1]}/"), {"id": "evt_1"}, private=True)
