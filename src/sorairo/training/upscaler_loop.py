"""Trains the upscaler: `python -m sorairo.training.upscaler_loop recipes/upscaler.toml FOLDER`.

Goes on where it stopped. Never touches the models that make video.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from sorairo.config import Count, Weight
from sorairo.data.upscaler_pairs import NUM_LARGE, Crops, PairCrops, PairsConfig, write_pairs
from sorairo.models.precision import autocast
from sorairo.models.upscaler import Upscaler, UpscalerConfig, bicubic
from sorairo.pipelines.bundle import default_device, load_bundle, write_part
from sorairo.pipelines.finishing import SETTINGS_FILE, UPSCALER, WEIGHTS_FILE
from sorairo.training.journal import Noted, print_progress, require_tensorboard
from sorairo.training.optimizers import Optimizers
from sorairo.training.parallel import CPU, Workers
from sorairo.training.recipe import RunConfig, Schedule, run_recipe
from sorairo.training.state import TrainingState
from sorairo.training.vae_loop import gradient_error

SOFTNESS = 0.01  # of the absolute error near zero: about one grey level, in units of [-1, 1]
STEPS_PER_GAIN = 10  # the decibels gained over bicubic interpolation, which cost some time, are told this seldom


@dataclass(frozen=True)
class UpscalerRecipe(RunConfig):
    """One training from nothing to an upscaler; weights of losses stand beside the absolute error.

    ``autoencoder``: the model whose autoencoder the small frames go through.
    """

    schedule: Schedule = field(default_factory=lambda: Schedule(steps=3000, decay_steps=1500))
    model: UpscalerConfig = field(default_factory=UpscalerConfig)
    pairs: PairsConfig = field(default_factory=PairsConfig)
    autoencoder: str = "sorairo-base"
    batch_size: Count = 4
    crop_side: Count = 24
    gradient_weight: Weight = 0.5
    motion_weight: Weight = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.crop_side > (largest := self.pairs.shortest_side):
            raise ValueError(f"crop_side is {self.crop_side}; the largest that fits every clip is {largest}")


def train_upscaler(recipe: UpscalerRecipe, folder: Path) -> Path:
    """Makes the pairs, trains, and returns the folder of the upscaler. Safe to kill and to repeat.

    Raises:
        ValueError: the folder holds another training. OSError: the disk is full. DivergedError: the loss is not finite.
    """
    require_tensorboard()
    torch.set_flush_denormal(True)
    vae = load_bundle(recipe.autoencoder, CPU).video_vae
    pairs = write_pairs(recipe.pairs, folder / "pairs", vae, print_progress)
    crops = PairCrops(pairs, recipe.pairs.clean_share, recipe.batch_size, recipe.crop_side, recipe.seed)
    return UpscalerTrainer(recipe, folder, crops).run()


class UpscalerTrainer:
    """Everything one training of an upscaler holds. One process does it."""

    def __init__(self, recipe: UpscalerRecipe, folder: Path, crops: PairCrops) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.folder, self.crops, self.device = recipe, folder, crops, default_device()
        self.model = Upscaler(recipe.model).to(self.device)
        optimizers = Optimizers(self.model, recipe.schedule, ("heads",), recipe.bfloat16)
        self.state = TrainingState.begun(folder / "upscaler", self.model, optimizers, Workers(device=self.device))

    def run(self) -> Path:
        """Trains up to the recipe's last step and returns the folder of the averaged weights, for `load_upscaler`."""
        recipe, files = self.recipe, (SETTINGS_FILE, WEIGHTS_FILE)
        self.state.run(self.crops.draw, self._step, recipe)
        told = replace(recipe, autoencoder=Path(recipe.autoencoder).name)  # where it lay is nobody's business
        return write_part(self.folder / UPSCALER, files, self.model.state_dict(), told, asdict(self.model.config))

    def _step(self, step: int, crops: Crops) -> Noted:
        small, large = crops.small.to(self.device), crops.large.to(self.device)
        with autocast(self.device, self.recipe.bfloat16):
            made = self.model(small, crops.scale, num_last=NUM_LARGE).float()
        loss = upscaling_loss(made, large, self.recipe.gradient_weight, self.recipe.motion_weight)
        loss.backward()  # type: ignore[no-untyped-call]
        for parameter in self.model.parameters():
            # The other scale's head took no part; without gradients it would have no state to save and restore.
            parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        self.state.update(step)
        numbers = {"loss": loss.detach()}
        if step % STEPS_PER_GAIN == 0:
            plain = bicubic(small[:, :, -NUM_LARGE:], crops.scale) - large
            numbers["gain"] = 10 * torch.log10(plain.square().mean() / (made.detach() - large).square().mean())
        return Noted(len(small), numbers)


def upscaling_loss(made: Tensor, large: Tensor, gradient_weight: float, motion_weight: float) -> Tensor:
    """Absolute error of videos [b 3 t h w], rounded near zero (Charbonnier et al. 1994), that of differences between
    neighbours, which keeps edges sharp, and that of differences in time, which keeps them steady."""
    error = made - large
    absolute = (error.square() + SOFTNESS**2).sqrt().mean() - SOFTNESS
    return absolute + gradient_weight * gradient_error(made, large) + motion_weight * error.diff(dim=2).abs().mean()


if __name__ == "__main__":
    run_recipe(UpscalerRecipe, train_upscaler)
