"""What a captioner learns from: latents of world clips, exact texts about each, and what is seen where. Never trains.

Texts are drawn from the clips' facts, several wordings in every style, and kept beside the run: making a clip's facts
again takes a tenth of a second. A batch is a pure function of (seed, step).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from sorairo.checkpoint import load_tensors, save_tensors
from sorairo.config import load
from sorairo.data.latent_shards import CLIPS_PER_SHARD
from sorairo.data.world_frames import OnProgress, WorldDataConfig, in_processes
from sorairo.models.vocabulary import PAD, Vocabulary, WritingStyle
from sorairo.shapes import TEMPORAL_STRIDE
from sorairo.world import COLORS, SHAPES, WorldClip, caption, render
from sorairo.world.account import account, write_account
from sorairo.world.grammar import expansion
from sorairo.world.objects import PROP_COLORS

NUM_WORDINGS = 6
COLOR_NAMES = (*COLORS, *PROP_COLORS)
RAYS, SEEN_SHARE = 4, 0.15  # along each side of a latent's block of pixels; of the block, for something to be seen
ENGLISH: tuple[WritingStyle, ...] = ("short", "descriptive")
EXAMPLES_PER_CLIP = 4  # in a shard: the clip, its mirror image, two pictures


@dataclass(frozen=True)
class Texts:
    """What is true of one clip, in every style; ``expanded`` are prompts with what they say in full."""

    structured: str
    short: tuple[str, ...]
    descriptive: tuple[str, ...]
    expanded: tuple[tuple[str, str], ...]

    def all(self) -> list[str]:
        """Everything that a captioner writes."""
        return [self.structured, *self.short, *self.descriptive, *(told for _, told in self.expanded)]


def texts_of(clip: WorldClip, rng: np.random.Generator) -> Texts:
    """Exact texts about a clip."""
    draws = range(NUM_WORDINGS)
    pairs = [expansion(clip, rng) for _ in draws]
    return Texts(
        structured=write_account(account(clip)),
        short=tuple(caption(clip, "short", rng).text for _ in draws),
        descriptive=tuple(caption(clip, "dense", rng).text for _ in draws),
        expanded=tuple((prompt.text, told) for prompt, told in pairs),
    )


def looks_of(clip: WorldClip) -> Int[Tensor, "two t h w"]:
    """Colour and shape of what is mostly seen at each latent, from 1 on in the order of the world's lists; 0: nothing.

    Of each group of four frames the third is looked at.
    """
    frames = [max(0, TEMPORAL_STRIDE * k - 1) for k in range(clip.shape.latent.num_frames)]
    height, width = clip.shape.latent.height, clip.shape.latent.width
    _, ids = render(clip, frames, RAYS * width, RAYS * height, antialias=1)
    blocks = rearrange(ids, "t (h y) (w x) -> t h w (y x)", y=RAYS, x=RAYS)
    shares = np.stack([(blocks == index).mean(-1) for index in range(len(clip.objects))], -1)
    seen = np.where(shares.max(-1) >= SEEN_SHARE, shares.argmax(-1) + 1, 0)
    colors = [0, *(COLOR_NAMES.index(thing.color) + 1 for thing in clip.objects)]
    shapes = [0, *(SHAPES.index(thing.shape) + 1 for thing in clip.objects)]
    return torch.from_numpy(np.stack([np.array(names)[seen] for names in (colors, shapes)])).to(torch.uint8)


def _lessons(config: WorldDataConfig, seed: int) -> list[tuple[Texts, Tensor]]:
    """Of the clip of a seed and of its mirror image."""
    clip, rng = config.clip(seed), np.random.default_rng([seed, 2])
    looks = looks_of(clip)
    return [(texts_of(clip, rng), looks), (texts_of(clip.mirrored(), rng), looks.flip(-1))]


def write_lessons(config: WorldDataConfig, folder: Path, shards: Sequence[Path], on_progress: OnProgress) -> None:
    """Writes what is to be learnt of every shard's clips, where it is not in ``folder`` yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for done, shard in enumerate(shards, start=1):
        path = folder / shard.name
        if not path.exists():
            found = [one for both in in_processes(partial(_lessons, config), list(seeds_of(shard)), 1) for one in both]
            looks = {f"{number:04d}": looks for number, (_, looks) in enumerate(found)}
            save_tensors(path, looks, {"texts": [asdict(texts) for texts, _ in found]})
        on_progress("lessons", done, len(shards))


def read_lessons(path: Path) -> list[tuple[Texts, Tensor]]:
    """What `write_lessons` wrote: of each clip, then of its mirror image."""
    looks, metadata = load_tensors(path)
    return [(load(Texts, row), looks[f"{number:04d}"]) for number, row in enumerate(metadata["texts"])]


def seeds_of(shard: Path) -> range:
    """The seeds of a shard's clips, which its name tells."""
    first, number = (int(part) for part in shard.stem.split("-")[-2:])
    assert number <= CLIPS_PER_SHARD
    return range(first, first + number)


@dataclass(frozen=True)
class CaptionBatch:
    """Clips of one size with texts about each, and prompts with what they say in full; words are padded numbers."""

    latents: Float[Tensor, "b c t h w"]
    looks: Int[Tensor, "b two t h w"]
    words: Int[Tensor, "b_times_two k"]
    prompts: list[str]
    expanded: Int[Tensor, "p k"]


class CaptionDataset:
    """All clips of some shards in memory, in buckets of one size."""

    def __init__(self, shards: Sequence[Path], lessons: Path, sizes: tuple[int, int], seed: int) -> None:
        """sizes: how many clips, and how many prompts, make a batch."""
        self.sizes, self.seed = sizes, seed
        buckets: dict[tuple[int, ...], list[tuple[Tensor, Tensor, Texts]]] = defaultdict(list)
        for shard in shards:
            tensors, _ = load_tensors(shard)
            for index, (told, looks) in enumerate(read_lessons(lessons / shard.name)):
                place = EXAMPLES_PER_CLIP * (index // 2) + index % 2
                latents = tensors[f"latents.{place:04d}"].clone()  # without the rest of the shard
                buckets[tuple(latents.shape)].append((latents, looks, told))
        if not buckets:
            raise ValueError("there is nothing to learn from: no shard of latents was found")
        self.buckets = list(buckets.values())

    def vocabulary(self) -> Vocabulary:
        """All words of all texts."""
        return Vocabulary.of(text for bucket in self.buckets for *_, texts in bucket for text in texts.all())

    def draw(self, vocabulary: Vocabulary, step: int) -> CaptionBatch:
        """The batch of a step: each clip's facts in the strict notation, and one English text about it."""
        rng = np.random.default_rng([self.seed, step])
        shares = np.array([*map(len, self.buckets)], float)
        bucket = self.buckets[int(rng.choice(len(shares), p=shares / shares.sum()))]
        latents, looks, texts = zip(
            *(bucket[index] for index in rng.integers(len(bucket), size=self.sizes[0])), strict=True
        )
        words = []
        for told in texts:
            style, number = ENGLISH[int(rng.integers(2))], int(rng.integers(NUM_WORDINGS))
            words += [vocabulary.encode(told.structured, "structured")]
            words += [vocabulary.encode(getattr(told, style)[number], style)]
        pairs = [
            bucket[index][2].expanded[int(rng.integers(NUM_WORDINGS))]
            for index in rng.integers(len(bucket), size=self.sizes[1])
        ]
        return CaptionBatch(
            torch.stack(latents).float(),
            torch.stack(looks).long(),
            padded(words),
            [prompt for prompt, _ in pairs],
            padded([vocabulary.encode(told, "expanded") for _, told in pairs]),
        )


def padded(rows: Sequence[Sequence[int]]) -> Int[Tensor, "b k"]:
    """Rows of numbers of different lengths as one tensor."""
    return torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], True, PAD)
