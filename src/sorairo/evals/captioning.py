"""How true a captioner's captions are, fact by fact, on clips that it never saw: precision and recall against truth.

python -m sorairo.evals.captioning [--captioner NAME] [--clips N] [-o FOLDER]

Reads captions in the strict notation of `sorairo.world.account`, since a program can hold them against what is true.
Half of the clips are of new scenes, half show colours on shapes that training never has.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from sorairo.checkpoint import load_tensors, save_tensors
from sorairo.data.world_frames import WorldDataConfig
from sorairo.evals.report import markdown
from sorairo.evals.statements import Statement, statements
from sorairo.media import new_file
from sorairo.models.precision import autocast
from sorairo.models.video_vae import VideoVAE, to_video
from sorairo.pipelines.captions import CAPTIONER, built_in_writer
from sorairo.statistics import Floats, share_and_interval
from sorairo.world import WorldClip, make_clip, render
from sorairo.world.account import account, read_account
from sorairo.world.clip import Split
from sorairo.world.facts import OTHER_SIDE

FIRST_SEED, NUM_CLIPS = 40_000, 200
SPLITS: tuple[Split, ...] = ("test", "novel")
SIDED = ("relation", "direction", "enter", "leave")
ROWS: dict[str, tuple[str, ...]] = {
    "colour": ("colour",),
    "shape": ("shape",),
    "size": ("size",),
    "material": ("material",),
    "count": ("count",),
    "left/right": SIDED,
    "order": ("order",),
    "cause": ("hit", "push", "topple"),
    "hiding": ("hide", "reappear", "stay hidden"),
    "ground": ("ground",),
    "light": ("light",),
    "camera": ("camera",),
}
"""Facts as people name them, and the statements that each pools."""


@dataclass(frozen=True)
class FactScore:
    """How much of what is said is true, and how much of what is true is said, each with a 95 % interval over clips."""

    fact: str
    num_said: int
    num_true: int
    precision: float
    precision_interval: tuple[float, float]
    recall: float
    recall_interval: tuple[float, float]


def truths_of(clip: WorldClip) -> tuple[frozenset[Statement], ...]:
    """All that a perfect witness would state, in each way in which nobody can see that it was not so.

    Of two things that run into each other either may be told to hit; of a row or stack any that is hit within a frame
    of the first.
    """
    told = [_other_way_round(clip)] if clip.scenario == "collide" else _with_another_hit(clip)
    return tuple(frozenset(statements(account(one))) for one in (clip, *told))


def _with_another_hit(clip: WorldClip) -> list[WorldClip]:
    """The same clip, each time with another of a group told to be hit first."""
    thing, frame = clip.objects, 1 / clip.shape.fps
    hits = [e for e in clip.facts.events if e.kind == "hit" and thing[e.subject].role == "actor"]
    groups = [thing[e.other].group for e in hits if e.other is not None]
    swaps = [
        {hits[0]: replace(hits[0], other=hit.other), hit: replace(hit, other=hits[0].other)}
        for hit, group in zip(hits[1:], groups[1:], strict=True)
        if group is not None and group == groups[0] and hit.time - hits[0].time < frame
    ]
    events = [tuple(swap.get(e, e) for e in clip.facts.events) for swap in swaps]
    return [replace(clip, facts=replace(clip.facts, events=told)) for told in events]


def _other_way_round(clip: WorldClip) -> WorldClip:
    """The same clip with the target as the actor."""
    roles = {"actor": "target", "target": "actor"}
    objects = tuple(replace(thing, role=roles.get(thing.role, thing.role)) for thing in clip.objects)
    both = {number for number, thing in enumerate(objects) if thing.role in roles}
    events = tuple(
        replace(e, subject=e.other, other=e.subject) if e.other is not None and {e.subject, e.other} == both else e
        for e in clip.facts.events
    )
    return replace(clip, objects=objects, facts=replace(clip.facts, events=events))


def score_captions(captions: Sequence[str], clips: Sequence[WorldClip]) -> tuple[FactScore, ...]:
    """Captions in the strict notation against the clips in the same places."""
    said = [frozenset(statements(read_account(text))) for text in captions]
    truth = [max(truths_of(clip), key=lambda true: len(true & told)) for told, clip in zip(said, clips, strict=True)]
    scores = [_score(row, facts, said, truth) for row, facts in ROWS.items()]
    return (*scores, _sides(said, truth))


def _score(
    row: str, facts: Iterable[str], said: Sequence[frozenset[Statement]], truth: Sequence[frozenset[Statement]]
) -> FactScore:
    told = [{s for s in one if s.fact in facts and _definite(s)} for one in said]
    held = [{s for s in one if s.fact in facts and _definite(s)} for one in truth]
    counts = np.array([(len(a & b), len(a), len(b)) for a, b in zip(told, held, strict=True)], float)
    return _from_counts(row, counts)


def _from_counts(row: str, counts: Floats) -> FactScore:
    """counts [clips 3]: said and true, said, true."""
    _, said, true = counts.sum(0).astype(int).tolist()
    precision, recall = (share_and_interval(counts[:, [0, whole]]) for whole in (1, 2))
    return FactScore(row, said, true, *precision, *recall)


def _definite(statement: Statement) -> bool:
    """Entering and leaving count as left or right only with a side."""
    return statement.fact not in ("enter", "leave") or statement.value is not None


def _sides(said: Sequence[frozenset[Statement]], truth: Sequence[frozenset[Statement]]) -> FactScore:
    """Left against right alone: of true statements made as they are, or the wrong way round, those that are right."""
    counts = []
    for told, held in zip(said, truth, strict=True):
        sided = [s for s in held if s.fact in SIDED and _definite(s) and s.value != "down" and swapped(s) not in held]
        right, wrong = (sum(of(s) in told for s in sided) for of in (lambda s: s, swapped))
        counts.append((right, right + wrong, right + wrong))
    return _from_counts("left/right, of the right things", np.array(counts, float))


def swapped(statement: Statement) -> Statement:
    """The same with left and right exchanged."""
    if statement.fact == "relation":
        assert statement.other is not None
        return Statement("relation", statement.other, statement.noun)
    return Statement(statement.fact, statement.noun, statement.other, OTHER_SIDE[str(statement.value)])


def held_out_clips(split: Split, number: int) -> list[WorldClip]:
    """Clips of every native size that no training shows."""
    config = WorldDataConfig()
    return [make_clip(seed, config.shape(seed), split) for seed in range(FIRST_SEED, FIRST_SEED + number)]


@torch.inference_mode()
def latents_of(clips: Sequence[WorldClip], vae: VideoVAE, path: Path) -> list[torch.Tensor]:
    """Latents [c t h w] of each clip, kept in a file: rendering takes a second a clip."""
    if not path.exists():
        with autocast(vae.latent_mean.device):
            made = [vae.encode(to_video(render(clip)[0]).to(vae.latent_mean.device)) for clip in clips]
        save_tensors(path, {f"{number:05}": latents.half() for number, latents in enumerate(made)}, {})
    return [tensor[0] for _, tensor in sorted(load_tensors(path)[0].items())]


def table(scores: Sequence[FactScore]) -> str:
    """Scores as Markdown."""
    rows: list[tuple[object, ...]] = [("fact", "said", "true", "precision", "95 %", "recall", "95 %")]
    for s in scores:
        first, second = (f"{low:.2f} to {high:.2f}" for low, high in (s.precision_interval, s.recall_interval))
        rows.append((s.fact, s.num_said, s.num_true, f"{s.precision:.2f}", first, f"{s.recall:.2f}", second))
    return markdown(rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints a table for each split and writes captions and scores to a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--captioner", default=CAPTIONER, help="name or folder")
    parser.add_argument("--model", default="sorairo-base", help="whose autoencoder it reads through")
    parser.add_argument("--clips", type=int, default=NUM_CLIPS, help="of both kinds together")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/captioning"))
    given = parser.parse_args(arguments)
    given.output.mkdir(parents=True, exist_ok=True)
    writer = built_in_writer(given.captioner, given.model)
    for split in SPLITS:
        number = max(1, given.clips // len(SPLITS))
        clips = held_out_clips(split, number)
        latents = latents_of(clips, writer.vae, given.output / f"{split}-{number}.safetensors")
        captions = writer.caption_latents(latents, "structured")
        scores = score_captions(captions, clips)
        print(f"{split}: {number} clips\n\n{table(scores)}\n")
        with new_file(given.output / f"{split}.json") as temporary:
            temporary.write_text(json.dumps({"scores": [asdict(s) for s in scores], "captions": captions}, indent=1))


if __name__ == "__main__":
    main()
