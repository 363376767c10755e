"""The shipped detectors and a real clip, made once."""

from __future__ import annotations

import pytest

from sorairo.evals.detector import Detector, detector_file, load_detector
from sorairo.shapes import NATIVE_BUCKETS
from sorairo.world import WorldClip, make_clip


@pytest.fixture(scope="session")
def detector() -> Detector:
    if not detector_file().is_file():
        pytest.skip("the detectors have no weights yet")
    return load_detector()


@pytest.fixture(scope="session")
def knock_over() -> WorldClip:
    """A ball rolls into a row of dominoes."""
    clip = make_clip(21, NATIVE_BUCKETS[0], "test")
    assert clip.scenario == "domino"
    return clip
