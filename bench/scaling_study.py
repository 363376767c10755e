"""What more compute buys: sizes x budgets of the transformer, held-out loss and WorldBench, and the law they follow.

python bench/scaling_study.py [--latents FOLDER] [--depths 2 4 6 8] [--steps N] [--clips N] [--prompts N] [-o FOLDER]

FOLDER of latents: shards as `sorairo train` makes them; without, as many clips as asked for are made first. A tenth of
the shards is held out. Every size trains on the same batches; at each doubling of the budget its moving average is
measured on the held-out clips at five noise levels. The law is L = a + b C^-c over the best loss at each compute C
(Kaplan et al. 2020, arXiv 2001.08361, Hoffmann et al. 2022, arXiv 2203.15556). A size that is done
is not trained again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from expansion import measure
from torch import Tensor

from sorairo.checkpoint import load_into, load_tensors, save_tensors
from sorairo.config import DiTConfig
from sorairo.data.latent_dataset import DrawConfig, LatentDataset
from sorairo.data.latent_shards import write_shards
from sorairo.data.world_frames import WorldDataConfig, write_frames
from sorairo.evals.evaluation import requests_of
from sorairo.evals.prompts import held_out_cases
from sorairo.evals.scoring import pooled
from sorairo.evals.statements import FACTS
from sorairo.media import new_file, write_png
from sorairo.models.dit import DiT
from sorairo.pipelines.bundle import ModelBundle, load_bundle
from sorairo.pipelines.request import VideoRequest
from sorairo.statistics import share_and_interval
from sorairo.training.dit_loop import DiTTrainer
from sorairo.training.journal import print_progress
from sorairo.training.parallel import Workers
from sorairo.training.recipe import DiTTraining, Recipe, Schedule
from sorairo.training.samples import SampleStrip

NUM_BUDGETS, COUNTED = 5, 20
MULTIPLES = (1, 4, 32)
PROMPTS = (
    "a red ball rolls to the right on green grass in daylight",
    "a big blue cube and a green cone on snow in daylight",
    "an orange ball falls from above and bounces on a checkered floor in a studio",
)
LIKE = VideoRequest("each prompt in turn", num_inference_steps=16)


@dataclass(frozen=True)
class Point:
    """A size after a budget: floating-point operations of its training, and its loss on what is held out."""

    depth: int
    step: int
    compute: float
    loss: float


@dataclass(frozen=True)
class Law:
    """L = floor + scale (C / 1e12)^-exponent. error: root of the mean square of what it is off by."""

    floor: float
    scale: float
    exponent: float
    error: float

    def loss(self, compute: float) -> float:
        return self.floor + self.scale * (compute / 1e12) ** -self.exponent


@dataclass(frozen=True)
class Study:
    """What all sizes share. data: what they learn from, and what is held out."""

    folder: Path
    bundle: ModelBundle
    data: tuple[LatentDataset, LatentDataset]
    steps: int
    num_prompts: int
    like: VideoRequest = LIKE

    def folder_of(self, depth: int) -> Path:
        return self.folder / f"depth-{depth}"

    def load(self, point: Point) -> ModelBundle:
        """The model of a point, with the autoencoder that all have."""
        config = DiTConfig(point.depth, latent_channels=self.bundle.config.dit.latent_channels)
        dit = DiT(config)
        load_into(dit, self.folder_of(point.depth) / f"budget-{point.step:06d}.safetensors")
        dit.eval().requires_grad_(False)
        return replace(self.bundle, dit=dit, config=replace(self.bundle.config, dit=config))


@dataclass
class Scaled(DiTTrainer):
    """The transformer's training, measured at its budgets."""

    held_out: LatentDataset | None = None
    budgets: frozenset[int] = frozenset()
    points: list[Point] = field(default_factory=list)

    def ends(self, step: int) -> bool:
        if step in self.budgets:
            weights = self._average()
            drawn = [self.draw(number).batch for number in range(COUNTED)]
            compute = step * float(np.mean([self.operations(batch) for batch in drawn]))
            loss = held_out_loss(self, self.held_out, weights)
            point = Point(self.recipe.model.dit.depth, step, compute, loss)
            save_tensors(self.folder / f"budget-{step:06d}.safetensors", weights, asdict(point))
        return False


def held_out_loss(trainer: DiTTrainer, held_out: LatentDataset | None, weights: dict[str, Tensor]) -> float:
    """The mean over the noise levels at which clips that nothing learns from are measured."""
    assert held_out
    return float(np.mean([losses.mean().item() for _, losses in trainer.held_out_losses(held_out, weights)]))


def train_size(depth: int, study: Study) -> list[Point]:
    """The points of a size, whose weights lie beside them as budget-STEP.safetensors."""
    steps, folder, bundle = study.steps, study.folder_of(depth), study.bundle
    budgets = frozenset(steps >> halved for halved in range(NUM_BUDGETS) if steps >> halved)
    paths = [folder / f"budget-{step:06d}.safetensors" for step in sorted(budgets)]
    if not all(path.exists() for path in paths):
        dit = DiTConfig(depth, latent_channels=bundle.config.dit.latent_channels)
        schedule = Schedule(steps=steps, decay_steps=1, ema_decay=0.99)
        recipe = Recipe(model=replace(bundle.config, name="study", dit=dit), dit=DiTTraining(schedule=schedule))
        folder.mkdir(parents=True, exist_ok=True)
        Scaled(recipe, folder, study.data[0], Workers(), held_out=study.data[1], budgets=budgets).run()
    return [Point(**load_tensors(path)[1]) for path in paths]


def frontier(points: Sequence[Point]) -> list[Point]:
    """Points that no cheaper one is as good as."""
    best: list[Point] = []
    for point in sorted(points, key=lambda point: point.compute):
        if not best or point.loss < best[-1].loss:
            best.append(point)
    return best


def fit(points: Sequence[Point]) -> Law:
    """The law with the least square error over a fine grid of floors: then it is a line in logarithms.

    Raises:
        ValueError: fewer than three points.
    """
    if len(points) < 3:
        raise ValueError(f"{len(points)} points; a law of three numbers needs 3 at least: more sizes or steps")
    compute, loss = (np.array([getattr(point, name) for point in points]) for name in ("compute", "loss"))
    laws = []
    for floor in np.linspace(0, 0.98 * loss.min(), 200):
        slope, height = np.polyfit(np.log(compute / 1e12), np.log(loss - floor), 1)
        law = Law(float(floor), float(np.exp(height)), float(-slope), 0.0)
        error = float(np.sqrt(np.mean((np.array([law.loss(c) for c in compute]) - loss) ** 2)))
        laws.append(replace(law, error=error))
    return min(laws, key=lambda law: law.error)


def score(bundle: ModelBundle, study: Study) -> tuple[float, float, float]:
    """Share of the statements of held-out prompts that hold in its clips, with its 95 % interval."""
    cases = held_out_cases(study.num_prompts, study.like.shape)
    share, interval = share_and_interval(pooled(measure(cases, requests_of(cases, bundle, study.like), bundle), FACTS))
    return share, *interval


def draw_strips(points: Sequence[Point], study: Study) -> dict[int, Point]:
    """strips-N.png of the best models at N times a base compute, the most at last, for the same prompts and seeds."""
    drawn, base = {}, points[-1].compute / MULTIPLES[-1]
    for multiple in MULTIPLES:
        point = min(points, key=lambda point: abs(np.log(point.compute / (multiple * base))))
        made, folder = study.load(point), study.folder
        strip = SampleStrip(folder, PROMPTS, made.config, made.video_vae, made.text_encoder, study.like.shape)
        write_png(folder / f"strips-{multiple}.png", strip.draw(made.dit.state_dict(), point.step).numpy())
        drawn[multiple] = point
    return drawn


def page(points: Sequence[Point], law: Law, scores: dict[int, tuple[float, float, float]]) -> str:
    """The tables as Markdown."""
    lines = ["| depth | steps | operations | held-out loss | on the frontier | the law says |", "| --- " * 6 + "|"]
    best = frontier(points)
    for p in sorted(points, key=lambda point: (point.depth, point.step)):
        on = "yes" if p in best else ""
        lines.append(f"| {p.depth} | {p.step} | {p.compute:.2e} | {p.loss:.4f} | {on} | {law.loss(p.compute):.4f} |")
    lines += ["", f"L = {law.floor:.3f} + {law.scale:.3f} (C / 1e12)^-{law.exponent:.3f}, off by {law.error:.4f}.", ""]
    lines += ["| depth | statements that hold | 95 % |", "| --- " * 3 + "|"]
    lines += [f"| {depth} | {share:.2f} | {low:.2f} to {high:.2f} |" for depth, (share, low, high) in scores.items()]
    return "\n".join(lines) + "\n"


def run_study(study: Study, depths: Sequence[int]) -> str:
    """Trains, measures and draws all; writes study.json and study.md and returns the latter."""
    points, scores = [], {}
    for depth in depths:
        points += train_size(depth, study)
        scores[depth] = score(study.load(points[-1]), study)
    best = frontier(points)
    law, strips = fit(best), draw_strips(best, study)
    told = {"points": [asdict(point) for point in points], "law": asdict(law), "scores": scores,
            "strips": {multiple: asdict(point) for multiple, point in strips.items()}}  # fmt: skip
    written = page(points, law, scores)
    for name, text in {"study.json": json.dumps(told, indent=1), "study.md": written}.items():
        with new_file(study.folder / name) as temporary:
            temporary.write_text(text)
    return written


def parted(shards: Sequence[Path], bundle: ModelBundle) -> tuple[LatentDataset, LatentDataset]:
    """What is learned from, and the tenth of the shards that is held out: one at least."""
    held = max(1, len(shards) // 10)
    empty, draw = bundle.text_encoder([""]).states[0], DrawConfig(tokens_per_batch=12 * 540, picture_share=0.1)
    return LatentDataset(shards[:-held], empty, draw, 0), LatentDataset(shards[-held:], empty, draw, 0)


def made_shards(bundle: ModelBundle, num_clips: int, folder: Path) -> list[Path]:
    """Clips of the world, rendered and encoded here."""
    config = WorldDataConfig(num_clips=num_clips)
    write_frames(config, folder / "frames", 1, print_progress)
    parts = folder / "frames", folder / "latents", bundle.video_vae, bundle.text_encoder
    return write_shards(config, *parts, print_progress)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--latents", type=Path, help="folder of shards")
    parser.add_argument("--depths", type=int, nargs="+", default=[2, 4, 6, 8])
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--clips", type=int, default=400, help="to make where there are no latents")
    parser.add_argument("--prompts", type=int, default=36)
    parser.add_argument("--model", default="sorairo-base", help="whose autoencoder made the latents")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/scaling"))
    given = parser.parse_args()
    bundle = load_bundle(given.model)
    given.output.mkdir(parents=True, exist_ok=True)
    shards = sorted(given.latents.glob("*.safetensors")) if given.latents else []
    shards = shards or made_shards(bundle, given.clips, given.output)
    if len(shards) == 1:
        parser.error("there is one shard; to hold one out takes two: at least 51 clips")
    print(run_study(Study(given.output, bundle, parted(shards, bundle), given.steps, given.prompts), given.depths))


if __name__ == "__main__":
    main()
