"""Trains the captioner on world clips: python -m sorairo.training.captioner_loop recipes/captioner.toml FOLDER

One model learns to write about clips and to tell a short prompt in full: both are a text after a style's mark. The
loss is the cross-entropy of the next word; and of the colour and the shape that is seen at each latent, since words
alone are slow teachers of looking.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from sorairo.config import Count, Weight
from sorairo.data.latent_shards import write_shards
from sorairo.data.world_frames import WorldDataConfig, write_frames
from sorairo.media import new_file
from sorairo.models.captioner import MAX_FRAMES, Captioner, CaptionerConfig
from sorairo.models.precision import autocast
from sorairo.models.text_encoder import TextEncoder
from sorairo.models.vocabulary import PAD, Vocabulary
from sorairo.pipelines.bundle import default_device, load_bundle, write_part
from sorairo.pipelines.captions import CAPTIONER, SETTINGS_FILE, WEIGHTS_FILE
from sorairo.shapes import LatentShape
from sorairo.training.captioner_data import COLOR_NAMES, CaptionBatch, CaptionDataset, write_lessons
from sorairo.training.journal import Noted, print_progress, require_tensorboard
from sorairo.training.optimizers import Optimizers
from sorairo.training.parallel import CPU, Workers
from sorairo.training.recipe import RunConfig, Schedule, run_recipe
from sorairo.training.state import TrainingState
from sorairo.world import SHAPES


@dataclass(frozen=True)
class CaptionerRecipe(RunConfig):
    """One training from nothing to a captioner. ``autoencoder``: the model whose latents it reads.

    A batch is ``batch_size`` clips with two texts each, and ``num_prompts`` prompts. ``latent_noise``: what is added to
    latents, in their own unit, so that it does not learn the clips by heart.
    """

    schedule: Schedule = field(default_factory=lambda: Schedule(steps=3000, decay_steps=1200))
    model: CaptionerConfig = field(default_factory=CaptionerConfig)
    data: WorldDataConfig = field(default_factory=lambda: WorldDataConfig(num_clips=3000))
    autoencoder: str = "sorairo-base"
    batch_size: Count = 24
    num_prompts: Count = 12
    latent_noise: Weight = 0.2
    workers: Count = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        looks, longest = (len(COLOR_NAMES) + 1, len(SHAPES) + 1), LatentShape(MAX_FRAMES, 1, 1).num_video_frames
        if self.model.num_looks != looks:
            raise ValueError(f"model.num_looks is {self.model.num_looks}; the world has {looks}")
        if self.data.num_frames > longest:
            raise ValueError(f"data.num_frames is {self.data.num_frames}; the longest possible is {longest}")


def train_captioner(recipe: CaptionerRecipe, folder: Path, latents: Path | None = None) -> Path:
    """Makes the latents and the texts, trains, and returns the folder of the captioner. Safe to kill and to repeat.

    latents: a folder of shards to learn from as they are, instead of making them.

    Raises:
        ValueError: the folder holds another training, or ``latents`` nothing. OSError: the disk is full.
        DivergedError: the loss is not finite.
    """
    require_tensorboard()
    torch.set_flush_denormal(True)
    encoder = TextEncoder()
    shards = sorted(latents.glob("*.safetensors")) if latents else _shards(recipe, folder, encoder)
    write_lessons(recipe.data, folder / "lessons", shards, print_progress)
    data = CaptionDataset(shards, folder / "lessons", (recipe.batch_size, recipe.num_prompts), recipe.seed)
    return CaptionerTrainer(recipe, folder, data, encoder).run()


def _shards(recipe: CaptionerRecipe, folder: Path, encoder: TextEncoder) -> list[Path]:
    vae = load_bundle(recipe.autoencoder, CPU).video_vae
    if recipe.model.latent_channels != (made := vae.config.latent_channels):
        told = f"model.latent_channels is {recipe.model.latent_channels}"
        raise ValueError(f"{told}; the autoencoder {recipe.autoencoder!r} makes {made}")
    write_frames(recipe.data, folder / "frames", recipe.workers, print_progress)
    return write_shards(
        recipe.data, folder / "frames", folder / "latents", vae, encoder, print_progress, recipe.workers
    )


class CaptionerTrainer:
    """Everything one training of a captioner holds. One process does it."""

    def __init__(self, recipe: CaptionerRecipe, folder: Path, data: CaptionDataset, encoder: TextEncoder) -> None:
        torch.manual_seed(recipe.seed)
        folder.mkdir(parents=True, exist_ok=True)
        self.recipe, self.folder, self.data, self.device = recipe, folder, data, default_device()
        self.encoder = encoder.to(self.device)
        self.vocabulary = _kept_vocabulary(folder / "words.json", data)
        self.model = Captioner(recipe.model, len(self.vocabulary)).to(self.device)
        optimizers = Optimizers(self.model, recipe.schedule, ("words", "times", "next_word", "looks"), recipe.bfloat16)
        self.state = TrainingState.begun(folder / "captioner", self.model, optimizers, Workers(device=self.device))

    def run(self) -> Path:
        """Trains up to the recipe's last step and returns the folder of the averaged weights, for `load_captioner`."""
        self.state.run(partial(self.data.draw, self.vocabulary), self._step, self.recipe)
        files, weights = (SETTINGS_FILE, WEIGHTS_FILE), self.model.state_dict()
        settings = {"model": asdict(self.model.config), "words": " ".join(self.vocabulary.words)}
        return write_part(self.folder / CAPTIONER, files, weights, self.recipe, settings)

    def _step(self, step: int, batch: CaptionBatch) -> Noted:
        generator = torch.Generator().manual_seed(self.recipe.seed * 1_000_003 + step)
        noise = torch.randn(batch.latents.shape, generator=generator) * self.recipe.latent_noise
        states = self.encoder(batch.prompts)
        with autocast(self.device, self.recipe.bfloat16):
            near = self.model.look_near((batch.latents + noise).to(self.device))
            looks = look_loss(self.model.name_looks(near), batch.looks.to(self.device))
            watched = self.model.look(near).repeated(2)
            about = next_word_loss(self.model(batch.words[:, :-1].to(self.device), watched), batch.words)
            read = self.model.read(*states)
            told = next_word_loss(self.model(batch.expanded[:, :-1].to(self.device), read), batch.expanded)
        loss = about.mean() + told.mean() * self.recipe.num_prompts / self.recipe.batch_size + looks
        loss.backward()  # type: ignore[no-untyped-call]
        self.state.update(step)
        numbers = {
            "structured": about[::2].mean(),
            "english": about[1::2].mean(),
            "expanded": told.mean(),
            "looks": looks,
        }
        return Noted(len(batch.latents), {name: value.detach() for name, value in numbers.items()})


def look_loss(named: tuple[Tensor, Tensor], looks: Tensor) -> Tensor:
    """Cross-entropy of colours and shapes at each latent, logits [b t h w n] for looks [b two t h w].

    Nothing is seen at most of them: these count together as much as all the others.
    """
    weight = torch.where(looks[:, 0] > 0, 1.0, 0.0)
    weight = weight / weight.sum().clamp(min=1) + (1 - weight) / (1 - weight).sum().clamp(min=1)
    losses = [
        F.cross_entropy(logits.float().movedim(-1, 1), looks[:, index], reduction="none")
        for index, logits in enumerate(named)
    ]
    return (sum(losses) * weight).sum() / 2


def next_word_loss(logits: Tensor, words: Tensor) -> Tensor:
    """Cross-entropy [b] in nats a word of logits [b k-1 num_words] for words [b k], padding left out."""
    following = words[:, 1:].to(logits.device)
    loss = F.cross_entropy(logits.float().transpose(1, 2), following, ignore_index=PAD, reduction="none")
    return loss.sum(1) / (following != PAD).sum(1)


def _kept_vocabulary(path: Path, data: CaptionDataset) -> Vocabulary:
    """The words of a training that goes on, or else those of its data: a number must keep its word."""
    if not path.exists():
        with new_file(path) as temporary:
            temporary.write_text(json.dumps(data.vocabulary().words))
    return Vocabulary(json.loads(path.read_text()))


if __name__ == "__main__":
    run_recipe(CaptionerRecipe, train_captioner, latents="shards to learn from as they are")
