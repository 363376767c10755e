"""The visible mark: small, always inside, in every corner in turn, and drawn without touching anything else."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from sorairo.provenance.visible_mark import STAY_SECONDS, WALK_SECONDS, clear_mark, draw_mark

TURN = STAY_SECONDS + WALK_SECONDS


def changed(width: int, height: int, seconds: float) -> NDArray[np.bool_]:
    grey = np.full((height, width, 3), 100, np.uint8)
    return (draw_mark(grey, seconds) != grey).any(-1)


def centre(width: int, height: int, seconds: float) -> tuple[bool, bool]:
    rows, columns = np.nonzero(changed(width, height, seconds))
    return bool(rows.mean() > height / 2), bool(columns.mean() > width / 2)


@pytest.mark.parametrize("size", [(160, 96), (96, 160), (640, 384), (1920, 1080)])
def test_it_is_small_and_inside(size: tuple[int, int]) -> None:
    for seconds in (0.0, 2.5, 7.3):
        mark = changed(*size, seconds)
        assert 0.001 < mark.mean() < 0.06
        assert not mark[0].any()
        assert not mark[:, 0].any()


def test_it_visits_every_corner() -> None:
    corners = [centre(320, 192, turn * TURN) for turn in range(5)]
    assert len(set(corners[:4])) == 4
    assert corners[4] == corners[0] == (True, True)


def test_it_walks_slowly_and_stays_between() -> None:
    at = [np.nonzero(changed(320, 192, seconds))[1].mean() for seconds in np.arange(0, 2 * TURN, 1 / 24)]
    assert max(np.abs(np.diff(at))) < 320 / 12
    assert at[0] == at[int(STAY_SECONDS * 24) - 1]


def test_the_frame_that_is_given_stays() -> None:
    frame = np.full((96, 160, 3), 100, np.uint8)
    draw_mark(frame, 0)
    assert (frame == 100).all()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_it_is_seen_on_every_ground(level: int) -> None:
    frame = np.full((192, 320, 3), level, np.uint8)
    assert np.abs(draw_mark(frame, 0).astype(int) - frame).max() > 60


def test_a_picture_without_room_is_left_alone() -> None:
    frame = np.full((8, 8, 3), 100, np.uint8)
    assert draw_mark(frame, 0) is frame


def picture(width: int, height: int) -> NDArray[np.uint8]:
    """Soft light, and noise as a codec leaves it."""
    rng = np.random.default_rng(3)
    slope = np.linspace(60, 200, width)[None, :, None] + np.linspace(0, 40, height)[:, None, None]
    return (slope + rng.normal(0, 3, (height, width, 3))).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [(160, 96), (96, 160), (640, 384), (1280, 720)])
def test_it_is_cleared_wherever_it_is(size: tuple[int, int]) -> None:
    clean = picture(*size)
    for seconds in (0.0, 2.375, 4.0, 5.55, 8.6):
        cleared = clear_mark(draw_mark(clean, seconds))
        under = (draw_mark(clean, seconds) != clean).any(-1)
        wrong = np.abs(cleared.astype(int) - clean)
        assert wrong[under].mean() < 5
        assert wrong[~under].mean() < 0.1
        assert clear_mark(cleared) is cleared


@pytest.mark.parametrize("size", [(160, 96), (8, 8), (40, 300)])
def test_a_picture_without_a_mark_is_left_alone(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    for frame in (picture(*size), noise, np.full_like(noise, 255)):
        assert clear_mark(frame) is frame
