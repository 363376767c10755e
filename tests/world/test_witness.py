"""Facts of staged motions, where what a viewer sees is known beforehand, and of drawn clips from the mirror."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from sorairo.world import EVENT_KINDS, Event, Facts, SceneObject, WorldClip
from sorairo.world.camera import draw_camera, mirrored, project
from sorairo.world.facts import HIDDEN, SHOWN, observe
from sorairo.world.objects import dimensions_of, rest_height, solid_rows
from sorairo.world.physics import GRAVITY, Contact, Trajectory, simulate
from sorairo.world.vectors import Table

FPS, FRAMES = 8, 25
WALL = SceneObject("wall", "wood", "medium", "rubber", "prop", (0.7, 0.07, 0.7), (0.0, -0.3, 0.7), static=True)


def thing(shape: str = "sphere", role: str = "actor", size: str = "small") -> SceneObject:
    dimensions = dimensions_of(shape, size)
    return SceneObject(shape, "red", size, "rubber", role, dimensions, (0.0, 0.0, rest_height(shape, dimensions)))


def stands(body: SceneObject, x: float, y: float = 0.0) -> Table:
    """Poses [t 12] of a body that never moves."""
    return np.tile([x, y, body.position[2], 1, 0, 0, 0, 1, 0, 0, 0, 1], (FRAMES, 1))


def goes(body: SceneObject, start: float, end: float, y: float = 0.0) -> Table:
    """Poses of a body that slides along x at one speed."""
    poses = stands(body, 0.0, y)
    poses[:, 0] = np.linspace(start, end, FRAMES)
    return poses


def witnessed(
    *cast: tuple[SceneObject, Table], contacts: tuple[Contact, ...] = (), camera: Table | None = None
) -> Facts:
    """The facts of these bodies on these paths, seen by a still camera straight before them."""
    objects, paths = tuple(body for body, _ in cast), np.stack([path for _, path in cast], axis=1)
    if camera is None:
        camera, _ = draw_camera(np.random.default_rng(1), FRAMES, 0.36, (0.0, 0.0), 1.0)
    velocity = np.gradient(paths[..., :3], 1 / FPS, axis=0)
    run = Trajectory(paths, velocity, np.zeros_like(velocity), contacts, ((),) * len(objects))
    return observe(objects, run, camera, solid_rows(objects), 1.0, FPS, ("day", "sand", "still"))


def told(facts: Facts, subject: int) -> list[str]:
    return [event.kind for event in facts.events if event.subject == subject]


def test_what_goes_behind_a_wall_fades_to_nothing_and_comes_back() -> None:
    ball = thing()
    facts = witnessed((ball, goes(ball, -1.5, 1.5, 0.4)), (WALL, stands(WALL, 0.0, -0.3)))
    visible = facts.visible[:, 0]
    assert visible[0] == visible[-1] == 1
    assert visible[FRAMES // 2] == 0
    assert (np.diff(visible[: FRAMES // 2]) <= 0.02).all()
    assert visible == pytest.approx(visible[::-1], abs=0.12)
    hide, back = (next(e for e in facts.events if e.kind == kind) for kind in ("hide", "reappear"))
    assert hide.other == back.other == 1
    assert (visible < HIDDEN).argmax() / FPS == hide.time
    assert back.time - hide.time == pytest.approx((visible < SHOWN).sum() / FPS, abs=2 / FPS)
    assert facts.inside[:, 0].min() > 0.01  # it never left the picture
    assert (facts.visible[:, 1] == 1).all()


def test_what_goes_before_a_wall_hides_a_part_of_it() -> None:
    ball = thing()
    facts = witnessed((ball, goes(ball, -1.5, 1.5, -0.9)), (WALL, stands(WALL, 0.0, -0.3)))
    assert (facts.visible[:, 0] == 1).all()
    assert HIDDEN < facts.visible[FRAMES // 2, 1] < 0.9
    assert not {"hide", "reappear"} & {event.kind for event in facts.events}
    covered = facts.inside[:, 1] - facts.area[:, 1]
    assert 0.5 * facts.area[FRAMES // 2, 0] < covered.max() <= facts.area[FRAMES // 2, 0]  # its foot is on the ground


@pytest.mark.parametrize(("sign", "sides"), [(1, ("left", "right")), (-1, ("right", "left"))])
def test_who_comes_in_on_one_side_leaves_on_the_other(sign: int, sides: tuple[str, str]) -> None:
    ball = thing()
    facts = witnessed((ball, goes(ball, -3.2 * sign, 3.2 * sign)))
    assert [(e.kind, e.side) for e in facts.events] == [("enter", sides[0]), ("leave", sides[1])]
    assert facts.direction == (sides[1],)
    enter, leave = (round(event.time * FPS) for event in facts.events)
    x = sign * facts.screen[:, 0, 0]
    radius = ball.dimensions[0] / (5.2 * 0.36)
    assert x[enter - 1] - 0.12 < -1 - radius < x[enter] + 0.12
    assert x[leave] - 0.12 < 1 + radius < x[leave + 1] + 0.12
    assert (facts.inside[:, 0] > 0).sum() == leave - enter + 1


def test_directions_are_those_of_the_viewer_not_of_the_world() -> None:
    """Seen from behind, what moves along +x moves to the left; in a mirror too."""
    ball = thing()
    camera, _ = draw_camera(np.random.default_rng(1), FRAMES, 0.36, (math.pi, math.pi), 1.0)
    assert witnessed((ball, goes(ball, -1.0, 1.0)), camera=camera).direction == ("left",)
    assert witnessed((ball, goes(ball, -1.0, 1.0)), camera=mirrored(camera)).direction == ("right",)


def test_moves_too_small_or_towards_the_viewer_have_no_direction() -> None:
    ball = thing()
    nearer = stands(ball, 0.0)
    nearer[:, 1] = np.linspace(1.5, -0.5, FRAMES)
    assert witnessed((ball, goes(ball, 0.0, 0.2))).direction == (None,)
    assert witnessed((ball, nearer)).direction == (None,)


def test_sliding_and_rolling_are_told_by_the_spin() -> None:
    ball = thing()
    path = goes(ball, -1.0, 1.0)
    camera, _ = draw_camera(np.random.default_rng(1), FRAMES, 0.36, (0.0, 0.0), 1.0)
    velocity = np.gradient(path[:, None, :3], 1 / FPS, axis=0)
    for share, manner in ((0.0, "slide"), (0.4, "slide"), (0.8, "roll"), (1.0, "roll")):
        spin = velocity[..., [1, 0, 2]] / ball.dimensions[0] * share
        run = Trajectory(path[:, None], velocity, spin, (), ((),))
        facts = observe((ball,), run, camera, solid_rows((ball,)), 1.0, FPS, ("day", "sand", "still"))
        assert facts.manner == (manner,)


@pytest.mark.parametrize(("degrees", "topples"), [(45, False), (55, True), (90, True)])
def test_a_block_topples_beyond_fifty_degrees(degrees: int, topples: bool) -> None:
    block = thing("block", "target")
    path = stands(block, 0.0)
    angles = np.radians(np.linspace(0, degrees, FRAMES))
    c, s, zero = np.cos(angles), np.sin(angles), np.zeros(FRAMES)
    path[:, 3:] = np.stack([c, zero, s, zero, zero + 1, zero, -s, zero, c], axis=1)
    events = [event for event in witnessed((block, path)).events if event.kind == "topple"]
    assert bool(events) == topples
    if topples:
        assert events[0].time == pytest.approx(50 / degrees * (FRAMES - 1) / FPS, abs=1.01 / FPS)


def test_a_stop_needs_a_motion_before_and_rest_after() -> None:
    ball = thing()
    path = goes(ball, -1.2, 1.2)
    path[12:] = path[12]
    assert told(witnessed((ball, path)), 0) == ["stop"]
    assert told(witnessed((ball, stands(ball, 0.5))), 0) == []
    path = goes(ball, -1.2, 1.2)
    path[-3:] = path[-3]
    assert told(witnessed((ball, path)), 0) == []


def test_a_hit_is_told_of_the_faster_one_when_both_can_be_seen() -> None:
    ball, cube = thing(), thing("cube", "target")
    here = (ball, goes(ball, -1.0, 0.0)), (cube, stands(cube, 0.64))
    touch = Contact(1.5, 0, 1, 1.0, 1.0, 0.0)
    assert Event("hit", 1.5, 0, 1) in witnessed(*here, contacts=(touch,)).events
    turned = replace(touch, first_speed=0.0, second_speed=1.0)
    assert Event("hit", 1.5, 1, 0) in witnessed(*here, contacts=(turned,)).events
    gentle = replace(touch, relative=0.3)
    assert "hit" not in told(witnessed(*here, contacts=(gentle,)), 0)
    curtain = replace(WALL, position=(0.0, -1.5, 0.7), dimensions=(2.0, 0.07, 1.4))
    unseen = witnessed(*here, (curtain, stands(curtain, 0.0, -1.5)), contacts=(touch,))
    assert "hit" not in told(unseen, 0)


def test_hits_come_when_the_two_are_nearest(clips: tuple[WorldClip, ...]) -> None:
    """In the frame of a hit the partners are about as near as they were in any frame before."""
    checked = 0
    for clip in clips:
        for event in clip.facts.events:
            if event.kind == "hit":
                frame = min(math.ceil(event.time * clip.shape.fps), clip.shape.num_frames - 1)
                pair = clip.poses[:, [event.subject, event.other], :3]
                apart = np.linalg.norm(pair[:, 0] - pair[:, 1], axis=-1)
                step = np.linalg.norm(np.diff(pair, axis=0), axis=-1).sum(1).max(initial=0.0)
                assert apart[frame] <= apart[: frame + 1].min() + step
                checked += 1
    assert checked > 50


def test_landings_come_after_a_fall_from_the_first_height(clips: tuple[WorldClip, ...]) -> None:
    """Free fall gives the time: t = sqrt(2 drop / g), the drop between centre at the start and at the touch."""
    checked = 0
    for clip in clips:
        for event in clip.facts.events:
            thing = clip.objects[event.subject]
            met = any(e.kind == "hit" and event.subject in (e.subject, e.other) for e in clip.facts.events)
            if event.kind == "land" and thing.shape == "sphere" and not met:
                drop = thing.position[2] - thing.rest_height
                assert event.time == pytest.approx(math.sqrt(2 * drop / GRAVITY), abs=0.03)
                checked += 1
    assert checked >= 3


def test_the_facts_seen_in_a_mirror_are_the_mirrored_facts(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips[:12]:
        shape, facts = clip.shape, clip.facts
        run = simulate(clip.objects, shape.num_frames, shape.fps)
        expected = facts.mirrored()
        names = (facts.light, facts.ground, expected.camera_move)
        aspect = shape.width / shape.height
        again = observe(clip.objects, run, mirrored(clip.camera), solid_rows(clip.objects), aspect, shape.fps, names)
        assert again.events == expected.events
        assert (again.direction, again.manner) == (expected.direction, expected.manner)
        for name in ("screen", "visible", "area", "inside"):
            assert getattr(again, name) == pytest.approx(getattr(expected, name), abs=0.02), name


def test_screen_positions_are_projections_and_events_follow_causes(clips: tuple[WorldClip, ...]) -> None:
    before = {"reappear": "hide", "push": "hit"}
    for clip in clips[:60]:
        aspect = clip.shape.width / clip.shape.height
        screen = project(clip.camera, clip.poses[:, :, :3], aspect)[..., :2]
        assert clip.facts.screen == pytest.approx(screen, abs=1e-4)
        for event in clip.facts.events:
            times = {e.kind: e.time for e in reversed(clip.facts.events) if e.subject == event.subject}
            if event.kind in before:
                assert times[before[event.kind]] <= event.time
        once = [
            (e.kind, e.subject) for e in clip.facts.events if e.kind in set(EVENT_KINDS) - {"hit", "push", "bounce"}
        ]
        assert len(once) == len(set(once))


@pytest.mark.parametrize(("upper", "topples"), [(0.5, False), (0.8, False), (1.3, True)])
def test_a_stack_that_is_pushed_as_a_whole_does_not_topple(upper: float, topples: bool) -> None:
    """Both cubes slide, the lower one by half a metre."""
    low = replace(thing("cube", "member"), group="stack")
    high = replace(low, position=(0.0, 0.0, 3 * low.rest_height))
    facts = witnessed((low, goes(low, 0.0, 0.5)), (high, goes(high, 0.0, upper)))
    assert [event.subject for event in facts.events if event.kind == "topple"] == ([1] if topples else [])
