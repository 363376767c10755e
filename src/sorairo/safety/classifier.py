"""Small networks that attend to a text's token states score the policy's categories. Never loads torch.

Whoever builds it hands in `embed`, since encoders live in another room.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file

from sorairo.safety.normalisation import readings, sentences
from sorairo.safety.policy import CATEGORIES

Vectors: TypeAlias = npt.NDArray[np.float32]
Embed: TypeAlias = Callable[[Sequence[str]], Sequence[tuple[Vectors, ...]]]
"""Texts to the token states [l d] of each: by the encoder after both `DEPTHS`, and by the reader, if there is one."""

FILE, READER_FILE = "classifier.safetensors", "classifier_with_reader.safetensors"
DEPTHS = (3, 5)
"""Of the encoder's layers, those whose states are read."""
LAYERS = ("query", "value", "bias")
"""Of each part of the states; then "out.weight" and "out.bias"."""
MOST_WORDS_TRIED = 40
_LEAST_WORDS = 3  # of a sentence that is judged by itself


def embedder(
    depths: Callable[[Sequence[str]], tuple[Sequence[Any], Any]],
    reader: Callable[[Sequence[str]], Sequence[Any]] | None = None,
) -> Embed:
    """By a text encoder's states [b l d] after each layer, with their mask, and by a second encoder's [l d], if any."""

    def embed(texts: Sequence[str]) -> list[tuple[Vectors, ...]]:
        states, mask = depths(texts)
        chosen, lengths = [states[depth].cpu().numpy() for depth in DEPTHS], mask.sum(1).tolist()
        own = [tuple(layer[text, :length] for layer in chosen) for text, length in enumerate(lengths)]
        if reader is None:
            return own
        return [(*states, read.float().cpu().numpy()) for states, read in zip(own, reader(texts), strict=True)]

    return embed


def normed(states: Vectors) -> Vectors:
    """Token states [l d], each with mean 0 and variance 1."""
    spread = states.std(-1, keepdims=True)
    found: Vectors = (states - states.mean(-1, keepdims=True)) / np.maximum(spread, 1e-3)
    return found


class PromptClassifier:
    """Scores of prompts in English: for each category how sure the network is that it should be refused."""

    def __init__(self, path: Path, embed: Embed, words_tried: int = MOST_WORDS_TRIED) -> None:
        """`path`: weights, or their folder. `words_tried`: how many words of a refused text may be blamed, 0 for none.

        Raises ValueError of one line where the weights cannot be read.
        """
        path = path / FILE if path.is_dir() else path
        try:
            self._layers = {name: layer.astype(np.float32) for name, layer in load_file(path).items()}
            self._layers["out.weight"]
        except (OSError, KeyError, SafetensorError) as error:
            raise ValueError(f"{path}: the prompt classifier's weights cannot be read: {error}") from error
        self._embed, self._words_tried = embed, words_tried

    def scores(self, texts: Sequence[str]) -> Vectors:
        """[b k] over `CATEGORIES`. The likeliest category of each answers for all that is not harmless."""
        return refusal_scores(np.stack([probabilities(states, self._layers) for states in self._embed(texts)]))

    def highest(self, text: str) -> dict[str, float]:
        """Each category's highest score over the readings of the whole text and of its sentences."""
        parts = [text, *(part for part in sentences(text) if len(part.split()) >= _LEAST_WORDS)]
        read = dict.fromkeys(reading.text for part in parts for reading in readings(part)[:2])
        return dict(zip(CATEGORIES, map(float, self.scores(list(read)).max(0)), strict=True))

    def words(self, text: str, category: str) -> tuple[str, ...]:
        """The words without which the score falls most: at most three, in the order of the text."""
        split = text.split()[: self._words_tried]
        if not split:
            return ()
        without = [" ".join(split[:i] + split[i + 1 :]) or "nothing" for i in range(len(split))]
        read = [readings(version)[-1].text for version in (text, *without)]
        scores = self.scores(read)[:, CATEGORIES.index(category)]
        falls = scores[0] - scores[1:]
        chosen = sorted(i for i in np.argsort(-falls)[:3] if falls[i] >= max(0.5 * falls.max(), 1e-3))
        return tuple(split[i] for i in chosen)


def probabilities(states: Sequence[Vectors], layers: Mapping[str, Vectors]) -> Vectors:
    """Of a text's states [l d] by each encoder: [1+k], "none" first, the mean of several networks [m ...].

    Each head attends to the tokens of one encoder by a query of its own (as in Bahdanau et al. 2015).
    """
    pooled = []
    for part, tokens in enumerate(map(normed, states)):
        query, value, bias = (layers[f"{name}.{part}"] for name in LAYERS)
        shares = _softmax(np.einsum("ld,mhd->mhl", tokens, query))
        pooled.append(np.tanh(np.einsum("mhd,mhcd->mhc", shares @ tokens, value) + bias).reshape(len(bias), -1))
    logits = np.einsum("mf,mkf->mk", np.concatenate(pooled, axis=1), layers["out.weight"]) + layers["out.bias"]
    mean: Vectors = _softmax(logits).mean(0)
    return mean


def _softmax(logits: Vectors) -> Vectors:
    shares = np.exp(logits - logits.max(-1, keepdims=True))
    found: Vectors = shares / shares.sum(-1, keepdims=True)
    return found


def refusal_scores(shares: Vectors) -> Vectors:
    """Probabilities [b 1+k] to scores [b k]."""
    scores = shares[:, 1:].copy()
    scores[np.arange(len(scores)), scores.argmax(1)] = 1 - shares[:, 0]
    return scores
