"""The main path: text, sampling, decoding, signing.

The only writer of video made by a model, and never of an unsigned one.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from sorairo.checkpoint import load_tensors, save_tensors
from sorairo.diffusion.guidance import Velocity, classifier_free
from sorairo.diffusion.noise_maps import full
from sorairo.diffusion.samplers import SAMPLERS, Step, initial_noise
from sorairo.diffusion.schedules import sampling_levels, timestep_shift
from sorairo.media import Frames, write_mp4
from sorairo.pipelines.advice import notices
from sorairo.pipelines.bundle import ModelBundle, load_bundle
from sorairo.pipelines.preview import to_pixels
from sorairo.pipelines.progress import Advance, OnProgress, StageClock, silent
from sorairo.pipelines.request import VideoRequest
from sorairo.provenance import Manifest, home_folder, open_authority, sign
from sorairo.shapes import VideoShape

SAMPLER = "multistep"
LATENTS_PER_CHUNK = 3  # decoded at a time: few, so that memory stays flat; several, so that the processor is busy


class GenerationError(RuntimeError):
    """The model gave nothing usable; nothing was written."""


@dataclass(frozen=True)
class Clip:
    """A finished, signed file. ``seconds_per_stage``: wall-clock time; a stage that a resumed run skipped is absent."""

    path: Path
    request: VideoRequest
    shape: VideoShape
    seconds_per_stage: dict[str, float]
    manifest: Manifest


def generate(
    request: VideoRequest,
    output: str | Path,
    on_progress: OnProgress = silent,
    *,
    overwrite: bool = False,
    bundle: ModelBundle | None = None,
) -> Clip:
    """Makes the clip that is asked for and writes it to ``output`` (.mp4), signed.

    The same request and weights give the same frames on the same machine. Sampled latents outlive a failure later on:
    the same call then goes on from them. ``bundle`` saves loading the model again.

    Raises:
        ValueError: the output cannot be written (found before anything is computed) or the model is not whole.
        GenerationError: the latents are not finite. OSError: a full disk. SigningError: the signature does not hold.
    """
    output = check_output(Path(output), overwrite)
    authority = open_authority()
    clock = StageClock(on_progress)
    with clock.stage("loading") as advance:
        bundle = bundle or load_bundle(request.model)
        request = replace(request, model=bundle.name)  # not the path it came from: that is nobody's business
        advance(1, notices=tuple(notices(request, bundle.card)))
    kept = KeptLatents(request, bundle.weights_sha256)
    latents = kept.load()
    if latents is None:
        latents = sample([request], bundle, clock)
        kept.save(latents)
    manifest = Manifest(output.name, bundle.name, bundle.weights_sha256, request.to_dict())
    with tempfile.TemporaryDirectory(prefix="sorairo-") as folder:
        draft = Path(folder) / "unsigned.mp4"
        write_draft(draft, latents, bundle, request.shape, clock)
        with clock.stage("signing"):
            sign(draft, output, manifest, authority)
    kept.remove()
    return Clip(output, request, request.shape, clock.seconds, manifest)


def check_output(output: Path, overwrite: bool) -> Path:
    """Whether a clip can be written there, before a minute is spent on it. Raises ValueError of one line."""
    if output.suffix.lower() != ".mp4":
        raise ValueError(
            f"output is {output}; a clip is an .mp4 file: the nearest name is {output.with_suffix('.mp4')}"
        )
    if not output.parent.is_dir():
        raise ValueError(f"output is {output}; there is no folder {output.parent}")
    if output.is_dir() or (output.exists() and not overwrite):
        raise ValueError(f"output is {output}; it exists already: choose another name, or ask to overwrite it")
    try:
        # As long as the longest temporary name that the writers put beside it.
        with tempfile.NamedTemporaryFile(dir=output.parent, prefix=f".{output.name}.", suffix=".0123456789.partial"):
            return output
    except OSError as error:
        raise ValueError(f"output is {output}; nothing can be written there ({error.strerror})") from error


@torch.inference_mode()
def sample(requests: Sequence[VideoRequest], bundle: ModelBundle, clock: StageClock) -> Tensor:
    """Latents [b c t h w] of requests that differ only in their texts and seeds.

    Each starts from the same noise whatever the batch; its result then agrees to the last bits of the arithmetic.
    """
    first = requests[0]
    assert all(
        replace(r, prompt=first.prompt, negative_prompt=first.negative_prompt, seed=first.seed) == first
        for r in requests
    ), "requests of one batch have one shape and one way of sampling"
    shape = first.shape.latent
    with clock.stage("text"):
        velocity = guided_velocity(requests, bundle)
    noise = initial_noise([r.seed for r in requests], shape, bundle.config.dit.latent_channels).to(bundle.device)
    start_map = full(shape).expand(len(requests), -1, -1, -1).to(bundle.device)
    levels = sampling_levels(first.num_inference_steps, timestep_shift(shape))
    with clock.stage("sampling", first.num_inference_steps) as advance:
        on_step = partial(_watch, advance, bundle, first)
        return SAMPLERS[SAMPLER](velocity, noise, start_map, levels, on_step).cpu()


def guided_velocity(requests: Sequence[VideoRequest], bundle: ModelBundle) -> Velocity:
    """The transformer with its texts read once, steered away from the negative prompts; at scale 1 without them."""
    scale = requests[0].guidance_scale
    texts = [r.prompt for r in requests]
    if scale != 1:
        texts += [r.negative_prompt for r in requests]
    states, mask = bundle.text_encoder(texts)
    memory = bundle.dit.text_memory(states, mask[:, None])

    def velocity(latents: Tensor, noise_map: Tensor) -> Tensor:
        result: Tensor = bundle.dit(latents, noise_map, memory)
        return result

    return velocity if scale == 1 else classifier_free(velocity, scale)


def write_draft(path: Path, latents: Tensor, bundle: ModelBundle, shape: VideoShape, clock: StageClock) -> None:
    """Decodes and encodes chunk by chunk; the whole clip is never in memory."""
    with clock.stage("decoding", shape.num_frames) as advance:
        frames = _counted(decoded_frames(latents, bundle), advance)
        write_mp4(path, frames, width=shape.width, height=shape.height, fps=shape.fps)


@torch.inference_mode()
def decoded_frames(latents: Tensor, bundle: ModelBundle) -> Iterator[Frames]:
    """Frames uint8 [h w 3] of latents [1 c t h w]."""
    chunks = (chunk.to(bundle.device) for chunk in torch.split(latents, LATENTS_PER_CHUNK, dim=2))
    for video in bundle.video_vae.decode_stream(chunks):
        yield from to_pixels(video[0].permute(1, 2, 3, 0).cpu())


class KeptLatents:
    """Sampled latents of one request on disk, from the end of sampling until the clip is written."""

    def __init__(self, request: VideoRequest, weights_sha256: str) -> None:
        key = hashlib.sha256(f"{weights_sha256} {SAMPLER} {request.to_json()}".encode()).hexdigest()[:32]
        self._folder, self._key = home_folder() / "latents", key

    def load(self) -> Tensor | None:
        """What an interrupted run of the same request left, if it is whole."""
        for path in self._files():
            with suppress(ValueError):
                return load_tensors(path)[0]["latents"]
        return None

    def save(self, latents: Tensor) -> None:
        """Raises OSError naming the file, as on a full disk."""
        self._folder.mkdir(parents=True, exist_ok=True)
        # One file for each process: two that are asked the same at once do not write over each other.
        save_tensors(self._folder / f"{self._key}-{os.getpid()}.safetensors", {"latents": latents}, {})

    def remove(self) -> None:
        for path in self._files():
            path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob(f"{self._key}-*.safetensors"))


def _watch(advance: Advance, bundle: ModelBundle, request: VideoRequest, step: Step) -> None:
    """Reports a step; stops when numbers have run away, which no later step mends."""
    if not bool(torch.isfinite(step.latents).all()):
        raise GenerationError(
            f"sampling went out of bounds at step {step.number} of {step.num_steps}; try a lower guidance_scale "
            f"(it is {request.guidance_scale:g}) or more steps"
        )
    look = partial(bundle.preview, step.clean_estimate) if bundle.preview else None
    advance(step.number, look)


def _counted(frames: Iterator[Frames], advance: Advance) -> Iterator[Frames]:
    for number, frame in enumerate(frames, start=1):
        yield frame
        advance(number)
