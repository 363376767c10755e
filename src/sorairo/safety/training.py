"""Trains the prompt classifier on the written examples: `python -m sorairo.safety.training weights/policy`.

Learns from the split "train" only; the thresholds of the policy were read from its styles, each left out in turn.
"""

from __future__ import annotations

import dataclasses
import hashlib
import sys
import time
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from sorairo.safety.classifier import FILE, LAYERS, Embed, Vectors, pooled, probabilities, refusal_scores
from sorairo.safety.examples import NONE, Example, load_examples
from sorairo.safety.normalisation import readings
from sorairo.safety.policy import CATEGORIES

ENCODER = "sorairo.models.text_encoder:TextEncoder"  # by its address: these rooms do not see each other
CLASSES = (NONE, *CATEGORIES)
NUM_NETWORKS, HIDDEN, NUM_STEPS, BATCH = 8, 64, 1200, 128
NUM_PARTS, NUM_NETWORKS_LEFT_OUT, NUM_STEPS_LEFT_OUT = 4, 2, 600
SHARES = (0.001, 0.002, 0.005)
MOST_LONG = 100  # of one style
LEARNING_RATE, WEIGHT_DECAY, LABEL_SMOOTHING, DROPOUT = 4e-3, 0.02, 0.05, 0.2
INPUT_SCALE = 4.0  # an embedding has length 1
CARD = files("sorairo.safety") / "data" / "card.md"


def packaged_embed(batch: int = 32) -> Embed:
    """Sentence embeddings [b 384] of the packaged encoder."""
    encoder = resolve_name(ENCODER)()

    def embed(texts: Sequence[str]) -> Vectors:
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        vectors = np.zeros((len(texts), 384), np.float32)
        for first in range(0, len(order), batch):
            chosen = order[first : first + batch]
            states, mask = encoder([texts[i] for i in chosen])
            vectors[chosen] = pooled(states.numpy(), mask.numpy())
        return vectors

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
            text = f"{parts[0].text}, and then {parts[1].text}, while {parts[2].text}"
            made.append(dataclasses.replace(worst, text=text))
    return made


def train(
    vectors: Vectors, labels: npt.NDArray[np.int64], steps: int = NUM_STEPS, networks: int = NUM_NETWORKS
) -> dict[str, Vectors]:
    """Vectors [b d] and classes [b] to the layers of several networks, each from another start."""
    import torch

    x, y = torch.from_numpy(vectors), torch.from_numpy(labels)
    states = []
    for seed in range(networks):
        torch.manual_seed(seed)
        hidden, out = torch.nn.Linear(x.shape[1], HIDDEN), torch.nn.Linear(HIDDEN, len(CLASSES))
        torch.nn.init.normal_(hidden.weight, std=INPUT_SCALE * x.shape[1] ** -0.5)
        network = torch.nn.Sequential(hidden, torch.nn.Tanh(), torch.nn.Dropout(DROPOUT), out)
        optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
        for _ in range(steps):
            chosen = torch.randint(len(x), (BATCH,))
            loss = torch.nn.functional.cross_entropy(network(x[chosen]), y[chosen], label_smoothing=LABEL_SMOOTHING)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        states.append([p.detach().numpy() for p in (hidden.weight, hidden.bias, out.weight, out.bias)])
    return {name: np.stack(layers) for name, layers in zip(LAYERS, zip(*states, strict=True), strict=True)}


def left_out_scores(
    vectors: Vectors, labels: npt.NDArray[np.int64], styles: Sequence[str], steps: int = NUM_STEPS_LEFT_OUT
) -> Vectors:
    """Scores [b k] of each example by networks that saw none of its style; a few styles are left out together."""
    scores = np.zeros((len(vectors), len(CATEGORIES)), np.float32)
    names = sorted(set(styles))
    for part in range(NUM_PARTS):
        held = np.isin(styles, names[part::NUM_PARTS])
        if held.any():
            layers = train(vectors[~held], labels[~held], steps, NUM_NETWORKS_LEFT_OUT)
            scores[held] = refusal_scores(probabilities(vectors[held], layers))
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


def main(folder: Path) -> None:
    """Embed, try each style left out, train on all, and write the weights with their card."""
    folder.mkdir(parents=True, exist_ok=True)
    start = time.process_time()
    examples = with_long([example for example in load_examples() if is_learned(example)])
    vectors = packaged_embed()([readings(example.text)[0].text for example in examples])
    labels = np.array([CLASSES.index(example.category) for example in examples])
    save_file({name: layer.astype(np.float16) for name, layer in train(vectors, labels).items()}, folder / FILE)
    table = threshold_table(left_out_scores(vectors, labels, [example.style for example in examples]), labels)
    minutes = (time.process_time() - start) / 60
    card = CARD.read_text("utf-8").format(
        networks=NUM_NETWORKS, hidden=HIDDEN, examples=len(examples), minutes=minutes, table=table
    )
    (folder / "README.md").write_text(card, encoding="utf-8")
    print(table)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
