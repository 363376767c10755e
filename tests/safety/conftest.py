"""A real classifier, tiny: trained on a few words with an embedding that only counts words."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from sorairo.safety import Context, PromptClassifier, load_policy
from sorairo.safety.classifier import FILE, Vectors
from sorairo.safety.training import CLASSES, Learned, train

WIDTH = 128
TAUGHT = {
    "none": "a ball rolls down the hill | the cat sleeps in the sun | a girl rides a bicycle | rain on a window",
    "sexual": "steamy cuddling under covers | steamy dance for a lover | steamy night at the motel",
    "violence": "a savage ambush with blades | the savage wounds of the fighter | savage slicing of the rival",
}


def count_words(texts: Sequence[str]) -> list[tuple[Vectors, ...]]:
    """One state [128] for each word, twice the same."""
    found = []
    for text in texts:
        words = [zlib.crc32(word.strip(".,").encode()) % WIDTH for word in text.lower().split()]
        states = np.eye(WIDTH, dtype=np.float32)[words or [0]]
        found.append((states, states))
    return found


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policy")
    rows = [(text.strip(), CLASSES.index(name)) for name, texts in TAUGHT.items() for text in texts.split("|")]
    layers = train(Learned.of(count_words([text for text, _ in rows]), [label for _, label in rows]), passes=60)
    save_file(layers, folder / FILE)
    return folder


@pytest.fixture(scope="session")
def classifier(weights: Path) -> PromptClassifier:
    return PromptClassifier(weights, count_words)


@pytest.fixture
def context(classifier: PromptClassifier) -> Context:
    return Context(load_policy(), classifier)
