"""The stories: which objects stand where, and how they start to move.

Each scenario draws from a `Draw` and returns objects; what then happens is physics, and what is told is facts.
Roles: actor (moves first), target, member (of a group), bystander, prop (wall, ramp), stopper (never seen).
"""

import hashlib
import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from sorairo.world.objects import (
    COLORS,
    HELD_OUT_PAIRS,
    ON_ITS_SIDE,
    Quaternion,
    SceneObject,
    Triple,
    bounding_radius,
    dimensions_of,
    rest_height,
    rolling_radius,
)

Objects = list[SceneObject]
PLAIN_SHAPES = ("cube", "cylinder", "cone", "ring", "sphere")
ROLLERS = ("sphere", "sphere", "cylinder", "ring")
_HELD_OUT = """
    00d646 0195df 02f5e7 035da6 04c94c 084662 0a4191 0c7a21 0ce37f 0d5f88 0f7e23 14e0cb 217e23 229df6 23c07e 2438ea
    247c28 25356e 28d1ba 2b2cdf 2bffad 2e23bb 31e2eb 3faa93 4181c5 484c52 4a2c22 4a8daa 4dd59e 50c634 5176fa 54505b
    566dd3 5d717b 5d8bcc 5f81ab 614533 63eabb 69e52e 6ac8d6 6d472e 6dfbc2 707125 712136 7776d1 77da7c 7a7516 7e0ffb
    8068b7 857117 8903ce 8a4b87 8ca4b5 9261cc 9479cc 9de0c2 a1ada6 a5dceb a64c34 a72a73 a76071 ab9e83 ae23e9 b47e4d
    b6f286 b92308 b97237 b9aa21 bb8011 bd017c be4a54 bec67f bf2a89 c38bac cef16d d8861f e2c867 e417d5 e497cf e4fe08
    e5b242 ea59bd eafcc4 eb390a f16ed5 f1f6f1 f3913c f616c7 fa1358 fa4210 fbf832 fc4ae7 fded6a
"""
HELD_OUT_SCENES = frozenset(_HELD_OUT.split())
"""By `make_up`: what no clip of the split "train" is made of, but WorldBench's new scenes are."""


class Draw:
    """Random choices for one scene: distinct colours, and the room there is (metres, seconds)."""

    def __init__(self, rng: np.random.Generator, seconds: float, half_width: float, half_height: float) -> None:
        self.rng, self.seconds, self.half_width, self.half_height = rng, seconds, half_width, half_height
        self.palette = [str(color) for color in rng.permutation(list(COLORS))]

    def color(self, shape: str) -> str:
        """A colour not used yet that may go with the shape (held-out pairs never come from here)."""
        allowed = [color for color in self.palette if (color, shape) not in HELD_OUT_PAIRS]
        allowed = allowed or [color for color in COLORS if (color, shape) not in HELD_OUT_PAIRS]
        color = allowed[0]
        self.palette = [other for other in self.palette if other != color]
        return color

    def one_of(self, options: Iterable[str]) -> str:
        return str(self.rng.choice(list(options)))

    def size(self) -> str:
        return self.one_of(("small", "medium", "medium", "large"))

    def material(self) -> str:
        return self.one_of(("rubber", "rubber", "metal"))

    def side(self) -> int:
        """-1 for left, 1 for right."""
        return int(self.rng.choice([-1, 1]))

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def start(self, radius: float, outside: float) -> float:
        """Distance from the middle at which an actor starts: beyond the edge with probability outside, else within."""
        if self.chance(outside):
            return self.half_width * 1.06 + radius + self.uniform(0.1, 0.5)
        return self.half_width * self.uniform(0.68, 0.85)


def body(
    draw: Draw,
    shape: str,
    role: str,
    at: tuple[float, float],
    size: str | None = None,
    yaw: float = 0.0,
    color: str | None = None,
    material: str | None = None,
    **given: Any,
) -> SceneObject:
    """An object that stands on the ground at (x, y). given: further fields; size, colour, material are else drawn."""
    size, color, material = size or draw.size(), color or draw.color(shape), material or draw.material()
    dimensions = dimensions_of(shape, size)
    position = (*at, rest_height(shape, dimensions))
    return SceneObject(shape, color, size, material, role, dimensions, position, turned(yaw), **given)


def prop(
    draw: Draw, shape: str, dimensions: Triple, position: Triple, quaternion: Quaternion = (1.0, 0.0, 0.0, 0.0)
) -> SceneObject:
    """A wall or a ramp: fixed, wooden, grey or painted."""
    color = draw.one_of(("wood", "wood", "grey")) if draw.chance(0.6) else draw.color(shape)
    return SceneObject(shape, color, "medium", "rubber", "prop", dimensions, position, quaternion, static=True)


def turned(yaw: float) -> Quaternion:
    return (math.cos(yaw / 2), 0.0, 0.0, math.sin(yaw / 2))


def rolling(thing: SceneObject, speed: float) -> SceneObject:
    """The object rolling along x without slipping (spin = speed / radius); rings and cylinders lie, axis along y."""
    radius = rolling_radius(thing.shape, thing.dimensions)
    x, y, z = thing.position
    lying = thing.shape in ("cylinder", "ring")
    return replace(
        thing,
        position=(x, y, radius if lying else z),
        quaternion=ON_ITS_SIDE if lying else thing.quaternion,
        velocity=(speed, 0.0, 0.0),
        spin=(0.0, speed / radius, 0.0),
    )


def add_bystanders(
    draw: Draw, objects: Objects, most: int, near: float, far: float, role: str = "bystander"
) -> Objects:
    """Up to most more objects at depths near to far, apart from each other and from what is there."""
    number = int(draw.rng.integers(0, most + 1)) if role == "bystander" else most
    for _ in range(min(number, len(draw.palette))):
        shape, size = draw.one_of(PLAIN_SHAPES), draw.size()
        radius = bounding_radius(shape, dimensions_of(shape, size))
        place = _free_place(draw, objects, radius, near, far)
        if place is not None:
            objects.append(body(draw, shape, role, place, size, yaw=draw.uniform(0, 1.5)))
    return objects


def _free_place(draw: Draw, objects: Objects, radius: float, near: float, far: float) -> tuple[float, float] | None:
    for _ in range(30):
        x, y = draw.uniform(-0.85, 0.85) * draw.half_width, draw.uniform(near, far)
        if all(math.dist((x, y), o.position[:2]) > radius + o.radius + 0.12 for o in objects):
            return x, y
    return None


def strike(draw: Draw) -> Objects:
    """One object rolls into another."""
    side, y = draw.side(), draw.uniform(-0.4, 0.1)
    shape, size = draw.one_of(ROLLERS), draw.one_of(("medium", "medium", "large"))
    x = draw.start(bounding_radius(shape, dimensions_of(shape, size)), 0.6)
    actor = body(draw, shape, "actor", (side * x, y), size, heaviness=1.8)
    shape = draw.one_of(("cube", "cylinder", "cone", "block", "block"))
    at = (-side * draw.uniform(-0.1, 0.45) * draw.half_width / 1.9, y + draw.uniform(-0.04, 0.04))
    target = body(draw, shape, "target", at, yaw=draw.uniform(-0.4, 0.4), heaviness=0.4)
    way = abs(actor.position[0] - target.position[0])
    actor = rolling(actor, -side * way / (draw.uniform(0.2, 0.34) * draw.seconds))
    return add_bystanders(draw, [actor, target], 2, 0.8, 2.0)


def domino_row(draw: Draw) -> Objects:
    """A ball rolls into a row of dominoes."""
    side, y, gap = draw.side(), draw.uniform(-0.35, 0.15), draw.uniform(0.42, 0.50)
    number = int(draw.rng.integers(3, max(4, min(7, int((2 * draw.half_width - 1.2) / gap) + 1))))
    color = None if draw.chance(0.2) else draw.color("domino")
    half = (number - 1) / 2 * gap
    alike: dict[str, Any] = {"color": color, "material": "rubber", "group": "dominoes", "heaviness": 0.5}
    row = [body(draw, "domino", "member", (side * (half - i * gap), y), "medium", **alike) for i in range(number)]
    at = (side * max(draw.start(0.45, 0.6), half + 0.75), y)
    ball = body(draw, "sphere", "actor", at, draw.one_of(("small", "medium")), heaviness=1.5)
    way = abs(ball.position[0]) - half - ball.radius
    ball = rolling(ball, -side * way / (draw.uniform(0.16, 0.28) * draw.seconds))
    return add_bystanders(draw, [ball, *row], 1, 0.9, 1.9)


def drop(draw: Draw) -> Objects:
    """Something falls, perhaps onto something else, perhaps bouncing."""
    shape = draw.one_of(("sphere", "sphere", "sphere", "cube", "ring", "cylinder"))
    x, y = draw.uniform(-0.35, 0.35) * draw.half_width, draw.uniform(-0.4, 0.3)
    actor = body(draw, shape, "actor", (x, y), material="rubber")
    height = draw.uniform(0.8, 1.15) * (0.58 + draw.half_height)
    tumble = draw.rng.normal(size=4)
    tumble = tumble / np.linalg.norm(tumble)
    w, i, j, k = (float(value) for value in tumble)
    actor = replace(
        actor,
        position=(x, y, height),
        quaternion=actor.quaternion if shape == "sphere" else (w, i, j, k),
        velocity=(draw.uniform(-0.3, 0.3), 0.0, 0.0),
        bounce=float(draw.rng.choice([0.08, 0.12, 0.2, 0.4])),
    )
    objects = [actor]
    if draw.chance(0.3):
        shape = draw.one_of(("cube", "cylinder"))
        at = (x + draw.uniform(-0.15, 0.15) + actor.velocity[0] * 0.5, y)
        objects.append(body(draw, shape, "target", at, "large"))
    return add_bystanders(draw, objects, 3, 0.5, 1.8)


def hide(draw: Draw) -> Objects:
    """Something rolls behind a wall, and comes out on the other side or stays hidden."""
    side = draw.side()
    half, height = draw.uniform(0.6, 0.9) * min(1.0, draw.half_width / 1.8), draw.uniform(0.62, 0.75)
    wall = prop(draw, "wall", (half, 0.07, height), (draw.uniform(-0.25, 0.25) * draw.half_width / 1.9, -0.35, height))
    shape, size = draw.one_of(ROLLERS), draw.one_of(("small", "medium"))
    radius = bounding_radius(shape, dimensions_of(shape, size))
    stays = draw.chance(0.25)
    x = side * draw.start(radius, 0.4 if stays else 0.3)
    actor = body(draw, shape, "actor", (x, draw.uniform(0.3, 0.5)), size)
    way = abs(x - wall.position[0]) / 0.8 if stays else (abs(x) + 0.9 * draw.half_width) / 0.85
    objects = [wall, rolling(actor, -side * way / draw.seconds)]
    if stays:
        stopper = body(draw, "cube", "stopper", (0.0, 0.0), "small", color="grey", material="rubber", static=True)
        position = (wall.position[0] - side * 0.25, actor.position[1], 0.26)
        objects.append(replace(stopper, position=position))
    return add_bystanders(draw, objects, 1, 1.1, 1.9)


def cross(draw: Draw) -> Objects:
    """Something comes in on one side and leaves on the other."""
    side, shape, size = draw.side(), draw.one_of(ROLLERS), draw.size()
    radius = bounding_radius(shape, dimensions_of(shape, size))
    x = draw.half_width * 1.06 + radius + draw.uniform(0.1, 0.4)
    actor = body(draw, shape, "actor", (side * x, draw.uniform(-0.4, 0.2)), size)
    actor = rolling(actor, -side * (2 * x + 0.3) / (draw.uniform(0.72, 0.92) * draw.seconds))
    return add_bystanders(draw, [actor], 3, 0.9, 1.9)


def collide(draw: Draw) -> Objects:
    """Two balls roll towards each other."""
    y, outside = draw.uniform(-0.4, 0.2), 0.5 if draw.chance(0.5) else 0.0
    meeting = draw.uniform(0.3, 0.42) * draw.seconds
    balls: Objects = []
    for role, side in (("actor", -1), ("target", 1)) if draw.chance(0.5) else (("actor", 1), ("target", -1)):
        x = draw.start(0.5, outside)
        ball = body(draw, "sphere", role, (side * x, y + draw.uniform(-0.03, 0.03)))
        balls.append(replace(rolling(ball, -side * x / meeting * draw.uniform(0.9, 1.15)), bounce=0.25))
    return add_bystanders(draw, balls, 2, 1.0, 1.9)


def tower(draw: Draw) -> Objects:
    """A ball rolls into a stack."""
    side, y = draw.side(), draw.uniform(-0.3, 0.1)
    number = 4 if draw.chance(0.3) and draw.half_height > 1.8 else 3
    color = draw.color("cube") if draw.chance(0.6) else None
    alike: dict[str, Any] = {"color": color, "material": "rubber", "group": "stack", "heaviness": 0.3}
    stack: Objects = []
    for level in range(number):
        at = (draw.uniform(-0.03, 0.03), y)
        part = body(draw, "cube", "member", at, "small", draw.uniform(-0.3, 0.3), **alike)
        stack.append(replace(part, position=(*at, (2 * level + 1) * part.rest_height)))
    at = (side * draw.start(0.62, 0.6), y)
    ball = body(draw, "sphere", "actor", at, draw.one_of(("medium", "large", "large")), heaviness=2.0)
    way = abs(ball.position[0]) - 0.8
    ball = rolling(ball, -side * way / (draw.uniform(0.11, 0.2) * draw.seconds))
    return add_bystanders(draw, [ball, *stack], 1, 1.0, 1.9)


def ramp(draw: Draw) -> Objects:
    """A ball rolls down a ramp, often into something."""
    side, y, slope = draw.side(), draw.uniform(-0.3, 0.2), draw.uniform(0.36, 0.48)
    half = 1.05 * min(1.0, draw.half_width / 1.87)
    foot = draw.half_width * 0.92 - 2 * half * math.cos(slope)  # where the plank meets the ground
    center = foot + half * math.cos(slope)
    rise = half * math.sin(slope) - 0.02
    angle = -side * slope
    tilted = (math.cos(angle / 2), 0.0, math.sin(angle / 2), 0.0)
    plank = prop(draw, "ramp", (half, 0.45, 0.05), (side * center, y, rise), tilted)
    ball = body(draw, "sphere", "actor", (0.0, y), draw.one_of(("small", "medium")))
    up, lift = 0.68 * half, ball.radius + 0.06
    x = side * (center + up * math.cos(slope) - lift * math.sin(slope))
    ball = replace(
        ball,
        position=(x, y, rise + up * math.sin(slope) + lift * math.cos(slope)),
        velocity=(-side * 0.2 * math.cos(slope), 0.0, -0.2 * math.sin(slope)),
    )
    objects = [plank, ball]
    if draw.chance(0.7):
        at = (side * (foot - draw.uniform(0.45, 1.0) - 0.4), y)
        shape = draw.one_of(("cube", "block", "cone", "cylinder"))
        size, yaw = draw.one_of(("small", "medium")), draw.uniform(-0.3, 0.3)
        objects.append(body(draw, shape, "target", at, size, yaw, heaviness=0.5))
    return add_bystanders(draw, objects, 1, 1.2, 1.9)


def slide(draw: Draw) -> Objects:
    """Something slides along the ground and comes to rest."""
    side, shape, size = draw.side(), draw.one_of(("cube", "cylinder", "ring", "cone")), draw.size()
    x = draw.start(bounding_radius(shape, dimensions_of(shape, size)), 0.5)
    actor = body(draw, shape, "actor", (side * x, draw.uniform(-0.4, 0.1)), size)
    friction = 0.2
    way = x + draw.uniform(-0.1, 0.5) * draw.half_width
    actor = replace(actor, velocity=(-side * math.sqrt(2 * friction * 9.81 * way), 0.0, 0.0), friction=friction)
    return add_bystanders(draw, [actor], 3, 0.9, 1.9)


def still_life(draw: Draw) -> Objects:
    """Nothing moves: several of a kind to count, or a few different things."""
    objects: Objects = []
    if draw.chance(0.5):
        shape, number = draw.one_of(PLAIN_SHAPES), int(draw.rng.integers(2, 5))
        color, size = draw.color(shape), draw.one_of(("small", "medium"))
        alike: dict[str, Any] = {"color": color, "material": draw.material(), "group": "alike"}
        radius = bounding_radius(shape, dimensions_of(shape, size))
        for _ in range(number):
            place = _free_place(draw, objects, radius, -0.8, 1.1)
            if place is not None:
                objects.append(body(draw, shape, "member", place, size, draw.uniform(0, 1.5), **alike))
        return add_bystanders(draw, objects, 2, -0.6, 1.2)
    return add_bystanders(draw, objects, int(draw.rng.integers(1, 4)), -0.7, 1.0, role="target")


SCENARIOS: dict[str, tuple[Callable[[Draw], Objects], float]] = {
    "hit": (strike, 5),
    "domino": (domino_row, 3),
    "drop": (drop, 4),
    "occlude": (hide, 3),
    "cross": (cross, 3),
    "collide": (collide, 2),
    "tower": (tower, 2),
    "ramp": (ramp, 3),
    "slide": (slide, 2),
    "still": (still_life, 4),
}
"""Name: function and weight."""


def with_held_out_pair(draw: Draw, objects: Objects) -> Objects:
    """Repaint one main object (and its group) so that its colour and shape are a pair that training never shows."""
    main = [o for o in objects if o.role in ("actor", "target", "member") and o.shape != "domino"]
    chosen = main[int(draw.rng.integers(len(main)))]
    color = next(color for color, shape in sorted(HELD_OUT_PAIRS) if shape == chosen.shape)

    def repaint(o: SceneObject) -> SceneObject:
        if o is chosen or (chosen.group is not None and o.group == chosen.group):
            return replace(o, color=color)
        new = chosen.color if o.color == color else o.color
        return o if (new, o.shape) in HELD_OUT_PAIRS else replace(o, color=new)

    return [repaint(o) for o in objects]


def make_up(scenario: str, objects: Iterable[SceneObject], move: str) -> str:
    """A short name of what a scene is made of: its scenario, the shapes in it by their roles, the camera's move.

    A scene and its mirror image have the same.
    """
    shapes = sorted(f"{o.role} {o.shape}" for o in objects if o.role != "stopper")
    sideless = move.removesuffix(" left").removesuffix(" right")
    return hashlib.sha256(", ".join([scenario, *shapes, sideless]).encode()).hexdigest()[:6]
