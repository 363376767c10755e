"""Marks and the policy on frames on the main path: what gets them, what passes unmarked, what is never published."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sorairo.media import Frames, read_any, write_mp4, write_png
from sorairo.pipelines import Generation, ModelBundle, RefusedError, VideoRequest, generate, tools
from sorairo.pipelines.marking import Marker, clip_identity, ingredients
from sorairo.provenance import ClipStore, SigningError, open_authority, verify, whence
from sorairo.provenance.watermark import carries_watermark, read_watermarks
from sorairo.safety.detectors import MinorDetector

FAST = {"num_inference_steps": 2, "guidance_scale": 1.0, "model": "tiny"}
REQUEST = VideoRequest("a red ball", width=160, height=96, seconds=1.0, seed=3, **FAST)


def soft(number: int = 0) -> Frames:
    rough = np.random.default_rng(number).integers(60, 200, (4, 6, 3), np.uint8)
    return np.asarray(Image.fromarray(rough).resize((160, 96), Image.Resampling.BICUBIC))


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    """A second of unmarked footage. (What the tiny model makes is noise, in which no mark could be read.)"""
    shares = np.linspace(0, 1, 9)[:, None, None, None]
    frames = (soft(1) * (1 - shares) + soft(2) * shares).astype(np.uint8)
    write_mp4(tmp_path / "footage.mp4", frames, width=160, height=96, fps=8)
    return tmp_path / "footage.mp4"


@pytest.fixture
def marked_clip(footage: Path, bundle: ModelBundle, tmp_path: Path) -> Path:
    """The footage as a clip of this software: a remix that changes nothing, with marks."""
    return generate(tools.remix(footage, "a", 0.0, **FAST), tmp_path / "marked.mp4", bundle=bundle).path


def marked_frames(request: VideoRequest, bundle: ModelBundle, folder: Path) -> tuple[Frames, Frames]:
    """As they go into the file, and without marks."""
    generation = Generation(request, folder / "generation", bundle)
    return np.stack(list(generation._marked_frames())), np.stack(list(generation.frames()))


def test_every_made_frame_has_both_marks(bundle: ModelBundle, tmp_path: Path) -> None:
    marked, plain = marked_frames(REQUEST, bundle, tmp_path)
    unseen, again = marked_frames(replace(REQUEST, visible_mark=False), bundle, tmp_path)
    assert np.array_equal(plain, again)
    assert np.abs(marked.astype(int) - plain).max() > 40 > 10 > np.abs(unseen.astype(int) - plain).max()


def test_what_is_kept_of_a_marked_clip_passes_bit_by_bit(
    marked_clip: Path, bundle: ModelBundle, tmp_path: Path
) -> None:
    marked, plain = marked_frames(tools.extend(marked_clip, 0.5, **FAST), bundle, tmp_path)
    assert np.array_equal(marked[:9], read_any(marked_clip)[0])
    assert not any(np.array_equal(one, other) for one, other in zip(marked[9:], plain[9:], strict=True))


def test_what_is_kept_of_unmarked_footage_is_marked(footage: Path, bundle: ModelBundle, tmp_path: Path) -> None:
    request = tools.extend(footage, 0.5, "snow", **FAST)
    marked, plain = marked_frames(request, bundle, tmp_path)
    assert np.array_equal(plain[:9], read_any(footage)[0])
    assert all(carries_watermark(frame) for frame in marked[:9])
    generation = Generation(request, tmp_path / "again", bundle)
    identity = clip_identity(generation.request, bundle.weights_sha256)
    assert [reading.identity for reading in read_watermarks(marked[:9])] == [identity]


def test_a_frame_of_which_a_part_is_made_is_marked(marked_clip: Path, bundle: ModelBundle, tmp_path: Path) -> None:
    clip = marked_clip
    mask = np.zeros((96, 160, 3), np.uint8)
    mask[:, 80:] = 255
    write_png(tmp_path / "mask.png", mask)
    marked, plain = marked_frames(tools.inpaint(clip, tmp_path / "mask.png", "snow", **FAST), bundle, tmp_path)
    assert not any(np.array_equal(one, other) for one, other in zip(marked, plain, strict=True))


def test_a_clips_identity_is_its_requests_not_its_files_names() -> None:
    weights = "ab" * 32
    assert clip_identity(REQUEST, weights) == clip_identity(replace(REQUEST), weights)
    assert clip_identity(REQUEST, weights) != clip_identity(replace(REQUEST, seed=4), weights)
    assert clip_identity(REQUEST, weights) != clip_identity(REQUEST, "cd" * 32)
    one, other = (tools.Anchor(tools.Material(name, "ef" * 32)) for name in ("a.mp4", "b.mp4"))
    named = [clip_identity(replace(REQUEST, anchors=(anchor,)), weights) for anchor in (one, other)]
    assert named[0] == named[1]


def test_the_marker_counts_frames() -> None:
    marker = Marker(REQUEST, "ab" * 32)
    still = soft()
    first, *_, last = (marker.mark(still, kept=False) for _ in range(24))
    assert not np.array_equal(first, last)  # the visible one has walked on
    assert marker.mark(last, kept=True) is last


def test_a_finished_clip_is_known_and_found_again(footage: Path, bundle: ModelBundle, tmp_path: Path) -> None:
    store = ClipStore(tmp_path / "clips.sqlite")
    clip = generate(tools.remix(footage, "a", 0.0, **FAST), tmp_path / "a.mp4", bundle=bundle, store=store)
    frames, _ = read_any(clip.path)
    write_mp4(tmp_path / "copy.mp4", frames[2:], width=160, height=96, fps=8)
    (origin, *_) = whence(tmp_path / "copy.mp4", store).origins
    assert (origin.name, origin.identity) == ("a.mp4", clip.manifest.watermark)
    assert origin.watermark
    assert verify(clip.path).facts["watermark"] == f"{origin.identity:09x}"


def test_a_clip_that_could_not_be_found_again_is_not_published(bundle: ModelBundle, tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(b"no database" * 100)
    with pytest.raises(OSError, match="store of signed clips"):
        generate(REQUEST, tmp_path / "a.mp4", bundle=bundle, store=ClipStore(tmp_path / "store"))
    assert not (tmp_path / "a.mp4").exists()


def test_a_clip_that_cannot_be_signed_is_not_published(
    bundle: ModelBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SORAIRO_HOME", str(tmp_path / "home"))
    authority = open_authority()
    (authority.folder / "key.pem").write_text("not a key")
    (authority.folder / "key.pem").chmod(0o600)
    with pytest.raises(SigningError):
        generate(REQUEST, tmp_path / "a.mp4", bundle=bundle)
    assert not (tmp_path / "a.mp4").exists()


def test_a_frame_that_is_refused_blocks_the_whole_clip(bundle: ModelBundle, tmp_path: Path) -> None:
    generation = Generation(replace(REQUEST, seed=77), tmp_path / "generation", bundle)
    asked: list[int] = []

    def judge(frame: Frames) -> float:
        asked.append(len(asked))
        return 0.95 if len(asked) == 3 else 0.0

    generation.pictures = replace(generation.pictures, nudity=judge)
    with pytest.raises(RefusedError, match=r"the frame at 1 s: refused as sexual"):
        generation.sign(tmp_path / "a.mp4")
    assert len(asked) == 3  # 0, 0.5 and 1 s
    assert not generation.draft_file.exists()
    assert not (tmp_path / "a.mp4").exists()


def test_without_a_detector_nothing_is_published(bundle: ModelBundle, tmp_path: Path) -> None:
    generation = Generation(replace(REQUEST, seed=78), tmp_path / "generation", bundle)
    generation.pictures = replace(generation.pictures, nudity=None)
    with pytest.raises(RefusedError, match="its weights are not there"):
        generation.sign(tmp_path / "a.mp4")
    assert os.listdir(tmp_path / "generation") == ["latents.safetensors"]


def test_a_face_in_an_upload_needs_permission_and_consent_and_an_adult(
    bundle: ModelBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.safety.test_pictures import drawn_face

    write_png(tmp_path / "face.png", drawn_face())
    request = tools.animate([(tmp_path / "face.png", 0)], "it moves", 1, **FAST)
    with pytest.raises(RefusedError, match=r"anchors\[0\]: refused as people"):
        Generation(request, tmp_path, bundle)
    agreed = replace(request, consent="she is an adult and agrees")
    with pytest.raises(RefusedError, match=r"refused as people"):
        Generation(agreed, tmp_path, bundle, people=False)
    with pytest.raises(RefusedError, match=r"refused as minors by the age estimate; somebody in it looks too young"):
        Generation(agreed, tmp_path, bundle)
    monkeypatch.setattr(MinorDetector, "__call__", lambda self, frame: 0.1)
    assert Generation(agreed, tmp_path, bundle).request.consent == "she is an adult and agrees"


def test_parents_go_into_the_credentials(bundle: ModelBundle, tmp_path: Path) -> None:
    clip = generate(REQUEST, tmp_path / "a.mp4", bundle=bundle).path
    write_png(tmp_path / "a.png", soft())
    remix = generate(tools.remix(clip, "snow", **FAST), tmp_path / "b.mp4", bundle=bundle).path
    again = generate(tools.extend(remix, 0.5, **FAST), tmp_path / "c.mp4", bundle=bundle).path
    (parent,) = verify(again).facts["parents"]
    (grandparent,) = parent["parents"]
    assert [each["title"] for each in (parent, grandparent)] == ["b.mp4", "a.mp4"]
    assert [each["relation"] for each in (parent, grandparent)] == ["parentOf", "parentOf"]
    joined = replace(tools.connect(clip, remix, 1, **FAST), mask=None)
    assert [(each.path.name, each.edited) for each in ingredients(joined)] == [("a.mp4", True), ("b.mp4", False)]
    animated = tools.animate([(tmp_path / "a.png", 0)], "it moves", 1, **FAST)
    assert [(each.path.name, each.edited) for each in ingredients(animated)] == [("a.png", False)]
