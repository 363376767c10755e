"""True physics: rigid bodies in MuJoCo, from objects to poses, speeds and contacts.

Never draws random numbers and never looks at the camera. Metres, seconds, kilograms; gravity 9.81 m/s² along -z.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import mujoco
import numpy as np

from sorairo.world.objects import SceneObject
from sorairo.world.vectors import Table

GRAVITY = 9.81
LONGEST_STEP = 0.0025  # seconds
AIRBORNE = 0.09  # seconds without touching: the next touch is a landing
RESTING = 0.04  # seconds: contacts before are those of objects placed against each other


@dataclass(frozen=True)
class Contact:
    """First touch of two objects: time in seconds, speeds just before in m/s; relative is the speed between them."""

    time: float
    first: int
    second: int
    relative: float
    first_speed: float
    second_speed: float


@dataclass(frozen=True)
class Trajectory:
    """poses [t n 12] (position, rotation by rows), velocity and spin [t n 3], contacts, landing times per object."""

    poses: Table
    velocity: Table
    spin: Table
    contacts: tuple[Contact, ...]
    landings: tuple[tuple[float, ...], ...]


def simulate(objects: tuple[SceneObject, ...], num_frames: int, fps: int) -> Trajectory:
    """Let the objects move for num_frames frames; frame 0 is the start."""
    substeps = math.ceil(1 / fps / LONGEST_STEP)
    model = mujoco.MjModel.from_xml_string(model_xml(objects, 1 / fps / substeps))
    run = _Run(model, objects)
    frames = []
    for frame in range(num_frames):
        frames.append(run.snapshot())
        if frame + 1 < num_frames:
            run.advance(substeps)
    poses, velocity, spin = (np.stack(part) for part in zip(*frames, strict=True))
    return Trajectory(
        settled(poses), velocity, spin, tuple(run.contacts), tuple(tuple(times) for times in run.landings)
    )


def settled(poses: Table) -> Table:
    """Hold an object's pose until it has moved by more than 0.2 mm: rest is exactly still, so frames can be reused."""
    held = poses.copy()
    for frame in range(1, len(held)):
        resting = np.abs(poses[frame] - held[frame - 1]).max(-1) < 2e-4
        held[frame, resting] = held[frame - 1, resting]
    return held


class _Run:
    """One simulation under way, with its log of contacts."""

    def __init__(self, model: "mujoco.MjModel", objects: tuple[SceneObject, ...]) -> None:
        self.model, self.data, self.number = model, mujoco.MjData(model), len(objects)
        self.bodies = np.asarray(model.geom_bodyid) - 1  # geom -> object, -1 for the ground
        self.first_dof = [int(model.body_dofadr[i + 1]) for i in range(self.number)]  # -1 when fixed
        for index, thing in enumerate(objects):
            self._push(index, thing)
        mujoco.mj_forward(self.model, self.data)
        self.contacts: list[Contact] = []
        self.met: set[tuple[int, int]] = set()
        self.landings: list[list[float]] = [[] for _ in objects]
        self.last_touch = [-1.0 if o.position[2] > o.rest_height + 0.25 else 0.0 for o in objects]
        self.known_geoms, self.touching = b"", frozenset[tuple[int, int]]()

    def _push(self, index: int, thing: SceneObject) -> None:
        """Initial velocity; a free joint's angular velocity is in the body's own frame."""
        dof = self.first_dof[index]
        if dof < 0:
            return
        rotation = np.zeros(9)
        mujoco.mju_quat2Mat(rotation, np.array(thing.quaternion))
        self.data.qvel[dof : dof + 3] = thing.velocity
        self.data.qvel[dof + 3 : dof + 6] = rotation.reshape(3, 3).T @ np.array(thing.spin)

    def snapshot(self) -> tuple[Table, Table, Table]:
        """Poses [n 12], velocity [n 3] and spin [n 3] in the world's axes."""
        poses = np.concatenate([self.data.xpos[1:], self.data.xmat[1:]], axis=1)
        velocity, spin = np.zeros((self.number, 3)), np.zeros((self.number, 3))
        for index, dof in enumerate(self.first_dof):
            if dof >= 0:
                velocity[index] = self.data.qvel[dof : dof + 3]
                spin[index] = poses[index, 3:].reshape(3, 3) @ self.data.qvel[dof + 3 : dof + 6]
        return poses, velocity, spin

    def advance(self, substeps: int) -> None:
        for _ in range(substeps):
            before = self.data.qvel.copy()
            mujoco.mj_step(self.model, self.data)
            if self.data.ncon:
                self._log(before)
        mujoco.mj_kinematics(self.model, self.data)

    def _log(self, before: Table) -> None:
        geoms = self.data.contact.geom
        raw = geoms.tobytes()
        if raw != self.known_geoms:  # contacts seldom change from step to step
            pairs = np.sort(self.bodies[geoms], axis=1)
            self.known_geoms, self.touching = raw, frozenset((int(a), int(b)) for a, b in pairs if a != b)
        for first, second in sorted(self.touching):
            if first < 0:
                self._touch_ground(second)
            elif (first, second) not in self.met:
                self.met.add((first, second))
                self._meet(first, second, before)

    def _touch_ground(self, index: int) -> None:
        time, last = float(self.data.time), self.last_touch[index]
        if last < 0 or time - last > AIRBORNE:
            self.landings[index].append(time)
        self.last_touch[index] = time

    def _meet(self, first: int, second: int, before: Table) -> None:
        if self.data.time < RESTING:
            return
        a, b = self._velocity(first, before), self._velocity(second, before)
        speeds = (float(np.linalg.norm(v)) for v in (a - b, a, b))
        self.contacts.append(Contact(float(self.data.time), first, second, *speeds))

    def _velocity(self, index: int, qvel: Table) -> Table:
        dof = self.first_dof[index]
        return qvel[dof : dof + 3] if dof >= 0 else np.zeros(3)


def model_xml(objects: tuple[SceneObject, ...], timestep: float) -> str:
    """The MuJoCo model of a scene: a plane and one free or fixed body per object."""
    meshes, bodies = [], []
    for index, thing in enumerate(objects):
        geoms, mesh = _geoms(index, thing)
        meshes.append(mesh)
        joint = "" if thing.static else "<freejoint/>"
        bodies.append(
            f'<body pos="{_numbers(thing.position)}" quat="{_numbers(thing.quaternion)}">{joint}{geoms}</body>'
        )
    ground = '<geom type="plane" size="20 20 .1" friction=".7 .004 .0006" solref=".015 1"/>'
    return (
        f'<mujoco><option timestep="{timestep!r}" gravity="0 0 -{GRAVITY}"/><asset>{"".join(meshes)}</asset>'
        f"<worldbody>{ground}{''.join(bodies)}</worldbody></mujoco>"
    )


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(repr(float(value)) for value in values)


def _surface(thing: SceneObject) -> str:
    """Contact parameters: bouncing and slippery objects decide for both partners of a contact."""
    priority = 2 if thing.bounce is not None else 1 if thing.friction != 0.7 else 0
    solref = "0.015 1.0" if thing.bounce is None else f"0.05 {thing.bounce}"
    rolls = thing.shape in ("sphere", "cylinder", "ring")
    density = 1000 * thing.heaviness * (1.8 if thing.material == "metal" else 1.0)
    return (
        f'friction="{thing.friction} .004 .0006" condim="{6 if rolls else 3}" density="{density}" '
        f'solref="{solref}" priority="{priority}"'
    )


def _geoms(index: int, thing: SceneObject) -> tuple[str, str]:
    """The geoms of one body and the mesh they need, as XML."""
    a, b, c = thing.dimensions
    surface = _surface(thing)
    if thing.shape == "sphere":
        return f'<geom type="sphere" size="{a}" {surface}/>', ""
    if thing.shape == "cylinder":
        return f'<geom type="cylinder" size="{a} {b}" {surface}/>', ""
    if thing.shape == "cone":
        return f'<geom type="mesh" mesh="m{index}" {surface}/>', _cone_mesh(index, a, b)
    if thing.shape == "ring":
        return _ring_capsules(a, b, surface), ""
    return f'<geom type="box" size="{a} {b} {c}" {surface}/>', ""


def _cone_mesh(index: int, radius: float, half: float) -> str:
    """A cone as the convex hull of 24 points of its rim and its apex."""
    rim = (k * math.pi / 12 for k in range(24))
    corners = [_numbers((radius * math.cos(t), radius * math.sin(t), -half)) for t in rim]
    return f'<mesh name="m{index}" vertex="{" ".join(corners)} 0 0 {half}"/>'


def _ring_capsules(radius: float, tube: float, surface: str) -> str:
    corners = [(radius * math.cos(t), radius * math.sin(t), 0.0) for t in (k * math.pi / 5 for k in range(11))]
    return "".join(
        f'<geom type="capsule" size="{tube}" fromto="{_numbers(start + end)}" {surface}/>'
        for start, end in pairwise(corners)
    )
