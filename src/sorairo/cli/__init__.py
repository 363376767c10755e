"""The command line: parse, call one function, print. Never computes, and loads what a command needs only when it runs.

Exit codes: 0 done; 1 this machine failed (full disk, broken signature); 2 a wrong request, one line on stderr;
130 interrupted; `verify` also 3, 4 and 5 (see `sorairo verify --help`); `reproduce` also 6; `policy check`
has 1 for what is refused.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

import sorairo
from sorairo.cli.describing import DESCRIBING
from sorairo.cli.finding import whence
from sorairo.cli.footage import COMMANDS as FOOTAGE
from sorairo.cli.making import DEFAULTS, FILE, MAKING, OVERWRITE
from sorairo.cli.moderating import MODERATING
from sorairo.cli.operating import COMMANDS as SERVING
from sorairo.cli.policy import policy
from sorairo.cli.remaking import reproduce, vary
from sorairo.cli.terminal import check_toml, fail, in_options, note, printable, stage_bars
from sorairo.config import nearest_name
from sorairo.shapes import parse_size

MACHINE_FAILED, WRONG_REQUEST, INTERRUPTED = 1, 2, 130

SPLIT = click.Choice(["train", "test", "novel"])
STYLE = click.Choice(["fragment", "short", "medium", "dense"])


class Commands(click.Group):
    """Commands whose misspelt names are answered with the nearest."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands:
            nearest = nearest_name(cmd_name, self.list_commands(ctx))
            raise click.UsageError(f"there is no command {cmd_name!r}; the nearest is {nearest!r}")
        return super().get_command(ctx, cmd_name)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(sorairo.__version__, prog_name="sorairo")
def commands() -> None:
    """Sorairo: type a sentence, get a short, signed video."""


for command in (*MAKING, reproduce, vary, policy, whence, *DESCRIBING, *FOOTAGE, *SERVING, *MODERATING):
    commands.add_command(command)


@commands.command()
@click.argument("file", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print the verdict as JSON.")
def verify(file: Path, as_json: bool) -> int:
    """Check where FILE comes from and whether it was changed.

    Exit code: 0 trusted, 3 valid but by an unknown signer, 4 invalid, 5 no signature, 2 not a file that can have one.
    """
    from sorairo import provenance

    verdict = provenance.verify(file)
    lines = [verdict.state, *(f"  {printable(reason)}" for reason in verdict.reasons), *_told(verdict.facts, "  ")]
    click.echo(json.dumps(vars(verdict), ensure_ascii=False, indent=1) if as_json else "\n".join(lines))
    return verdict.exit_code


@commands.command()
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same scene.")
@click.option("--size", default="160x96", show_default=True, help="WIDTHxHEIGHT.")
@click.option("--seconds", type=float, default=4.0, show_default=True, help="Length.")
@click.option(
    "--split", type=SPLIT, default="train", show_default=True, help="Scenes to learn from, or to be tested on."
)
@click.option("--style", type=STYLE, default="medium", show_default=True, help="How much the caption says.")
@click.option("-o", "--output", type=FILE, default="world.mp4", show_default=True, help="File to write, .mp4.")
@OVERWRITE
def world(seed: int, size: str, seconds: float, split: Any, style: Any, output: Path, overwrite: bool) -> None:
    """Write a simulated clip, of the kind the built-in model learns from, and print its caption."""
    import numpy as np

    from sorairo.media import check_output, write_mp4
    from sorairo.shapes import VideoShape
    from sorairo.world import caption, make_clip, render

    check_output(output, overwrite)
    clip = make_clip(seed, VideoShape.from_seconds(seconds, *parse_size(size)), split)
    frames, _ = render(clip)
    write_mp4(output, frames, width=clip.shape.width, height=clip.shape.height, fps=clip.shape.fps)
    click.echo(caption(clip, style, np.random.default_rng(seed)).text)
    note(f"written to {output}; simulated, so it carries no signature")


@commands.command()
@click.argument("recipe", type=FILE)
@click.option("--out", type=FILE, help="Folder of the run.  [default: runs/ and the recipe's name]")
def train(recipe: Path, out: Path | None) -> None:
    """Train a model by RECIPE, a TOML file. The same command again goes on where it stopped."""
    check_toml("recipe", recipe)
    from sorairo.training import run

    click.echo(run.train(recipe, out or Path("runs") / recipe.stem))


@commands.command("eval")
@click.option("--model", default=DEFAULTS["model"], show_default=True, help="Name, or folder of a model.")
@click.option("--quick", is_flag=True, help="Few prompts of each kind only.")
@click.option("--fresh", type=int, help="A list of prompts that nobody has seen, by its number.")
@click.option("--clips", type=FILE, help="Score the .mp4 files of this folder instead (docs/evaluation.md).")
@click.option("-o", "--output", type=FILE, default="runs/evaluation", show_default=True, help="Folder of the report.")
def evaluate(model: str, quick: bool, fresh: int | None, clips: Path | None, output: Path) -> None:
    """Score a model on prompts it never saw, between real clips and clips of other prompts."""
    from sorairo.pipelines.cards import find_model

    if clips is None:
        find_model(model)  # a wrong name is told at once, not after the evaluation's prompts have been made
    from sorairo.evals.evaluation import run_evaluation
    from sorairo.evals.folders import score_folder

    with stage_bars() as progress:
        if clips is not None:
            report = score_folder(clips, output, progress)
        else:
            report = run_evaluation(model, output=output, quick=quick, fresh=fresh, progress=progress)
    click.echo(report.to_markdown())
    note(f"the page with the clips: {output / 'evaluation.html'}")


@commands.command()
def models() -> None:
    """List the installed models and what their cards say."""
    from sorairo.pipelines.cards import list_models, load_card

    found = list_models()
    if not found:
        note("no model is installed; train one: sorairo train recipes/cpu.toml")
    for name, folder in found.items():
        card = load_card(folder)
        click.echo(f"{name}  {card.summary or '(no summary)'}")
        click.echo(f"  licence {card.licence or 'not stated'}; knows {len(card.vocabulary)} words; {folder}")
        for key, value in card.facts.items():
            if isinstance(value, str | int | float):
                click.echo(f"  {key.replace('_', ' ')}: {value}")


def main() -> None:
    """The console script."""
    # Threads of torch that wait sleep: on two busy cores a generation took 1 s instead of 10. Before torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code; what a user did wrong, or a machine, becomes one line on stderr."""
    try:
        return commands.main([*arguments], prog_name="sorairo", standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.ClickException as error:
        return fail(error.format_message(), WRONG_REQUEST)
    except ValueError as error:
        if os.environ.get("SORAIRO_TRACEBACK"):  # for whoever looks for a bug behind the line
            raise
        return fail(in_options(str(error), commands, arguments), WRONG_REQUEST)
    except (KeyboardInterrupt, click.Abort):
        return fail("interrupted", INTERRUPTED)
    except OSError as error:
        return fail(f"{error.strerror}: {error.filename}" if error.filename else str(error), MACHINE_FAILED)
    except RuntimeError as error:
        if type(error).__module__.startswith("sorairo."):  # others are our bugs, and want their traceback
            return fail(str(error), MACHINE_FAILED)
        raise


def _told(facts: Mapping[str, Any], indent: str) -> Iterator[str]:
    """A line for each fact that is not empty; what has facts of its own, as a request or a parent has, farther in."""
    for name, value in facts.items():
        several = value if isinstance(value, list | tuple) else [value]
        if several and all(isinstance(one, Mapping) for one in several):
            for one in several:
                yield f"{indent}{printable(name.removesuffix('s'))}:"
                yield from _told(one, indent + "  ")
        elif value not in (None, "", [], ()):
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield f"{indent}{printable(name)}: {printable(shown)}"
