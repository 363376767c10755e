"""From a model and a data set of footage to a model of one's own: latents, then the transformer's own loop.

Ends when what is held out is no longer learnt, and keeps the weights that were best on it. Never changes the model it
starts from, nor the autoencoder: a fine-tuned model's clips blur where the autoencoder does.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sorairo.checkpoint import halved, load_tensors, loaded, save_tensors
from sorairo.config import Checked, Count, Natural, Seed
from sorairo.data.dataset import CARD, read_card
from sorairo.data.footage_latents import Captioner, FootageLatents, write_footage_latents
from sorairo.data.latent_dataset import DrawConfig, LatentDataset
from sorairo.media import claimed, file_sha256, new_file
from sorairo.models.text_encoder import TextEncoder
from sorairo.models.video_vae import VideoVAE
from sorairo.pipelines.bundle import default_device, write_bundle
from sorairo.pipelines.cards import CONFIG_FILE, DIT_FILE, VAE_FILE, find_model, list_models, load_card, load_config
from sorairo.pipelines.request import MAX_PROMPT_CHARACTERS
from sorairo.shapes import NATIVE_BUCKETS
from sorairo.training.dit_loop import DiTTrainer
from sorairo.training.journal import loss_by_level, print_progress, require_tensorboard
from sorairo.training.lineage import descent
from sorairo.training.lora import add_low_rank, merged
from sorairo.training.parallel import Workers
from sorairo.training.recipe import DiTTraining, Recipe, Schedule
from sorairo.training.samples import SampleStrip

SAMPLE_PROMPTS = 4
BEST, CHECKS, LINEAGE = "best.safetensors", "held-out.jsonl", "lineage.json"
Check = Mapping[str, float]
"""The held-out loss by noise level, {"step": ..., "loss_level_0.2": ...} as in a training's log."""


@dataclass(frozen=True)
class FineTuning(Checked):
    """How to fine-tune: all weights, or low-rank additions of ``lora_rank``; for at most ``steps``.

    Every ``steps_per_check`` the held-out loss is taken at five noise levels; after ``patience`` checks without a
    better one it ends.
    """

    lora_rank: Natural = 0
    steps: Count = 1000
    steps_per_check: Count = 25
    patience: Count = 4
    tokens_per_batch: Count = 12 * 540
    seed: Seed = 0

    def schedule(self) -> Schedule:
        """Gentler than a training from nothing: a fifth of its rates, and as steady where additions start at zero."""
        rates = {"muon_learning_rate": 0.002, "adamw_learning_rate": 1e-3 if self.lora_rank else 2e-4}
        return Schedule(self.steps, decay_steps=1, warmup_steps=20, ema_decay=0.98, **rates)


def finetune(
    model: str, dataset: Path, out: Path, settings: FineTuning | None = None, caption_clip: Captioner | None = None
) -> Path:
    """Fine-tunes ``model`` (a name or folder) on a data set and returns the new model's folder, ``out``.

    The new model has the name of that folder. Safe to kill and to repeat; ``out``/training holds what is needed for
    it. ``caption_clip`` describes shots that have no caption.

    Raises:
        ValueError: no such model, a distilled one, no such data set, no captions, the name of a built-in model, or
            ``out`` is another model, or one from other data.
    """
    settings, base = settings or FineTuning(), find_model(model)
    require_tensorboard()
    name, run = out.absolute().name, out / "training"
    if name in list_models():
        raise ValueError(f"out is {out}; {name!r} is a built-in model: the nearest free name is {name + '-own'!r}")
    config, device = replace(load_config(base), name=name), default_device()
    if config.distilled:
        raise ValueError(f"model is {model}, which is distilled: fine-tune the model that it was distilled from")
    lineage = _lineage(base, dataset, settings.lora_rank)
    _check_same(out, run / LINEAGE, lineage)
    if (out / CONFIG_FILE).exists():  # the last that is written
        return out
    with claimed(out):
        vae, encoder = loaded(VideoVAE(config.video_vae), base / VAE_FILE).to(device), TextEncoder().to(device)
        latents = write_footage_latents(dataset, run / "latents", vae, encoder, print_progress, caption_clip)
        dit = DiTTraining(settings.schedule(), DrawConfig(settings.tokens_per_batch), object_weight=0.0)
        recipe = Recipe(model=config, start=str(base), dit=dit, seed=settings.seed, minutes_per_sample=5.0)
        prompts = _prompts(latents.captions)
        strip = SampleStrip(run / "samples", prompts, config, vae, encoder, NATIVE_BUCKETS[0]) if prompts else None
        empty, draws = encoder([""]).states[0].cpu(), (dit.draw, replace(dit.draw, caption_dropout=0.0, late_share=0.0))
        train, held = (
            LatentDataset(shards, empty, draw, settings.seed)
            for shards, draw in zip((latents.train, latents.held_out), draws, strict=True)
        )
        trainer = FineTuner(recipe, run, train, Workers(device=device), strip, settings, held)
        _write_lines(run / LINEAGE, [lineage])
        trainer.run()
        return _bundle(trainer, base, dataset, latents, out)


@dataclass
class FineTuner(DiTTrainer):
    """The transformer's training, with what is held out as its judge."""

    settings: FineTuning = FineTuning()
    held_out: LatentDataset | None = None

    def adapt(self) -> None:
        if self.settings.lora_rank:
            add_low_rank(self.model, self.settings.lora_rank)

    def run(self) -> Path:
        """Trains until nothing more is learnt, and returns the path of the weights that were best on what is held out.

        The loss before is that of the model it starts from. A run that has ended trains no further.
        """
        checks = read_checks(self.folder)
        if not checks:
            _write_lines(self.folder / CHECKS, [self.check(0, {})])
        if not self._is_over(checks):
            super().run()
        return self.folder / BEST

    def ends(self, step: int) -> bool:
        """Takes the held-out loss where it is due; notes it, keeps the best weights, and says whether to stop."""
        if step % self.settings.steps_per_check and step != self.schedule.steps:
            return False
        checks = [line for line in read_checks(self.folder) if line["step"] < step]
        checks.append(self.check(step, self.state.average.weights))
        best, share = _best(checks), score(checks[-1], checks[0])
        print(f"held out {step}/{self.schedule.steps}  {share:.4f} of the loss before; best at {checks[best]['step']}")
        if best == len(checks) - 1:
            save_tensors(self.folder / BEST, self._average(), {"step": step})
        _write_lines(self.folder / CHECKS, checks)
        return self._is_over(checks)

    def check(self, step: int, weights: Mapping[str, Tensor]) -> Check:
        """The held-out loss after ``step`` steps, with ``weights`` or with those that the model has."""
        assert self.held_out, "nothing is held out"
        found = self.held_out_losses(self.held_out, weights)
        levels = [torch.full_like(losses, level) for level, losses in found]
        return {"step": step, **loss_by_level(torch.cat([losses for _, losses in found]), torch.cat(levels))}

    def _is_over(self, checks: Sequence[Check]) -> bool:
        return len(checks) > 1 and len(checks) - 1 - _best(checks) >= self.settings.patience

    def _average(self) -> dict[str, Tensor]:
        return merged(super()._average())


def score(check: Check, first: Check) -> float:
    """Held-out loss as a share of what it was at first, each noise level counting the same."""
    shares = [check[name] / first[name] for name in first if name != "step"]
    return sum(shares) / len(shares)


def _best(checks: Sequence[Check]) -> int:
    """Which of the checks was best, the first aside: of that model nothing has been changed yet."""
    scores = [score(line, checks[0]) for line in checks[1:]]
    return 1 + scores.index(min(scores))


def read_checks(run: Path) -> list[Check]:
    """The held-out losses of a run so far."""
    path = run / CHECKS
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _lineage(base: Path, dataset: Path, rank: int) -> dict[str, Any]:
    data = read_card(dataset)
    told = {"name": data["name"], "card_sha256": file_sha256(dataset / CARD), "licences": data["licences"]}
    return descent(base, f"low-rank additions of {rank}" if rank else "all weights", dataset=told)


def _write_lines(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    with new_file(path) as temporary:
        temporary.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _check_same(out: Path, begun: Path, lineage: dict[str, Any]) -> None:
    """Raises ValueError if ``out`` is another model, or has begun to become one."""
    known = json.loads(begun.read_text()) if begun.exists() else lineage
    if (out / CONFIG_FILE).exists():
        known = load_card(out).facts.get("lineage")
    if known != lineage:
        another = " and ".join(key for key in lineage if not known or known.get(key) != lineage[key])
        raise ValueError(f"out is {out}; its model has another {another}: take another folder, such as {out}-2")


def _prompts(captions: Sequence[str]) -> tuple[str, ...]:
    """The last few captions, for samples: a caption may be empty or of any length, a request may not."""
    return tuple(caption[:MAX_PROMPT_CHARACTERS] for caption in captions if caption.strip())[-SAMPLE_PROMPTS:]


def _bundle(trainer: FineTuner, base: Path, dataset: Path, latents: FootageLatents, out: Path) -> Path:
    """Writes the new model. Its lineage is in the header of its weights too, which signed clips name by their hash."""
    weights, metadata = load_tensors(trainer.folder / BEST)
    card, data, lineage = load_card(base), read_card(dataset), json.loads((trainer.folder / LINEAGE).read_text())
    save_tensors(out / DIT_FILE, halved(weights), {"lineage": lineage})
    shutil.copyfile(base / VAE_FILE, out / VAE_FILE)
    checks = read_checks(trainer.folder)
    best = next(line for line in checks if line["step"] == metadata["step"])
    facts = {"steps": metadata["step"], "held_out": round(score(best, checks[0]), 4), "lineage": lineage}
    summary = f"{card.summary} Fine-tuned on {data['name']}, {data['shots_accepted']} shots.".strip()
    write_bundle(out, trainer.recipe.model, facts, summary, card.licence, latents.captions)
    return out
