"""Facts against the id buffers of full pictures, and events against what the arrays show."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sorairo.world import EVENT_KINDS, WorldClip, render
from sorairo.world.facts import HIDDEN, SHOWN


def test_areas_are_the_shares_of_pixels_in_the_picture(clips: tuple[WorldClip, ...]) -> None:
    """The coarse grid of the facts agrees with the ids of a picture four times as fine."""
    for clip in clips[:24]:
        frames = [0, 16, 32]
        _, ids = render(clip, frames, antialias=1)
        for index in range(len(clip.objects)):
            shares = (ids == index).mean(axis=(1, 2))
            assert clip.facts.area[frames, index] == pytest.approx(shares, abs=0.004 + 0.1 * shares.max())


def test_positions_are_where_the_pixels_are(clips: tuple[WorldClip, ...]) -> None:
    """For whole and un-occluded objects the projected centre is near the centre of their pixels."""
    checked = 0
    for clip in clips[:24]:
        _, ids = render(clip, [20], antialias=1)
        height, width = ids.shape[1:]
        for index, thing in enumerate(clip.objects):
            ys, xs = np.nonzero(ids[0] == index)
            touches_edge = len(xs) and (xs.min() == 0 or xs.max() == width - 1 or ys.min() == 0)
            if len(xs) < 60 or touches_edge or clip.facts.visible[20, index] < 0.98 or thing.static:
                continue
            seen = (xs.mean() / width * 2 - 1, 1 - ys.mean() / height * 2)
            assert clip.facts.screen[20, index] == pytest.approx(seen, abs=0.12)
            checked += 1
    assert checked > 10


def test_visibility_is_one_for_what_nothing_covers(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips:
        facts = clip.facts
        assert facts.visible.min() >= 0
        assert facts.visible.max() <= 1
        assert (facts.area <= facts.inside + 1e-6).all()
        nearest = np.linalg.norm(clip.poses[:, :, :3] - clip.camera[:, None, :3], axis=-1).argmin(1)
        radii = np.array([thing.radius for thing in clip.objects])
        if len(radii) == 1:
            first = np.arange(clip.shape.num_frames)
            there = facts.inside[first, nearest] > 0
            assert (facts.visible[first, nearest][there] == 1).all()


def test_events_are_sorted_and_of_known_kinds(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips:
        times = [event.time for event in clip.facts.events]
        assert times == sorted(times)
        for event in clip.facts.events:
            assert event.kind in EVENT_KINDS
            assert 0 <= event.subject < len(clip.objects)
            assert event.other is None or 0 <= event.other < len(clip.objects)
            assert event.other != event.subject
            assert event.side in (None, "left", "right")


def test_every_kind_of_event_occurs(clips: tuple[WorldClip, ...]) -> None:
    assert {event.kind for clip in clips for event in clip.facts.events} == set(EVENT_KINDS)


def test_nobody_enters_who_was_there_at_the_start(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips:
        for event in clip.facts.events:
            inside = clip.facts.inside[:, event.subject] > 0
            if event.kind == "enter":
                assert not inside[0]
                assert inside[round(event.time * clip.shape.fps)]
            if event.kind == "leave":
                assert not inside[-1]


def test_what_hides_was_shown_and_what_reappears_is_shown(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips:
        for event in clip.facts.events:
            frame = round(event.time * clip.shape.fps)
            share = clip.facts.visible[:, event.subject]
            if event.kind == "hide":
                assert share[frame] < HIDDEN
                assert share[:frame].max() > SHOWN
            if event.kind == "reappear":
                assert share[frame] > SHOWN


def test_hits_are_seen_by_the_viewer(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips:
        for event in clip.facts.events:
            if event.kind == "hit":
                frame = min(int(np.ceil(event.time * clip.shape.fps)), clip.shape.num_frames - 1)
                assert clip.facts.visible[frame, [event.subject, event.other]].min() > 0.25
                assert clip.facts.inside[frame, [event.subject, event.other]].min() > 0


def test_fixed_objects_do_nothing(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips:
        for event in clip.facts.events:
            assert not clip.objects[event.subject].static or event.kind == "hit"


def test_a_push_or_a_fall_moves_what_was_hit(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips:
        for event in clip.facts.events:
            if event.kind == "push":
                way = clip.poses[-1, event.other, :2] - clip.poses[0, event.other, :2]
                assert np.linalg.norm(way) > 0.2
            if event.kind == "topple":
                assert np.abs(clip.poses[:, event.subject] - clip.poses[0, event.subject]).max() > 0.2


def test_directions_agree_with_the_screen_of_a_still_camera(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips:
        if clip.facts.camera_move != "still":
            continue
        for index, direction in enumerate(clip.facts.direction):
            if direction in ("left", "right"):
                there = np.flatnonzero(clip.facts.inside[:, index] > 0)
                x = clip.facts.screen[there, index, 0]
                first_move = x[np.flatnonzero(np.abs(x - x[0]) > 0.09)[0]] - x[0]
                assert (first_move > 0) == (direction == "right")


def test_what_falls_goes_down_and_what_stands_has_no_direction(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips:
        for index, (direction, manner) in enumerate(zip(clip.facts.direction, clip.facts.manner, strict=True)):
            assert (direction is None) == (manner is None)
            assert (direction == "down") == (manner == "fall")
            if clip.objects[index].static or clip.scenario == "still":
                assert direction is None


def test_balls_roll_and_cubes_slide(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips:
        for thing, manner in zip(clip.objects, clip.facts.manner, strict=True):
            assert manner != "roll" or thing.shape in ("sphere", "cylinder", "ring")
            if clip.scenario == "slide" and thing.role == "actor":
                assert manner == "slide"
            if clip.scenario in ("cross", "hit") and thing.role == "actor" and thing.shape == "sphere":
                assert manner == "roll"


def test_facts_are_written_as_json(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips[:10]:
        plain = json.loads(clip.facts.to_json())
        assert plain["ground"] == clip.facts.ground
        assert np.array(plain["screen"]).shape == clip.facts.screen.shape
        assert np.array(plain["area"]) == pytest.approx(clip.facts.area, abs=1e-4)
        assert [event["kind"] for event in plain["events"]] == [event.kind for event in clip.facts.events]
