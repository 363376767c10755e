"""Trains a grown transformer on chunks as they come: python recipes/card/train.py CHUNKS FOLDER --seconds 800.

clips.py makes the chunks meanwhile. FOLDER gets dit.safetensors, the moving average in float16, and log.jsonl.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from growth import grow
from maps import frame_maps, region_maps
from pool import LENGTH, Drawn, Pool
from sorairo.checkpoint import load_into, save_tensors
from sorairo.data.descriptions import CLIP_STYLES
from sorairo.diffusion.flow import flow_loss, interpolate, squared_error, velocity_target
from sorairo.diffusion.schedules import timestep_shift
from sorairo.models.dit import DiT, Text
from sorairo.models.precision import autocast
from sorairo.models.text_encoder import TextEncoder
from sorairo.pipelines.cards import DIT_FILE, find_model, load_config
from sorairo.shapes import LatentShape
from sorairo.training.dit_loop import HEADS, SIDE_LEVEL, SIDE_MARGIN
from sorairo.training.optimizers import MovingAverage, Optimizers
from sorairo.training.recipe import Schedule
from sorairo.training.state import MAX_GRADIENT_NORM

MUON_RATE, ADAMW_RATE = 0.012, 1e-3  # the recipes' own, a little more for larger batches
WARMUP_STEPS = 100  # new channels and layers first find their place
DECAY_SHARE = 0.45  # of the time: the rate then falls to zero, which is worth more than more steps at the full one
EMA_DECAY = 0.998  # remembers 500 of 4,000 steps
OBJECT_WEIGHT = 4.0  # most of a picture is empty ground
SIDE_WEIGHT, SIDE_SHARE = 4.0, 4  # what not knowing left from right costs; a fourth of a batch is asked about it
PICTURE_SHARE, PICTURES_PER_CLIP = 0.1, 5  # pictures are small: more of them in a batch, still cheaper than clips
LATE_SHARE = 0.15  # clips whose first frames are cut off, as sliding windows see them
REGION_SHARE = 0.04  # of batches whose maps are rectangles: they need a level for each place, which costs a fifth more
DROPOUT = 0.1  # of captions, for guidance
HELD_STYLE = CLIP_STYLES.index("medium")  # one caption of each held-out clip, neither terse nor long
HELD_LEVELS = (0.99, 0.95, 0.9, 0.7, 0.4)  # most where a prompt is followed or not
HIGH = 0.9  # from this level on, the text with sides swapped ought to give more wrong an answer
NOISE_SEED = 5  # of the held-out clips: always the same
WARM = LatentShape(9, 6, 10)  # four seconds of 160x96, what most steps are made of
RECOMPILATIONS = 64  # lengths, sizes and kinds of maps are more than torch's 8
LEAST = 1200  # clips to begin with: fewer are learnt by heart before more come
SECONDS_A_LINE, SECONDS_A_LOOK = 8.0, 90.0  # between lines of the log; between held-out losses, which cost 3 s


@dataclass(frozen=True)
class ClockSchedule(Schedule):
    """Rates that fall to zero when ``seconds`` are over, however many steps that was."""

    seconds: float = 0.0
    begun: float = field(default_factory=time.monotonic)

    def factor(self, step: int) -> float:
        left = self.begun + self.seconds - time.monotonic()
        return max(0.0, min(1.0, (step + 1) / self.warmup_steps, left / (DECAY_SHARE * self.seconds)))


class Texts:
    """Captions as tokens [b l], 0 where there is none, and what they say."""

    def __init__(self, device: torch.device) -> None:
        encoder = TextEncoder().to(device)
        self.bert = encoder.bert
        self.left, self.right = (encoder.tokenizer.token_to_id(side) for side in ("left", "right"))
        ids = encoder.tokenizer.encode("").ids
        self.empty = torch.tensor(ids + [0] * (LENGTH - len(ids)), dtype=torch.int32, device=device)

    @torch.no_grad()
    def read(self, tokens: Tensor) -> Text:
        mask = tokens > 0
        return Text(self.bert.depths(tokens, mask)[-1], mask[:, None])

    def swapped(self, tokens: Tensor) -> Tensor:
        """What is true of the mirror image instead."""
        return torch.where(tokens == self.left, self.right, torch.where(tokens == self.right, self.left, tokens))

    def dropped(self, tokens: Tensor) -> Tensor:
        """Some of the captions say nothing."""
        return torch.where(torch.rand(len(tokens), 1, device=tokens.device) < DROPOUT, self.empty, tokens)


class Losses:
    """Losses [b] of a transformer, as the recipes' `DiTTrainer` has them, without ever waiting for the card."""

    def __init__(self, model: DiT, texts: Texts) -> None:
        self.model, self.texts = model, texts

    def __call__(
        self, drawn: Drawn, levels: Tensor, noise: Tensor, num_sides: int = 0
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As they teach; without weights; and [2] by what share swapped sides make them larger, summed, of how many.

        levels: [b t h w], or [b t 1 1]. num_sides: how many of the clips are asked about their sides, if they name any.
        """
        noise_map, weight = levels.expand_as(drawn.cover), 1 + OBJECT_WEIGHT * drawn.cover
        noisy, target = interpolate(drawn.latents, noise, noise_map), velocity_target(drawn.latents, noise)
        other = self.texts.swapped(drawn.tokens)
        sided = ((other != drawn.tokens).any(1) & (levels.flatten(1).amin(1) > SIDE_LEVEL)).float()
        own = (sided + 0.1 * torch.rand_like(sided)).topk(num_sides).indices  # those that name a side, as they come
        text = self.texts.read(torch.cat([drawn.tokens, other[own]]))
        number = len(drawn.tokens)
        error = self._error(noisy, levels, Text(text.states[:number], text.mask[:number]), target, drawn.frame_offset)
        teaching, plain = flow_loss(error, noise_map, weight), flow_loss(error.detach(), noise_map)
        if not num_sides:
            return teaching, plain, torch.zeros(2, device=plain.device)
        text = Text(text.states[number:], text.mask[number:])
        error = self._error(noisy[own], levels[own], text, target[own], drawn.frame_offset)
        worse, right, asked = flow_loss(error, noise_map[own], weight[own]), teaching[own], sided[own]
        lacking = (right + SIDE_MARGIN * right.detach() - worse).relu() * asked
        gap = torch.stack([((worse / right - 1) * asked).detach().sum(), asked.sum()])
        return teaching.index_add(0, own, SIDE_WEIGHT * lacking), plain, gap

    def _error(self, noisy: Tensor, levels: Tensor, text: Text, target: Tensor, frame_offset: int) -> Tensor:
        with autocast(noisy.device):
            velocity = self.model(noisy, levels, text, frame_offset)
        return squared_error(velocity, target)


@dataclass
class Training:
    """A model that learns until its time is over."""

    args: argparse.Namespace
    begun: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        args = self.args
        args.folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(0)
        torch.set_float32_matmul_precision("high")
        self.device, self.random = torch.device(args.device), random.Random(0)
        self.pool = Pool(args.chunks, self.device, args.capacity)
        self.model = grown(args.start, args.depth).to(self.device)
        self.losses = Losses(self.model, Texts(self.device))
        self.average = MovingAverage(self.model, EMA_DECAY)
        self.noted: dict[str, list[Tensor]] = defaultdict(list)
        if args.compile:
            torch._dynamo.config.recompile_limit = RECOMPILATIONS
            for block in self.model.blocks:
                block.compile(dynamic=True)
            self.warm_up()

    def warm_up(self) -> None:
        """Compiles what will be needed, while the first clips are made."""
        late, still = replace(WARM, num_frames=WARM.num_frames // 2 + 1), replace(WARM, num_frames=1)
        for shape, region in ((WARM, False), (late, False), (still, False), (WARM, True)):
            cover = torch.zeros(self.args.batch, shape.num_frames, shape.height, shape.width, device=self.device)
            latents = torch.randn(len(cover), self.model.config.latent_channels, *cover.shape[1:], device=self.device)
            tokens = torch.full((len(cover), LENGTH), self.losses.texts.left, dtype=torch.int32, device=self.device)
            levels = torch.full_like(cover if region else cover[..., :1, :1], HIGH)
            num_sides = 0 if region or shape is still else len(cover) // SIDE_SHARE
            losses = self.losses(Drawn(latents, cover, tokens), levels, torch.randn_like(latents), num_sides)
            losses[0].mean().backward()
            self.model.zero_grad(set_to_none=True)
            self.say(warmed=str(shape), region=region)

    def run(self) -> None:
        """Trains until the time is over, or the steps are done, and leaves the weights."""
        step, seconds = 0, self.wait()
        rates = {"muon_learning_rate": MUON_RATE, "adamw_learning_rate": ADAMW_RATE}
        clock = ClockSchedule(steps=1, decay_steps=0, warmup_steps=WARMUP_STEPS, **rates, seconds=seconds)
        optimizers = Optimizers(self.model, clock, HEADS, bfloat16=True)
        clips, line, look = 0.0, time.monotonic(), -SECONDS_A_LOOK
        while (now := time.monotonic()) < clock.begun + seconds and step != self.args.steps:
            if now - look > SECONDS_A_LOOK:
                self.look(step)
                look = time.monotonic()
            self.pool.take()
            clips += self.step()
            optimizers.step(step)
            self.average.update(self.model, step)
            step += 1
            if now - line > SECONDS_A_LINE:
                told = {"step": step, "clips": round(clips), "clips_per_second": clips / (now - clock.begun)}
                self.say(**told, factor=clock.factor(step), pool=sum(self.pool.counts.values()), **self.means())
                line = now
        self.look(step, clips=round(clips))

    def wait(self) -> float:
        """Until there are clips; returns the seconds that are left."""
        self.pool.take()
        while not self.pool.ready(self.args.least):
            if time.monotonic() > self.begun + self.args.seconds:
                raise SystemExit(f"only {self.pool.counts} clips came in {self.args.seconds:g} s: see clips.py's log")
            time.sleep(0.1)
            self.pool.take()
        return self.begun + self.args.seconds - time.monotonic()

    def step(self) -> float:
        """Leaves gradients; returns how many whole clips were seen."""
        drawn, levels, num_sides = self.draw()
        teaching, plain, gap = self.losses(drawn, levels, torch.randn_like(drawn.latents), num_sides)
        teaching.mean().backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRADIENT_NORM)
        frames = drawn.cover.shape[1]
        kind = "picture_loss" if frames == 1 else "loss" if levels.shape[-1] == 1 else "region_loss"
        self.noted[kind].append(plain.mean())
        self.noted["gradient"].append(norm)
        if num_sides:
            self.noted["gap"].append(gap)
        return 0.0 if frames == 1 else len(plain) * frames / (frames + drawn.frame_offset)

    def draw(self) -> tuple[Drawn, Tensor, int]:
        """A batch of about as many tokens as ``batch`` whole clips, its levels, and how many are asked about sides."""
        counts = self.pool.counts
        (size,) = self.random.choices([*counts], [*counts.values()])
        frames, batch, offset = self.pool.frames(size), self.args.batch, 0
        still = self.random.random() < PICTURE_SHARE
        if not still and frames > 2 and self.random.random() < LATE_SHARE:
            offset = self.random.randrange(1, frames - 1)
        batch = PICTURES_PER_CLIP * batch if still else batch * frames // (frames - offset) // 4 * 4
        drawn = self.pool.draw(size, "still" if still else "clip", batch, offset)
        drawn = drawn._replace(tokens=self.losses.texts.dropped(drawn.tokens))
        shape = LatentShape(*drawn.cover.shape[1:])
        shift = timestep_shift(shape)
        if not still and self.random.random() < REGION_SHARE:
            return drawn, region_maps(batch, shape, shift, self.model.config.patch, self.device), 0
        return drawn, frame_maps(batch, shape.num_frames, shift, self.device), 0 if still else batch // SIDE_SHARE

    def look(self, step: int, **told: int) -> None:
        """Notes the held-out losses of the averaged weights, by level, and writes these weights."""
        own = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.average.weights)
        losses, generator = defaultdict(list), torch.Generator(self.device).manual_seed(NOISE_SEED)
        for chunk in self.pool.held.values():
            latents, tokens = chunk["clip_latents"].float(), chunk["clip_tokens"][:, HELD_STYLE]
            drawn = Drawn(latents, chunk["clip_cover"].float(), tokens)
            swapped = drawn._replace(tokens=self.losses.texts.swapped(tokens))
            sided = (swapped.tokens != tokens).any(1)
            noise = torch.randn(latents.shape, generator=generator, device=self.device)
            for level in HELD_LEVELS:
                levels = torch.full_like(drawn.cover[..., :1, :1], level)
                plain = self.losses(drawn, levels, noise)[1].detach()  # gradients are on: else the blocks compile again
                losses[f"held_{level}"].append(plain.mean())
                if level >= HIGH and sided.any():
                    worse = self.losses(swapped, levels, noise)[1] - plain
                    losses[f"swapped_{level}"].append(worse[sided].mean().detach())
        self.model.load_state_dict(own)
        self.say(step=step, **told, **{name: torch.stack(values).mean().item() for name, values in losses.items()})
        weights = {name: value.half() for name, value in self.average.weights.items()}
        save_tensors(self.args.folder / DIT_FILE, weights, {"step": step})

    def means(self) -> dict[str, float]:
        """Of what was noted since the last time.

        Raises:
            FloatingPointError: the gradients are no numbers any more.
        """
        means = {name: torch.stack(values).float().mean(0) for name, values in self.noted.items()}
        self.noted.clear()
        if not means["gradient"].isfinite():
            raise FloatingPointError("the gradients are not finite: lower the rates")
        gap = means.pop("gap", torch.zeros(2))
        return {name: mean.item() for name, mean in means.items()} | {"gap": (gap[0] / gap[1].clamp(min=1e-6)).item()}

    def say(self, **told: float | str) -> None:
        """A line of the log."""
        told["seconds"] = round(time.monotonic() - self.begun, 1)
        rounded = {name: round(value, 5) if isinstance(value, float) else value for name, value in told.items()}
        line = json.dumps(rounded)
        print(line, flush=True)
        with (self.args.folder / "log.jsonl").open("a") as log:
            log.write(line + "\n")


def grown(start: str, depth: int) -> DiT:
    """The transformer of a model, grown to ``depth``."""
    folder = find_model(start)
    before = load_config(folder).dit
    old, after = DiT(before), replace(before, depth=depth)
    load_into(old, folder / DIT_FILE)
    model = DiT(after)
    model.load_state_dict(grow(old.state_dict(), before, after))
    return model


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    card = torch.cuda.is_available()
    parser.add_argument("chunks", type=Path, help="where clips.py leaves them")
    parser.add_argument("folder", type=Path, help="where the weights and the log go")
    parser.add_argument("--seconds", type=float, default=800.0, help="of everything, compiling and waiting too")
    parser.add_argument("--steps", type=int, default=-1, help="end after so many, if that is sooner")
    parser.add_argument("--start", default="sorairo-base", help="the model to grow from: a name or a folder")
    parser.add_argument("--depth", type=int, default=10, help="of the grown transformer; its width is 32 times that")
    parser.add_argument("--batch", type=int, default=192, help="clips of a step, a multiple of four: 39 GB at depth 10")
    parser.add_argument("--least", type=int, default=LEAST, help="clips to begin with")
    parser.add_argument("--capacity", type=int, default=100_000, help="clips kept of each size: 4 GB")
    parser.add_argument("--device", default="cuda" if card else "cpu")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=card, help="the blocks")
    return parser.parse_args()


if __name__ == "__main__":
    Training(arguments()).run()
