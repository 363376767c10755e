"""The text encoder equals the published model, whatever the batch, and reads nothing but its own folder."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sorairo.models.text_encoder import MAX_TOKENS, TextEncoder, packaged_folder

PROMPTS = [
    "a red ball rolls in from the left and knocks over a row of yellow dominoes",
    "",
    "空色 🙂 naïve café",
    "A Blue Cube.",
    "a small green cone beside a wall, " * 40,
]


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder()


def test_states_do_not_depend_on_the_batch(encoder: TextEncoder) -> None:
    together = encoder(PROMPTS)
    assert together.states.shape == (len(PROMPTS), MAX_TOKENS, 384)
    for index, prompt in enumerate(PROMPTS):
        alone = encoder([prompt])
        length = alone.states.shape[1]
        assert together.mask[index].tolist() == [True] * length + [False] * (MAX_TOKENS - length)
        torch.testing.assert_close(together.states[index, :length], alone.states[0], atol=1e-5, rtol=0)


def test_states_are_those_of_the_published_model(encoder: TextEncoder) -> None:
    transformers = pytest.importorskip("transformers")
    transformers.utils.logging.disable_progress_bar()
    model = transformers.BertModel.from_pretrained(packaged_folder()).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(packaged_folder())
    inputs = tokenizer(PROMPTS, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
    with torch.no_grad():
        expected = model(**inputs).last_hidden_state
    found = encoder(PROMPTS)
    assert torch.equal(found.mask, inputs["attention_mask"].bool())
    torch.testing.assert_close(found.states[found.mask], expected[found.mask], atol=1e-5, rtol=0)


def test_states_are_about_half_a_unit_wide(encoder: TextEncoder) -> None:
    """What the transformer's text reader expects; its norm takes care of the rest."""
    assert 0.35 < encoder(PROMPTS[:1]).states.std() < 0.6


def test_left_and_right_differ_in_the_states(encoder: TextEncoder) -> None:
    left, right = encoder(["a ball rolls to the left", "a ball rolls to the right"]).states
    difference = (left - right).norm(dim=-1) / left.norm(dim=-1)
    assert difference.max() > 0.3


def test_a_prompt_is_as_long_as_its_tokens_and_cut(encoder: TextEncoder) -> None:
    lengths = [encoder([prompt]).states.shape[1] for prompt in ("", "a red ball", PROMPTS[-1])]
    assert lengths == [2, 5, MAX_TOKENS]


def test_fifty_thousand_characters_are_cut_not_refused(encoder: TextEncoder) -> None:
    assert encoder(["x y " * 12_500]).mask.sum() == MAX_TOKENS


def test_case_does_not_matter(encoder: TextEncoder) -> None:
    assert torch.equal(encoder(["A Blue CUBE"]).states, encoder(["a blue cube"]).states)


def test_the_encoder_is_frozen_and_stays_in_float32(encoder: TextEncoder) -> None:
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    with torch.autocast("cpu", torch.bfloat16):
        rough = encoder(["a red ball"]).states
    assert torch.equal(rough, encoder(["a red ball"]).states)
    assert not rough.requires_grad


def test_no_network_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert TextEncoder()(["a red ball"]).states.isfinite().all()


def test_the_import_is_light() -> None:
    program = "import sys, sorairo.models.text_encoder; print('transformers' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


@pytest.mark.parametrize("name", ["tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_damaged_folder_is_one_clear_error(tmp_path: Path, name: str, damage: str) -> None:
    for file in ("tokenizer.json", "model.safetensors"):
        if file != name:
            (tmp_path / file).symlink_to(packaged_folder() / file)
    if damage == "cut":
        shutil.copy(packaged_folder() / name, tmp_path / name)
        with (tmp_path / name).open("r+b") as file:
            file.truncate(1000)
    with pytest.raises(ValueError, match=name):
        TextEncoder(tmp_path)
