import numpy as np
import pytest
import torch

from sorairo.evals.detector_examples import offsets_to_middle
from sorairo.sight.observation import LEAST_CELLS, label_things, near, sight_things
from sorairo.sight.scene_net import PAINTS
from sorairo.world import SHAPES

NOTHING = len(PAINTS)


def drawn(*boxes: tuple[slice, slice], size: tuple[int, int] = (24, 40)) -> np.ndarray:
    """Indices of things [y x]; later boxes cover earlier ones."""
    things = np.full(size, -1, np.int8)
    for index, box in enumerate(boxes):
        things[box] = index
    return things


def labelled(things: np.ndarray, paints: list[int]) -> np.ndarray:
    paint = np.array([*paints, NOTHING], np.int8)[things]
    return label_things(paint, offsets_to_middle(torch.from_numpy(things)[None])[0].numpy(), NOTHING)


def test_things_that_touch_are_two() -> None:
    things = drawn(np.s_[8:16, 4:12], np.s_[8:16, 12:20])
    labels = labelled(things, [3, 3])
    assert len(np.unique(labels[things == 0])) == len(np.unique(labels[things == 1])) == 1
    assert labels.max() == 2


def test_a_thing_cut_in_two_is_one() -> None:
    things = drawn(np.s_[8:16, 4:20], np.s_[2:20, 10:13])
    labels = labelled(things, [0, 5])
    assert labels.max() == 2
    assert len(np.unique(labels[things == 0])) == 1


def test_specks_are_nothing() -> None:
    assert labelled(drawn(np.s_[3:5, 3:5]), [1]).max() == 0
    assert LEAST_CELLS > 4


@pytest.mark.parametrize("distance", [7, 9])
def test_slim_dominoes_are_counted(distance: int) -> None:
    boxes = [np.s_[6:20, 3 + k * distance : 6 + k * distance] for k in range(4)]
    assert labelled(drawn(*boxes), [2] * 4).max() == 4


def test_a_sighting_has_place_bounds_and_size() -> None:
    things = drawn(np.s_[0:12, 0:20])  # the upper left quarter
    shapes = np.zeros((len(SHAPES), *things.shape), np.float32)
    shapes[SHAPES.index("cone")] = 1
    labels = labelled(things, [4])
    paint = np.where(things == 0, 4, NOTHING).astype(np.int8)
    (seen,) = sight_things(7, labels, paint, shapes, np.full(things.shape, 0.25, np.float32))
    assert (seen.frame, seen.number, seen.color, seen.shape) == (7, 1, PAINTS[4], "cone")
    assert (seen.x, seen.y, seen.area, seen.tipped) == pytest.approx((-0.5, 0.5, 0.25, 0.25))
    assert (seen.left, seen.right, seen.bottom, seen.top) == pytest.approx((-1, 0, 0, 1))


def test_near_grows_by_whole_cells() -> None:
    mask = np.zeros((9, 9), bool)
    mask[4, 4] = True
    grown = near(mask, 2)
    assert grown.sum() == 25
    assert grown[2:7, 2:7].all()
