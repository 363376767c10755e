"""A recipe: what to train, on what, for how long. Data only, read from TOML, unknown keys are errors."""

from __future__ import annotations

from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path

from sorairo.config import ModelConfig, load_toml
from sorairo.data.latent_dataset import DrawConfig
from sorairo.data.world_frames import WorldDataConfig
from sorairo.diffusion.training_maps import MapMixture
from sorairo.pipelines.request import VideoRequest
from sorairo.shapes import VideoShape

LEAST = {
    "workers": 1, "seed": 0, "model.num_inference_steps": 1, "model.dit.patch": 1, "data.first_seed": 0,
    "video_vae.num_clips": 1, "video_vae.batch_size": 1, "video_vae.schedule.steps": 1, "dit.schedule.steps": 1,
    "dit.draw.tokens_per_batch": 1,
}  # fmt: skip
OWN_NAMES = ("", "..", "frames", "latents", "vae", "dit", "samples", "tensorboard")  # of folders of a training


@dataclass(frozen=True)
class Schedule:
    """Learning rates over ``steps``: warm-up, then constant, then linear to zero over the last ``decay_steps``.

    Muon's rate is for matrices, AdamW's for everything else. ``steps`` may be changed between runs of one training:
    the constant part simply ends sooner or later (Hu et al. 2024, MiniCPM, section 4).
    """

    steps: int
    decay_steps: int
    warmup_steps: int = 50
    muon_learning_rate: float = 0.01
    adamw_learning_rate: float = 1e-3
    weight_decay: float = 0.0
    ema_decay: float = 0.999

    def factor(self, step: int) -> float:
        """Share of the full rate at ``step``, which counts from 0."""
        warmup = (step + 1) / max(1, self.warmup_steps)
        decay = (self.steps - step) / max(1, self.decay_steps)
        return max(0.0, min(1.0, warmup, decay))


@dataclass(frozen=True)
class VAETraining:
    """Crops of ``crop_frames`` x ``crop_side`` x ``crop_side``; weights of the losses beside the absolute error.

    ``frozen_encoder``: only the decoder learns, so latents and the transformer trained on them stay valid.
    """

    schedule: Schedule = field(default_factory=lambda: Schedule(steps=6000, decay_steps=4000))
    num_clips: int = 1500
    batch_size: int = 6
    crop_frames: int = 17
    crop_side: int = 64
    footage_share: float = 0.1
    gradient_weight: float = 0.5
    square_weight: float = 0.5
    structure_weight: float = 0.0
    kl_weight: float = 2e-4
    coarse_share: float = 0.2
    frozen_encoder: bool = False


@dataclass(frozen=True)
class DiTTraining:
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
    level_shift: float = 1.0
    object_weight: float = 4.0
    side_weight: float = 0.0
    teacher_steps: int = 4
    compile: bool = False


@dataclass(frozen=True)
class Recipe:
    """One training from nothing to a model bundle.

    ``footage`` names a folder of real videos and pictures for the autoencoder, if any; ``start`` a model (its name or
    folder) whose weights to start from; ``workers`` processes render; ``bfloat16`` is used where it is fast.

    Raises:
        ValueError: parts that do not fit each other; the message names both.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    data: WorldDataConfig = field(default_factory=WorldDataConfig)
    footage: str = ""
    start: str = ""
    workers: int = 2
    seed: int = 0
    bfloat16: bool = True
    video_vae: VAETraining = field(default_factory=VAETraining)
    dit: DiTTraining = field(default_factory=DiTTraining)
    minutes_per_checkpoint: float = 3.0
    minutes_per_sample: float = 10.0
    seconds_per_line: float = 15.0
    sample_prompts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for number, least in LEAST.items():
            if (found := attrgetter(number)(self)) < least:
                raise ValueError(f"{number} is {found}; the nearest possible is {least}")
        if (name := self.model.name) != Path(name).name or name in OWN_NAMES:
            raise ValueError(f"model.name is {name!r}; it names a new folder inside the training's")
        for prompt in self.sample_prompts:
            VideoRequest(prompt)
        made, used = self.model.video_vae.latent_channels, self.model.dit.latent_channels
        if made != used:
            raise ValueError(f"model.dit.latent_channels is {used}; the autoencoder's latent_channels is {made}")
        if self.video_vae.frozen_encoder and not self.start:
            raise ValueError("video_vae.frozen_encoder is true without a start; name the model whose encoder is kept")
        if self.model.distilled and not self.start:
            raise ValueError("model.distilled is true without a start; name the model that is distilled")
        frames, side = self.video_vae.crop_frames, self.video_vae.crop_side
        VideoShape(frames, side, side)
        if frames > self.data.num_frames:
            raise ValueError(f"video_vae.crop_frames is {frames}; the longest possible is {self.data.num_frames}")
        shapes = [self.data.shape(index) for index in range(len(self.data.sizes))]
        largest = min(min(shape.height, shape.width) for shape in shapes)
        if side > largest:
            raise ValueError(f"video_vae.crop_side is {side}; the largest that fits every clip is {largest}")


def read_recipe(path: Path) -> Recipe:
    """Reads a recipe; a ValueError names the file, the key and the nearest known key."""
    return load_toml(Recipe, path)
