"""The watermark: read after what happens to clips, never read where there is none, hardly seen, the same for ever."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from sorairo.media import Frames, read_video
from sorairo.provenance.watermark import (
    BITS,
    GRIDS,
    Watermark,
    _chips,
    carries_watermark,
    identity_of,
    least_score,
    read_watermarks,
)

IDENTITY = 0x123456789


def scene(number: int = 0, width: int = 160, height: int = 96, num_frames: int = 12) -> Frames:
    """A ball that moves over a ground with a soft texture: [t h w 3]."""
    rng = np.random.default_rng(number)
    rough = rng.normal(0, 1, (12, 20)).astype(np.float32)
    ground = np.asarray(Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC)) * 20 + 130
    y, x = np.mgrid[:height, :width]
    frames = []
    for index in range(num_frames):
        ball = (x - width * (0.2 + 0.05 * index)) ** 2 + (y - height * 0.6) ** 2 < (height * 0.2) ** 2
        frames.append(np.where(ball[..., None], (200, 60, 40), ground[..., None] * (1, 0.95, 0.85)))
    return np.clip(np.stack(frames), 0, 255).astype(np.uint8)


def marked(frames: Frames, identity: int = IDENTITY) -> Frames:
    watermark = Watermark(identity, frames.shape[2], frames.shape[1])
    return np.stack([watermark.mark(frame) for frame in frames])


def identities(frames: Frames) -> list[int]:
    return [reading.identity for reading in read_watermarks(frames)]


def resized(frames: Frames, width: int, height: int) -> Frames:
    return np.stack([np.asarray(Image.fromarray(frame).resize((width, height))) for frame in frames])


CHANGES: dict[str, Callable[[Frames], Frames]] = {
    "nothing": lambda frames: frames,
    "half the size": lambda frames: resized(frames, 80, 48),
    "larger, and of another shape": lambda frames: resized(frames, 300, 200),
    "cropped by a tenth at two edges": lambda frames: frames[:, 10:, :144],
    "cropped by a twentieth all around": lambda frames: frames[:, 5:91, 8:152],
    "brighter": lambda frames: np.clip(frames * 1.15, 0, 255).astype(np.uint8),
    "darker": lambda frames: (frames * 0.85).astype(np.uint8),
    "every third frame": lambda frames: frames[::3],
    "one frame": lambda frames: frames[5:6],
    "grey": lambda frames: frames.mean(-1, keepdims=True).repeat(3, -1).astype(np.uint8),
}


@pytest.mark.parametrize("change", CHANGES)
def test_it_is_read_after(change: str) -> None:
    assert identities(CHANGES[change](marked(scene()))) == [IDENTITY]


@pytest.mark.parametrize(("width", "crf"), [(160, 23), (320, 28)])
def test_it_is_read_after_re_encoding(tmp_path: Path, width: int, crf: int) -> None:
    frames = marked(scene(width=width, height=width * 3 // 5))
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=8, options={"crf": str(crf)})
        stream.width, stream.height, stream.pix_fmt = width, width * 3 // 5, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    assert identities(read_video(tmp_path / "a.mp4")[0]) == [IDENTITY]


def test_larger_pictures_have_a_finer_one() -> None:
    frames = marked(scene(width=480, height=288, num_frames=3))
    assert identities(frames) == identities(resized(frames, 240, 144)) == [IDENTITY]
    assert max(reading.score for reading in read_watermarks(frames)) > 2 * least_score()


def test_it_is_hardly_seen() -> None:
    frames = scene()
    error = np.mean((marked(frames).astype(float) - frames) ** 2)
    assert 10 * np.log10(255**2 / error) > 38
    assert np.abs(marked(frames).astype(int) - frames).max() <= 8


def test_colours_stay() -> None:
    change = marked(scene(1)).astype(int) - scene(1)
    inside = (scene(1) > 10).all(-1) & (scene(1) < 245).all(-1)
    assert (change[inside].min(-1) == change[inside].max(-1)).all()


@pytest.mark.parametrize("number", range(4))
def test_nothing_is_read_where_nothing_is(number: int) -> None:
    frames = scene(number)
    assert read_watermarks(frames) == ()
    assert not any(carries_watermark(frame) for frame in frames)


def test_noise_flat_and_tiny_pictures_say_nothing() -> None:
    rng = np.random.default_rng(0)
    for frames in (rng.integers(0, 256, (2, 90, 120, 3), np.uint8), np.zeros((1, 64, 64, 3), np.uint8)):
        assert read_watermarks(frames) == ()
        assert not carries_watermark(frames[0])
    assert marked(np.full((1, 2, 2, 3), 128, np.uint8)).shape == (1, 2, 2, 3)


def test_the_threshold_is_hoeffdings() -> None:
    """exp(-z²/2) for each of all words, places and parts is one in a million."""
    tries = 2.0**36 * 5 * sum(grid.num_places for grid in GRIDS)
    assert tries * np.exp(-(least_score() ** 2) / 2) == pytest.approx(1e-6)


def test_a_clip_of_two_clips_has_both() -> None:
    first, second = marked(scene(0, num_frames=12)), marked(scene(0, num_frames=24)[12:], 0xFEDCBA987)
    assert set(identities(np.concatenate([first, second]))) == {IDENTITY, 0xFEDCBA987}


def test_one_frame_tells_whether_it_carries_any() -> None:
    assert all(carries_watermark(frame) for frame in marked(scene(2)))


def test_an_identity_is_36_bits_of_a_text() -> None:
    assert identity_of("") == 0xE3B0C4429  # SHA-256 of nothing begins so
    assert len({identity_of(str(number)) for number in range(1000)}) == 1000
    assert max(identity_of(str(number)) for number in range(1000)) < 2**BITS


def test_it_is_the_same_for_ever() -> None:
    """What was marked once must be readable by every later version."""
    chips = [_chips(grid, IDENTITY).astype(np.int8).tobytes() for grid in GRIDS]
    assert [hashlib.sha256(each).hexdigest()[:12] for each in chips] == ["7bb5438870ba", "9ab51f7fc438"]
