"""Rotary positions: only distances matter, and nothing is stretched."""

from __future__ import annotations

import pytest
import torch

from sorairo.models.attention import HeadNorm
from sorairo.models.rotary import axis_widths, rotary, rotate

HEAD = 32


def grid(frames: int, rows: int, columns: int, time: int = 0, row: int = 0, column: int = 0):
    return rotary(
        torch.arange(frames) + time, torch.arange(rows) + row, torch.arange(columns) + column, head_width=HEAD
    )


@pytest.mark.parametrize("width", [6, 8, 16, 32, 64, 128])
def test_axes_share_the_whole_head_in_pairs(width: int) -> None:
    widths = axis_widths(width)
    assert sum(widths) == width
    assert all(part % 2 == 0 and part > 0 for part in widths)


@pytest.mark.parametrize("shift", [(5, 0, 0), (0, 3, 0), (0, 0, 7), (100, 2, 1)])
def test_scores_depend_on_distances_only(shift: tuple[int, int, int]) -> None:
    query, key = torch.randn(2, 1, 1, 24, HEAD)
    gain = torch.rand(HEAD) + 0.5
    here, there = grid(2, 3, 4), grid(2, 3, 4, *shift)
    scores = rotate(query, here, gain) @ rotate(key, here, gain).transpose(-1, -2)
    moved = rotate(query, there, gain) @ rotate(key, there, gain).transpose(-1, -2)
    torch.testing.assert_close(scores, moved, atol=2e-4, rtol=1e-4)


def test_the_same_vector_is_told_apart_on_every_axis() -> None:
    turns = grid(2, 2, 2)
    turned = rotate(torch.ones(1, 1, 8, HEAD), turns, torch.ones(HEAD))[0, 0]
    for other in (1, 2, 4):  # one step in width, height, time
        assert (turned[0] - turned[other]).norm() > 0.5


def test_rotation_keeps_lengths_and_leaves_the_origin() -> None:
    x = torch.randn(2, 3, 24, HEAD)
    turned = rotate(x, grid(2, 3, 4), torch.ones(HEAD))
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
    torch.testing.assert_close(turned[:, :, 0], x[:, :, 0])


def test_head_norm_is_rms_norm_with_gain() -> None:
    norm = HeadNorm(HEAD)
    torch.nn.init.uniform_(norm.gain, 0.5, 1.5)
    x = 7 * torch.randn(2, 3, 24, HEAD)
    expected = torch.nn.functional.rms_norm(x, (HEAD,), norm.gain)
    torch.testing.assert_close(norm(x), expected)


def test_head_norm_with_positions_is_the_norm_then_the_rotation() -> None:
    norm = HeadNorm(HEAD)
    torch.nn.init.uniform_(norm.gain, 0.5, 1.5)
    x, turns = torch.randn(2, 3, 24, HEAD), grid(2, 3, 4)
    torch.testing.assert_close(norm(x, turns), rotate(norm(x), turns, torch.ones(HEAD)))


def test_head_norm_survives_zero() -> None:
    x = torch.zeros(1, 1, 24, HEAD, requires_grad=True)
    HeadNorm(HEAD)(x, grid(2, 3, 4)).sum().backward()
    assert x.grad is not None
    assert bool(x.grad.isfinite().all())
