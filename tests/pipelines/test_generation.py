"""The main path with a tiny real model: signed, repeatable, resumable, and nothing left behind when it fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from sorairo.media import read_video
from sorairo.models.precision import autocast
from sorairo.pipelines import GenerationError, ModelBundle, Progress, VideoRequest, generate, load_bundle
from sorairo.pipelines.generation import LATENTS_PER_CHUNK, Generation, decoded_frames
from sorairo.pipelines.progress import STAGES, StageClock, silent
from sorairo.pipelines.sampling import guided_velocity, sample
from sorairo.provenance import home_folder, verify

REQUEST = VideoRequest(
    "a red ball", seed=3, width=64, height=32, seconds=2.0, num_inference_steps=4, guidance_scale=2.0, model="tiny"
)

WHOLE = slice(0, 5)


def sampled(bundle: ModelBundle, *requests: VideoRequest) -> Tensor:
    return sample(requests, bundle, StageClock(silent))


def kept_latents() -> list[Path]:
    return list((home_folder() / "unfinished").glob("*/*"))


class StoppedError(Exception):
    """What a test's watcher raises to break a generation off."""


class Watcher:
    """Keeps all progress, and stops at a stage if asked."""

    def __init__(self, stop_at: str = "") -> None:
        self.seen: list[Progress] = []
        self.stop_at = stop_at

    def __call__(self, progress: Progress) -> None:
        self.seen.append(progress)
        if progress.stage == self.stop_at:
            raise StoppedError

    def stages(self) -> Sequence[str]:
        return list(dict.fromkeys(progress.stage for progress in self.seen))


def test_a_clip_is_what_was_asked_for_and_signed(bundle: ModelBundle, tmp_path: Path) -> None:
    clip = generate(REQUEST, tmp_path / "a.mp4", bundle=bundle)
    frames, fps = read_video(clip.path)
    assert (frames.shape, fps) == ((17, 32, 64, 3), 8)
    assert set(clip.seconds_per_stage) == set(STAGES)
    verdict = verify(clip.path)
    assert verdict.state == "trusted"
    assert verdict.facts["weights_sha256"] == bundle.weights_sha256
    assert VideoRequest.from_dict(verdict.facts["request"]) == REQUEST
    assert verdict.facts["title"] == "a.mp4"


def test_a_model_given_by_its_path_is_signed_by_its_name(tiny_model: Path, tmp_path: Path) -> None:
    clip = generate(replace(REQUEST, model=str(tiny_model)), tmp_path / "a.mp4")
    assert clip.request.model == clip.manifest.model == "tiny"
    assert str(tiny_model).encode() not in clip.path.read_bytes()


def test_the_same_request_gives_the_same_frames(bundle: ModelBundle, tmp_path: Path) -> None:
    first, again, other = (
        read_video(generate(replace(REQUEST, seed=seed), tmp_path / name, bundle=bundle).path)[0]
        for name, seed in (("a.mp4", 3), ("b.mp4", 3), ("c.mp4", 4))
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_batch_does_not_matter(bundle: ModelBundle) -> None:
    requests = [replace(REQUEST, seed=seed, prompt=prompt) for seed, prompt in ((1, "a"), (2, "a blue cube falls"))]
    batch = sampled(bundle, *requests)
    for index, request in enumerate(requests):
        torch.testing.assert_close(batch[index : index + 1], sampled(bundle, request), atol=2e-3, rtol=1e-2)


def test_prompt_negative_prompt_and_guidance_all_matter(bundle: ModelBundle) -> None:
    plain = sampled(bundle, REQUEST)
    for change in ({"prompt": "snow"}, {"negative_prompt": "snow"}, {"guidance_scale": 5.0}):
        assert not torch.allclose(plain, sampled(bundle, replace(REQUEST, **change)))


def test_guidance_of_one_is_the_prompt_alone(bundle: ModelBundle) -> None:
    noise, level = torch.randn(1, 4, 5, 2, 4), torch.full((1, 5, 2, 4), 0.5)
    with autocast(bundle.device):
        alone = guided_velocity([REQUEST], bundle, WHOLE, 1)
        almost = guided_velocity([REQUEST], bundle, WHOLE, 1 + 1e-6)
        torch.testing.assert_close(alone(noise, level), almost(noise, level), atol=2e-3, rtol=1e-2)


def test_a_distilled_model_jumps_from_border_to_border(bundle: ModelBundle) -> None:
    """One call for each of its phases, the prompt's alone; its last jump goes where the model points."""
    distilled = replace(bundle, config=replace(bundle.config, distilled=True, num_inference_steps=4))
    seen: list[tuple[int, float]] = []
    hook = bundle.dit.register_forward_pre_hook(lambda dit, given: seen.append((len(given[0]), float(given[1].max()))))
    plain = replace(REQUEST, num_inference_steps=None, guidance_scale=None)
    with hook:
        latents = sampled(distilled, plain)
    assert seen == [(1, pytest.approx(level)) for level in (1, 0.9, 0.75, 0.5)]
    assert not torch.allclose(latents, sampled(bundle, replace(plain, num_inference_steps=4)))
    with pytest.raises(ValueError, match="tiny is distilled and knows only 4"):
        sampled(distilled, replace(plain, num_inference_steps=5))


def test_decoding_in_chunks_is_decoding(bundle: ModelBundle) -> None:
    latents = torch.randn(1, 4, 2 * LATENTS_PER_CHUNK + 1, 2, 3)
    frames = np.stack(list(decoded_frames(latents, bundle)))
    whole = bundle.video_vae.decode(latents)[0].permute(1, 2, 3, 0)
    assert np.abs(frames - (whole.numpy() + 1) * 127.5).max() <= 0.51


def test_progress_tells_every_stage_from_its_beginning_to_its_end(bundle: ModelBundle, tmp_path: Path) -> None:
    watcher = Watcher()
    generate(REQUEST, tmp_path / "a.mp4", watcher, bundle=bundle)
    assert watcher.stages() == list(STAGES)
    for stage, total in zip(STAGES, (1, 1, 1, REQUEST.num_inference_steps, 17, 1), strict=True):
        done = [progress.done for progress in watcher.seen if progress.stage == stage]
        assert done == list(range(total + 1))


def test_every_step_can_be_looked_at(bundle: ModelBundle, tmp_path: Path) -> None:
    watcher = Watcher()
    generate(REQUEST, tmp_path / "a.mp4", watcher, bundle=bundle)
    looks = [progress.preview() for progress in watcher.seen if progress.preview]
    assert len(looks) == REQUEST.num_inference_steps
    assert all(look.shape == (5, 2, 4, 3) for look in looks)


def test_nothing_has_the_outputs_name_before_it_is_signed(bundle: ModelBundle, tmp_path: Path) -> None:
    output = tmp_path / "a.mp4"
    present: list[bool] = []
    generate(REQUEST, output, lambda progress: present.append(output.exists()), bundle=bundle)
    assert present[-1]
    assert not any(present[:-1])


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_broken_off_leaves_nothing_but_latents(bundle: ModelBundle, tmp_path: Path, stage: str) -> None:
    request = replace(REQUEST, seed=100 + STAGES.index(stage))
    (tmp_path / "a.mp4").write_bytes(b"old")
    with pytest.raises(StoppedError):
        generate(request, tmp_path / "a.mp4", Watcher(stage), overwrite=True, bundle=bundle)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_bytes() == b"old"
    assert len(kept_latents()) == (1 if stage in ("decoding", "signing") else 0)
    generate(request, tmp_path / "b.mp4", bundle=bundle)
    assert kept_latents() == []


def test_latents_outlive_a_failure_and_give_the_same_clip(bundle: ModelBundle, tmp_path: Path) -> None:
    whole = generate(replace(REQUEST, seed=50), tmp_path / "whole.mp4", bundle=bundle)
    with pytest.raises(StoppedError):
        generate(whole.request, tmp_path / "a.mp4", Watcher("decoding"), bundle=bundle)
    watcher = Watcher()
    resumed = generate(whole.request, tmp_path / "a.mp4", watcher, bundle=bundle)
    assert "sampling" not in watcher.stages()
    assert np.array_equal(read_video(resumed.path)[0], read_video(whole.path)[0])


def test_finished_windows_outlive_a_process_that_was_killed(bundle: ModelBundle, tmp_path: Path) -> None:
    """Windows of two steps; two attempts die in the first step of the second and of the third."""
    request = replace(REQUEST, seconds=12.0, num_inference_steps=2)
    (whole,) = Generation(request, tmp_path / "whole", bundle).sample()
    done: list[int] = []

    def attempt(fatal: int) -> list[Tensor]:
        def watch(progress: Progress) -> None:
            if progress.stage == "sampling" and progress.done:
                done.append(progress.done)
            if progress.stage == "sampling" and progress.done == fatal:
                raise StoppedError

        return Generation(request, tmp_path / "again", bundle, watch).sample()

    for fatal in (3, 5):
        with pytest.raises(StoppedError):
            attempt(fatal)
    (again,) = attempt(-1)
    assert torch.equal(whole, again)
    assert done == [1, 2, 3, 3, 4, 5, *range(5, max(done) + 1)]
    assert max(done) >= 8


def test_broken_latents_are_sampled_again(bundle: ModelBundle, tmp_path: Path) -> None:
    request = replace(REQUEST, seed=51)
    with pytest.raises(StoppedError):
        generate(request, tmp_path / "a.mp4", Watcher("decoding"), bundle=bundle)
    (path,) = kept_latents()
    path.write_bytes(path.read_bytes()[:-9])
    watcher = Watcher()
    generate(request, tmp_path / "a.mp4", watcher, bundle=bundle)
    assert "sampling" in watcher.stages()
    assert kept_latents() == []


def test_numbers_that_run_away_are_reported(bundle: ModelBundle, tiny_model: Path, tmp_path: Path) -> None:
    broken = load_bundle(str(tiny_model), torch.device("cpu"))
    broken.dit.head.output.bias[0] = float("nan")
    with pytest.raises(GenerationError, match="step 1 of 4; try less guidance"):
        generate(REQUEST, tmp_path / "a.mp4", bundle=broken)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_replaced_only_when_asked(bundle: ModelBundle, tmp_path: Path) -> None:
    output = tmp_path / "a.mp4"
    output.write_bytes(b"old")
    with pytest.raises(ValueError, match="exists already"):
        generate(REQUEST, output, bundle=bundle)
    assert output.read_bytes() == b"old"
    generate(REQUEST, output, overwrite=True, bundle=bundle)
    assert verify(output).state == "trusted"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none/a.mp4", "there is no folder"),
        ("file/a.mp4", "there is no folder"),
        ("folder.mp4", "a folder; name a file in it"),
        ("a.avi", "nearest name is .*a.mp4"),
        ("a", "nearest name is .*a.mp4"),
        ("x" * 230 + ".mp4", "nothing can be written there"),
    ],
)
def test_an_impossible_output_is_refused_before_anything_is_computed(
    bundle: ModelBundle, tmp_path: Path, name: str, words: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.mp4").mkdir()
    watcher = Watcher()
    with pytest.raises(ValueError, match=words):
        generate(REQUEST, tmp_path / name, watcher, overwrite=True, bundle=bundle)
    assert watcher.seen == []


def test_the_shipped_model_makes_a_clip(shipped_model: str, tmp_path: Path) -> None:
    request = VideoRequest("a red ball rolls to the left", seconds=1.0, num_inference_steps=4, model=shipped_model)
    clip = generate(request, tmp_path / "a.mp4")
    assert verify(clip.path).state == "trusted"
    frames, _ = read_video(clip.path)
    assert frames.shape == (9, 96, 160, 3)
    assert frames.std() > 5
