"""Sizes asked for and made: exact pixels, trained sizes first, little cut away, and one line for the impossible."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sorairo.pipelines.size_plan import BUCKETS, MOST_DIRECT_PIXELS, MOST_PIXELS, NATIVE_PIXELS, SizePlan

EVEN = st.integers(16, 960).map(lambda half: 2 * half)
OFFERED = [
    ((854, 480), (160, 96), 8),
    ((480, 854), (96, 160), 8),
    ((480, 480), (128, 128), 8),
    ((1280, 720), (160, 96), 8),
    ((720, 1280), (96, 160), 8),
    ((720, 720), (128, 128), 8),
    ((1920, 1080), (160, 96), 12),
    ((1080, 1920), (96, 160), 12),
    ((1080, 1080), (128, 128), 12),
    ((1792, 1024), (160, 96), 12),
    ((1024, 1792), (96, 160), 12),
]


def sides(plan: SizePlan) -> tuple[float, float]:
    left, top, right, bottom = plan.crop
    return right - left, bottom - top


@pytest.mark.parametrize(("size", "native", "scale"), OFFERED)
def test_the_sizes_on_offer_start_from_trained_ones(size: tuple[int, int], native: tuple[int, int], scale: int) -> None:
    plan = SizePlan.of(*size)
    assert (plan.native_width, plan.native_height) == native
    assert plan.scale == scale


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (1920, 1080), (1080, 1920)])
def test_the_wide_and_tall_ones_are_cut_and_never_resampled(size: tuple[int, int]) -> None:
    plan = SizePlan.of(*size)
    assert sides(plan) == size
    assert all(edge.is_integer() for edge in plan.crop)


@pytest.mark.parametrize("size", [(160, 96), (128, 128), (96, 160), (192, 112), (32, 32), (240, 96), (144, 160)])
def test_what_the_model_can_make_is_made_as_it_is(size: tuple[int, int]) -> None:
    plan = SizePlan.of(*size)
    assert plan == SizePlan(*size, *size, 1)
    assert plan.crop == (0, 0, *size)


def test_between_the_trained_shapes_it_finds_others_of_that_area() -> None:
    plan = SizePlan.of(640, 480)
    assert (plan.native_width, plan.native_height) not in BUCKETS
    assert plan.native_width / plan.native_height == pytest.approx(4 / 3, rel=0.05)
    assert plan.native_width * plan.native_height == pytest.approx(NATIVE_PIXELS, rel=0.1)


def test_a_small_odd_shape_needs_no_upscaler() -> None:
    assert SizePlan.of(100, 60) == SizePlan(100, 60, 160, 96, 1)


@settings(max_examples=40)
@given(EVEN, EVEN)
def test_every_plan_holds_together(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        return
    plan = SizePlan.of(width, height)
    assert (plan.width, plan.height) == (width, height)
    assert plan.native_width % 16 == plan.native_height % 16 == 0
    assert 0 < plan.native_width * plan.native_height <= MOST_DIRECT_PIXELS
    left, top, right, bottom = plan.crop
    large_width, large_height = plan.scale * plan.native_width, plan.scale * plan.native_height
    assert 0 <= left < right <= large_width
    assert 0 <= top < bottom <= large_height
    assert left == pytest.approx(large_width - right)
    assert top == pytest.approx(large_height - bottom)
    assert (right - left) / (bottom - top) == pytest.approx(width / height)
    assert left == pytest.approx(0) or top == pytest.approx(0), "as much is kept as the shape allows"


@settings(max_examples=40)
@given(EVEN, EVEN)
def test_turning_the_size_turns_the_plan(width: int, height: int) -> None:
    if width * height > 1920 * 1080:
        return
    plan, turned = SizePlan.of(width, height), SizePlan.of(height, width)
    assert plan.scale == turned.scale
    assert plan.native_width * plan.native_height == turned.native_width * turned.native_height


@settings(max_examples=40)
@given(EVEN.filter(lambda side: side >= 400), EVEN.filter(lambda side: side >= 400))
def test_little_is_cut_away(width: int, height: int) -> None:
    if width * height <= MOST_PIXELS and 0.5 < width / height < 2:
        plan = SizePlan.of(width, height)
        kept_width, kept_height = sides(plan)
        assert kept_width * kept_height > 0.85 * plan.scale**2 * plan.native_width * plan.native_height


@pytest.mark.parametrize(
    ("size", "line"),
    [
        ((1281, 720), "width is 1281; it must be even and from 32 to 1920: the nearest is 1282"),
        ((30, 720), "width is 30; .* the nearest is 32"),
        ((1280, 0), "height is 0; .* the nearest is 32"),
        ((3840, 2160), "width is 3840; .* the nearest is 1920"),
        ((1920, 1440), "size is 1920x1440; the nearest valid size is 1920x1088"),
    ],
)
def test_the_impossible_is_refused_in_one_line(size: tuple[int, int], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        SizePlan.of(*size)
