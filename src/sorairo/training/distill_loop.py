"""Teaches a transformer to take a whole phase of another's sampling, guidance included, in one jump.

Guided and progressive distillation (Meng et al. 2023, arXiv 2210.03142; Salimans & Ho 2022, arXiv 2202.00512) with
fixed borders between phases (Heek et al. 2024, arXiv 2403.06807). The teacher never changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sorairo.data.latent_dataset import Batch
from sorairo.diffusion.flow import Latents, NoiseMap, interpolate
from sorairo.diffusion.guidance import classifier_free
from sorairo.diffusion.schedules import phase_ends, training_phase_levels
from sorairo.models.dit import DiT, Text
from sorairo.shapes import LatentShape
from sorairo.training.dit_loop import DiTTrainer, num_operations


@dataclass
class Distiller(DiTTrainer):
    """The transformer's training with a teacher: the model that the recipe starts from, guided."""

    def adapt(self) -> None:
        self.teacher = DiT(self.recipe.model.dit).to(self.workers.device).eval().requires_grad_(False)
        self.teacher.load_state_dict(self.model.state_dict())
        if self.recipe.dit.compile:
            torch._dynamo.config.recompile_limit = 32  # the blocks' code serves both, with gradients and without
            for block in self.teacher.blocks:
                block.compile(dynamic=True)

    def draw_map(self, generator: torch.Generator, number: int, shape: LatentShape) -> NoiseMap:
        """Every tool's maps, with their noisiest places at levels where jumps begin."""
        maps = super().draw_map(generator, number, shape)
        levels = training_phase_levels(number, self.recipe.model.num_inference_steps, generator)
        return maps / maps.amax((1, 2, 3), keepdim=True) * levels[:, None, None, None]

    @torch.no_grad()
    def target(self, clean: Latents, noise: Latents, noise_map: NoiseMap, part: Batch) -> Latents:
        """The mean velocity of the teacher's way from each clip's level to the next border.

        It takes ``teacher_steps`` equal steps of second order (Adams-Bashforth; the first is Euler's).
        """
        highest = noise_map.amax((1, 2, 3))
        ends = phase_ends(self.recipe.model.num_inference_steps, highest)
        change = ((ends - highest) / highest / self.recipe.dit.teacher_steps)[:, None, None, None] * noise_map
        memory = self.teacher.text_memory(*self._teacher_text(part))

        def velocity(latents: Latents, levels: NoiseMap) -> Latents:
            result: Tensor = self.teacher(latents, levels, memory, frame_offset=part.frame_offset)
            return result

        guided = classifier_free(velocity, self.recipe.model.guidance_scale, noise=noise)
        latents = interpolate(clean, noise, noise_map)
        total, before = torch.zeros_like(latents), None
        for step in range(self.recipe.dit.teacher_steps):
            here = guided(latents, noise_map + step * change)
            slope = here if before is None else 1.5 * here - 0.5 * before
            latents, total, before = latents + change.unsqueeze(1) * slope, total + slope, here
        return total / self.recipe.dit.teacher_steps

    def operations(self, batch: Batch) -> float:
        """A step of the teacher, guided, is two passes forward: two thirds of a step of training."""
        return num_operations(self.recipe.model.dit, batch) * (1 + 2 * self.recipe.dit.teacher_steps / 3)

    def _teacher_text(self, part: Batch) -> Text:
        """The captions, then as often the empty prompt."""
        states, mask = part.states.to(self.workers.device), part.mask.to(self.workers.device)
        empty, empty_mask = torch.zeros_like(states), torch.zeros_like(mask)
        length = len(self.dataset.empty_prompt)
        empty[:, :length], empty_mask[:, :length] = self.dataset.empty_prompt.to(states), True
        return Text(torch.cat([states, empty]), torch.cat([mask, empty_mask])[:, None])
