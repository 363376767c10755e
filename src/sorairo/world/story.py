"""From facts to a story: the beats of a clip that are worth telling, in order of time.

Reads facts only. Words come later, in the grammar.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sorairo.world.claims import Claim
from sorairo.world.clip import WorldClip
from sorairo.world.facts import HIDDEN, OTHER_SIDE, Event, Facts

NAMEABLE_AREA = 0.004  # share of the picture: about 8 x 8 pixels at 128 x 128
CAUSED_WITHIN = 2.5  # seconds between a hit and the fall that it causes


@dataclass(frozen=True)
class Beat:
    """One thing to tell. group: the indices of a row or stack that is told as one; fell: those of it that toppled."""

    kind: str
    subject: int
    other: int | None = None
    side: str | None = None
    group: tuple[int, ...] = ()
    fell: tuple[int, ...] = ()


def beats(clip: WorldClip) -> tuple[Beat, ...]:
    """What the actor does, in order; empty for a still life."""
    actor = next((i for i, o in enumerate(clip.objects) if o.role == "actor"), None)
    if actor is None:
        return ()
    opening = _opening(clip, actor)
    told = [opening] if opening else []
    for event in clip.facts.events:
        if event.subject == actor:
            beat = _beat(clip, event)
            if beat is not None and not _repeats(beat, told):
                told.append(beat)
    if told and told[-1].kind == "hide" and stays_hidden(clip, actor):
        told.append(Beat("stay hidden", actor, told[-1].other))
    return tuple(told)


def claims_of(beat: Beat, facts: Facts, manner: str | None = None, directed: bool = True) -> Iterator[Claim]:
    """What telling a beat asserts. manner: how the wording says that it moves; directed: whether it names the sides."""
    subject, other = beat.subject, beat.other
    direction = facts.direction[subject] if directed or beat.kind == "fall" else None
    if beat.kind in ("enter", "cross", "travel", "fall"):
        yield Claim("motion", subject, side=direction, manner=manner)
    if beat.kind in ("enter", "cross"):
        yield Claim("event", subject, name="enter", side=OTHER_SIDE[direction] if direction else None)
    if beat.kind in ("leave", "cross"):
        yield Claim("event", subject, name="leave", side=beat.side if directed else None)
    if beat.kind in ("hit", "push", "knock", "collide", "knock group", "hit group", "land on"):
        yield Claim("event", subject, other, name="hit")
    for index in {"knock": (other,), "knock group": beat.fell}.get(beat.kind, ()):
        yield Claim("event", index, name="topple")
    if beat.kind in ("push", "hide", "descend", "land", "bounce", "stop", "stay hidden"):
        yield Claim("event", subject, other, name=beat.kind)
    if beat.kind.startswith("reappear"):
        yield Claim("event", subject, other, name="reappear")


def _repeats(beat: Beat, told: list[Beat]) -> bool:
    """Entering and descending are openings, crossing ends with leaving; bouncing and hitting a group are told once."""
    before = [b.kind for b in told]
    return (
        beat.kind in ("enter", "descend")
        or (beat.kind == "leave" and "cross" in before)
        or (beat.kind == "bounce" and "bounce" in before)
        or (bool(beat.group) and beat.group in [b.group for b in told])
    )


def _opening(clip: WorldClip, actor: int) -> Beat | None:
    facts = clip.facts
    descent = _event(clip, "descend", actor)
    if descent is not None:
        return Beat("descend", actor, descent.other)
    entrance, direction = _event(clip, "enter", actor), facts.direction[actor]
    if direction == "down":
        return Beat("fall", actor)
    if entrance is not None and entrance.side and direction in ("left", "right") and direction != entrance.side:
        leave = _event(clip, "leave", actor)
        met = any(e.kind in ("hit", "hide") and actor in (e.subject, e.other) for e in facts.events)
        if leave is not None and leave.side == direction and not met:
            return Beat("cross", actor, side=direction)
        return Beat("enter", actor, side=entrance.side)
    return Beat("travel", actor, side=direction) if direction else None


def _event(clip: WorldClip, kind: str, subject: int, other: int | None = None) -> Event | None:
    matching = (e for e in clip.facts.events if e.kind == kind and e.subject == subject)
    return next((e for e in matching if other is None or e.other == other), None)


def _beat(clip: WorldClip, event: Event) -> Beat | None:
    if event.kind == "hit":
        return _hit(clip, event)
    if event.kind in ("hide", "reappear"):
        return _occlusion(clip, event)
    if event.kind == "push" or (event.kind == "leave" and event.side is None):
        return None
    return Beat(event.kind, event.subject, event.other, event.side)


def _hit(clip: WorldClip, event: Event) -> Beat | None:
    actor, other = event.subject, event.other
    assert other is not None
    group = clip.objects[other].group
    if group is not None:
        return _group_hit(clip, event, group)
    if clip.facts.area[:, other].max() < NAMEABLE_AREA:
        return None
    fall = _event(clip, "topple", other)
    if fall is not None and 0 <= fall.time - event.time < CAUSED_WITHIN:
        return Beat("knock", actor, other)
    if clip.objects[other].role == "target" and _moved_before(clip, other, event.time):
        return Beat("collide", actor, other)
    if _above(clip, actor, other, event.time):
        return Beat("land on", actor, other)
    return Beat("push" if _event(clip, "push", actor, other) else "hit", actor, other)


def _moved_before(clip: WorldClip, index: int, time: float) -> bool:
    """Whether an object was under way by itself before a moment, in a direction that shows."""
    now = clip.poses[int(time * clip.shape.fps), index, :2]
    travelled = float(np.linalg.norm(now - clip.poses[0, index, :2]))
    return travelled > 0.2 and clip.facts.direction[index] in ("left", "right")


def _above(clip: WorldClip, upper: int, lower: int, time: float) -> bool:
    """Whether one object comes down on another: over its top, not beside it."""
    frame = min(round(time * clip.shape.fps), clip.shape.num_frames - 1)
    offset = clip.poses[frame, upper, :3] - clip.poses[frame, lower, :3]
    return bool(offset[2] > clip.objects[lower].rest_height and np.abs(offset[:2]).max() < clip.objects[lower].radius)


def _group_hit(clip: WorldClip, event: Event, group: str) -> Beat:
    """All dominoes must have fallen to be knocked over; of a stack the top one and half of all."""
    members = tuple(i for i, o in enumerate(clip.objects) if o.group == group)
    fell = tuple(i for i in members if _event(clip, "topple", i))
    over = len(fell) == len(members) if group == "dominoes" else members[-1] in fell and 2 * len(fell) >= len(members)
    return Beat("knock group" if over else "hit group", event.subject, event.other, None, members, fell)


def _occlusion(clip: WorldClip, event: Event) -> Beat | None:
    """Only hiding behind what can be named; staying hidden when it is still hidden at the end."""
    actor, other = event.subject, event.other
    assert other is not None
    if clip.objects[other].group is not None or clip.facts.area[:, other].max() < NAMEABLE_AREA:
        return None
    if event.kind == "reappear":
        return Beat("reappear across" if _crossed(clip, actor, other) else "reappear", actor, other)
    return Beat("hide", actor, other)


def _crossed(clip: WorldClip, actor: int, other: int) -> bool:
    """Whether it came out on the other side of what hid it."""
    offset = clip.facts.screen[:, actor, 0] - clip.facts.screen[:, other, 0]
    hide, back = _event(clip, "hide", actor), _event(clip, "reappear", actor)
    assert hide is not None
    assert back is not None
    before = offset[: max(1, round(hide.time * clip.shape.fps))]
    after = offset[min(len(offset) - 1, round(back.time * clip.shape.fps))]
    return bool(before[np.abs(before).argmax()] * after < 0)


def stays_hidden(clip: WorldClip, actor: int) -> bool:
    """Whether it hid, never came back, and nothing of it shows at the end although it is in the picture."""
    facts, hide = clip.facts, _event(clip, "hide", actor)
    if hide is None or _event(clip, "reappear", actor) is not None:
        return False
    after = facts.visible[round(hide.time * clip.shape.fps) :, actor]
    return bool(after.max() < HIDDEN and after[-3:].max() < 0.02 and facts.inside[-1, actor] > 0)


def nameable(clip: WorldClip, frame: int | None = None) -> list[int]:
    """Objects that a viewer can make out: in one frame, or in two frames of five (if none is, then in any frame)."""
    clear = (clip.facts.visible > 0.5) & (clip.facts.area > NAMEABLE_AREA)
    often = clear.mean(0) > 0.4
    chosen = clear[frame] if frame is not None else often if often.any() else clear.any(0)
    return [i for i in np.flatnonzero(chosen).tolist() if clip.objects[i].role != "stopper"]


def is_placed(clip: WorldClip, index: int) -> bool:
    """Whether an object stays where it is for the whole clip."""
    return bool(np.ptp(clip.poses[:, index, :3], axis=0).max() < 0.1)


def left_of(clip: WorldClip, first: int, second: int, frame: int | None = None) -> bool:
    """Whether first is clearly to the left of second: in one frame, or in all frames that show both."""
    frames = [frame] if frame is not None else list(range(clip.shape.num_frames))
    gap = clip.facts.screen[frames, second, 0] - clip.facts.screen[frames, first, 0]
    both = (clip.facts.visible[frames][:, [first, second]] > 0.3).all(1)
    return bool(both.any() and (gap[both] > 0.15).all())


def placed_pairs(clip: WorldClip) -> list[tuple[int, int]]:
    """Single objects that stay where they are, as (left, right), whose order holds for the whole clip."""
    named = [i for i in nameable(clip) if is_placed(clip, i) and clip.objects[i].group is None]
    return [(a, b) for a in named for b in named if a != b and left_of(clip, a, b)]
