"""Rigid bodies against the textbook: skids, slopes, tops, collisions, rebounds, tipping, symmetry."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from sorairo.world.objects import SIZES, Quaternion, SceneObject, dimensions_of, rest_height
from sorairo.world.physics import AIRBORNE, GRAVITY, LONGEST_STEP, RESTING, Trajectory, simulate
from sorairo.world.scenarios import rolling
from sorairo.world.vectors import Table

FPS = 40
ROLLING_SHARE = {"sphere": 5 / 7, "cylinder": 2 / 3, "ring": 1 / 2}  # of a skid's speed that is left when it rolls


def thing(
    shape: str = "sphere", size: str = "medium", x: float = 0.0, height: float = 0.0, **given: Any
) -> SceneObject:
    """An object at (x, 0), standing on the ground or with its centre at a height."""
    dimensions = dimensions_of(shape, size)
    position = (x, 0.0, height or rest_height(shape, dimensions))
    return replace(SceneObject(shape, "red", size, "rubber", "actor", dimensions, position), **given)


def about_y(angle: float) -> Quaternion:
    """Turned so that the top moves towards +x."""
    return (math.cos(angle / 2), 0.0, math.sin(angle / 2), 0.0)


def on_slope(body: SceneObject, angle: float) -> tuple[SceneObject, SceneObject]:
    """A long plank that falls towards +x, and the body resting on its upper part."""
    plank = SceneObject(
        "ramp", "wood", "medium", "rubber", "prop", (3.0, 0.8, 0.05), (0.0, 0.0, 2.0), about_y(angle), static=True
    )
    up, lift = 1.5, body.position[2] + 0.05
    x, z = -up * math.cos(angle) + lift * math.sin(angle), 2.0 + up * math.sin(angle) + lift * math.cos(angle)
    turn = body.quaternion if body.shape == "cylinder" else about_y(angle)
    return plank, replace(body, position=(x, 0.0, z), quaternion=turn)


def way(run: Trajectory, index: int = 0) -> float:
    return float(np.linalg.norm(run.poses[-1, index, :3] - run.poses[0, index, :3]))


def rotations(run: Trajectory, index: int = 0) -> Table:
    return run.poses[:, index, 3:].reshape(-1, 3, 3)


def in_the_air(left: SceneObject, right: SceneObject) -> Trajectory:
    """A head-on meeting of two bodies that fall side by side: gravity cannot tell them apart."""
    left = replace(left, position=(-1.0, 0.0, 9.0), velocity=(1.5, 0.0, 0.0))
    right = replace(right, position=(1.0, 0.0, 9.0), velocity=(-0.5, 0.0, 0.0))
    return simulate((left, right), 44, FPS)


@pytest.mark.parametrize("shape", ROLLING_SHARE)
def test_a_skid_turns_into_rolling_at_the_speed_that_its_inertia_leaves(shape: str) -> None:
    """Friction acts at the contact, so the angular momentum about it stays: v = v0 / (1 + I / m r^2)."""
    run = simulate((replace(rolling(thing(shape), 2.1), spin=(0.0, 0.0, 0.0)),), 40, FPS)
    tolerance = 0.05 if shape == "ring" else 0.01  # a ring is a polygon of ten capsules
    assert run.velocity[20, 0, 0] / 2.1 == pytest.approx(ROLLING_SHARE[shape], abs=tolerance)


def test_a_skid_lasts_two_sevenths_of_the_time_to_stop() -> None:
    """Until v = r w: t = 2 v0 / (7 mu g); before, the speed falls by mu g, and after it hardly falls."""
    speed, friction = 3.5, 0.4
    run = simulate((thing(velocity=(speed, 0.0, 0.0), friction=friction),), 33, FPS)
    end = 2 * speed / (7 * friction * GRAVITY)
    times, across = np.arange(33) / FPS, run.velocity[:, 0, 0]
    skids, rolls = times < end - 0.03, times > end + 0.03
    assert across[skids] == pytest.approx(speed - friction * GRAVITY * times[skids], abs=0.09)
    assert across[rolls] == pytest.approx(speed * 5 / 7, rel=0.01)


@pytest.mark.parametrize("friction", [0.2, 0.4, 0.6])
@pytest.mark.parametrize("excess", [-0.06, 0.06, 0.15])
def test_a_box_slides_down_where_the_slope_is_steeper_than_its_friction(friction: float, excess: float) -> None:
    """At rest below the angle of friction atan(mu); above it, a = g (sin - mu cos)."""
    angle, frames = math.atan(friction) + excess, 33
    run = simulate(on_slope(thing("cube", "small", friction=friction), angle), frames, FPS)
    pull = max(GRAVITY * (math.sin(angle) - friction * math.cos(angle)), 0.0)
    assert way(run, 1) == pytest.approx(0.5 * pull * ((frames - 1) / FPS) ** 2, rel=0.03, abs=0.006)


def test_a_ball_on_ice_leaves_a_rolling_ball_behind() -> None:
    """Down a slope, spinning up takes two sevenths of the pull."""
    ways = [way(simulate(on_slope(thing("sphere", "small", friction=mu), 0.3), 25, FPS), 1) for mu in (0.01, 0.7)]
    assert ways[0] / ways[1] == pytest.approx(7 / 5, rel=0.06)


@pytest.mark.parametrize("shape", ["domino", "block", "cylinder"])
@pytest.mark.parametrize("share", [0.5, 0.9, 1.1])
def test_what_leans_falls_when_its_centre_passes_its_edge(shape: str, share: float) -> None:
    """The critical angle is atan(half width / half height)."""
    body = thing(shape)
    half_width, half_height = body.dimensions[0], body.rest_height
    angle = share * math.atan(half_width / half_height)
    height = half_height * math.cos(angle) + half_width * math.sin(angle)
    leaning = replace(body, quaternion=about_y(angle), position=(0.0, 0.0, height))
    upright = simulate((leaning,), 100, FPS).poses[-1, 0, 11]
    assert upright == pytest.approx(1.0 if share < 1 else 0.0, abs=0.01)


@pytest.mark.parametrize("shape", ["block", "cylinder", "cube", "sphere"])
def test_a_free_top_keeps_its_angular_momentum(shape: str) -> None:
    body = thing(shape, "large", height=30.0, quaternion=(0.5, 0.5, -0.5, 0.5), spin=(2.0, 1.0, 4.0))
    run, (a, b, c) = simulate((body,), 60, FPS), body.dimensions
    inertia = {
        "block": ((b * b + c * c) / 3, (a * a + c * c) / 3, (a * a + b * b) / 3),
        "cube": (2 * a * a / 3,) * 3,
        "cylinder": (a * a / 4 + b * b / 3, a * a / 4 + b * b / 3, a * a / 2),
        "sphere": (2 * a * a / 5,) * 3,
    }[shape]
    turned = rotations(run)
    momentum = np.einsum("tij,j,tkj,tk->ti", turned, inertia, turned, run.spin[:, 0])
    assert run.spin[0, 0] == pytest.approx((2.0, 1.0, 4.0))
    assert np.ptp(momentum, axis=0).max() < 0.004 * np.linalg.norm(momentum[0])


def test_a_symmetric_top_precesses_at_the_rate_of_its_momentum() -> None:
    """The axis of a thrown block goes round the angular momentum once in 2 pi I / L."""
    body = thing("block", height=40.0, spin=(3.0, 0.0, 2.0))
    a, _, c = body.dimensions
    across, along = (a * a + c * c) / 3, 2 * a * a / 3
    momentum = np.array([3.0 * across, 0.0, 2.0 * along])
    period = 2 * math.pi * across / np.linalg.norm(momentum)
    run = simulate((body,), round(period * 200) + 1, 200)
    axes = rotations(run)[:, :, 2]
    assert axes[-1] == pytest.approx(axes[0], abs=0.03)
    assert axes[len(axes) // 2] @ axes[0] < 0.1
    assert axes @ momentum == pytest.approx(np.full(len(axes), momentum[2]), abs=0.01 * np.linalg.norm(momentum))


def test_the_mass_centre_of_a_thrown_cone_falls_on_a_parabola() -> None:
    """It is a quarter of the height above the base, so the pose's own origin wobbles around it."""
    body = thing("cone", "large", height=12.0, spin=(5.0, 0.0, 0.0))
    run = simulate((body,), 33, FPS)
    center = run.poses[:, 0, :3] - rotations(run)[:, :, 2] * body.dimensions[1] / 2
    bend = np.diff(center, n=2, axis=0) * FPS**2
    wobble = np.diff(run.poses[:, 0, :3], n=2, axis=0) * FPS**2
    assert bend == pytest.approx(np.broadcast_to([0.0, 0.0, -GRAVITY], bend.shape), abs=0.4)
    assert np.abs(wobble - [0.0, 0.0, -GRAVITY]).max() > 5


def test_speeds_and_spins_are_what_the_poses_do() -> None:
    body = thing("block", height=30.0, velocity=(0.5, -0.3, 2.0), spin=(1.0, 2.0, -1.5))
    run = simulate((body,), 100, 100)
    steps = np.diff(run.poses[:, 0, :3], axis=0) * 100
    assert steps == pytest.approx((run.velocity[1:, 0] + run.velocity[:-1, 0]) / 2, abs=0.02)
    relative = np.einsum("tij,tkj->tik", rotations(run)[1:], rotations(run)[:-1])
    turns = np.stack([relative[:, 2, 1], relative[:, 0, 2], relative[:, 1, 0]], axis=-1)
    turns -= np.stack([relative[:, 1, 2], relative[:, 2, 0], relative[:, 0, 1]], axis=-1)
    assert turns * 50 == pytest.approx((run.spin[1:, 0] + run.spin[:-1, 0]) / 2, abs=0.02)


@pytest.mark.parametrize(
    ("other", "ratio"),
    [
        ({}, 1.0),
        ({"material": "metal"}, 1.8),
        ({"heaviness": 3.0}, 3.0),
        ({"size": "large"}, (SIZES["large"] / SIZES["medium"]) ** 3),
        ({"size": "small", "material": "metal", "heaviness": 0.5}, 0.9 * (SIZES["small"] / SIZES["medium"]) ** 3),
    ],
)
def test_speeds_change_in_a_collision_as_one_mass_is_to_the_other(other: dict[str, Any], ratio: float) -> None:
    run = in_the_air(thing(), thing(**other))
    change = run.velocity[-1, :, 0] - run.velocity[0, :, 0]
    assert -change[0] / change[1] == pytest.approx(ratio)
    assert run.velocity[-1, :, 1] == pytest.approx((0.0, 0.0), abs=1e-9)


@pytest.mark.parametrize("bounce", [None, 0.12, 0.4])
def test_a_collision_never_gives_energy_and_balls_do_not_pass_through(bounce: float | None) -> None:
    run = in_the_air(thing(), thing(bounce=bounce))
    energy = (run.velocity[:, :, 0] ** 2).sum(1)
    before, after = run.velocity[0, :, 0], run.velocity[-1, :, 0]
    assert energy.max() <= energy[0] + 1e-6
    assert (run.poses[:, 0, 0] < run.poses[:, 1, 0]).all()
    assert 0 <= (after[1] - after[0]) / (before[0] - before[1]) < 0.9


@pytest.mark.parametrize("damping", [0.08, 0.12, 0.2])
def test_a_rebound_has_the_same_share_of_speed_from_any_height(damping: float) -> None:
    """A damped spring: e = exp(-pi z / sqrt(1 - z^2)), whatever the speed."""
    expected = math.exp(-math.pi * damping / math.sqrt(1 - damping**2))
    for height in (1.2, 2.0, 3.0):
        body = thing(height=height, bounce=damping)
        first, second = simulate((body,), 100, FPS).landings[0][:2]
        arrival = math.sqrt(2 * GRAVITY * (height - body.dimensions[0]))
        assert (second - first) * GRAVITY / 2 / arrival == pytest.approx(expected, rel=0.1)


def test_a_ball_rises_to_e_squared_of_the_height_it_fell_from() -> None:
    body = thing(height=3.0, bounce=0.12)
    run = simulate((body,), 80, FPS)
    first, second = run.landings[0][:2]
    share = (second - first) / (2 * first)  # of the speed, by the times of flight
    height = run.poses[int(first * FPS) + 1 : int(second * FPS), 0, 2].max() - body.dimensions[0]
    assert height == pytest.approx(share**2 * (3.0 - body.dimensions[0]), rel=0.06)


def test_rebounds_are_landings_of_their_own_and_rolling_is_none() -> None:
    run = simulate((thing(height=2.0, bounce=0.12),), 100, FPS)
    times = run.landings[0]
    gaps = [after - before for before, after in pairwise(times)]
    assert len(times) >= 3
    assert min(gaps) > AIRBORNE
    assert gaps == sorted(gaps, reverse=True)
    assert simulate((rolling(thing(), 1.5),), 80, FPS).landings == ((),)


def test_the_same_meeting_elsewhere_or_the_other_way_round_is_the_same() -> None:
    """Where the origin lies, and which way is x, means nothing to physics."""
    ball, cube = rolling(thing(x=-1.0), 2.0), thing("cube", "small", x=0.4, heaviness=0.4)
    run = simulate((ball, cube), 40, FPS)
    moved = [replace(o, position=(o.position[0] + 3.0, o.position[1] - 2.0, o.position[2])) for o in (ball, cube)]
    shifted = simulate(tuple(moved), 40, FPS)
    assert shifted.poses[..., :3] - [3.0, -2.0, 0.0] == pytest.approx(run.poses[..., :3], abs=5e-3)
    flipped = simulate((rolling(thing(x=1.0), -2.0), replace(cube, position=(-0.4, 0.0, cube.position[2]))), 40, FPS)
    assert flipped.poses[..., :3] * [-1, 1, 1] == pytest.approx(run.poses[..., :3], abs=5e-3)


def test_a_clip_that_stops_earlier_is_the_beginning_of_the_longer_one() -> None:
    scene = (rolling(thing(x=-1.0), 2.5), thing("block", x=0.3, heaviness=0.4))
    short, long = simulate(scene, 12, FPS), simulate(scene, 40, FPS)
    for name in ("poses", "velocity", "spin"):
        assert getattr(short, name).tobytes() == getattr(long, name)[:12].tobytes()
    assert short.contacts == tuple(contact for contact in long.contacts if contact.time <= 11 / FPS)


def test_one_frame_is_the_start() -> None:
    body = thing("cube", height=2.0, quaternion=(0.6, 0.0, 0.8, 0.0), velocity=(1.0, 2.0, 3.0))
    run = simulate((body,), 1, FPS)
    assert run.poses[0, 0, :3] == pytest.approx(body.position)
    assert run.velocity[0, 0] == pytest.approx(body.velocity)
    assert rotations(run)[0] @ [0, 0, 1] == pytest.approx((0.96, 0.0, -0.28))
    assert not run.contacts


def test_a_row_of_dominoes_waits_for_the_ball_and_then_falls_in_order() -> None:
    row = tuple(thing("domino", x=0.45 * k, heaviness=0.5) for k in range(4))
    assert np.abs(np.diff(simulate(row, 120, FPS).poses, axis=0)).max() < 1e-3
    ball = rolling(thing("sphere", "small", x=-1.2, heaviness=1.5), 2.5)
    run = simulate((ball, *row), 80, FPS)
    fallen = [int(np.argmax(run.poses[:, k, 11] < 0.9)) for k in range(1, 5)]
    assert fallen == sorted(fallen)
    assert 0 < fallen[0] < fallen[3]
    met = [(contact.first, contact.second) for contact in run.contacts]
    assert met[:4] == [(0, 1), (1, 2), (2, 3), (3, 4)]


def test_a_tower_of_four_stands_for_eight_seconds() -> None:
    base = thing("cube", "small", heaviness=0.3)
    tower = tuple(replace(base, position=(0.0, 0.0, (2 * level + 1) * base.rest_height)) for level in range(4))
    run = simulate(tower, 65, 8)
    assert np.abs(run.poses[-1] - run.poses[0]).max() < 0.01
    assert run.contacts == ()


def test_two_bodies_meet_once_in_the_log_however_often_they_touch() -> None:
    run = simulate((rolling(thing(x=-1.0, heaviness=3.0), 2.0), thing("cube", "small", heaviness=0.3)), 60, FPS)
    (contact,) = run.contacts
    assert contact.first_speed == pytest.approx(2.0, rel=0.02)
    assert contact.second_speed == pytest.approx(0.0, abs=0.01)
    gap = 1.0 - thing().dimensions[0] - thing("cube", "small").dimensions[0]
    assert RESTING < contact.time == pytest.approx(gap / 2.0, rel=0.05)
    assert contact.time < (np.argmax(run.velocity[:, 1, 0] > 0.1) + 1) / FPS + LONGEST_STEP
