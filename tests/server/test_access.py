"""Who may ask how often: a minute's worth at once, then one by one, each account for itself."""

from __future__ import annotations

import threading
import time

import pytest
from starlette.testclient import TestClient
from tests.server.conftest import error_of, new_key

from sorairo.server.access import Pace, Service
from sorairo.server.app import create_app


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    moments = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: moments[0])
    return moments


def test_a_minute_s_worth_at_once_then_one_by_one(clock: list[float]) -> None:
    pace = Pace()
    assert [pace.wait("alice", 6) for _ in range(6)] == [0.0] * 6
    assert pace.wait("alice", 6) == pytest.approx(10)
    assert pace.wait("alice", 6) == pytest.approx(10), "what is refused does not count"
    assert pace.wait("bob", 6) == 0.0
    clock[0] += 9.9
    assert pace.wait("alice", 6) == pytest.approx(0.1)
    clock[0] += 0.1
    assert pace.wait("alice", 6) == 0.0
    assert pace.wait("alice", 6) == pytest.approx(10)


@pytest.mark.parametrize("requests", [1, 7, 600])
def test_a_steady_pace_is_never_refused(clock: list[float], requests: int) -> None:
    pace = Pace()
    for _ in range(3 * requests):
        assert pace.wait("alice", requests) == 0.0
        clock[0] += 60 / requests


def test_threads_together_get_no_more(clock: list[float]) -> None:
    pace, granted = Pace(), []

    def ask() -> None:
        granted.extend(pace.wait("alice", 100) for _ in range(50))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(granted), granted.count(0.0)) == (200, 100)


def test_one_who_asks_too_often_is_told_when_to_come_back(service: Service) -> None:
    (service.settings.folder / "tiers.toml").write_text(
        "[free]\nconcurrent = 1\nwaiting = 9\npixels = 99999\nseconds = 9\ncredits = 1\nrequests = 3\n"
    )
    with TestClient(create_app(Service.of(service.settings, service.database))) as client:
        carol, dave = ({"authorization": f"Bearer {new_key(service, name, 'free')}"} for name in ("carol", "dave"))
        assert [client.get("/v1/videos", headers=carol).status_code for _ in range(3)] == [200] * 3
        answer = client.get("/v1/models", headers=carol)
        error = error_of(answer, 429)
        assert (error["code"], error["type"]) == ("rate_limit_exceeded", "rate_limit_error")
        assert 0 < int(answer.headers["retry-after"]) <= 20
        assert "x-should-retry" not in answer.headers, "clients may wait and ask again"
        assert client.get("/v1/videos", headers=dave).status_code == 200
        assert client.get("/healthz").status_code == 200
