"""What the upscaler and the interpolator are worth: `python -m sorairo.evals.finishing` prints two tables.

On clips of the split "test", which nothing is trained on, against the same scene rendered at the size and at the
moments asked for. Never trains and keeps no frame.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np
import torch

from sorairo.evals.report import markdown
from sorairo.evals.similarity import motion_error, psnr, ssim
from sorairo.media import Frames
from sorairo.models.interpolator import load_interpolator
from sorairo.models.video_vae import VideoVAE, to_video
from sorairo.pipelines.bundle import load_bundle
from sorairo.pipelines.finishing import UPSCALER, cut_out, enlarged, load_upscaler, with_rate
from sorairo.pipelines.preview import to_pixels
from sorairo.pipelines.size_plan import SizePlan
from sorairo.shapes import NATIVE_BUCKETS, NATIVE_FPS, VideoShape
from sorairo.world import make_clip, render

SIZES = [(w, s) for s, long in ((480, 854), (720, 1280), (1080, 1920)) for w, s in ((long, s), (s, s), (s, long))]
FIRST_SEED = 3000
COMPARED = range(9, 12)  # frames of each clip, after some that an upscaler may have learned from
SMOOTH_FPS, SMOOTH_FRAMES = 24, 49
MEASURES = ("PSNR, dB", "SSIM", "error of motion, grey levels", "seconds a frame")

Method = Callable[[Iterable[Frames]], Iterator[Frames]]
Table = dict[tuple[str, str], list[tuple[float, ...]]]
"""The measures of each clip, by what was asked for and by method."""


def measure_sizes(
    methods: Mapping[str, Callable[[SizePlan], Method]],
    vae: VideoVAE | None,
    num_clips: int,
    sizes: Sequence[tuple[int, int]] = SIZES,
) -> Table:
    """Scores of methods that enlarge; the small frames went through ``vae``, if any."""
    table: Table = defaultdict(list)
    for plan in (SizePlan.of(*size) for size in sizes):
        large = plan.scale * plan.native_width, plan.scale * plan.native_height
        for seed in range(FIRST_SEED, FIRST_SEED + num_clips):
            clip = make_clip(seed, VideoShape(13, plan.native_height, plan.native_width), "test")
            truth = np.stack([cut_out(frame, plan) for frame in render(clip, COMPARED, *large)[0]])
            small = decoded(vae, render(clip)[0])[: COMPARED.stop]
            for name, method in methods.items():
                made, seconds = timed(method(plan), small)
                made = made[COMPARED.start :]
                scores = psnr(made, truth), ssim(made, truth), motion_error(made, truth), seconds
                table[f"{plan.width}x{plan.height}", name].append(scores)
    return table


def measure_rates(methods: Mapping[str, Method], num_clips: int) -> Table:
    """Scores of methods that make 24 frames a second of 8: of the frames that were not there before."""
    table: Table = defaultdict(list)
    for index in range(num_clips):
        bucket = NATIVE_BUCKETS[index % len(NATIVE_BUCKETS)]
        shape = VideoShape(SMOOTH_FRAMES, bucket.height, bucket.width, SMOOTH_FPS)
        truth, _ = render(make_clip(FIRST_SEED + index, shape, "test"))
        step = SMOOTH_FPS // NATIVE_FPS
        new = np.arange(len(truth)) % step > 0
        for name, method in methods.items():
            made, seconds = timed(method, truth[::step])
            likeness = psnr(made[new], truth[new]), ssim(made[new], truth[new])
            table[f"{shape.width}x{shape.height}", name].append((*likeness, motion_error(made, truth), seconds))
    return table


def timed(method: Method, frames: Frames) -> tuple[Frames, float]:
    """All frames of a method, and its seconds of one processor core for each."""
    start = time.process_time()
    made = np.stack(list(method(frames)))
    return made, (time.process_time() - start) / len(made)


@torch.no_grad()
def decoded(vae: VideoVAE | None, frames: Frames) -> Frames:
    """Frames encoded and decoded, or as they are."""
    if vae is None:
        return frames
    return to_pixels(vae.decode(vae.encode(to_video(frames)))[0].movedim(0, -1))


def as_markdown(table: Table, what: str) -> str:
    """Means over clips."""
    rows: list[tuple[str, ...]] = [(what, "method", *MEASURES)]
    for key, scores in table.items():
        likeness, structure, motion, seconds = np.mean(scores, axis=0)
        rows.append((*key, f"{likeness:.2f}", f"{structure:.4f}", f"{motion:.2f}", f"{seconds:.3f}"))
    return markdown(rows)


def enlargers(upscaler: str) -> dict[str, Callable[[SizePlan], Method]]:
    """The upscaler and what it is compared with, by name."""
    model = load_upscaler(upscaler)

    def plain(plan: SizePlan, resampling: str) -> Method:
        return lambda frames: (cut_out(frame, plan, resampling) for frame in frames)

    return {
        "upscaler": lambda plan: partial(enlarged, plan=plan, upscaler=model),
        "bicubic": lambda plan: plain(plan, "BICUBIC"),
        "Lanczos": lambda plan: plain(plan, "LANCZOS"),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints both tables, in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clips", type=int, default=3, help="clips for each size; four times as many for rates")
    parser.add_argument("--upscaler", default=UPSCALER, help="name or folder")
    parser.add_argument("--model", default="sorairo-base", help="whose autoencoder the small frames go through")
    parser.add_argument("--clean", action="store_true", help="small frames as rendered, without the autoencoder")
    given = parser.parse_args(arguments)
    vae = None if given.clean else load_bundle(given.model, torch.device("cpu")).video_vae
    print(as_markdown(measure_sizes(enlargers(given.upscaler), vae, given.clips), "size"), end="\n\n")
    rates = {
        name: partial(with_rate, fps_in=NATIVE_FPS, fps_out=SMOOTH_FPS, interpolator=interpolator)
        for name, interpolator in {"RIFE": load_interpolator(), "blending": None}.items()
    }
    print(as_markdown(measure_rates(rates, 4 * given.clips), "size"))


if __name__ == "__main__":
    main()
