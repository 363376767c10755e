"""The database: its tables are what the code says, migrations may be repeated, writers wait for each other."""

from __future__ import annotations

import threading

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, select, text

from sorairo.server.database import Sessions, migrations, open_database, upgrade
from sorairo.server.keys import open_account
from sorairo.server.tables import Account, Table


def test_the_migrations_make_the_tables_of_the_code(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []


def test_upgrading_again_changes_nothing(engine: Engine) -> None:
    before = inspect(engine).get_table_names()
    upgrade(engine)
    assert inspect(engine).get_table_names() == before


def test_the_way_back_leaves_nothing(engine: Engine) -> None:
    with engine.begin() as connection:
        config = migrations()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]


def test_sqlite_keeps_a_log_ahead_of_its_writes(engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1


def test_a_plain_postgresql_address_is_read_by_psycopg_3() -> None:
    engine = open_database("postgresql://someone@127.0.0.1/library")
    assert engine.driver == "psycopg"
    engine.dispose()


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
