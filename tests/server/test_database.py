"""The database: its tables are what the code says, migrations may be repeated, writers wait for each other."""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, select, text
from sqlalchemy.exc import DBAPIError
from tests.server.cluster import Cluster
from tests.server.conftest import both

from sorairo.pipelines.request import Anchor, Material, VideoRequest
from sorairo.server.audit import first_broken, lines
from sorairo.server.database import Database, Sessions, migrations, open_database, upgrade
from sorairo.server.keys import authenticate, open_account
from sorairo.server.library import find
from sorairo.server.tables import Account, FileRow, Table, new_id


def make_first_tables(engine: Engine) -> None:
    """The first version's tables, in place of today's."""
    with engine.begin() as connection:
        Table.metadata.drop_all(connection)
        connection.execute(text("DROP TABLE alembic_version"))
        if engine.dialect.name == "postgresql":
            connection.execute(text("DROP FUNCTION refuse_audit_change()"))
        config = migrations()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")


@both
def test_the_migrations_make_the_tables_of_the_code(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []


@both
def test_upgrading_again_changes_nothing(engine: Engine) -> None:
    before = inspect(engine).get_table_names()
    upgrade(engine)
    assert inspect(engine).get_table_names() == before


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_sqlite_keeps_a_log_ahead_of_its_writes(engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1


def test_a_plain_postgresql_address_is_read_by_psycopg_3() -> None:
    engine = open_database("postgresql://someone@127.0.0.1/library")
    assert engine.driver == "psycopg"
    engine.dispose()


@both
def test_writers_wait_for_each_other(sessions: Sessions) -> None:
    def add(number: int) -> None:
        for turn in range(5):
            with sessions.begin() as session:
                open_account(session, f"account {number} {turn}")

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with sessions() as session:
        assert len(session.scalars(select(Account)).all()) == 20


OLD_ROWS = """
INSERT INTO accounts VALUES ('account_1', 'alice', 'pro', 1);
INSERT INTO api_keys VALUES ('0123', 'account_1', 'laptop', '{digest}', 'videos.read', 1, NULL, NULL, NULL);
INSERT INTO files VALUES ('char_1', 'account_1', 'video', 'Mo', 1);
INSERT INTO videos (id, account_id, tool, model, prompt, size, seconds, request, status, created_at, priority,
    concurrent, credits, attempts, progress, stage)
    VALUES ('video_1', 'account_1', 'create', 'tiny', 'a red ball', '64x32', '1', '', 'completed',
        1, 0, 1, 7, 1, 100, '');
INSERT INTO videos (id, account_id, tool, model, prompt, size, seconds, request, remixed_from_video_id, status,
    created_at, priority, concurrent, credits, attempts, progress, stage)
    VALUES ('video_2', 'account_1', 'remix', 'tiny', 'a red ball', '64x32', '1', :request, 'video_1', 'completed',
        1, 0, 1, 7, 1, 100, '')
"""


@both
def test_an_old_library_keeps_what_is_in_it(engine: Engine) -> None:
    """The first version's tables, filled, brought to today's form: everything is there and can be used."""
    make_first_tables(engine)
    pepper = b"p" * 32
    digest = hmac.new(pepper, b"secret", hashlib.sha256).hexdigest()
    used = [Anchor(Material(f"{name}/media.png")) for name in ("videos/video_1", "uploads/char_1")]
    old = VideoRequest('a "path": "videos/video_9/" sign', anchors=tuple(used)).to_json()
    with engine.begin() as connection:
        for statement in OLD_ROWS.format(digest=digest).split(";"):
            connection.execute(text(statement), {"request": old} if ":request" in statement else {})
    upgrade(engine)
    with Database.of(engine).reading() as session:
        caller = authenticate(session, pepper, "sorairo_0123_secret")
        assert caller
        row = find(session, caller.account_id, "video_1", finished=True)
        assert (row.prompt, row.credits, row.publication) == ("a red ball", 7, "private")
        file = session.get_one(FileRow, "char_1")
        assert (file.description, file.stored_bytes) == ("", 0)
        assert find(session, caller.account_id, "video_2").sources == " char_1  video_1 "


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_a_copy_of_a_library_in_use_is_whole(engine: Engine, tmp_path: Path) -> None:
    """What the page on back-up says: SQLite's own copy, made while somebody writes."""
    writing, stop = Database.of(engine).writing, threading.Event()

    def write() -> None:
        while not stop.is_set():
            with writing.begin() as session:
                open_account(session, new_id("name"))

    writer = threading.Thread(target=write)
    writer.start()
    with closing(sqlite3.connect(tmp_path / "library.sqlite")) as source:
        while source.execute("SELECT count(*) FROM accounts").fetchone()[0] < 5:
            time.sleep(0.01)
        with closing(sqlite3.connect(tmp_path / "copy.sqlite")) as target:
            source.backup(target)
    stop.set()
    writer.join()
    copy = open_database(f"sqlite:///{tmp_path / 'copy.sqlite'}")
    upgrade(copy)
    with Database.of(copy).reading() as session:
        assert len(session.scalars(select(Account)).all()) == len(list(lines(session))) >= 5
        assert first_broken(session) is None
    copy.dispose()


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
def test_a_dump_of_postgresql_is_whole(engine: Engine, cluster: Cluster, tmp_path: Path) -> None:
    with Database.of(engine).writing.begin() as session:
        open_account(session, "alice")
    dump = tmp_path / "library.sql"
    cluster.program("pg_dump", "--no-owner", "--file", str(dump), str(engine.url.database))
    with cluster.copy("template0") as url:
        cluster.program("psql", "--quiet", "--file", str(dump), url.partition("@/")[2].partition("?")[0])
        restored = open_database(url)
        upgrade(restored)
        with Database.of(restored).reading() as session:
            assert [account.name for account in session.scalars(select(Account))] == ["alice"]
            assert first_broken(session) is None
        with restored.begin() as connection, pytest.raises(DBAPIError, match="never changed"):
            connection.execute(text("DELETE FROM audit"))
        restored.dispose()
