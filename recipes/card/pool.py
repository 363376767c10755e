"""What clips.py makes and train.py learns from: chunks of latents on disk, and all of them in the card's memory."""

from __future__ import annotations

import time
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import NamedTuple

import torch
from torch import Tensor

from sorairo.checkpoint import load_tensors, save_tensors

LENGTH = 80  # tokens kept of a caption; all but a few are shorter, and all rows of a chunk are as long
NAP = 0.3  # seconds between two looks for new chunks
Chunk = dict[str, Tensor]
"""latents float16 [n c t h w], cover float16 [n t h w], tokens int32 [n captions LENGTH], where 0 is none: of clips as
"clip_latents" and so on, of pictures as "still_latents"."""


class Drawn(NamedTuple):
    """A batch: latents [b c t h w], cover [b t h w], one caption each as tokens [b LENGTH]; its place in its clips."""

    latents: Tensor
    cover: Tensor
    tokens: Tensor
    frame_offset: int = 0


def write_chunk(folder: Path, number: int, size: str, chunk: Chunk) -> None:
    """Writes it whole or not at all."""
    save_tensors(folder / f"{number:06d}-{size}.safetensors", chunk, {})


class Pool:
    """Clips by size, on ``device``, as far as they have come. The first chunk of each size is held out.

    A chunk is deleted once it is read. Of each size at most ``capacity`` clips are kept, the rest is not used.
    """

    def __init__(self, folder: Path, device: torch.device, capacity: int) -> None:
        self.folder, self.device, self.capacity = folder, device, capacity
        self.counts: dict[str, int] = {}
        self.held: dict[str, Chunk] = {}
        self._data: dict[str, Chunk] = {}
        self._coming: SimpleQueue[tuple[str, Chunk]] = SimpleQueue()
        Thread(target=self._keep_reading, daemon=True).start()

    def take(self) -> None:
        """Moves to the device what has been read meanwhile."""
        while not self._coming.empty():
            size, chunk = self._coming.get()
            if size not in self.held:
                self.held[size] = {name: rows.to(self.device) for name, rows in chunk.items()}
                self._data[size] = {name: self._room(rows) for name, rows in chunk.items()}
                self.counts[size] = 0
                continue
            at = self.counts[size]
            end = min(self.capacity, at + len(chunk["clip_latents"]))
            for name, rows in chunk.items():
                self._data[size][name][at:end].copy_(rows[: end - at], non_blocking=True)
            self.counts[size] = end

    def draw(self, size: str, kind: str, batch: int, frame_offset: int = 0) -> Drawn:
        """Clips (``kind`` is "clip") or pictures ("still") at random, from latent frame ``frame_offset`` on."""
        rows = torch.randint(self.counts[size], (batch,), device=self.device)
        latents, cover, tokens = (self._data[size][f"{kind}_{name}"] for name in ("latents", "cover", "tokens"))
        captions = torch.randint(tokens.shape[1], (batch,), device=self.device)
        return Drawn(
            latents[rows, :, frame_offset:].float(),
            cover[rows, frame_offset:].float(),
            tokens[rows, captions],
            frame_offset,
        )

    def frames(self, size: str) -> int:
        """Latent frames of a clip."""
        return self.held[size]["clip_latents"].shape[2]

    def ready(self, least: int) -> bool:
        """Whether there are ``least`` clips, and some of every size that has been seen."""
        return sum(self.counts.values()) >= least and min(self.counts.values()) > 0

    def _room(self, rows: Tensor) -> Tensor:
        return torch.empty(self.capacity, *rows.shape[1:], dtype=rows.dtype, device=self.device)

    def _keep_reading(self) -> None:
        while True:
            for path in sorted(self.folder.glob("[0-9]*.safetensors")):
                self._coming.put((path.stem.partition("-")[2], load_tensors(path)[0]))
                path.unlink()
            time.sleep(NAP)
