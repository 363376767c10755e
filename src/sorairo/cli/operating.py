"""The operator's commands, for the command line to take in. Loads no web framework and no torch until one runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sorairo.cli.making import FILE, together
from sorairo.config import nearest_name
from sorairo.server.settings import DEFAULT_HOST, DEFAULT_PORT, Settings

if TYPE_CHECKING:
    from sorairo.server.database import Database

_MARKS = ("library.sqlite", "pepper")  # where an installation is, whatever its database
_INSTALLATION = [
    click.option("--folder", type=FILE, envvar="SORAIRO_SERVER_FOLDER",
                 help="The installation's folder.  [default: server, in the settings' folder]"),
    click.option("--database", "database_url", default="", envvar="SORAIRO_DATABASE_URL",
                 help="Address of a PostgreSQL database.  [default: SQLite in the folder]"),
    click.option("--files", "files_url", default="", envvar="SORAIRO_FILES_URL",
                 help="Folder or fsspec address of clips and uploads.  [default: in the folder]"),
    click.option("--model", "models", multiple=True, help="Name or folder of a model; the first is the default."),
    click.option("--max-attempts", type=click.IntRange(1), default=3, show_default=True,
                 help="How often a video may kill its worker."),
    click.option("--private-webhooks", is_flag=True, help="Allow events to http and to private networks."),
    click.option("--feeds", is_flag=True, help="Let owners show their clips to every account."),
]  # fmt: skip
installation = together(*_INSTALLATION)
"""The options that say which installation is meant."""


def settings_of(folder: Path | None, starts: bool = False, **values: Any) -> Settings:
    """Settings with a folder that is there, made for what ``starts`` something in it. Raises ValueError where there is
    no installation otherwise, with the nearest beside it."""
    from sorairo.provenance import home_folder

    settings = Settings((folder or home_folder() / "server").absolute(), **values)
    if starts:
        settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # it holds what signs events
    elif not any((settings.folder / mark).exists() for mark in _MARKS):
        near = {str(found.parent) for mark in _MARKS for found in settings.folder.parent.glob(f"*/{mark}")}
        beside = f"; the nearest is {nearest_name(str(settings.folder), sorted(near))!r}" if near else ""
        missing = "there is no installation there, which `sorairo serve` makes"
        raise ValueError(f"folder is {str(settings.folder)!r}; {missing}{beside}")
    return settings


@contextmanager
def library(settings: Settings) -> Iterator[Database]:
    """The installation's library; its connections are closed afterwards."""
    from sorairo.server.database import open_installation

    database = open_installation(settings.library_url)
    try:
        yield database
    finally:
        database.writing.kw["bind"].dispose()


@click.command()
@click.option("--host", default=DEFAULT_HOST, show_default=True, help="Address to open; others can reach 0.0.0.0.")
@click.option("--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="0: any free one.")
@click.option("--workers", type=click.IntRange(0), default=1, show_default=True, help="Worker processes; 0: elsewhere.")
@installation
def serve(host: str, port: int, workers: int, **values: Any) -> None:
    """Serve the Videos API, with workers of its own; prints its address, and the first time an admin key."""
    from sorairo.server.serving import run

    run(settings_of(starts=True, **values), host, port, workers)


@click.command()
@installation
def worker(**values: Any) -> None:
    """Make the videos that are asked for; as many of these as there are machines, with the same --database."""
    from sorairo.server.worker import Worker

    Worker(settings_of(starts=bool(values["database_url"]), **values)).run()


@click.group()
def keys() -> None:
    """API keys: create, list, revoke."""


@keys.command("create")
@click.argument("account")
@click.option("--tier", default="", help="A name that `tiers` prints.  [default: the account's, or free]")
@click.option("--name", default="", help="What the key is for.")
@click.option("--scope", "scopes", multiple=True, help="What it may do; all: also admin.  [default: all but admin]")
@click.option("--days", type=click.IntRange(1), help="How long it holds.  [default: until it is revoked]")
@installation
def create(account: str, tier: str, name: str, scopes: tuple[str, ...], days: int | None, **values: Any) -> None:
    """Make a key for ACCOUNT, and the account if there is none. The key is printed once and kept nowhere."""
    from sorairo.server import tiers
    from sorairo.server.keys import SCOPES, create_key, open_account, read_pepper

    settings = settings_of(**values)
    if tier:
        tiers.load_tiers(settings.folder).named(tier)
    with library(settings) as database, database.writing.begin() as session:
        owner, pepper = open_account(session, account, tier), read_pepper(settings.pepper_file)
        click.echo(create_key(session, pepper, owner, name, scopes or SCOPES[:-1], days))


@keys.command("list")
@installation
def list_(**values: Any) -> None:
    """List all keys: id, account, tier, whether it holds, when it was last used (UTC), scopes, name."""
    from sorairo.server.keys import list_keys

    with library(settings_of(**values)) as database, database.reading() as session:
        for key, account in list_keys(session):
            state = "holds" if key.holds else "over"
            used = f"{datetime.fromtimestamp(key.last_used_at, UTC):%Y-%m-%d}" if key.last_used_at else "never"
            click.echo("  ".join([key.id, account.name, account.tier, state, used, key.scopes, key.name]).rstrip())


@keys.command()
@click.argument("key")
@installation
def revoke(key: str, **values: Any) -> None:
    """Revoke KEY, as `list` shows it: from the next request on it opens nothing."""
    from sorairo.server.keys import revoke_key

    with library(settings_of(**values)) as database, database.writing.begin() as session:
        revoke_key(session, key)


@click.command()
@installation
def audit(**values: Any) -> int:
    """Print who did what, oldest first. Exit code 1 if a line was changed behind the server's back."""
    from sorairo.server.audit import first_broken, lines

    with library(settings_of(**values)) as database, database.reading() as session:
        for line in lines(session):
            parts = (line.position, line.at, line.actor, line.action, line.subject, line.detail)
            click.echo("  ".join(map(str, parts)))
        broken = first_broken(session)
    if broken is not None:
        click.echo(f"error: line {broken} does not follow from the one before it", err=True)
    return int(broken is not None)


@click.group()
def accounts() -> None:
    """Accounts: list, and give them tiers. `keys create` makes them."""


@accounts.command("list")
@installation
def list_accounts(**values: Any) -> None:
    """List all accounts: id, tier, videos, credits used this month, name."""
    from sorairo.server.library import all_accounts

    with library(settings_of(**values)) as database, database.reading() as session:
        for account, *counts in all_accounts(session):
            click.echo("  ".join([account.id, account.tier, *map(str, counts), account.name]))


@accounts.command("tier")
@click.argument("account")
@click.argument("tier")
@installation
def set_tier(account: str, tier: str, **values: Any) -> None:
    """Give ACCOUNT the tier TIER: it holds for what is asked for from then on."""
    from sorairo.server import tiers
    from sorairo.server.keys import change_tier

    settings = settings_of(**values)
    tiers.load_tiers(settings.folder).named(tier)
    with library(settings) as database, database.writing.begin() as session:
        change_tier(session, account, tier)


@click.command("tiers")
@installation
def show_tiers(**values: Any) -> None:
    """Print the tiers that hold here, as tiers.toml would say them."""
    from sorairo.server import tiers

    for name, tier in vars(tiers.load_tiers(settings_of(**values).folder)).items():
        limits = [f"{limit} = {json.dumps(value)}" for limit, value in vars(tier).items()]
        click.echo("\n".join([f"[{name}]", *limits, ""]))


COMMANDS = (serve, worker, keys, accounts, show_tiers, audit)
