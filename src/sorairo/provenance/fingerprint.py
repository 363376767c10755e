"""A clip's fingerprint: small grey pictures of its moments, by which a copy is known that carries nothing any more.

A copy may be re-encoded, scaled, brighter, cut to a part of its time, and cropped to 80 % of each side. Never tells
who made a clip: likeness is evidence, and the number that comes with it says how much.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sorairo.media import Footage, Frames

SIDE = 16
PER_SECOND = 2
ALIKE = 0.9
"""From this likeness on it is the same clip: docs/provenance.md has the figures."""

_LOOKED_AT = 12  # samples a side of a copy's frame
_QUERIES, _CANDIDATES = 5, 10
_QUICK_WINDOWS = ((0.0, 1.0), (0.05, 0.95), (0.0, 0.9), (0.1, 1.0))
_WINDOWS = (
    (0.0, 1.0),
    *((start, start + share) for share in (0.95, 0.9, 0.85, 0.8) for start in (0.0, (1 - share) / 2, 1 - share)),
)

Thumbnails = NDArray[np.uint8]
Window = tuple[float, float]


def moments(num_frames: int, fps: float) -> list[int]:
    """The numbers of the frames of a clip that are kept, two for each second; of a picture the one."""
    step = fps / PER_SECOND if fps else 1.0
    return sorted({min(round(number * step), num_frames - 1) for number in range(int((num_frames - 1) / step) + 1)})


def fingerprint(path: str | Path) -> Thumbnails:
    """The fingerprint [n 16 16] of a file. Raises as `media.read_any` does."""
    footage = Footage(path)
    return thumbnails([footage[number] for number in moments(len(footage), footage.fps)])


def thumbnails(frames: Sequence[Frames]) -> Thumbnails:
    """Small grey pictures [n 16 16] of frames [h w 3]."""
    size = SIDE, SIDE
    pictures = (Image.fromarray(np.ascontiguousarray(frame)).convert("L") for frame in frames)
    return np.stack([np.asarray(picture.resize(size, Image.Resampling.BOX)) for picture in pictures])


def most_alike(copy: Frames | Sequence[Frames], known: Sequence[Thumbnails]) -> list[tuple[int, float]]:
    """The numbers of the known fingerprints that are most like frames [t h w 3], and how much: 1 is the same.

    First all, smaller, by a product of matrices with the few commonest crops; then the best of them with all crops.
    """
    if not known:
        return []
    chosen = np.linspace(0, len(copy) - 1, min(len(copy), _QUERIES)).round().astype(int)
    queries = np.stack([_small(copy[number]) for number in chosen])
    owner = np.repeat(np.arange(len(known)), [len(each) for each in known])
    quick = _quick_scores(queries, _halved(np.concatenate(known)), owner, len(known))
    best = np.argsort(-quick)[:_CANDIDATES]
    found = [(int(number), _likeness(queries, known[number])) for number in best]
    return sorted(found, key=lambda pair: -pair[1])


def _small(frame: Frames) -> NDArray[np.float32]:
    grey = Image.fromarray(np.ascontiguousarray(frame)).convert("L").convert("F")
    return _normal(np.asarray(grey.resize((_LOOKED_AT, _LOOKED_AT), Image.Resampling.BOX)))


def _normal(pictures: NDArray[Any]) -> NDArray[np.float32]:
    """Pictures [... h w] without their mean, at length 1: brightness and contrast do not matter."""
    centred = pictures - pictures.mean((-2, -1), keepdims=True)
    normal: NDArray[np.float32] = centred / (np.sqrt((centred**2).sum((-2, -1), keepdims=True)) + 1e-3)
    return normal


def _halved(pictures: Thumbnails) -> NDArray[np.float32]:
    """Thumbnails [n 16 16] as rows [n 64], without their mean."""
    half = SIDE // 2
    quarters = pictures.reshape(-1, half, 2, half, 2).astype(np.float32)
    rows = quarters.sum((2, 4)).reshape(-1, half**2)
    centred: NDArray[np.float32] = rows - rows.mean(1, keepdims=True)
    return centred


def _quick_scores(
    queries: NDArray[np.float32], every: NDArray[np.float32], owner: NDArray[np.int64], number: int
) -> NDArray[np.float32]:
    """For each known clip the mean over the queries of its best frame. A crop is applied to the query, backwards: the
    product of a query with a cropped thumbnail is that of the query spread out with the whole one."""
    lengths = np.linalg.norm(every, axis=1) + 1e-3
    first = np.searchsorted(owner, np.arange(number))
    best = np.zeros(number, np.float32)
    for down, across in product(_QUICK_WINDOWS, repeat=2):
        spread = _resampling(down, SIDE // 2).T @ queries @ _resampling(across, SIDE // 2)
        scores = spread.reshape(len(queries), -1) @ every.T / lengths
        best = np.maximum(best, np.maximum.reduceat(scores, first, axis=1).mean(0))
    return best


def _likeness(queries: NDArray[np.float32], known: Thumbnails) -> float:
    """The best mean over the queries, each with its best frame, of all crops."""
    pictures = known.astype(np.float32)
    scores = []
    for down, across in product(_WINDOWS, repeat=2):
        seen = _normal(_resampling(down, SIDE) @ pictures @ _resampling(across, SIDE).T)
        scores.append(np.einsum("qhw,khw->qk", queries, seen).max(1).mean())
    return float(max(scores))


@cache
def _resampling(window: Window, side: int) -> NDArray[np.float32]:
    """The matrix [12 side] that takes a side of a thumbnail to that of its window: shares of overlap."""
    edges = np.linspace(window[0], window[1], _LOOKED_AT + 1) * side
    cells = np.arange(side)
    overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
    shares = np.maximum(overlap, 0)
    matrix: NDArray[np.float32] = (shares / shares.sum(1, keepdims=True)).astype(np.float32)
    return matrix
