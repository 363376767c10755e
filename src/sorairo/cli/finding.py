"""The command that finds the clip a file comes from. Never decides by itself what evidence is worth."""

from __future__ import annotations

import json
from pathlib import Path

import click

from sorairo.cli.making import FILE
from sorairo.cli.terminal import printable

NOTHING_FOUND = 5


@click.command()
@click.argument("file", type=FILE)
@click.option("--store", type=FILE, help="Known clips of a server: its clips.sqlite.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def whence(file: Path, store: Path | None, as_json: bool) -> int:
    """Find the clip that FILE is, or was copied from: by its credentials, its watermark and its likeness.

    Looks among the clips that this machine made, or those of the store. Exit code: 0 found, 5 nothing found.
    """
    from sorairo import provenance
    from sorairo.provenance.clip_store import ClipStore

    if store and not store.is_file():
        raise ValueError(f"store is {store}; there is no such file")
    answer = provenance.whence(file, ClipStore(store) if store else None)
    code = 0 if answer.origins else NOTHING_FOUND
    if as_json:
        click.echo(json.dumps(answer.to_json(), ensure_ascii=False, indent=1))
        return code
    for origin in answer.origins:
        made = f", made {origin.clip.made}" if origin.clip else ""
        click.echo(printable(f"{origin.name}{made}: by {', '.join(origin.evidence)}"))
    if not answer.origins:
        click.echo("no clip that is known here; that says nothing about where it comes from")
    return code
