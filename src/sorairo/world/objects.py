"""What stands in a scene: names, sizes, colours, and the rows of numbers that the tracer reads.

Never places anything: that is the scenarios' work.
"""

import math
from dataclasses import dataclass

import numpy as np

from sorairo.world import solids
from sorairo.world.vectors import Table

Triple = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]

COLORS = {
    "red": (214, 26, 30),
    "orange": (246, 122, 10),
    "yellow": (246, 208, 18),
    "green": (28, 150, 48),
    "cyan": (20, 190, 205),
    "blue": (24, 66, 214),
    "purple": (112, 36, 172),
    "pink": (242, 98, 172),
}
PROP_COLORS = {"wood": (0.40, 0.24, 0.12), "grey": (0.27, 0.28, 0.30)}  # linear; walls and ramps only
SHAPES = ("sphere", "cube", "cylinder", "cone", "ring", "block", "domino", "ramp", "wall")
SIZES = {"small": 0.35, "medium": 0.47, "large": 0.62}  # metres: the radius of a sphere
MATERIALS = ("rubber", "metal")
ONE_SIZE = ("domino", "ramp", "wall")  # shapes whose size and material go without saying
HELD_OUT_PAIRS = frozenset(
    {
        ("purple", "sphere"),
        ("pink", "cube"),
        ("cyan", "cylinder"),
        ("orange", "cone"),
        ("green", "ring"),
        ("yellow", "block"),
    }
)

KINDS = {
    "sphere": solids.SPHERE,
    "cube": solids.BOX,
    "block": solids.BOX,
    "domino": solids.BOX,
    "wall": solids.BOX,
    "ramp": solids.BOX,
    "cylinder": solids.CYLINDER,
    "cone": solids.CONE,
    "ring": solids.TORUS,
}
DOMINO = (0.10, 0.29, 0.53)
UPRIGHT: Quaternion = (1.0, 0.0, 0.0, 0.0)
ON_ITS_SIDE: Quaternion = (math.sqrt(0.5), math.sqrt(0.5), 0.0, 0.0)


@dataclass(frozen=True)
class SceneObject:
    """One body. Metres, seconds, radians; quaternion w x y z; spin in the world's axes."""

    shape: str
    color: str
    size: str
    material: str
    role: str
    dimensions: Triple
    position: Triple = (0.0, 0.0, 0.0)
    quaternion: Quaternion = UPRIGHT
    velocity: Triple = (0.0, 0.0, 0.0)
    spin: Triple = (0.0, 0.0, 0.0)
    static: bool = False
    group: str | None = None
    heaviness: float = 1.0  # times the density of its material
    bounce: float | None = None  # damping ratio of its contacts; small bounces high
    friction: float = 0.7

    @property
    def rest_height(self) -> float:
        """Height of the centre when it stands upright on the ground."""
        return rest_height(self.shape, self.dimensions)

    @property
    def radius(self) -> float:
        """Radius of the bounding sphere."""
        return bounding_radius(self.shape, self.dimensions)


def dimensions_of(shape: str, size: str) -> Triple:
    """Radius or half edges in metres, as the tracer and the physics read them."""
    s = SIZES[size]
    return {
        "sphere": (s, 0.0, 0.0),
        "cube": (0.82 * s, 0.82 * s, 0.82 * s),
        "cylinder": (0.72 * s, 0.85 * s, 0.0),
        "cone": (0.92 * s, 1.05 * s, 0.0),
        "ring": (0.78 * s, 0.3 * s, 0.0),
        "block": (0.44 * s, 0.44 * s, 1.35 * s),
        "domino": DOMINO,
    }[shape]


def rest_height(shape: str, dimensions: Triple) -> float:
    kind = KINDS[shape]
    return dimensions[0] if kind == solids.SPHERE else dimensions[2] if kind == solids.BOX else dimensions[1]


def bounding_radius(shape: str, dimensions: Triple) -> float:
    a, b, c = dimensions
    kind = KINDS[shape]
    if kind == solids.TORUS:
        return a + b
    return a if kind == solids.SPHERE else math.sqrt(a * a + b * b + c * c)


def rolling_radius(shape: str, dimensions: Triple) -> float:
    return dimensions[0] + dimensions[1] if shape == "ring" else dimensions[0]


def solid_rows(objects: tuple[SceneObject, ...]) -> Table:
    """float64 [n, SOLID_COLUMNS], the static part of what the tracer reads."""
    return np.stack([_solid_row(thing) for thing in objects])


def _solid_row(thing: SceneObject) -> Table:
    row = np.zeros(solids.SOLID_COLUMNS)
    row[solids.KIND], row[1:4], row[solids.RADIUS] = KINDS[thing.shape], thing.dimensions, thing.radius * 1.001
    row[solids.COLOR : solids.COLOR + 3] = PROP_COLORS.get(thing.color) or _linear(COLORS.get(thing.color, (0, 0, 0)))
    metal = thing.material == "metal"
    row[solids.ROUGHNESS], row[solids.METAL] = 0.24 if metal else 0.42, float(metal)
    if thing.shape == "sphere" and thing.role in ("actor", "target"):
        row[solids.PATTERN], row[solids.SECOND_COLOR : solids.SECOND_COLOR + 3] = 1, (0.75, 0.75, 0.72)
    if thing.color == "wood":
        row[solids.PATTERN], row[solids.SECOND_COLOR : solids.SECOND_COLOR + 3] = 2, (0.22, 0.12, 0.055)
    if thing.color in PROP_COLORS:
        row[solids.ROUGHNESS] = {"wood": 0.6, "grey": 0.7}[thing.color]
    return row


def _linear(rgb: tuple[int, int, int]) -> Table:
    """sRGB bytes to linear light (the power part of IEC 61966-2-1, enough for saturated paints)."""
    return ((np.asarray(rgb, float) / 255 + 0.055) / 1.055) ** 2.4
