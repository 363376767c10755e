"""The upscaler's contract: bicubic at first, causal, the same in pieces as at once, steady where nothing moves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from sorairo.models.upscaler import SCALES, Upscaler, UpscalerConfig, bicubic
from sorairo.models.video_vae import TemporalCache

CONFIG = UpscalerConfig(width=8, num_blocks=2, fine_width=4)


def trained() -> Upscaler:
    """One whose heads and convolutions over time are no longer those of a fresh one."""
    torch.manual_seed(0)
    upscaler = Upscaler(CONFIG).eval().requires_grad_(False)
    for parameter in upscaler.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    return upscaler


def video(frames: int = 5, height: int = 6, width: int = 10, batch: int = 1) -> Tensor:
    return 2 * torch.rand(batch, 3, frames, height, width, generator=torch.Generator().manual_seed(1)) - 1


def pixels(frames: int = 4) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (frames, 6, 10, 3), dtype=np.uint8))


@pytest.mark.parametrize("scale", SCALES)
def test_a_fresh_one_is_bicubic_interpolation(scale: int) -> None:
    x = video(batch=2)
    with torch.no_grad():
        made = Upscaler(CONFIG)(x, scale)
    assert made.shape == (2, 3, 5, scale * 6, scale * 10)
    assert torch.equal(made, bicubic(x, scale))


@pytest.mark.parametrize("scale", SCALES)
def test_bicubic_keeps_constants_and_slopes(scale: int) -> None:
    assert torch.allclose(bicubic(torch.full((1, 3, 2, 6, 6), 0.3), scale), torch.tensor(0.3), atol=1e-6)
    ramp = torch.arange(12.0).expand(1, 3, 1, 12, 12)
    across = bicubic(ramp, scale)[0, 0, 0, 6 * scale]
    places = (torch.arange(12 * scale) + 0.5) / scale - 0.5
    assert torch.allclose(across[3 * scale : -3 * scale], places[3 * scale : -3 * scale], atol=0.1)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("ends", [[1, 2, 3, 4, 5], [2, 5], [4, 5]])
def test_pieces_give_the_same_as_the_whole(scale: int, ends: list[int]) -> None:
    upscaler, x, cache = trained(), video(), TemporalCache()
    pieces = [upscaler(x[:, :, a:b], scale, cache) for a, b in zip([0, *ends], ends, strict=False)]
    assert torch.allclose(torch.cat(pieces, dim=2), upscaler(x, scale), atol=1e-5)


def test_it_never_looks_ahead() -> None:
    upscaler, x = trained(), video()
    changed = x.clone()
    changed[:, :, 3:] = 0
    one, other = upscaler(x, 8), upscaler(changed, 8)
    assert torch.equal(one[:, :, :3], other[:, :, :3])
    assert not torch.allclose(one[:, :, 3:], other[:, :, 3:])


def test_it_remembers_the_frames_before() -> None:
    upscaler, x = trained(), video()
    assert not torch.allclose(upscaler(x, 8)[:, :, -1], upscaler(x[:, :, -1:], 8)[:, :, 0], atol=1e-4)


def test_the_last_frames_alone_are_those_of_all() -> None:
    upscaler, x = trained(), video()
    assert torch.allclose(upscaler(x, 12, num_last=2), upscaler(x, 12)[:, :, -2:], atol=1e-6)


@pytest.mark.parametrize("scale", SCALES)
def test_a_stream_of_pixels_is_the_whole_clip_rounded(scale: int) -> None:
    upscaler, frames = trained(), pixels()
    made = np.stack(list(upscaler.stream(iter(frames), scale)))
    assert made.shape == (4, scale * 6, scale * 10, 3)
    assert made.dtype == np.uint8
    x = torch.from_numpy(np.stack(frames)).movedim(-1, 0)[None].float() / 127.5 - 1
    whole = ((upscaler(x, scale)[0].movedim(0, -1) + 1) * 127.5).clamp(0, 255)
    # Products in bfloat16, where they are fast, move a pixel by a few grey levels at most.
    assert np.abs(whole.numpy() - made).mean() < 1


def test_a_stream_takes_one_frame_at_a_time() -> None:
    taken: list[int] = []

    def counted() -> object:
        for index, frame in enumerate(pixels()):
            taken.append(index)
            yield frame

    stream = trained().stream(counted(), 8)  # type: ignore[arg-type]
    next(stream)
    assert taken == [0]
    next(stream)
    assert taken == [0, 1]


def test_where_nothing_moves_it_becomes_steady() -> None:
    made = list(trained().stream([pixels(1)[0]] * 12, 8))
    reach = 2 * CONFIG.num_blocks  # frames that each convolution over time looks back, added up
    for earlier, later in zip(made[reach:], made[reach + 1 :], strict=False):
        assert np.array_equal(earlier, later)


def test_another_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="scale is 10; the nearest is 8"):
        trained()(video(), 10)
