"""The commands that make a data set of footage, a model of one's own from it, and tell what descends from what."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sorairo.cli.describing import ENDPOINT
from sorairo.cli.finding import NOTHING_FOUND
from sorairo.cli.making import FILE
from sorairo.cli.terminal import note, printable, stage_bars

if TYPE_CHECKING:
    from sorairo.training.lineage import Link

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
SEARCHED = click.option(
    "--in", "folders", multiple=True, type=FOLDER, help="Folder to search; may be repeated.  [default: this folder]"
)


@click.command()
@click.argument("footage", type=FILE)
@click.option("--out", type=FILE, required=True, help="Folder of the data set.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes that look at files.")
@click.option(
    "--ray", default="auto", show_default=True, help="Where they run: auto, local, or a Ray cluster's address."
)
@click.option("--allow-unknown-licence", is_flag=True, help="Take files whose licence or source is not told.")
@click.option("--set", "changes", multiple=True, metavar="NAME=NUMBER", help="Change a filter's bound (docs/data.md).")
def ingest(footage: Path, out: Path, workers: int, ray: str, allow_unknown_licence: bool, changes: Any) -> None:
    """Make a data set of FOOTAGE, a folder or a list of videos; the same command again goes on.

    Every shot is taken or left out with its reason; the page card.md and the picture contact.png show them.
    """
    _require_extra()
    from sorairo.data.ingest import ingest, settings_with

    settings: Any = {"workers": workers, "ray": ray, "allow_unknown_licence": allow_unknown_licence}
    with stage_bars() as on_progress:
        card = ingest(footage, out, on_progress, settings=settings_with(changes), **settings)
    click.echo(card.with_suffix(".md").read_text())
    note(f"the data set is in {out}")


@click.command()
@click.argument("model")
@click.argument("dataset", type=FILE)
@click.option("--out", type=FILE, required=True, help="Folder of the new model; its name is the model's.")
@click.option("--lora", "lora_rank", default=0, help="Train low-rank additions of this rank.  [default: all weights]")
@click.option("--steps", default=1000, show_default=True, help="At most so many.")
@click.option("--steps-per-check", default=25, show_default=True, help="How often what is held out is looked at.")
@click.option("--patience", default=4, show_default=True, help="Checks without a better one after which it ends.")
@click.option("--seed", default=0, show_default=True, help="Of what is drawn.")
@click.option(
    "--folder", type=FILE, help="Vision-language model, of transformers, that describes shots without caption."
)
@ENDPOINT
def finetune(
    model: str,
    dataset: Path,
    out: Path,
    folder: Path | None,
    endpoint: str | None,
    endpoint_model: str,
    **settings: int,
) -> None:
    """Make a model of one's own: MODEL, a name or folder, trained on DATASET. The same command again goes on."""
    _require_extra()
    from sorairo.pipelines.captions import own_writer
    from sorairo.training.finetune import FineTuning
    from sorairo.training.finetune import finetune as run

    writer = own_writer(folder, endpoint, endpoint_model)
    caption_clip = partial(writer.caption_clip, style="descriptive") if writer else None
    click.echo(run(model, dataset, out, FineTuning(**settings), caption_clip))


@click.command()
@click.argument("clip", type=FILE)
@SEARCHED
def lineage(clip: Path, folders: tuple[Path, ...]) -> None:
    """Tell where CLIP's model comes from: its weights, the data sets, and their parents, by their hashes."""
    _require_extra()
    from sorairo.training.lineage import lineage

    for link in lineage(clip, folders or (Path(),)):
        click.echo(_line(link))


@click.command()
@click.argument("item")
@SEARCHED
def forget(item: str, folders: tuple[Path, ...]) -> int:
    """List every shard, model and clip that descends from ITEM, a file of footage: its name, path, or SHA-256.

    Deletes nothing. Exit code: 0 something descends from it, 5 nothing was found.
    """
    _require_extra()
    from sorairo.training.lineage import UNREADABLE, forget

    links = forget(item, folders or (Path(),))
    for link in links:
        click.echo(_line(link))
    if any(link.kind != UNREADABLE for link in links):
        return 0
    click.echo(f"nothing that descends from {printable(item)} was found in the folders that were searched")
    return NOTHING_FOUND


def _require_extra() -> None:
    missing = [name for name in ("cv2", "pyarrow", "ray", "scenedetect") if find_spec(name) is None]
    if missing:
        raise ValueError(f"footage needs {missing[0]}, which is not installed: pip install 'sorairo[data]'")


def _line(link: Link) -> str:
    return f"{link.kind}: {printable(link.name)}  {link.sha256 or '(no hash)'}\n  {printable(link.note)}"


COMMANDS = (ingest, finetune, lineage, forget)
