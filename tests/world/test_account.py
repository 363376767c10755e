"""The strict notation: whatever is true of a clip can be written and read again, and it agrees with the captions."""

from __future__ import annotations

import numpy as np
import pytest

from sorairo.world import Claim, WorldClip, caption
from sorairo.world.account import account, read_account, write_account
from sorairo.world.facts import OTHER_SIDE
from sorairo.world.grammar import expansion, there_is

TEXT = (
    "objects: large red metal sphere; 4 yellow domino; blue cube. events: red sphere roll right; "
    "red sphere hit yellow domino; yellow domino topple; red sphere stay hidden blue cube; red sphere leave right. "
    "places: blue cube left of yellow domino. ground: wood. light: day. camera: pan left."
)


def test_every_account_reads_back(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips:
        told = account(clip)
        assert set(read_account(write_account(told))) == set(told)


def test_a_text_becomes_claims() -> None:
    claims = read_account(TEXT)
    assert Claim("object", 0, color="red", shape="sphere", size="large", material="metal") in claims
    assert Claim("count", number=4, color="yellow", shape="domino") in claims
    assert Claim("motion", 0, side="right", manner="roll") in claims
    assert Claim("event", 0, 1, name="hit") in claims
    assert Claim("event", 1, name="topple") in claims
    assert Claim("event", 0, 2, name="stay hidden") in claims
    assert Claim("event", 0, name="leave", side="right") in claims
    assert Claim("relation", 2, 1) in claims
    assert claims[-3:] == (Claim("ground", name="wood"), Claim("light", name="day"), Claim("camera", name="pan left"))


@pytest.mark.parametrize(
    "text",
    ["", "a red ball rolls", "objects: . events: .", "objects: red; sphere. events: red sphere hit; red sphere.",
     "objects: red cube. events: green cube roll left; red cube dance; red cube left of blue ball.", "events: left."],
)  # fmt: skip
def test_what_is_not_in_the_notation_is_left_out(text: str) -> None:
    assert {claim.kind for claim in read_account(text)} <= {"object"}


def test_a_thing_is_told_of_once() -> None:
    claims = read_account("objects: red cube; small red cube. events: red cube slide left; red cube slide left.")
    assert [claim.kind for claim in claims] == ["object", "motion"]


def test_it_says_what_captions_say(clips: tuple[WorldClip, ...]) -> None:
    """A dense caption claims no event, side or place that the account does not have, by the looks of things."""

    def by_looks(claims: tuple[Claim, ...], clip_looks: dict[int | None, str]) -> set[tuple[object, ...]]:
        kinds = ("event", "motion", "ground", "light", "camera")
        return {
            (c.kind, clip_looks.get(c.subject), clip_looks.get(c.other), c.name, c.side)
            for c in claims
            if c.kind in kinds
        }

    for clip in clips:
        whole = account(clip)
        looks = {c.subject: f"{c.color} {c.shape}" for c in whole if c.kind == "object"}
        said = caption(clip, "dense", np.random.default_rng(clip.seed)).claims
        names = dict(enumerate(f"{thing.color} {thing.shape}" for thing in clip.objects))
        told, true = by_looks(said, dict(names)), by_looks(whole, dict(looks))
        missing = {claim for claim in told - true if claim[4] is not None or claim[0] in ("ground", "light", "camera")}
        assert not missing


def test_a_mirrored_clip_has_the_mirrored_account(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips[:30]:
        sides = [[c.side for c in account(one) if c.side in OTHER_SIDE] for one in (clip, clip.mirrored())]
        assert sorted(OTHER_SIDE[str(side)] for side in sides[0]) == sorted(map(str, sides[1]))


def test_an_expansion_keeps_the_prompts_words_and_says_what_is_true(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips:
        prompt, told = expansion(clip, np.random.default_rng(clip.seed))
        things = {f"{c.color}" for c in prompt.claims if c.kind == "object" and c.color in prompt.text.split()}
        assert all(color in told for color in things)
        assert told[0].isupper()
        assert told.endswith(".")
        assert told.count(". ") >= 2  # what happens, where and when, and the camera


def test_listings_become_sentences() -> None:
    assert there_is("red ball") == "there is a red ball"
    assert there_is("orange box and blue cubes") == "there are an orange box and blue cubes"
    assert there_is("two red tori, torus and some balls") == "there are two red tori, a torus and some balls"
