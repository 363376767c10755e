import numpy as np
import pytest

from sorairo.evals.statements import FACTS, Noun, Statement, statements
from sorairo.world import CLAIM_KINDS, Claim, WorldClip, caption

BALL, ROW = Noun("red", "sphere"), Noun("yellow", "domino")


def test_a_row_is_said_once() -> None:
    claims = [
        Claim("object", subject=0, color="red", shape="sphere", size="small"),
        *(Claim("object", subject=k, color="yellow", shape="domino") for k in (1, 2, 3)),
        Claim("motion", subject=0, side="left"),
        Claim("event", name="hit", subject=0, other=1),
        *(Claim("event", name="topple", subject=k) for k in (1, 2, 3)),
        Claim("count", color="yellow", shape="domino", number=3),
        Claim("light", name="night"),
    ]
    assert statements(claims) == (
        Statement("colour", Noun("red")),
        Statement("shape", BALL),
        Statement("size", BALL, value="small"),
        Statement("colour", Noun("yellow")),
        Statement("shape", ROW),
        Statement("direction", BALL, value="left"),
        Statement("hit", BALL, ROW),
        Statement("topple", ROW),
        Statement("count", ROW, value=3),
        Statement("light", value="night"),
        Statement("rests", ROW, BALL),
        Statement("single", BALL),
        Statement("stays", BALL),
    )


def test_what_follows_from_what_is_told() -> None:
    cube = Noun("blue", "cube")
    claims = [
        Claim("object", subject=0, color="red", shape="sphere"),
        Claim("motion", subject=0, side="down"),
        Claim("object", subject=1, color="blue", shape="cube"),
        Claim("event", name="hit", subject=0, other=1),
        Claim("event", name="leave", subject=0, side="left"),
    ]
    made = statements(claims)
    assert Statement("above", BALL, cube) in made
    assert Statement("order", BALL, cube, "fall then hit") in made
    assert Statement("order", BALL, cube, "hit then leave") in made
    assert not [s for s in made if s.fact == "rests"]  # nothing says that the cube was moved
    assert str(Statement("order", BALL, cube, "hit then leave")) == "red sphere order hit then leave blue cube"


def test_a_mixed_group_has_a_shape_and_no_colour() -> None:
    made = statements([Claim("object", subject=k, shape="cube") for k in range(3)])
    assert made == (Statement("shape", Noun(None, "cube")),)


def test_a_motion_without_a_side_says_nothing() -> None:
    claims = [Claim("object", subject=0, color="red", shape="sphere"), Claim("motion", subject=0, manner="roll")]
    assert {s.fact for s in statements(claims)} == {"colour", "shape", "single", "stays"}


def test_words() -> None:
    assert str(Statement("hit", BALL, ROW)) == "red sphere hit yellow domino"
    assert str(Statement("light", value="night")) == "light night"
    assert str(Statement("count", ROW, value=3)) == "yellow domino count 3"


@pytest.mark.parametrize("style", ["fragment", "short", "medium", "dense"])
def test_every_claim_of_a_real_caption_finds_its_noun(knock_over: WorldClip, style: str) -> None:
    for seed in range(20):
        said = caption(knock_over, style, np.random.default_rng(seed))  # type: ignore[arg-type]
        for statement in statements(said.claims):
            about_things = statement.fact not in ("ground", "light", "camera")
            assert (statement.noun != Noun()) == about_things
            if statement.fact in ("hit", "relation"):
                assert statement.other not in (None, Noun())


def test_facts_cover_every_kind_of_claim() -> None:
    named = {"object": "shape", "motion": "direction", "event": "hit"}
    assert {named.get(kind, kind) for kind in CLAIM_KINDS} <= set(FACTS)
