"""Pictures: shadows, tones, anti-aliasing, ids, sizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sorairo.shapes import VideoShape
from sorairo.world import WorldClip, make_clip, render
from sorairo.world import environment as env
from sorairo.world.environment import GROUNDS, LIGHTS, STUDIO_GROUNDS, draw_environment
from sorairo.world.objects import SceneObject, dimensions_of, solid_rows
from sorairo.world.surfaces import ground_color, object_color, sky
from sorairo.world.tracer import GROUND_ID, SKY_ID, ambient_light, shadow, tone
from sorairo.world.vectors import Table

UP = (0.0, 0.0, 1.0)


def scene(shape: str = "sphere", height: float = 1.0) -> tuple[Table, Table]:
    """Solids and poses of one object above the origin."""
    thing = SceneObject(shape, "red", "medium", "rubber", "bystander", dimensions_of(shape, "medium"))
    return solid_rows((thing,)), np.array([[0.0, 0.0, height, 1, 0, 0, 0, 1, 0, 0, 0, 1]])


def environments(light: str, count: int = 60) -> list[Table]:
    drawn = (draw_environment(np.random.default_rng(seed)) for seed in range(count))
    return [row for row, name, _ in drawn if name == light]


@pytest.mark.parametrize("shape", ["sphere", "cube", "cylinder", "cone"])
def test_a_shadow_is_dark_below_and_gone_beside(shape: str) -> None:
    solids, poses = scene(shape)
    assert shadow(solids, poses, (0.0, 0.0, 0.0), UP, 9.0, -1) < 0.02
    assert shadow(solids, poses, (3.0, 0.0, 0.0), UP, 9.0, -1) == 1.0


def test_a_penumbra_grows_from_dark_to_light_without_steps() -> None:
    solids, poses = scene()
    light = [shadow(solids, poses, (x, 0.0, 0.0), UP, 9.0, -1) for x in np.linspace(0.2, 0.9, 200)]
    steps = np.diff(light)
    assert steps.min() >= -1e-9
    assert steps.max() < 0.05
    assert light[0] < 0.02
    assert light[-1] > 0.98


def test_a_ring_lets_light_through_its_hole() -> None:
    solids, poses = scene("ring")
    inside = shadow(solids, poses, (0.0, 0.0, 0.0), UP, 40.0, -1)
    below = shadow(solids, poses, (0.78 * 0.47, 0.0, 0.0), UP, 40.0, -1)
    assert below < 0.02 < inside


def test_ambient_light_is_full_in_the_open_and_less_under_an_object() -> None:
    solids, poses = scene("cube", height=0.4)
    assert ambient_light(solids, poses, (3.0, 0.0, 0.0), UP, -1) == 1.0
    near = ambient_light(solids, poses, (0.42, 0.0, 0.0), UP, -1)
    assert 0.1 < near < 1.0


def test_tones_rise_from_black_to_white() -> None:
    values = np.array([tone(x, 1.0) for x in np.linspace(0, 8, 400)])
    assert values[0] == 0
    assert (np.diff(values) >= 0).all()
    assert values[-1] == pytest.approx(1, abs=1e-6)
    assert tone(-1.0, 1.0) == 0


@pytest.mark.parametrize("light", LIGHTS)
def test_the_sky_is_a_finite_light_in_every_direction(light: str) -> None:
    rng = np.random.default_rng(0)
    for row in environments(light)[:5]:
        for _ in range(40):
            direction = rng.normal(size=3)
            direction[2] = abs(direction[2])
            color = np.array(sky(row, tuple(direction / np.linalg.norm(direction))))
            assert np.isfinite(color).all()
            assert color.min() >= 0


def test_day_is_brighter_than_night_and_sunset_is_warm() -> None:
    mean = {light: np.mean([sky(row, (0.0, 0.995, 0.1)) for row in environments(light)], axis=0) for light in LIGHTS}
    assert mean["day"].sum() > 5 * mean["night"].sum()
    assert mean["sunset"][0] > mean["sunset"][2]
    assert mean["day"][2] > mean["day"][0]


def test_the_ground_stays_between_its_two_colours() -> None:
    rng = np.random.default_rng(1)
    for seed in range(40):
        row, _, _ = draw_environment(np.random.default_rng(seed))
        low = np.minimum(row[env.GROUND_A : env.GROUND_A + 3], row[env.GROUND_B : env.GROUND_B + 3])
        high = np.maximum(row[env.GROUND_A : env.GROUND_A + 3], row[env.GROUND_B : env.GROUND_B + 3])
        for x, y in rng.uniform(-6, 6, (50, 2)):
            color = np.array(ground_color(row, x, y, 5.0))
            assert (color >= low - 1e-9).all()
            assert (color <= high + 1e-9).all()


def test_the_pattern_of_the_ground_fades_with_distance() -> None:
    row = next(
        row for row, _, ground in map(draw_environment, map(np.random.default_rng, range(60))) if ground == "tiles"
    )
    spots = np.random.default_rng(2).uniform(-5, 5, (300, 2))
    near, far = (np.std([ground_color(row, x, y, reach)[0] for x, y in spots]) for reach in (3.0, 200.0))
    assert far < 0.7 * near


def test_every_light_and_ground_is_drawn_and_studios_have_their_own_grounds() -> None:
    drawn = [draw_environment(np.random.default_rng(seed))[1:] for seed in range(200)]
    assert {light for light, _ in drawn} == set(LIGHTS)
    assert {ground for _, ground in drawn} == set(GROUNDS)
    assert {ground for light, ground in drawn if light == "studio"} <= set(STUDIO_GROUNDS)


def test_only_a_banded_sphere_shows_that_it_rolls() -> None:
    actor = SceneObject("sphere", "red", "medium", "rubber", "actor", dimensions_of("sphere", "medium"))
    for thing, banded in ((actor, True), (replace(actor, role="bystander"), False)):
        solids, poses = solid_rows((thing,)), scene()[1]
        middle, pole = (
            object_color(solids[0], poses[0], (0.47, 0, 1.0)),
            object_color(solids[0], poses[0], (0, 0, 1.47)),
        )
        assert (middle != pole) == banded


@pytest.fixture(scope="module")
def still_clip() -> WorldClip:
    """A clip whose camera does not move."""
    shape = VideoShape(33, 96, 160)
    return next(c for c in (make_clip(seed, shape) for seed in range(60)) if c.facts.camera_move == "still")


@pytest.mark.parametrize(("width", "height"), [(160, 96), (50, 30), (33, 47), (320, 192)])
def test_any_size_can_be_rendered(still_clip: WorldClip, width: int, height: int) -> None:
    pixels, ids = render(still_clip, [16], width=width, height=height)
    assert pixels.shape == (1, height, width, 3)
    assert ids.shape == (1, height, width)
    assert pixels.dtype == np.uint8
    assert ids.dtype == np.int8


def test_more_samples_change_only_pixels_with_contrast(still_clip: WorldClip) -> None:
    plain, ids = render(still_clip, [16], antialias=1)
    smooth, same_ids = render(still_clip, [16])
    assert np.array_equal(ids, same_ids)
    changed = (plain != smooth).any(-1)[0]
    assert 0.005 < changed.mean() < 0.6
    padded = np.pad(plain[0].astype(int), ((1, 1), (1, 1), (0, 0)), mode="edge")
    neighbours = [padded[1 + dy : 97 + dy, 1 + dx : 161 + dx] for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0))]
    contrast = np.max([np.abs(plain[0].astype(int) - n).max(-1) for n in neighbours], axis=0)
    assert contrast[changed].min() >= 11  # CONTRAST of 0.05 in steps of 1 / 255, less rounding


def test_ids_name_objects_ground_and_sky(still_clip: WorldClip) -> None:
    _, ids = render(still_clip)
    assert set(np.unique(ids)) <= {SKY_ID, GROUND_ID, *range(len(still_clip.objects))}
    assert (ids[:, 0] == SKY_ID).any()
    assert (ids[:, -1] == GROUND_ID).any()


def test_frames_where_nothing_moves_are_equal(still_clip: WorldClip) -> None:
    frozen = replace(still_clip, poses=np.repeat(still_clip.poses[:1], 33, axis=0))
    pixels, _ = render(frozen, [0, 5, 32])
    again, _ = render(frozen, [32])
    assert np.array_equal(pixels[0], pixels[1])
    assert np.array_equal(pixels[2], again[0])


def test_a_part_of_the_frames_is_the_same_part_of_the_clip(still_clip: WorldClip) -> None:
    whole, ids = render(still_clip, width=48, height=32)
    part, part_ids = render(still_clip, [3, 30, 30, -1], width=48, height=32)
    assert np.array_equal(part, whole[[3, 30, 30, 32]])
    assert np.array_equal(part_ids, ids[[3, 30, 30, 32]])


def test_frames_outside_the_clip_are_refused(still_clip: WorldClip) -> None:
    with pytest.raises(ValueError, match="nearest valid frames are 0 to 32"):
        render(still_clip, [33])


def test_metal_mirrors_and_rubber_does_not(still_clip: WorldClip) -> None:
    index = next(i for i, thing in enumerate(still_clip.objects) if thing.color not in ("wood", "grey"))
    pictures = []
    for material in ("rubber", "metal"):
        objects = list(still_clip.objects)
        objects[index] = replace(objects[index], material=material)
        pictures.append(render(replace(still_clip, objects=tuple(objects)), [16]))
    on_it = pictures[0][1][0] == index
    assert on_it.any()
    assert (pictures[0][0][0] != pictures[1][0][0])[on_it].any()
