"""Shifts and schedules: ends, order, and the distributions they promise."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sorairo.diffusion.schedules import (
    BASE_POSITIONS,
    INSIDE_SHARE,
    MAX_SHIFT,
    phase_borders,
    phase_ends,
    phase_levels,
    sampling_levels,
    shift_levels,
    timestep_shift,
    training_levels,
    training_phase_levels,
)
from sorairo.shapes import LatentShape, VideoShape


def test_the_shift_grows_with_the_square_root_of_the_size() -> None:
    one, four = LatentShape(4, 8, 8), LatentShape(16, 8, 8)
    assert timestep_shift(four) == pytest.approx(2 * timestep_shift(one))


def test_the_shift_is_monotone_and_bounded() -> None:
    shifts = [timestep_shift(LatentShape(frames, 6, 10)) for frames in (*range(1, 40), 100_000)]
    assert shifts == sorted(shifts)
    assert shifts[0] == 1
    assert shifts[-1] == MAX_SHIFT


def test_the_native_sizes_have_the_shifts_that_are_documented() -> None:
    assert LatentShape(1, 6, 10).num_tokens(patch=1) == BASE_POSITIONS
    assert timestep_shift(VideoShape(33, 96, 160).latent) == pytest.approx(3)
    assert timestep_shift(VideoShape(33, 160, 96).latent) == pytest.approx(3)


def test_a_picture_smaller_than_the_base_is_not_shifted_towards_clean() -> None:
    assert timestep_shift(LatentShape(1, 1, 1)) == 1


@given(level=st.floats(0, 1), shift=st.floats(1, 20))
def test_a_shift_moves_towards_noise_and_can_be_undone(level: float, shift: float) -> None:
    shifted = shift_levels(level, shift)
    assert level - 1e-9 <= shifted <= 1 + 1e-9
    assert shift_levels(shifted, 1 / shift) == pytest.approx(level, abs=1e-9)


def test_two_shifts_are_one_shift_by_their_product() -> None:
    assert shift_levels(shift_levels(0.3, 2.0), 3.0) == pytest.approx(shift_levels(0.3, 6.0))


@pytest.mark.parametrize("shift", [1.0, 3.0, 12.0])
@pytest.mark.parametrize("num_steps", [1, 2, 30, 1000])
def test_sampling_falls_from_one_to_zero(num_steps: int, shift: float) -> None:
    levels = sampling_levels(num_steps, shift).tolist()
    assert len(levels) == num_steps + 1
    assert (levels[0], levels[-1]) == (1, 0)
    assert all(before > after for before, after in itertools.pairwise(levels))


def test_unshifted_steps_are_even() -> None:
    torch.testing.assert_close(sampling_levels(4), torch.tensor([1, 0.75, 0.5, 0.25, 0]))


def test_half_way_through_a_shifted_schedule() -> None:
    assert sampling_levels(2, 3.0)[1] == pytest.approx(0.75)  # 3 * 0.5 / (1 + 2 * 0.5)


@pytest.mark.parametrize("num_steps", [0, -3])
def test_no_steps_is_an_error_that_names_the_field(num_steps: int) -> None:
    with pytest.raises(ValueError, match=f"num_inference_steps is {num_steps}.*at least 1"):
        sampling_levels(num_steps)


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_training_levels_are_logit_normal_after_undoing_the_shift(shift: float) -> None:
    levels = training_levels((40_000,), shift, torch.Generator().manual_seed(0))
    logits = torch.logit(shift_levels(levels.double(), 1 / shift))
    assert logits.mean() == pytest.approx(0, abs=0.02)
    assert logits.std() == pytest.approx(1, abs=0.02)


def test_a_shift_is_a_move_of_the_logit_normal_by_its_logarithm() -> None:
    shifted = training_levels((1000,), 3.0, torch.Generator().manual_seed(0))
    plain = training_levels((1000,), 1.0, torch.Generator().manual_seed(0))
    torch.testing.assert_close(shifted, (torch.logit(plain) + math.log(3)).sigmoid())


def test_training_levels_follow_their_generator_and_stay_inside() -> None:
    first = training_levels((1000, 2), 3.0, torch.Generator().manual_seed(5))
    assert torch.equal(first, training_levels((1000, 2), 3.0, torch.Generator().manual_seed(5)))
    assert first.min() > 0
    assert first.max() < 1


def test_phases_are_the_same_borders_from_wherever_a_clip_starts() -> None:
    torch.testing.assert_close(phase_borders(4), torch.tensor([1, 0.9, 0.75, 0.5, 0]))
    assert torch.equal(phase_levels(4), phase_borders(4))
    torch.testing.assert_close(0.8 * phase_levels(4, 0.8), torch.tensor([0.8, 0.75, 0.5, 0]))
    assert torch.equal(
        phase_levels(4, float(phase_borders(4)[2])), torch.cat([torch.ones(1), phase_borders(4)[3:] / 0.75])
    )
    ends = phase_ends(4, torch.tensor([[1, 0.95, 0.9], [0.6, 0.5, 0]]))
    torch.testing.assert_close(ends, torch.tensor([[0.9, 0.9, 0.75], [0.5, 0, 0]]))


def test_levels_of_distillation_are_mostly_borders_and_as_many_in_every_phase() -> None:
    levels = training_phase_levels(4000, 4, torch.Generator().manual_seed(0))
    on_border = (levels[:, None] == phase_borders(4)[:-1]).any(1)
    assert on_border.float().mean().item() == pytest.approx(1 - INSIDE_SHARE, abs=0.03)
    _, counts = phase_ends(4, levels).unique(return_counts=True)
    assert counts.tolist() == pytest.approx([1000] * 4, rel=0.1)
