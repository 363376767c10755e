"""Projection, moves, mirroring, and what is in view at each aspect ratio."""

from __future__ import annotations

import numpy as np
import pytest

from sorairo.world.camera import (
    CAMERA_MOVES,
    DISTANCE,
    TARGET,
    draw_camera,
    is_mirrored,
    mirrored,
    project,
    view_tangent,
)
from sorairo.world.facts import OTHER_SIDE
from sorairo.world.tracer import camera_ray
from sorairo.world.vectors import Table

SIZES = [(160, 96), (96, 160), (128, 128)]


def moves(num_frames: int = 9) -> dict[str, Table]:
    """One camera of each move."""
    found: dict[str, Table] = {}
    for seed in range(200):
        rows, move = draw_camera(np.random.default_rng(seed), num_frames, 0.36, (0.0, 0.3), 0.2)
        found.setdefault(move, rows)
    return found


def test_every_move_is_drawn_and_no_other() -> None:
    assert set(moves()) == set(CAMERA_MOVES)


def test_the_axes_are_a_right_handed_frame() -> None:
    for rows in moves().values():
        right, up, forward = rows[:, 3:6], rows[:, 6:9], rows[:, 9:12]
        assert np.cross(right, up) == pytest.approx(-forward)
        assert np.linalg.norm(forward, axis=1) == pytest.approx(1)
        assert right[:, 2] == pytest.approx(0)


def test_a_still_camera_is_bitwise_still() -> None:
    rows = moves()["still"]
    assert (rows == rows[0]).all()


def test_the_target_is_in_the_middle_whatever_the_orbit() -> None:
    for move in ("still", "orbit left", "orbit right", "zoom in", "zoom out", "rise"):
        rows = moves()[move]
        target = np.broadcast_to(TARGET, (len(rows), 1, 3))
        screen = project(rows, target, 1.0)
        assert screen[..., :2] == pytest.approx(0, abs=1e-9)
        assert screen[..., 2] == pytest.approx(DISTANCE)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_projection_is_the_inverse_of_the_rays(width: int, height: int) -> None:
    """A point at distance 4 along the ray of a pixel is projected onto that pixel."""
    camera = moves()["orbit left"][:1]
    for x, y in ((3.5, 7.5), (width / 2, height / 2), (width - 0.5, 12.25)):
        point = camera[0, :3] + 4 * np.array(camera_ray(camera[0], x, y, width, height))
        screen = project(camera, point[None, None], width / height)[0, 0]
        assert (screen[0] + 1) / 2 * width == pytest.approx(x)
        assert (1 - screen[1]) / 2 * height == pytest.approx(y)


def test_the_view_depends_on_the_aspect_alone() -> None:
    assert view_tangent(160, 96) == pytest.approx(view_tangent(1280, 768))


def test_mirroring_negates_x_and_nothing_else() -> None:
    rows = moves()["orbit right"]
    points = np.random.default_rng(0).uniform(-1, 1, (len(rows), 5, 3))
    plain, flipped = project(rows, points, 1.5), project(mirrored(rows), points, 1.5)
    assert flipped[..., 0] == pytest.approx(-plain[..., 0])
    assert flipped[..., 1:] == pytest.approx(plain[..., 1:])
    assert is_mirrored(mirrored(rows)[0])
    assert not is_mirrored(rows[0])
    assert (mirrored(mirrored(rows)) == rows).all()


def test_what_is_behind_the_camera_stays_finite() -> None:
    rows = moves()["still"][:1]
    behind = rows[0, :3] - 3 * rows[0, 9:12]
    assert np.isfinite(project(rows, behind[None, None], 1.0)).all()


def test_sides_are_each_others_opposites() -> None:
    assert {OTHER_SIDE[OTHER_SIDE[side]] for side in OTHER_SIDE} == set(OTHER_SIDE)
