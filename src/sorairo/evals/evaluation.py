"""One model, one number for each fact: makes clips of held-out prompts and holds them against what was asked.

Writes a report and nothing else: its clips live in memory, are never written to a file, and so need no signature.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sorairo.checkpoint import file_sha256
from sorairo.evals.agreement import LEAST_AGREEMENT
from sorairo.evals.detector import Detector, as_input, detector_file, load_detector
from sorairo.evals.judgement import JUDGES, judge
from sorairo.evals.observation import Observation
from sorairo.evals.prompts import NUM_PROMPTS, Case, held_out_cases
from sorairo.evals.report import EvaluationReport, PromptResult
from sorairo.evals.scoring import score_rows, tally, tally_others
from sorairo.evals.statements import Statement, statements
from sorairo.pipelines.bundle import ModelBundle, load_bundle
from sorairo.pipelines.generation import decoded_frames
from sorairo.pipelines.progress import StageClock, silent
from sorairo.pipelines.request import VideoRequest
from sorairo.pipelines.sampling import sample
from sorairo.shapes import NATIVE_BUCKETS, VideoShape
from sorairo.world import render

Frames = npt.NDArray[np.uint8]
OnProgress = Callable[[str, int, int], None]
Item = TypeVar("Item")


@dataclass(frozen=True)
class Sampling:
    """How clips are made: shape, steps, guidance, the seed of the first clip (the others follow), clips at a time."""

    shape: VideoShape
    num_inference_steps: int
    guidance_scale: float
    seed: int
    batch_size: int


def silent_progress(stage: str, done: int, total: int) -> None:
    """Reports to nobody."""


def run_evaluation(
    model: str | Path | ModelBundle,
    *,
    output: Path,
    num_prompts: int = NUM_PROMPTS,
    num_inference_steps: int = VideoRequest.num_inference_steps,
    guidance_scale: float = VideoRequest.guidance_scale,
    seed: int = 0,
    batch_size: int = 4,
    progress: OnProgress = silent_progress,
) -> EvaluationReport:
    """Score a model on the first num_prompts held-out prompts; writes evaluation.json and evaluation.md to output.

    progress is told the stage ("real", "autoencoder", "model") and how many of its clips are done. Raises ValueError
    for an unknown model, broken weights or a number of prompts that the list does not have.
    """
    sampling = Sampling(NATIVE_BUCKETS[0], num_inference_steps, guidance_scale, seed, batch_size)
    cases = held_out_cases(num_prompts, sampling.shape)
    bundle = model if isinstance(model, ModelBundle) else load_bundle(str(model))
    detector, seconds = load_detector(), dict[str, float]()
    said = [statements(case.caption.claims) for case in cases]
    with _timed("real", seconds):
        frames = [render(case.clip)[0] for case in _watched(cases, "real", progress)]
        real = [detector.observe(clip) for clip in frames]
    with _timed("autoencoder", seconds):
        rebuilt = [detector.observe(through_vae(clip, bundle)) for clip in _watched(frames, "autoencoder", progress)]
    with _timed("model", seconds):
        made = [detector.observe(clip) for clip in sample_clips(cases, bundle, sampling, progress)]
    report = _report(bundle, sampling, detector, cases, said, (made, real, rebuilt), seconds)
    report.write(output)
    return report


def sample_clips(
    cases: Sequence[Case], bundle: ModelBundle, sampling: Sampling, progress: OnProgress = silent_progress
) -> Iterator[Frames]:
    """Frames [t h w 3] of each case's prompt in turn."""
    shape = sampling.shape
    requests = [
        VideoRequest(
            prompt=case.caption.text,
            width=shape.width,
            height=shape.height,
            seconds=shape.seconds,
            fps=shape.fps,
            seed=sampling.seed + index,
            num_inference_steps=sampling.num_inference_steps,
            guidance_scale=sampling.guidance_scale,
            model=bundle.name,
        )
        for index, case in enumerate(cases)
    ]
    for start in range(0, len(requests), sampling.batch_size):
        latents = sample(requests[start : start + sampling.batch_size], bundle, StageClock(silent))
        for row in torch.split(latents, 1):
            yield np.stack(list(decoded_frames(row, bundle)))
        progress("model", min(start + sampling.batch_size, len(requests)), len(requests))


@torch.inference_mode()
def through_vae(frames: Frames, bundle: ModelBundle) -> Frames:
    """Frames [t h w 3] encoded to latents and decoded again."""
    video: Tensor = as_input(torch.from_numpy(frames)).movedim(0, 1)[None]
    return np.stack(list(decoded_frames(bundle.video_vae.encode(video.to(bundle.device)), bundle)))


def _report(
    bundle: ModelBundle,
    sampling: Sampling,
    detector: Detector,
    cases: Sequence[Case],
    said: Sequence[tuple[Statement, ...]],
    seen: tuple[list[Observation], list[Observation], list[Observation]],
    seconds: dict[str, float],
) -> EvaluationReport:
    made, real, rebuilt = seen
    scored = [fact for fact in JUDGES if detector.agreement.get(fact, 0.0) >= LEAST_AGREEMENT]
    scores = score_rows(tally(said, made), tally_others(said, real), tally(said, real), scored, tally(said, rebuilt))
    return EvaluationReport(
        model=bundle.name,
        weights_sha256=bundle.weights_sha256,
        detector_sha256=file_sha256(detector_file()),
        num_prompts=len(cases),
        size=f"{sampling.shape.width}x{sampling.shape.height}, {sampling.shape.num_frames} frames",
        num_inference_steps=sampling.num_inference_steps,
        guidance_scale=sampling.guidance_scale,
        seed=sampling.seed,
        scores=scores,
        unscored=dict(Counter(s.fact for of_prompt in said for s in of_prompt if s.fact not in scored)),
        agreement=dict(detector.agreement),
        prompts=tuple(_verdicts(*of_case, scored) for of_case in zip(cases, said, made, strict=True)),
        seconds={stage: round(spent, 1) for stage, spent in seconds.items()},
    )


def _verdicts(case: Case, said: tuple[Statement, ...], seen: Observation, scored: Sequence[str]) -> PromptResult:
    verdicts = {str(s): judge(s, seen) if s.fact in scored else None for s in said}
    return PromptResult(case.caption.text, case.clip.scenario, case.clip.seed, verdicts)


@contextmanager
def _timed(stage: str, seconds: dict[str, float]) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start


def _watched(items: Sequence[Item], stage: str, progress: OnProgress) -> Iterator[Item]:
    for done, item in enumerate(items, start=1):
        yield item
        progress(stage, done, len(items))
