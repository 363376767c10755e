"""Small networks over embeddings of a text and its windows score the policy's categories. Never loads torch.

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
Embed: TypeAlias = Callable[[Sequence[str]], Sequence[Vectors]]
"""Texts to the embeddings of each: [w d], of the whole first, then of its windows."""

FILE, READER_FILE = "classifier.safetensors", "classifier_with_reader.safetensors"
LAYERS = ("hidden.weight", "hidden.bias", "out.weight", "out.bias")
CENTER = "center"
DEPTHS = (3, 5)
"""Of the encoder's layers, those whose states are read."""
ENDS = (384, 768)
"""Of an embedding, where the first depth ends and the second; then come the states of the reader, if it has any."""
MOST_WORDS_TRIED = 40
WINDOW, STRIDE = 8, 4  # tokens: a few words among many keep their meaning
_LEAST_WORDS = 3  # of a sentence that is judged by itself


def embedder(
    depths: Callable[[Sequence[str]], tuple[Sequence[Any], Any]],
    reader: Callable[[Sequence[str]], Sequence[Any]] | None = None,
) -> Embed:
    """By a text encoder's states [b l d] after each layer, with their mask, and by a second encoder's [l d], if any."""

    def embed(texts: Sequence[str]) -> list[Vectors]:
        states, mask = depths(texts)
        windows = windowed([layer.cpu().numpy() for layer in states], mask.cpu().numpy())
        if reader is None:
            return windows
        return [beside(own, read.cpu().numpy()) for own, read in zip(windows, reader(texts), strict=True)]

    return embed


def windowed(states: Sequence[npt.NDArray[np.float32]], mask: npt.NDArray[np.bool_]) -> list[Vectors]:
    """The encoder's states [b l d] after each layer, with mask [b l], as embeddings [w n*d] of a text and its windows.

    Each is the mean over its tokens, of the `DEPTHS` one after another; the marks at both ends are in no window.
    """
    both = np.concatenate([states[depth] for depth in DEPTHS], axis=-1)
    return [_windows(text[:length]) for text, length in zip(both, mask.sum(1), strict=True)]


def _windows(tokens: Vectors) -> Vectors:
    inner = tokens[1:-1]
    last = max(len(inner) - WINDOW, 0)
    starts = [*range(0, last, STRIDE), last] if last else []
    rows: Vectors = np.stack([tokens.mean(0), *(inner[start : start + WINDOW].mean(0) for start in starts)])
    return rows


def beside(windows: Vectors, read: npt.NDArray[np.float32]) -> Vectors:
    """The embeddings [w d] of a text and its windows, and beside each a second encoder's mean there [w d+e].

    Its tokens [l e] are others, so its windows of as many tokens are only about where the first encoder's are.
    """
    last = max(len(read) - WINDOW, 0)
    starts = np.linspace(0, last, len(windows) - 1).round().astype(int)
    means = [read.mean(0), *(read[start : start + WINDOW].mean(0) for start in starts)]
    return np.concatenate([windows, np.stack(means)], axis=1)


def centered(vectors: Vectors, center: Vectors) -> Vectors:
    """Without what all texts share, and each part (depth, or reader) of length 1 [w d]."""
    parts = np.split(vectors - center, ENDS, axis=1)
    units = [part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-6) for part in parts]
    return np.concatenate(units, axis=1).astype(np.float32)


class PromptClassifier:
    """Scores of prompts in English: for each category how sure the network is that it should be refused."""

    def __init__(self, path: Path, embed: Embed, words_tried: int = MOST_WORDS_TRIED) -> None:
        """`path`: weights, or their folder. `words_tried`: how many words of a refused text may be blamed, 0 for none.

        Raises ValueError of one line where the weights cannot be read.
        """
        path = path / FILE if path.is_dir() else path
        try:
            weights = load_file(path)
            self._layers = {name: weights[name].astype(np.float32) for name in LAYERS}
            self._center = weights[CENTER].astype(np.float32)
        except (OSError, KeyError, SafetensorError) as error:
            raise ValueError(f"{path}: the prompt classifier's weights cannot be read: {error}") from error
        self._embed, self._words_tried = embed, words_tried

    def scores(self, texts: Sequence[str]) -> Vectors:
        """[b k] over `CATEGORIES`: the highest of the text and its windows. The likeliest category of each answers for
        all that is not harmless."""
        vectors = self._embed(texts)
        scores = refusal_scores(probabilities(centered(np.concatenate(vectors), self._center), self._layers))
        return highest_of_each(scores, [len(text) for text in vectors])

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


def probabilities(vectors: Vectors, layers: Mapping[str, Vectors]) -> Vectors:
    """[b d] to [b 1+k], "none" first: the mean of several networks [m ...] of one hidden layer (tanh)."""
    hidden_weight, hidden_bias, out_weight, out_bias = (layers[name] for name in LAYERS)
    hidden = np.tanh(np.einsum("bd,mhd->mbh", vectors, hidden_weight) + hidden_bias[:, None])
    logits = np.einsum("mbh,mkh->mbk", hidden, out_weight) + out_bias[:, None]
    shares = np.exp(logits - logits.max(-1, keepdims=True))
    mean: Vectors = (shares / shares.sum(-1, keepdims=True)).mean(0)
    return mean


def highest_of_each(scores: Vectors, lengths: Sequence[int]) -> Vectors:
    """Of scores [b*w k], the highest of each text's windows [b k]."""
    starts = np.cumsum([0, *lengths[:-1]])
    found: Vectors = np.maximum.reduceat(scores, starts)
    return found


def refusal_scores(shares: Vectors) -> Vectors:
    """Probabilities [b 1+k] to scores [b k]."""
    scores = shares[:, 1:].copy()
    scores[np.arange(len(scores)), scores.argmax(1)] = 1 - shares[:, 0]
    return scores
