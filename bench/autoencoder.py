"""What is lost by encoding and decoding: PSNR, SSIM and seconds, on held-out clips and on one's own footage.

python bench/autoencoder.py [--model MODEL] [--clips N] [--footage FOLDER]

Clips are of the split "test", from FIRST_SEED on: no training, detector or prompt has seen them. The last
rows are what tools do to a clip that lies later on the timeline: it is encoded behind a still of its own first frame.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from sorairo.evals.finishing import decoded
from sorairo.evals.similarity import psnr, ssim
from sorairo.media import Footage, Frames, fitted
from sorairo.models.video_vae import VideoVAE, to_video
from sorairo.pipelines.bundle import load_bundle
from sorairo.pipelines.preview import to_pixels
from sorairo.pipelines.timeline import STILL
from sorairo.shapes import NATIVE_BUCKETS, TEMPORAL_STRIDE
from sorairo.statistics import bootstrap_interval
from sorairo.world import make_clip, render

FIRST_SEED = 20_000
LATER = 20  # last frames of a clip that are encoded as if they came from a file of their own
FOOTAGE_FRAMES = 33


@torch.inference_mode()
def ends_rebuilt(vae: VideoVAE, frames: Frames, still: bool) -> Frames:
    """The last LATER frames [t h w 3], decoded after the true ones before; encoded with these, or behind a still."""
    latents = vae.encode(to_video(frames))
    if still:
        lead = np.repeat(frames[-LATER : 1 - LATER], 1 + TEMPORAL_STRIDE * STILL, axis=0)
        later = vae.encode(to_video(np.concatenate([lead, frames[-LATER:]])))[:, :, 1 + STILL :]
        latents = torch.cat([latents[:, :, : -later.shape[2]], later], dim=2)
    return to_pixels(vae.decode(latents)[0].movedim(0, -1))[-LATER:]


def measure(method: Callable[[Frames], Frames], clips: Iterable[Frames]) -> list[tuple[float, float, float]]:
    """PSNR in dB, SSIM and seconds of each clip; a method that gives the last frames alone is held against those."""
    rows = []
    for frames in clips:
        start = time.perf_counter()
        made = method(frames)
        seconds = time.perf_counter() - start
        rows.append((psnr(made, frames[-len(made) :]), ssim(made, frames[-len(made) :]), seconds))
    return rows


def line(name: str, rows: Sequence[tuple[float, float, float]]) -> str:
    """One row of the table: means over clips, with 95 % intervals by bootstrap over them."""
    values = np.array(rows)
    cells = []
    for column, digits in ((0, 2), (1, 3)):
        low, high = bootstrap_interval(lambda chosen, c=column: float(values[chosen, c].mean()), len(values))
        cells.append(f"{values[:, column].mean():.{digits}f} ({low:.{digits}f} to {high:.{digits}f})")
    return f"| {name} | {len(rows)} | {' | '.join(cells)} | {np.median(values[:, 2]):.2f} |"


def footage(folder: Path) -> list[Frames]:
    """The first frames of every video of a folder, fitted to the native shape nearest to its own."""
    clips = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".mp4", ".mov", ".webm", ".mkv", ".gif")):
        frames = Footage(path)
        number = 1 + (min(len(frames), FOOTAGE_FRAMES) - 1) // TEMPORAL_STRIDE * TEMPORAL_STRIDE
        aspect = frames.shape[2] / frames.shape[1]
        size = min(NATIVE_BUCKETS, key=lambda bucket: abs(math.log(bucket.width / bucket.height / aspect)))
        clips.append(np.stack([fitted(frame, size.width, size.height) for frame in (frames[n] for n in range(number))]))
    if not clips:
        raise ValueError(f"footage is {folder}; there is no video in it")
    return clips


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="sorairo-base", help="name or folder")
    parser.add_argument("--clips", type=int, default=6, help="held-out clips for each native size")
    parser.add_argument("--footage", type=Path, help="folder of real videos")
    given = parser.parse_args()
    vae = load_bundle(given.model, torch.device("cpu")).video_vae
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    print("| clips | number | PSNR, dB (95 %) | SSIM (95 %) | seconds a clip |\n| --- | --- | --- | --- | --- |")
    worlds = {}
    for shape in NATIVE_BUCKETS:
        worlds[shape] = [render(make_clip(FIRST_SEED + n, shape, "test"))[0] for n in range(given.clips)]
        rows = measure(partial(decoded, vae), worlds[shape])
        print(line(f"world, {shape.width}x{shape.height}", rows), flush=True)
    if given.footage:
        print(line("footage", measure(partial(decoded, vae), footage(given.footage))), flush=True)
    for name, still in (("with their true past", False), ("behind a still of their first", True)):
        rows = measure(partial(ends_rebuilt, vae, still=still), worlds[NATIVE_BUCKETS[0]])
        print(line(f"last {LATER} frames, encoded {name}", rows), flush=True)


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        raise SystemExit(str(error)) from None
