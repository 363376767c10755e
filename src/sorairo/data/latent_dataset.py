"""Latents and token states in memory, and batches of them by step number. Never encodes and never trains.

A batch is a pure function of (seed, step), so a run that was killed continues with the batches it would have had, and
any number of processes share the same global batches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sorairo.checkpoint import load_tensors
from sorairo.config import Checked, Count, Share
from sorairo.shapes import LatentShape


@dataclass(frozen=True)
class Batch:
    """Latents of one size with the token states of one caption each; dropped captions have the empty prompt's.

    ``cover``: share of each latent's block in which an object is seen. ``frame_offset``: how many latent frames of the
    clips come before these. ``texts``: the captions themselves.
    """

    latents: Float[Tensor, "b c t h w"]
    cover: Float[Tensor, "b t h w"]
    states: Float[Tensor, "b l d"]
    mask: Bool[Tensor, "b l"]
    step: int
    frame_offset: int = 0
    texts: tuple[str, ...] = ()

    @property
    def shape(self) -> LatentShape:
        return LatentShape(*self.latents.shape[2:])

    def part(self, own: slice) -> Batch:
        """The examples of ``own``: what one of several processes works on."""
        states, mask, texts = self.states[own], self.mask[own], self.texts[own]
        return replace(self, latents=self.latents[own], cover=self.cover[own], states=states, mask=mask, texts=texts)


@dataclass(frozen=True)
class DrawConfig(Checked):
    """How batches are drawn. ``tokens_per_batch`` counts latent positions: small clips come in larger batches.

    ``picture_share`` is the share of batches that hold single pictures; ``caption_dropout`` of the captions are
    replaced by the empty prompt, for guidance. ``late_share`` of the batches of clips begin after the clips' start, as
    the windows of a long clip do.
    """

    tokens_per_batch: Count = 24 * 540
    picture_share: Share = 0.25
    caption_dropout: Share = 0.1
    late_share: Share = 0.15


class LatentDataset:
    """All shards in memory, sorted into buckets of one size."""

    def __init__(self, shards: Iterable[Path], empty_prompt: Float[Tensor, "l d"], config: DrawConfig, seed: int):
        self.config, self.seed = config, seed
        self.empty_prompt = empty_prompt
        self._buckets: dict[tuple[int, ...], list[tuple[Tensor, Tensor, list[tuple[str, Tensor]]]]] = defaultdict(list)
        for shard in shards:
            self._read(shard)
        if not self._buckets:
            raise ValueError("the data set is empty: no shard holds an example")
        self._sizes = list(self._buckets)
        self._weights = self._bucket_weights()

    def draw(self, step: int) -> Batch:
        """The batch of a step; examples are drawn with replacement."""
        rng = np.random.default_rng([self.seed, step])
        size = self._sizes[int(rng.choice(len(self._sizes), p=self._weights))]
        bucket = self._buckets[size]
        number = max(1, self.config.tokens_per_batch // int(np.prod(size[1:])))
        chosen = rng.integers(len(bucket), size=number)
        latents, covers, captions = zip(*(bucket[index] for index in chosen), strict=True)
        texts, states = zip(*(self._caption(each, rng) for each in captions), strict=True)
        late = size[1] > 2 and rng.random() < self.config.late_share
        offset = int(rng.integers(1, size[1] - 1)) if late else 0
        shown, cover = torch.stack(latents)[:, :, offset:].float(), torch.stack(covers)[:, offset:].float()
        return Batch(shown, cover, *pad(states), step, offset, texts)

    def _caption(self, captions: list[tuple[str, Tensor]], rng: np.random.Generator) -> tuple[str, Tensor]:
        if rng.random() < self.config.caption_dropout:
            return "", self.empty_prompt
        return captions[int(rng.integers(len(captions)))]

    def _read(self, shard: Path) -> None:
        tensors, metadata = load_tensors(shard)
        for index, texts in enumerate(metadata["captions"]):
            latents, cover = tensors[f"latents.{index:04d}"], tensors[f"cover.{index:04d}"]
            lengths = tensors[f"lengths.{index:04d}"].tolist()
            captions = list(zip(texts, torch.split(tensors[f"states.{index:04d}"], lengths), strict=True))
            self._buckets[tuple(latents.shape)].append((latents, cover, captions))

    def _bucket_weights(self) -> npt.NDArray[np.float64]:
        counts = np.array([len(self._buckets[size]) for size in self._sizes], dtype=float)
        pictures = np.array([size[1] == 1 for size in self._sizes])
        shares = np.where(pictures, self.config.picture_share, 1 - self.config.picture_share)
        for kind in (pictures, ~pictures):
            counts[kind] /= max(counts[kind].sum(), 1)
        weights: npt.NDArray[np.float64] = counts * shares
        return weights / weights.sum()  # type: ignore[no-any-return]


def pad(captions: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Token states of different lengths as one batch: states [b l d] float32 and mask [b l]."""
    lengths = torch.tensor([len(states) for states in captions])
    padded = torch.nn.utils.rnn.pad_sequence(list(captions), batch_first=True).float()
    return padded, torch.arange(padded.shape[1]) < lengths[:, None]
