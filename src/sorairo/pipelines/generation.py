"""The main path: known frames and texts, sampling, decoding, signing.

The only writer of video made by a model, and never of an unsigned one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice, pairwise
from pathlib import Path

import torch
from torch import Tensor

from sorairo.checkpoint import load_tensors, save_tensors
from sorairo.media import Frames, check_output, file_sha256, write_mp4, write_png
from sorairo.models.interpolator import load_interpolator
from sorairo.pipelines.advice import notices
from sorairo.pipelines.bundle import ModelBundle, load_bundle
from sorairo.pipelines.finishing import finish, load_upscaler
from sorairo.pipelines.judging import Reviews, with_judge
from sorairo.pipelines.marking import Marker, clip_identity, ingredients
from sorairo.pipelines.policy import (
    RefusedError,
    apply_policy,
    judge_frame,
    judge_uploads,
    picture_context,
    standard_context,
    texts_of,
)
from sorairo.pipelines.preview import to_pixels
from sorairo.pipelines.progress import Advance, OnProgress, StageClock, silent
from sorairo.pipelines.request import Curve, Scene, VideoRequest
from sorairo.pipelines.sampling import SAMPLER, sample
from sorairo.pipelines.sampling_plan import SamplingPlan
from sorairo.pipelines.timeline import open_timeline
from sorairo.provenance import ClipStore, KnownClip, Manifest, home_folder, open_authority, sign
from sorairo.provenance.fingerprint import fingerprint
from sorairo.safety.policy import STANDARD_TIER
from sorairo.shapes import NATIVE_FPS, TEMPORAL_STRIDE, VideoShape

LATENTS_PER_CHUNK = 3  # decoded at a time: few, so that memory stays flat; several, so that the processor is busy


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
    store: ClipStore | None = None,
) -> Clip:
    """Makes the clip (.mp4) or picture (.png) that is asked for and writes it to ``output``, signed.

    The same request and weights give the same frames on the same machine. Sampled latents outlive a failure later on,
    from which the same call then goes on, but not what the policy says of their pictures. ``bundle`` saves loading the
    model again; ``store`` remembers the clip, so that it is found again (this machine's own one if None).

    Raises:
        ValueError: the output cannot be written (found before anything is computed), a file that is used cannot be
            read, or the model is not whole. RefusedError, a ValueError too: the policy refuses.
        GenerationError: the latents are not finite. OSError: a full disk. SigningError: the signature does not hold.
    """
    output = check_output(Path(output), overwrite, ".png" if request.still else ".mp4")
    open_authority()  # made or refused now, not after a minute's work
    request = request.with_materials(lambda m: replace(m, sha256=m.sha256 or file_sha256(Path(m.path))))
    generation = Generation(request, None, bundle, on_progress)
    try:
        clip = generation.sign(output, store)
    except BaseException as error:
        judged = isinstance(error, RefusedError) and error.decision.findings[0].category != "unavailable"
        generation.remove(but_latents=not judged)
        raise
    generation.remove()
    return clip


class Generation:
    """One request on its way to a signed file, in steps that each leave a file in ``folder``.

    A step whose file is there is skipped, so they may be repeated after a crash. Without a ``folder`` it takes one of
    its own, and what a dead process left of the same request.
    """

    def __init__(
        self,
        request: VideoRequest,
        folder: Path | None = None,
        bundle: ModelBundle | None = None,
        on_progress: OnProgress = silent,
        people: bool = True,
        group: str = STANDARD_TIER,
    ) -> None:
        """``people``: whether who asks may use pictures of people, with their consent; ``group``: whose thresholds of
        the policy hold. A service knows its accounts."""
        self.clock = StageClock(on_progress)
        with self.clock.stage("loading"):
            self.bundle = bundle or load_bundle(request.model)
            plan = SamplingPlan.of(request, self.bundle.config)
            # Not the path it came from: that is nobody's business.
            request = replace(request, model=self.bundle.name, **plan.told)
            told = notices(request, self.bundle.card)
            self.upscaler = load_upscaler(device=self.bundle.device) if request.plan.scale > 1 else None
            self.interpolator = None
            if request.fps != NATIVE_FPS or request.lands:
                try:
                    self.interpolator = load_interpolator()
                except ValueError as error:  # its weights come in a package of their own (docs/hd.md)
                    told.append(f"frames in between are blends of their neighbours: {error}")
        with self.clock.stage("policy") as advance:
            context = with_judge(standard_context(self.bundle.text_encoder, group))
            self.request, decision = apply_policy(request, context)
            self.shots = shots(self.request)
            self.timelines = [open_timeline(shot.request) for shot in self.shots]
            self.pictures = picture_context(self.request, people)
            uploads = judge_uploads(self.timelines, self.pictures)
            self.reviews = Reviews(texts_of(self.request), uploads, context)
            told += [decision.reason()] if decision.changes else []
            advance(1, notices=tuple(told))  # not before it is known that something will be made
        self.folder = folder or _claimed(f"{self.bundle.weights_sha256} {SAMPLER} {self.request.to_json()}")
        self.latents_file = self.folder / "latents.safetensors"
        self.draft_file = self.folder / ("draft.png" if request.still else "draft.mp4")

    def sample(self) -> list[Tensor]:
        """Latents [1 c t h w] of every shot: sampled, or what is left of an earlier attempt. Raises GenerationError."""
        with suppress(ValueError):
            tensors = load_tensors(self.latents_file)[0]
            return [tensors[f"shot.{number}"] for number in range(len(self.shots))]
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = [self.folder / f"shot-{number}.safetensors" for number in range(len(self.shots))]
        latents = [
            sample([shot.request], self.bundle, self.clock, timeline, kept)
            for shot, timeline, kept in zip(self.shots, self.timelines, unfinished, strict=True)
        ]
        save_tensors(self.latents_file, {f"shot.{n}": shot for n, shot in enumerate(latents)}, {})
        for kept in unfinished:
            kept.unlink(missing_ok=True)
        return latents

    def decode(self) -> Path:
        """The unsigned draft, for nobody's eyes. Decoded and encoded chunk by chunk: never whole in memory."""
        if self.draft_file.exists():
            return self.draft_file
        self.sample()
        request = self.request
        with self.clock.stage("decoding", request.num_frames) as advance:
            frames = _counted(self._marked_frames(), advance)
            if request.still:
                write_png(self.draft_file, next(frames))
            else:
                write_mp4(self.draft_file, frames, width=request.width, height=request.height, fps=request.fps)
        return self.draft_file

    def sign(self, output: Path, store: ClipStore | None = None, known_as: str = "") -> Clip:
        """Writes the finished file, and has ``store`` know it by its name or what it is ``known_as``.

        Raises RefusedError where the judge does; SigningError; OSError as `media.new_file` does, and where the store
        cannot be written: a clip that could not be found again is not signed.
        """
        draft, bundle = self.decode(), self.bundle
        self.reviews.accept(draft)
        request = self.request.for_strangers()
        identity = clip_identity(self.request, bundle.weights_sha256)
        used = ingredients(self.request)
        datasets = bundle.card.datasets
        manifest = Manifest(output.name, bundle.name, bundle.weights_sha256, request, identity, used, datasets=datasets)
        with self.clock.stage("signing"):
            made, small = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", fingerprint(draft)
            (store or ClipStore()).add(KnownClip(identity, known_as or output.name, bundle.name, made, small))
            sign(draft, output, manifest, open_authority())
        return Clip(output, self.request, self.request.shape, self.clock.seconds, manifest)

    def remove(self, but_latents: bool = False) -> None:
        """Deletes what the steps left."""
        self.draft_file.unlink(missing_ok=True)
        if not (but_latents and self.latents_file.exists()):
            shutil.rmtree(self.folder, ignore_errors=True)

    def frames(self) -> Iterator[Frames]:
        """Finished frames uint8 [h w 3], unmarked, known pixels as given: for those who look and write no file."""
        return (frame for frame, _ in self._frames())

    def _frames(self) -> Iterator[tuple[Frames, bool]]:
        """Finished frames, and whether each is wholly of a file that was given."""
        request = self.request
        for shot, timeline, latents in zip(self.shots, self.timelines, self.sample(), strict=True):
            made = timeline.settled(decoded_frames(latents, self.bundle), self.interpolator)
            steps = request.plan, NATIVE_FPS, request.fps, self.upscaler, self.interpolator
            yield from islice(timeline.pass_through(finish(made, *steps), request.fps), shot.num_frames)

    def _marked_frames(self) -> Iterator[Frames]:
        """As they go into the file. Raises RefusedError at the first frame that must not be shown."""
        marker = Marker(self.request, self.bundle.weights_sha256)
        for number, (frame, kept) in enumerate(self._frames()):
            judge_frame(frame, number, self.request, self.pictures)
            yield marker.mark(frame, kept)


def _claimed(content: str) -> Path:
    """A folder for a generation of ``content``: that of a process which died over the same, or a new one."""
    key, parent = hashlib.sha256(content.encode()).hexdigest()[:32], home_folder() / "unfinished"
    own = parent / f"{key}-{os.getpid()}"
    for left in sorted(parent.glob(f"{key}-*")):
        with suppress(OSError):  # another process was quicker
            if not _alive(int(left.name.rpartition("-")[2])):
                left.rename(own)
    return own


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError as error:
        return isinstance(error, PermissionError)  # somebody else's
    return True


@dataclass(frozen=True)
class Shot:
    """What lies between two cuts, as a request of its own; its first ``num_frames`` finished frames are used."""

    request: VideoRequest
    num_frames: int


def shots(request: VideoRequest) -> tuple[Shot, ...]:
    """A request's shots: one, unless scenes cut. Nothing of one is seen by another."""
    cuts = [scene for scene in request.scenes if scene.cut]
    if not cuts:
        return (Shot(request, request.num_frames),)
    edges = [0, *(round(scene.start * NATIVE_FPS) for scene in cuts), request.shape.num_frames]
    # Each shows every frame until the next begins: at a raised rate also some after its last native one.
    shown = [min(-(-edge * request.fps // NATIVE_FPS), request.num_frames) for edge in edges]
    prompts = [request.prompt, *(scene.prompt for scene in cuts)]
    return tuple(
        Shot(_part(request, number, prompt, start, stop), shown[number + 1] - shown[number])
        for number, (prompt, (start, stop)) in enumerate(zip(prompts, pairwise(edges), strict=True))
    )


def _part(request: VideoRequest, number: int, prompt: str, start: int, stop: int) -> VideoRequest:
    """Frames ``start`` to ``stop`` of a request as one whose clock begins there; with noise of its own."""
    last = stop == request.shape.num_frames  # another ends where the next begins, so it needs one frame more
    first, groups = start / NATIVE_FPS, max(1, -(-(stop - start - last) // TEMPORAL_STRIDE))
    seconds = groups * TEMPORAL_STRIDE / NATIVE_FPS
    scenes = tuple(
        Scene(scene.start - first, scene.prompt)
        for scene in request.scenes
        if not scene.cut and first < scene.start < stop / NATIVE_FPS
    )
    anchors = tuple(
        replace(anchor, time=anchor.time - first)
        for anchor in request.anchors
        if first <= anchor.time < stop / NATIVE_FPS
    )
    source = request.source
    if source:
        strength, influence = _shifted(source.strength, first), _shifted(source.influence, first)
        source = replace(source, start=source.start + first, strength=strength, influence=influence)
    return replace(
        request, prompt=prompt, seconds=seconds, seed=(request.seed + number) % 2**64, scenes=scenes, anchors=anchors,
        source=source,
    )  # fmt: skip


def _shifted(points: Curve, seconds: float) -> Curve:
    return tuple((time - seconds, value) for time, value in points)


@torch.inference_mode()
def decoded_frames(latents: Tensor, bundle: ModelBundle) -> Iterator[Frames]:
    """Frames uint8 [h w 3] of latents [1 c t h w]."""
    chunks = (chunk.to(bundle.device) for chunk in torch.split(latents, LATENTS_PER_CHUNK, dim=2))
    for video in bundle.video_vae.decode_stream(chunks):
        yield from to_pixels(video[0].permute(1, 2, 3, 0).cpu())


def _counted(frames: Iterator[Frames], advance: Advance) -> Iterator[Frames]:
    for number, frame in enumerate(frames, start=1):
        yield frame
        advance(number)
