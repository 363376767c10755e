"""One model, one number for each fact: makes clips of WorldBench's prompts and holds them against what was asked.

Its clips are written for the report's page only, each signed as any clip of a model is. Trains nothing.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from sorairo.data.world_frames import OnProgress
from sorairo.evals.agreement import scored_facts
from sorairo.evals.detector import Detector, detector_file, load_detector
from sorairo.evals.judgement import judge
from sorairo.evals.laws import fits, jumbled, medians, tally_laws
from sorairo.evals.prompts import Case, bench_cases, held_out_cases
from sorairo.evals.report import About, EvaluationReport, PromptResult
from sorairo.evals.scoring import SCORED_GROUPS, no_tally, part, score_rows, tally, tally_others
from sorairo.evals.statements import FACTS, Statement, statements
from sorairo.media import Frames, file_sha256, write_mp4
from sorairo.models.video_vae import to_video
from sorairo.pipelines.bundle import ModelBundle, load_bundle
from sorairo.pipelines.generation import decoded_frames
from sorairo.pipelines.progress import StageClock, silent
from sorairo.pipelines.request import VideoRequest
from sorairo.pipelines.sampling import sample
from sorairo.pipelines.sampling_plan import SamplingPlan
from sorairo.provenance import Manifest, open_authority, sign
from sorairo.sight.observation import Observation
from sorairo.world import render

Item = TypeVar("Item")
CLIPS = "clips"
LIKE = VideoRequest("each prompt in turn")
"""How clips are made by default."""


@dataclass(frozen=True)
class Asked:
    """A prompt and what it says of a clip. link: its clip's file, seen from the report's folder."""

    prompt: str
    said: tuple[Statement, ...]
    scenario: str = ""
    clip_seed: int = -1
    kind: str = "own"
    link: str = ""

    @classmethod
    def of(cls, case: Case, link: str) -> Asked:
        told, clip = case.caption, case.clip
        return cls(told.text, statements(told.claims), clip.scenario, clip.seed, case.kind, link)


@dataclass(frozen=True)
class Watched:
    """What was seen of the clips of all prompts. real, rebuilt: of real clips, and of these through an autoencoder.

    Without real clips there is no ceiling, and the floor comes from what was made for other prompts.
    """

    made: Sequence[Observation]
    real: Sequence[Observation] = ()
    rebuilt: Sequence[Observation] = ()


def run_evaluation(
    model: str | Path | ModelBundle,
    *,
    output: Path,
    num_prompts: int | None = None,
    quick: bool = False,
    fresh: int | None = None,
    like: VideoRequest = LIKE,
    batch_size: int = 4,
    progress: OnProgress = silent,
) -> EvaluationReport:
    """Score a model; writes evaluation.json, .md, .html and clips/ to output.

    On all of WorldBench, on few prompts of each kind (``quick``), on a new list of the same kinds (``fresh``), or on
    the first num_prompts familiar ones. like: how clips are made; its seed is the first one's, and the others follow.
    progress is told the stage ("real", "autoencoder", "model") and how many of its clips are done. Raises ValueError
    for an unknown model, broken weights or a number that the list does not have.
    """
    cases = held_out_cases(num_prompts) if num_prompts is not None else bench_cases(quick, fresh)
    bundle = model if isinstance(model, ModelBundle) else load_bundle(str(model))
    plan = SamplingPlan.of(like, bundle.config)
    detector, seconds = load_detector(), dict[str, float]()
    (output / CLIPS).mkdir(parents=True, exist_ok=True)
    frames = list(_timed("real", (render(case.clip)[0] for case in cases), len(cases), seconds, progress))
    real = [detector.observe(clip) for clip in frames]
    through = (detector.observe(through_vae(clip, bundle)) for clip in frames)
    rebuilt = list(_timed("autoencoder", through, len(cases), seconds, progress))
    del frames
    requests = requests_of(cases, bundle, like)
    asked = [Asked.of(case, f"{CLIPS}/{number:03}.mp4") for number, case in enumerate(cases)]
    made = []
    clips = _timed("model", sample_clips(requests, bundle, batch_size), len(cases), seconds, progress)
    for clip, request, told in zip(clips, requests, asked, strict=True):
        write_signed(output / told.link, clip, request, bundle)
        made.append(detector.observe(clip))
    about = About(
        model=bundle.name,
        weights_sha256=bundle.weights_sha256,
        detector_sha256=file_sha256(detector_file()),
        num_prompts=len(cases),
        size=f"{like.width}x{like.height}, {like.num_frames} frames",
        num_inference_steps=plan.num_steps,
        guidance_scale=plan.guidance_scale,
        seed=like.seed,
        seconds={stage: round(spent, 1) for stage, spent in seconds.items()},
    )
    report = judged(about, asked, Watched(made, real, rebuilt), detector)
    report.write(output)
    return report


def requests_of(cases: Sequence[Case], bundle: ModelBundle, like: VideoRequest = LIKE) -> list[VideoRequest]:
    """What is asked of a model for each case."""
    each = enumerate(cases, start=like.seed)
    return [replace(like, prompt=case.caption.text, seed=seed, model=bundle.name) for seed, case in each]


def sample_clips(requests: Sequence[VideoRequest], bundle: ModelBundle, batch_size: int = 4) -> Iterator[Frames]:
    """Frames [t h w 3] of each request in turn, some at a time."""
    for start in range(0, len(requests), batch_size):
        latents = sample(requests[start : start + batch_size], bundle, StageClock(silent))
        for row in torch.split(latents, 1):
            yield np.stack(list(decoded_frames(row, bundle)))


def write_signed(path: Path, frames: Frames, request: VideoRequest, bundle: ModelBundle) -> None:
    """A clip as a signed file: whatever a model made carries its credentials, a report's clips too."""
    manifest = Manifest(path.name, bundle.name, bundle.weights_sha256, request.for_strangers())
    with tempfile.TemporaryDirectory(prefix="sorairo-") as folder:
        draft = Path(folder) / "draft.mp4"
        write_mp4(draft, frames, width=frames.shape[2], height=frames.shape[1], fps=request.fps)
        sign(draft, path, manifest, open_authority())


@torch.inference_mode()
def through_vae(frames: Frames, bundle: ModelBundle) -> Frames:
    """Frames [t h w 3] encoded to latents and decoded again."""
    latents = bundle.video_vae.encode(to_video(frames).to(bundle.device))
    return np.stack(list(decoded_frames(latents, bundle)))


def judged(about: About, asked: Sequence[Asked], watched: Watched, detector: Detector) -> EvaluationReport:
    """The report on what was seen."""
    said, real = [each.said for each in asked], watched.real or watched.made
    scored = scored_facts(detector.agreement)
    doubtful = {fact: (fact,) for fact in FACTS if fact not in scored}
    clips = (watched.made, [jumbled(seen) for seen in real], watched.real, watched.rebuilt)
    fitted = [[fits(seen) for seen in of_kind] for of_kind in clips]
    facts = (tally(said, watched.made), tally_others(said, real), *(tally(said, of) if of else {} for of in clips[2:]))
    made, floor, ceiling, rebuilt = (
        {**a, **tally_laws(b, detector.limits)} if a else no_tally(len(said))
        for a, b in zip(facts, fitted, strict=True)
    )
    kinds = np.array([each.kind for each in asked])
    chosen = {"all": kinds != "", **{str(kind): kinds == kind for kind in dict.fromkeys(kinds)}}
    laws, groups = [*scored, *detector.limits], {}
    for kind, mask in chosen.items():
        own = partial(part, chosen=mask)
        groups[kind] = score_rows(own(made), own(floor), own(ceiling), laws, own(rebuilt), SCORED_GROUPS)
    return EvaluationReport(
        about,
        scores=score_rows(made, floor, ceiling, laws, rebuilt),
        doubtful=score_rows(made, floor, ceiling, list(doubtful), rebuilt, doubtful),
        groups=groups,
        laws={"made": medians(fitted[0]), "real": medians(fitted[2])},
        unscored=dict(Counter(s.fact for of_prompt in said for s in of_prompt if s.fact not in scored)),
        agreement=dict(detector.agreement),
        prompts=tuple(_result(*each, scored) for each in zip(asked, watched.made, strict=True)),
    )


def _result(asked: Asked, seen: Observation, scored: Sequence[str]) -> PromptResult:
    held = {str(s): judge(s, seen) if s.fact in scored else None for s in asked.said}
    return PromptResult(asked.prompt, asked.scenario, asked.clip_seed, held, asked.kind, asked.link)


def _timed(
    stage: str, items: Iterable[Item], total: int, seconds: dict[str, float], progress: OnProgress
) -> Iterator[Item]:
    """The items, with a word for each and the time that making and using them took."""
    start = time.perf_counter()
    for done, item in enumerate(items, start=1):
        yield item
        seconds[stage] = time.perf_counter() - start
        progress(stage, done, total)
