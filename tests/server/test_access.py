"""Who may ask how often: a minute's worth at once, then one by one, each account for itself, in all processes."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import event
from starlette.testclient import TestClient
from tests.server.conftest import both, error_of, new_key

from sorairo.server.access import PARTS_OF_A_MINUTE, Pace, Service
from sorairo.server.app import create_app
from sorairo.server.database import Database
from sorairo.server.tables import Account


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    moments = [1000.0]
    monkeypatch.setattr(time, "time", lambda: moments[0])
    return moments


@pytest.fixture
def pace(database: Database) -> Pace:
    with database.writing.begin() as session:
        session.add_all(Account(id=name, name=name, tier="free") for name in ("alice", "bob"))
    return Pace(database)


@both
def test_a_minute_s_worth_at_once_then_one_by_one(clock: list[float], pace: Pace) -> None:
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
def test_a_steady_pace_is_never_refused(clock: list[float], pace: Pace, requests: int) -> None:
    for _ in range(3 * requests):
        assert pace.wait("alice", requests) == 0.0
        clock[0] += 60 / requests


@both
def test_processes_and_their_threads_together_get_no_more(clock: list[float], pace: Pace, database: Database) -> None:
    granted: list[float] = []

    def ask(own: Pace) -> None:
        granted.extend(own.wait("alice", 100) for _ in range(50))

    processes = [pace, Pace(database)]
    threads = [threading.Thread(target=ask, args=(own,)) for own in processes * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(granted), granted.count(0.0)) == (200, 100)


def test_few_requests_write_and_refused_ones_do_not(clock: list[float], pace: Pace, database: Database) -> None:
    written: list[float] = []

    def note(*_: object) -> None:
        written.append(clock[0])

    event.listen(Account, "before_update", note)
    assert [pace.wait("alice", 600) for _ in range(600)] == [0.0] * 600
    assert all(pace.wait("alice", 600) == pytest.approx(0.1) for _ in range(50))
    event.remove(Account, "before_update", note)
    assert len(written) == PARTS_OF_A_MINUTE


def test_what_a_process_took_and_did_not_spend_is_lost_after_a_minute(
    clock: list[float], pace: Pace, database: Database
) -> None:
    assert pace.wait("alice", 200) == 0.0, "10 are taken"
    clock[0] += 61
    other = Pace(database)
    assert sum(pace.wait("alice", 200) == 0 or other.wait("alice", 200) == 0 for _ in range(400)) == 200


def test_a_clock_that_was_set_back_locks_nobody_out(clock: list[float], pace: Pace, database: Database) -> None:
    assert pace.wait("alice", 1) == 0.0
    clock[0] -= 3600
    assert pace.wait("alice", 1) == pytest.approx(60)
    clock[0] += 60
    assert Pace(database).wait("alice", 1) == 0.0


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
