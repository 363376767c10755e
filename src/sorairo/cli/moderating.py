"""The operator's commands about reports, take-downs and suspensions. Loads nothing heavy until one runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sorairo.cli.making import FILE
from sorairo.cli.operating import installation, library, settings_of
from sorairo.cli.terminal import printable


@click.command()
@click.option("--outcome", default="open", show_default=True, type=click.Choice(["open", "dismissed", "upheld"]),
              help="Which of them.")  # fmt: skip
@click.option("--close", "case", default="", help="Decide this one instead, as --as says.")
@click.option("--as", "decision", default="dismissed", show_default=True, type=click.Choice(["dismissed", "upheld"]),
              help="What --close decides.")  # fmt: skip
@click.option("--answer", default="", help="What its filer is told.")
@installation
def reports(outcome: str, case: str, decision: str, answer: str, **values: Any) -> None:
    """List reports and appeals, oldest first: id, kind, video, reason, account, message; or close one."""
    from sorairo.server.moderation import close, queue

    with library(settings_of(**values)) as database, database.writing.begin() as session:
        if case:
            close(session, case, decision, answer)
            return
        for found, account in queue(session, outcome):
            parts = (found.id, found.kind, found.video_id or "-", found.reason, account.name, found.message)
            click.echo("  ".join(map(printable, parts)).rstrip())


@click.command()
@click.argument("source")
@click.option("--reason", required=True, help="What the owners are told.")
@click.option("--purge", is_flag=True, help="Remove the files for good.")
@click.option("--restore", is_flag=True, help="Give SOURCE back instead; what was made from it stays down.")
@installation
def takedown(source: str, reason: str, purge: bool, restore: bool, **values: Any) -> None:
    """Take SOURCE down, a video or an upload, with everything made from it; prints the videos that were up till now."""
    if purge and restore:
        raise click.UsageError("--purge is given with --restore; what is purged cannot be given back: leave one out")
    from sorairo.server import moderation
    from sorairo.server.storage import Storage

    settings = settings_of(**values)
    with library(settings) as database, database.writing.begin() as session:
        down = [moderation.restore(session, source)] if restore else moderation.take_down(session, source, reason)
        purged = moderation.purge(session, source) if purge else []
    Storage(settings.storage_url).remove(*purged)
    for row in down:
        click.echo(row.id)


@click.command()
@click.argument("account")
@click.option("--days", type=click.IntRange(0, 3650), required=True, help="How long; 0 lifts it.")
@click.option("--reason", default="", help="What the account is told.")
@installation
def suspend(account: str, days: int, reason: str, **values: Any) -> None:
    """Suspend ACCOUNT: its keys read and appeal, and do nothing else."""
    from sorairo.server.moderation import penalise

    with library(settings_of(**values)) as database, database.writing.begin() as session:
        penalise(session, account, days, reason)


@click.command()
@click.argument("video")
@click.option("--output", "-o", type=FILE, required=True, help="The zip file.")
@installation
def incident(video: str, output: Path, **values: Any) -> None:
    """Write all that is known of VIDEO to one zip file: request, decision, cases, family, audit, credentials, clip."""
    from sorairo.server.moderation import hand_over
    from sorairo.server.storage import Storage

    settings = settings_of(**values)
    with library(settings) as database:
        click.echo(hand_over(database, Storage(settings.storage_url), video, output))


MODERATING = (reports, takedown, suspend, incident)
