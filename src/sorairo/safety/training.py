"""Trains the prompt classifier on the written examples: `python -m sorairo.safety.training weights/policy`.

Learns from the split "train" only; the thresholds of the policy were read from its styles, each left out in turn.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from sorairo.safety.checking import Context, check_prompt
from sorairo.safety.classifier import (
    CENTER,
    ENDS,
    FILE,
    LAYERS,
    READER_FILE,
    Embed,
    PromptClassifier,
    Vectors,
    centered,
    embedder,
    highest_of_each,
    probabilities,
    refusal_scores,
)
from sorairo.safety.examples import NONE, Example, load_examples
from sorairo.safety.normalisation import readings
from sorairo.safety.policy import CATEGORIES, load_policy

ENCODER = "sorairo.models.text_encoder:TextEncoder"  # by their addresses: these rooms do not see each other
READER = "sorairo.models.language_encoder:LanguageEncoder"
CLASSES = (NONE, *CATEGORIES)
NUM_NETWORKS, HIDDEN, NUM_STEPS, BATCH = 8, 64, 1200, 128
NUM_PARTS, NUM_NETWORKS_LEFT_OUT, NUM_STEPS_LEFT_OUT = 4, 2, 600
SHARES = (0.001, 0.002, 0.005)
MOST_FALSE, STEPS = 0.02, (1, 2, 4)  # the target, on harmless training prompts that are mostly written to be mistaken
MOST_LONG = 100  # of one style
LEARNING_RATE, WEIGHT_DECAY, LABEL_SMOOTHING, DROPOUT = 4e-3, 0.3, 0.05, 0.5
INPUT_SCALE = 4.0  # an embedding has length 1
JOINED = ((", and then ", ", while "), (". ", ". "), (", ", " and "), ("; meanwhile ", ", after that "))
CARD = files("sorairo.safety") / "data" / "card.md"


def packaged_classifier(folder: Path, with_reader: bool, words_tried: int = 0) -> PromptClassifier:
    """With the weights in `folder` for the packaged encoder alone, or for it and the reader."""
    return PromptClassifier(folder / (READER_FILE if with_reader else FILE), packaged_embed(with_reader), words_tried)


def packaged_embed(with_reader: bool, batch: int = 32) -> Embed:
    """Embeddings [w d] of each text and its windows, by the packaged encoder and, if asked for, the reader."""
    inner = embedder(resolve_name(ENCODER)().depths, resolve_name(READER)() if with_reader else None)

    def embed(texts: Sequence[str]) -> list[Vectors]:
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        found: dict[int, Vectors] = {}
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
    """Embeddings [n d] of texts and their windows one after another, how many each text has [b], its class [b]."""

    vectors: Vectors
    lengths: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]

    @classmethod
    def of(cls, embedded: Sequence[Vectors], labels: Sequence[int]) -> Learned:
        return cls(np.concatenate(embedded), np.array([len(text) for text in embedded]), np.array(labels))

    def chosen(self, which: npt.NDArray[np.bool_]) -> Learned:
        return Learned(self.vectors[np.repeat(which, self.lengths)], self.lengths[which], self.labels[which])


def train(
    learned: Learned, steps: int = NUM_STEPS, networks: int = NUM_NETWORKS, width: int = HIDDEN
) -> dict[str, Vectors]:
    """The layers of several networks, each from another start.

    Of each text that window is learned from which seems worst now: whichever is not, a harmful text has one, and a
    harmless text none (multiple-instance learning, as in Andrews et al. 2002).
    """
    import torch

    center = learned.vectors.mean(0)
    x, y = torch.from_numpy(centered(learned.vectors, center)), torch.from_numpy(learned.labels)
    lengths = torch.from_numpy(learned.lengths)
    starts = lengths.cumsum(0) - lengths
    states = []
    for seed in range(networks):
        torch.manual_seed(seed)
        hidden, out = torch.nn.Linear(x.shape[1], width), torch.nn.Linear(width, len(CLASSES))
        torch.nn.init.normal_(hidden.weight, std=INPUT_SCALE * x.shape[1] ** -0.5)
        network = torch.nn.Sequential(hidden, torch.nn.Tanh(), torch.nn.Dropout(DROPOUT), out)
        optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
        for _ in range(steps):
            texts = torch.randint(len(y), (BATCH,))
            owner = torch.arange(BATCH).repeat_interleave(lengths[texts])
            first = lengths[texts].cumsum(0) - lengths[texts]
            logits = network(x[(starts[texts] - first)[owner] + torch.arange(len(owner))])
            harm = -logits.detach().log_softmax(-1)[:, 0]
            worst = harm == torch.zeros(BATCH).scatter_reduce(0, owner, harm, "amax", include_self=False)[owner]
            loss = torch.nn.functional.cross_entropy(
                logits[worst], y[texts][owner[worst]], label_smoothing=LABEL_SMOOTHING
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        states.append([p.detach().numpy() for p in (hidden.weight, hidden.bias, out.weight, out.bias)])
    layers = {name: np.stack(layers) for name, layers in zip(LAYERS, zip(*states, strict=True), strict=True)}
    return layers | {CENTER: center}


def scores_of(learned: Learned, weights: Mapping[str, Vectors]) -> Vectors:
    """[b k] over the categories."""
    scores = refusal_scores(probabilities(centered(learned.vectors, weights[CENTER]), weights))
    return highest_of_each(scores, learned.lengths.tolist())


def left_out_scores(learned: Learned, styles: Sequence[str], steps: int = NUM_STEPS_LEFT_OUT) -> Vectors:
    """Scores [b k] of each example by networks that saw none of its style; a few styles are left out together."""
    scores = np.zeros((len(styles), len(CATEGORIES)), np.float32)
    names = sorted(set(styles))
    for part in range(NUM_PARTS):
        held = np.isin(styles, names[part::NUM_PARTS])
        if held.any():
            layers = train(learned.chosen(~held), steps, NUM_NETWORKS_LEFT_OUT)
            scores[held] = scores_of(learned.chosen(held), layers)
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


def chosen_thresholds(scores: Vectors, labels: npt.NDArray[np.int64], listed: npt.NDArray[np.bool_]) -> Vectors:
    """Thresholds [k] at which `MOST_FALSE` of the harmless are refused, by these or because they are `listed` [b].

    Greedy: that category is made stricter next which finds most for each harmless text that it takes along.
    """
    harmless, harmful = (scores[which & ~listed] for which in (labels == 0, labels > 0))
    most = MOST_FALSE * (labels == 0).sum() - listed[labels == 0].sum()
    least = np.full(scores.shape[1], 1.01)
    while True:
        best, gain = None, 0.0
        false, found = ((side >= least).any(1).sum() for side in (harmless, harmful))
        for category, step in itertools.product(range(len(least)), STEPS):
            below = np.sort(harmless[harmless[:, category] < least[category], category])
            tried = least.copy()
            tried[category] = below[-1 - step] + 1e-6 if step < len(below) else 1.01
            more, taken = (harmful >= tried).any(1).sum() - found, (harmless >= tried).any(1).sum() - false
            if false + taken <= most and more / max(taken, 0.5) > gain:
                best, gain = tried, more / max(taken, 0.5)
        if best is None:
            rounded: Vectors = np.ceil(least * 100) / 100
            return rounded
        least = best


def main(folder: Path) -> None:
    """Embed; for two encoders and for one, try each style left out and train on all; write weights and their card."""
    folder.mkdir(parents=True, exist_ok=True)
    start = time.process_time()
    examples = with_long([example for example in load_examples() if is_learned(example)])
    embedded = packaged_embed(with_reader=True)([readings(example.text)[0].text for example in examples])
    lists_alone = Context(dataclasses.replace(load_policy(), layers=("lists",)))
    listed = np.array([not check_prompt(example.text, lists_alone).allowed for example in examples])
    told = []
    for file, width in ((READER_FILE, None), (FILE, ENDS[-1])):
        own = [vectors[:, :width] for vectors in embedded]
        learned = Learned.of(own, [CLASSES.index(example.category) for example in examples])
        save_file({name: layer.astype(np.float16) for name, layer in train(learned).items()}, folder / file)
        scores = left_out_scores(learned, [example.style for example in examples])
        told.append(
            f"### {file}\n\n{threshold_table(scores, learned.labels)}\n\n{told_thresholds(scores, learned, listed)}"
        )
    card = CARD.read_text("utf-8").format(
        networks=NUM_NETWORKS,
        hidden=HIDDEN,
        examples=len(examples),
        minutes=(time.process_time() - start) / 60,
        tables="\n\n".join(told),
    )
    (folder / "README.md").write_text(card, encoding="utf-8")
    print(*told, sep="\n\n")


def told_thresholds(scores: Vectors, learned: Learned, listed: npt.NDArray[np.bool_]) -> str:
    least = chosen_thresholds(scores, learned.labels, listed)
    chosen = ", ".join(f"{name} {value:.2f}" for name, value in zip(CATEGORIES, least, strict=True))
    refused = (scores >= least).any(1) | listed
    found, false = (refused[which].mean() for which in (learned.labels > 0, learned.labels == 0))
    return f"Chosen: {chosen}. With the lists: {found:.3f} of the harmful refused, {false:.3f} of the harmless."


if __name__ == "__main__":
    main(Path(sys.argv[1]))
