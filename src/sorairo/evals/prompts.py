"""WorldBench's prompts: true captions of clips that no model trains on, in three kinds, and fresh ones.

The clip itself is the ceiling: a perfect model would make one like it. The list never changes between runs or machines:
`worldbench.json` holds the clips' seeds, and `python -m sorairo.evals.prompts` makes it again (an hour).
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from sorairo.data.world_frames import WorldDataConfig, in_processes
from sorairo.shapes import NATIVE_BUCKETS, VideoShape
from sorairo.world import SCENARIOS, Caption, Style, WorldClip, caption, make_clip
from sorairo.world.clip import Split
from sorairo.world.grammar import placed
from sorairo.world.story import placed_pairs

STYLES: tuple[Style, ...] = ("fragment", "short", "medium", "dense")
LIST = Path(__file__).with_name("worldbench.json")
KINDS: dict[str, int] = {"familiar": 16, "new pairs": 10, "new scenes": 8, "places": 4}
"""Rounds of each kind. familiar: split "test". new pairs: split "novel", where a colour and a shape meet that never do
in training. new scenes: of split "test", those whose make-up the built-in model has not been shown. places: of split
"test" too, still scenes told as people type them first, "a red ball to the left of a blue cube"."""
SHOWN = (*range(6000), *range(50_000, 87_000))
"""Seeds it has learned from: those of recipes/cpu.toml, and those of the run of recipes/card."""
QUICK_ROUNDS = {"familiar": 2, "new pairs": 0.5, "new scenes": 0.5, "places": 0.5}
SLOTS = ("hit", "domino", "drop", "occlude", "cross", "collide", "tower", "ramp", "slide", "still", "domino", "still")
"""The scenarios of a round: each once, and those that can be counted once more."""
ROUND = len(SLOTS)
NUM_PROMPTS = ROUND * KINDS["familiar"]
NUM_QUICK = 2 * ROUND
FIRST_SEEDS = {"familiar": 0, "new pairs": 0, "new scenes": 5000, "places": 20_000}
FIRST_FRESH, FRESH_STEP = 1_000_000, 100_000  # seeds of fresh lists, far from all others


@dataclass(frozen=True)
class Case:
    """A prompt, and the clip that it truly describes."""

    caption: Caption
    clip: WorldClip
    kind: str


def held_out_cases(num_prompts: int = NUM_PROMPTS, shape: VideoShape = NATIVE_BUCKETS[0]) -> tuple[Case, ...]:
    """The first familiar prompts, in all styles; the first NUM_QUICK have every scenario twice.

    Raises ValueError for a number that the list does not have.
    """
    if not 1 <= num_prompts <= NUM_PROMPTS:
        nearest = min(max(num_prompts, 1), NUM_PROMPTS)
        raise ValueError(f"num_prompts is {num_prompts}; the list has 1 to {NUM_PROMPTS}: the nearest is {nearest}")
    return _cases("familiar", _listed()["familiar"][:num_prompts], shape)


def bench_cases(
    quick: bool = False, fresh: int | None = None, shape: VideoShape = NATIVE_BUCKETS[0]
) -> tuple[Case, ...]:
    """All prompts of all kinds, or few of each; with ``fresh``, a list of the same make-up that nobody has seen.

    Raises ValueError for a negative ``fresh``.
    """
    if fresh is not None and fresh < 0:
        raise ValueError(f"fresh is {fresh}; the nearest valid number is 0")
    seeds = _listed() if fresh is None else None
    cases: tuple[Case, ...] = ()
    for kind, rounds in (QUICK_ROUNDS if quick else KINDS).items():
        number = int(rounds * ROUND)
        start = FIRST_FRESH + FRESH_STEP * (fresh or 0)
        cases += _cases(kind, seeds[kind][:number] if seeds else draw_seeds(kind, number, start), shape)
    return cases


def draw_seeds(kind: str, number: int, start: int = 0, known: Collection[str] | None = None) -> list[int]:
    """Seeds of clips of a kind, from ``start`` on: in rounds of SLOTS; new scenes and places as they come.

    known: make-ups that are not new.
    """
    known = _listed()["make_ups"] if known is None else known
    clips = (make_clip(seed, NATIVE_BUCKETS[0], _split(kind)) for seed in count(start))
    if kind == "new scenes":
        return list(islice((clip.seed for clip in clips if clip.make_up not in known), number))
    if kind == "places":
        return list(islice((clip.seed for clip in clips if clip.scenario == "still" and placed_pairs(clip)), number))
    waiting: dict[str, deque[int]] = {scenario: deque() for scenario in SCENARIOS}
    seeds = []
    for scenario in islice(cycle(SLOTS), number):
        while not waiting[scenario]:
            clip = next(clips)
            waiting[clip.scenario].append(clip.seed)
        seeds.append(waiting[scenario].popleft())
    return seeds


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _split(kind: str) -> Split:
    return "novel" if kind == "new pairs" else "test"


@lru_cache(maxsize=1)
def _listed() -> dict[str, Any]:
    """Seeds by kind, and the make-ups of the clips that the built-in model has learned from."""
    listed: dict[str, Any] = json.loads(LIST.read_text())
    return {**listed, "make_ups": frozenset(listed["make_ups"].split())}


def _cases(kind: str, seeds: Sequence[int], shape: VideoShape) -> tuple[Case, ...]:
    return tuple(_case(kind, seed, _style(place), shape) for place, seed in enumerate(seeds))


def _style(place: int) -> Style:
    return STYLES[sum(divmod(place, ROUND)) % len(STYLES)]


def _case(kind: str, seed: int, style: Style, shape: VideoShape) -> Case:
    clip, rng = make_clip(seed, shape, _split(kind)), np.random.default_rng(seed)
    places = placed(clip, rng) if kind == "places" else None
    return Case(places or caption(clip, style, rng), clip, kind)  # in another shape no pair may be in view


def case_of(prompt: str, shape: VideoShape = NATIVE_BUCKETS[0]) -> Case | None:
    """The case of a prompt of the list, by its very words."""
    kind, _, place = str(_listed()["words"].get(_digest(prompt), "")).partition(" ")
    if not place:
        return None
    kind, number = kind.replace("-", " "), int(place)
    return _case(kind, _listed()[kind][number], _style(number), shape)


def list_of(known: Collection[str]) -> str:
    """The list as JSON when ``known`` are the make-ups that training shows."""
    seeds = {kind: draw_seeds(kind, rounds * ROUND, FIRST_SEEDS[kind], known) for kind, rounds in KINDS.items()}
    words = {
        _digest(case.caption.text): f"{kind.replace(' ', '-')} {place}"
        for kind in KINDS
        for place, case in enumerate(_cases(kind, seeds[kind], NATIVE_BUCKETS[0]))
    }
    return json.dumps({**seeds, "words": words, "make_ups": " ".join(sorted(known))}) + "\n"


def _make_up(seed: int) -> str:
    return WorldDataConfig().clip(seed).make_up


def main() -> None:
    """Writes the list anew and prints what belongs in `HELD_OUT_SCENES`."""
    known, begun = set(), time.monotonic()
    for done, name in enumerate(in_processes(_make_up, list(SHOWN), os.cpu_count() or 1), start=1):
        known.add(name)
        if done % 1000 == 0:
            left = (time.monotonic() - begun) / done * (len(SHOWN) - done)
            print(f"{done} of {len(SHOWN)} training clips, {left / 60:.0f} min left", file=sys.stderr)
    LIST.write_text(list_of(known))
    _listed.cache_clear()
    print(*sorted({case.clip.make_up for case in bench_cases() if case.kind == "new scenes"}))


if __name__ == "__main__":
    main()
