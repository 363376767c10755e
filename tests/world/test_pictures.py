"""Pictures against geometry: silhouettes, shadows, mirrors, samples, sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from sorairo.shapes import VideoShape
from sorairo.world import CAMERA_MOVES, LIGHTS, SceneObject, WorldClip, make_clip, render
from sorairo.world import environment as env
from sorairo.world.camera import draw_camera, project
from sorairo.world.environment import draw_environment
from sorairo.world.facts import GRID_CELLS
from sorairo.world.objects import dimensions_of, solid_rows
from sorairo.world.surfaces import ground_color
from sorairo.world.tracer import camera_ray, shadow
from sorairo.world.vectors import Table

UP = (0.0, 0.0, 1.0)
UPRIGHT = (1, 0, 0, 0, 1, 0, 0, 0, 1)
ABOVE = np.array([0, 0, 12.0, 1, 0, 0, 0, 1, 0, 0, 0, -1, 0.25])  # a camera that looks straight down
LEVEL = np.array([0, -4.0, 1.5, 1, 0, 0, 0, 0, 1, 0, 1, 0, 0.36])  # one that looks along y


def thing(shape: str = "sphere", size: str = "medium", color: str = "red", role: str = "bystander") -> SceneObject:
    return SceneObject(shape, color, size, "rubber", role, dimensions_of(shape, size))


def at(x: float, y: float, z: float, turn: Sequence[float] = UPRIGHT) -> Table:
    return np.array([x, y, z, *turn], float)


def environment(light: str, ground: str, **columns: float) -> Table:
    """A row with this light and ground; columns by name are overwritten."""
    drawn = (draw_environment(np.random.default_rng(seed)) for seed in range(400))
    row = next(row for row, *names in drawn if names == [light, ground])
    for name, value in columns.items():
        row[getattr(env, name)] = value
    return row


@pytest.fixture(scope="module")
def blank() -> WorldClip:
    return make_clip(3, VideoShape(1, 96, 128))


def shown(
    blank: WorldClip, things: Sequence[SceneObject], poses: Sequence[Table], camera: Table, row: Table | None = None
) -> WorldClip:
    """A clip of one frame with these objects only."""
    row = blank.environment if row is None else row
    return replace(blank, objects=tuple(things), poses=np.stack(poses)[None], camera=camera[None], environment=row)


def ground_points(camera: Table, width: int, height: int) -> Table:
    """Where the ray of each pixel meets the ground: [h w 2]."""
    points = np.empty((height, width, 2))
    for y in range(height):
        for x in range(width):
            ray = np.array(camera_ray(camera, x + 0.5, y + 0.5, width, height))
            points[y, x] = (camera[:3] - ray * camera[2] / ray[2])[:2]
    return points


def brightness(pixels: npt.NDArray[np.uint8]) -> Table:
    return pixels.astype(float).mean(-1)


@pytest.mark.parametrize("offset", [(0.0, 0.0), (0.8, 0.0), (-0.9, 0.6)])
@pytest.mark.parametrize("depth", [3.5, 5.0])
def test_a_ball_covers_the_ellipse_of_its_cone_of_rays(
    blank: WorldClip, offset: tuple[float, float], depth: float
) -> None:
    """Semi-axes sin a cos a / (cos^2 t - sin^2 a) and sin a / sqrt(the same): a half-angle, t angle off the axis."""
    ball = thing("sphere", "small")
    clip = shown(blank, [ball], [at(offset[0], LEVEL[1] + depth, LEVEL[2] + offset[1])], LEVEL)
    _, ids = render(clip, antialias=1)
    distance = math.hypot(depth, *offset)
    sine2, cosine2 = (ball.dimensions[0] / distance) ** 2, (depth / distance) ** 2
    free = cosine2 - sine2
    area = math.pi * math.sqrt(sine2 * (1 - sine2)) / free * math.sqrt(sine2 / free)
    pixels = area * (96 / (2 * LEVEL[12])) ** 2
    assert (ids == 0).sum() == pytest.approx(pixels, rel=0.03)


def test_a_cube_seen_face_on_is_the_square_of_its_front(blank: WorldClip) -> None:
    cube = thing("cube", "large")
    half = cube.dimensions[0]
    _, ids = render(shown(blank, [cube], [at(0, 0, LEVEL[2])], LEVEL), antialias=1)
    side = half / (4.0 - half) / LEVEL[12] * 96
    assert (ids == 0).sum() == pytest.approx(side**2, rel=0.05)
    rows, columns = np.nonzero(ids[0] == 0)
    assert np.ptp(rows) == np.ptp(columns) == pytest.approx(side, abs=2)


def test_a_ring_seen_from_above_has_its_area_and_its_hole(blank: WorldClip) -> None:
    """From far away: 4 pi a b for the ring, pi (a - b)^2 for the ground in its hole."""
    ring = thing("ring", "large")
    a, b, _ = ring.dimensions
    clip = shown(blank, [ring], [at(0, 0, b)], ABOVE)
    _, ids = render(clip, antialias=1)
    per_metre = 96 / (2 * ABOVE[12] * (ABOVE[2] - b))
    assert (ids == 0).sum() == pytest.approx(4 * math.pi * a * b * per_metre**2, rel=0.04)
    hole = ids[0, 48 - 5 : 48 + 5, 64 - 5 : 64 + 5] == -1
    assert hole.sum() == pytest.approx(math.pi * ((a - b) * per_metre) ** 2, rel=0.3)


def test_small_balls_are_where_they_are_projected(blank: WorldClip) -> None:
    rng = np.random.default_rng(5)
    for seed in range(8):
        camera, _ = draw_camera(np.random.default_rng(seed), 1, 0.36, (0.0, 0.3), 0.2)
        place = rng.uniform((-0.9, -0.4, 0.5), (0.9, 1.0, 1.4))
        _, ids = render(shown(blank, [thing("sphere", "small")], [at(*place)], camera[0]), antialias=1)
        rows, columns = np.nonzero(ids[0] == 0)
        seen = (columns.mean() + 0.5) / 64 - 1, 1 - (rows.mean() + 0.5) / 48
        assert project(camera, place[None, None], 4 / 3)[0, 0, :2] == pytest.approx(seen, abs=0.02)


def test_the_nearer_of_two_is_seen_whatever_their_order(blank: WorldClip) -> None:
    """Exchanging two objects exchanges their ids and not a pixel."""
    things, poses = [thing("cube", color="blue"), thing("sphere")], [at(0.2, 0.8, 1.4), at(0, 0, 1.5)]
    pixels, ids = render(shown(blank, things, poses, LEVEL))
    swapped, swapped_ids = render(shown(blank, things[::-1], poses[::-1], LEVEL))
    assert np.array_equal(pixels, swapped)
    assert np.array_equal(np.where(ids < 0, ids, 1 - ids), swapped_ids)
    assert ids[0, 48, 64] == 1
    alone = render(shown(blank, things[1:], poses[1:], LEVEL))[1]
    assert np.array_equal(alone == 0, ids == 1)


@pytest.mark.parametrize("light", ["day", "sunset", "night"])
def test_a_shadow_lies_on_the_side_away_from_the_sun(blank: WorldClip, light: str) -> None:
    """At height h, its middle is at -h s_xy / s_z from below the ball."""
    row, height = environment(light, "sand"), 0.8 if light == "sunset" else 1.6
    ball, camera = thing("sphere", "small"), ABOVE + np.eye(13)[12] * 0.15
    sun = row[env.SUN : env.SUN + 3]
    size = {"width": 64, "height": 64, "antialias": 1}
    with_ball, ids = render(shown(blank, [ball], [at(0, 0, height)], camera, row), **size)
    without, _ = render(shown(blank, [ball], [at(0, 0, -9)], camera, row), **size)
    darker = np.where(ids[0] == -1, brightness(without)[0] - brightness(with_ball)[0], 0)
    dark = darker > 0.4 * darker.max()
    middle = ground_points(camera, 64, 64)[dark].mean(0)
    expected = -height * sun[:2] / sun[2]
    assert middle == pytest.approx(expected, abs=0.08 * np.linalg.norm(expected))


def test_a_shadow_is_as_large_as_the_slant_of_the_light_makes_it() -> None:
    """At the rim of the geometric shadow, an ellipse of area pi r^2 / sin(elevation), just half the light is left."""
    ball, height = thing(), 1.2
    solids, poses = solid_rows((ball,)), at(0, 0, height)[None]
    radius = ball.dimensions[0]
    for elevation in (0.4, 0.8, 1.2):
        sun = (math.cos(elevation), 0.0, math.sin(elevation))
        middle = -height / math.tan(elevation)
        for angle in np.linspace(0, 2 * math.pi, 9):
            rim = middle + radius / math.sin(elevation) * math.cos(angle), radius * math.sin(angle), 0.0
            assert shadow(solids, poses, rim, sun, 9.0, -1) == pytest.approx(0.5, abs=0.003)
        assert shadow(solids, poses, (middle, 0.0, 0.0), sun, 9.0, -1) < 0.1


def test_penumbrae_grow_with_the_distance_and_the_softness() -> None:
    """Width of the half-lit rim: in proportion to height over sharpness."""

    def width(height: float, sharpness: float) -> float:
        poses, places = at(0, 0, height)[None], np.linspace(0, 1.6, 400)
        light = [shadow(solid_rows((thing(),)), poses, (x, 0.0, 0.0), UP, sharpness, -1) for x in places.tolist()]
        return float(np.sum((np.array(light) > 0.1) & (np.array(light) < 0.9)))

    assert width(2.0, 9.0) / width(1.0, 9.0) == pytest.approx(2, rel=0.05)
    assert width(1.0, 6.0) / width(1.0, 12.0) == pytest.approx(2, rel=0.05)


def test_what_two_things_let_through_is_the_product() -> None:
    solids, poses = solid_rows((thing(), thing("cube"))), np.stack([at(0.3, 0, 1), at(-0.3, 0, 2.2)])
    for x in (-0.2, 0.0, 0.15, 0.4):
        parts = [shadow(solids[i : i + 1], poses[i : i + 1], (x, 0.0, 0.0), UP, 5.0, -1) for i in (0, 1)]
        assert shadow(solids, poses, (x, 0.0, 0.0), UP, 5.0, -1) == pytest.approx(parts[0] * parts[1], abs=0.004)


@pytest.mark.parametrize("light", LIGHTS)
def test_the_side_of_a_ball_that_faces_the_sun_is_the_bright_one(blank: WorldClip, light: str) -> None:
    row = environment(light, "grey")
    pixels, ids = render(shown(blank, [thing("sphere", "large")], [at(0, 0.2, 1.5)], LEVEL, row), width=64, height=48)
    on_it = ids[0] == 0
    columns = np.broadcast_to(np.arange(64) - 31.5, on_it.shape)
    left, right = (brightness(pixels)[0][on_it & (sign * columns > 3)].mean() for sign in (-1, 1))
    assert np.sign(right - left) == np.sign(row[env.SUN])


def test_a_mirror_floor_shows_the_ball_below_itself(blank: WorldClip) -> None:
    """Without a sun, the only trace of a ball in the air on the ground is its image at (x, y, -z)."""
    row = environment("studio", "grey", GROUND_SHINE=0.9)
    row[env.SUN_COLOR : env.SUN_COLOR + 3] = 0
    place, ball, wide = (0.3, 1.0, 1.3), thing("sphere", "small"), LEVEL + np.eye(13)[12] * 0.4
    with_ball, ids = render(shown(blank, [ball], [at(*place)], wide, row), antialias=1)
    without, _ = render(shown(blank, [ball], [at(0, 0, -9)], wide, row), antialias=1)
    changed = (np.abs(with_ball.astype(int) - without).max(-1)[0] > 6) & (ids[0] == -1)
    rows, columns = np.nonzero(changed)
    seen = (columns.mean() + 0.5) / 64 - 1, 1 - (rows.mean() + 0.5) / 48
    image = project(wide[None], np.array([[[place[0], place[1], -place[2]]]]), 4 / 3)[0, 0]
    assert image[:2] == pytest.approx(seen, abs=0.04)
    radius = ball.dimensions[0] / image[2] / wide[12] * 48
    assert changed.sum() == pytest.approx(math.pi * radius**2, rel=0.2)


def test_a_checkered_floor_changes_colour_from_cell_to_cell() -> None:
    row = environment("day", "checker", GROUND_TURN=0.0)
    cell, rng = 1 / row[env.GROUND_SCALE], np.random.default_rng(0)
    middle = (row[env.GROUND_A] + row[env.GROUND_B]) / 2
    for u, v in rng.integers(-6, 6, (40, 2)):
        x, y = ((u + 0.5 - 0.123) * cell, (v + 0.5 - 0.377) * cell)
        second = ground_color(row, float(x), float(y), 1.0)[0] > middle
        assert second == ((u + v) % 2 == 0)


@pytest.fixture(scope="module")
def lively() -> list[WorldClip]:
    """A clip of each light, one frame, tiny."""
    made = [make_clip(seed, VideoShape(1, 48, 64)) for seed in range(40)]
    return [next(clip for clip in made if clip.facts.light == light) for light in LIGHTS]


def test_the_middle_of_three_pixels_is_the_pixel_of_a_third_of_the_size(lively: list[WorldClip]) -> None:
    """Without anti-aliasing a pixel is one sample at its middle, and that does not depend on the size."""
    for clip in lively:
        small, ids = render(clip, antialias=1)
        large, large_ids = render(clip, width=192, height=144, antialias=1)
        assert (large_ids[:, 1::3, 1::3] != ids).mean() < 0.001
        apart = np.abs(large[:, 1::3, 1::3].astype(int) - small).max(-1)
        assert (apart > 1).mean() < 0.001


def test_anti_aliasing_comes_nearer_to_the_mean_of_many_samples(lively: list[WorldClip]) -> None:
    for clip in lively:
        fine = render(clip, width=64 * 6, height=48 * 6, antialias=1)[0][0].reshape(48, 6, 64, 6, 3).mean((1, 3))
        errors = [np.abs(render(clip, antialias=n)[0][0] - fine) for n in (1, 2, 4)]
        means = [error.mean() for error in errors]
        assert means[2] < means[1] < 0.75 * means[0]
        assert means[2] < 1.5
        assert np.quantile(errors[2], 0.99) < 10


def test_a_picture_four_times_the_size_averages_to_the_small_one(lively: list[WorldClip]) -> None:
    for clip in lively:
        small, large = render(clip)[0][0], render(clip, width=256, height=192)[0][0]
        apart = np.abs(large.reshape(48, 4, 64, 4, 3).mean((1, 3)) - small)
        assert apart.mean() < 3
        assert np.quantile(apart, 0.95) < 14


@pytest.mark.parametrize("move", CAMERA_MOVES)
def test_mirroring_exchanges_every_pixel_of_every_move(move: str, clips: tuple[WorldClip, ...]) -> None:
    clip = next(clip for clip in clips if clip.facts.camera_move == move)
    frames = [0, clip.shape.num_frames - 1]
    pixels, ids = render(clip, frames, width=40, height=32)
    flipped, flipped_ids = render(clip.mirrored(), frames, width=40, height=32)
    assert np.array_equal(flipped, pixels[:, :, ::-1])
    assert np.array_equal(flipped_ids, ids[:, :, ::-1])


def test_facts_count_the_ids_of_a_picture_on_their_grid(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips[:9]:
        aspect = clip.shape.width / clip.shape.height
        height = round(math.sqrt(GRID_CELLS / aspect))
        width, frames = round(height * aspect), [0, 17, 32]
        _, ids = render(clip, frames, width=width, height=height, antialias=1)
        shares = np.stack([(ids == index).mean((1, 2)) for index in range(len(clip.objects))], axis=1)
        assert clip.facts.area[frames] == pytest.approx(shares, abs=2.5 / (width * height))


def test_what_is_inside_is_what_would_be_seen_alone(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips[:9]:
        aspect = clip.shape.width / clip.shape.height
        height = round(math.sqrt(GRID_CELLS / aspect))
        width = round(height * aspect)
        for index, body in enumerate(clip.objects):
            alone = replace(clip, objects=(body,), poses=clip.poses[:, index : index + 1])
            _, ids = render(alone, [20], width=width, height=height, antialias=1)
            assert clip.facts.inside[20, index] == pytest.approx((ids == 0).mean(), abs=2.5 / (width * height))


def test_more_exposure_darkens_nothing(lively: list[WorldClip]) -> None:
    for clip in lively:
        brighter = clip.environment.copy()
        brighter[env.EXPOSURE] *= 1.5
        plain, bright = (render(replace(clip, environment=row), antialias=1)[0] for row in (clip.environment, brighter))
        assert (bright >= plain).all()
        assert brightness(bright).mean() > brightness(plain).mean() + 5


def test_night_light_falls_off_around_the_middle(blank: WorldClip) -> None:
    row = environment("night", "grey")
    far = replace(thing(), dimensions=(0.05, 0.0, 0.0))
    camera = ABOVE + np.eye(13)[12] * 0.3
    pixels, _ = render(shown(blank, [far], [at(0, 0, -9)], camera, row), width=64, height=64)
    distance = np.linalg.norm(ground_points(camera, 64, 64) - [0, 0.2], axis=-1)
    rings = [brightness(pixels)[0][(distance > r) & (distance <= r + 1)].mean() for r in range(5)]
    assert rings == sorted(rings, reverse=True)
    assert rings[4] < 0.7 * rings[0]
