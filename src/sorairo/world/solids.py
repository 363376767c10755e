"""Geometry of the ray tracer: distance to a solid, the first solid on a ray, its normal.

Knows nothing of light or colour. Spheres are solved in closed form, the rest by sphere tracing
(Hart 1996, "Sphere tracing: a geometric method for the antialiased ray tracing of implicit surfaces").

A solid is a row of SOLID_COLUMNS numbers: 0 kind, 1:4 dimensions, 4:7 colour (linear), 7 roughness, 8 metal,
9 pattern, 10 radius of the bounding sphere, 12:15 second colour. A pose is a row of 12: position, rotation by rows.
"""

import math

from sorairo.world.vectors import Table, Vec, clamp, compiled, dot, scaled, sub, unit, vec

SOLID_COLUMNS = 16
SPHERE, BOX, CYLINDER, CONE, TORUS = 0.0, 1.0, 2.0, 3.0, 4.0
KIND, COLOR, ROUGHNESS, METAL, PATTERN, RADIUS, SECOND_COLOR = 0, 4, 7, 8, 9, 10, 12
SURFACE = 4e-4  # metres: nearer than this counts as touching
FAR = 1e9


@compiled
def box_distance(a: float, b: float, c: float, x: float, y: float, z: float) -> float:
    r = 0.09 * min(a, min(b, c))
    qx, qy, qz = abs(x) - a + r, abs(y) - b + r, abs(z) - c + r
    mx, my, mz = max(qx, 0.0), max(qy, 0.0), max(qz, 0.0)
    return math.sqrt(mx * mx + my * my + mz * mz) + min(max(qx, max(qy, qz)), 0.0) - r


@compiled
def cylinder_distance(a: float, b: float, x: float, y: float, z: float) -> float:
    r = 0.08 * min(a, b)
    dx, dz = math.sqrt(x * x + y * y) - a + r, abs(z) - b + r
    mx, mz = max(dx, 0.0), max(dz, 0.0)
    return math.sqrt(mx * mx + mz * mz) + min(max(dx, dz), 0.0) - r


@compiled
def cone_distance(a: float, b: float, x: float, y: float, z: float) -> float:
    """Base of radius a at z = -b, apex at z = b, edges rounded by 2 cm."""
    r = 0.02
    q, height, base = math.sqrt(x * x + y * y), b - r, a - r
    cap_x, cap_y = q - min(q, base if z < 0 else 0.0), abs(z) - height
    share = clamp((q * base + (height - z) * 2 * height) / (base * base + 4 * height * height), 0.0, 1.0)
    side_x, side_y = q - base * share, z - height + 2 * height * share
    sign = -1.0 if (side_x < 0 and cap_y < 0) else 1.0
    return sign * math.sqrt(min(cap_x * cap_x + cap_y * cap_y, side_x * side_x + side_y * side_y)) - r


@compiled
def distance(solid: Table, p: Vec) -> float:
    """Signed distance from p, in the solid's own frame, to its surface."""
    kind, a, b = float(solid[KIND]), float(solid[1]), float(solid[2])
    x, y, z = p
    if kind < 0.5:
        return math.sqrt(x * x + y * y + z * z) - a
    if kind < 1.5:
        return box_distance(a, b, solid[3], x, y, z)
    if kind < 2.5:
        return cylinder_distance(a, b, x, y, z)
    if kind < 3.5:
        return cone_distance(a, b, x, y, z)
    q = math.sqrt(x * x + y * y) - a
    return math.sqrt(q * q + z * z) - b


@compiled
def to_local(pose: Table, v: Vec) -> Vec:
    """Rotate a world vector into the frame of the pose (the transpose of its rotation)."""
    return (
        pose[3] * v[0] + pose[6] * v[1] + pose[9] * v[2],
        pose[4] * v[0] + pose[7] * v[1] + pose[10] * v[2],
        pose[5] * v[0] + pose[8] * v[1] + pose[11] * v[2],
    )


@compiled
def to_world(pose: Table, v: Vec) -> Vec:
    return (
        pose[3] * v[0] + pose[4] * v[1] + pose[5] * v[2],
        pose[6] * v[0] + pose[7] * v[1] + pose[8] * v[2],
        pose[9] * v[0] + pose[10] * v[1] + pose[11] * v[2],
    )


@compiled
def march(solid: Table, pose: Table, offset: Vec, direction: Vec, start: float, end: float) -> float:
    """Sphere tracing between two distances; FAR when nothing is met."""
    ox, oy, oz = to_local(pose, offset)
    dx, dy, dz = to_local(pose, direction)
    t = start
    for _ in range(64):
        d = distance(solid, (ox + dx * t, oy + dy * t, oz + dz * t))
        if d < SURFACE:
            return t
        t += d
        if t > end:
            break
    return FAR


@compiled
def hit(solid: Table, pose: Table, origin: Vec, direction: Vec, limit: float) -> float:
    """Distance along the ray to one solid, FAR when it is missed or lies beyond limit."""
    offset = sub(origin, vec(pose, 0))
    b = dot(offset, direction)
    root = b * b - (dot(offset, offset) - solid[RADIUS] * solid[RADIUS])
    if root < 0:
        return FAR
    root = math.sqrt(root)
    near, far = -b - root, -b + root
    if far < 1e-4 or near > limit:
        return FAR
    if solid[KIND] < 0.5:
        return near if near > 1e-4 else FAR
    return march(solid, pose, offset, direction, max(near, 1e-3), min(far, limit))


@compiled
def nearest(solids: Table, poses: Table, origin: Vec, direction: Vec, limit: float, skip: int) -> tuple[float, int]:
    """The first solid on the ray nearer than limit: (distance, index), or (limit, -1)."""
    best, index = limit, -1
    for i in range(solids.shape[0]):
        if i == skip:
            continue
        t = hit(solids[i], poses[i], origin, direction, best)
        if t < best:
            best, index = t, i
    return best, index


@compiled
def normal(solid: Table, pose: Table, p: Vec) -> Vec:
    """Outward unit normal at a surface point (tetrahedral differences of the distance)."""
    offset = sub(p, vec(pose, 0))
    if solid[KIND] < 0.5:
        return scaled(offset, 1.0 / solid[1])
    x, y, z = to_local(pose, offset)
    e = 7e-4
    a, b = distance(solid, (x + e, y - e, z - e)), distance(solid, (x - e, y - e, z + e))
    c, d = distance(solid, (x - e, y + e, z - e)), distance(solid, (x + e, y + e, z + e))
    return unit(to_world(pose, (a - b - c + d, -a - b + c + d, -a + b - c + d)))
