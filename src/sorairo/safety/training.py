"""Trains the prompt classifier on the written examples: `python -m sorairo.safety.training weights/policy`.

Learns from the split "train" only; the thresholds of the policy were read from its styles, each left out in turn.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import math
import sys
import time
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from sorairo.safety.checking import Context, check_prompt
from sorairo.safety.classifier import (
    DEPTHS,
    FILE,
    LAYERS,
    READER_FILE,
    Embed,
    PromptClassifier,
    Vectors,
    embedder,
    normed,
    probabilities,
    refusal_scores,
)
from sorairo.safety.examples import NONE, Example, load_examples
from sorairo.safety.normalisation import readings
from sorairo.safety.policy import CATEGORIES, load_policy

if TYPE_CHECKING:
    from torch import Tensor

ENCODER = "sorairo.models.text_encoder:TextEncoder"  # by their addresses: these rooms do not see each other
READER = "sorairo.models.language_encoder:LanguageEncoder"
CLASSES = (NONE, *CATEGORIES)
NUM_NETWORKS, NUM_HEADS, WIDTH = 8, 8, 128
NUM_PASSES, BATCH, NUM_PARTS, NUM_NETWORKS_LEFT_OUT = 5, 64, 4, 4
SHARES = (0.001, 0.002, 0.005)
MOST_FALSE, ORDINARY, STEPS = (
    0.02,
    0.75,
    (1, 2, 4),
)  # the target; what share of the harmless is not written to be mistaken
MOST_LONG = 100  # of one style
LEARNING_RATE, WEIGHT_DECAY, LABEL_SMOOTHING, DROPOUT = 4e-3, 0.05, 0.05, 0.3
LENGTHS_APART = 8.0  # tokens by which texts of one batch may differ
JOINED = ((", and then ", ", while "), (". ", ". "), (", ", " and "), ("; meanwhile ", ", after that "))
CARD = files("sorairo.safety") / "data" / "card.md"


def packaged_classifier(folder: Path, with_reader: bool, words_tried: int = 0) -> PromptClassifier:
    """With the weights in `folder` for the packaged encoder alone, or for it and the reader."""
    return PromptClassifier(folder / (READER_FILE if with_reader else FILE), packaged_embed(with_reader), words_tried)


def packaged_embed(with_reader: bool, batch: int = 32) -> Embed:
    """Token states of each text, by the packaged encoder and, if asked for, the reader."""
    inner = embedder(resolve_name(ENCODER)().depths, resolve_name(READER)() if with_reader else None)

    def embed(texts: Sequence[str]) -> list[tuple[Vectors, ...]]:
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        found: dict[int, tuple[Vectors, ...]] = {}
        for first in range(0, len(order), batch):
            chosen = order[first : first + batch]
            found |= zip(chosen, inner([texts[i] for i in chosen]), strict=True)
        return [found[i] for i in range(len(texts))]

    return embed


def is_learned(example: Example) -> bool:
    """Names and characters are for the lists: to learn some would teach that names are wrong."""
    return example.split == "train" and example.category in CLASSES and not example.family.startswith("people-")


def with_long(examples: Sequence[Example]) -> list[Example]:
    """The examples, and long ones made of three of one style: a harmful part among harmless ones makes the whole so."""
    made = list(examples)
    for style in sorted({example.style for example in examples}):
        own = sorted((e for e in examples if e.style == style), key=lambda e: hashlib.sha256(e.text.encode()).digest())
        harmless, harmful = ([e for e in own if (e.category == NONE) is fine] for fine in (True, False))
        for i in range(min(len(harmless) // 3, MOST_LONG)):
            parts = harmless[3 * i : 3 * i + 3]
            if i % 2 and i // 2 < len(harmful):
                parts[i // 2 % 3] = harmful[i // 2]
            worst = max(parts, key=lambda e: e.category != NONE)
            first, then = JOINED[i // 2 % len(JOINED)]
            made.append(dataclasses.replace(worst, text=f"{parts[0].text}{first}{parts[1].text}{then}{parts[2].text}"))
    return made


@dataclasses.dataclass(frozen=True)
class Learned:
    """Normed token states of texts, of one text after another [n d] by each encoder; where a text begins, with the end
    [p b+1]; classes [b]."""

    states: tuple[npt.NDArray[np.float16], ...]
    starts: tuple[npt.NDArray[np.int64], ...]
    labels: npt.NDArray[np.int64]

    @classmethod
    def of(cls, embedded: Sequence[tuple[Vectors, ...]], labels: Sequence[int]) -> Learned:
        parts = list(zip(*embedded, strict=True))
        states = tuple(np.concatenate([normed(text).astype(np.float16) for text in part]) for part in parts)
        return cls(states, tuple(np.cumsum([0, *map(len, part)]) for part in parts), np.array(labels))

    def text(self, number: int) -> tuple[Vectors, ...]:
        """States [l d] by each encoder."""
        places = ((part, *starts[number : number + 2]) for part, starts in zip(self.states, self.starts, strict=True))
        return tuple(part[first:end].astype(np.float32) for part, first, end in places)


def train(
    learned: Learned,
    chosen: npt.NDArray[np.int64] | None = None,
    passes: int = NUM_PASSES,
    networks: int = NUM_NETWORKS,
) -> dict[str, Vectors]:
    """The layers of several networks, each from another start, learned side by side from the ``chosen`` texts."""
    import torch
    from torch.nn.functional import cross_entropy, dropout
    from torch.nn.utils.rnn import pad_sequence

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    rows = np.arange(len(learned.labels)) if chosen is None else chosen
    layers = {
        name: torch.nn.Parameter(value)
        for name, value in _starts([part.shape[1] for part in learned.states], networks).items()
    }
    optimizer = torch.optim.AdamW(layers.values(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    steps = passes * -(-len(rows) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=steps + 1, pct_start=0.05, anneal_strategy="linear"
    )
    lengths = np.diff(learned.starts[0])[rows]
    for _ in range(passes):
        alike = rows[np.argsort(lengths + rng.uniform(0, LENGTHS_APART, len(rows)))]
        for first in BATCH * rng.permutation(-(-len(rows) // BATCH)):
            batch = alike[first : first + BATCH]
            texts = [[torch.from_numpy(part) for part in learned.text(row)] for row in batch]
            pooled = []
            for part, tokens in enumerate(zip(*texts, strict=True)):
                query, value, bias = (layers[f"{name}.{part}"] for name in LAYERS)
                padded = pad_sequence(list(tokens), batch_first=True)
                is_there = pad_sequence([torch.ones(len(text), dtype=torch.bool) for text in tokens], batch_first=True)
                looks = torch.einsum("bld,mhd->bmhl", padded, query).masked_fill(~is_there[:, None, None], -math.inf)
                seen = torch.einsum("bmhl,bld->bmhd", looks.softmax(-1), padded)
                pooled.append((torch.einsum("bmhd,mhcd->bmhc", seen, value) + bias).tanh().flatten(2))
            found = dropout(torch.cat(pooled, -1), DROPOUT)
            logits = torch.einsum("bmf,mkf->bmk", found, layers["out.weight"]) + layers["out.bias"]
            labels = torch.from_numpy(learned.labels[batch]).repeat_interleave(networks)
            loss = networks * cross_entropy(logits.flatten(0, 1), labels, label_smoothing=LABEL_SMOOTHING)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return {name: value.detach().numpy() for name, value in layers.items()}


def _starts(widths: Sequence[int], networks: int) -> dict[str, Tensor]:
    """Layers before training, for states of these ``widths`` by each encoder."""
    import torch

    made, each = {}, WIDTH // NUM_HEADS
    for part, width in enumerate(widths):
        made[f"query.{part}"] = torch.randn(networks, NUM_HEADS, width) * width**-0.5
        made[f"value.{part}"] = torch.randn(networks, NUM_HEADS, each, width) * (3 * width) ** -0.5
        made[f"bias.{part}"] = torch.zeros(networks, NUM_HEADS, each)
    inputs = WIDTH * len(widths)
    made["out.weight"] = torch.randn(networks, len(CLASSES), inputs) * 0.5 * inputs**-0.5
    return made | {"out.bias": torch.zeros(networks, len(CLASSES))}


def left_out_scores(learned: Learned, styles: Sequence[str], passes: int = NUM_PASSES) -> Vectors:
    """Scores [b k] of each example by networks that saw none of its style; a few styles are left out together."""
    scores = np.zeros((len(styles), len(CATEGORIES)), np.float32)
    names = sorted(set(styles))
    for part in range(NUM_PARTS):
        held = np.isin(styles, names[part::NUM_PARTS])
        if held.any():
            layers = train(learned, np.flatnonzero(~held), passes, NUM_NETWORKS_LEFT_OUT)
            found = [probabilities(learned.text(row), layers) for row in np.flatnonzero(held).tolist()]
            scores[held] = refusal_scores(np.stack(found))
    return scores


def threshold_table(scores: Vectors, labels: npt.NDArray[np.int64]) -> str:
    """By category, for shares of harmless texts that score as much: the threshold, and the share of its own found."""
    rows = ["| category | " + " | ".join(f"{share:.3f} false" for share in SHARES) + " |", "| --- |" + " --- |" * 3]
    for k, name in enumerate(CATEGORIES):
        cells = []
        for share in SHARES:
            least = float(np.quantile(scores[labels == 0, k], 1 - share))
            own = scores[labels == k + 1]
            cells.append(f"{least:.2f}: {(own.max(1) > least).mean() if len(own) else 0:.2f} found")
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def chosen_thresholds(
    scores: Vectors, labels: npt.NDArray[np.int64], listed: npt.NDArray[np.bool_], weights: Vectors
) -> Vectors:
    """Thresholds [k] at which `MOST_FALSE` of the harmless are refused, by these or because they are `listed` [b].

    ``weights`` [b]: what share of the harmless each is. Greedy: that category is made stricter next which finds most
    for each harmless text that it takes along.
    """
    harmless, harmful = (scores[which & ~listed] for which in (labels == 0, labels > 0))
    shares = weights[(labels == 0) & ~listed]
    most = MOST_FALSE - weights[(labels == 0) & listed].sum()
    least = np.full(scores.shape[1], 1.01)
    while True:
        best, gain = None, 0.0
        found, false = (harmful >= least).any(1).sum(), shares[(harmless >= least).any(1)].sum()
        for category, step in itertools.product(range(len(least)), STEPS):
            below = np.sort(harmless[harmless[:, category] < least[category], category])
            tried = least.copy()
            tried[category] = below[-1 - step] + 1e-6 if step < len(below) else 1.01
            more = (harmful >= tried).any(1).sum() - found
            taken = shares[(harmless >= tried).any(1)].sum() - false
            if false + taken <= most and more / max(taken, shares.mean() / 2) > gain:
                best, gain = tried, more / max(taken, shares.mean() / 2)
        if best is None:
            rounded: Vectors = np.ceil(least * 100) / 100
            return rounded
        least = best


def weights_of(examples: Sequence[Example]) -> Vectors:
    """What share of the harmless each is: those that are not written to be mistaken are `ORDINARY` of them together."""
    kinds = np.array([(e.category == NONE) * (1 + e.is_hard) for e in examples])
    each = np.array([0, ORDINARY, 1 - ORDINARY], np.float32) / np.bincount(kinds, minlength=3).astype(np.float32)
    return np.asarray(each[kinds], np.float32)


def main(folder: Path) -> None:
    """Embed; for two encoders and for one, try each style left out and train on all; write weights and their card."""
    folder.mkdir(parents=True, exist_ok=True)
    start = time.process_time()
    examples = with_long([example for example in load_examples() if is_learned(example)])
    embedded = packaged_embed(with_reader=True)([readings(example.text)[0].text for example in examples])
    lists_alone = Context(dataclasses.replace(load_policy(), layers=("lists",)))
    listed = np.array([not check_prompt(example.text, lists_alone).allowed for example in examples])
    told = []
    everything = Learned.of(embedded, [CLASSES.index(example.category) for example in examples])
    del embedded
    for file, parts in ((READER_FILE, len(everything.states)), (FILE, len(DEPTHS))):
        learned = Learned(everything.states[:parts], everything.starts[:parts], everything.labels)
        save_file({name: layer.astype(np.float16) for name, layer in train(learned).items()}, folder / file)
        scores = left_out_scores(learned, [example.style for example in examples])
        chosen = told_thresholds(scores, learned.labels, listed, weights_of(examples))
        told.append(f"### {file}\n\n{threshold_table(scores, learned.labels)}\n\n{chosen}")
    sizes = {"networks": NUM_NETWORKS, "heads": NUM_HEADS, "examples": len(examples)}
    minutes = (time.process_time() - start) / 60
    card = CARD.read_text("utf-8").format(**sizes, minutes=minutes, tables="\n\n".join(told))
    (folder / "README.md").write_text(card, encoding="utf-8")
    print(*told, sep="\n\n")


def told_thresholds(
    scores: Vectors, labels: npt.NDArray[np.int64], listed: npt.NDArray[np.bool_], weights: Vectors
) -> str:
    least = chosen_thresholds(scores, labels, listed, weights)
    chosen = ", ".join(f"{name} {value:.2f}" for name, value in zip(CATEGORIES, least, strict=True))
    refused = (scores >= least).any(1) | listed
    found, mistaken, false = refused[labels > 0].mean(), refused[labels == 0].mean(), weights[refused].sum()
    return (
        f"Chosen: {chosen}. With the lists: {found:.3f} of the harmful refused, {false:.3f} of the harmless where "
        f"{ORDINARY:.2f} are ordinary ({mistaken:.3f} of these as they are, most of them written to be mistaken)."
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
