"""The arithmetic of sizes, and the errors that name the nearest valid one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sorairo.shapes import NATIVE_BUCKETS, SPATIAL_STRIDE, TEMPORAL_STRIDE, LatentShape, VideoShape

SIDES = st.integers(1, 80).map(lambda number: number * SPATIAL_STRIDE)
GROUPS = st.integers(0, 200)


@given(GROUPS, SIDES, SIDES)
def test_latents_decode_to_the_frames_they_came_from(groups: int, height: int, width: int) -> None:
    shape = VideoShape(1 + TEMPORAL_STRIDE * groups, height, width)
    assert shape.latent == LatentShape(1 + groups, height // SPATIAL_STRIDE, width // SPATIAL_STRIDE)
    assert shape.latent.num_video_frames == shape.num_frames


@given(GROUPS, st.sampled_from([4, 8, 12, 16, 24]))
def test_seconds_there_and_back(groups: int, fps: int) -> None:
    shape = VideoShape(1 + TEMPORAL_STRIDE * groups, 96, 160, fps)
    assert VideoShape.from_seconds(shape.seconds, 160, 96, fps) == shape


def test_four_seconds_are_thirty_three_frames() -> None:
    shape = VideoShape.from_seconds(4, width=160, height=96)
    assert shape == NATIVE_BUCKETS[0] == VideoShape(33, 96, 160)
    assert shape.latent == LatentShape(9, 6, 10)
    assert (shape.latent.num_tokens(patch=1), shape.latent.num_tokens(patch=2)) == (540, 135)


@given(st.integers(1, 9), st.integers(1, 30), st.integers(1, 30), st.integers(1, 4))
def test_tokens_cover_every_latent(frames: int, height: int, width: int, patch: int) -> None:
    tokens = LatentShape(frames, height, width).num_tokens(patch)
    assert frames * height * width <= tokens * patch**2
    assert tokens <= frames * (height + patch - 1) * (width + patch - 1) / patch**2


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((33, 96, 100), "width is 100; it must be a multiple of 16: the nearest are 96 or 112"),
        ((33, 8, 160), "height is 8; it must be a multiple of 16: the nearest are 16"),
        ((33, -16, 160), "height is -16"),
        ((32, 96, 160), "num_frames is 32; it must be 1 \\+ 4k: the nearest are 29 or 33"),
        ((0, 96, 160), "num_frames is 0; .* the nearest are 1 or 5"),
        ((33, 96, 160, 0), "fps is 0; it must be at least 1"),
    ],
)
def test_an_impossible_shape_names_the_nearest(size: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VideoShape(*size)


@pytest.mark.parametrize(("seconds", "nearest"), [(0.3, "0.5"), (-1, "0"), (1.7, "1.5")])
def test_an_impossible_length_names_the_nearest(seconds: float, nearest: str) -> None:
    with pytest.raises(ValueError, match=f"at 8 fps the nearest valid length is {nearest}$"):
        VideoShape.from_seconds(seconds, 160, 96)
