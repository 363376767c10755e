"""Clips that many tests look at: made once, of every split and aspect ratio, half of them mirrored."""

from __future__ import annotations

import pytest

from sorairo.shapes import NATIVE_BUCKETS
from sorairo.world import WorldClip, make_clip

SPLITS = ("train", "test", "novel")


@pytest.fixture(scope="session")
def clips() -> tuple[WorldClip, ...]:
    """One hundred and fifty clips; every second one mirrored."""
    made = (make_clip(seed, NATIVE_BUCKETS[seed % 3], SPLITS[seed // 3 % 3]) for seed in range(150))
    return tuple(clip.mirrored() if clip.seed % 2 else clip for clip in made)


@pytest.fixture(scope="session")
def by_scenario(clips: tuple[WorldClip, ...]) -> dict[str, list[WorldClip]]:
    groups: dict[str, list[WorldClip]] = {}
    for clip in clips:
        groups.setdefault(clip.scenario, []).append(clip)
    return groups
