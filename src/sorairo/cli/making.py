"""The commands that make something: each builds a request with one tool, and has it made and signed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from inspect import signature
from pathlib import Path
from typing import Any

import click

from sorairo import pipelines
from sorairo.cli.terminal import check_toml, note, progress_bars
from sorairo.pipelines.request import VideoRequest
from sorairo.pipelines.styles import dressed
from sorairo.pipelines.vocabulary import words_of
from sorairo.shapes import parse_size

DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(VideoRequest)}
FILE = click.Path(path_type=Path)
MAKING: list[click.Command] = []
"""Every command of this page."""

Making = Callable[..., VideoRequest | tuple[VideoRequest, ...]]
"""Builds what a command asks for."""

SETTINGS = [
    click.option("--seed", type=int, default=DEFAULTS["seed"], show_default=True, help="Same seed, same result."),
    click.option("--steps", "num_inference_steps", type=int,
                 help="Sampling steps: more is slower and finer.  [default: the model's own]"),
    click.option("--guidance", "guidance_scale", type=float,
                 help="How closely to follow the prompt.  [default: the model's own]"),
    click.option("--negative", "negative_prompt", default="", help="What should not be there."),
    click.option("--fps", type=int, default=DEFAULTS["fps"], show_default=True, help="Frames per second, 8 to 60."),
    click.option("--model", default=DEFAULTS["model"], show_default=True, help="Name, or folder of a model."),
    click.option("--mark/--no-mark", "visible_mark", default=True, show_default=True,
                 help="The visible mark. The invisible one and the credentials are always there."),
    click.option("--consent", default="", help="Your statement that people in your pictures are adults and agree."),
]  # fmt: skip
DRESS = [
    click.option("--style", default="", help="A named style: night, golden, studio, ... or one of your own."),
    click.option("--camera", default="", help='A camera move, such as "orbit left".'),
]
OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
WRITING = [
    click.option("-o", "--output", "path", type=FILE, help="File to write.  [default: named by words and seed]"),
    click.option("--preview", is_flag=True, help="Show the result taking shape in the terminal."),
    OVERWRITE,
]
CLIP = click.argument("clip", type=FILE)
PROMPT = click.argument("prompt")
MAYBE_PROMPT = click.argument("prompt", default="")
SIZE = click.option(
    "--size", default=f"{DEFAULTS['width']}x{DEFAULTS['height']}", show_default=True, help="WIDTHxHEIGHT."
)
NUMBER = click.option(
    "--num-variations", type=int, default=1, show_default=True, help="1, 2 or 4, each from other noise."
)


def together(*options: Any) -> Callable[[Any], Any]:
    """Several options as one decorator, in the order of a command's help."""
    return lambda command: functools.reduce(lambda made, option: option(made), reversed(options), command)


def seconds_option(default: float, text: str) -> Callable[[Any], Any]:
    return click.option("--seconds", type=float, default=default, show_default=True, help=text)


@dataclass(frozen=True)
class Output:
    """Where a result goes. Without a ``path`` it is named by the command or the prompt, and the seed."""

    command: str
    path: Path | None
    preview: bool
    overwrite: bool

    def write(self, *requests: VideoRequest) -> None:
        """Makes every request; several have their seeds in their names. Prints the paths."""
        from sorairo.media import check_output

        paths = {self.named(request, len(requests) > 1): request for request in requests}
        for path, request in paths.items():  # all of them before the first is made
            check_output(path, self.overwrite, ".png" if request.still else ".mp4")
        for path, request in paths.items():
            with progress_bars(self.preview) as on_progress:
                clip = pipelines.generate(request, path, on_progress, overwrite=self.overwrite)
            click.echo(clip.path)
            told = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in clip.seconds_per_stage.items())
            frames = f"{request.num_frames} frames of {request.width}x{request.height} at {request.fps} per second"
            click.echo(f"{'1 picture' if request.still else frames}, signed; {told}", err=True)

    def named(self, request: VideoRequest, several: bool = False) -> Path:
        """Its ``path``, with the seed where there are ``several``; else a name such as a-red-ball-rolls-to-the-0.mp4,
        in the current folder. Of the 255 bytes that a name may have enough are left for what the writers add."""
        if self.path:
            return self.path.with_stem(f"{self.path.stem}-{request.seed}") if several else self.path
        words = words_of(request.user_prompt or request.prompt)[:6]
        first, seed = [] if self.command == "generate" else [self.command], str(request.seed)
        told = "-".join([*first, *words])[: 79 - len(seed)].encode()[:160].decode(errors="ignore")
        return Path("-".join(filter(None, [told, seed])) + (".png" if request.still else ".mp4"))


def command(*options: Any) -> Callable[[Making], Making]:
    """Registers a function as a command with its ``options`` and the common ones, which makes what it returns.

    It gets what it names, a prompt in its style, and the rest as ``settings``.
    """

    def register(function: Making) -> Making:
        name, own = function.__name__, signature(function).parameters
        told = PROMPT in options or MAYBE_PROMPT in options

        @functools.wraps(function)
        def run(path: Path | None, preview: bool, overwrite: bool, **given: Any) -> None:
            import sorairo.pipelines.tools  # noqa: F401 (not before a command runs, as it takes a moment)

            dress = (given.pop("style"), given.pop("camera")) if told else ()
            settings = {key: given.pop(key) for key in [*given] if key not in own}
            if told and given["prompt"].strip():
                given["prompt"], dress = dressed(given["prompt"], *dress), ()
            requests = function(settings=settings, **given)
            several = requests if isinstance(requests, tuple) else (requests,)
            if dress:  # the clip's own prompt, which its credentials tell
                several = tuple(replace(request, prompt=dressed(request.prompt, *dress)) for request in several)
            Output(name, path, preview, overwrite).write(*several)

        decorated = together(*options, *SETTINGS, *(DRESS if told else []), *WRITING)
        MAKING.append(click.command(name)(decorated(run)))
        return function

    return register


@command(
    PROMPT, SIZE, seconds_option(DEFAULTS["seconds"], "Length."), NUMBER,
    click.option("--expand/--no-expand", default=False, show_default=True, help="Tell the prompt in full first."),
)  # fmt: skip
def generate(
    prompt: str, size: str, num_variations: int, expand: bool, settings: Any, seconds: float
) -> tuple[VideoRequest, ...]:
    """Make a clip from PROMPT and sign it; of several the first has the seed asked for, the others the next ones."""
    width, height = parse_size(size)
    request = VideoRequest(prompt, width=width, height=height, seconds=seconds, **settings)
    if expand:
        from sorairo.pipelines.expansion import expanded, load_expander

        made = load_expander().expand(prompt)
        note(f"{made.note}: {made.text}")
        request = expanded(request, made)
    return (request, *pipelines.tools.vary(request, num_variations))[:num_variations]


@command(PROMPT, SIZE)
def image(prompt: str, size: str, settings: Any) -> VideoRequest:
    """Make one picture from PROMPT."""
    width, height = parse_size(size)
    return pipelines.tools.image(prompt, width=width, height=height, **settings)


@command(
    click.argument("picture", type=FILE),
    PROMPT,
    seconds_option(DEFAULTS["seconds"], "Length."),
    click.option("--last", type=FILE, help="A picture for the end."),
    click.option("--at", "others", type=(float, FILE), multiple=True, help="A time in seconds and a picture for it."),
)
def animate(picture: Path, prompt: str, seconds: float, last: Path | None, others: Any, settings: Any) -> VideoRequest:
    """Bring PICTURE to life as PROMPT says; more pictures can be given for later."""
    pictures = [(picture, 0.0), *((file, time) for time, file in others), *([(last, seconds)] if last else [])]
    return pipelines.tools.animate(pictures, prompt, seconds, **settings)


@command(
    CLIP,
    MAYBE_PROMPT,
    seconds_option(2.0, "How much is added."),
    click.option("--forward/--backward", default=True, show_default=True, help="After the clip, or before it."),
)
def extend(clip: Path, prompt: str, seconds: float, forward: bool, settings: Any) -> VideoRequest:
    """Continue CLIP, or make what came before it."""
    return pipelines.tools.extend(clip, seconds, prompt, backward=not forward, **settings)


@command(CLIP, MAYBE_PROMPT, seconds_option(1.0, "How long it takes to lead back."))
def loop(clip: Path, prompt: str, seconds: float, settings: Any) -> VideoRequest:
    """Lead the end of CLIP back to its beginning, so that it plays without end."""
    return pipelines.tools.loop(clip, seconds, prompt, **settings)


@command(
    click.argument("first", type=FILE), click.argument("second", type=FILE), MAYBE_PROMPT,
    seconds_option(2.0, "What is made between them."),
)  # fmt: skip
def connect(first: Path, second: Path, prompt: str, seconds: float, settings: Any) -> VideoRequest:
    """Join two clips by frames that lead from FIRST to SECOND."""
    return pipelines.tools.connect(first, second, seconds, prompt, **settings)


@command(
    click.argument("first", type=FILE), click.argument("second", type=FILE), MAYBE_PROMPT,
    click.option("--curve", default="transition", show_default=True,
                 help="transition, mix, sample, or the second's share over the length: 0:0,0.5:1,1:0."),
    click.option("--strength", type=float, default=0.85, show_default=True, help="How much is made anew in between."),
)  # fmt: skip
def blend(first: Path, second: Path, prompt: str, curve: str, strength: float, settings: Any) -> VideoRequest:
    """Mix FIRST and SECOND along a curve of influence."""
    influence: Any = curve if ":" not in curve else _points(curve)
    return pipelines.tools.blend(first, second, prompt, influence=influence, strength=strength, **settings)


@command(
    CLIP, PROMPT,
    click.option("--strength", default="mild", show_default=True, help="subtle, mild, strong, or 0 to 1."),
)  # fmt: skip
def remix(clip: Path, prompt: str, strength: str, settings: Any) -> VideoRequest:
    """Change CLIP as PROMPT says."""
    return pipelines.tools.remix(clip, prompt, _number_or_word(strength), **settings)


@command(click.argument("file", type=FILE))
def storyboard(file: Path, settings: Any) -> VideoRequest:
    """Make a clip from the cards of FILE: texts, pictures and clips, each at its time (docs/formats.md)."""
    check_toml("storyboard", file)
    return pipelines.tools.storyboard(file, **settings)


@command(
    CLIP, MAYBE_PROMPT,
    click.option("--start", type=float, default=0.0, show_default=True, help="First second that is kept."),
    click.option("--end", type=float, required=True, help="Last second that is kept."),
    click.option("--before", type=float, default=0.0, show_default=True, help="Seconds to make before it."),
    click.option("--after", type=float, default=0.0, show_default=True, help="Seconds to make after it."),
)  # fmt: skip
def recut(
    clip: Path, prompt: str, start: float, end: float, before: float, after: float, settings: Any
) -> VideoRequest:
    """Keep the best part of CLIP and extend it in either direction."""
    request = pipelines.tools.recut(clip, start, end, before, after, prompt, **settings)
    (kept,) = request.anchors
    length = kept.seconds or 0.0
    last, rest = kept.start + length, request.seconds - kept.time - length
    taken = [f"{seconds:g}" for seconds in (kept.start, last, kept.time, rest)]
    if taken != [f"{seconds:g}" for seconds in (start, end, before, after)]:
        note("{} to {} s are kept, with {} s made before them and {} s after".format(*taken))
    return request


@command(
    CLIP, MAYBE_PROMPT,
    click.option("--mask", type=FILE, required=True, help="Picture or clip: white is made anew."),
)  # fmt: skip
def inpaint(clip: Path, prompt: str, mask: Path, settings: Any) -> VideoRequest:
    """Make a part of CLIP anew."""
    return pipelines.tools.inpaint(clip, mask, prompt, **settings)


@command(
    CLIP, MAYBE_PROMPT,
    click.option("--size", required=True, help="WIDTHxHEIGHT of the larger picture."),
    click.option("--place", type=(int, int), help="Left and top edge of the clip in it.  [default: in the middle]"),
)  # fmt: skip
def outpaint(clip: Path, prompt: str, size: str, place: Any, settings: Any) -> VideoRequest:
    """Make what lies around CLIP."""
    return pipelines.tools.outpaint(clip, *parse_size(size), prompt, place=place, **settings)


@command(
    click.argument("picture", type=FILE), PROMPT,
    click.option("--mask", type=FILE, required=True, help="Picture or clip: only what is white moves."),
    seconds_option(DEFAULTS["seconds"], "Length."),
)  # fmt: skip
def cinemagraph(picture: Path, prompt: str, mask: Path, seconds: float, settings: Any) -> VideoRequest:
    """Let a part of PICTURE move, and the rest stand still."""
    return pipelines.tools.cinemagraph(picture, mask, prompt, seconds, **settings)


def _number_or_word(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def _points(text: str) -> tuple[tuple[float, float], ...]:
    try:
        return tuple((float(at), float(share)) for at, share in (pair.split(":") for pair in text.split(",")))
    except ValueError:
        raise ValueError(f"curve is {text!r}; it is a preset or points such as 0:0,0.5:1,1:0") from None
