"""Clips: the same everywhere, different between splits, mirrored, of any length, rate and size."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from sorairo.shapes import NATIVE_BUCKETS, VideoShape
from sorairo.world import (
    CAMERA_MOVES,
    COLORS,
    GROUNDS,
    HELD_OUT_PAIRS,
    LIGHTS,
    MATERIALS,
    SCENARIOS,
    SHAPES,
    SIZES,
    RenderRequest,
    WorldClip,
    make_clip,
    render_many,
)
from sorairo.world.scenarios import Draw

SHAPE = NATIVE_BUCKETS[0]


def fingerprint(clip: WorldClip) -> str:
    parts = (clip.poses, clip.camera, clip.environment, clip.facts.screen, clip.facts.visible, clip.facts.area)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def test_many_clips_are_the_same_from_a_pool() -> None:
    requests = [RenderRequest(seed, VideoShape(5, 32, 32), mirrored=seed == 1) for seed in range(2)]
    here, there = list(render_many(requests)), list(render_many(requests, workers=2))
    for (clip, pixels, ids), (other, same_pixels, same_ids) in zip(here, there, strict=True):
        assert fingerprint(clip) == fingerprint(other)
        assert clip.facts.events == other.facts.events
        assert np.array_equal(pixels, same_pixels)
        assert np.array_equal(ids, same_ids)


def test_a_request_is_rendered_at_its_size() -> None:
    ((_, pixels, _),) = render_many([RenderRequest(0, VideoShape(1, 32, 48), "test", width=24, height=16)])
    assert pixels.shape == (1, 16, 24, 3)


def test_arrays_have_the_shapes_that_are_promised(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips:
        frames, number = clip.shape.num_frames, len(clip.objects)
        assert clip.poses.shape == (frames, number, 12)
        assert clip.camera.shape == (frames, 13)
        assert clip.environment.shape == (48,)
        assert {a.dtype for a in (clip.poses, clip.camera, clip.environment)} == {np.dtype(np.float64)}
        assert clip.facts.screen.shape == (frames, number, 2)
        assert {a.shape for a in (clip.facts.visible, clip.facts.area, clip.facts.inside)} == {(frames, number)}
        assert clip.facts.screen.dtype == clip.facts.visible.dtype == clip.facts.area.dtype == np.float32


def test_everything_that_there_is_occurs(clips: tuple[WorldClip, ...]) -> None:
    things = [thing for clip in clips for thing in clip.objects]
    assert {clip.scenario for clip in clips} == set(SCENARIOS)
    assert {clip.facts.light for clip in clips} == set(LIGHTS)
    assert {clip.facts.ground for clip in clips} == set(GROUNDS)
    assert {clip.facts.camera_move for clip in clips} == set(CAMERA_MOVES)
    assert {thing.shape for thing in things} == set(SHAPES)
    assert {thing.color for thing in things} == {*COLORS, "wood", "grey"}
    assert {thing.size for thing in things} == set(SIZES)
    assert {thing.material for thing in things} == set(MATERIALS)


def test_splits_never_share_a_clip() -> None:
    prints = {fingerprint(make_clip(seed, SHAPE, split)) for split in ("train", "test") for seed in range(10)}
    assert len(prints) == 20


def test_held_out_pairs_are_shown_by_the_novel_split_alone(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips:
        pairs = {(thing.color, thing.shape): i for i, thing in enumerate(clip.objects)}
        held_out = set(pairs) & HELD_OUT_PAIRS
        assert bool(held_out) == (clip.split == "novel"), clip.seed
        for pair in held_out:
            assert clip.objects[pairs[pair]].role in ("actor", "target", "member")
            assert clip.facts.area[:, pairs[pair]].max() > 0.004


def test_held_out_pairs_are_spread_over_colours_and_shapes() -> None:
    assert len(HELD_OUT_PAIRS) == 6
    assert len({color for color, _ in HELD_OUT_PAIRS}) == len({shape for _, shape in HELD_OUT_PAIRS}) == 6
    assert {color for color, _ in HELD_OUT_PAIRS} < set(COLORS)


def test_every_held_out_pair_is_met() -> None:
    made = (make_clip(seed, VideoShape(1, 128, 128), "novel") for seed in range(150))
    assert {(t.color, t.shape) for clip in made for t in clip.objects} >= HELD_OUT_PAIRS


def test_the_scene_is_the_same_at_any_size_of_one_aspect() -> None:
    for seed in range(6):
        small, large = make_clip(seed, VideoShape(33, 96, 160)), make_clip(seed, VideoShape(33, 768, 1280))
        assert fingerprint(small) == fingerprint(large)
        assert small.facts.events == large.facts.events


@pytest.mark.parametrize(("num_frames", "fps"), [(1, 8), (5, 8), (17, 8), (49, 24), (81, 8)])
def test_other_lengths_and_rates_work(num_frames: int, fps: int) -> None:
    for seed in range(4):
        clip = make_clip(seed, VideoShape(num_frames, 128, 128, fps))
        assert clip.poses.shape[0] == num_frames
        assert clip.facts.area.max() > 0.003
        assert all(0 <= event.time <= clip.shape.seconds + 1 / fps for event in clip.facts.events)


def test_longer_clips_move_slower() -> None:
    """The action fills the clip: twice the time, half the speed."""
    for scenario in ("cross", "hit", "domino"):
        speeds = []
        for seconds in (2.0, 4.0, 8.0):
            draw = Draw(np.random.default_rng(5), seconds, 2.5, 1.5)
            actor = next(o for o in SCENARIOS[scenario][0](draw) if o.role == "actor")
            speeds.append(np.linalg.norm(actor.velocity) * seconds)
        assert speeds == pytest.approx([speeds[0]] * 3)


def test_mirroring_twice_changes_nothing(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips[:30]:
        again = clip.mirrored().mirrored()
        assert fingerprint(again) == fingerprint(clip)
        assert again.facts.events == clip.facts.events
        assert again.facts.direction == clip.facts.direction
        assert again.facts.camera_move == clip.facts.camera_move


def test_mirrored_facts_name_the_other_side(clips: tuple[WorldClip, ...]) -> None:
    swapped = {"left": "right", "right": "left", "down": "down", None: None}
    for clip in clips:
        mirrored = clip.mirrored()
        assert np.array_equal(mirrored.facts.screen[..., 0], -clip.facts.screen[..., 0])
        assert np.array_equal(mirrored.facts.area, clip.facts.area)
        assert [swapped[d] for d in clip.facts.direction] == list(mirrored.facts.direction)
        assert [swapped[e.side] for e in clip.facts.events] == [e.side for e in mirrored.facts.events]


def test_unknown_splits_and_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match="split is 'val'; it must be one of train, test, novel"):
        make_clip(0, SHAPE, "val")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="seed is -1; the nearest valid seed is 0"):
        make_clip(-1, SHAPE)


def test_a_clip_cannot_be_changed_by_accident(clips: tuple[WorldClip, ...]) -> None:
    with pytest.raises(AttributeError):
        clips[0].seed = 5  # type: ignore[misc]
    assert replace(clips[0], seed=5).seed == 5
