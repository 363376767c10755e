"""Vectors and noise for the compiled ray tracer.

Scalars and 3-tuples only: no allocation, no randomness, no clock, so equal arguments give equal bits.
"""

import math
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

Vec: TypeAlias = tuple[float, float, float]
Table: TypeAlias = npt.NDArray[np.float64]
Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile with numba, cached on disk; no fast mathematics, so that results do not depend on the optimiser. Nothing
    compiled may allocate: numba's runtime counts references to every row, which took more than half of the time."""
    return cast(Function, numba.njit(cache=True, error_model="numpy", _nrt=False)(function))  # type: ignore[call-overload]


def outward(azimuth: float, elevation: float) -> Vec:
    """The unit vector at angles in radians; azimuth is counted from behind the camera."""
    return math.sin(azimuth) * math.cos(elevation), -math.cos(azimuth) * math.cos(elevation), math.sin(elevation)


@compiled
def vec(table: Table, first: int) -> Vec:
    return table[first], table[first + 1], table[first + 2]


@compiled
def dot(a: Vec, b: Vec) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@compiled
def sub(a: Vec, b: Vec) -> Vec:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


@compiled
def along(origin: Vec, direction: Vec, distance: float) -> Vec:
    """The point origin + distance * direction."""
    return (
        origin[0] + direction[0] * distance,
        origin[1] + direction[1] * distance,
        origin[2] + direction[2] * distance,
    )


@compiled
def scaled(a: Vec, factor: float) -> Vec:
    return a[0] * factor, a[1] * factor, a[2] * factor


@compiled
def times(a: Vec, b: Vec) -> Vec:
    return a[0] * b[0], a[1] * b[1], a[2] * b[2]


@compiled
def mix(a: Vec, b: Vec, share: float) -> Vec:
    """a at share 0, b at share 1."""
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share


@compiled
def unit(a: Vec) -> Vec:
    return scaled(a, 1.0 / math.sqrt(dot(a, a) + 1e-20))


@compiled
def clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


@compiled
def lattice(x: float, y: float) -> float:
    """A hash of the integer point (x, y) to [0, 1]."""
    n = (int(x) * 374761393 + int(y) * 668265263) & 0xFFFFFFFF
    n = ((n ^ (n >> 13)) * 1274126177) & 0xFFFFFFFF
    return ((n ^ (n >> 16)) & 0xFFFF) / 65535.0


@compiled
def noise(x: float, y: float) -> float:
    """Value noise in [0, 1]: smoothed interpolation of the lattice."""
    left, low = math.floor(x), math.floor(y)
    u, v = x - left, y - low
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    a, b = lattice(left, low), lattice(left + 1, low)
    c, d = lattice(left, low + 1), lattice(left + 1, low + 1)
    return a + (b - a) * u + (c - a) * v + (a - b - c + d) * u * v


@compiled
def fractal(x: float, y: float) -> float:
    """Four octaves of value noise."""
    return (
        0.5 * noise(x, y)
        + 0.27 * noise(x * 2.03 + 17.1, y * 2.03 + 9.2)
        + 0.14 * noise(x * 4.01 + 3.3, y * 4.01 + 31.7)
        + 0.09 * noise(x * 8.05 + 7.7, y * 8.05 + 1.9)
    )
