"""The commands that put clips and prompts into words. Never computes."""

from __future__ import annotations

import time
from pathlib import Path

import click

from sorairo.cli.making import FILE, together
from sorairo.cli.terminal import note, printable

STYLE = click.Choice(["short", "descriptive", "structured"])
ENDPOINT = together(
    click.option("--endpoint", help="Address of a server that speaks OpenAI's chat completions, ending in /v1."),
    click.option("--endpoint-model", default="", help="The model's name there. Its key: $SORAIRO_ENDPOINT_KEY."),
)


@click.command()
@click.argument("files", type=FILE, nargs=-1, required=True)
@click.option("--style", type=STYLE, default="descriptive", show_default=True, help="How much is said.")
@click.option("--captioner", default="sorairo-captioner", show_default=True, help="Name or folder of one of ours.")
@click.option("--folder", type=FILE, help="Folder of a vision-language model of the transformers library.")
@ENDPOINT
@click.option("--at-once", type=click.IntRange(1, 64), default=4, show_default=True, help="Requests to an endpoint.")
@click.option("--price", type=(float, float), default=(0.0, 0.0), help="Of a million tokens read, and written.")
@click.option("-o", "--output", type=FILE, help="Record, .jsonl: what it holds already is not written again.")
def caption(
    files: tuple[Path, ...],
    style: str,
    captioner: str,
    folder: Path | None,
    endpoint: str | None,
    endpoint_model: str,
    at_once: int,
    price: tuple[float, float],
    output: Path | None,
) -> None:
    """Describe the clips FILES: simulated ones by the built-in captioner, footage by a model of your own.

    The built-in captioner knows the simulated world only, and describes whatever it is shown in that world's words.
    """
    from sorairo.pipelines import captions

    writer = captions.own_writer(folder, endpoint, endpoint_model) or captions.built_in_writer(captioner)
    at_once = at_once if endpoint else 1
    start, read, written = time.perf_counter(), 0, 0
    for number, one in enumerate(captions.caption_files(files, writer, style, output, at_once), start=1):  # type: ignore[arg-type]
        click.echo(f"{printable(one.file)}: {printable(one.caption)}")
        read, written = read + one.tokens_read, written + one.tokens_written
        if one.tokens_written:
            seconds, cost = time.perf_counter() - start, (read * price[0] + written * price[1]) / 1e6
            told = f"{read} tokens read, {written} written, {written / seconds:.1f} a second, cost {cost:.4f}"
            note(f"{number} of {len(files)} clips: {told}")


@click.command()
@click.argument("prompt")
@ENDPOINT
@click.option("--captioner", default="sorairo-captioner", show_default=True, help="Name or folder of one of ours.")
def expand(prompt: str, endpoint: str | None, endpoint_model: str, captioner: str) -> None:
    """Tell PROMPT in full, as the model's training captions do: your facts, and what you left free."""
    from sorairo.pipelines import expansion
    from sorairo.pipelines.language_model import LanguageModel

    if endpoint:
        made = expansion.expand_by_endpoint(prompt, LanguageModel(endpoint, endpoint_model))
    else:
        made = expansion.load_expander(captioner).expand(prompt)
    click.echo(printable(made.text))
    added = ", ".join(f"{kind} {name}" for kind, name in made.added.items())
    note(f"{made.note}; added: {added or 'nothing'}")


DESCRIBING = (caption, expand)
