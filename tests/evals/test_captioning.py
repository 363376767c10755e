"""Scores of captions in closed form: all true, all silent, sides exchanged."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.conftest import TINY

from sorairo.evals.captioning import (
    ROWS,
    FactScore,
    held_out_clips,
    latents_of,
    main,
    score_captions,
    swapped,
    table,
    truths_of,
)
from sorairo.evals.statements import Noun, Statement
from sorairo.models.video_vae import VideoVAE
from sorairo.shapes import NATIVE_BUCKETS
from sorairo.world import WorldClip, make_clip
from sorairo.world.account import account, write_account


@pytest.fixture(scope="module")
def clips() -> list[WorldClip]:
    return [clip for split in ("test", "novel") for clip in held_out_clips(split, 6)]  # type: ignore[arg-type]


def by_fact(captions: list[str], clips: list[WorldClip]) -> dict[str, FactScore]:
    return {score.fact: score for score in score_captions(captions, clips)}


def test_the_truth_scores_one(clips: list[WorldClip]) -> None:
    scores = by_fact([write_account(account(clip)) for clip in clips], clips)
    assert set(ROWS) < set(scores)
    for score in scores.values():
        assert math.isnan(score.recall) or (score.precision, score.recall) == (1, 1)
        assert score.num_said == score.num_true


def test_silence_has_no_precision_and_no_recall(clips: list[WorldClip]) -> None:
    scores = by_fact([""] * len(clips), clips)
    assert scores["shape"].recall == 0
    assert math.isnan(scores["shape"].precision)


def test_the_mirror_image_is_wrong_about_sides_only(clips: list[WorldClip]) -> None:
    scores = by_fact([write_account(account(clip.mirrored())) for clip in clips], clips)
    assert scores["colour"].recall == scores["shape"].recall == scores["cause"].recall == 1
    assert scores["left/right, of the right things"].precision == 0
    assert scores["left/right"].recall < 0.2  # what falls down is the same in the mirror


def test_precision_and_recall_are_told_apart(clips: list[WorldClip]) -> None:
    clip = clips[0]
    true = sorted({str(s.noun) for s in truths_of(clip)[0] if s.fact == "shape"})
    text = f"objects: {true[0]}; grey wall. events: . ground: snow."
    scores = by_fact([text], [clip])
    assert (scores["shape"].num_said, scores["shape"].precision) == (2, 0.5 if true[0] != "grey wall" else 1)
    assert scores["shape"].recall == pytest.approx(1 / len(true))


def test_either_of_two_that_run_into_each_other_may_be_told_to_hit() -> None:
    clip = next(c for c in map(collision, range(100)) if c.scenario == "collide" and len(c.objects) == 2)
    first, second = truths_of(clip)
    hits = [next(s for s in truth if s.fact == "hit") for truth in (first, second)]
    assert (hits[0].noun, hits[0].other) == (hits[1].other, hits[1].noun)
    ways = {(s.noun, s.value) for truth in (first, second) for s in truth if s.fact == "direction"}
    assert ways >= {(hits[0].noun, clip.facts.direction[0]), (hits[1].noun, clip.facts.direction[1])}
    actor, target = (f"{thing.color} {thing.shape}" for thing in clip.objects)
    scores = by_fact([f"objects: {actor}; {target}. events: {target} hit {actor}."], [clip])
    assert scores["cause"].precision == 1


def test_any_cube_of_a_tower_that_is_hit_at_once_may_be_told_to_be_hit() -> None:
    clip = collision(40_095)  # a ball meets both lower cubes at 0.47 s
    assert hit_things(clip) == {"yellow cube", "green cube"}
    assert len({len(truth) for truth in truths_of(clip)}) == 1
    events = tuple(replace(e, time=0.6) if (e.kind, e.other) == ("hit", 2) else e for e in clip.facts.events)
    assert hit_things(replace(clip, facts=replace(clip.facts, events=events))) == {"yellow cube"}


def hit_things(clip: WorldClip) -> set[str]:
    return {str(s.other) for truth in truths_of(clip) for s in truth if s.fact == "hit"}


def collision(seed: int) -> WorldClip:
    return make_clip(seed, NATIVE_BUCKETS[0], "test")


def test_sides_are_exchanged() -> None:
    a, b = Noun("red", "cube"), Noun("blue", "cone")
    assert swapped(Statement("relation", a, b)) == Statement("relation", b, a)
    assert swapped(Statement("enter", a, value="left")) == Statement("enter", a, value="right")


def test_latents_are_made_once(tmp_path: Path) -> None:
    vae, some = VideoVAE(TINY.video_vae).eval(), held_out_clips("test", 2)
    first = latents_of(some, vae, tmp_path / "latents.safetensors")
    assert [tuple(one.shape) for one in first] == [
        (4, *(c.shape.latent.num_frames, c.shape.latent.height, c.shape.latent.width)) for c in some
    ]
    again = latents_of([], vae, tmp_path / "latents.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_the_command_prints_a_table_for_each_split(
    tmp_path: Path, tiny_model: Path, tiny_captioner: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--captioner", str(tiny_captioner), "--model", str(tiny_model), "--clips", "2", "-o", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "test: 1 clips" in printed
    assert "novel: 1 clips" in printed
    assert len(json.loads((tmp_path / "novel.json").read_text())["captions"]) == 1


def test_a_table_has_a_row_for_each_fact() -> None:
    rows = table([FactScore("colour", 3, 4, 1.0, (0.5, 1.0), 0.75, (0.4, 0.9))]).splitlines()
    assert rows[2] == "| colour | 3 | 4 | 1.00 | 0.50 to 1.00 | 0.75 | 0.40 to 0.90 |"
