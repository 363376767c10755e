"""Samplers against velocity fields whose paths are known in closed form."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from sorairo.diffusion.flow import interpolate
from sorairo.diffusion.noise_maps import curve
from sorairo.diffusion.samplers import SAMPLERS, Step, initial_noise, multistep
from sorairo.diffusion.schedules import sampling_levels
from sorairo.shapes import LatentShape

SHAPE = LatentShape(3, 2, 4)
SPREAD = 0.5
every_sampler = pytest.mark.parametrize("name", SAMPLERS)


def noise(batch: int = 2) -> Tensor:
    return initial_noise(range(batch), SHAPE, channels=2).double()


def start(level: float = 1.0, batch: int = 2) -> Tensor:
    return torch.full((batch, SHAPE.num_frames, SHAPE.height, SHAPE.width), level).double()


def gaussian_velocity(latents: Tensor, noise_map: Tensor) -> Tensor:
    """Velocity for data N(0, SPREAD^2): x_s is N(0, r^2), r^2 = (1-s)^2 SPREAD^2 + s^2, and paths keep x_s / r."""
    s = noise_map.unsqueeze(1)
    return latents * (s - (1 - s) * SPREAD**2) / ((1 - s) ** 2 * SPREAD**2 + s**2)


@every_sampler
@pytest.mark.parametrize("num_steps", [1, 2, 7])
def test_a_constant_velocity_is_followed_exactly(name: str, num_steps: int) -> None:
    target = torch.randn(2, 2, 3, 2, 4, dtype=torch.float64)
    end = SAMPLERS[name](lambda x, s: noise() - target, noise(), start(), sampling_levels(num_steps, 3.0))
    torch.testing.assert_close(end, target)


@every_sampler
def test_data_of_one_point_is_reached_in_any_number_of_steps(name: str) -> None:
    """All the data is one clip: v = (x - clip) / s, whose paths are straight lines to it."""
    clip = torch.randn(2, 2, 3, 2, 4, dtype=torch.float64)
    for num_steps in (1, 3):
        levels = sampling_levels(num_steps)
        end = SAMPLERS[name](lambda x, s: (x - clip) / s.unsqueeze(1), noise(), start(), levels)
        torch.testing.assert_close(end, clip, atol=1e-6, rtol=1e-6)


@every_sampler
def test_gaussian_data_has_its_spread(name: str) -> None:
    end = SAMPLERS[name](gaussian_velocity, noise(), start(), sampling_levels(200))
    torch.testing.assert_close(end, SPREAD * noise(), atol=0.02, rtol=0.02)


@pytest.mark.parametrize(
    ("name", "order", "shift"),
    # On this field and with shift 3 the multistep's leading errors cancel, so its order shows at shift 1 only.
    [("euler", 1, 1.0), ("euler", 1, 3.0), ("heun", 2, 1.0), ("heun", 2, 3.0), ("multistep", 2, 1.0)],
)
def test_order_of_the_solver(name: str, order: int, shift: float) -> None:
    """Twice the steps, 2^order times smaller the error."""
    errors = []
    for num_steps in (64, 128, 256):
        levels = sampling_levels(num_steps, shift).double()
        end = SAMPLERS[name](gaussian_velocity, noise(), start(), levels)
        errors.append((end - SPREAD * noise()).abs().max().item())
    for coarse, fine in itertools.pairwise(errors):
        assert math.log2(coarse / fine) == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize("shift", [1.0, 3.0])
@pytest.mark.parametrize("num_calls", [10, 30, 60])
def test_multistep_is_the_best_for_its_calls(num_calls: int, shift: float) -> None:
    def error(name: str, num_steps: int) -> float:
        end = SAMPLERS[name](gaussian_velocity, noise(), start(), sampling_levels(num_steps, shift))
        return (end - SPREAD * noise()).abs().max().item()

    best = error("multistep", num_calls)
    assert best < error("euler", num_calls) / 5
    assert best < error("heun", num_calls // 2)


@every_sampler
@pytest.mark.parametrize("strength", [0.3, 0.8])
def test_remix_starts_in_the_middle_of_the_path(name: str, strength: float) -> None:
    source = SPREAD * noise()
    between = interpolate(source, torch.zeros_like(source), start(strength))
    end = SAMPLERS[name](gaussian_velocity, between, start(strength), sampling_levels(400))
    spread_there = math.sqrt((1 - strength) ** 2 * SPREAD**2 + strength**2)
    torch.testing.assert_close(end, between * SPREAD / spread_there, atol=0.02, rtol=0.02)


@every_sampler
def test_known_places_stay_as_they_are_bit_for_bit(name: str) -> None:
    start_map = curve(SHAPE, [0.0, 1.0, 0.0]).expand(2, -1, -1, -1)
    latents = noise().float()
    end = SAMPLERS[name](lambda x, s: 1e6 * torch.randn_like(x), latents, start_map, sampling_levels(5, 3.0))
    assert torch.equal(end[:, :, [0, 2]], latents[:, :, [0, 2]])
    assert not torch.equal(end[:, :, 1], latents[:, :, 1])


@every_sampler
def test_the_model_is_asked_at_start_times_level_and_never_at_zero(name: str) -> None:
    asked: list[Tensor] = []

    def velocity(latents: Tensor, noise_map: Tensor) -> Tensor:
        asked.append(noise_map)
        return torch.zeros_like(latents)

    levels = sampling_levels(4, 2.0)
    SAMPLERS[name](velocity, noise(), start(0.5), levels)
    allowed = {round(0.5 * level, 5) for level in levels.tolist()[:-1]}
    assert {round(level, 5) for noise_map in asked for level in noise_map.unique().tolist()} == allowed
    assert len(asked) == (7 if name == "heun" else 4)


@every_sampler
def test_steps_are_told_and_the_last_estimate_is_the_result(name: str) -> None:
    steps: list[Step] = []
    end = SAMPLERS[name](gaussian_velocity, noise(), start(), sampling_levels(5), steps.append)
    assert [(step.number, step.num_steps) for step in steps] == [(number, 5) for number in range(1, 6)]
    assert torch.equal(steps[-1].latents, end)
    torch.testing.assert_close(steps[-1].clean_estimate, end)


@every_sampler
def test_raising_in_a_step_stops(name: str) -> None:
    calls = []

    def velocity(latents: Tensor, noise_map: Tensor) -> Tensor:
        calls.append(1)
        return latents

    def cancel(step: Step) -> None:
        if step.number == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SAMPLERS[name](velocity, noise(), start(), sampling_levels(50), cancel)
    assert len(calls) <= 4


def test_levels_that_do_not_fall_from_one_to_zero_are_our_bug() -> None:
    with pytest.raises(AssertionError, match="from 1 to 0"):
        multistep(gaussian_velocity, noise(), start(), torch.tensor([0.9, 0.0]))


def test_noise_of_a_seed_is_the_same_in_any_batch() -> None:
    together = initial_noise([7, 3, 11], SHAPE, channels=4)
    assert together.shape == (3, 4, 3, 2, 4)
    assert torch.equal(together[1:2], initial_noise([3], SHAPE, channels=4))


def test_a_longer_clip_starts_with_the_noise_of_a_shorter_one() -> None:
    short, long = (initial_noise([5], LatentShape(frames, 2, 4), channels=3) for frames in (2, 6))
    assert torch.equal(long[:, :, :2], short)
    assert torch.equal(long[:, :, 4:], initial_noise([5], LatentShape(2, 2, 4), channels=3, frame_offset=4))


def test_noise_is_of_unit_variance_and_differs_between_seeds_and_frames() -> None:
    drawn = initial_noise([0, 1], LatentShape(4, 16, 16), channels=16)
    assert drawn.mean() == pytest.approx(0, abs=0.02)
    assert drawn.std() == pytest.approx(1, abs=0.02)
    flat = drawn.transpose(1, 2).flatten(0, 1).flatten(1)
    assert (torch.corrcoef(flat) - torch.eye(8)).abs().max() < 0.1
