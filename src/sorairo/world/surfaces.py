"""Colours seen by a ray: the sky, the ground's pattern, an object's own pattern.

Detail fades with distance, so that nothing aliases. Never knows about shadows or other objects.
"""

import math

from sorairo.world import environment as env
from sorairo.world.solids import COLOR, PATTERN, SECOND_COLOR, to_local
from sorairo.world.vectors import (
    Table,
    Vec,
    along,
    clamp,
    compiled,
    dot,
    fractal,
    lattice,
    mix,
    noise,
    scaled,
    sub,
    vec,
)


@compiled
def sky(row: Table, d: Vec) -> Vec:
    """Radiance of the sky in direction d."""
    color = mix(vec(row, env.HORIZON), vec(row, env.ZENITH), 1.0 - math.exp(-4.5 * max(d[2], 0.0)))
    color = _sun_glow(row, d, color)
    if row[env.CLOUDS] > 0 and d[2] > 0.01:
        color = _clouds(row, d, color)
    if row[env.STARS] > 0 and d[2] > 0.02:
        star = _star(d) * row[env.STARS]
        color = color[0] + star, color[1] + star, color[2] + star
    if row[env.HILLS] > 0:
        color = _hills(row, d, color)
    return color


@compiled
def _sun_glow(row: Table, d: Vec, color: Vec) -> Vec:
    facing = dot(d, vec(row, env.SUN))
    if facing <= 0:
        return color
    disc = 3.0 if facing > 0.9985 else 0.0
    return along(color, vec(row, env.GLOW), math.pow(facing, 24.0) * 0.55 + math.pow(facing, 6.0) * 0.25 + disc)


@compiled
def _clouds(row: Table, d: Vec, color: Vec) -> Vec:
    stretch, seed, cover = 1.0 / (d[2] + 0.12), row[env.SKY_SEED], row[env.CLOUDS]
    density = fractal(d[0] * stretch * 1.1 + seed, d[1] * stretch * 1.1 + 0.37 * seed)
    share = clamp((density - 0.52 + 0.2 * cover) * 3.2, 0.0, 1.0) * cover * min(1.0, d[2] * 7)
    horizon, sun = vec(row, env.HORIZON), vec(row, env.SUN_COLOR)
    light = 0.175 * (horizon[0] + horizon[1] + horizon[2]) + 0.09 * (sun[0] + sun[1] + sun[2])
    white = along((light, light, light), horizon, 0.625)
    return mix(color, white, share)


@compiled
def _star(d: Vec) -> float:
    u, v = math.atan2(d[1], d[0]) * 38.0, d[2] * 38.0
    iu, iv = math.floor(u), math.floor(v)
    if lattice(iu + 911, iv + 37) <= 0.9:
        return 0.0
    x, y = u - iu - 0.2 - 0.6 * lattice(iu, iv + 5), v - iv - 0.2 - 0.6 * lattice(iu + 7, iv)
    return math.exp(-(x * x + y * y) * 55.0) * (0.4 + 0.6 * lattice(iu + 3, iv + 11))


@compiled
def _hills(row: Table, d: Vec, color: Vec) -> Vec:
    """Two ridges, the nearer one darker."""
    height, seed, hill = row[env.HILLS], row[env.SKY_SEED], vec(row, env.HILL_COLOR)
    if d[2] > height * 1.4:
        return color
    azimuth = math.atan2(d[1], d[0])
    ridge = height * (0.10 + 1.2 * fractal(azimuth * 3.1 + seed, 0.5))
    if d[2] < ridge:
        color = mix(color, hill, clamp((ridge - d[2]) * 120.0, 0.0, 1.0) * 0.85)
    ridge = 0.6 * height * (1.3 * fractal(azimuth * 5.3 + 2 * seed + 40, 7.5) - 0.1)
    if d[2] < ridge:
        color = mix(color, scaled(hill, 0.73), clamp((ridge - d[2]) * 120.0, 0.0, 1.0) * 0.9)
    return color


@compiled
def ground_color(row: Table, x: float, y: float, reach: float) -> Vec:
    """Albedo of the ground at (x, y) metres, seen along a ray of length reach."""
    c, s, scale = math.cos(row[env.GROUND_TURN]), math.sin(row[env.GROUND_TURN]), row[env.GROUND_SCALE]
    u, v = (c * x + s * y) * scale + 0.123, (-s * x + c * y) * scale + 0.377
    pattern, fade = row[env.GROUND_PATTERN], math.exp(-0.055 * reach * scale)
    if pattern < 0.5:
        share = 0.5 + (fractal(u * 2.2, v * 2.2) - 0.5) * 0.7 * fade
    elif pattern < 1.5:
        share = _checker(u, v, fade)
    elif pattern < 2.5:
        share = _planks(u, v, fade)
    elif pattern < 3.5:
        share = _tiles(u, v, fade)
    else:
        share = _grains(u, v, fade)
    return mix(vec(row, env.GROUND_A), vec(row, env.GROUND_B), clamp(share, 0.0, 1.0))


@compiled
def _checker(u: float, v: float, fade: float) -> float:
    edge = math.sin(math.pi * u) * math.sin(math.pi * v) * 14.0
    return 0.5 + 0.5 * clamp(edge, -1.0, 1.0) * fade + (noise(u * 5, v * 5) - 0.5) * 0.10 * fade


@compiled
def _planks(u: float, v: float, fade: float) -> float:
    iu = math.floor(u)
    v_plank = v * 0.28 + lattice(iu, 77) * 3.0
    iv = math.floor(v_plank)
    share = 0.25 + 0.5 * lattice(iu, iv + 13)
    share += (fractal(u * 7 + iu * 5.3, v * 0.55 + iv * 3.7) - 0.5) * 0.75 * fade
    if u - iu < 0.045 or v_plank - iv < 0.012:
        share -= 0.45 * fade
    return share


@compiled
def _tiles(u: float, v: float, fade: float) -> float:
    iu, iv = math.floor(u), math.floor(v)
    fu, fv = u - iu, v - iv
    share = 0.75 + 0.2 * (lattice(iu, iv) - 0.5) + (noise(u * 3, v * 3) - 0.5) * 0.2 * fade
    if min(min(fu, 1 - fu), min(fv, 1 - fv)) < 0.035:
        share += (0.05 - share) * fade
    return share


@compiled
def _grains(u: float, v: float, fade: float) -> float:
    """Coarse noise: sand, snow, grass."""
    share = 0.5 + (fractal(u * 1.3, v * 1.3) - 0.5) * 0.8
    return share + (noise(u * 9, v * 9) - 0.5) * 0.55 * fade + (noise(u * 23, v * 19) - 0.5) * 0.35 * fade * fade


@compiled
def object_color(solid: Table, pose: Table, p: Vec) -> Vec:
    """Albedo of an object at world point p: plain, one white band (makes rolling visible), or wood grain."""
    color, pattern = vec(solid, COLOR), solid[PATTERN]
    if pattern < 0.5:
        return color
    x, y, z = to_local(pose, sub(p, vec(pose, 0)))
    if pattern < 1.5:
        share = clamp(0.5 - (abs(z) - 0.2 * solid[1]) * 70.0, 0.0, 1.0)
    else:
        share = 0.6 * fractal(x * 6.0 + y * 3.0, z * 1.3 + 11.0) + 0.25 * noise(x * 31, z * 3)
    return mix(color, vec(solid, SECOND_COLOR), share)
