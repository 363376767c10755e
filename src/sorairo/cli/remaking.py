"""The commands that take a finished clip's own request: make it again, or make variations of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from sorairo.cli.making import CLIP, FILE, NUMBER, OVERWRITE, Output
from sorairo.cli.terminal import progress_bars

DIFFERENT = 6
MATERIALS = click.option("--materials", type=FILE, help="Folder of the files it was made from.  [default: the clip's]")


@click.command()
@CLIP
@MATERIALS
@click.option("--model", default="", help="Name, or folder of a model.  [default: the clip's]")
def reproduce(clip: Path, materials: Path | None, model: str) -> int:
    """Make CLIP again from its credentials, and say whether the frames are the same.

    Exit code: 0 the same, 6 not.
    """
    from sorairo import pipelines
    from sorairo.pipelines.reproduction import compare, recorded_request
    from sorairo.provenance import ClipStore

    request = recorded_request(clip, materials, model)
    with tempfile.TemporaryDirectory(prefix="sorairo-") as folder, progress_bars() as on_progress:
        path = Path(folder) / ("again.png" if request.still else "again.mp4")
        again = pipelines.generate(request, path, on_progress, store=ClipStore(Path(folder) / "clips.sqlite"))
        comparison = compare(clip, again.path)
    click.echo(comparison.text)
    return 0 if comparison.same else DIFFERENT


@click.command()
@CLIP
@MATERIALS
@NUMBER
@click.option("-o", "--output", "path", type=FILE, help="File to write; seeds are added to its name.")
@OVERWRITE
def vary(clip: Path, materials: Path | None, num_variations: int, path: Path | None, overwrite: bool) -> None:
    """Make CLIP's request again from other starting noises: the seeds that follow its own."""
    from sorairo.pipelines import tools
    from sorairo.pipelines.reproduction import recorded_request

    request = recorded_request(clip, materials)
    Output("vary", path, preview=False, overwrite=overwrite).write(*tools.vary(request, num_variations))
