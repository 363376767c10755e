"""Places in metres: the inverse of the world's own projection; what a cut edge hides; which camera is stillest."""

from __future__ import annotations

import numpy as np
import pytest

from sorairo.evals.statements import Noun
from sorairo.evals.tracks import (
    STRENGTHS,
    TILTS,
    _completed,
    at_depth,
    camera_of,
    jolt,
    meetings,
    on_ground,
    shape_share,
    sightings_of,
    slope,
    standing,
    track,
)
from sorairo.shapes import NATIVE_FPS
from sorairo.sight.observation import Observation, Sighting
from sorairo.world.camera import CAMERA_MOVES, camera_rows, project, view_tangent

WIDTH, HEIGHT = 80, 48
ASPECT = WIDTH / HEIGHT
FRAMES = 33


def cameras(move: str, tilt: float = 0.22, strength: float = 1.0) -> np.ndarray:
    return camera_rows(move, FRAMES, 0.0, tilt, strength, view_tangent(WIDTH, HEIGHT))


@pytest.mark.parametrize("move", CAMERA_MOVES)
def test_places_are_the_inverse_of_the_worlds_projection(move: str) -> None:
    rows = cameras(move)
    points = np.random.default_rng(0).uniform([-1.5, -0.5, 0.0], [1.5, 1.5, 1.2], (FRAMES, 1, 3))
    grounded = points * [1, 1, 0]
    seen = project(rows, grounded, ASPECT)[:, 0]
    assert np.allclose(on_ground(rows, seen[:, 0], seen[:, 1], ASPECT).T, grounded[:, 0, :2], atol=1e-9)
    raised = project(rows, points, ASPECT)[:, 0]
    placed = at_depth(rows, raised[:, 0], raised[:, 1], ASPECT, points[:, 0, 1])
    assert np.allclose(placed.T, points[:, 0, [0, 2]], atol=1e-9)


def test_what_is_above_the_horizon_is_far_but_not_infinite() -> None:
    far = on_ground(cameras("still")[:1], np.array([0.0]), np.array([1.0]), ASPECT)
    assert np.isfinite(far).all()
    assert far[1] > 5


def standing_at(x: float, y: float, color: str, rows: np.ndarray, radius: float = 0.2) -> list[Sighting]:
    """A disk on the ground with its middle at (x, y), seen by each row of a camera."""
    found = []
    for frame, row in enumerate(rows):
        away = np.array([x, y]) - row[:2]
        front = np.array([x, y]) - radius * away / np.linalg.norm(away)
        side = np.array([-away[1], away[0]]) / np.linalg.norm(away) * radius
        places = np.array([[[*front, 0.0], [*(front - side), 0.0], [*(front + side), 0.0]]])
        (middle, one, other) = project(row[None], places, ASPECT)[0]
        left, right = sorted((one[0], other[0]))
        found.append(
            Sighting(
                frame,
                1,
                color,
                "cylinder",
                middle[0],
                middle[1] + 0.2,
                left,
                right,
                middle[1],
                middle[1] + 0.4,
                0.02,
                0.0,
            )
        )
    return found


def observed(sightings: list[Sighting], move: str = "still") -> Observation:
    return Observation(tuple(sightings), np.zeros((FRAMES, HEIGHT, WIDTH), np.int8), "day", "sand", move)


def test_a_flat_base_stands_where_its_middle_is() -> None:
    rows = cameras("still")
    middle = standing(rows, standing_at(0.7, 0.9, "red", rows), ASPECT)
    assert np.allclose(middle, np.array([[0.7], [0.9]]), atol=0.02)


@pytest.mark.parametrize("strength", [STRENGTHS[0], STRENGTHS[-1]])
@pytest.mark.parametrize("move", ["orbit left", "orbit right"])
def test_the_camera_with_which_most_stands_still_is_found(move: str, strength: float) -> None:
    rows = cameras(move, TILTS[1], strength)
    things = [(-1.2, 0.4, "red"), (0.3, 1.3, "blue"), (1.1, -0.2, "green"), (-0.4, 0.0, "cyan")]
    seen = observed([s for x, y, color in things for s in standing_at(x, y, color, rows)], move)
    assert np.allclose(camera_of(seen), rows, atol=1e-9)
    for x, _, color in things:
        path = track(Noun(color), seen)
        assert np.ptp(path.x) < 0.1
        assert path.x.mean() == pytest.approx(x, abs=0.15)


def test_edges_beyond_the_picture_are_completed() -> None:
    left, right = np.array([-2.0, -2.0, -1.5, -1.0]), np.array([-1.6, -1.3, -0.7, -0.2])
    begin, end = _completed(left, right, np.array([True, True, False, False]), np.zeros(4, bool))
    assert begin == pytest.approx([-2.4, -2.1, -1.5, -1.0])
    assert end.tolist() == right.tolist()
    whole = _completed(left, right, np.zeros(4, bool), np.zeros(4, bool))
    assert whole[0].tolist() == left.tolist()
    never, _ = _completed(left, right, np.ones(4, bool), np.zeros(4, bool))
    assert never == pytest.approx(right - 0.8)


def test_speeds_and_jolts() -> None:
    frames = np.arange(20)
    assert slope(frames, 0.25 * frames + 3) == pytest.approx(0.25)
    rows = cameras("still")
    path = track(Noun("red"), observed(standing_at(0, 0.5, "red", rows)))
    assert jolt(path, path.x, 10) == pytest.approx(0, abs=1e-6)
    bent = np.where(path.frames < 10, 0, 0.1 * (path.frames - 10))
    assert jolt(path, bent, 10) == pytest.approx(0.1 * NATIVE_FPS)
    assert jolt(path, bent, 0) == 0


def sighting(frame: int, shape: str, area: float, x: float = 0.0, number: int = 1) -> Sighting:
    return Sighting(frame, number, "red", shape, x, 0.0, x - 0.1, x + 0.1, -0.1, 0.1, area, 0.0)


def test_a_covered_thing_keeps_the_shape_that_it_has_in_full() -> None:
    seen = observed([sighting(f, "cube", 0.02) for f in range(8)] + [sighting(f, "ring", 0.008) for f in range(8, 33)])
    assert shape_share(Noun("red", "cube"), seen) == 1
    assert shape_share(Noun("red", "ring"), seen) == 0
    assert len(sightings_of(Noun("red", "cube"), seen)) == 33


def test_strays_beside_the_only_one_are_left_out() -> None:
    stray = [sighting(5, "cube", 0.004, 0.8, 2)]
    seen = observed([sighting(f, "cube", 0.02) for f in range(33)] + stray)
    assert {s.x for s in sightings_of(Noun("red", "cube"), seen)} == {0.0}


def test_two_alike_are_both_kept_and_never_meet_far_apart() -> None:
    both = [s for f in range(33) for s in (sighting(f, "cube", 0.02, -0.5), sighting(f, "cube", 0.02, 0.5, 2))]
    seen = observed(both)
    assert len(sightings_of(Noun("red", "cube"), seen)) == 66
    assert meetings(Noun("red", "cube"), Noun("blue", "cube"), seen) == []
