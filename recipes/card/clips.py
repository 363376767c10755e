"""Makes clips for train.py until it is told to stop: python recipes/card/clips.py FOLDER [--workers N] [--device cpu].

Processes of the CPU make scenes, the card traces and encodes them, and chunks of latents are left in FOLDER. Where
there is no card, or its tracer does not work, the processes trace. A file FOLDER/stop ends it.
"""

from __future__ import annotations

import argparse
import os
import queue
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from pool import LENGTH, Chunk, write_chunk
from scenes import Scene, keep_making
from sorairo.checkpoint import load_into
from sorairo.data.descriptions import Description
from sorairo.data.world_frames import WorldDataConfig
from sorairo.models.precision import autocast
from sorairo.models.text_encoder import TextEncoder
from sorairo.models.video_vae import VideoVAE
from sorairo.pipelines.cards import VAE_FILE, find_model, load_config

FIRST_SEED = 50_000  # away from the seeds of the recipes, and those of the evaluations
ENCODED_AT_ONCE = 16  # clips: 3 GB of a card's memory for the encoder, next to what is trained
WAITING = 4000  # scenes of 60 KB that wait at most
CHUNKS_A_LINE = 20  # of the log

Trace = Callable[[Sequence[Scene], torch.device], Tensor]


def rendered(scenes: Sequence[Scene], device: torch.device) -> Tensor:
    """What the processes have traced."""
    return torch.from_numpy(np.stack([scene.frames for scene in scenes if scene.frames is not None])).to(device)


def find_tracer(scene: Scene, device: torch.device) -> Trace:
    """The card's tracer if it can trace ``scene``, which compiles it; else says why, and takes the processes'."""
    if device.type == "cpu":
        return rendered
    try:
        import tracer

        tracer.render([scene], device).cpu()
    except Exception:  # whatever it is that this card's driver, numba or NumPy do not like
        traceback.print_exc()
        return rendered
    return tracer.render


def make_chunk(scenes: Sequence[Scene], frames: Tensor, vae: VideoVAE, tokenizer: Tokenizer) -> Chunk:
    """Every clip, its mirror image, and pictures out of both, from frames uint8 [n t h w 3]."""
    chunk = {}
    for kind, is_still in (("clip", False), ("still", True)):
        pairs = [(d, own) for s, own in zip(scenes, frames, strict=True) for d in s.described]
        pairs = [(d, own) for d, own in pairs if (d.still is not None) == is_still]
        shown = torch.stack([show(description, own) for description, own in pairs])
        chunk[f"{kind}_latents"] = torch.cat([encode(vae, part) for part in shown.split(ENCODED_AT_ONCE)]).cpu()
        chunk[f"{kind}_cover"] = torch.from_numpy(np.stack([description.cover for description, _ in pairs]))
        chunk[f"{kind}_tokens"] = torch.stack([tokens(tokenizer, description.captions) for description, _ in pairs])
    return chunk


def show(description: Description, frames: Tensor) -> Tensor:
    """`Description.show`, on the card."""
    shown = frames if description.still is None else frames[description.still : description.still + 1]
    return shown.flip(2) if description.mirrored else shown


@torch.no_grad()
def encode(vae: VideoVAE, frames: Tensor) -> Tensor:
    """Latents float16 [n c t h w] of frames uint8 [n t h w 3]."""
    video = frames.permute(0, 4, 1, 2, 3).float() / 127.5 - 1
    with autocast(frames.device):
        return vae.encode(video).half()


def tokens(tokenizer: Tokenizer, captions: Sequence[str]) -> Tensor:
    """int32 [n LENGTH]: longer captions keep their last token, which marks the end; 0 pads."""
    rows = torch.zeros(len(captions), LENGTH, dtype=torch.int32)
    for row, encoding in zip(rows, tokenizer.encode_batch(list(captions)), strict=True):
        ids = encoding.ids if len(encoding.ids) <= LENGTH else [*encoding.ids[: LENGTH - 1], encoding.ids[-1]]
        row[: len(ids)] = torch.tensor(ids)
    return rows


def main() -> None:
    args = arguments()
    args.folder.mkdir(parents=True, exist_ok=True)
    device, start = torch.device(args.device), find_model(args.start)
    torch.backends.cudnn.benchmark = True
    config = WorldDataConfig(num_frames=args.num_frames, sizes=tuple(args.sizes))
    context = get_context("spawn")
    box, tracing = context.Queue(WAITING), context.Value("b", device.type == "cpu")
    for worker in range(args.workers):
        given = (config, FIRST_SEED + worker, args.workers, tracing, box)
        context.Process(target=keep_making, args=given, daemon=True).start()  # daemons end with this process
    vae = VideoVAE(load_config(start).video_vae)
    load_into(vae, start / VAE_FILE)
    vae, tokenizer = vae.to(device).eval(), TextEncoder().tokenizer
    begun, trace, waiting, number = time.monotonic(), None, {}, 0
    while number * args.chunk < args.scenes and not (args.folder / "stop").exists():
        try:
            scene = box.get(timeout=1)
        except queue.Empty:
            continue
        if trace is None:
            trace = find_tracer(scene, device)
            tracing.value = trace is rendered
        if trace is rendered and scene.frames is None:
            continue  # made before it was known who traces
        size = f"{scene.width}x{scene.height}"
        waiting.setdefault(size, []).append(scene)
        if len(waiting[size]) == args.chunk:
            own = waiting.pop(size)
            write_chunk(args.folder, number, size, make_chunk(own, trace(own, device), vae, tokenizer))
            number += 1
            if number % CHUNKS_A_LINE == 1:
                rate = number * args.chunk / (time.monotonic() - begun)
                print(f"{number * args.chunk} scenes, {rate:.1f}/s, {box.qsize()} wait", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where chunks go")
    parser.add_argument("--start", default="sorairo-base", help="the model whose autoencoder encodes")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 1) - 3), help="processes for scenes")
    parser.add_argument("--scenes", type=int, default=36_000, help="how many at most; each gives two clips")
    parser.add_argument("--chunk", type=int, default=48, help="scenes of a chunk")
    parser.add_argument("--num-frames", type=int, default=WorldDataConfig.num_frames)
    parser.add_argument("--sizes", nargs="+", default=WorldDataConfig.sizes, help="seeds take turns")
    return parser.parse_args()


if __name__ == "__main__":
    main()
