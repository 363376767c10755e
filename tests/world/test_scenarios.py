"""What each story sets up, and what then comes of it where a viewer can see it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from sorairo.shapes import NATIVE_BUCKETS
from sorairo.world import COLORS, HELD_OUT_PAIRS, SCENARIOS, WorldClip
from sorairo.world.camera import half_extent
from sorairo.world.objects import PROP_COLORS, rolling_radius
from sorairo.world.scenarios import Draw, Objects, rolling, with_held_out_pair

ROLES = {"actor", "target", "member", "bystander", "prop", "stopper"}


def draw(seed: int, bucket: int = 0) -> Draw:
    shape = NATIVE_BUCKETS[bucket]
    return Draw(np.random.default_rng(seed), 4.0, *half_extent(shape.width, shape.height))


def scenes(name: str, count: int = 40) -> list[Objects]:
    return [SCENARIOS[name][0](draw(seed, seed % 3)) for seed in range(count)]


@pytest.mark.parametrize("name", SCENARIOS)
def test_objects_are_what_the_catalogue_has(name: str) -> None:
    for objects in scenes(name):
        assert 1 <= len(objects) <= 10
        for thing in objects:
            assert thing.role in ROLES
            assert thing.color in COLORS or (thing.color in PROP_COLORS and thing.static)
            assert (thing.color, thing.shape) not in HELD_OUT_PAIRS
            assert np.linalg.norm(thing.quaternion) == pytest.approx(1)


@pytest.mark.parametrize("name", SCENARIOS)
def test_objects_do_not_start_inside_each_other(name: str) -> None:
    """Bounding spheres overlap at most for what is meant to stand close: rows, stacks, walls and ramps."""
    for objects in scenes(name):
        loose = [o for o in objects if o.group in (None, "alike") and not o.static]
        for i, a in enumerate(loose):
            for b in loose[:i]:
                gap = np.linalg.norm(np.subtract(a.position, b.position))
                assert gap > 0.75 * (a.dimensions[0] + b.dimensions[0])


@pytest.mark.parametrize("name", SCENARIOS)
def test_single_objects_can_be_told_by_their_colours(name: str) -> None:
    for objects in scenes(name):
        single = Counter((o.color, o.shape) for o in objects if o.group is None and o.color in COLORS)
        assert not single or max(single.values()) == 1


@pytest.mark.parametrize("name", SCENARIOS)
def test_there_are_few_bystanders(name: str) -> None:
    counts = [sum(o.role == "bystander" for o in objects) for objects in scenes(name)]
    assert max(counts) <= 3


@pytest.mark.parametrize("name", sorted(set(SCENARIOS) - {"still"}))
def test_there_is_one_actor_and_it_is_under_way(name: str) -> None:
    for objects in scenes(name):
        (actor,) = (o for o in objects if o.role == "actor")
        falls = actor.position[2] > actor.rest_height + 0.3
        assert falls or np.linalg.norm(actor.velocity) > 0.15


def test_rollers_roll_without_slipping() -> None:
    for objects in (*scenes("cross"), *scenes("hit")):
        actor = next(o for o in objects if o.role == "actor")
        radius = rolling_radius(actor.shape, actor.dimensions)
        assert actor.spin[1] * radius == pytest.approx(actor.velocity[0])
        assert rolling(actor, 0.0).spin == (0.0, 0.0, 0.0)


def test_rows_and_stacks_have_three_members_or_more() -> None:
    for objects in scenes("domino"):
        row = [o for o in objects if o.group == "dominoes"]
        assert 3 <= len(row) <= 6
        assert len({o.position[1] for o in row}) == 1
    for objects in scenes("tower"):
        heights = [o.position[2] for o in objects if o.group == "stack"]
        assert len(heights) in (3, 4)
        assert np.diff(heights) == pytest.approx(2 * heights[0])


def test_crossing_starts_outside_the_picture() -> None:
    for seed in range(30):
        stage = draw(seed, seed % 3)
        actor = SCENARIOS["cross"][0](stage)[0]
        assert abs(actor.position[0]) > stage.half_width
        assert np.sign(actor.velocity[0]) == -np.sign(actor.position[0])


def test_repainting_gives_a_main_object_a_held_out_pair() -> None:
    for name in SCENARIOS:
        for seed in range(15):
            stage = draw(seed)
            objects = with_held_out_pair(stage, SCENARIOS[name][0](stage))
            pairs = [(o.color, o.shape) in HELD_OUT_PAIRS for o in objects]
            assert any(pairs)
            held = {(o.color, o.shape) for o, is_held in zip(objects, pairs, strict=True) if is_held}
            assert len(held) == 1


def test_weights_are_positive_and_all_scenarios_have_functions() -> None:
    assert all(weight > 0 and callable(function) for function, weight in SCENARIOS.values())


def actor_of(clip: WorldClip) -> int:
    return next(i for i, thing in enumerate(clip.objects) if thing.role == "actor")


def kinds_of(clip: WorldClip, subject: int) -> set[str]:
    return {event.kind for event in clip.facts.events if event.subject == subject}


@pytest.mark.parametrize(
    ("scenario", "kinds"),
    [
        ("hit", {"hit"}),
        ("domino", {"hit"}),
        ("tower", {"hit"}),
        ("occlude", {"hide"}),
        ("cross", {"enter", "leave"}),
        ("ramp", {"descend"}),
    ],
)
def test_what_was_meant_to_happen_is_seen(
    scenario: str, kinds: set[str], by_scenario: dict[str, list[WorldClip]]
) -> None:
    for clip in by_scenario[scenario]:
        assert kinds <= kinds_of(clip, actor_of(clip))
        assert clip.facts.direction[actor_of(clip)] in ("left", "right")


def test_all_dominoes_fall(by_scenario: dict[str, list[WorldClip]]) -> None:
    for clip in by_scenario["domino"]:
        fallen = {event.subject for event in clip.facts.events if event.kind == "topple"}
        assert fallen >= {i for i, thing in enumerate(clip.objects) if thing.shape == "domino"}


def test_a_still_life_is_still(by_scenario: dict[str, list[WorldClip]]) -> None:
    for clip in by_scenario["still"]:
        assert np.abs(clip.poses[-1, :, :3] - clip.poses[0, :, :3]).max() < 0.02
        assert not clip.facts.events


def test_main_objects_are_big_enough_to_be_learned(clips: tuple[WorldClip, ...]) -> None:
    """Median size of an actor at its largest: 20 to 45 pixels across at 128 x 128."""
    areas = [clip.facts.area[:, actor_of(clip)].max() for clip in clips if clip.scenario != "still"]
    assert 20 < np.sqrt(np.median(areas)) * 128 < 45


def test_what_hides_behind_a_wall_is_never_held_by_something_in_view(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips:
        for index, thing in enumerate(clip.objects):
            assert thing.role != "stopper" or not clip.facts.area[:, index].any()
