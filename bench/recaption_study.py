"""What captions are worth: equal small trainings on the same clips, told of in three ways (docs/captioning.md).

python bench/recaption_study.py LATENTS [--captioner NAME] [--steps N] [--clips N] [--prompts N] [--blend] [-o FOLDER]

LATENTS is a folder of shards as `sorairo train` makes them. (a) learns from sparse tags, as people write them, (b) from
the captioner's captions and one tag in twenty, (c) from exact captions and one tag in twenty; --blend adds shares of
65 and 80 % of the captioner's. Betker et al. 2023, Improving Image Generation with Better Captions, section 3.
An arm that is done is not trained again; each may be killed and goes on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from expansion import gained, measure
from torch import Tensor

from sorairo.checkpoint import load_into, load_tensors
from sorairo.config import DiTConfig, ModelConfig
from sorairo.data.latent_dataset import Batch, pad
from sorairo.data.world_frames import WorldDataConfig
from sorairo.evals.evaluation import requests_of
from sorairo.evals.prompts import Case, held_out_cases
from sorairo.evals.report import markdown
from sorairo.evals.scoring import Tally, pooled
from sorairo.evals.statements import FACTS, GROUPS
from sorairo.media import new_file
from sorairo.models.dit import DiT
from sorairo.pipelines.bundle import ModelBundle, load_bundle
from sorairo.pipelines.captions import CAPTIONER, BuiltInWriter, load_captioner
from sorairo.pipelines.request import VideoRequest
from sorairo.statistics import share_and_interval
from sorairo.training.captioner_data import EXAMPLES_PER_CLIP, seeds_of
from sorairo.training.dit_loop import DiTTrainer
from sorairo.training.parallel import Workers
from sorairo.training.recipe import DiTTraining, Recipe, Schedule
from sorairo.world import WorldClip, caption

CAPTION_BATCH = 32
COLOURS = ("#9aa5b1", "#2f7dd1", "#1d9a6c", "#b48ad8", "#d88a4b")


@dataclass(frozen=True)
class Arm:
    """One training: whose captions, and which share of what it reads they are; the rest are tags."""

    name: str
    captions: str
    share: float


ARMS = (Arm("tags", "tags", 1.0), Arm("captioner 95 %", "captioner", 0.95), Arm("exact 95 %", "exact", 0.95))
LIKE = VideoRequest("each prompt in turn", num_inference_steps=20)
BLENDS = (Arm("captioner 65 %", "captioner", 0.65), Arm("captioner 80 %", "captioner", 0.80))


@dataclass(frozen=True)
class Study:
    """What all arms share."""

    folder: Path
    bundle: ModelBundle
    steps: int
    num_prompts: int
    depth: int = 4
    tokens_per_batch: int = 12 * 540
    like: VideoRequest = LIKE


def tags_of(clip: WorldClip, rng: np.random.Generator) -> str:
    """One to three words for what is there, as people tag: no deed, no place, seldom a colour's thing whole."""
    things = sorted({(thing.color, thing.shape) for thing in clip.objects if thing.role != "stopper"})
    chosen = [things[index] for index in rng.permutation(len(things))[: int(rng.integers(1, 3))]]
    tags = [shape if rng.random() < 0.5 else f"{color} {shape}" for color, shape in chosen]
    tags += [clip.facts.light if clip.facts.light != "day" else "outside"] if rng.random() < 0.3 else []
    return ", ".join(tags)


class StudyData:
    """Clips' latents with two texts each, of which one is drawn by an arm's share. A function of the step."""

    def __init__(
        self, latents: Sequence[Tensor], cover: Sequence[Tensor], main: Sequence[Tensor], tags: Sequence[Tensor],
        empty: Tensor, share: float, tokens: int,
    ) -> None:  # fmt: skip
        self.latents, self.cover, self.texts = latents, cover, (tags, main)
        self.empty, self.share, self.tokens = empty, share, tokens
        self.sizes = sorted({tuple(one.shape) for one in latents})
        self.members = [[n for n, one in enumerate(latents) if tuple(one.shape) == size] for size in self.sizes]

    def draw(self, step: int) -> Batch:
        rng = np.random.default_rng([0, step])
        weights = np.array([len(members) for members in self.members]) / len(self.latents)
        members = self.members[int(rng.choice(len(weights), p=weights))]
        number = max(1, self.tokens // self.latents[members[0]][0].numel())
        chosen = [members[index] for index in rng.integers(len(members), size=number)]
        read = rng.random((2, number))
        texts = [
            self.empty if dropped < 0.1 else self.texts[int(kind < self.share)][index]
            for index, dropped, kind in zip(chosen, *read, strict=True)
        ]
        latents = torch.stack([self.latents[index] for index in chosen]).float()
        cover = torch.stack([self.cover[index] for index in chosen]).float()
        return Batch(latents, cover, *pad(texts), step)


@dataclass(frozen=True)
class Clips:
    """Training clips: their latents, where their objects are, and texts by kind."""

    latents: list[Tensor]
    cover: list[Tensor]
    texts: dict[str, list[str]]


def read_clips(shards: Sequence[Path], num_clips: int, writer: BuiltInWriter, config: WorldDataConfig) -> Clips:
    """The first clips of some shards, told of in every way."""
    latents, cover, tags, exact = [], [], [], []
    for shard in shards:
        tensors, _ = load_tensors(shard)
        for number, seed in enumerate(seeds_of(shard)):
            if len(latents) < num_clips:
                place, rng, clip = EXAMPLES_PER_CLIP * number, np.random.default_rng([seed, 3]), config.clip(seed)
                latents.append(tensors[f"latents.{place:04d}"].clone())
                cover.append(tensors[f"cover.{place:04d}"].clone())
                tags.append(tags_of(clip, rng))
                exact.append(caption(clip, "dense", rng).text)
    return Clips(
        latents, cover, {"tags": tags, "exact": exact, "captioner": writer.caption_latents(latents, "descriptive")}
    )


def train_arm(arm: Arm, clips: Clips, study: Study) -> DiT:
    """The transformer of an arm; the same seed, steps and clips for all."""
    encoder = study.bundle.text_encoder
    main, tags = (states_of(clips.texts[kind], encoder) for kind in (arm.captions, "tags"))
    data = StudyData(clips.latents, clips.cover, main, tags, encoder([""]).states[0], arm.share, study.tokens_per_batch)
    channels = study.bundle.config.dit.latent_channels
    model = ModelConfig(video_vae=study.bundle.config.video_vae, dit=DiTConfig(study.depth, latent_channels=channels))
    schedule = Schedule(steps=study.steps, decay_steps=study.steps // 3, ema_decay=0.995)
    recipe = Recipe(model=model, dit=DiTTraining(schedule=schedule))
    weights = DiTTrainer(recipe, study.folder / arm.name.replace(" %", ""), data, Workers()).run()
    dit = DiT(model.dit)
    load_into(dit, weights)
    return dit.eval().requires_grad_(False)


def states_of(texts: Sequence[str], encoder: torch.nn.Module) -> list[Tensor]:
    """Token states of each text without padding."""
    parts = [encoder(list(texts[start : start + CAPTION_BATCH])) for start in range(0, len(texts), CAPTION_BATCH)]
    return [states[mask] for part in parts for states, mask in zip(part.states, part.mask, strict=True)]


def score_arm(dit: DiT, cases: Sequence[Case], study: Study) -> Tally:
    """What the arm's clips hold of the held-out prompts, which are in all styles, told from pixels."""
    bundle = replace(study.bundle, dit=dit, config=replace(study.bundle.config, dit=dit.config))
    return measure(cases, requests_of(cases, bundle, study.like), bundle)


def rows_of(counts: Tally) -> dict[str, tuple[float, float, float]]:
    """Share of statements that hold with its 95 % interval over prompts: of every group, and of all."""
    rows = {}
    for group, facts in {**GROUPS, "all": FACTS}.items():
        share, interval = share_and_interval(pooled(counts, facts))
        rows[group] = (share, *interval)
    return rows


def table(scores: dict[str, dict[str, tuple[float, float, float]]]) -> str:
    groups = list(next(iter(scores.values())))
    cells = [(arm, *("{:.2f} ({:.2f} to {:.2f})".format(*rows[g]) for g in groups)) for arm, rows in scores.items()]
    return markdown([("captions", *groups), *cells])


def plot(scores: dict[str, dict[str, tuple[float, float, float]]]) -> str:
    """Bars with their intervals as an SVG picture."""
    groups, marks = list(next(iter(scores.values()))), []
    for place, group in enumerate(groups):
        for number, (arm, rows) in enumerate(scores.items()):
            (share, low, high), x = rows[group], 60 + 110 * place + 18 * number
            if not np.isfinite(share):
                continue
            marks.append(f'<rect x="{x}" y="{220 - 200 * share:.1f}" width="15" height="{200 * share:.1f}" '
                         f'fill="{COLOURS[number]}"><title>{arm}: {share:.2f}</title></rect>')  # fmt: skip
            marks.append(f'<path d="M{x + 7.5} {220 - 200 * low:.1f}V{220 - 200 * high:.1f}" stroke="#222"/>')
        marks.append(f'<text x="{60 + 110 * place}" y="238">{group}</text>')
    for number, arm in enumerate(scores):
        marks.append(f'<text x="{60 + 150 * number}" y="262" fill="{COLOURS[number]}">{arm}</text>')
    for share in (0.0, 0.5, 1.0):
        marks.append(f'<text x="20" y="{224 - 200 * share:.0f}">{share:.1f}</text>')
    look = f'width="{80 + 110 * len(groups)}" height="275" font-family="sans-serif" font-size="12"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {look}>{"".join(marks)}</svg>\n'


def gains(tallies: dict[str, Tally]) -> str:
    """What each arm has over the first, as a table; prompts are the same, so they are paired."""
    first, *others = tallies
    cells = [(arm, *gained(tallies[first], tallies[arm], FACTS)) for arm in others]
    return markdown([("captions", f"all, more than {first}", "95 %"), *cells])


def run_study(
    study: Study, clips: Clips, arms: Sequence[Arm] = ARMS
) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Trains and scores every arm; writes study.json, study.md and study.svg."""
    cases = held_out_cases(study.num_prompts, study.like.shape)
    tallies = {arm.name: score_arm(train_arm(arm, clips, study), cases, study) for arm in arms}
    scores = {arm: rows_of(counts) for arm, counts in tallies.items()}
    told = {"arms": [asdict(arm) for arm in arms], "steps": study.steps, "clips": len(clips.latents),
            "prompts": study.num_prompts, "scores": scores}  # fmt: skip
    texts = {
        "study.json": json.dumps(told, indent=1),
        "study.md": f"{table(scores)}\n\n{gains(tallies)}\n",
        "study.svg": plot(scores),
    }
    for name, text in texts.items():
        with new_file(study.folder / name) as temporary:
            temporary.write_text(text)
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("latents", type=Path, help="folder of shards")
    parser.add_argument("--captioner", default=CAPTIONER)
    parser.add_argument("--model", default="sorairo-base", help="whose autoencoder made the latents")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--clips", type=int, default=1500)
    parser.add_argument("--prompts", type=int, default=96)
    parser.add_argument("--blend", action="store_true", help="also 65 and 80 %% of our captioner's")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/recaption"))
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    bundle = load_bundle(given.model)
    writer = BuiltInWriter(*load_captioner(given.captioner), bundle.video_vae)
    clips = read_clips(sorted(given.latents.glob("*.safetensors")), given.clips, writer, WorldDataConfig())
    study = Study(given.output, bundle, given.steps, given.prompts)
    run_study(study, clips, ARMS + BLENDS if given.blend else ARMS)
    print((study.folder / "study.md").read_text())


if __name__ == "__main__":
    main()
