"""The rules, on drawn scenes whose answer is plain."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from sorairo.evals.detector_examples import offsets_to_middle
from sorairo.evals.judgement import JUDGES, judge
from sorairo.evals.statements import FACTS, Noun, Statement
from sorairo.evals.tracks import members, track
from sorairo.sight.observation import Observation, label_things, sight_things
from sorairo.sight.scene_net import PAINTS
from sorairo.world import SHAPES

SIZE = (48, 80)
LENGTH = 33
RED, BLUE = Noun("red", "sphere"), Noun("blue", "cube")

Place = tuple[float, float]
Path = Callable[[int], Place]


class Drawn:
    """A rectangle of a colour and a shape. path: its middle (column, row) in cells by frame; tipped by frame."""

    def __init__(
        self, noun: Noun, path: Path, half: tuple[int, int] = (4, 4), tipped: Callable[[int], float] = lambda t: 0.0
    ) -> None:
        self.noun, self.path, self.half, self.tipped = noun, path, half, tipped

    def mask(self, frame: int) -> np.ndarray:
        rows, columns = np.indices(SIZE)
        column, row = self.path(frame)
        return (abs(columns - column) < self.half[0]) & (abs(rows - row) < self.half[1])


def watched(things: Sequence[Drawn], camera: str = "still", light: str = "day", ground: str = "sand") -> Observation:
    labels, sightings = [], []
    for frame in range(LENGTH):
        thing, tipped = np.full(SIZE, -1, np.int8), np.zeros(SIZE, np.float32)
        for index, drawn in enumerate(things):
            thing[drawn.mask(frame)] = index
            tipped[drawn.mask(frame)] = drawn.tipped(frame)
        paints = [PAINTS.index(str(d.noun.color)) for d in things]
        names = [SHAPES.index(str(d.noun.shape)) for d in things]
        paint = np.array([*paints, len(PAINTS)], np.int8)[thing]
        shape = np.array([*names, len(SHAPES)])[thing]
        labels.append(label_things(paint, offsets_to_middle(torch.from_numpy(thing)[None])[0].numpy(), len(PAINTS)))
        shapes = np.stack([(shape == k).astype(np.float32) for k in range(len(SHAPES))])
        sightings += sight_things(frame, labels[-1], paint, shapes, tipped)
    return Observation(tuple(sightings), np.stack(labels), light, ground, camera)


def at(column: float, row: float = 24) -> Path:
    return lambda t: (column, row)


def moving(start: float, end: float, row: float = 24, begin: int = 0, finish: int = LENGTH - 1) -> Path:
    return lambda t: (float(np.interp(t, [begin, finish], [start, end])), row)


def test_every_fact_has_a_rule() -> None:
    assert set(JUDGES) == set(FACTS)
    with pytest.raises(KeyError):
        judge(Statement("bounce", RED), watched([]))


def test_colour_and_shape() -> None:
    seen = watched([Drawn(RED, at(20))])
    assert judge(Statement("colour", Noun("red")), seen)
    assert not judge(Statement("colour", Noun("blue")), seen)
    assert judge(Statement("shape", RED), seen)
    assert not judge(Statement("shape", Noun("red", "cone")), seen)
    assert judge(Statement("shape", Noun(None, "sphere")), seen)


def test_a_glimpse_is_not_enough() -> None:
    seen = watched([Drawn(RED, lambda t: (20, 24) if t < 2 else (-40, 24))])
    assert not judge(Statement("colour", Noun("red")), seen)


def test_count_takes_the_moment_when_all_are_apart() -> None:
    seen = watched([Drawn(BLUE, moving(10, 40)), Drawn(BLUE, at(42)), Drawn(BLUE, at(60))])
    assert [judge(Statement("count", BLUE, value=n), seen) for n in (2, 3, 4)] == [False, True, False]


def test_the_seam_of_two_colours_is_not_counted() -> None:
    cube, seam = Noun(shape=BLUE.shape), Noun("purple", BLUE.shape)
    seen = watched([Drawn(BLUE, at(20)), Drawn(BLUE, at(50)), Drawn(seam, at(35), half=(1, 4))])
    assert judge(Statement("count", cube, value=2), seen)


@pytest.mark.parametrize(("path", "way"), [(moving(60, 20), "left"), (moving(20, 60), "right")])
def test_direction(path: Path, way: str) -> None:
    seen = watched([Drawn(RED, path), Drawn(BLUE, at(40, 10))])
    assert [w for w in ("left", "right", "down") if judge(Statement("direction", RED, value=w), seen)] == [way]
    assert not any(judge(Statement("direction", BLUE, value=w), seen) for w in ("left", "right", "down"))


def test_falling_and_turning_back() -> None:
    falls = watched([Drawn(RED, lambda t: (40, 8 + t))])
    assert judge(Statement("direction", RED, value="down"), falls)
    returns = watched([Drawn(RED, lambda t: (10 + 3 * min(t, 16) - 4 * max(0, t - 16), 24))])
    assert judge(Statement("direction", RED, value="right"), returns)
    assert not judge(Statement("direction", RED, value="left"), returns)


def test_a_pan_moves_nothing() -> None:
    """What stands still in the world goes left when the camera pans right; a still camera would have shown a motion."""
    panned = [Drawn(BLUE, lambda t: (50 - 23 * (t / 32) ** 2 * (3 - 2 * t / 32), 24))]
    assert judge(Statement("direction", BLUE, value="left"), watched(panned))
    steady = track(BLUE, watched(panned, camera="pan right"))
    assert np.ptp(steady.x) < 0.2
    assert not judge(Statement("direction", BLUE, value="left"), watched(panned, camera="pan right"))


def test_a_zoom_moves_nothing() -> None:
    def zoomed(t: int) -> Place:
        eased = (t / 32) ** 2 * (3 - 2 * t / 32)
        return 39.5 + 16 / (1.22 - 0.5 * eased), 24

    steady = track(BLUE, watched([Drawn(BLUE, zoomed)], camera="zoom in"))
    assert np.ptp(steady.x) < 0.12


def test_relation() -> None:
    seen = watched([Drawn(RED, at(20)), Drawn(BLUE, at(50))])
    assert judge(Statement("relation", RED, BLUE), seen)
    assert not judge(Statement("relation", BLUE, RED), seen)
    assert not judge(Statement("relation", RED, Noun("green", "cone")), seen)


def test_a_hit_needs_a_touch_and_a_jolt() -> None:
    hit = Statement("hit", RED, BLUE)
    struck = moving(45, 70, begin=16)
    assert judge(hit, watched([Drawn(RED, moving(10, 37, finish=16)), Drawn(BLUE, struck)]))
    bounced = watched([Drawn(RED, lambda t: (37 - 1.6 * abs(t - 16), 24)), Drawn(BLUE, at(45))])
    assert judge(hit, bounced)
    passes = watched([Drawn(BLUE, at(45, 20)), Drawn(RED, moving(5, 75))])
    assert not judge(hit, passes)
    short = watched([Drawn(RED, lambda t: (25 - 1.2 * abs(t - 16), 24)), Drawn(BLUE, at(45))])
    assert not judge(hit, short)


def test_topple() -> None:
    block = Noun("green", "block")
    stands = Drawn(block, lambda t: (40, 24 if t < 16 else -40), half=(3, 8))
    lies = Drawn(block, lambda t: (46, 29 if t > 15 else -40), half=(8, 3), tipped=lambda t: 1.0)
    assert judge(Statement("topple", block), watched([stands, lies]))
    as_high = Drawn(block, at(40), half=(3, 8), tipped=lambda t: float(t > 15))  # its shape was told wrong
    assert not judge(Statement("topple", block), watched([as_high]))
    assert not judge(Statement("topple", block), watched([Drawn(block, at(40), half=(3, 8))]))
    assert not judge(Statement("topple", block), watched([Drawn(block, at(40), tipped=lambda t: 1.0)]))


def test_what_comes_down_need_not_be_seen_to_lie() -> None:
    block = Noun("green", "block")

    def falls(until: int) -> list[Drawn]:
        """Tall, then low for a while; what covered it may be gone then."""
        tall = Drawn(block, lambda t: (40, 24 if not 9 < t < until else -40), half=(3, 8))
        return [tall, Drawn(block, lambda t: (40, 29 if 9 < t < until else -40), half=(3, 3), tipped=lambda t: 0.3)]

    assert judge(Statement("topple", block), watched(falls(LENGTH)))
    assert not judge(Statement("topple", block), watched(falls(20))), "it stands again"


def test_a_stack_that_leaves_but_for_one_came_down() -> None:
    """Most frames show one cube, lower than the three were."""
    flies = [Drawn(BLUE, lambda t, k=k: (40 + 20 * max(0, t - 4), 40 - 9 * k)) for k in (1, 2)]  # type: ignore[misc]
    assert judge(Statement("topple", BLUE), watched([Drawn(BLUE, at(40, 40)), *flies]))


def test_a_row_is_hit_at_its_end() -> None:
    """The others stand still: of the row as a whole nothing moves at once."""
    domino = Noun("pink", "domino")
    row = [Drawn(domino, at(50 + 8 * k, 24), half=(2, 6)) for k in range(1, 4)]
    first = Drawn(domino, moving(50, 53, begin=16, finish=18), half=(2, 6))
    ball = Drawn(RED, lambda t: (10 + 2.3 * min(t, 16), 26), half=(3, 4))
    assert judge(Statement("hit", RED, domino), watched([first, *row, ball]))
    assert len(members(domino, watched([first, *row, ball]))) == 4
    assert not judge(Statement("hit", RED, domino), watched([first, *row, Drawn(RED, at(20, 26))]))


def test_staying() -> None:
    """What goes over the edge or behind something stays; what is gone at once does not, at the edge or elsewhere."""
    stays = Statement("stays", BLUE)

    def gone(column: float, half: tuple[int, int] = (4, 4)) -> Drawn:
        return Drawn(BLUE, lambda t: (column, 24 if t < 16 else -40), half=half)

    assert judge(stays, watched([Drawn(BLUE, moving(40, 95))]))
    assert not judge(stays, watched([gone(40)]))
    assert not judge(stays, watched([gone(62, half=(20, 4))])), "it reached the edge, but did not move"
    passing = Drawn(RED, lambda t: (40 + 8 * (t - 14), 22), half=(9, 12))
    behind_it = Drawn(BLUE, lambda t: (40, 24 if not 12 < t < 16 else -40))
    assert judge(stays, watched([behind_it, passing]))
    assert not judge(stays, watched([gone(40), Drawn(RED, lambda t: (40, 24 if t > 15 else -40), half=(9, 12))]))


def test_a_stack_comes_down() -> None:
    def stack(drop: float) -> list[Drawn]:
        return [
            Drawn(BLUE, lambda t, k=k: (40 + k * drop * (t > 16), 40 - 9 * k * (1 - drop * (t > 16) / 10)))  # type: ignore[misc]
            for k in range(3)
        ]

    assert judge(Statement("topple", BLUE), watched(stack(10)))
    assert not judge(Statement("topple", BLUE), watched(stack(0)))


def test_a_camera_that_zooms_out_topples_nothing() -> None:
    def zoomed(t: int) -> Place:
        eased = (t / 32) ** 2 * (3 - 2 * t / 32)
        return 39.5, 24 - 12 / (0.72 + 0.5 * eased)

    cube = [Drawn(BLUE, zoomed)]
    assert judge(Statement("topple", BLUE), watched(cube))
    assert not judge(Statement("topple", BLUE), watched(cube, camera="zoom out"))


def test_the_upper_part_of_a_stack_is_hit_where_the_stack_stands() -> None:
    def stack(y: float) -> list[Drawn]:
        return [Drawn(BLUE, lambda t, k=k: (45 + (t > 16) * (t - 16), y - 9 * k)) for k in range(3)]  # type: ignore[misc]

    ball = Drawn(RED, moving(10, 37, finish=16), half=(4, 12))
    assert judge(Statement("hit", RED, BLUE), watched([ball, *stack(32)]))
    assert not judge(Statement("hit", RED, BLUE), watched([ball, *stack(18)]))  # far behind


def test_coming_and_going() -> None:
    seen = watched([Drawn(RED, moving(-8, 88)), Drawn(BLUE, at(40, 10))])
    assert judge(Statement("enter", RED, value="left"), seen)
    assert not judge(Statement("enter", RED, value="right"), seen)
    assert judge(Statement("leave", RED, value="right"), seen)
    assert judge(Statement("leave", RED), seen)
    assert not judge(Statement("enter", BLUE), seen)
    assert not judge(Statement("leave", BLUE), seen)


def test_what_hides_has_not_left() -> None:
    hides = watched([Drawn(RED, lambda t: (10 + 2 * min(t, 15), 24 if t < 15 else -40))])
    assert not judge(Statement("leave", RED), hides)


def test_scene() -> None:
    seen = watched([], camera="rise", light="night", ground="snow")
    assert judge(Statement("light", value="night"), seen)
    assert judge(Statement("ground", value="snow"), seen)
    assert judge(Statement("camera", value="rise"), seen)
    assert not judge(Statement("camera", value="still"), seen)


def test_a_movement_is_judged_when_the_shape_is_wrong() -> None:
    seen = watched([Drawn(Noun("red", "cone"), moving(10, 60))])
    assert judge(Statement("direction", RED, value="right"), seen)
    assert not judge(Statement("shape", RED), seen)


CONE = Noun("green", "cone")


def test_size_is_read_in_metres() -> None:
    cells = {"small": 6, "medium": 8, "large": 11}
    for size, half in cells.items():
        seen = watched([Drawn(RED, at(40, 36 - half), half=(half, half))])
        right = [name for name in cells if judge(Statement("size", RED, value=name), seen)]
        assert right == [size], size
    assert not judge(Statement("size", Noun("red", "wall"), value="small"), watched([Drawn(RED, at(40))]))


def test_above_before_it_falls() -> None:
    seen = watched([Drawn(RED, lambda t: (40, min(8 + 2 * t, 22))), Drawn(BLUE, at(42, 30))])
    assert judge(Statement("above", RED, BLUE), seen)
    assert not judge(Statement("above", BLUE, RED), seen)
    assert not judge(Statement("above", RED, BLUE), watched([Drawn(RED, at(10, 8)), Drawn(BLUE, at(60, 30))]))


def behind(come_out: bool) -> Observation:
    """A ball rolls behind a cube that is wider than it."""
    wall = Drawn(BLUE, at(40, 22), half=(10, 12))
    ball = Drawn(RED, moving(10, 70) if come_out else moving(10, 40))
    return watched([ball, wall])


def test_hiding_and_coming_out() -> None:
    hide, back = Statement("hide", RED, BLUE), Statement("reappear", RED, BLUE)
    assert judge(hide, behind(True))
    assert judge(back, behind(True))
    assert judge(hide, behind(False))
    assert not judge(back, behind(False))
    past = watched([Drawn(BLUE, at(40, 10)), Drawn(RED, moving(10, 70, row=30))])
    assert not judge(hide, past)


def test_order_of_events() -> None:
    seen = watched([Drawn(RED, lambda t: (-6 + 3.2 * min(t, 14), 24)), Drawn(BLUE, moving(46, 70, begin=14))])
    assert judge(Statement("order", RED, BLUE, "enter then hit"), seen)
    assert not judge(Statement("order", RED, BLUE, "hit then enter"), seen)
    assert not judge(Statement("order", RED, BLUE, "hit then leave"), seen)


def test_nothing_moves_before_it_is_touched() -> None:
    ball = Drawn(RED, moving(10, 37, finish=16))
    rests = Statement("rests", BLUE, RED)
    assert judge(rests, watched([ball, Drawn(BLUE, moving(45, 70, begin=16))]))
    assert not judge(rests, watched([ball, Drawn(BLUE, moving(25, 70, begin=2))]))
    assert not judge(rests, watched([ball, Drawn(BLUE, at(70))]))


def test_what_is_one_stays_one() -> None:
    assert judge(Statement("single", RED), watched([Drawn(RED, moving(10, 60))]))
    split = watched([Drawn(RED, at(20)), Drawn(RED, lambda t: (20 + 2 * max(0, t - 10), 24))])
    assert not judge(Statement("single", RED), split)
    assert not judge(Statement("single", CONE), split)


def test_nothing_vanishes_in_the_open() -> None:
    stays = Statement("stays", RED)
    assert judge(stays, watched([Drawn(RED, at(20))]))
    assert judge(stays, watched([Drawn(RED, moving(-8, 88))]))
    assert judge(stays, behind(True))
    gone = watched([Drawn(RED, lambda t: (40, 24) if t < 12 else (40, -40))])
    assert not judge(stays, gone)
    appears = watched([Drawn(RED, lambda t: (40, 24) if t > 20 else (40, -40))])
    assert not judge(stays, appears)
    blinks = watched([Drawn(RED, lambda t: (40, 24) if t not in (12, 13) else (40, -40))])
    assert judge(stays, blinks)
