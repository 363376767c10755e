"""Trains the detectors and checks them: `python -m sorairo.evals.detector_training weights/detector`.

Learns from rendered clips of the world only, as they are, degraded, and through an autoencoder; with --start it goes on
from weights that there are, with --check it only measures the folder's own again, as after a change of the rules. Never
touches a model that makes video. About 15 minutes of one core, as many to go on, and 5 to check.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sorairo.checkpoint import load_tensors
from sorairo.evals.agreement import LEAST_AGREEMENT, Agreement, count_agreement
from sorairo.evals.detector import FILE, Detector, as_input, load_detector, save_detector
from sorairo.evals.detector_examples import (
    UNKNOWN,
    CameraExample,
    Rebuild,
    SceneExample,
    draw_examples,
    offsets_to_middle,
    size_of,
)
from sorairo.evals.evaluation import through_vae
from sorairo.evals.laws import fits, limits_of
from sorairo.media import Frames
from sorairo.pipelines.bundle import load_bundle
from sorairo.pipelines.preview import to_pixels
from sorairo.shapes import VideoShape
from sorairo.sight.degradations import degrade
from sorairo.sight.observation import Observation
from sorairo.sight.scene_net import PAINTS, CameraNet, SceneNet, ScenePrediction
from sorairo.world import CAMERA_MOVES, WorldClip, make_clip, render
from sorairo.world.facts import OTHER_SIDE

CLIPS, MORE_CLIPS = range(1200), range(1560, 2860)  # to learn from, and to go on with
SCENE_STEPS, MORE_STEPS, SCENE_BATCH = 5500, 5000, 8
CAMERA_STEPS, CAMERA_BATCH = 300, 24
FIRST_CHECK_SEED, NUM_CHECKS = 1070, 600  # of "test"; rules were made by 1000 to 1069 and by "train"
NUM_DAMAGED = 60  # of them also checked through an autoencoder, and degraded
LEARNING_RATE, LATER_RATE = 3e-3, 1e-3
NOTHING_WEIGHT = 0.15  # of cells that show nothing, against cells that show a thing
OFFSET_SCALE = 3.0  # cells of a vote's error that weigh as much as a nat
PLAYED_BACKWARDS = {**OTHER_SIDE, "in": "out", "out": "in"}
UNREPEATABLE = CAMERA_MOVES.index("rise")  # backwards it would be a fall, which the world does not have
HEADER = "| fact | agreement | 95 % | found when true | refused when false | 0.97 |\n" + "| --- " * 6 + "|"

Sight = tuple[WorldClip, Observation]
SceneData = dict[VideoShape, "SceneBatch"]
CameraData = dict[VideoShape, tuple[Tensor, Tensor]]


class SceneBatch(NamedTuple):
    """pixels uint8 [b h w 3]; paint, shape, tipped, thing int8 [b y x]; light, ground int64 [b]."""

    pixels: Tensor
    paint: Tensor
    shape: Tensor
    tipped: Tensor
    thing: Tensor
    light: Tensor
    ground: Tensor


def gather(
    drawn: Iterable[tuple[VideoShape, list[SceneExample], list[CameraExample]]],
) -> tuple[SceneData, CameraData]:
    """Examples of clips as tensors, by the clips' shape."""
    scenes: dict[VideoShape, list[SceneExample]] = defaultdict(list)
    cameras: dict[VideoShape, list[CameraExample]] = defaultdict(list)
    for shape, of_scene, of_camera in drawn:
        scenes[shape] += of_scene
        cameras[shape] += of_camera
    scene_data = {shape: _stacked(examples) for shape, examples in scenes.items()}
    camera_data = {
        shape: (torch.from_numpy(np.stack([e.pixels for e in examples])), torch.tensor([e.move for e in examples]))
        for shape, examples in cameras.items()
    }
    return scene_data, camera_data


def _stacked(examples: list[SceneExample]) -> SceneBatch:
    pixels = torch.from_numpy(np.stack([example.pixels for example in examples]))
    cells = [torch.from_numpy(np.stack(table)) for table in zip(*(example.cells for example in examples), strict=True)]
    setting = (torch.tensor([getattr(example, name) for example in examples]) for name in ("light", "ground"))
    return SceneBatch._make((pixels, *cells, *setting))


def scene_loss(prediction: ScenePrediction, batch: SceneBatch) -> Tensor:
    """Paint everywhere; shape, votes for the middle and lying or standing where there is a thing; light and ground."""
    shown, known = batch.thing != UNKNOWN, batch.tipped != UNKNOWN
    weights = torch.ones(len(PAINTS) + 1)
    weights[-1] = NOTHING_WEIGHT
    paint = F.cross_entropy(prediction.color.float(), batch.paint.long(), weights)
    shape = F.cross_entropy(prediction.shape.float().movedim(1, -1)[shown], batch.shape[shown].long())
    miss = (prediction.offset.float() - offsets_to_middle(batch.thing)).abs().sum(1)[shown].mean() / OFFSET_SCALE
    tipped = batch.tipped.clamp(min=0).float()
    lying = F.binary_cross_entropy_with_logits(prediction.tipped.float(), tipped, reduction="none")
    lying = (lying * known).sum() / known.sum().clamp(min=1)  # none of a picture's things may stand or lie
    light = F.cross_entropy(prediction.light.float(), batch.light)
    ground = F.cross_entropy(prediction.ground.float(), batch.ground)
    return 2 * paint + 2 * shape + miss + 0.5 * lying + 0.6 * (light + ground)


def draw_scene_batch(data: SceneData, generator: torch.Generator) -> SceneBatch:
    """Some pictures of one shape, all or none of them mirrored."""
    batch = data[_shape_by_share({shape: len(part.light) for shape, part in data.items()}, generator)]
    chosen = torch.randint(len(batch.light), (SCENE_BATCH,), generator=generator)
    batch = SceneBatch(*(part[chosen] for part in batch))
    if torch.rand((), generator=generator) < 0.5:
        cells = (part.flip(2) for part in batch[:5])
        batch = SceneBatch._make((*cells, batch.light, batch.ground))
    return batch


def _shape_by_share(sizes: dict[VideoShape, int], generator: torch.Generator) -> VideoShape:
    weights = torch.tensor(list(sizes.values()), dtype=torch.float)
    return list(sizes)[int(torch.multinomial(weights, 1, generator=generator))]


def draw_camera_batch(data: CameraData, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pictures uint8 [b k h w 3] and moves [b], half of the batches mirrored, half of them played backwards."""
    pixels, moves = data[_shape_by_share({shape: len(part[1]) for shape, part in data.items()}, generator)]
    chosen = torch.randint(len(moves), (CAMERA_BATCH,), generator=generator)
    pixels, moves = pixels[chosen], moves[chosen]
    if torch.rand((), generator=generator) < 0.5:
        pixels, moves = pixels.flip(3), _renamed(moves, OTHER_SIDE)
    if torch.rand((), generator=generator) < 0.5:
        kept = moves != UNREPEATABLE
        pixels, moves = pixels[kept].flip(1), _renamed(moves[kept], PLAYED_BACKWARDS)
    return pixels, moves


def _renamed(moves: Tensor, words: dict[str, str]) -> Tensor:
    names = [" ".join(words.get(word, word) for word in move.split()) for move in CAMERA_MOVES]
    return torch.tensor([CAMERA_MOVES.index(name) if name in CAMERA_MOVES else UNREPEATABLE for name in names])[moves]


def train(network: nn.Module, steps: int, loss_of_batch: Callable[[], Tensor], rate: float = LEARNING_RATE) -> float:
    """AdamW with one cycle of learning rates (Smith & Topin 2018, arXiv 1708.07120); returns the last losses' mean."""
    optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.1)
    losses: list[float] = []
    network.requires_grad_(True).train()
    for step in range(1, steps + 1):
        with torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_avx512_bf16_supported()):
            loss = loss_of_batch()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % (steps // 10 or 1) == 0:
            print(f"{type(network).__name__}: step {step} of {steps}, loss {np.mean(losses[-100:]):.3f}", flush=True)
    network.eval()
    return float(np.mean(losses[-100:]))


def train_scene_net(data: SceneData, steps: int = SCENE_STEPS, start: SceneNet | None = None) -> SceneNet:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0 if start is None else 1)
    network = start or SceneNet()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def loss_of_batch() -> Tensor:
        batch = draw_scene_batch(data, generator)
        with torch.autocast("cpu", enabled=False):
            pictures = degrade(as_input(batch.pixels), generator).contiguous(memory_format=torch.channels_last)
        return scene_loss(network(pictures), batch)

    train(network, steps, loss_of_batch, LEARNING_RATE if start is None else LATER_RATE)
    return network


def train_camera_net(data: CameraData, steps: int = CAMERA_STEPS) -> CameraNet:
    torch.manual_seed(0)
    generator, network = torch.Generator().manual_seed(0), CameraNet()

    def loss_of_batch() -> Tensor:
        pixels, moves = draw_camera_batch(data, generator)
        with torch.autocast("cpu", enabled=False):
            pictures = as_input(pixels)
            pictures = degrade(pictures.flatten(0, 1), generator, strength=0.6).view_as(pictures)
        return F.cross_entropy(network(pictures).float(), moves)

    train(network, steps, loss_of_batch)
    return network


def degraded_frames(frames: Frames) -> Frames:
    """All frames [t h w 3] damaged."""
    damaged = degrade(as_input(torch.from_numpy(frames)), torch.Generator().manual_seed(0))
    return to_pixels(damaged.movedim(1, -1))


def watch(detector: Detector, rebuild: Rebuild) -> dict[str, list[Sight]]:
    """Held-out clips, half of them wide, and what the detectors see of them, by what was done to the pixels."""
    seen: dict[str, list[Sight]] = {"As rendered": [], "Through the autoencoder": [], "Degraded": []}
    damages: tuple[Rebuild, ...] = (lambda frames: frames, rebuild, degraded_frames)
    for index in range(NUM_CHECKS):
        clip = make_clip(FIRST_CHECK_SEED + index, size_of(FIRST_CHECK_SEED + index), "test")
        frames, _ = render(clip)
        for damage, sights in zip(damages, seen.values(), strict=True):
            if damage is damages[0] or index < NUM_DAMAGED:
                sights.append((clip, detector.observe(damage(frames))))
    return seen


def publish(folder: Path, detector: Detector, facts: dict[str, Any], seen: dict[str, list[Sight]]) -> None:
    """Check a detector, write it with its card, and print how far it agrees with the truth."""
    tables = {title: count_agreement(sights) for title, sights in seen.items()}
    real = next(iter(seen))
    detector.agreement = {row.fact: round(row.balanced, 4) for row in tables[real]}
    detector.limits = limits_of([fit for _, observed in seen[real] for fit in fits(observed)])
    save_detector(folder / FILE, detector, facts)
    (folder / "README.md").write_text(card_text(facts, detector, tables), encoding="utf-8")
    print(agreement_table(tables[real]))


def card_text(facts: dict[str, Any], detector: Detector, tables: Mapping[str, Sequence[Agreement]]) -> str:
    """The card as Markdown. tables: agreement by the kind of pixels it was measured on."""
    parts = "\n\n".join(f"### {title}\n\n{agreement_table(rows)}" for title, rows in tables.items())
    numbers = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    limits = "\n".join(
        f"| {law} | {low:.2f} to {high:.2f} | {most:.3f} |" for law, (low, high, most) in detector.limits.items()
    )
    words = Path(__file__).with_name("detector_card.md").read_text(encoding="utf-8")
    return words.format(numbers=numbers, least=f"{LEAST_AGREEMENT:.2f}", parts=parts, limits=limits)


def agreement_table(rows: Sequence[Agreement]) -> str:
    """Agreement of each fact as a Markdown table."""
    lines = [
        f"| {a.fact} | {a.balanced:.3f} | {a.interval[0]:.2f} to {a.interval[1]:.2f} "
        f"| {a.num_true_found} of {a.num_true} | {a.num_false_refused} of {a.num_false} "
        f"| {'yes' if a.balanced >= LEAST_AGREEMENT else 'no'} |"
        for a in rows
    ]
    return "\n".join([HEADER, *lines])


def trained(start: Path | None, rebuild: Rebuild) -> tuple[Detector, dict[str, Any]]:
    """New detectors, or those of a file trained on, and what is to be known of them."""
    begin, (before, known) = time.process_time(), kept(start) if start else (None, {})
    clips, steps = (MORE_CLIPS, MORE_STEPS) if before else (CLIPS, SCENE_STEPS)
    scenes, cameras = gather(draw_examples(clips, rebuild))
    scene = train_scene_net(scenes, steps, before.scene if before else None)
    detector = Detector(scene, before.camera if before else train_camera_net(cameras))
    minutes = round((time.process_time() - begin) / 60, 1)
    news = {"clips": len(clips), "steps": steps, "minutes of one core": minutes}
    facts: dict[str, Any] = {name: f"{known[name]}, then {new}" if name in known else new for name, new in news.items()}
    facts["parameters"] = sum(p.numel() for net in (detector.scene, detector.camera) for p in net.parameters())
    return detector, facts


def kept(file: Path) -> tuple[Detector, dict[str, Any]]:
    """The detectors of a file, and what is known of them but for how they agree with the truth."""
    facts = load_tensors(file)[1]
    return load_detector(file), {name: facts[name] for name in facts if name not in ("agreement", "limits")}


def main(arguments: Sequence[str] | None = None) -> None:
    """Render, train, check, and write the weights with their card to a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--start", type=Path, help="weights to go on from; the camera's network stays as it is")
    parser.add_argument("--check", action="store_true", help="measure the folder's weights again, without training")
    parser.add_argument("--model", default="sorairo-base", help="whose autoencoder pictures go through")
    given = parser.parse_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    rebuild = partial(through_vae, bundle=load_bundle(given.model))
    detector, facts = kept(given.folder / FILE) if given.check else trained(given.start, rebuild)
    facts["clips checked"] = f"{NUM_CHECKS} as rendered, the first {NUM_DAMAGED} of them also damaged"
    publish(given.folder, detector, facts, watch(detector, rebuild))


if __name__ == "__main__":
    main()
