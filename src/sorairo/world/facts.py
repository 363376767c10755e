"""What happened, as a viewer could see it: positions on screen, visibility, events.

Facts come from physics and from counted pixels, never from a scenario's intent; an event that nobody could see is none.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from sorairo.world.camera import project
from sorairo.world.objects import SceneObject, rolling_radius
from sorairo.world.physics import Contact, Trajectory
from sorairo.world.tracer import count_pixels
from sorairo.world.vectors import Table

Numbers = npt.NDArray[np.float32]
EVENT_KINDS = ("enter", "leave", "hide", "reappear", "hit", "push", "topple", "descend", "land", "bounce", "stop")
GRID_CELLS = 48 * 48
OTHER_SIDE = {"left": "right", "right": "left"}
HIDDEN, SHOWN = 0.12, 0.5  # visible share of an object that counts as hidden, as shown
TILTED = 0.64  # cosine of 50 degrees
MOVED = 0.25  # metres


@dataclass(frozen=True)
class Event:
    """Something that was seen to happen. time in seconds; subject and other are indices of objects."""

    kind: str
    time: float
    subject: int
    other: int | None = None
    side: str | None = None


@dataclass(frozen=True)
class Facts:
    """What is true of a clip.

    screen [t n 2]: x, y in [-1, 1] inside the picture, y up; visible [t n]: seen / un-occluded pixels;
    area [t n]: seen share of the picture; inside [t n]: un-occluded share of the picture.
    Per object, of its own first motion: direction "left", "right", "down" or None; manner "roll", "slide", "fall" or
    None.
    """

    light: str
    ground: str
    camera_move: str
    screen: Numbers
    visible: Numbers
    area: Numbers
    inside: Numbers
    direction: tuple[str | None, ...]
    manner: tuple[str | None, ...]
    events: tuple[Event, ...]

    def to_json(self) -> str:
        """All facts as JSON text; numbers are rounded to 4 digits."""
        plain = asdict(self)
        for name in ("screen", "visible", "area", "inside"):
            plain[name] = np.round(plain[name].astype(float), 4).tolist()
        return json.dumps(plain)

    def mirrored(self) -> Facts:
        """The facts of the clip with left and right exchanged."""
        move = self.camera_move.split()
        return replace(
            self,
            screen=self.screen * np.array([-1, 1], np.float32),
            camera_move=" ".join(OTHER_SIDE.get(word, word) for word in move),
            direction=tuple(OTHER_SIDE.get(d, d) if d else None for d in self.direction),
            events=tuple(replace(e, side=OTHER_SIDE.get(e.side, e.side) if e.side else None) for e in self.events),
        )


def observe(
    objects: tuple[SceneObject, ...],
    trajectory: Trajectory,
    camera: Table,
    solids: Table,
    aspect: float,
    fps: int,
    names: tuple[str, str, str],
) -> Facts:
    """Facts of a scene seen by camera rows [t 13]. names: light, ground, camera move."""
    seen, whole, cells = _counted(trajectory.poses, camera, solids, aspect)
    screen = project(camera, trajectory.poses[:, :, :3], aspect)
    visible = seen / np.maximum(whole, 1)
    witness = _Witness(objects, trajectory, camera, screen, visible, whole / cells, fps)
    directions, manners = zip(*(witness.motion(i) for i in range(len(objects))), strict=True)
    return Facts(
        *names,
        screen[..., :2].astype(np.float32),
        visible.astype(np.float32),
        (seen / cells).astype(np.float32),
        (whole / cells).astype(np.float32),
        directions,
        manners,
        witness.events(),
    )


def _counted(poses: Table, camera: Table, solids: Table, aspect: float) -> tuple[Table, Table, int]:
    """Seen and un-occluded pixels [t n] on a grid of about GRID_CELLS cells; frames that repeat are counted once."""
    height = max(8, round((GRID_CELLS / aspect) ** 0.5))
    width = max(8, round(height * aspect))
    seen = np.zeros(poses.shape[:2], np.int64)
    whole = np.zeros_like(seen)
    for f in range(len(poses)):
        if f and np.array_equal(poses[f], poses[f - 1]) and np.array_equal(camera[f], camera[f - 1]):
            seen[f], whole[f] = seen[f - 1], whole[f - 1]
        else:
            count_pixels(solids, poses[f], camera[f], width, height, seen[f], whole[f])
    return seen.astype(float), whole.astype(float), width * height


@dataclass
class _Witness:
    """Reads events off one clip. Arrays: poses [t n 12], screen [t n 3] (x, y, depth), visible and inside [t n]."""

    objects: tuple[SceneObject, ...]
    trajectory: Trajectory
    camera: Table
    screen: Table
    visible: Table
    inside: Table
    fps: int

    def __post_init__(self) -> None:
        self.positions = self.trajectory.poses[:, :, :3]
        self.last = len(self.screen) - 1
        self._has_ramp = any(thing.shape == "ramp" for thing in self.objects)

    def events(self) -> tuple[Event, ...]:
        """Every visible event, sorted by time."""
        found: list[Event] = []
        for index, thing in enumerate(self.objects):
            if not thing.static:
                found += self._entrances(index) + self._topples(index) + self._landings(index) + self._stops(index)
                found += self._occlusions(index)
        hits = [event for contact in self.trajectory.contacts for event in self._hits(contact)]
        found = [replace(event, time=round(float(event.time), 3)) for event in found + hits]
        return tuple(sorted(found, key=lambda event: (event.time, event.subject, EVENT_KINDS.index(event.kind))))

    def motion(self, index: int) -> tuple[str | None, str | None]:
        """Direction and manner of an object's own motion until it first meets another; None when too small to tell."""
        frames = np.flatnonzero(self.inside[:, index] > 0)
        if self.objects[index].static or len(frames) < 2:
            return None, None
        first, end = int(frames[0]), self._first_meeting(index, int(frames[-1]))
        if end <= first:
            return None, None
        move = self.positions[end, index] - self.positions[first, index]
        if not self._has_ramp and self.positions[0, index, 2] - self.positions[: end + 1, index, 2].min() > 0.5:
            return "down", "fall"
        across = float(move @ self.camera[(first + end) // 2, 3:6])
        shift = float(self.screen[end, index, 0] - self.screen[first, index, 0])
        if abs(across) < MOVED or abs(shift) < 0.1 or across * shift < 0:
            return None, None
        return ("right" if across > 0 else "left"), self._manner(index, first, end)

    def _first_meeting(self, index: int, last: int) -> int:
        """Last frame before the object meets another one, at most last."""
        ramps = {i for i, o in enumerate(self.objects) if o.shape == "ramp"}
        times = [
            c.time for c in self.trajectory.contacts if index in (c.first, c.second) and not {c.first, c.second} & ramps
        ]
        return min([last, *(int(np.ceil(time * self.fps)) for time in times)])

    def _manner(self, index: int, first: int, end: int) -> str:
        """Rolling when the path turned by the spin is most of the path travelled."""
        thing = self.objects[index]
        if thing.shape not in ("sphere", "cylinder", "ring"):
            return "slide"
        speed = np.linalg.norm(self.trajectory.velocity[first : end + 1, index, :2], axis=-1).sum()
        spin = np.linalg.norm(self.trajectory.spin[first : end + 1, index, :2], axis=-1).sum()
        return "roll" if spin * rolling_radius(thing.shape, thing.dimensions) > 0.6 * speed else "slide"

    def _travels(self, index: int) -> bool:
        return bool(np.linalg.norm(np.ptp(self.positions[:, index], axis=0)) > MOVED)

    def _side(self, frame: int, index: int) -> str | None:
        x, y = self.screen[frame, index, :2]
        return None if abs(y) > abs(x) else "left" if x < 0 else "right"

    def _entrances(self, index: int) -> list[Event]:
        """Enter and leave: the un-occluded object comes into the picture or goes out of it for good."""
        present = np.flatnonzero(self.inside[:, index] > 0)
        if not len(present) or not self._travels(index):
            return []
        first, last = int(present[0]), int(present[-1])
        events = []
        if first > 0:
            events.append(Event("enter", first / self.fps, index, side=self._side(first, index)))
        if last < self.last:
            events.append(Event("leave", last / self.fps, index, side=self._side(last, index)))
        return events

    def _occlusions(self, index: int) -> list[Event]:
        """The first time that something shown goes out of sight inside the picture, and its return."""
        if not self._travels(index):
            return []
        inside, share = self.inside[:, index] > 0, self.visible[:, index]
        shown = np.flatnonzero(inside & (share > SHOWN))
        hidden = np.flatnonzero(inside & (share < HIDDEN))
        hidden = hidden[hidden > shown[0]] if len(shown) else hidden[:0]
        if not len(hidden):
            return []
        other = self._occluder(int(hidden[0]), index)
        if other is None:
            return []
        events = [Event("hide", hidden[0] / self.fps, index, other)]
        back = shown[shown > hidden[-1]]
        if len(back):
            events.append(Event("reappear", back[0] / self.fps, index, other))
        return events

    def _occluder(self, frame: int, index: int) -> int | None:
        """The wall, or else the nearest object on screen that stands in front."""
        depth = self.screen[frame, :, 2]
        ahead = [i for i in range(len(self.objects)) if depth[i] < depth[index] and i != index]
        walls = [i for i in ahead if self.objects[i].shape == "wall"]
        gap = np.linalg.norm(self.screen[frame, :, :2] - self.screen[frame, index, :2], axis=-1)
        return min(walls or ahead, key=lambda i: float(gap[i]), default=None)

    def _topples(self, index: int) -> list[Event]:
        """A standing object tilts by more than 50 degrees, or a stacked one falls, or is thrown off another."""
        thing = self.objects[index]
        if thing.role not in ("target", "member", "bystander") or thing.shape in ("sphere", "ring"):
            return []
        upright = self.trajectory.poses[:, index, 11]
        moved = self.positions - self.positions[0]
        fallen = -moved[:, index, 2] > thing.rest_height
        below = [i for i, o in enumerate(self.objects) if o.group == "stack" and o.position[2] < thing.position[2]]
        if thing.group == "stack" and below:
            support = max(below, key=lambda i: self.objects[i].position[2])
            aside = (moved[:, index] - moved[:, support])[:, :2]
            fallen |= np.linalg.norm(aside, axis=-1) > 2 * thing.rest_height
        frames = np.flatnonzero((upright < TILTED) | fallen)
        if upright[0] < 0.9 or not len(frames) or not self._shown(int(frames[0]), index):
            return []
        return [Event("topple", frames[0] / self.fps, index)]

    def _landings(self, index: int) -> list[Event]:
        """The first touch of the ground after a fall of more than half a metre, and each rebound from the ground."""
        thing, times = self.objects[index], self.trajectory.landings[index]
        if not times or self._has_ramp or thing.role != "actor" or thing.position[2] < thing.rest_height + 0.5:
            return []
        events = [Event("land", times[0], index)]
        events += [Event("bounce", time, index) for time, after in pairwise(times) if after - time > 0.25]
        return [event for event in events if self._shown(round(event.time * self.fps), index)]

    def _stops(self, index: int) -> list[Event]:
        """It moved, came to rest well before the end, and is still in view."""
        speed = np.linalg.norm(self.trajectory.velocity[:, index], axis=-1)
        moving = np.flatnonzero(speed > 0.08)
        if speed.max() < 0.4 or moving[-1] >= self.last - 2 or not self._shown(self.last, index):
            return []
        return [Event("stop", (moving[-1] + 1) / self.fps, index)]

    def _shown(self, frame: int, index: int) -> bool:
        frame = min(max(frame, 0), self.last)
        return bool(self.visible[frame, index] > 0.3 and self.inside[frame, index] > 0.001)

    def _hits(self, contact: Contact) -> list[Event]:
        """A touch at more than 0.35 m/s that both partners show: hit, then perhaps push; on a ramp, descend."""
        first, second = contact.first, contact.second
        if self.objects[first].shape == "ramp":
            return self._descents(second, first)
        frame = int(np.ceil(contact.time * self.fps))
        if contact.relative < 0.35 or not (self._shown(frame, first) and self._shown(frame, second)):
            return []
        swap = contact.second_speed > contact.first_speed
        if min(contact.first_speed, contact.second_speed) > 0.35:
            swap = self.objects[second].role == "actor"
        if swap:
            first, second = second, first
        events = [Event("hit", contact.time, first, second)]
        if self._pushed(second, frame):
            events.append(Event("push", contact.time, first, second))
        return events

    def _pushed(self, index: int, frame: int) -> bool:
        """It stood before the touch and slid away after it, without falling over."""
        if self.objects[index].static or frame > self.last or self._topples(index):
            return False
        before = np.linalg.norm(self.positions[max(frame - 1, 0), index] - self.positions[0, index])
        after = np.linalg.norm((self.positions[self.last, index] - self.positions[max(frame - 1, 0), index])[:2])
        return bool(before < 0.03 and after > MOVED)

    def _descents(self, index: int, slope: int) -> list[Event]:
        drop = self.positions[0, index, 2] - self.positions[:, index, 2]
        frames = np.flatnonzero(drop > 0.25)
        if not len(frames) or not (self._shown(0, index) and self._shown(int(frames[0]), index)):
            return []
        return [Event("descend", frames[0] / self.fps, index, slope)]
