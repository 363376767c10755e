"""Perspective and the paths of the camera, in closed forms."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from sorairo.shapes import NATIVE_BUCKETS, VideoShape
from sorairo.world.camera import CAMERA_MOVES, DISTANCE, TARGET, draw_camera, half_extent, mirrored, project
from sorairo.world.tracer import camera_ray
from sorairo.world.vectors import Table

TANGENT = 0.36


@cache
def paths(num_frames: int = 9, each: int = 4) -> dict[str, list[Table]]:
    """Some cameras of each move."""
    found: dict[str, list[Table]] = {move: [] for move in CAMERA_MOVES}
    for seed in range(200):
        rows, move = draw_camera(np.random.default_rng(seed), num_frames, TANGENT, (0.0, 0.3), 0.2)
        if len(found[move]) < each:
            found[move].append(rows)
    return found


def every_path() -> list[Table]:
    return [rows for drawn in paths().values() for rows in drawn]


def seen(rows: Table, *points: tuple[float, ...], aspect: float = 1.0) -> Table:
    """Where fixed points are shown: [t n 3]."""
    return project(rows, np.broadcast_to(np.array(points, float), (len(rows), len(points), 3)), aspect)


def spread(num: int = 12) -> Table:
    return np.random.default_rng(3).uniform((-1.5, -1, 0), (1.5, 1.5, 1.5), (num, 3))


def turn_of(rows: Table) -> Table:
    """Azimuth of the camera around the target, in radians, to the right of the middle [t]."""
    away = rows[:, :3] - TARGET
    return np.arctan2(away[:, 0], -away[:, 1])


def test_pictures_scale_with_the_tangent_of_a_zoom() -> None:
    """Zooming moves no point but along the line from the middle: positions go as one over the tangent."""
    for move in ("zoom in", "zoom out"):
        for rows in paths()[move]:
            screen = seen(rows, *spread())
            scale = rows[0, 12] / rows[:, 12]
            assert screen[..., :2] == pytest.approx(screen[:1, :, :2] * scale[:, None, None])
            assert screen[..., 2] == pytest.approx(np.broadcast_to(screen[0, :, 2], screen.shape[:2]))


def test_zooms_go_from_wide_to_narrow_and_back_by_seven_tenths() -> None:
    (ins, *_), (outs, *_) = paths()["zoom in"], paths()["zoom out"]
    assert (np.diff(ins[:, 12]) < 0).all()
    assert ins[-1, 12] / ins[0, 12] == pytest.approx(0.72 / 1.22)
    assert outs[:, 12] == pytest.approx(ins[::-1, 12])


def test_a_pan_turns_every_point_by_the_same_angle_about_the_vertical() -> None:
    for side, sign in (("left", 1), ("right", -1)):
        for rows in paths()[f"pan {side}"]:
            azimuth = np.unwrap(np.arctan2(rows[:, 10], rows[:, 9]))
            turned = azimuth[-1] - azimuth[0]
            assert 0.8 * 0.28 <= sign * turned <= 1.2 * 0.28
            assert (np.ptp(rows[:, [0, 1, 2, 11, 12]], axis=0) < 1e-12).all()
            shift = turned / 2 * math.cos(math.asin(-rows[0, 11]))
            x = seen(rows, TARGET)[:, 0, 0]
            assert x[-1] == pytest.approx(math.tan(shift) / TANGENT, rel=0.02)


def test_pans_and_orbits_are_in_their_middle_half_way_and_slow_at_both_ends() -> None:
    for move in ("pan left", "pan right", "orbit left", "orbit right"):
        for rows in paths()[move]:
            angle = turn_of(rows) if move.startswith("orbit") else np.unwrap(np.arctan2(rows[:, 10], rows[:, 9]))
            steps = np.diff(angle)
            assert angle + angle[::-1] == pytest.approx(np.full(len(angle), 2 * angle[len(angle) // 2]))
            assert abs(steps[0]) < 0.5 * abs(steps[len(steps) // 2])
            assert (np.sign(steps) == np.sign(steps[0])).all()


def test_orbits_keep_their_distance_and_height() -> None:
    for side, sign in (("left", -1), ("right", 1)):
        for rows in paths()[f"orbit {side}"]:
            assert np.linalg.norm(rows[:, :3] - TARGET, axis=1) == pytest.approx(DISTANCE)
            assert np.ptp(rows[:, 2]) < 1e-12
            assert 0.8 * 0.9 <= sign * (turn_of(rows)[-1] - turn_of(rows)[0]) <= 1.2 * 0.9


def test_an_orbit_moves_the_near_and_the_far_against_each_other() -> None:
    """Parallax: what stands behind the target goes with the camera, what stands before it against it."""
    for side, sign in (("left", -1), ("right", 1)):
        for rows in paths()[f"orbit {side}"]:
            x = seen(rows, (0.0, 1.2, 0.58), (0.0, -0.8, 0.58))[..., 0]
            assert np.sign(x[-1] - x[0]).tolist() == [sign, -sign]


def test_a_rise_goes_up_only_and_looks_down_more_and_more() -> None:
    for rows in paths()["rise"]:
        assert (np.diff(rows[:, 2]) > 0).all()
        assert (np.diff(rows[:, 11]) < 0).all()
        assert np.ptp(turn_of(rows)) < 1e-9


def test_no_camera_is_below_the_ground_or_looks_up() -> None:
    for rows in every_path():
        assert rows[:, 2].min() > TARGET[2]
        assert rows[:, 11].max() < 0
        assert np.abs(seen(rows, TARGET)[..., :2]).max() < 0.6


def test_one_frame_is_the_first_of_the_move() -> None:
    for seed in range(20):
        single, move = draw_camera(np.random.default_rng(seed), 1, TANGENT, (0.0, 0.3), 0.2)
        rows, same = draw_camera(np.random.default_rng(seed), 9, TANGENT, (0.0, 0.3), 0.2)
        assert move == same
        assert np.array_equal(single[0], rows[0])


def test_more_frames_are_the_same_path_seen_more_often() -> None:
    for seed in range(20):
        rows = [draw_camera(np.random.default_rng(seed), n, TANGENT, (0.0, 0.3), 0.2)[0] for n in (9, 33)]
        assert rows[1][::4] == pytest.approx(rows[0])


def test_azimuths_and_stillness_are_those_asked_for() -> None:
    drawn = [draw_camera(np.random.default_rng(seed), 5, TANGENT, (0.12, 0.42), 0.85) for seed in range(200)]
    still = [rows for rows, move in drawn if move == "still"]
    assert 0.78 < len(still) / len(drawn) < 0.92
    turns = np.array([turn_of(rows)[0] for rows in still])
    assert np.abs(turns).min() >= 0.12
    assert np.abs(turns).max() <= 0.42
    assert 0.35 < (turns > 0).mean() < 0.65
    always, _ = zip(
        *(draw_camera(np.random.default_rng(k), 3, TANGENT, (0.0, 0.3), 1.0) for k in range(9)), strict=True
    )
    assert all(np.array_equal(rows[0], rows[-1]) for rows in always)


def test_size_on_screen_is_one_over_depth() -> None:
    """A bar held across the view at twice the depth is half as long."""
    for rows in every_path():
        first = rows[:1]
        eye, right, forward = first[0, :3], first[0, 3:6], first[0, 9:12]
        lengths = []
        for depth in (2.0, 4.0, 8.0):
            ends = [eye + depth * forward + sign * 0.3 * right for sign in (-1, 1)]
            x = seen(first, *map(tuple, ends))[0, :, 0]
            lengths.append(x[1] - x[0])
            assert lengths[-1] == pytest.approx(0.6 / (depth * first[0, 12]))
        assert lengths[0] / lengths[2] == pytest.approx(4)


def test_straight_lines_stay_straight_and_verticals_before_the_camera_stay_vertical() -> None:
    for rows in every_path():
        start, end = spread(2)
        line = seen(rows, *(tuple(start + share * (end - start)) for share in (0.0, 0.3, 1.0)))[..., :2]
        a, b = line[:, 1] - line[:, 0], line[:, 2] - line[:, 0]
        assert a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] == pytest.approx(0, abs=1e-9)
        foot = rows[:, :3] + 3 * rows[:, 9:12]
        poles = project(rows, np.stack([foot, foot - [0.0, 0.0, 0.7]], axis=1), 1.0)
        assert poles[..., 0] == pytest.approx(0, abs=1e-9)


def test_the_horizon_is_where_the_tilt_puts_it() -> None:
    """Far points at the height of the eye are shown at tan(tilt) / tangent, on one level line."""
    for rows in every_path():
        flat = rows[:, 9:11] / np.linalg.norm(rows[:, 9:11], axis=1, keepdims=True)
        for swing in (-0.2, 0.0, 0.2):
            c, s = math.cos(swing), math.sin(swing)
            ahead = np.stack([c * flat[:, 0] - s * flat[:, 1], s * flat[:, 0] + c * flat[:, 1], np.zeros(len(rows))], 1)
            y = project(rows, (rows[:, :3] + 1e4 * ahead)[:, None], 1.0)[:, 0, 1]
            tilt = np.arcsin(-rows[:, 11])
            level = np.tan(tilt) / rows[:, 12] if swing == 0 else None
            assert level is None or y == pytest.approx(level)
            assert (y > 0).all()


def test_rays_through_opposite_corners_meet_the_middle_ray_at_the_same_angle() -> None:
    for rows in every_path()[::3]:
        camera, (width, height) = rows[0], (50, 30)
        corners = [camera_ray(camera, x, y, width, height) for x in (0.0, float(width)) for y in (0.0, float(height))]
        across = camera[12] * math.hypot(1, width / height)
        for ray in corners:
            assert np.linalg.norm(ray) == pytest.approx(1)
            assert np.dot(ray, camera[9:12]) == pytest.approx(1 / math.hypot(1, across))
        assert np.sum(corners, axis=0) == pytest.approx(camera[9:12] * 4 / math.hypot(1, across))


def test_rays_of_a_mirrored_camera_are_those_of_the_other_side() -> None:
    for rows in every_path()[::3]:
        flipped = mirrored(rows)
        for x, y in ((0.5, 3.5), (17.25, 11.0), (49.5, 29.5)):
            there = camera_ray(rows[0], 50 - x, y, 50, 30)
            assert camera_ray(flipped[0], x, y, 50, 30) == pytest.approx(there)


@pytest.mark.parametrize("shape", NATIVE_BUCKETS, ids=str)
def test_the_edge_of_the_extent_is_the_edge_of_the_picture(shape: VideoShape) -> None:
    width, height = shape.width, shape.height
    half_width, half_height = half_extent(width, height)
    assert 1.4 < half_width < 2.7
    assert 1.4 < half_height < 2.7
    tangent = half_height / DISTANCE
    camera, _ = draw_camera(np.random.default_rng(0), 1, tangent, (0.0, 0.0), 1.0)
    right, up = camera[0, 3:6], camera[0, 6:9]
    corner = TARGET + half_width * right + half_height * up
    assert seen(camera, tuple(corner), aspect=width / height)[0, 0, :2] == pytest.approx((1.0, 1.0))


def test_wide_and_tall_pictures_show_more_across_and_more_up() -> None:
    square, wide, tall = (half_extent(*size) for size in ((128, 128), (160, 96), (96, 160)))
    assert square[0] == square[1]
    assert wide[0] > square[0] > tall[0]
    assert wide[1] < square[1] < tall[1]
