"""The shipped detectors, detectors without errors, and a real clip, made once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from sorairo.evals.detector import Detector, detector_file, load_detector
from sorairo.evals.detector_examples import cell_truth, offsets_to_middle
from sorairo.shapes import NATIVE_BUCKETS
from sorairo.sight.observation import Observation, label_things, sight_things
from sorairo.sight.scene_net import CELL, PAINTS
from sorairo.world import SHAPES, WorldClip, make_clip, render


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


@pytest.fixture(scope="session")
def perfect_eyes() -> Callable[[WorldClip], Observation]:
    """What detectors without errors would see: shows what the rules miss by themselves."""
    return _perfect_eyes


def _perfect_eyes(clip: WorldClip) -> Observation:
    labels, sightings = [], []
    _, ids = render(clip, None, clip.shape.width // CELL, clip.shape.height // CELL, antialias=1)
    for frame, things in enumerate(ids):
        cells = cell_truth(clip, frame, things)
        offset = offsets_to_middle(torch.from_numpy(cells.thing)[None])[0].numpy()
        labels.append(label_things(cells.paint, offset, len(PAINTS)))
        shapes = np.stack([(cells.shape == k).astype(np.float32) for k in range(len(SHAPES))])
        sightings += sight_things(frame, labels[frame], cells.paint, shapes, cells.tipped.astype(np.float32))
    facts = clip.facts
    return Observation(tuple(sightings), np.stack(labels), facts.light, facts.ground, facts.camera_move)
