"""A data set of footage as latents and token states in shards, for the transformer's training. Never trains.

Shots are shown as the model shows clips: at its rate, in the bucket of size nearest to their own, in windows of the
lengths that it knows. What is held out is whole files, so that no frame's neighbour is learnt from.
"""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from sorairo.data.dataset import CARD, Row, read_index, read_shots
from sorairo.data.descriptions import Description
from sorairo.data.footage_shots import LIMITS
from sorairo.data.latent_shards import Example, write_examples
from sorairo.data.world_frames import OnProgress
from sorairo.media import Frames, file_sha256, fitted, new_file, read_timed
from sorairo.models.text_encoder import TextEncoder
from sorairo.models.video_vae import VideoVAE
from sorairo.shapes import NATIVE_FPS, VideoShape, nearest_bucket

LENGTHS = (33, 17, 9, 5)
HELD_OUT = 0.1
EXAMPLES_PER_SHARD = 50
Captioner = Callable[[Frames], str]
"""Describes frames uint8 [t h w 3]."""


@dataclass(frozen=True)
class FootageLatents:
    """Shards to learn from and shards that are held out, and every caption in them."""

    train: tuple[Path, ...]
    held_out: tuple[Path, ...]
    captions: tuple[str, ...]


def write_footage_latents(
    dataset: Path,
    folder: Path,
    vae: VideoVAE,
    encoder: TextEncoder,
    on_progress: OnProgress,
    caption_clip: Captioner | None = None,
) -> FootageLatents:
    """Encodes a data set where ``vae`` is, once: what ``folder`` has of the same data set is taken as it is.

    Raises:
        ValueError: it is no whole data set, it has fewer than two shots, or shots have no caption and nobody to write
            one.
    """
    rows = [row for row in read_index(dataset) if not row["reason"]]
    bare = sum(not row["captions"] for row in rows)
    if bare and caption_clip is None:
        raise ValueError(
            f"data set is {str(dataset)!r}; {bare} of its {len(rows)} shots have no caption: write some into its notes"
        )
    out, done = held_out(rows), folder / f"{file_sha256(dataset / CARD)[:16]}.json"
    if not done.exists():
        told: dict[str, list[str]] = {"train": [], "held-out": [], "captions": []}
        for kind, keys in (("train", {row["key"] for row in rows} - out), ("held-out", out)):
            examples = _examples(dataset, keys, len(rows), on_progress, caption_clip)
            while group := list(islice(examples, EXAMPLES_PER_SHARD)):
                path = folder / f"{done.stem}-{kind}-{len(told[kind]):05d}.safetensors"
                folder.mkdir(parents=True, exist_ok=True)
                write_examples(path, group, vae, encoder)
                told[kind].append(path.name)
                told["captions"] += sorted({caption for _, each in group for caption in each.captions})
        with new_file(done) as temporary:
            temporary.write_text(json.dumps(told, ensure_ascii=False))
    told = json.loads(done.read_text())
    train, held = (tuple(folder / name for name in told[kind]) for kind in ("train", "held-out"))
    return FootageLatents(train, held, tuple(dict.fromkeys(told["captions"])))


def held_out(rows: list[Row]) -> set[str]:
    """Keys of the shots that are not learnt from: those of whole files; single shots where all are of one file.

    Which ones depends on names alone, so a data set that grows keeps most of its own. Raises ValueError for fewer
    than two shots.
    """
    if len(rows) < 2:
        raise ValueError(f"the data set has {len(rows)} shots; it needs two at least: to learn from, and to test")
    by = "item" if len({row["item"] for row in rows}) > 1 else "key"
    names = sorted({row[by] for row in rows}, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    out: set[str] = set()
    while names[1:] and len(out) < HELD_OUT * len(rows):
        chosen = names.pop(0)
        out |= {row["key"] for row in rows if row[by] == chosen}
    return out


def windows(frames: Iterable[Frames], num_frames: int, fps: float) -> Iterator[Frames]:
    """Clips uint8 [t h w 3] of a shot at the model's rate and sizes, one after another, and the middle of each as a
    picture."""
    steps = range(math.floor((num_frames - 1) / fps * NATIVE_FPS) + 1)
    wanted = Counter(min(round(step * fps / NATIVE_FPS), num_frames - 1) for step in steps)
    shown: list[Frames] = []
    for index, frame in enumerate(frames):
        bucket = nearest_bucket(frame.shape[1], frame.shape[0])
        shown += [fitted(frame, bucket.width, bucket.height)] * wanted[index] if index in wanted else []
    start = 0
    while length := next((length for length in LENGTHS if start + length <= len(shown)), 0):
        clip = np.stack(shown[start : start + length])
        yield clip
        yield clip[length // 2 : length // 2 + 1]
        start += length


def _examples(
    dataset: Path, keys: set[str], total: int, on_progress: OnProgress, caption_clip: Captioner | None
) -> Iterator[Example]:
    with tempfile.TemporaryDirectory(prefix="sorairo-") as folder:
        for done, (row, mp4) in enumerate(read_shots(dataset), start=1):
            if row["key"] not in keys:
                continue
            path = Path(folder) / "shot.mp4"
            path.write_bytes(mp4)
            pictures = (frame.picture for frame in read_timed(path, LIMITS))
            for clip in windows(pictures, row["num_frames"], row["fps"]):
                captions = tuple(row["captions"]) or (caption_clip(clip) if caption_clip else "",)
                latent = VideoShape(*clip.shape[:3]).latent
                cover = np.zeros((latent.num_frames, latent.height, latent.width), np.float16)
                yield clip, Description(False, None, captions, cover)
            on_progress("latents", done, total)
