"""Distillation: what the student is to learn, where, and that it learns it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sorairo.data.latent_dataset import LatentDataset
from sorairo.diffusion.flow import interpolate
from sorairo.diffusion.guidance import classifier_free
from sorairo.diffusion.samplers import multistep
from sorairo.diffusion.schedules import phase_borders
from sorairo.pipelines.cards import load_config
from sorairo.training.distill_loop import Distiller
from sorairo.training.parallel import Workers
from sorairo.training.recipe import Recipe, Schedule

PHASES, TEACHER_STEPS = 4, 3


@pytest.fixture
def distiller(recipe: Recipe, dataset: LatentDataset, tiny_model: Path, tmp_path: Path) -> Distiller:
    model = replace(load_config(tiny_model), distilled=True, num_inference_steps=PHASES, guidance_scale=3.0)
    schedule = Schedule(steps=30, decay_steps=1, warmup_steps=1, ema_decay=0.5)
    dit = replace(recipe.dit, schedule=schedule, teacher_steps=TEACHER_STEPS)
    distilling = replace(recipe, model=model, start=str(tiny_model), dit=dit, minutes_per_checkpoint=9)
    return Distiller(distilling, tmp_path, dataset, Workers())


def test_the_noisiest_places_are_where_jumps_begin(distiller: Distiller) -> None:
    maps = [distiller.draw(step).noise_map for step in range(12)]
    highest = torch.cat([noise_map.amax((1, 2, 3)) for noise_map in maps])
    assert 0.5 < torch.isin(highest, phase_borders(PHASES)).float().mean() < 1
    assert any((noise_map == 0).any() for noise_map in maps)  # tools are among them


def test_the_target_is_the_way_of_the_guided_teacher(distiller: Distiller) -> None:
    """In the last phase it leads to the end, where the sampler of the same steps leads."""
    part = distiller.draw(0).batch
    noise, noise_map = torch.randn_like(part.latents), torch.full(part.cover.shape, 0.4)
    target = distiller.target(part.latents, noise, noise_map, part)
    memory = distiller.teacher.text_memory(*distiller._teacher_text(part))

    def velocity(latents: Tensor, levels: Tensor) -> Tensor:
        result: Tensor = distiller.teacher(latents, levels, memory, frame_offset=part.frame_offset)
        return result

    noisy, levels = interpolate(part.latents, noise, noise_map), torch.linspace(1, 0, TEACHER_STEPS + 1)
    with torch.no_grad():
        end = multistep(classifier_free(velocity, 3.0), noisy, noise_map, levels)
    torch.testing.assert_close(noisy - 0.4 * target, end, atol=1e-4, rtol=1e-4)


def test_the_student_learns_and_the_teacher_stays(distiller: Distiller) -> None:
    before = {name: value.clone() for name, value in distiller.teacher.state_dict().items()}
    first = [distiller.losses(distiller.draw(step))[1].mean().item() for step in range(4)]
    distiller.run()
    after = [distiller.losses(distiller.draw(step))[1].mean().item() for step in range(4)]
    assert sum(after) < sum(first)
    assert all(torch.equal(before[name], value) for name, value in distiller.teacher.state_dict().items())


def test_a_distilled_model_needs_a_start(recipe: Recipe) -> None:
    with pytest.raises(ValueError, match=r"model\.distilled is true without a start"):
        replace(recipe, model=replace(recipe.model, distilled=True))
