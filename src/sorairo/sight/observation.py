"""What was seen in a clip: the things in each frame, with colour, shape and place; light, ground and camera.

Turns labels of cells into things; knows no prompt and no truth.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from sorairo.sight.scene_net import PAINTS
from sorairo.world import SHAPES

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int8]

LEAST_CELLS = 8  # of something that counts as seen
VOTE_SPREAD = 1.3  # standard deviation of the votes for a middle, in cells
VOTE_DISTANCE = 7  # side of the window, in cells, in which there is one middle
LEAST_VOTES = 0.3  # height of a smoothed peak that is a middle
STRAYS = 0.04  # of a thing's cells, on each side, that may be no part of it
LONGEST_WAY = 0.5  # screen units that something goes from frame to frame


@dataclass(frozen=True)
class Sighting:
    """One thing in one frame. x, y in [-1, 1], y up: middle of what shows; top, bottom, left, right: its bounds.

    area: share of the picture; tipped: probability that it lies rather than stands; number: its label in the frame.
    """

    frame: int
    number: int
    color: str
    shape: str
    x: float
    y: float
    left: float
    right: float
    bottom: float
    top: float
    area: float
    tipped: float


@dataclass(frozen=True, eq=False)
class Observation:
    """A whole clip. labels [t y x]: number of the thing in a cell, 0 for none."""

    sightings: tuple[Sighting, ...]
    labels: Labels
    light: str
    ground: str
    camera_move: str

    @property
    def num_frames(self) -> int:
        return len(self.labels)


def label_things(paint: Labels, offset: Floats, num_paints: int) -> Labels:
    """Numbers [y x] from 1, 0 for nothing. paint [y x]: num_paints for nothing; offset [2 y x] to the middle (y, x).

    Cells of one colour whose votes for a middle agree are one thing, also when something in front cuts it in two.
    """
    labels = np.zeros(paint.shape, np.int8)
    for color in range(num_paints):
        cells = np.argwhere(paint == color)
        if len(cells) >= LEAST_CELLS:
            _label_color(labels, cells, cells + offset[:, cells[:, 0], cells[:, 1]].T)
    return labels


def _label_color(labels: Labels, cells: npt.NDArray[np.int64], votes: npt.NDArray[np.floating[Any]]) -> None:
    """Give each cell the number of the middle nearest to its vote."""
    middles = _middles(votes, labels.shape)
    if not len(middles):
        return
    nearest = np.linalg.norm(votes[:, None] - middles, axis=-1).argmin(1)
    for index in range(len(middles)):
        own = cells[nearest == index]
        if len(own) >= LEAST_CELLS:
            labels[own[:, 0], own[:, 1]] = labels.max() + 1


def _middles(votes: npt.NDArray[np.floating[Any]], size: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """Peaks [n 2] of the votes' density."""
    density = np.zeros(size, np.float32)
    rows, columns = np.clip(np.round(votes), 0, np.array(size) - 1).astype(int).T
    np.add.at(density, (rows, columns), 1)
    smooth = F.conv2d(torch.from_numpy(density)[None, None], _VOTE_KERNEL, padding="same")
    peaks = (smooth == F.max_pool2d(smooth, VOTE_DISTANCE, 1, VOTE_DISTANCE // 2)) & (smooth > LEAST_VOTES)
    return np.argwhere(peaks[0, 0].numpy())


def near(mask: npt.NDArray[np.bool_], reach: int) -> npt.NDArray[np.bool_]:
    """The cells [y x] that are at most reach rows and columns from the mask."""
    grown = F.max_pool2d(torch.from_numpy(mask)[None].float(), 2 * reach + 1, 1, reach)
    return grown[0].numpy() > 0


def _bell(spread: float) -> torch.Tensor:
    """Gaussian kernel [1 1 k k] of sum 1."""
    reach = torch.arange(-int(3 * spread), int(3 * spread) + 1.0)
    row = torch.softmax(-0.5 * (reach / spread) ** 2, dim=0)
    return torch.outer(row, row)[None, None]


_VOTE_KERNEL = _bell(VOTE_SPREAD)


def sight_things(frame: int, labels: Labels, paint: Labels, shapes: Floats, tipped: Floats) -> list[Sighting]:
    """The things of one frame. labels, paint [y x]; shapes [n y x] and tipped [y x]: probabilities."""
    height, width = labels.shape
    sightings = []
    for number in range(1, int(labels.max()) + 1):
        rows, columns = np.nonzero(labels == number)
        x, y = 2 * (columns + 0.5) / width - 1, 1 - 2 * (rows + 0.5) / height
        (left, right), (bottom, top) = bounds(x, 2 / width), bounds(y, 2 / height)
        sightings.append(
            Sighting(
                frame=frame,
                number=number,
                color=PAINTS[int(paint[rows[0], columns[0]])],
                shape=SHAPES[int(shapes[:, rows, columns].sum(1).argmax())],
                x=float(x.mean()),
                y=float(y.mean()),
                left=left - 1 / width,
                right=right + 1 / width,
                bottom=bottom - 1 / height,
                top=top + 1 / height,
                area=len(rows) / labels.size,
                tipped=float(tipped[rows, columns].mean()),
            )
        )
    return sightings


def bounds(places: npt.NDArray[np.float64], cell: float) -> tuple[float, float]:
    """Least and largest of the places of cells, but for few that lie far from the others."""
    low, high = np.quantile(places, [STRAYS, 1 - STRAYS])
    near_by = places[(places >= low - 2 * cell) & (places <= high + 2 * cell)]
    return float(near_by.min()), float(near_by.max())


def without_flickers(sightings: Sequence[Sighting], num_frames: int) -> list[Sighting]:
    """Those that have another one of their colour nearby in two neighbouring frames: blurred edges flare up alone."""
    places = defaultdict[tuple[str, int], list[tuple[float, float]]](list)
    for s in sightings:
        places[s.color, s.frame].append((s.x, s.y))

    def followed(s: Sighting, offset: int) -> bool:
        return any(math.dist((s.x, s.y), at) < abs(offset) * LONGEST_WAY for at in places[s.color, s.frame + offset])

    def kept(s: Sighting) -> bool:
        one, two = ([followed(s, sign * offset) for sign in (-1, 1)] for offset in (1, 2))
        return all(one) or any(a and b for a, b in zip(one, two, strict=True))

    return [s for s in sightings if kept(s)] if num_frames > 2 else list(sightings)
