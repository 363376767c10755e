"""The ray tracer: light at a hit, one mirror bounce, frames with adaptive anti-aliasing, id grids.

Noise-free by design (penumbrae and occlusion are closed forms or marches, never sampled), in float64, without any
state: equal scenes give equal bytes. Knows numbers only, never names.
"""

import math

import numpy as np
import numpy.typing as npt

from sorairo.world import environment as env
from sorairo.world.solids import FAR, KIND, METAL, RADIUS, ROUGHNESS, distance, hit, nearest, normal, to_local
from sorairo.world.surfaces import ground_color, object_color, sky
from sorairo.world.vectors import Table, Vec, along, clamp, compiled, dot, mix, scaled, sub, times, unit, vec

Pixels = npt.NDArray[np.uint8]
Ids = npt.NDArray[np.int8]
GROUND_ID, SKY_ID = -1, -2
GROUND_LIMIT = 120.0  # metres: farther ground is drawn as sky
CONTRAST = 0.05  # neighbours that differ by more get more samples


@compiled
def _marched_light(solid: Table, pose: Table, p: Vec, sun: Vec, start: float, end: float, sharpness: float) -> float:
    """Signed penumbra of one solid, -1 (covered) to 1 (clear): Quilez, "Soft shadows in raymarched SDFs" (improved)."""
    ox, oy, oz = to_local(pose, sub(p, vec(pose, 0)))
    dx, dy, dz = to_local(pose, sun)
    light, t = 1.0, start
    for _ in range(40):
        h = distance(solid, (ox + dx * t, oy + dy * t, oz + dz * t))
        light = min(light, sharpness * h / t)
        t += clamp(abs(h), 0.012, 0.25)
        if light < -1.0 or t > end:
            break
    return light


@compiled
def shadow(solids: Table, poses: Table, p: Vec, sun: Vec, sharpness: float, own: int) -> float:
    """Share of sunlight that reaches p, 0 to 1. own: the solid that p lies on (convex ones cannot shade themselves)."""
    light = 1.0
    for i in range(solids.shape[0]):
        if i == own and solids[i, KIND] < 3.5:
            continue
        center, radius = sub(vec(poses[i], 0), p), solids[i, RADIUS]
        ahead = dot(center, sun)
        if ahead < -radius:
            continue
        across = dot(center, center) - ahead * ahead
        reach = radius + max(ahead + radius, 0.0) / sharpness
        if across > reach * reach:
            continue
        if solids[i, KIND] < 0.5:
            part = sharpness * (math.sqrt(max(across, 0.0)) - radius) / max(ahead, 0.05) if ahead >= 0 else 1.0
        else:
            start = 0.03 if i == own else max(ahead - 1.3 * radius, 0.012)
            part = _marched_light(solids[i], poses[i], p, sun, start, ahead + 1.3 * radius, sharpness)
        part = clamp(part, -1.0, 1.0)
        light *= 0.25 * (1 + part) * (1 + part) * (2 - part)
        if light < 0.004:
            return 0.0
    return light


@compiled
def _clearance(solids: Table, poses: Table, p: Vec, limit: float, own: int) -> float:
    """Distance from p to the nearest solid, at most limit."""
    best = limit
    for i in range(solids.shape[0]):
        if i == own and solids[i, KIND] < 3.5:
            continue
        offset, reach = sub(p, vec(poses[i], 0)), solids[i, RADIUS] + best
        if dot(offset, offset) <= reach * reach:
            best = min(best, distance(solids[i], to_local(poses[i], offset)))
    return best


@compiled
def ambient_light(solids: Table, poses: Table, p: Vec, n: Vec, own: int) -> float:
    """Share of the ambient light at p: four probes along the normal (Evans 2006, "Fast approximations for global
    illumination on dynamic scenes")."""
    if own < 0 and _clearance(solids, poses, p, 0.9, own) >= 0.9:
        return 1.0
    occlusion, weight = 0.0, 1.0
    for k in range(4):
        h = 0.04 + 0.13 * k
        probe = along(p, n, h)
        limit = min(h, probe[2]) if own >= 0 else h
        occlusion += weight * (h - max(_clearance(solids, poses, probe, limit, own), 0.0)) / h
        weight *= 0.62
    return max(1.0 - 0.46 * occlusion, 0.12)


@compiled
def _diffuse(row: Table, albedo: Vec, n: Vec, sunlight: float, ambient: float, metal: float) -> Vec:
    """Sun, hemisphere ambient (sky above, ground below) and light bounced from the ground."""
    bounce = scaled(mix(vec(row, env.GROUND_A), vec(row, env.GROUND_B), 0.5), 0.45)
    up = 0.5 + 0.5 * n[2]
    down = 1 - up
    sun, air = vec(row, env.SUN_COLOR), vec(row, env.AMBIENT)
    light = along(scaled(air, up * ambient), times(air, bounce), 1.3 * down * ambient)
    light = along(along(light, times(bounce, sun), 0.32 * down * ambient), sun, sunlight)
    return scaled(times(albedo, light), 1.0 - 0.62 * metal)


@compiled
def _highlight(row: Table, albedo: Vec, n: Vec, direction: Vec, sunlight: float, rough: float, metal: float) -> Vec:
    """Specular reflection of the sun (GGX distribution, Walter et al. 2007)."""
    sun = vec(row, env.SUN)
    facing = max(dot(n, unit(sub(sun, direction))), 0.0)
    a2 = rough * rough * rough * rough
    d = facing * facing * (a2 - 1) + 1
    strength = min(a2 / (3.14159 * d * d) * 0.25, 9.0) * sunlight
    tint = mix((0.045, 0.045, 0.045), scaled(albedo, 0.75), metal)
    return scaled(times(tint, vec(row, env.SUN_COLOR)), strength)


@compiled
def _fogged(row: Table, color: Vec, reach: float) -> Vec:
    air = vec(row, env.HORIZON)
    if row[env.HILLS] > 0:
        air = mix(air, vec(row, env.HILL_COLOR), 0.5)
    return mix(air, color, math.exp(-row[env.FOG] * max(reach - 6.0, 0.0)))


@compiled
def _sunlight(solids: Table, poses: Table, row: Table, p: Vec, n: Vec, own: int) -> float:
    facing = dot(n, vec(row, env.SUN))
    if facing <= 0:
        return 0.0
    light = facing * shadow(solids, poses, along(p, n, 2e-3), vec(row, env.SUN), row[env.SHADOW_SHARPNESS], own)
    if row[env.POOL_RADIUS] > 0:  # at night the light falls off around the middle of the scene
        q = (p[0] * p[0] + (p[1] - 0.2) * (p[1] - 0.2)) / (row[env.POOL_RADIUS] * row[env.POOL_RADIUS])
        light /= 1.0 + q * q
    return light


@compiled
def shade(
    solids: Table, poses: Table, row: Table, origin: Vec, d: Vec, t: float, own: int, blur: float
) -> tuple[Vec, Vec, Vec, float]:
    """Direct and ambient light at a hit: (radiance, normal, albedo, ambient share). blur: metres added to the distance
    at which the ground's pattern fades, for reflections."""
    p = along(origin, d, t)
    n, rough, metal = (0.0, 0.0, 1.0), 0.9, 0.0
    if own >= 0:
        n = normal(solids[own], poses[own], p)
        albedo = object_color(solids[own], poses[own], p)
        rough, metal = solids[own, ROUGHNESS], solids[own, METAL]
    else:
        albedo = ground_color(row, p[0], p[1], t + blur)
    sunlight = _sunlight(solids, poses, row, p, n, own)
    ambient = ambient_light(solids, poses, p, n, own)
    color = _diffuse(row, albedo, n, sunlight, ambient, metal)
    if own < 0:
        color = _fogged(row, color, t)
    elif sunlight > 0:
        color = along(color, _highlight(row, albedo, n, d, sunlight, rough, metal), 1.0)
    return color, n, albedo, ambient


@compiled
def _mirror_share(solids: Table, row: Table, own: int, facing: float, t: float) -> float:
    """How much of a mirrored ray is added: metals much, gloss a little, floors by Fresnel (Schlick 1994)."""
    fresnel = math.pow(1.0 - clamp(facing, 0.0, 1.0), 5.0)
    if own < 0:
        return float(row[env.GROUND_SHINE]) * (0.12 + 0.88 * fresnel) if t < 30 else 0.0
    gloss, metal = 1.0 - float(solids[own, ROUGHNESS]), float(solids[own, METAL])
    return metal * 0.62 * (0.4 + 0.6 * gloss) + (1 - metal) * gloss * gloss * (0.05 + 0.55 * fresnel)


@compiled
def _mirrored_light(solids: Table, poses: Table, row: Table, p: Vec, d: Vec, own: int) -> Vec:
    """Radiance that arrives at p from direction d, without a further bounce."""
    limit = -p[2] / d[2] if (d[2] < -1e-5 and own >= 0) else FAR
    skip = own if (own >= 0 and solids[own, KIND] < 3.5) else -1
    t, index = nearest(solids, poses, p, d, limit, skip)
    if index < 0 and limit > GROUND_LIMIT:
        if own < 0:
            return mix(vec(row, env.HORIZON), vec(row, env.ZENITH), 1.0 - math.exp(-4.5 * max(d[2], 0.0)))
        return sky(row, (d[0], d[1], max(d[2], 0.0)))
    color, _, _, _ = shade(solids, poses, row, p, d, t, index, 14.0 + 6.0 * t)
    return color


@compiled
def radiance(solids: Table, poses: Table, row: Table, origin: Vec, d: Vec) -> tuple[Vec, int]:
    """Light along a ray and what the ray meets (object index, GROUND_ID or SKY_ID)."""
    limit = -origin[2] / d[2] if d[2] < -1e-5 else FAR
    t, own = nearest(solids, poses, origin, d, limit, -1)
    if own < 0 and limit > GROUND_LIMIT:
        return sky(row, d), SKY_ID
    color, n, albedo, ambient = shade(solids, poses, row, origin, d, t, own, 0.0)
    facing = -dot(n, d)
    share = _mirror_share(solids, row, own, facing, t)
    if share > 0.012:
        p = along(along(origin, d, t), n, 2e-3)
        metal = solids[own, METAL] if own >= 0 else 0.0
        image = _mirrored_light(solids, poses, row, p, along(d, n, 2 * facing), own)
        image = times(image, mix((1.0, 1.0, 1.0), scaled(albedo, 1.15), metal))
        if metal < 0.5:
            color = scaled(color, 1.0 - 0.5 * share)
        color = along(color, image, share * (0.5 + 0.5 * ambient))
    return color, own


@compiled
def tone(value: float, exposure: float) -> float:
    """Linear light to display: a soft shoulder that keeps hues, then the sRGB curve (IEC 61966-2-1)."""
    x = max(value * exposure, 0.0)
    x = min(1.32 * x * (1.0 + x * 0.16) / (1.0 + x * 0.62), 1.0)
    return 12.92 * x if x < 0.0031308 else 1.055 * math.pow(x, 0.4166667) - 0.055


@compiled
def camera_ray(camera: Table, x: float, y: float, width: int, height: int) -> Vec:
    """Direction through the point (x, y) of the picture, in pixels from its top left corner.

    camera: position 3, right 3, up 3, forward 3, tangent of half the vertical angle of view."""
    u = (2 * x / width - 1) * camera[12] * width / height
    v = (1 - 2 * y / height) * camera[12]
    return unit(along(along(vec(camera, 9), vec(camera, 3), u), vec(camera, 6), v))


@compiled
def _sample(
    solids: Table, poses: Table, row: Table, camera: Table, x: float, y: float, width: int, height: int
) -> tuple[Vec, int]:
    direction = camera_ray(camera, x, y, width, height)
    color, index = radiance(solids, poses, row, vec(camera, 0), direction)
    exposure = row[env.EXPOSURE]
    return (tone(color[0], exposure), tone(color[1], exposure), tone(color[2], exposure)), index


@compiled
def _uneven(picture: Table, y: int, x: int) -> bool:
    """Whether a pixel differs visibly from a direct neighbour."""
    height, width, _ = picture.shape
    for c in range(3):
        value = picture[y, x, c]
        if x > 0 and abs(value - picture[y, x - 1, c]) > CONTRAST:
            return True
        if y > 0 and abs(value - picture[y - 1, x, c]) > CONTRAST:
            return True
        if x + 1 < width and abs(value - picture[y, x + 1, c]) > CONTRAST:
            return True
        if y + 1 < height and abs(value - picture[y + 1, x, c]) > CONTRAST:
            return True
    return False


@compiled
def _supersample(
    solids: Table, poses: Table, row: Table, camera: Table, y: int, x: int, width: int, height: int, side: int
) -> Vec:
    """Mean of side * side samples on a rotated grid inside one pixel."""
    total = (0.0, 0.0, 0.0)
    middle, turn = 0.5 * (side - 1), 0.5 / (side * side)
    for j in range(side):
        for k in range(side):
            sx = x + (k + 0.5) / side + (j - middle) * turn
            sy = y + (j + 0.5) / side - (k - middle) * turn
            color, _ = _sample(solids, poses, row, camera, sx, sy, width, height)
            total = along(total, color, 1.0)
    return scaled(total, 1.0 / (side * side))


@compiled
def trace_frame(
    solids: Table, poses: Table, row: Table, camera: Table, antialias: int, picture: Table, pixels: Pixels, ids: Ids
) -> None:
    """Fill pixels uint8 [h w 3] and ids int8 [h w]: one sample a pixel, antialias² more where neighbours differ.
    picture: float64 [h w 3], room for the first samples."""
    height, width = ids.shape
    for y in range(height):
        for x in range(width):
            color, ids[y, x] = _sample(solids, poses, row, camera, x + 0.5, y + 0.5, width, height)
            picture[y, x, 0], picture[y, x, 1], picture[y, x, 2] = color
    for y in range(height):
        for x in range(width):
            color = vec(picture[y, x], 0)
            if antialias > 1 and _uneven(picture, y, x):
                color = _supersample(solids, poses, row, camera, y, x, width, height, antialias)
            for c in range(3):
                pixels[y, x, c] = int(color[c] * 255 + 0.5)


@compiled
def count_pixels(
    solids: Table,
    poses: Table,
    camera: Table,
    width: int,
    height: int,
    seen: npt.NDArray[np.int64],
    whole: npt.NDArray[np.int64],
) -> None:
    """Per object, pixels where it is seen and pixels it would cover if it stood alone, both [n], on a coarse grid."""
    seen[:], whole[:] = 0, 0
    origin = vec(camera, 0)
    for y in range(height):
        for x in range(width):
            d = camera_ray(camera, x + 0.5, y + 0.5, width, height)
            limit = -origin[2] / d[2] if d[2] < -1e-5 else FAR
            best, index = limit, -1
            for i in range(solids.shape[0]):
                t = hit(solids[i], poses[i], origin, d, limit)
                if t < limit:
                    whole[i] += 1
                if t < best:
                    best, index = t, i
            if index >= 0:
                seen[index] += 1
