"""What the tools are worth: real clips go in, and detectors say what of them and of the prompt is in what comes out.

Also how much a long clip jumps where its windows meet. python -m sorairo.evals.tools [NUMBER OF PROMPTS [MODEL]]
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from sorairo.data.world_frames import OnProgress
from sorairo.diffusion.windows import plan_windows
from sorairo.evals.agreement import scored_facts
from sorairo.evals.detector import load_detector
from sorairo.evals.prompts import NUM_QUICK, Case, held_out_cases
from sorairo.evals.report import markdown
from sorairo.evals.scoring import Score, score_rows, tally, tally_others
from sorairo.evals.statements import statements
from sorairo.media import Frames, read_any, write_mp4, write_png
from sorairo.pipelines import Generation, ModelBundle, VideoRequest, load_bundle, tools
from sorairo.pipelines.progress import silent
from sorairo.pipelines.request import Anchor, Material
from sorairo.pipelines.sampling import WINDOW
from sorairo.pipelines.timeline import CONTEXT
from sorairo.shapes import TEMPORAL_STRIDE
from sorairo.statistics import Floats, bootstrap_interval
from sorairo.world import render

SHOWN = ("colour", "shape", "ground", "light", "direction")
Build = Callable[["Files", str], VideoRequest]


@dataclass(frozen=True)
class Files:
    """A real clip of four seconds, its first frame, a mask over its middle, and the clip of another prompt."""

    clip: Path
    first: Path
    mask: Path
    other: Path


def _ends(files: Files, prompt: str) -> VideoRequest:
    clip = Material(str(files.clip))
    return VideoRequest(prompt, anchors=(Anchor(clip, 0, 0, 1), Anchor(clip, 3, 3, 1)))


TOOLS: dict[str, Build] = {
    "text to video": lambda _, prompt: VideoRequest(prompt),
    "animate its first frame": lambda files, prompt: tools.animate([(files.first, 0)], prompt, 4),
    "extend its first half": lambda files, prompt: tools.recut(files.clip, 0, 2, after=2, prompt=prompt),
    "extend its second half backward": lambda files, prompt: tools.recut(files.clip, 2, 4, before=2, prompt=prompt),
    "fill in between its ends": _ends,
    "inpaint its middle": lambda files, prompt: tools.inpaint(files.clip, files.mask, prompt),
    "remix it, subtle": lambda files, prompt: tools.remix(files.clip, prompt, "subtle"),
    "remix another clip, mild": lambda files, prompt: tools.remix(files.other, prompt, "mild"),
    "remix another clip, strong": lambda files, prompt: tools.remix(files.other, prompt, "strong"),
    "the other clip itself": lambda files, prompt: tools.remix(files.other, prompt, 0.0),
}
"""Every tool, with the prompt that is true of ``clip``."""


def score_tools(
    bundle: ModelBundle, num_prompts: int = NUM_QUICK, progress: OnProgress = silent
) -> dict[str, tuple[Score, ...]]:
    """Scores of the prompts' statements for each tool, between clips of other prompts and the real clips."""
    cases, detector = held_out_cases(num_prompts), load_detector()
    said, scored = [statements(case.caption.claims) for case in cases], scored_facts(detector.agreement)
    with tempfile.TemporaryDirectory(prefix="sorairo-") as folder:
        real, files = _written(cases, Path(folder))
        seen = [detector.observe(clip) for clip in real]
        floor, ceiling = tally_others(said, seen), tally(said, seen)
        scores = {}
        for number, (name, build) in enumerate(TOOLS.items(), start=1):
            made = [detector.observe(clip) for clip in _made(build, files, cases, bundle)]
            scores[name] = score_rows(tally(said, made), floor, ceiling, scored)
            progress("tools", number, len(TOOLS))
    return scores


def table(scores: dict[str, tuple[Score, ...]]) -> str:
    """Way from floor to ceiling by tool and fact, as Markdown."""
    ways = {name: {score.fact: f"{score.fraction:.2f}" for score in of_tool} for name, of_tool in scores.items()}
    cells = [(name, *(of_tool.get(fact, "-") for fact in SHOWN)) for name, of_tool in ways.items()]
    return markdown([("tool", *SHOWN), *cells])


def _written(cases: Sequence[Case], folder: Path) -> tuple[list[Frames], list[Files]]:
    real: list[Frames] = []
    clips = [folder / f"{number}.mp4" for number in range(len(cases))]
    for number, (case, clip) in enumerate(zip(cases, clips, strict=True)):
        frames, _ = render(case.clip)
        write_mp4(clip, frames, width=frames.shape[2], height=frames.shape[1], fps=8)
        real.append(read_any(clip)[0])
        write_png(folder / f"{number}.png", real[-1][0])
        white = np.zeros_like(frames[0])
        white[white.shape[0] // 4 :, white.shape[1] // 4 : -white.shape[1] // 4] = 255
        write_png(folder / f"{number}-mask.png", white)
    others = [*clips[1:], clips[0]]
    return real, [
        Files(clip, clip.with_suffix(".png"), clip.with_name(f"{clip.stem}-mask.png"), other)
        for clip, other in zip(clips, others, strict=True)
    ]


def _made(build: Build, files: Sequence[Files], cases: Sequence[Case], bundle: ModelBundle) -> Iterator[Frames]:
    with tempfile.TemporaryDirectory(prefix="sorairo-") as folder:
        for of_case, case in zip(files, cases, strict=True):
            generation = Generation(build(of_case, case.caption.text), Path(folder), bundle)
            yield np.stack(list(generation.frames()))
            generation.remove()


@dataclass(frozen=True)
class Seams:
    """A clip's jumps where something was joined, in medians of its other jumps: at 1 a seam is like any other moment.

    ``pixels``: absolute change from frame to frame. ``motion``: change of that change. ``borders``: pixels again, but
    only against jumps from one latent frame into the next, where a model changes more than inside of them.
    """

    pixels: float
    motion: float
    borders: float


def measure_seams(frames: Frames, seams: Sequence[int]) -> Seams:
    """Jumps of frames [t h w 3] into each frame of ``seams``."""
    change = np.diff(frames.astype(np.float32), axis=0)
    pixels, motion = np.abs(change).mean((1, 2, 3)), np.abs(np.diff(change, axis=0)).mean((1, 2, 3))
    at, around = np.array(seams) - 1, np.unique([seam - offset for seam in seams for offset in (1, 2)])
    borders = pixels[np.setdiff1d(np.arange(0, len(pixels), TEMPORAL_STRIDE), at)]
    return Seams(
        _ratio(pixels[at], np.delete(pixels, at)),
        _ratio(motion[around], np.delete(motion, around)),
        _ratio(pixels[at], borders),
    )


def _ratio(jumps: Any, others: Any) -> float:
    return float(np.median(jumps) / max(np.median(others), 1e-3))


def seams_line(measured: Sequence[Seams]) -> str:
    """Medians over clips, each with its 95 % interval."""
    return ", ".join(
        f"{field.name} {_with_interval(np.array([getattr(seams, field.name) for seams in measured]))}"
        for field in fields(Seams)
    )


def _with_interval(values: Floats) -> str:
    low, high = bootstrap_interval(lambda chosen: float(np.median(values[chosen])), len(values))
    return f"{np.median(values):.2f} [{low:.2f}, {high:.2f}]"


def window_seams(num_latent_frames: int) -> list[int]:
    """The first frame that each later window of a long clip adds."""
    windows = plan_windows([False] * num_latent_frames, WINDOW, CONTEXT)
    return [TEMPORAL_STRIDE * before.stop - 3 for before in windows[:-1]]


def long_clip_seams(bundle: ModelBundle, num_prompts: int) -> list[Seams]:
    """Seams of clips of 20 seconds, where their windows meet."""
    cases = held_out_cases(num_prompts)
    files = [Files(*[Path()] * 4)] * num_prompts
    made = _made(lambda _, prompt: VideoRequest(prompt, seconds=20.0), files, cases, bundle)
    return [measure_seams(frames, window_seams(1 + len(frames) // TEMPORAL_STRIDE)) for frames in made]


def loop_seams(bundle: ModelBundle, num_prompts: int) -> list[Seams]:
    """Where loops of real clips begin to be made, and where their ends meet their beginnings."""
    cases = held_out_cases(num_prompts)
    with tempfile.TemporaryDirectory(prefix="sorairo-") as folder:
        real, files = _written(cases, Path(folder))
        made = _made(lambda files, _: tools.loop(files.clip, 1.0), files, cases, bundle)
        return [
            measure_seams(np.concatenate([frames, frames[:4]]), [len(clip), len(frames)])
            for clip, frames in zip(real, made, strict=True)
        ]


def main() -> None:
    """Prints the tools' table and the seams."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else NUM_QUICK
    bundle = load_bundle(sys.argv[2] if len(sys.argv) > 2 else VideoRequest.model)
    print(table(score_tools(bundle, number, lambda *state: print(*state, file=sys.stderr))))
    print(f"20 seconds in windows: {seams_line(long_clip_seams(bundle, max(1, number // 2)))}")
    print(f"loops of real clips: {seams_line(loop_seams(bundle, number))}")


if __name__ == "__main__":
    main()
