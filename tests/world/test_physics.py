"""Motion against closed forms: fall, roll, slide, slope, collision, bounce, rest."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from sorairo.world.objects import SHAPES, SceneObject, dimensions_of, rest_height
from sorairo.world.physics import GRAVITY, model_xml, settled, simulate
from sorairo.world.scenarios import rolling

FPS = 40


def thing(shape: str = "sphere", size: str = "medium", at: tuple[float, float] = (0.0, 0.0)) -> SceneObject:
    dimensions = dimensions_of(shape, size)
    position = (*at, rest_height(shape, dimensions))
    return SceneObject(shape, "red", size, "rubber", "actor", dimensions, position)


def lifted(body: SceneObject, height: float) -> SceneObject:
    return replace(body, position=(*body.position[:2], height))


def test_a_fall_is_half_g_t_squared() -> None:
    run = simulate((lifted(thing(), 4.0),), 25, FPS)
    times = np.arange(25) / FPS
    assert run.poses[:, 0, 2] == pytest.approx(4.0 - 0.5 * GRAVITY * times**2, abs=0.01)
    assert run.velocity[:, 0, 2] == pytest.approx(-GRAVITY * times, abs=0.03)


def test_a_thrown_object_keeps_its_speed_across() -> None:
    run = simulate((replace(lifted(thing("cube"), 4.0), velocity=(1.5, -0.5, 0.0)),), 21, FPS)
    assert run.poses[-1, 0, :2] == pytest.approx((1.5 * 20 / FPS, -0.5 * 20 / FPS), abs=1e-6)


@pytest.mark.parametrize("shape", ["sphere", "cylinder", "ring"])
def test_rolling_is_spin_times_radius(shape: str) -> None:
    body = rolling(thing(shape), 1.2)
    run = simulate((body,), 41, FPS)
    radius = body.dimensions[0] + (body.dimensions[1] if shape == "ring" else 0)
    assert run.spin[:, 0, 1] * radius == pytest.approx(run.velocity[:, 0, 0], rel=0.08)
    assert run.poses[-1, 0, 0] == pytest.approx(1.2, rel=0.2 if shape == "ring" else 0.05)
    assert abs(run.poses[:, 0, 1]).max() < 0.05


def test_a_slide_ends_after_v_squared_over_two_mu_g() -> None:
    speed, friction = 2.0, 0.2
    body = replace(thing("cube"), velocity=(speed, 0.0, 0.0), friction=friction)
    run = simulate((body,), 81, FPS)
    assert run.poses[-1, 0, 0] == pytest.approx(speed**2 / (2 * friction * GRAVITY), rel=0.1)
    assert abs(run.velocity[-1, 0, 0]) < 0.01


def test_a_ball_runs_down_a_slope_at_five_sevenths_of_g_sine() -> None:
    angle, half = 0.4, 2.0
    tilt = (math.cos(angle / 2), 0.0, math.sin(angle / 2), 0.0)
    plank = SceneObject(
        "ramp", "wood", "medium", "rubber", "prop", (half, 0.5, 0.05), (0.0, 0.0, 1.0), tilt, static=True
    )
    ball = thing("sphere", "small")
    up, lift = 0.8 * half, ball.dimensions[0] + 0.05
    x, z = -up * math.cos(angle) + lift * math.sin(angle), 1.0 + up * math.sin(angle) + lift * math.cos(angle)
    run = simulate((plank, replace(ball, position=(x, 0.0, z))), 33, FPS)
    way = np.linalg.norm(run.poses[-1, 1, :3] - run.poses[0, 1, :3])
    assert way == pytest.approx(0.5 * 5 / 7 * GRAVITY * math.sin(angle) * (32 / FPS) ** 2, rel=0.08)


def test_balls_that_meet_in_the_air_keep_their_momentum() -> None:
    left = replace(lifted(thing(at=(-1.0, 0.0)), 9.0), velocity=(1.5, 0.0, 0.0))
    right = replace(lifted(thing(at=(1.0, 0.0)), 9.0), velocity=(-0.5, 0.0, 0.0))
    run = simulate((left, right), 41, FPS)
    assert run.velocity[:, :, 0].sum(1) == pytest.approx(1.0, abs=1e-3)
    (contact,) = run.contacts
    assert contact.relative == pytest.approx(2.0, rel=0.01)
    assert (contact.first, contact.second) == (0, 1)
    assert contact.time == pytest.approx((2.0 - 2 * left.dimensions[0]) / 2.0, abs=0.02)


def test_the_first_landing_is_when_the_fall_ends() -> None:
    run = simulate((lifted(thing(), 2.0),), 40, FPS)
    drop = 2.0 - thing().dimensions[0]
    assert run.landings[0][0] == pytest.approx(math.sqrt(2 * drop / GRAVITY), abs=0.02)


@pytest.mark.parametrize("shape", sorted(set(SHAPES) - {"wall", "ramp"}))
def test_what_stands_stays(shape: str) -> None:
    run = simulate((thing(shape),), 20, FPS)
    assert np.abs(run.poses[-1, 0, :3] - run.poses[0, 0, :3]).max() < 0.01
    assert not run.contacts


def test_a_stack_falls_when_it_is_hit() -> None:
    base = thing("cube", "small")
    height = base.dimensions[2]
    stack = tuple(lifted(base, (2 * level + 1) * height) for level in range(3))
    ball = replace(rolling(thing("sphere", "large", (-2.0, 0.0)), 5.0), heaviness=3.0)
    run = simulate((ball, *stack), 60, FPS)
    assert run.poses[-1, 3, 2] < run.poses[0, 3, 2] - height


def test_fixed_objects_do_not_move() -> None:
    wall = replace(thing("cube", "large", (1.0, 0.0)), static=True)
    run = simulate((wall, rolling(thing(at=(-0.5, 0.0)), 3.0)), 30, FPS)
    assert (run.poses[:, 0] == run.poses[0, 0]).all()
    assert (run.velocity[:, 0] == 0).all()
    assert len(run.contacts) == 1


def test_rotations_stay_rotations() -> None:
    run = simulate((lifted(replace(thing("cube"), quaternion=(0.6, 0.8, 0.0, 0.0)), 1.5),), 40, FPS)
    rotations = run.poses[:, 0, 3:].reshape(-1, 3, 3)
    identity = np.einsum("tij,tkj->tik", rotations, rotations)
    assert identity == pytest.approx(np.broadcast_to(np.eye(3), identity.shape), abs=1e-3)


def test_rest_is_exactly_still() -> None:
    """Trembling below 0.2 mm is held, so that frames can be told to be equal."""
    poses = np.zeros((5, 1, 12))
    poses[:, 0, 0] = [0.0, 1e-5, -1e-5, 0.1, 0.1 + 1e-5]
    assert settled(poses)[:, 0, 0].tolist() == [0.0, 0.0, 0.0, 0.1, 0.1]
    run = simulate((thing("cube"),), 30, FPS)
    assert (run.poses[10:] == run.poses[10]).all()


def test_the_same_scene_moves_the_same() -> None:
    scene = (rolling(thing(at=(-1.0, 0.0)), 2.0), thing("ring", "small", (0.3, 0.02)))
    first, second = simulate(scene, 40, FPS), simulate(scene, 40, FPS)
    assert first.poses.tobytes() == second.poses.tobytes()
    assert first.contacts == second.contacts


def test_the_rate_of_frames_does_not_change_the_physics() -> None:
    body = rolling(thing(), 1.0)
    slow, fast = simulate((body,), 9, 8), simulate((body,), 25, 24)
    assert slow.poses[:, 0, :3] == pytest.approx(fast.poses[::3, 0, :3], abs=2e-3)


def test_a_model_names_every_body() -> None:
    xml = model_xml((thing("cone"), thing("ring"), replace(thing("cube"), static=True)), 0.002)
    assert xml.count("<body") == 3
    assert xml.count("<freejoint/>") == 2
    assert xml.count("<mesh ") == 1
