"""Geometry against closed forms: distances, hits, normals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sorairo.world.objects import SHAPES, SIZES, SceneObject, dimensions_of, solid_rows
from sorairo.world.solids import FAR, distance, hit, nearest, normal, to_local, to_world
from sorairo.world.vectors import Table

SOLIDS = ("sphere", "cube", "cylinder", "cone", "ring", "block", "domino")


def solid(shape: str, size: str = "medium") -> Table:
    thing = SceneObject(shape, "red", size, "rubber", "actor", dimensions_of(shape, size))
    return solid_rows((thing,))[0]


def pose(x: float = 0.0, y: float = 0.0, z: float = 0.0, yaw: float = 0.0) -> Table:
    c, s = math.cos(yaw), math.sin(yaw)
    return np.array([x, y, z, c, -s, 0, s, c, 0, 0, 0, 1])


def test_every_shape_and_size_has_dimensions() -> None:
    assert {*SOLIDS, "ramp", "wall"} == set(SHAPES)
    for shape in SOLIDS:
        for size in SIZES:
            assert dimensions_of(shape, size)[0] > 0


@pytest.mark.parametrize("shape", SOLIDS)
def test_the_distance_changes_by_no_more_than_the_way(shape: str) -> None:
    """A signed distance is 1-Lipschitz: sphere tracing may step that far without passing the surface."""
    row, rng = solid(shape), np.random.default_rng(0)
    for _ in range(300):
        a, b = rng.uniform(-1.5, 1.5, (2, 3))
        change = abs(distance(row, tuple(a)) - distance(row, tuple(b)))
        assert change <= np.linalg.norm(a - b) + 1e-9


@pytest.mark.parametrize("shape", SOLIDS)
def test_the_bounding_sphere_bounds(shape: str) -> None:
    row, rng = solid(shape), np.random.default_rng(1)
    for _ in range(300):
        direction = rng.normal(size=3)
        point = direction / np.linalg.norm(direction) * row[10]
        assert distance(row, tuple(point)) >= -1e-3


@pytest.mark.parametrize(
    ("shape", "point", "expected"),
    [
        ("sphere", (2.0, 0.0, 0.0), 2.0 - SIZES["medium"]),
        ("cube", (2.0, 0.0, 0.0), 2.0 - 0.82 * SIZES["medium"]),
        ("cylinder", (0.0, 0.0, 2.0), 2.0 - 0.85 * SIZES["medium"]),
        ("cylinder", (0.0, 2.0, 0.0), 2.0 - 0.72 * SIZES["medium"]),
        ("cone", (0.0, 0.0, 2.0), 2.0 - 1.05 * SIZES["medium"]),
        ("cone", (0.0, 0.0, -2.0), 2.0 - 1.05 * SIZES["medium"]),
        ("ring", (2.0, 0.0, 0.0), 2.0 - 1.08 * SIZES["medium"]),
        ("ring", (0.0, 0.0, 0.0), 0.48 * SIZES["medium"]),
        ("block", (0.0, 0.0, 2.0), 2.0 - 1.35 * SIZES["medium"]),
    ],
)
def test_distances_along_the_axes(shape: str, point: tuple[float, float, float], expected: float) -> None:
    assert distance(solid(shape), point) == pytest.approx(expected, abs=1e-9)


def test_a_ray_meets_a_sphere_where_it_should() -> None:
    radius, offset = SIZES["large"], 0.3
    t = hit(solid("sphere", "large"), pose(x=5.0), (0.0, offset, 0.0), (1.0, 0.0, 0.0), FAR)
    assert t == pytest.approx(5.0 - math.sqrt(radius**2 - offset**2), abs=2e-3)


@pytest.mark.parametrize("shape", SOLIDS[1:])
def test_a_traced_ray_ends_on_the_surface(shape: str) -> None:
    row, where = solid(shape, "large"), pose(0.2, 4.0, -0.1, 0.7)
    origin, aim = np.array([0.1, 0.0, 0.05]), where[:3] + np.array([0.45 if shape == "ring" else 0.02, 0.0, 0.01])
    direction = (aim - origin) / np.linalg.norm(aim - origin)
    t = hit(row, where, tuple(origin), tuple(direction), FAR)
    assert t < FAR
    local = to_local(where, tuple(origin + t * direction - where[:3]))
    assert abs(distance(row, local)) < 1e-3


def test_what_is_behind_or_beside_or_too_far_is_missed() -> None:
    row = solid("cube")
    assert hit(row, pose(x=-5.0), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0), FAR) == FAR
    assert hit(row, pose(x=5.0, y=2.0), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0), FAR) == FAR
    assert hit(row, pose(x=5.0), (0.0, 0.0, 0.0), (1.0, 0.0, 0.0), 3.0) == FAR


def test_the_nearest_of_several_is_found_and_one_can_be_left_out() -> None:
    rows = np.stack([solid("sphere"), solid("cube"), solid("cone")])
    poses = np.stack([pose(x=6.0), pose(x=3.0), pose(x=9.0)])
    origin, direction = (0.0, 0.0, 0.0), (1.0, 0.0, 0.0)
    assert nearest(rows, poses, origin, direction, FAR, -1)[1] == 1
    assert nearest(rows, poses, origin, direction, FAR, 1)[1] == 0
    assert nearest(rows, poses, origin, direction, 1.0, -1) == (1.0, -1)


@pytest.mark.parametrize("shape", SOLIDS)
def test_normals_point_outward_and_have_length_one(shape: str) -> None:
    row, where = solid(shape, "large"), pose(0.0, 3.0, 0.0, 0.4)
    t = hit(row, where, (0.05, 0.0, 0.03), (0.0, 1.0, 0.0), FAR)
    if t == FAR:  # through the hole of a ring
        t = hit(row, where, (0.45, 0.0, 0.03), (0.0, 1.0, 0.0), FAR)
        point = (0.45, t, 0.03)
    else:
        point = (0.05, t, 0.03)
    n = normal(row, where, point)
    assert np.linalg.norm(n) == pytest.approx(1, abs=2e-3)
    assert n[1] < 0


def test_rotations_there_and_back() -> None:
    where, v = pose(yaw=1.1), (0.3, -0.4, 0.5)
    assert to_world(where, to_local(where, v)) == pytest.approx(v)
    assert to_world(where, (1.0, 0.0, 0.0)) == pytest.approx((math.cos(1.1), math.sin(1.1), 0.0))
