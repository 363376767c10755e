"""A recipe: what to train, on what, for how long. Data only, read from TOML, unknown keys are errors."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sorairo.config import Checked, Count, Duration, ModelConfig, Natural, Positive, Seed, Share, Weight, load_toml
from sorairo.data.latent_dataset import DrawConfig
from sorairo.data.world_frames import WorldDataConfig
from sorairo.diffusion.training_maps import MapMixture
from sorairo.media import claimed
from sorairo.pipelines.request import VideoRequest
from sorairo.shapes import VideoShape
from sorairo.training.journal import DivergedError

OWN_NAMES = ("", "..", "frames", "latents", "vae", "dit", "samples", "tensorboard")  # of folders of a training
OWN_SUFFIXES = (".jsonl", ".safetensors")


@dataclass(frozen=True)
class Schedule(Checked):
    """Learning rates over ``steps``: warm-up, then constant, then linear to zero over the last ``decay_steps``.

    Muon's rate is for matrices, AdamW's for everything else. ``steps`` may be changed between runs of one training:
    the constant part simply ends sooner or later (Hu et al. 2024, MiniCPM, section 4).
    """

    steps: Count
    decay_steps: Natural
    warmup_steps: Natural = 50
    muon_learning_rate: Positive = 0.01
    adamw_learning_rate: Positive = 1e-3
    weight_decay: Weight = 0.0
    ema_decay: Share = 0.999

    def factor(self, step: int) -> float:
        """Share of the full rate at ``step``, which counts from 0."""
        warmup = (step + 1) / max(1, self.warmup_steps)
        decay = (self.steps - step) / max(1, self.decay_steps)
        return max(0.0, min(1.0, warmup, decay))


@dataclass(frozen=True)
class VAETraining(Checked):
    """Crops of ``crop_frames`` x ``crop_side`` x ``crop_side``; weights of the losses beside the absolute error.

    ``frozen_encoder``: only the decoder learns, so latents and the transformer trained on them stay valid.
    """

    schedule: Schedule = field(default_factory=lambda: Schedule(steps=6000, decay_steps=4000))
    num_clips: Count = 1500
    batch_size: Count = 6
    crop_frames: Count = 17
    crop_side: Count = 64
    footage_share: Share = 0.1
    gradient_weight: Weight = 0.5
    square_weight: Weight = 0.5
    structure_weight: Weight = 0.0
    kl_weight: Weight = 2e-4
    coarse_share: Share = 0.2
    frozen_encoder: bool = False


@dataclass(frozen=True)
class DiTTraining(Checked):
    """``object_weight``: how much more than empty ground a place counts that an object fills.

    ``maps``: which noise maps are drawn how often. ``level_shift``: how many times further than the levels of sampling
    theirs are shifted towards noise: what moves, where and how often is settled in the first steps of sampling, above
    a level of 0.95, which few draws reach without it.
    ``side_weight``: what a velocity costs that is hardly more wrong for the text with left and right swapped. Without
    it the two are hardly told apart: noise tells more of which way a thing goes than a text does.
    ``teacher_steps``: in how many steps the teacher of a distilled model goes through a phase.
    ``compile``: let torch.compile fuse the blocks; worth its minute of waiting unless a training is short.
    """

    schedule: Schedule = field(default_factory=lambda: Schedule(steps=20000, decay_steps=4000))
    draw: DrawConfig = field(default_factory=DrawConfig)
    maps: MapMixture = field(default_factory=MapMixture)
    level_shift: Positive = 1.0
    object_weight: Weight = 4.0
    side_weight: Weight = 0.0
    teacher_steps: Count = 4
    compile: bool = False


@dataclass(frozen=True, kw_only=True)
class RunConfig(Checked):
    """What every training has; ``bfloat16`` is used where it is fast."""

    seed: Seed = 0
    bfloat16: bool = True
    minutes_per_checkpoint: Duration = 3.0
    seconds_per_line: Duration = 15.0


@dataclass(frozen=True)
class Recipe(RunConfig):
    """One training from nothing to a model bundle.

    ``footage`` names a folder of real videos and pictures for the autoencoder, if any; ``start`` a model (its name or
    folder) whose weights to start from; ``workers`` processes render.

    Raises:
        ValueError: parts that do not fit each other; the message names both.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    data: WorldDataConfig = field(default_factory=WorldDataConfig)
    footage: str = ""
    start: str = ""
    workers: Count = 2
    video_vae: VAETraining = field(default_factory=VAETraining)
    dit: DiTTraining = field(default_factory=DiTTraining)
    minutes_per_sample: Duration = 10.0
    sample_prompts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        name, told = self.model.name, Path(self.model.name)
        if name != told.name or name in OWN_NAMES or told.suffix in OWN_SUFFIXES or not name.isprintable():
            raise ValueError(f"model.name is {name!r}; it names a new folder inside the training's")
        first = self.data.shape(self.data.first_seed)
        for prompt in self.sample_prompts:
            VideoRequest(prompt, "", first.width, first.height, first.seconds)
        if (used := self.model.dit.latent_channels) != (made := self.model.video_vae.latent_channels):
            raise ValueError(f"model.dit.latent_channels is {used}; the autoencoder's latent_channels is {made}")
        if self.video_vae.frozen_encoder and not self.start:
            raise ValueError("video_vae.frozen_encoder is true without a start; name the model whose encoder is kept")
        if self.model.distilled and not self.start:
            raise ValueError("model.distilled is true without a start; name the model that is distilled")
        frames, side = self.video_vae.crop_frames, self.video_vae.crop_side
        VideoShape(frames, side, side)
        if self.video_vae.coarse_share and side % 32:
            raise ValueError(f"video_vae.crop_side is {side}; with a coarse_share it must be a multiple of 32")
        if self.video_vae.structure_weight and frames < 5:
            raise ValueError(f"video_vae.crop_frames is {frames}; with a structure_weight the nearest possible is 5")
        if self.data.num_frames == 1 and not self.dit.draw.picture_share:
            raise ValueError("dit.draw.picture_share is 0, but data.num_frames 1: there are pictures only")
        if frames > self.data.num_frames:
            raise ValueError(f"video_vae.crop_frames is {frames}; the longest possible is {self.data.num_frames}")
        if side > (largest := self.data.shortest_side):
            raise ValueError(f"video_vae.crop_side is {side}; the largest that fits every clip is {largest}")


def run_recipe(
    kind: type[Any], train: Callable[..., Path], arguments: Sequence[str] | None = None, **options: str
) -> None:
    """The command line of a training of a part: RECIPE FOLDER, and ``options``, each a path; mistakes are one line."""
    parser = argparse.ArgumentParser(description=train.__doc__)
    for name, told in {"recipe": "TOML file", "folder": "folder of the run"}.items():
        parser.add_argument(name, type=Path, help=told)
    for name, told in options.items():
        parser.add_argument(f"--{name}", type=Path, help=told)
    given = vars(parser.parse_args(arguments))
    try:
        recipe, folder = load_toml(kind, given.pop("recipe")), given.pop("folder")
        with claimed(folder):
            print(train(recipe, folder, **given))
    except (ValueError, OSError, DivergedError) as error:
        parser.exit(2 if isinstance(error, ValueError) else 1, f"error: {error}\n")
