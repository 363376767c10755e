"""The straight path, its ends, its velocity and the loss over it."""

from __future__ import annotations

import torch

from sorairo.diffusion.flow import clean_from_velocity, flow_loss, interpolate, squared_error, velocity_target

CLEAN, NOISE = torch.randn(2, 2, 3, 4, 2, 6, generator=torch.Generator().manual_seed(0))
LEVELS = torch.rand(2, 4, 2, 6, generator=torch.Generator().manual_seed(1))


def test_the_path_begins_at_the_clean_latents_and_ends_at_the_noise() -> None:
    assert torch.equal(interpolate(CLEAN, NOISE, torch.zeros_like(LEVELS)), CLEAN)
    assert torch.equal(interpolate(CLEAN, NOISE, torch.ones_like(LEVELS)), NOISE)


def test_known_places_are_clean_bit_for_bit() -> None:
    levels = LEVELS.clone()
    levels[:, 1] = 0
    noisy = interpolate(CLEAN, NOISE, levels)
    assert torch.equal(noisy[:, :, 1], CLEAN[:, :, 1])
    assert not torch.equal(noisy[:, :, 2], CLEAN[:, :, 2])


def test_each_place_has_its_own_level() -> None:
    noisy = interpolate(CLEAN, NOISE, LEVELS)
    place = (1, slice(None), 2, 1, 3)
    level = LEVELS[1, 2, 1, 3]
    torch.testing.assert_close(noisy[place], (1 - level) * CLEAN[place] + level * NOISE[place])


def test_the_target_is_the_derivative_of_the_path() -> None:
    clean, noise, levels = CLEAN.double(), NOISE.double(), LEVELS.double() * 0.9 + 0.05
    ahead, behind = interpolate(clean, noise, levels + 1e-3), interpolate(clean, noise, levels - 1e-3)
    torch.testing.assert_close((ahead - behind) / 2e-3, velocity_target(clean, noise))


def test_the_true_velocity_points_to_the_clean_latents() -> None:
    noisy = interpolate(CLEAN, NOISE, LEVELS)
    torch.testing.assert_close(clean_from_velocity(noisy, velocity_target(CLEAN, NOISE), LEVELS), CLEAN)


def test_the_error_is_a_mean_over_channels() -> None:
    error = squared_error(CLEAN, CLEAN + torch.tensor([1.0, 2.0, 3.0])[:, None, None, None])
    torch.testing.assert_close(error, torch.full_like(error, 14 / 3))


def test_half_precision_errors_are_summed_in_float32() -> None:
    assert squared_error(CLEAN.bfloat16(), NOISE).dtype == torch.float32


def test_known_places_do_not_count_in_the_loss() -> None:
    levels, error = LEVELS.clone(), torch.ones_like(LEVELS)
    levels[0, :3] = 0
    error[0, :3] = 1e6
    error[0, 3] = 5
    assert flow_loss(error, levels).tolist() == [5, 1]


def test_a_clip_weighs_the_same_however_little_of_it_is_noisy() -> None:
    levels = LEVELS.clone()
    levels[0, :3] = 0
    error = torch.ones_like(LEVELS, requires_grad=True)
    flow_loss(error, levels).sum().backward()
    assert error.grad is not None
    torch.testing.assert_close(error.grad.sum((1, 2, 3)), torch.ones(2))


def test_a_clip_that_is_known_throughout_has_no_loss() -> None:
    assert flow_loss(torch.ones_like(LEVELS), torch.zeros_like(LEVELS)).tolist() == [0, 0]


def test_weights_shift_the_mean_and_nothing_else() -> None:
    error, levels, weight = torch.zeros(1, 1, 1, 2), torch.ones(1, 1, 1, 2), torch.tensor([[[[1.0, 3.0]]]])
    error[..., 1] = 8
    assert flow_loss(error, levels).tolist() == [4]
    assert flow_loss(error, levels, weight).tolist() == [6]
    assert torch.equal(flow_loss(error, levels, 7 * weight), flow_loss(error, levels, weight))
    assert flow_loss(error, torch.tensor([[[[0.5, 0.0]]]]), weight).tolist() == [0]
