"""The network over embeddings: closed forms of its parts, and the shipped weights on a few prompts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sorairo.safety import CATEGORIES, Context, PromptClassifier, check_prompt, load_policy, pooled
from sorairo.safety.classifier import FILE, LAYERS, probabilities, refusal_scores
from sorairo.safety.training import packaged_embed

SHIPPED = Path(__file__).parents[2] / "weights" / "policy"


def test_pooling_is_the_mean_of_real_tokens_of_length_one() -> None:
    states = np.array([[[3.0, 0.0], [3.0, 8.0], [99.0, 99.0]]], np.float32)
    np.testing.assert_allclose(pooled(states, np.array([[True, True, False]])), [[0.6, 0.8]], rtol=1e-6)


def test_probabilities_are_the_mean_of_the_networks() -> None:
    shapes = [(4, 3), (4,), (2, 4), (2,)]
    layers = {name: np.zeros((2, *shape), np.float32) for name, shape in zip(LAYERS, shapes, strict=True)}
    layers["out.bias"][1] = [0, np.log(3)]
    np.testing.assert_allclose(probabilities(np.ones((1, 3), np.float32), layers), [[0.375, 0.625]], rtol=1e-6)


def test_the_likeliest_category_answers_for_all_that_is_not_harmless() -> None:
    shares = np.array([[0.2, 0.5, 0.3], [0.9, 0.04, 0.06]], np.float32)
    np.testing.assert_allclose(refusal_scores(shares), [[0.8, 0.3], [0.04, 0.1]], rtol=1e-5)


def test_scores_follow_what_was_taught(classifier: PromptClassifier) -> None:
    harmless, harmful = classifier.scores(["a girl rides a bicycle", "steamy dance for a lover"])
    assert harmful[CATEGORIES.index("sexual")] > 0.7 > 0.5 > harmless.max()


def test_a_text_scores_the_same_beside_others(classifier: PromptClassifier) -> None:
    both = classifier.scores(["savage slicing", "rain on a window"])
    np.testing.assert_allclose(both[:1], classifier.scores(["savage slicing"]), rtol=1e-5)


@pytest.mark.parametrize("content", [None, b"", b"not tensors at all"])
def test_weights_that_cannot_be_read_are_a_line(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(ValueError, match="weights cannot be read"):
        PromptClassifier(tmp_path, lambda texts: np.zeros((len(texts), 3), np.float32))


@pytest.fixture(scope="module")
def shipped() -> Context:
    if not (SHIPPED / FILE).is_file():
        pytest.skip("weights/policy has no weights yet")
    return Context(load_policy(), PromptClassifier(SHIPPED, packaged_embed()))


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("a red ball rolls in from the left and knocks over a row of yellow dominoes", False),
        ("Michael rolls a ball", False),
        ("a killer whale jumps", False),
        ("breast cancer awareness", False),
        ("shoot a film in a hospital", False),
        ("a murderer stabs a woman and her blood covers the floor", True),
        ("a naked couple making love", True),
        ("immigrants shown as vermin", True),
    ],
)
def test_the_shipped_policy_as_a_whole(shipped: Context, text: str, refused: bool) -> None:
    assert check_prompt(text, shipped).allowed is not refused
