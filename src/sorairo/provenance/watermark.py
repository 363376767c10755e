"""The invisible watermark: an identity in the pixels of every frame, which outlives the file that they came in.

Spread spectrum (Cox et al., IEEE Trans. Image Processing 6, 1997) over a grid of cells that is stretched over the
picture, so that scaling does not matter, with informed embedding (Miller et al., ibid. 13, 2004): a cell is pushed only
as far as it is needed, farther where there is detail to hide it. Never a proof: whoever has this program can write one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sorairo.media import Frames

BITS = 36
FALSE_POSITIVES = 1e-6
"""In how many files without a watermark one may be found: proved in `least_score`, for any file."""

_SYMBOLS, _SYMBOL_BITS = 3, 12
_FINER = 3  # samples for each side of a cell
_BLUR = 9  # samples; what is wider is the picture's own
_SMALLEST_SHARE = 0.8  # of a side that a copy must still have
_ROUNDS = 3
_MOST_FRAMES, _LEAST_FRAMES_OF_A_PART, _PARTS = 48, 3, 4
_FRAME_SCORE = 5.5  # one frame, one place: false in 3 of 10 million
_SYMBOL_SCORE = 4.5  # of each symbol by itself: three that are sure must not carry one that is not

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """``cells`` a side, pushed by ``flat`` grey levels and more where there is detail, in pictures of enough pixels."""

    cells: int
    flat: float
    least_pixels: int
    busy: float = 0.45
    most: float = 3.5

    @property
    def side(self) -> int:
        return self.cells * _FINER

    @property
    def shares(self) -> Numbers:
        """What a copy may have kept of a side, in steps of a cell."""
        return np.arange(1.0, _SMALLEST_SHARE - 1e-9, -1 / self.cells)

    @property
    def num_places(self) -> int:
        """How many ways of having been cropped are tried."""
        return int(sum(self.side - round(self.side * share) + 1 for share in self.shares)) ** 2


COARSE = Grid(cells=40, flat=1.3, least_pixels=0, busy=0.5)
FINE = Grid(cells=80, flat=1.0, least_pixels=320 * 192)
GRIDS = (FINE, COARSE)


@dataclass(frozen=True)
class Reading:
    """An ``identity`` of 36 bits that was read, and its ``score``: never below `least_score`."""

    identity: int
    score: float


@dataclass(frozen=True)
class _Place:
    """Where in the whole picture a copy lies, in samples of the grid."""

    top: int
    left: int
    height: int
    width: int


def identity_of(text: str) -> int:
    """36 bits of the SHA-256 of a text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> (64 - BITS)


def least_score() -> float:
    """The score from which a reading counts. For any file, over the draw of the ±1 chips: one fixed code word scores
    above z with a probability of at most exp(-z²/2) (Hoeffding, 1963); times all words, places and parts."""
    tries = 2.0**BITS * (1 + _PARTS) * sum(grid.num_places for grid in GRIDS)
    return math.sqrt(2 * math.log(tries / FALSE_POSITIVES))


class Watermark:
    """Writes one identity into frames of one size."""

    def __init__(self, identity: int, width: int, height: int) -> None:
        assert 0 <= identity < 2**BITS, identity
        self.grid = next(grid for grid in GRIDS if width * height >= grid.least_pixels)
        self.size = width, height
        self._chips = _chips(self.grid, identity)

    def mark(self, frame: Frames) -> Frames:
        """The frame [h w 3] with the watermark in its brightness; colours stay."""
        pushes = np.rint(_resized(self._pushes(frame), *self.size, Image.Resampling.BICUBIC)).astype(np.int16)
        marked: Frames = np.clip(frame + pushes[..., None], 0, 255).astype(np.uint8)
        return marked

    def _pushes(self, frame: Frames) -> Numbers:
        """Grey levels for every cell: what is missing for its margin, nothing where the picture is too strong."""
        grid, own = self.grid, _detail(frame, self.grid)
        margin = np.minimum(grid.flat + grid.busy * _mean(_cells(np.abs(own)), 3), grid.most)
        most = margin + 1.5
        pushes = np.zeros_like(margin)
        for _ in range(_ROUNDS):
            spread = _resized(pushes, grid.side, grid.side, Image.Resampling.BICUBIC)
            reached = self._chips * _cells(own + spread - _mean(spread, _BLUR))
            pushes = np.clip(pushes + self._chips * np.maximum(margin - reached, 0), -most, most)
        lost = self._chips * _cells(own) < -(most + 1)
        return np.where(lost, 0, pushes)


def carries_watermark(frame: Frames) -> bool:
    """Whether a single, uncropped frame [h w 3] has a watermark, of whatever identity: quick, and less sure."""
    for grid in GRIDS:
        values = _values(np.sign(_detail(frame, grid)), grid, _whole(grid))
        places, chips = _sync(grid)
        if _score(values[places], chips) > _FRAME_SCORE:
            return True
    return False


def read_watermarks(frames: Frames | Sequence[Frames]) -> tuple[Reading, ...]:
    """Every identity in the frames [t h w 3] of a clip or picture, the surest first; often none.

    A copy may be scaled and keep at least 80 % of each side. A clip made from parts of others has several.
    """
    chosen = np.linspace(0, len(frames) - 1, min(len(frames), _MOST_FRAMES)).round().astype(int)
    signs = {grid: np.stack([np.sign(_detail(frames[n], grid)) for n in chosen]) for grid in GRIDS}
    for grid, parts in signs.items():
        if found := _readings(parts, grid, [_whole(grid)]):
            return found
    for grid, parts in signs.items():
        if found := _readings(parts, grid, _likely_places(parts.mean(0), grid)):
            return found
    return ()


def _readings(signs: Numbers, grid: Grid, places: Sequence[_Place]) -> tuple[Reading, ...]:
    """Of readings that share a symbol only the surest: the others are the same one, misread."""
    read = [_decoded(_values(part.mean(0), grid, place), grid) for place in places for part in _parts(signs)]
    found: list[Reading] = []
    for reading in sorted(read, key=lambda reading: -reading.score):
        if reading.score >= least_score() and all(_apart(reading.identity, other.identity) for other in found):
            found.append(reading)
    return tuple(found)


def _apart(one: int, other: int) -> bool:
    return all(mine != theirs for mine, theirs in zip(_symbols(one), _symbols(other), strict=True))


def _symbols(identity: int) -> list[int]:
    return [identity >> (_SYMBOL_BITS * number) & (2**_SYMBOL_BITS - 1) for number in range(_SYMBOLS)]


def _parts(signs: Numbers) -> Iterator[Numbers]:
    yield signs
    if len(signs) >= _PARTS * _LEAST_FRAMES_OF_A_PART:
        yield from np.array_split(signs, _PARTS)


def _decoded(values: Numbers, grid: Grid) -> Reading:
    """The most likely identity, symbol by symbol; with a score of 0 if one of them is not sure."""
    identity, word = 0, np.zeros_like(values)
    places, chips = _sync(grid)
    word[places] = chips
    sure = True
    for number in range(_SYMBOLS):
        places, book = _shares(grid)[1 + number], _book(grid, number)
        best = int((book @ values[places].astype(np.float32)).argmax())
        word[places] = book[best]
        sure &= _score(values[places], word[places]) >= _SYMBOL_SCORE
        identity |= best << (_SYMBOL_BITS * number)
    return Reading(identity, _score(values, word) if sure else 0.0)


def _score(values: Numbers, chips: Numbers) -> float:
    return float(values @ chips / (np.linalg.norm(values) + 1e-9))


def _likely_places(signs: Numbers, grid: Grid, number: int = 3) -> list[_Place]:
    """Where the chips that every watermark has fit best, over all shares of the sides and all offsets."""
    side, (places, chips) = grid.side, _sync(grid)
    word = np.zeros(grid.cells**2, np.float32)  # half the time of double precision, and enough
    word[places] = chips
    template = np.kron(word.reshape(grid.cells, grid.cells), np.ones((_FINER, _FINER), np.float32))
    spectrum = np.conj(np.fft.rfft2(template))
    found = []
    for height in (round(side * share) for share in grid.shares):
        for width in (round(side * share) for share in grid.shares):
            inside = _resized(signs, width, height).astype(np.float32)
            fit = np.fft.irfft2(np.fft.rfft2(inside, (side, side)) * spectrum, (side, side))
            rows, columns = -np.arange(side - height + 1) % side, -np.arange(side - width + 1) % side
            scores = fit[np.ix_(rows, columns)] / (np.linalg.norm(inside) + 1e-9)
            top, left = np.unravel_index(scores.argmax(), scores.shape)
            found.append((float(scores.max()), _Place(int(top), int(left), height, width)))
    return [place for _, place in sorted(found, key=lambda each: -each[0])[:number]]


def _values(signs: Numbers, grid: Grid, place: _Place) -> Numbers:
    """What each cell says [cells²]; 0 where the copy has nothing."""
    canvas = np.zeros((grid.side, grid.side))
    inside = _mean(_resized(signs, place.width, place.height), _FINER)
    canvas[place.top : place.top + place.height, place.left : place.left + place.width] = inside
    return canvas[_FINER // 2 :: _FINER, _FINER // 2 :: _FINER].ravel()


def _whole(grid: Grid) -> _Place:
    return _Place(0, 0, grid.side, grid.side)


def _detail(frame: Frames, grid: Grid) -> Numbers:
    """Brightness [side side] without what is wider than three cells."""
    grey = np.asarray(Image.fromarray(np.ascontiguousarray(frame)).convert("L"))
    small = _resized(grey, grid.side, grid.side)
    return small - _mean(small, _BLUR)


def _resized(
    values: NDArray[np.generic], width: int, height: int, how: Image.Resampling = Image.Resampling.BILINEAR
) -> Numbers:
    """Pillow's filters average where a picture gets smaller."""
    if values.shape == (height, width):
        return values.astype(np.float64)
    return np.asarray(Image.fromarray(values.astype(np.float32)).resize((width, height), how), np.float64)


def _mean(values: Numbers, width: int) -> Numbers:
    """Of the ``width`` x ``width`` values around each, edges repeated."""
    half = width // 2
    sums: Numbers = np.pad(values, ((half + 1, half), (half + 1, half)), "edge").cumsum(0).cumsum(1)
    wide = sums[:, width:] - sums[:, :-width]
    return (wide[width:] - wide[:-width]) / width**2


def _cells(values: Numbers) -> Numbers:
    cells = values.shape[0] // _FINER
    means: Numbers = values.reshape(cells, _FINER, cells, _FINER).mean((1, 3))
    return means


def _random_chips(name: str, number: int) -> NDArray[np.int8]:
    """±1, the same on every machine and for ever: a library's random numbers may change."""
    raw = np.frombuffer(hashlib.shake_256(f"sorairo watermark 1 {name}".encode()).digest(-(-number // 8)), np.uint8)
    return np.unpackbits(raw)[:number].astype(np.int8) * 2 - 1


@cache
def _shares(grid: Grid) -> list[NDArray[np.int64]]:
    """The cells shuffled, and dealt out to what every watermark has and to each symbol: each is all over the picture,
    so a crop takes something from each."""
    raw = hashlib.shake_256(f"sorairo watermark 1 order {grid.cells}".encode()).digest(8 * grid.cells**2)
    return np.array_split(np.argsort(np.frombuffer(raw, ">u8"), kind="stable"), 1 + _SYMBOLS)


@cache
def _sync(grid: Grid) -> tuple[NDArray[np.int64], Numbers]:
    """Cells and chips that are the same in every watermark."""
    places = _shares(grid)[0]
    return places, _random_chips(f"sync {grid.cells}", len(places)).astype(np.float64)


@cache
def _book(grid: Grid, number: int) -> NDArray[np.float32]:
    """The chips [4096 cells/4] of every value of a symbol."""
    return np.stack([_row(grid, number, value) for value in range(2**_SYMBOL_BITS)]).astype(np.float32)


def _row(grid: Grid, number: int, value: int) -> NDArray[np.int8]:
    return _random_chips(f"{grid.cells} {number} {value}", len(_shares(grid)[1 + number]))


def _chips(grid: Grid, identity: int) -> Numbers:
    """The code word of an identity, ±1 [cells cells]."""
    word = np.empty(grid.cells**2)
    places, chips = _sync(grid)
    word[places] = chips
    for number, value in enumerate(_symbols(identity)):
        word[_shares(grid)[1 + number]] = _row(grid, number, value)
    return word.reshape(grid.cells, grid.cells)
