"""The audit: lines follow from each other, and neither the code nor the database takes one back."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.exc import DBAPIError
from tests.server.conftest import both

from sorairo.server.audit import first_broken, record
from sorairo.server.database import Sessions
from sorairo.server.tables import AuditLine

pytestmark = both


def fill(sessions: Sessions, lines: int = 3) -> None:
    for number in range(lines):
        with sessions.begin() as session:
            record(session, "someone", "video.created", f"video_{number}", number=number)


def test_a_chain_that_nobody_touched_holds(sessions: Sessions) -> None:
    fill(sessions)
    with sessions() as session:
        assert first_broken(session) is None
        assert session.get_one(AuditLine, 2).detail == '{"number": 1}'


@pytest.mark.parametrize("statement", [update(AuditLine).values(actor="x"), delete(AuditLine)])
def test_the_database_refuses_changes(sessions: Sessions, statement: object) -> None:
    fill(sessions)
    with sessions() as session, pytest.raises(DBAPIError, match="never changed"):
        session.execute(statement)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "change", ["UPDATE audit SET detail = '{}' WHERE position = 2", "DELETE FROM audit WHERE position = 1"]
)
def test_a_change_behind_the_databases_back_shows(sessions: Sessions, change: str) -> None:
    fill(sessions)
    with sessions.begin() as session:
        on = " ON audit" if session.get_bind().dialect.name == "postgresql" else ""
        for trigger in ("audit_UPDATE", "audit_DELETE"):
            session.execute(text(f"DROP TRIGGER {trigger}{on}"))
        session.execute(text(change))
    with sessions() as session:
        assert first_broken(session) == 2


def test_lines_written_at_once_form_one_chain(sessions: Sessions) -> None:
    threads = [threading.Thread(target=fill, args=(sessions, 5)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with sessions() as session:
        assert first_broken(session) is None
        assert session.get_one(AuditLine, 20)


def test_what_is_rolled_back_leaves_no_line(sessions: Sessions) -> None:
    with sessions() as session:
        record(session, "someone", "video.created", "video_1")
        session.rollback()
        assert session.get(AuditLine, 1) is None
