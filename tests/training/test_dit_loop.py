"""The transformer's training: what a step works on, its loss, parts of a batch, and what is written when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from sorairo.checkpoint import load_into, load_tensors
from sorairo.config import DiTConfig
from sorairo.data.latent_dataset import Batch, LatentDataset
from sorairo.models.dit import DiT
from sorairo.pipelines.cards import load_config
from sorairo.training.dit_loop import LEVELS, SIDE_MARGIN, DiTTrainer, num_operations, sides_swapped
from sorairo.training.parallel import Workers
from sorairo.training.recipe import DiTTraining, Recipe, Schedule

ReadLog = Callable[[Path], list[dict[str, Any]]]


def trainer(recipe: Recipe, folder: Path, dataset: LatentDataset, workers: Workers | None = None) -> DiTTrainer:
    return DiTTrainer(recipe, folder, dataset, workers or Workers())


def scheduled(recipe: Recipe, **schedule: Any) -> Recipe:
    dit = replace(recipe.dit, schedule=Schedule(**{"warmup_steps": 3, "decay_steps": 1} | schedule))
    return replace(recipe, dit=dit, minutes_per_checkpoint=9)


def clip_step(made: DiTTrainer) -> int:
    """A step that works on clips, not on pictures."""
    return next(step for step in range(100) if made.draw(step).batch.shape.num_frames > 1)


def test_what_a_step_works_on_is_a_pure_function_of_the_step(
    recipe: Recipe, dataset: LatentDataset, tmp_path: Path
) -> None:
    one, other = trainer(recipe, tmp_path, dataset), trainer(recipe, tmp_path, dataset)
    for step in (4, 0, 4):
        assert torch.equal(one.draw(step).noise_map, other.draw(step).noise_map)
        assert all(map(torch.equal, one.losses(one.draw(step)), other.losses(other.draw(step))))
    assert one.draw(0).seed != one.draw(1).seed
    assert trainer(replace(recipe, seed=1), tmp_path, dataset).draw(0).seed != one.draw(0).seed


def test_the_loss_of_a_fresh_model_in_closed_form(recipe: Recipe, dataset: LatentDataset, tmp_path: Path) -> None:
    """It answers zero, so what is left is the square of noise minus clean, over the noisy places."""
    made = trainer(recipe, tmp_path, dataset)
    noised = made.draw(clip_step(made))
    latents = noised.batch.latents
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(noised.seed))
    error, noisy = (noise - latents).square().mean(1), noised.noise_map > 0
    expected = torch.stack([error[index][noisy[index]].mean() for index in range(len(latents))])
    torch.testing.assert_close(made.losses(noised)[1], expected)


def test_where_objects_are_counts_more(recipe: Recipe, dataset: LatentDataset, tmp_path: Path) -> None:
    plain, weighted = (
        trainer(replace(recipe, dit=replace(recipe.dit, object_weight=weight)), tmp_path, dataset)
        for weight in (0.0, 9.0)
    )
    noised = plain.draw(clip_step(plain))
    assert noised.batch.cover.amax(dim=(1, 2, 3)).min() > 0
    teaching, unweighted = plain.losses(noised)
    assert torch.equal(teaching, unweighted)
    teaching, unweighted_too = weighted.losses(noised)
    assert torch.equal(unweighted, unweighted_too)
    assert not torch.allclose(teaching, unweighted)


def test_a_model_that_knows_no_sides_pays_for_it(recipe: Recipe, dataset: LatentDataset, tmp_path: Path) -> None:
    """A fresh one answers the same to both texts, so all of the margin is lacking where a text names a side."""
    plain, sided = (
        trainer(replace(recipe, dit=replace(recipe.dit, side_weight=weight)), tmp_path, dataset)
        for weight in (0.0, 3.0)
    )
    noised = plain.draw(clip_step(plain))
    texts = ("a cube", *["a ball to the left of a cone"] * (len(noised.batch.latents) - 1))
    noised = noised._replace(batch=replace(noised.batch, texts=texts))
    for level, number in ((0.9, len(texts) // 2), (0.5, 0)):
        noised = noised._replace(noise_map=torch.full_like(noised.noise_map, level))
        expected = plain.losses(noised)[0]
        expected[1 : 1 + number] *= 1 + 3 * SIDE_MARGIN
        torch.testing.assert_close(sided.losses(noised)[0], expected)


def test_sides_are_swapped_in_whole_words() -> None:
    swapped = "it leaves to the right of a ball, upright, and the camera pans left"
    assert sides_swapped("it leaves to the left of a ball, upright, and the camera pans right") == swapped


@pytest.mark.parametrize("number", [2, 3])
def test_the_losses_of_parts_make_up_those_of_the_batch(
    recipe: Recipe, dataset: LatentDataset, tmp_path: Path, number: int
) -> None:
    alone = trainer(recipe, tmp_path, dataset)
    for parameter in alone.model.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    noised = alone.draw(clip_step(alone))
    whole, _ = alone.losses(noised)
    for index in range(number):
        alone.workers = Workers(index, number)
        torch.testing.assert_close(alone.losses(noised)[0], whole[index::number], atol=1e-5, rtol=1e-5)


def test_more_processes_than_examples_is_an_error(recipe: Recipe, dataset: LatentDataset, tmp_path: Path) -> None:
    made = trainer(recipe, tmp_path, dataset)
    made.workers = Workers(0, 40)
    with pytest.raises(ValueError, match=r"tokens_per_batch is 60; 40 processes need at least (240|480)"):
        made.draw(0)


def test_training_lowers_the_loss_and_writes_the_average(
    recipe: Recipe, dataset: LatentDataset, tmp_path: Path, read_log: ReadLog
) -> None:
    recipe = scheduled(recipe, steps=40, decay_steps=10, ema_decay=0.5)
    made = trainer(recipe, tmp_path, dataset)
    path = made.run()
    lines = read_log(tmp_path / "dit.jsonl")
    losses = [line.get("loss", line.get("picture_loss")) for line in lines]
    assert sum(losses[-8:]) < 0.8 * sum(losses[:8])
    dit = DiT(recipe.model.dit)
    assert load_into(dit, path) == {"step": 40}
    assert torch.equal(dit.head.output.weight, made.state.average.weights["head.output.weight"])
    assert not torch.equal(dit.head.output.weight, made.model.head.output.weight)


def test_every_line_tells_what_is_promised(
    recipe: Recipe, dataset: LatentDataset, tmp_path: Path, read_log: ReadLog
) -> None:
    trainer(scheduled(recipe, steps=12), tmp_path, dataset).run()
    lines = read_log(tmp_path / "dit.jsonl")
    rates = {"gradient", "seconds_per_step", "samples_per_second", "share_of_peak"}
    assert all(rates <= set(line) and 0 < line["share_of_peak"] < 1.5 for line in lines)
    clips = [line for line in lines if "loss" in line]
    assert clips
    assert all(any(key.startswith("loss_level_") for key in line) for line in clips)
    assert all("picture_loss" in line or "loss" in line for line in lines)


def test_an_interrupted_training_goes_on_bit_for_bit(recipe: Recipe, dataset: LatentDataset, tmp_path: Path) -> None:
    straight = load_tensors(trainer(scheduled(recipe, steps=6), tmp_path / "straight", dataset).run())[0]
    trainer(scheduled(recipe, steps=3), tmp_path / "twice", dataset).run()
    twice = load_tensors(trainer(scheduled(recipe, steps=6), tmp_path / "twice", dataset).run())[0]
    assert all(torch.equal(straight[name], twice[name]) for name in straight)


def test_steps_that_have_been_done_stay_counted(recipe: Recipe, dataset: LatentDataset, tmp_path: Path) -> None:
    trainer(scheduled(recipe, steps=2), tmp_path, dataset).run()
    assert load_tensors(trainer(scheduled(recipe, steps=1), tmp_path, dataset).run())[1] == {"step": 2}


def test_weights_that_a_kill_kept_from_being_written_are_written(
    recipe: Recipe, dataset: LatentDataset, tmp_path: Path
) -> None:
    recipe = scheduled(recipe, steps=3)
    path = trainer(recipe, tmp_path, dataset).run()
    expected = path.read_bytes()
    path.unlink()  # as if killed between the last checkpoint and this
    assert trainer(recipe, tmp_path, dataset).run().read_bytes() == expected


class Unplugged(LatentDataset):
    """Data that are gone at step 2."""

    def draw(self, step: int) -> Batch:
        if step == 2:
            raise OSError("the disk is gone")
        return super().draw(step)


def test_weights_are_kept_up_with_every_checkpoint(recipe: Recipe, reference: Path, tmp_path: Path) -> None:
    dataset = Unplugged((reference / "latents").iterdir(), torch.zeros(2, 384), recipe.dit.draw, recipe.seed)
    made = trainer(replace(scheduled(recipe, steps=5), minutes_per_checkpoint=0), tmp_path, dataset)
    with pytest.raises(OSError, match="the disk is gone"):
        made.run()
    assert [path.name for path in made.state.checkpoints()] == ["step-00000001", "step-00000002"]
    weights, metadata = load_tensors(tmp_path / "dit.safetensors")
    assert metadata == {"step": 2}
    assert torch.equal(weights["head.output.weight"], made.state.average.weights["head.output.weight"])


def test_whether_to_end_is_asked_before_a_step_is_saved(recipe: Recipe, dataset: LatentDataset, tmp_path: Path) -> None:
    """Killed between the two, it would go on from there and never be asked."""
    asked = []

    class Asked(DiTTrainer):
        def ends(self, step: int) -> bool:
            asked.append((step, [path.name for path in self.state.checkpoints()]))
            return step == 3

    few = replace(scheduled(recipe, steps=5), minutes_per_checkpoint=0.0)
    Asked(few, tmp_path, dataset, Workers()).run()
    assert asked == [(1, []), (2, ["step-00000001"]), (3, ["step-00000001", "step-00000002"])]


def test_held_out_losses_leave_the_model_as_it_is(recipe: Recipe, dataset: LatentDataset, tmp_path: Path) -> None:
    made = trainer(recipe, tmp_path, dataset)
    before = {name: value.clone() for name, value in made.model.state_dict().items()}
    others = {name: value + 0.1 for name, value in before.items()}
    own, other, again = (made.held_out_losses(dataset, weights) for weights in ({}, others, before))
    assert [level for level, _ in own] == 2 * list(LEVELS)
    for (_, first), (_, second), (_, third) in zip(own, other, again, strict=True):
        assert torch.equal(first, third)
        assert not torch.allclose(first, second)
    assert all(torch.equal(value, before[name]) for name, value in made.model.state_dict().items())


def test_a_training_may_start_from_a_model(
    recipe: Recipe, dataset: LatentDataset, tiny_model: Path, tmp_path: Path
) -> None:
    started = replace(recipe, model=load_config(tiny_model), start=str(tiny_model))
    made = trainer(started, tmp_path, dataset)
    known = load_tensors(tiny_model / "dit.safetensors")[0]
    assert all(torch.equal(value, known[name].float()) for name, value in made.model.state_dict().items())
    assert all(torch.equal(value, known[name].float()) for name, value in made.state.average.weights.items())


def test_half_precision_stays_close(recipe: Recipe, dataset: LatentDataset, tmp_path: Path) -> None:
    exact = trainer(recipe, tmp_path, dataset)
    rough = trainer(replace(recipe, bfloat16=True), tmp_path, dataset)
    noised = exact.draw(clip_step(exact))
    torch.testing.assert_close(rough.losses(noised)[0], exact.losses(noised)[0], atol=0.02, rtol=0.02)


@pytest.mark.parametrize("frames", [1, 3])
def test_operations_are_those_that_pytorch_counts(frames: int) -> None:
    """Of a model large enough that the text's first layers, the patches' and the levels' do not count."""
    config = DiTConfig(depth=6, latent_channels=4)
    batch = Batch(
        torch.randn(2, 4, frames, 8, 8),
        torch.zeros(2, frames, 8, 8),
        torch.randn(2, 24, 384),
        torch.ones(2, 24, dtype=torch.bool),
        0,
    )
    dit, counter = DiT(config), FlopCounterMode(display=False)
    with counter:
        noise_map = torch.rand(2, 1, 1, 1).expand(2, frames, 8, 8)
        dit(batch.latents, noise_map, dit.text_memory(batch.states, batch.mask[:, None])).sum().backward()
    assert num_operations(config, batch) == pytest.approx(counter.get_total_flops(), rel=0.15)


def test_recipes_say_whether_to_compile() -> None:
    assert not DiTTraining().compile
