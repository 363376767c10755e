"""How soon a network learns: equal processor minutes on the same clips, held-out loss on the way, WorldBench last.

PYTHONPATH=FOLDER python bench/baselines.py LATENTS [--minutes N] [--prompts N] [-o FOLDER]
    FOLDER: pip install --target FOLDER --no-deps make-a-video-pytorch==0.4.0 classifier-free-guidance-pytorch

Ours; the same transformer trained plainly, with one uniform noise level a clip and no weight on objects; and the
network of make-a-video-pytorch (Singer et al. 2022, arXiv 2209.14792), which reads no text, so that the mean of the
token states is given to it as channels of its input. LATENTS is a folder of shards as `sorairo train` makes them; a
tenth is held out. Without the package its row is left out, and that is said.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from scaling_study import Study, held_out_loss, parted, score
from torch import Tensor, nn

from sorairo.config import DiTConfig
from sorairo.data.latent_dataset import LatentDataset
from sorairo.diffusion.flow import NoiseMap
from sorairo.evals.report import markdown
from sorairo.models.dit import Text
from sorairo.pipelines.bundle import load_bundle
from sorairo.shapes import LatentShape
from sorairo.training.dit_loop import DiTTrainer
from sorairo.training.optimizers import Optimizers
from sorairo.training.parallel import Workers
from sorairo.training.recipe import DiTTraining, Recipe, Schedule

NUM_LOOKS = 8
DEPTH, TEXT_CHANNELS = 4, 32


class MakeAVideo(nn.Module):
    """Their network behind the interface of ours: one noise level a clip, the text as channels."""

    def __init__(self, channels: int, text_width: int) -> None:
        super().__init__()
        from make_a_video_pytorch import SpaceTimeUnet

        self.blocks = nn.ModuleList()  # of ours; none to be sharded
        self.head = nn.Linear(text_width, TEXT_CHANNELS)
        self.unet = SpaceTimeUnet(  # six rows halve once, nine frames not at all
            dim=48, channels=channels + TEXT_CHANNELS, dim_mult=(2,), self_attns=(True,),
            temporal_compression=(False,), resnet_block_depths=(2,),
        )  # fmt: skip

    def text_memory(self, states: Tensor, mask: Tensor) -> Text:
        return Text(states, mask)

    def forward(self, latents: Tensor, noise_map: NoiseMap, text: Text, frame_offset: int = 0) -> Tensor:
        read = text.mask.flatten(1, -2).any(1)[..., None].float()
        told = self.head((text.states * read).sum(1) / read.sum(1).clamp(min=1))
        told = told[:, :, None, None, None].expand(-1, -1, *latents.shape[2:])
        made = self.unet(torch.cat([latents, told], dim=1), timestep=1000 * noise_map.amax(dim=(1, 2, 3)))
        velocity: Tensor = made[:, : latents.shape[1]]
        return velocity


@dataclass
class Timed(DiTTrainer):
    """The transformer's training, for so many seconds of processor time; what is measured meanwhile does not count."""

    held_out: LatentDataset | None = None
    seconds: float = 60.0
    curve: list[tuple[float, float]] = field(default_factory=list)
    num_steps: int = 0

    def run(self) -> Path:
        self.began, self.measuring = time.process_time(), 0.0
        return super().run()

    def ends(self, step: int) -> bool:
        spent, self.num_steps = time.process_time() - self.began - self.measuring, step
        if spent >= (len(self.curve) + 1) * self.seconds / NUM_LOOKS:
            started = time.process_time()
            self.curve.append((spent, held_out_loss(self, self.held_out, self._average())))
            self.measuring += time.process_time() - started
        return spent >= self.seconds


class Plain(Timed):
    """As a diffusion transformer is trained plainly: one uniform noise level a clip."""

    def draw_map(self, generator: torch.Generator, number: int, shape: LatentShape) -> NoiseMap:
        levels = torch.rand((number, 1, 1, 1), generator=generator)
        return levels.expand(-1, shape.num_frames, shape.height, shape.width).contiguous()


class Foreign(Plain):
    """Another network than ours, trained plainly, all of it by AdamW."""

    def adapt(self) -> None:
        config = self.recipe.model.dit
        self.model = MakeAVideo(config.latent_channels, config.text_width)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.state = replace(self.state, optimizers=Optimizers(self.model, self.schedule, heads=("",)))


def train(kind: type[Timed], name: str, study: Study, seconds: float) -> Timed:
    rates = Schedule(steps=10**6, decay_steps=1, ema_decay=0.98)
    weight = DiTTraining().object_weight if kind is Timed else 0.0
    dit = DiTConfig(DEPTH, latent_channels=study.bundle.config.dit.latent_channels)
    config = replace(study.bundle.config, name="baseline", dit=dit)
    recipe = Recipe(model=config, dit=DiTTraining(schedule=rates, object_weight=weight), minutes_per_checkpoint=1e6)
    (study.folder / name).mkdir(parents=True, exist_ok=True)
    trained = kind(recipe, study.folder / name, study.data[0], Workers(), held_out=study.data[1], seconds=seconds)
    trained.run()
    trained.model.load_state_dict(trained._average())
    trained.model.eval().requires_grad_(False)
    return trained


def reached(curve: list[tuple[float, float]], loss: float) -> str:
    """When a curve first came down to a loss."""
    return next((f"{seconds:.0f}" for seconds, found in curve if found <= loss), "never")


def compare(kinds: dict[str, type[Timed]], study: Study, seconds: float) -> str:
    """The table as Markdown."""
    trained = {name: train(kind, name.replace(" ", "-"), study, seconds) for name, kind in kinds.items()}
    goal = trained["plain"].curve[-1][1]
    head = ("network", "weights", "steps", "held-out loss", f"seconds to {goal:.3f}", "statements that hold", "95 %")
    rows: list[tuple[object, ...]] = [head]
    for name, one in trained.items():
        bundle = replace(study.bundle, dit=one.model, config=one.recipe.model)
        share, low, high = score(bundle, study)
        weights = f"{sum(p.numel() for p in one.model.parameters()) / 1e6:.1f} M"
        when, span = reached(one.curve, goal), f"{low:.2f} to {high:.2f}"
        rows.append((name, weights, one.num_steps, f"{one.curve[-1][1]:.3f}", when, f"{share:.2f}", span))
    return markdown(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("latents", type=Path, help="folder of shards")
    parser.add_argument("--minutes", type=float, default=10.0, help="for each network")
    parser.add_argument("--prompts", type=int, default=36)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/baselines"))
    given = parser.parse_args()
    bundle, shards = load_bundle("sorairo-base"), sorted(given.latents.glob("*.safetensors"))
    kinds: dict[str, type[Timed]] = {"ours": Timed, "plain": Plain}
    try:
        import make_a_video_pytorch  # noqa: F401

        kinds["make-a-video-pytorch"] = Foreign
    except ImportError as error:
        print(f"make-a-video-pytorch is left out: {error}", file=sys.stderr)
    study = Study(given.output, bundle, parted(shards, bundle), 0, given.prompts)
    print(compare(kinds, study, 60 * given.minutes))


if __name__ == "__main__":
    main()
