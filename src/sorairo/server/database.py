"""Opening the library's database and bringing it to today's form. Knows no table; never waits for a server's tools.

SQLite runs in WAL mode with one writer at a time, which the busy timeout puts in a row; PostgreSQL is given by its
address alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, Select, create_engine, event, make_url, text, tuple_
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import Session, sessionmaker

Sessions = sessionmaker[Session]
Told = ParamSpec("Told")
Answer = TypeVar("Answer")

_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON")


def open_database(url: str) -> Engine:
    """An engine for an address as SQLAlchemy reads it; a plain postgresql:// is read by psycopg 3."""
    address = make_url(url)
    if address.drivername in ("postgresql", "postgres"):
        address = address.set(drivername="postgresql+psycopg")
    engine = create_engine(address, pool_pre_ping=True)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


@dataclass(frozen=True)
class Database:
    """Sessions of one engine. Those that only read do not wait for a writer."""

    writing: Sessions
    reading: Sessions

    @classmethod
    def of(cls, engine: Engine) -> Database:
        reader = engine.execution_options(reading=True)
        return cls(sessionmaker(engine, expire_on_commit=False), sessionmaker(reader, expire_on_commit=False))

    def read(
        self, question: Callable[Concatenate[Session, Told], Answer], *args: Told.args, **named: Told.kwargs
    ) -> Answer:
        """What a function of a session answers in one that only reads."""
        with self.reading() as session:
            return question(session, *args, **named)

    def scalar(self, query: Select[Answer]) -> Answer | None:
        """The first thing that a query finds, if any."""
        return self.read(Session.scalar, query)

    def page(
        self, query: Select[*tuple[Any, ...]], place: Sequence[Any], last: object, limit: int, order: str = "desc"
    ) -> tuple[Sequence[Any], bool]:
        """What a query finds after its row ``last``, and whether there is more; in the order of the columns ``place``,
        which together no two rows share."""
        if last is not None:
            before = tuple(getattr(last, column.key) for column in place)
            query = query.where(tuple_(*place) < before if order == "desc" else tuple_(*place) > before)
        query = query.order_by(*(column.desc() if order == "desc" else column.asc() for column in place))
        with self.reading() as session:
            rows = session.execute(query.limit(limit + 1)).all()
        return rows[:limit], len(rows) > limit


def open_installation(url: str) -> Database:
    """The library, brought to this version's form. Raises ValueError for no database's address, OSError otherwise."""
    try:
        engine = open_database(url)
        upgrade(engine)
    except (ArgumentError, ImportError) as error:
        kind = url.partition(":")[0]  # what follows may be a password
        message = f"database begins with {kind!r}; it is an address such as postgresql://name@host/database"
        raise ValueError(message) from error
    except (DBAPIError, CommandError) as error:
        reason = str(getattr(error, "orig", error)).partition("\n")[0]
        raise OSError(f"the library's database cannot be opened: {reason}") from error
    return Database.of(engine)


def upgrade(engine: Engine) -> None:
    """Runs the migrations that this database lacks; running it again does nothing."""
    with engine.begin() as connection:
        serialise(connection, "upgrade")  # two processes may start together
        config = migrations()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def serialise(connection: Connection | Session, what: str) -> None:
    """Until the transaction ends, nobody else is past the same call. SQLite has one writer at a time anyway."""
    bind = connection.get_bind() if isinstance(connection, Session) else connection
    if bind.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:what))"), {"what": f"sorairo {what}"})


def migrations() -> Config:
    """Where Alembic finds the migrations; the address comes with the connection."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _begin_sqlite(connection: Connection) -> None:
    """Whoever will write takes the lock at once: SQLite refuses a reader that becomes a writer too late."""
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # Python's driver begins no transactions: SQLAlchemy does
    with closing(connection.cursor()) as cursor:
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
