"""The autoencoder's contract: causal, the same in chunks as at once, pictures are videos of one frame."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from sorairo.config import VideoVAEConfig
from sorairo.models.video_vae import (
    INITIAL_LOG_VARIANCE,
    Downsample,
    Posterior,
    ResidualBlock,
    TemporalCache,
    Upsample,
    VideoVAE,
)

CONFIG = VideoVAEConfig(4, (8, 8, 16), (8, 8, 16), 1, 1)


def trained(config: VideoVAEConfig = CONFIG) -> VideoVAE:
    """An autoencoder whose temporal convolutions and statistics are no longer those of a fresh one."""
    torch.manual_seed(0)
    vae = VideoVAE(config).eval().requires_grad_(False)
    for parameter in vae.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    vae.set_statistics(torch.randn(config.latent_channels), 0.5 + torch.rand(config.latent_channels))
    return vae


def video(frames: int = 9, height: int = 32, width: int = 48, batch: int = 1) -> Tensor:
    return 2 * torch.rand(batch, 3, frames, height, width, generator=torch.Generator().manual_seed(1)) - 1


def pieces(x: Tensor, ends: list[int]) -> list[Tensor]:
    return [x[:, :, start:end] for start, end in pairwise([0, *ends])]


@pytest.mark.parametrize("frames", [1, 5, 13])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (48, 16), (32, 80)])
def test_sizes_for_any_multiple_of_sixteen(frames: int, height: int, width: int) -> None:
    vae, x = trained(), video(frames, height, width, batch=2)
    latents = vae.encode(x)
    assert latents.shape == (2, CONFIG.latent_channels, 1 + (frames - 1) // 4, height // 16, width // 16)
    assert vae.decode(latents).shape == x.shape


@pytest.mark.parametrize("frames", [1, 5, 9])
def test_latents_of_a_prefix_are_a_prefix_of_the_latents(frames: int) -> None:
    vae, x = trained(), video(13)
    whole, prefix = vae.encode(x), vae.encode(x[:, :, :frames])
    torch.testing.assert_close(prefix, whole[:, :, : prefix.shape[2]], atol=1e-5, rtol=1e-4)


def test_the_future_is_never_seen() -> None:
    vae, x = trained(), video(13)
    changed = x.clone()
    changed[:, :, 9:] = 0
    difference = (vae.encode(changed) - vae.encode(x)).abs().amax((0, 1, 3, 4))
    assert difference[:3].max() == 0
    assert difference[3] > 1e-3


def test_the_past_is_remembered() -> None:
    vae, x = trained(), video(13)
    changed = x.clone()
    changed[:, :, 0] = 0
    difference = (vae.encode(changed) - vae.encode(x)).abs().amax((0, 1, 3, 4))
    assert (difference > 1e-5).all()


def test_decoding_is_causal_too() -> None:
    vae = trained()
    latents = vae.encode(video(13))
    whole, prefix = vae.decode(latents), vae.decode(latents[:, :, :2])
    torch.testing.assert_close(prefix, whole[:, :, :5], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("ends", [[17], [1, 5, 9, 13, 17], [5, 17], [9, 13, 17], [1, 17]])
def test_encoding_in_chunks_equals_encoding_at_once(ends: list[int]) -> None:
    vae, x = trained(), video(17)
    streamed = torch.cat(list(vae.encode_stream(pieces(x, ends))), dim=2)
    torch.testing.assert_close(streamed, vae.encode(x), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("ends", [[5], [1, 2, 3, 4, 5], [2, 5], [4, 5], [1, 4, 5]])
def test_decoding_in_chunks_equals_decoding_at_once(ends: list[int]) -> None:
    vae = trained()
    latents = 2 * torch.randn(2, CONFIG.latent_channels, 5, 2, 3)
    streamed = torch.cat(list(vae.decode_stream(pieces(latents, ends))), dim=2)
    torch.testing.assert_close(streamed, vae.decode(latents), atol=1e-5, rtol=1e-4)


def test_a_stream_holds_no_more_than_its_chunk() -> None:
    """Chunks are asked for one at a time, so a film of any length fits."""
    vae, asked = trained(), []

    def chunks() -> object:
        for index in range(3):
            asked.append(index)
            yield video(1 if index == 0 else 4, 16, 16)

    for index, _ in enumerate(vae.encode_stream(chunks())):  # type: ignore[arg-type]
        assert asked == list(range(index + 1))


def test_a_picture_is_a_video_of_one_frame() -> None:
    vae, x = trained(), video(9)
    picture = vae.encode(x[:, :, :1])
    torch.testing.assert_close(picture, vae.encode(x)[:, :, :1], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(vae.decode(picture), vae.decode(vae.encode(x))[:, :, :1], atol=1e-5, rtol=1e-4)


def test_a_batch_equals_its_clips_one_by_one() -> None:
    vae, x = trained(), video(5, batch=3)
    one_by_one = torch.cat([vae.encode(clip) for clip in x.split(1)])
    torch.testing.assert_close(vae.encode(x), one_by_one, atol=1e-5, rtol=1e-4)


def test_fresh_residual_blocks_are_the_identity() -> None:
    x = torch.randn(2, 3, 4, 5, 8)
    assert torch.equal(ResidualBlock(8)(x, TemporalCache()), x)


@pytest.mark.parametrize(("fine", "coarse"), [(8, 8), (8, 16), (6, 12)])
def test_samplers_without_their_projections_keep_the_mean(fine: int, coarse: int) -> None:
    """Down: means over blocks. Up: copies into blocks. Down after up is then the identity."""
    down, up = Downsample(fine, coarse), Upsample(coarse, fine)
    for layer in (down, up):
        torch.nn.init.zeros_(layer.project.weight)
        torch.nn.init.zeros_(layer.project.bias)
    x = torch.randn(1, 2, 3, 4, coarse)
    torch.testing.assert_close(down(up(x)), x)
    assert torch.allclose(down(torch.full((1, 2, 2, 2, fine), 0.7)), torch.tensor(0.7))


def test_a_fresh_model_starts_with_little_noise() -> None:
    posterior = VideoVAE(CONFIG).posterior(video(5))
    assert (posterior.log_variance - INITIAL_LOG_VARIANCE).abs().max() < 3


def test_statistics_normalise() -> None:
    vae, x = trained(), video(13, batch=2)
    raw = vae.posterior(x).mean
    vae.set_statistics(raw.mean((0, 2, 3, 4)), raw.std((0, 2, 3, 4)))
    latents = vae.encode(x)
    assert latents.mean((0, 2, 3, 4)).abs().max() < 1e-4
    assert (latents.std((0, 2, 3, 4)) - 1).abs().max() < 1e-4
    torch.testing.assert_close(vae.decode(latents), vae.reconstruct(raw).clamp(-1, 1), atol=1e-5, rtol=1e-4)


def test_decoded_pixels_stay_in_range() -> None:
    decoded = trained().decode(100 * torch.randn(1, CONFIG.latent_channels, 2, 1, 1))
    assert decoded.abs().max() == 1


@pytest.mark.parametrize("frames", [2, 4, 8])
def test_a_wrong_number_of_frames_is_an_error(frames: int) -> None:
    with pytest.raises(ValueError, match=f"a video has {frames} frames; the autoencoder takes 1 \\+ 4k"):
        trained().encode(video(frames))


@pytest.mark.parametrize("size", [(30, 48), (32, 40)])
def test_a_wrong_side_is_an_error(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"8 x {size[0]} x {size[1]}; .* multiples of 4, 16 and 16"):
        trained().encode(video(5, *size))


def test_a_later_chunk_must_hold_whole_groups() -> None:
    with pytest.raises(ValueError, match="a piece of video is 5 x 16 x 16"):
        list(trained().encode_stream([video(5, 16, 16), video(5, 16, 16)]))


def test_every_parameter_has_a_gradient() -> None:
    vae = trained().requires_grad_(True)
    posterior = vae.posterior(video(9, 16, 16))
    (vae.reconstruct(posterior.sample()).square().mean() + posterior.kl()).backward()
    dead = [name for name, parameter in vae.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    assert dead == []


def test_posterior_in_closed_form() -> None:
    standard = Posterior(torch.zeros(1, 2, 3, 4, 5), torch.zeros(1, 2, 3, 4, 5))
    assert standard.kl() == 0
    shifted = Posterior(torch.full((10,), 2.0), torch.full((10,), 1.0))
    assert shifted.kl().item() == pytest.approx(0.5 * (4 + torch.e - 1 - 1))
    sample = Posterior(torch.full((100_000,), 3.0), torch.full((100_000,), -2.0)).sample(
        torch.Generator().manual_seed(0)
    )
    assert sample.mean().item() == pytest.approx(3, abs=0.01)
    assert sample.std().item() == pytest.approx(torch.e**-1, abs=0.01)


def test_an_optimiser_can_fit_one_clip() -> None:
    torch.manual_seed(0)
    vae, x = VideoVAE(CONFIG), video(5, 16, 16)
    optimizer = torch.optim.Adam(vae.parameters(), lr=1e-2)
    losses = []
    for _ in range(15):
        loss = (vae.reconstruct(vae.posterior(x).mean) - x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
