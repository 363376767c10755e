"""The captioner: words see only words before them, padding changes nothing, left is not right, and it can learn."""

from __future__ import annotations

import pytest
import torch

from sorairo.models.captioner import Captioner, CaptionerConfig
from sorairo.models.vocabulary import END, PAD

CONFIG = CaptionerConfig(latent_channels=4, width=24, depth=2, writer_depth=2, num_heads=2)
NUM_WORDS = 20


@pytest.fixture
def captioner() -> Captioner:
    """Random weights everywhere, so that every path counts."""
    torch.manual_seed(0)
    model = Captioner(CONFIG, NUM_WORDS)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return model.eval()


def clip(*size: int) -> torch.Tensor:
    return torch.randn(size or (2, 4, 3, 4, 6), generator=torch.Generator().manual_seed(1))


def test_words_see_only_words_before_them(captioner: Captioner) -> None:
    memory, words = captioner.watch(clip()), torch.randint(7, NUM_WORDS, (2, 6))
    before = captioner(words, memory)
    changed = words.clone()
    changed[:, 4] = 3
    after = captioner(changed, memory)
    assert torch.allclose(before[:, :4], after[:, :4], atol=1e-6)
    assert not torch.allclose(before[:, 4:], after[:, 4:], atol=1e-3)


@pytest.mark.parametrize("axis", [2, 3, 4])
def test_order_in_time_and_place_matter(captioner: Captioner, axis: int) -> None:
    words = torch.tensor([[3, 8, 9]])
    one = captioner(words, captioner.watch(clip(1, 4, 3, 4, 6)))
    other = captioner(words, captioner.watch(clip(1, 4, 3, 4, 6).flip(axis)))
    assert not torch.allclose(one, other, atol=1e-3)


def test_any_size_of_clip_is_read(captioner: Captioner) -> None:
    words = torch.tensor([[3, 8]])
    for size in ((1, 4, 1, 2, 2), (1, 4, 5, 3, 7)):
        assert captioner(words, captioner.watch(clip(*size))).shape == (1, 2, NUM_WORDS)


def test_padding_of_a_prompt_changes_nothing(captioner: Captioner) -> None:
    states, words = torch.randn(1, 3, 384), torch.tensor([[6, 8, 9]])
    alone = captioner(words, captioner.read(states, torch.ones(1, 3, dtype=torch.bool)))
    longer = torch.cat([states, torch.full((1, 2, 384), 7.0)], 1)
    mask = torch.tensor([[True, True, True, False, False]])
    assert torch.allclose(alone, captioner(words, captioner.read(longer, mask)), atol=1e-5)


def test_a_repeated_memory_keeps_its_clips_together(captioner: Captioner) -> None:
    memory = captioner.watch(clip()).repeated(2)
    words = torch.tensor([[3, 8]] * 4)
    logits = captioner(words, memory)
    assert torch.allclose(logits[0], logits[1], atol=1e-5)
    assert not torch.allclose(logits[1], logits[2], atol=1e-3)


def test_writing_follows_the_likeliest_word_up_to_the_end(captioner: Captioner) -> None:
    memory = captioner.watch(clip())
    written = captioner.write(memory, 3, most=5)
    words = torch.tensor([[3, *row] for row in written])
    best = captioner(words[:, :-1], memory).argmax(-1)
    for row, expected in zip(words[:, 1:].tolist(), best.tolist(), strict=True):
        length = row.index(END) + 1 if END in row else len(row)
        assert row[:length] == expected[:length]
        assert set(row[length:]) <= {PAD}


def test_looks_are_named_at_each_latent_from_its_neighbours(captioner: Captioner) -> None:
    latents = clip(1, 4, 2, 4, 7)
    before = captioner.name_looks(captioner.look_near(latents))
    assert [tuple(logits.shape) for logits in before] == [(1, 2, 4, 7, 11), (1, 2, 4, 7, 10)]
    changed = latents.clone()
    changed[:, :, 1] += 1
    for one, other in zip(before, captioner.name_looks(captioner.look_near(changed)), strict=True):
        assert torch.equal(one[:, 0], other[:, 0])  # of another frame
        assert not torch.allclose(one[:, 1], other[:, 1], atol=1e-3)


def test_it_learns_to_tell_left_from_right() -> None:
    """A bright latent in the left or the right half, and a word for either."""
    torch.manual_seed(0)
    model = Captioner(CONFIG, NUM_WORDS)
    optimizer = torch.optim.AdamW(model.parameters(), 5e-3)
    for _ in range(150):
        columns, rows = torch.randint(0, 6, (16,)), torch.randint(0, 4, (16,))
        latents = 0.1 * torch.randn(16, 4, 1, 4, 6)
        latents[torch.arange(16), :, 0, rows, columns] += 4
        side = 7 + (columns >= 3).long()
        logits = model(torch.full((16, 1), 3), model.watch(latents))[:, 0]
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(logits, side).backward()
        optimizer.step()
    assert (logits.argmax(-1) == side).float().mean() > 0.9


def test_a_width_that_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="width is 30; it must divide by twice num_heads: the nearest is 32"):
        CaptionerConfig(width=30, num_heads=4)
