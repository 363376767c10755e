"""The splits: what each may show, that none knows the others, and that other processes draw the same."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from typing import get_args

import numpy as np
import pytest

from sorairo.cli import SPLIT
from sorairo.shapes import NATIVE_BUCKETS
from sorairo.world import COLORS, HELD_OUT_PAIRS, SCENARIOS, SHAPES, WorldClip, make_clip
from sorairo.world import clip as clip_module
from sorairo.world.camera import half_extent
from sorairo.world.clip import SALTS, Split
from sorairo.world.scenarios import HELD_OUT_SCENES, Draw, make_up, with_held_out_pair

TOLD = """
import hashlib
import numpy as np
from sorairo.shapes import VideoShape
from sorairo.world import caption, make_clip, render
digest = hashlib.sha256()
for split in ("train", "test", "novel"):
    for seed in range(4):
        clip = make_clip(seed, VideoShape(17, 96, 96), split)
        digest.update(repr(clip.objects).encode() + clip.poses.tobytes() + clip.facts.to_json().encode())
        digest.update(render(clip, [0, 12])[0].tobytes())
        for style in ("fragment", "short", "medium", "dense"):
            digest.update(caption(clip, style, np.random.default_rng(seed)).text.encode())
print(digest.hexdigest())
"""


def draw(seed: int) -> Draw:
    shape = NATIVE_BUCKETS[seed % len(NATIVE_BUCKETS)]
    return Draw(np.random.default_rng(seed), 4.0, *half_extent(shape.width, shape.height))


def test_the_splits_have_names_and_seeds_of_their_own() -> None:
    assert set(SALTS) == set(get_args(Split)) == set(SPLIT.choices)
    assert len(set(SALTS.values())) == len(SALTS)
    assert make_clip.__doc__ is not None
    assert "splits never coincide" in make_clip.__doc__


def test_the_same_seed_gives_the_same_bytes_in_another_process() -> None:
    """Python hashes texts anew in each; nothing that is drawn may follow the order of a set."""
    here: list[str] = []
    exec(TOLD, {"print": here.append})
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    command = [sys.executable, "-c", TOLD]
    there = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=120)
    assert there.stdout.strip() == here[0]


def test_no_scenario_draws_a_held_out_pair() -> None:
    for seed in range(150):
        stage = draw(seed)
        for name in SCENARIOS:
            for body in SCENARIOS[name][0](stage):
                assert (body.color, body.shape) not in HELD_OUT_PAIRS, (seed, name)


@pytest.mark.parametrize(("color", "shape"), sorted(HELD_OUT_PAIRS))
def test_a_used_up_palette_is_no_way_to_a_held_out_pair(color: str, shape: str) -> None:
    for left in ([color], []):
        stage = draw(0)
        stage.palette = left
        assert all((stage.color(shape), shape) not in HELD_OUT_PAIRS for _ in range(3))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_other_pair_can_be_drawn(shape: str) -> None:
    drawn = Counter(draw(seed).color(shape) for seed in range(300))
    assert {(color, shape) for color in COLORS} - HELD_OUT_PAIRS == {(color, shape) for color in drawn}
    assert min(drawn.values()) > 0.5 * 300 / len(drawn)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_novel_scene_is_a_common_one_repainted(name: str) -> None:
    """Only colours change; those of a group stay alike, and single things stay apart."""
    for seed in range(20):
        stage = draw(seed)
        plain = SCENARIOS[name][0](stage)
        novel = with_held_out_pair(stage, plain)
        same = [
            vars(before) | {"color": ""} == vars(after) | {"color": ""}
            for before, after in zip(plain, novel, strict=True)
        ]
        assert all(same)
        for group in {body.group for body in plain} - {None}:
            colors = [{body.color for body in scene if body.group == group} for scene in (plain, novel)]
            assert (len(colors[0]) == 1) <= (len(colors[1]) == 1)


def test_scenarios_come_about_as_often_as_their_weights_say(clips: tuple[WorldClip, ...]) -> None:
    """Of 150 clips, within four standard deviations; a still life also stands in where a story fails."""
    total = sum(weight for _, weight in SCENARIOS.values())
    found = Counter(clip.scenario for clip in clips)
    for name, (_, weight) in SCENARIOS.items():
        share = weight / total
        assert abs(found[name] / len(clips) - share) < 4 * np.sqrt(share * (1 - share) / len(clips)) + 0.02, name


def test_a_make_up_is_a_scenario_its_shapes_and_the_cameras_move() -> None:
    clip = make_clip(1, NATIVE_BUCKETS[0])
    assert clip.make_up == clip.mirrored().make_up == make_up(clip.scenario, clip.objects[::-1], clip.facts.camera_move)
    assert make_up("still", clip.objects, "pan left") == make_up("still", clip.objects, "pan right")
    others = {make_up("hit", clip.objects, "rise"), make_up("hit", clip.objects[1:], "rise"), clip.make_up}
    assert len(others) == 3


def test_held_out_scenes_are_drawn_by_other_splits_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = NATIVE_BUCKETS[0]
    drawn, tested = make_clip(1, shape), make_clip(1, shape, "test")
    monkeypatch.setattr(clip_module, "HELD_OUT_SCENES", frozenset({drawn.make_up, tested.make_up}))
    assert make_clip(1, shape).make_up != drawn.make_up
    assert make_clip(1, shape, "test").make_up == tested.make_up
    assert not {make_clip(seed, shape).make_up for seed in range(6)} & HELD_OUT_SCENES
