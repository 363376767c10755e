import pytest
import torch

from sorairo.shapes import NATIVE_BUCKETS, VideoShape
from sorairo.sight.degradations import blotches, blur, degrade, ringing
from sorairo.sight.scene_net import CELL, NUM_CAMERA_PICTURES, PAINTS, CameraNet, SceneNet, correlation
from sorairo.world import CAMERA_MOVES, GROUNDS, LIGHTS, SHAPES


@pytest.mark.parametrize("shape", NATIVE_BUCKETS)
def test_sizes(shape: VideoShape) -> None:
    seen = SceneNet().eval()(torch.zeros(2, 3, shape.height, shape.width))
    cells = (shape.height // CELL, shape.width // CELL)
    assert seen.color.shape == (2, len(PAINTS) + 1, *cells)
    assert seen.shape.shape == (2, len(SHAPES), *cells)
    assert seen.offset.shape == (2, 2, *cells)
    assert seen.tipped.shape == (2, *cells)
    assert (seen.light.shape, seen.ground.shape) == ((2, len(LIGHTS)), (2, len(GROUNDS)))
    pictures = torch.zeros(1, NUM_CAMERA_PICTURES, 3, shape.height // 2, shape.width // 2)
    assert CameraNet().eval()(pictures).shape == (1, len(CAMERA_MOVES))


def test_networks_are_small() -> None:
    assert sum(p.numel() for net in (SceneNet(), CameraNet()) for p in net.parameters()) < 600_000


def test_correlation_peaks_where_things_went() -> None:
    torch.manual_seed(0)
    before = torch.nn.functional.normalize(torch.randn(1, 16, 10, 12), dim=1)
    after = before.roll((1, -2), dims=(2, 3))  # one cell down, two to the left
    volume = correlation(before, after, 3)
    inside = volume[0, :, 3:-3, 3:-3]
    assert inside.argmax(0).unique().tolist() == [(1 + 3) * 7 + (-2 + 3)]
    assert inside.amax(0).min() == pytest.approx(1, abs=1e-5)


def square() -> torch.Tensor:
    pictures = torch.full((3, 3, 48, 64), -0.4)
    pictures[:, 0, 16:32, 24:40] = 0.8
    return pictures


def test_no_strength_no_change() -> None:
    assert torch.equal(degrade(square(), torch.Generator().manual_seed(0), strength=0), square())


def test_degrading_repeats_and_stays_in_range() -> None:
    first, second = (degrade(square(), torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first, second)
    assert first.abs().max() <= 1
    assert not torch.equal(first, square())


def test_blur_keeps_mass_and_middle() -> None:
    blurred = blur(square(), torch.tensor([0.01, 1.0, 0.5]), torch.tensor([0.01, 0.2, 1.0]))
    assert torch.allclose(blurred[0], square()[0], atol=1e-5)
    above = (blurred + 0.4)[:, 0]
    assert torch.allclose(above.sum((1, 2)), torch.full((3,), 1.2 * 16 * 16), rtol=1e-4)
    columns = torch.arange(64.0)
    assert torch.allclose((above.sum(1) @ columns) / above.sum((1, 2)), torch.full((3,), 31.5), atol=1e-3)


def test_blur_differs_by_direction() -> None:
    blurred = blur(square(), torch.full((3,), 1.5), torch.full((3,), 0.01))
    assert torch.allclose(blurred[0, 0, 24, 20:24], blurred[0, 0, 20, 20:24])
    assert blurred[0, 0, 24, 23] > -0.39  # beside the square
    assert blurred[0, 0, 14, 32] == pytest.approx(-0.4, abs=1e-4)  # above it


def test_ringing_overshoots() -> None:
    rung = ringing(square(), 2.0, torch.ones(3, 1, 1, 1))
    assert rung.min() < -0.41 or rung.max() > 0.81
    assert torch.equal(ringing(square(), 2.0, torch.zeros(3, 1, 1, 1)), square())


def test_blotches_have_about_unit_variance() -> None:
    noise = blotches(torch.zeros(16, 3, 48, 80), torch.Generator().manual_seed(0))
    assert 0.5 < noise.std() < 1.2
