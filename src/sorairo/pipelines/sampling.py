"""From requests to latents: the transformer with its texts read, followed window by window. Never decodes or writes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from einops import rearrange
from torch import Tensor

from sorairo.checkpoint import load_tensors, save_tensors
from sorairo.diffusion.flow import interpolate
from sorairo.diffusion.guidance import Velocity, classifier_free, several_known
from sorairo.diffusion.samplers import SAMPLERS, Step, initial_noise
from sorairo.diffusion.schedules import phase_levels, sampling_levels, timestep_shift
from sorairo.diffusion.windows import plan_windows
from sorairo.models.precision import autocast
from sorairo.pipelines.bundle import ModelBundle
from sorairo.pipelines.progress import Advance, StageClock
from sorairo.pipelines.request import VideoRequest
from sorairo.pipelines.sampling_plan import SamplingPlan
from sorairo.pipelines.timeline import CONTEXT, Timeline, open_timeline
from sorairo.shapes import NATIVE_BUCKETS, NATIVE_FPS, LatentShape

SAMPLER = "multistep"
WINDOW = NATIVE_BUCKETS[0].latent.num_frames


class GenerationError(RuntimeError):
    """The model gave nothing usable; nothing was written."""


def sample(
    requests: Sequence[VideoRequest],
    bundle: ModelBundle,
    clock: StageClock,
    timeline: Timeline | None = None,
    unfinished: Path | None = None,
) -> Tensor:
    """Latents [b c t h w] of requests that differ only in their prompts and seeds. Scenes do not cut here.

    Each starts from the same noise whatever the batch; its result then agrees to the rounding of the products.
    Longer clips than the model was trained on are made in windows, each knowing the end of the one before; those that
    are finished are kept in the file ``unfinished``, and an earlier attempt's are not sampled again.
    """
    first = requests[0]
    alike = {replace(r, prompt="any", negative_prompt="", seed=0, user_prompt="") for r in requests}
    assert len(alike) == 1, "requests of one batch have one shape and one way of sampling"
    timeline = timeline or open_timeline(first)
    with clock.stage("text"):  # and pictures
        latents = timeline.latents(bundle.video_vae).repeat(len(requests), 1, 1, 1, 1)
        start_map = timeline.start_map(bundle.config.dit.patch)
    plan = SamplingPlan.of(first, bundle.config)
    windows = plan_windows((start_map.amax(dim=(0, 2, 3)) == 0).tolist(), WINDOW, CONTEXT)
    steps, finished = plan.num_steps, 0
    if unfinished:
        with suppress(ValueError):
            kept, told = load_tensors(unfinished)
            latents, finished = kept["latents"], told["windows"]
    with clock.stage("sampling", max(1, steps * len(windows))) as advance:
        for number, window in enumerate(windows):
            if number >= finished:
                on_step = partial(_watch, advance, number * steps, bundle, plan)
                latents[:, :, window] = _follow(
                    requests, bundle, plan, latents[:, :, window], start_map, window, on_step
                )
                if unfinished:
                    save_tensors(unfinished, {"latents": latents}, {"windows": number + 1})
            start_map[:, window] = 0
    return latents[:, :, : first.shape.latent.num_frames]


@torch.inference_mode()
def _follow(
    requests: Sequence[VideoRequest],
    bundle: ModelBundle,
    plan: SamplingPlan,
    known: Tensor,
    start_map: Tensor,
    window: slice,
    on_step: partial[None],
) -> Tensor:
    """One window from its starting map to clean latents."""
    shape = LatentShape(*known.shape[2:])
    start_map = start_map[:, window].expand(len(requests), -1, -1, -1)
    noise = initial_noise([r.seed for r in requests], shape, known.shape[1], frame_offset=window.start)
    noisy = interpolate(known, noise, start_map)
    noisy, start_map, noise = (tensor.to(bundle.device) for tensor in (noisy, start_map, noise))
    scale = 1.0 if plan.distilled else plan.guidance_scale
    other = noise if bool(several_known(start_map).any()) else None
    if plan.distilled:  # from one border of its phases to the next
        sampler, levels = "euler", phase_levels(plan.num_steps, float(start_map.max()))
    else:
        sampler, levels = SAMPLER, sampling_levels(plan.num_steps, timestep_shift(shape))
    with autocast(bundle.device):
        velocity = guided_velocity(requests, bundle, window, scale, other)
        result: Tensor = SAMPLERS[sampler](velocity, noisy, start_map, levels, on_step).cpu()
    return result


def guided_velocity(
    requests: Sequence[VideoRequest], bundle: ModelBundle, window: slice, scale: float, noise: Tensor | None = None
) -> Velocity:
    """The transformer with a window's texts read once, steered away from the negative prompts.

    With ``noise`` also away from what would be without the known places. At scale 1, and where a prompt is its own
    negative prompt and nothing is known, not steered: half the work.
    """
    texts, active = _scenes(requests, window)
    if scale == 1 or (noise is None and texts == [[r.negative_prompt] * len(texts[0]) for r in requests]):
        scale = 1
    else:
        texts += [[r.negative_prompt] * len(texts[0]) for r in requests]
    states, mask = bundle.text_encoder([text for row in texts for text in row])
    states = rearrange(states, "(r p) l d -> r (p l) d", r=len(texts))
    mask = rearrange(mask, "(r p) l -> r 1 (p l)", r=len(texts))
    if requests[0].scenes:
        mask = mask & active.repeat_interleave(mask.shape[-1] // active.shape[-1], -1).to(mask.device)
    memory = bundle.dit.text_memory(states, mask)

    def velocity(latents: Tensor, noise_map: Tensor) -> Tensor:
        result: Tensor = bundle.dit(latents, noise_map, memory, frame_offset=window.start)
        return result

    return velocity if scale == 1 else classifier_free(velocity, scale, noise=noise)


def _scenes(requests: Sequence[VideoRequest], window: slice) -> tuple[list[list[str]], Tensor]:
    """The prompts that hold somewhere in a window, of every request, and when: bool [1 t scenes]."""
    starts = torch.tensor([0.0, *(scene.start for scene in requests[0].scenes)])
    indices = torch.arange(window.start, window.stop)
    seconds = (4 * indices - 3).clamp(min=0) / NATIVE_FPS  # of a latent frame's first frame
    current = (seconds[:, None] >= starts).sum(1) - 1
    seen = sorted(set(current.tolist()))
    texts = [[r.prompt, *(scene.prompt for scene in r.scenes)] for r in requests]
    return [[row[index] for index in seen] for row in texts], (current[:, None] == torch.tensor(seen))[None]


def _watch(advance: Advance, done: int, bundle: ModelBundle, plan: SamplingPlan, step: Step) -> None:
    """Reports a step; stops when numbers have run away, which no later step mends."""
    if not bool(torch.isfinite(step.latents).all()):
        raise GenerationError(
            f"sampling went out of bounds at step {step.number} of {step.num_steps}; try less guidance "
            f"(it is {plan.guidance_scale:g}) or more steps"
        )
    look = partial(bundle.preview, step.clean_estimate) if bundle.preview else None
    advance(done + step.number, look)
