"""Trains the diffusion transformer on cached latents: draws, noises, asks for the velocity, steps. Never encodes.

Rectified flow with one noise level per patch (Liu et al. 2022; Chen et al. 2024, Diffusion Forcing), logit-normal
levels shifted by size (Esser et al. 2024).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from operator import ne
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from sorairo.checkpoint import load_into, save_tensors
from sorairo.config import DiTConfig
from sorairo.data.latent_dataset import Batch, LatentDataset
from sorairo.diffusion.flow import Latents, NoiseMap, flow_loss, interpolate, squared_error, velocity_target
from sorairo.diffusion.schedules import timestep_shift
from sorairo.diffusion.training_maps import draw_training_map
from sorairo.models.dit import DiT, Text, with_patch
from sorairo.models.precision import autocast, fast_bfloat16
from sorairo.models.text_encoder import TextEncoder
from sorairo.pipelines.cards import DIT_FILE, find_model, load_config
from sorairo.shapes import LatentShape
from sorairo.training import parallel
from sorairo.training.journal import Journal, Noted, matmul_ceiling
from sorairo.training.optimizers import Optimizers
from sorairo.training.prefetch import batches
from sorairo.training.recipe import Recipe
from sorairo.training.samples import SampleStrip
from sorairo.training.state import TrainingState

HEADS = ("patches_in", "picture_in", "level_in", "modulation", "head", "text_reader")
LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
HELD_OUT_BATCHES = 2
SIDES = {"left": "right", "right": "left"}
SIDE_LEVEL = 0.75  # below, a clip tells itself which way things go
SIDE_MARGIN = 0.05  # of a velocity's error: how much more wrong it ought to be for the text with the sides swapped


class Noised(NamedTuple):
    """A global batch, its noise levels, and the seed of its noise, which is drawn where the model is."""

    batch: Batch
    noise_map: NoiseMap
    seed: int


@dataclass
class DiTTrainer:
    """Everything one training of a transformer holds."""

    recipe: Recipe
    folder: Path
    dataset: LatentDataset
    workers: parallel.Workers
    strip: SampleStrip | None = None

    def __post_init__(self) -> None:
        torch.manual_seed(self.recipe.seed)
        self.schedule = self.recipe.dit.schedule
        self.model = DiT(self.recipe.model.dit).to(self.workers.device)
        if self.recipe.start:
            self.model.load_state_dict(starting_weights(find_model(self.recipe.start), self.recipe.model.dit))
        self.adapt()
        if self.recipe.dit.compile:
            for block in self.model.blocks:
                block.compile(dynamic=True)  # batches differ in size, length and caption
        parallel.shard(self.model, self.model.blocks, self.workers)
        self.text_encoder = TextEncoder().to(self.workers.device) if self.recipe.dit.side_weight else None
        optimizers = Optimizers(self.model, self.schedule, HEADS, self.recipe.bfloat16)
        self.state = TrainingState.begun(self.folder / "dit", self.model, optimizers, self.workers)

    def run(self) -> Path:
        """Trains up to the recipe's last step, or until it `ends`, and returns the path of the averaged weights."""
        steps = range(self.state.restore(), self.schedule.steps)
        last = max(steps.start, steps.stop)  # the recipe may ask for fewer steps than have been done
        saving = parallel.Alarm(self.recipe.minutes_per_checkpoint, self.workers)
        sampling = parallel.Alarm(self.recipe.minutes_per_sample, self.workers)
        with self._journal(steps) as journal:
            for step, noised in zip(steps, batches(self.draw, steps, self.workers.device), strict=True):
                noted = self._step(step, noised)
                if journal:
                    journal.add(step, noted)
                if self.ends(step + 1):  # before it is saved: a run that goes on from there has been asked
                    last = step + 1
                    break
                if saving.rings():
                    self.state.save(step + 1)
                    self._write_weights(step + 1)
                if journal and self.strip and sampling.rings():
                    journal.picture(step + 1, "samples", self.strip.draw(self._average(), step + 1))
        if steps:
            self.state.save(last)
        return self._write_weights(last)

    def adapt(self) -> None:
        """Changes the model before it is trained: for a fine-tuning, which has its own way."""

    def ends(self, step: int) -> bool:
        """Whether to end after ``step`` steps, before the recipe does: for a fine-tuning, which may know better."""
        return False

    def draw(self, step: int) -> Noised:
        """What a step works on: a pure function of the recipe's seed and the step, whatever the number of processes.

        Raises:
            ValueError: there are more processes than examples.
        """
        batch, seed = self.dataset.draw(step), 2 * (self.recipe.seed * 1_000_003 + step)
        if len(batch.latents) < self.workers.number:
            tokens, least = self.recipe.dit.draw.tokens_per_batch, self.workers.number * batch.shape.num_tokens(patch=1)
            raise ValueError(f"tokens_per_batch is {tokens}; {self.workers.number} processes need at least {least}")
        generator = torch.Generator().manual_seed(seed + 1)
        return Noised(batch, self.draw_map(generator, len(batch.latents), batch.shape), seed)

    def draw_map(self, generator: torch.Generator, number: int, shape: LatentShape) -> NoiseMap:
        """Noise maps of ``number`` clips."""
        recipe = self.recipe.dit
        shift = recipe.level_shift * timestep_shift(shape)
        return draw_training_map(generator, number, shape, self.recipe.model.dit.patch, recipe.maps, shift)

    def target(self, clean: Latents, noise: Latents, noise_map: NoiseMap, part: Batch) -> Latents:
        """The velocity to learn."""
        return velocity_target(clean, noise)

    def losses(self, noised: Noised) -> tuple[Tensor, Tensor]:
        """Losses [b] of every clip of this process's part of the batch: as they teach, and without weights."""
        device, own = self.workers.device, self.workers.share
        generator = torch.Generator(device).manual_seed(noised.seed)
        noise = torch.randn(noised.batch.latents.shape, generator=generator, device=device)[own]
        part = noised.batch.part(own)
        clean, states, mask = (tensor.to(device) for tensor in (part.latents, part.states, part.mask))
        noise_map = noised.noise_map[own].to(device)
        with autocast(device, self.recipe.bfloat16):
            noisy, text = interpolate(clean, noise, noise_map), Text(states, mask[:, None])
            target = self.target(clean, noise, noise_map, part)
            velocity = self.model(noisy, noise_map, text, frame_offset=part.frame_offset)
        error = squared_error(velocity, target)
        weight = 1 + self.recipe.dit.object_weight * part.cover.to(device)
        teaching = flow_loss(error, noise_map, weight)
        if self.text_encoder:
            teaching = self._with_sides(teaching, part, noisy, noise_map, target, weight)
        return teaching, flow_loss(error.detach(), noise_map)

    def _with_sides(
        self, losses: Tensor, part: Batch, noisy: Latents, noise_map: NoiseMap, target: Latents, weight: Tensor
    ) -> Tensor:
        """The losses [b] and, for some, what they lack to be less by `SIDE_MARGIN` than with the sides swapped."""
        assert self.text_encoder
        texts = [sides_swapped(text) for text in part.texts]
        sided = (noise_map.flatten(1).amin(1) > SIDE_LEVEL).cpu() & torch.tensor([*map(ne, texts, part.texts)])
        # At most half of them; at least one, since every process calls the model as often.
        own = sided.nonzero()[: max(1, len(texts) // 2), 0].tolist() or [0]
        states, mask = self.text_encoder([texts[index] for index in own])
        with autocast(losses.device, self.recipe.bfloat16):
            text = Text(states, mask[:, None])
            velocity = self.model(noisy[own], noise_map[own], text, frame_offset=part.frame_offset)
        swapped = flow_loss(squared_error(velocity, target[own]), noise_map[own], weight[own])
        lacking = (losses[own] + SIDE_MARGIN * losses[own].detach() - swapped).relu() * sided[own].to(losses.device)
        return losses.index_add(0, torch.tensor(own, device=losses.device), self.recipe.dit.side_weight * lacking)

    @torch.no_grad()
    def held_out_losses(self, held_out: LatentDataset, weights: Mapping[str, Tensor]) -> list[tuple[float, Tensor]]:
        """Each of `LEVELS` with the losses [b] of a batch at it, for a few batches, always of the same noise; with
        ``weights``, or with those that the model has. Of a training by one process."""
        own, found = {name: value.clone() for name, value in self.model.state_dict().items()}, []
        self.model.load_state_dict(weights or own)
        for number in range(HELD_OUT_BATCHES):
            batch = held_out.draw(number)
            for level in LEVELS:
                noised = Noised(batch, torch.full(batch.cover.shape, level), seed=number)
                found.append((level, self.losses(noised)[1].cpu()))
        self.model.load_state_dict(own)
        return found

    def _step(self, step: int, noised: Noised) -> Noted:
        """Changes the weights; returns what the journal notes. Loss by level is of this process's part only."""
        (teaching, losses), batch = self.losses(noised), noised.batch
        share = self.workers.number / len(batch.latents)  # FSDP takes the mean over processes
        (teaching.sum() * share).backward()  # type: ignore[no-untyped-call]
        norm = self.state.update(step)
        kind = "picture_loss" if batch.shape.num_frames == 1 else "loss"
        numbers = {kind: self.workers.mean(losses.sum() * share), "gradient": parallel.whole(norm)}
        levels = noised.noise_map[self.workers.share].amax(dim=(1, 2, 3))
        by_level = (losses, levels) if kind == "loss" else None
        return Noted(len(batch.latents), numbers, self.operations(batch), by_level)

    def operations(self, batch: Batch) -> float:
        """Floating-point operations of a step."""
        return num_operations(self.recipe.model.dit, batch)

    def _journal(self, steps: range) -> AbstractContextManager[Journal | None]:
        if not self.workers.is_first:
            return nullcontext()
        device = self.workers.device
        dtype = torch.bfloat16 if self.recipe.bfloat16 and fast_bfloat16(device) else torch.float32
        ceiling = matmul_ceiling(device, dtype) * self.workers.number
        return Journal(self.folder, "dit", steps, self.recipe.seconds_per_line, ceiling)

    def _average(self) -> dict[str, Tensor]:
        return parallel.gathered(self.state.average.weights)

    def _write_weights(self, step: int) -> Path:
        weights, path = self._average(), self.folder / "dit.safetensors"
        if self.workers.is_first:
            save_tensors(path, weights, {"step": step})
        return path


def sides_swapped(text: str) -> str:
    """What is true of the clip's mirror image instead."""
    return re.sub(r"\b(left|right)\b", lambda found: SIDES[found[0]], text)


def starting_weights(folder: Path, config: DiTConfig) -> dict[str, Tensor]:
    """Weights of the model in ``folder``, whose patches may be larger, for a transformer of ``config``.

    Raises:
        ValueError: they do not fit; one line.
    """
    before = replace(config, patch=load_config(folder).dit.patch)
    model = DiT(before)
    load_into(model, folder / DIT_FILE)
    return with_patch(model.state_dict(), before, config)


def num_operations(config: DiTConfig, batch: Batch) -> float:
    """Floating-point operations of a training step: forward, and twice that backward; products only."""
    tokens, text = batch.shape.num_tokens(config.patch), batch.states.shape[1]
    width = config.width
    per_token = config.depth * (4 + 2 + 2 * config.mlp_ratio) * width**2  # self, cross (query, output), perceptron
    attention = config.depth * 2 * (tokens + text) * width
    text_side = config.depth * 2 * width**2 * text / tokens
    return 6.0 * len(batch.latents) * tokens * (per_token + attention + text_side)
