"""Where the camera stands, how it moves, and where it shows a point.

A camera is a row of 13: position, right, up, forward, tangent of half the vertical angle of view.
"""

import math

import numpy as np

from sorairo.world.vectors import Table, outward

CAMERA_MOVES = ("still", "pan left", "pan right", "orbit left", "orbit right", "zoom in", "zoom out", "rise")
DISTANCE = 5.2  # metres from the camera to the middle of the action
TARGET = (0.0, 0.2, 0.58)
TANGENT = 0.36  # of half the angle of view, for a square picture


def view_tangent(width: int, height: int) -> float:
    """Vertical half-angle's tangent: wide and tall pictures trade height for width so that the action stays in view."""
    aspect = width / height
    return TANGENT * math.pow(aspect, -0.4 if aspect >= 1 else -0.6)


def half_extent(width: int, height: int) -> tuple[float, float]:
    """Half width and half height, in metres, of what is in view at the middle of the action."""
    tangent = view_tangent(width, height)
    return DISTANCE * tangent * width / height, DISTANCE * tangent


def draw_camera(
    rng: np.random.Generator, num_frames: int, tangent: float, azimuth: tuple[float, float], stillness: float
) -> tuple[Table, str]:
    """Camera rows float64 [t 13] and the name of the move. stillness: probability that it does not move."""
    move = "still" if rng.random() < stillness else str(rng.choice(CAMERA_MOVES[1:]))
    turn, tilt = rng.choice([-1, 1]) * rng.uniform(*azimuth), rng.uniform(0.14, 0.30)
    strength = rng.uniform(0.8, 1.2)
    return camera_rows(move, num_frames, turn, tilt, strength, tangent), move


def camera_rows(move: str, num_frames: int, turn: float, tilt: float, strength: float, tangent: float) -> Table:
    """Rows [t 13] of a move that begins and ends slowly; turn and tilt in radians, tangent of half the view."""
    times = np.linspace(0, 1, num_frames)
    eased = times * times * (3 - 2 * times)
    return np.stack([_row(move, u, turn, tilt, strength, tangent) for u in eased])


def _row(move: str, u: float, turn: float, tilt: float, strength: float, tangent: float) -> Table:
    """The camera at share u of a move."""
    sign, swing, yaw = (1 if move.endswith("right") else -1), u - 0.5, 0.0
    if move.startswith("orbit"):
        turn += sign * swing * 0.9 * strength
    elif move.startswith("pan"):
        yaw = sign * swing * 0.28 * strength
    elif move == "zoom in":
        tangent *= 1.22 - 0.50 * u
    elif move == "zoom out":
        tangent *= 0.72 + 0.50 * u
    elif move == "rise":
        tilt += -0.08 + 0.42 * u * strength
    return _looking(turn, tilt, yaw, tangent)


def _looking(turn: float, tilt: float, yaw: float, tangent: float) -> Table:
    away = np.array(outward(turn, tilt))
    c, s = math.cos(yaw), math.sin(yaw)
    forward = np.array([-away[0] * c - away[1] * s, away[0] * s - away[1] * c, -away[2]])
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    return np.concatenate([TARGET + DISTANCE * away, right, np.cross(right, forward), forward, [tangent]])


def project(camera: Table, points: Table, aspect: float) -> Table:
    """Points [t n 3] seen by camera rows [t 13]: [t n 3] of x, y in [-1, 1] inside the picture (y up), and depth."""
    offset = points - camera[:, None, 0:3]
    depth = np.maximum((offset * camera[:, None, 9:12]).sum(-1), 0.1)
    x = (offset * camera[:, None, 3:6]).sum(-1) / (depth * camera[:, None, 12] * aspect)
    y = (offset * camera[:, None, 6:9]).sum(-1) / (depth * camera[:, None, 12])
    return np.stack([x, y, depth], axis=-1)


def mirrored(camera: Table) -> Table:
    """The same camera with left and right exchanged."""
    flipped = camera.copy()
    flipped[:, 3:6] *= -1
    return flipped


def is_mirrored(camera: Table) -> bool:
    """Whether a camera row shows left and right exchanged (its axes are left-handed)."""
    return bool(np.dot(np.cross(camera[3:6], camera[6:9]), camera[9:12]) > 0)
