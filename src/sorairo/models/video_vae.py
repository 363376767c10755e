"""Causal video autoencoder: 1 + 4k frames of pixels to 1 + k frames of latents, 16 x 16 pixels each, and back.

Streams in both directions with cached state, so memory does not grow with length. It never looks into the future: the
latents of a prefix of a video are a prefix of its latents. The design follows Wan's causal VAE (Wan 2025, section 4.1)
with the residual space-to-depth sampling of DC-AE (Chen et al. 2024, section 3.2), shaped so that most of the work is
done at low resolution.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange, reduce, repeat
from jaxtyping import Float
from torch import Tensor, nn

from sorairo.config import VideoVAEConfig
from sorairo.media import Frames
from sorairo.shapes import SPATIAL_STRIDE, TEMPORAL_STRIDE

PIXEL_BLOCK = 4
KERNEL = 3
INITIAL_LOG_VARIANCE = -6.0
NUM_REPEATED = TEMPORAL_STRIDE - 1
"""The first frame stands for a group of four: it is repeated this often before encoding and cut off after decoding."""

Video = Float[Tensor, "b 3 t h w"]
Latents = Float[Tensor, "b c t h w"]
Features = Float[Tensor, "b t h w c"]
"""Inside, channels are last: norms and products over channels then read memory in order."""


class TemporalCache:
    """The last frames each temporal convolution has seen, in the order they run; empty at a clip's start."""

    def __init__(self) -> None:
        self._frames: list[Tensor] = []
        self._next = 0

    def rewind(self) -> None:
        """Call before each chunk."""
        self._next = 0

    def prepend(self, x: Features) -> Float[Tensor, "b t+2 h w c"]:
        """``x`` with the frames that came before it in front; keeps its own last frames for the next chunk."""
        if self._next == len(self._frames):
            self._frames.append(torch.zeros_like(x[:, :1]).expand(-1, KERNEL - 1, -1, -1, -1))
        joined = torch.cat([self._frames[self._next], x], dim=1)
        self._frames[self._next] = joined[:, -(KERNEL - 1) :].detach().clone()
        self._next += 1
        return joined


class SpatialConv(nn.Conv2d):
    """3x3 convolution inside each frame."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__(channels, out_channels, 3, padding=1)

    def forward(self, x: Features) -> Float[Tensor, "b t h w out_channels"]:
        batch = x.shape[0]
        frames = rearrange(x, "b t h w c -> (b t) c h w")  # a view: channels stay last in memory
        return rearrange(super().forward(frames), "(b t) c h w -> b t h w c", b=batch)


class TemporalConv(nn.Linear):
    """Three-tap causal convolution over frames, as one product over three neighbours; zero at first."""

    def __init__(self, channels: int) -> None:
        super().__init__(KERNEL * channels, channels)
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, x: Features, cache: TemporalCache) -> Features:  # type: ignore[override]
        past = cache.prepend(x)
        length = x.shape[1]
        return super().forward(torch.cat([past[:, k : k + length] for k in range(KERNEL)], dim=-1))


class ResidualBlock(nn.Module):
    """Norm over channels of each place, convolution in space, causal convolution in time; starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.spatial = SpatialConv(channels, channels)
        self.temporal = TemporalConv(channels)

    def forward(self, x: Features, cache: TemporalCache) -> Features:
        hidden: Tensor = F.silu(self.spatial(F.silu(self.norm(x))))
        return x + self.temporal(hidden, cache)  # type: ignore[no-any-return]


class Downsample(nn.Module):
    """Halves time, height and width: a projection of space-to-depth, plus the mean over groups of channels."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.project = nn.Linear(8 * channels, out_channels)
        self.out_channels = out_channels

    def forward(self, x: Features) -> Float[Tensor, "b t//2 h//2 w//2 out_channels"]:
        blocks = rearrange(x, "b (t q) (h r) (w s) c -> b t h w (c q r s)", q=2, r=2, s=2)
        means = reduce(blocks, "b t h w (c g) -> b t h w c", "mean", c=self.out_channels)
        return means + self.project(blocks)  # type: ignore[no-any-return]


class Upsample(nn.Module):
    """Doubles time, height and width: a projection and depth-to-space, plus channels repeated into the new places."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.project = nn.Linear(channels, 8 * out_channels)
        self.num_repeats = 8 * out_channels // channels

    def forward(self, x: Features) -> Float[Tensor, "b 2*t 2*h 2*w out_channels"]:
        blocks: Tensor = self.project(x) + repeat(x, "b t h w c -> b t h w (c g)", g=self.num_repeats)
        return rearrange(blocks, "b t h w (c q r s) -> b (t q) (h r) (w s) c", q=2, r=2, s=2)


class Posterior(NamedTuple):
    """Gaussian over unnormalised latents; mean and log-variance, each [b c t h w]."""

    mean: Tensor
    log_variance: Tensor

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        noise = torch.randn(self.mean.shape, generator=generator, device=self.mean.device)
        return self.mean + torch.exp(0.5 * self.log_variance) * noise

    def kl(self) -> Tensor:
        """Divergence from a standard normal, nats per element (Kingma and Welling 2013, appendix B)."""
        terms = self.mean.square() + self.log_variance.exp() - 1 - self.log_variance
        return 0.5 * terms.mean()


class Stages(nn.Module):
    """A run of blocks and samplers that share one temporal cache."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Features, cache: TemporalCache) -> Float[Tensor, "b t_out h_out w_out c_out"]:
        cache.rewind()
        for layer in self.layers:
            x = layer(x, cache) if isinstance(layer, ResidualBlock) else layer(x)
        return x


def _blocks(channels: int, number: int) -> list[nn.Module]:
    return [ResidualBlock(channels) for _ in range(number)]


def _encoder(config: VideoVAEConfig) -> Stages:
    fine, middle, coarse = config.encoder_widths
    number = config.encoder_blocks
    return Stages(
        SpatialConv(3 * PIXEL_BLOCK**2, fine),
        *_blocks(fine, number),
        Downsample(fine, middle),
        *_blocks(middle, 2 * number),
        Downsample(middle, coarse),
        *_blocks(coarse, 3 * number),
        SpatialConv(coarse, 2 * config.latent_channels),
    )


def _decoder(config: VideoVAEConfig) -> Stages:
    fine, middle, coarse = config.decoder_widths
    number = config.decoder_blocks
    return Stages(
        SpatialConv(config.latent_channels, coarse),
        *_blocks(coarse, 2 * number),
        Upsample(coarse, middle),
        *_blocks(middle, number + 1),
        Upsample(middle, fine),
        *_blocks(fine, number),
        SpatialConv(fine, 3 * PIXEL_BLOCK**2),
    )


class VideoVAE(nn.Module):
    """Pixels in [-1, 1] to latents of about unit variance and back; see the module's head for the sizes."""

    latent_mean: Tensor
    latent_std: Tensor

    def __init__(self, config: VideoVAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = _encoder(config)
        self.decoder = _decoder(config)
        bias = self.encoder.get_parameter(f"layers.{len(self.encoder.layers) - 1}.bias")
        # Little noise at first, or it hides the picture from the decoder for hundreds of steps.
        nn.init.constant_(bias[config.latent_channels :], INITIAL_LOG_VARIANCE)
        self.register_buffer("latent_mean", torch.zeros(config.latent_channels))
        self.register_buffer("latent_std", torch.ones(config.latent_channels))

    def set_statistics(self, mean: Float[Tensor, " c"], std: Float[Tensor, " c"]) -> None:
        """Stores per-channel statistics of the posterior mean over the training clips."""
        self.latent_mean.copy_(mean)
        self.latent_std.copy_(std)

    def posterior(self, video: Video) -> Posterior:
        """Distribution of the unnormalised latents, as training needs it."""
        return self._posterior(_repeat_first(video), TemporalCache())

    def encode(self, video: Video) -> Float[Tensor, "b c 1+(t-1)//4 h//16 w//16"]:
        """Latents of a video of 1 + 4k frames: the normalised posterior mean.

        Raises:
            ValueError: another number of frames, or sides that are no multiples of 16.
        """
        return self._normalise(self.posterior(video).mean)

    def decode(self, latents: Latents) -> Float[Tensor, "b 3 4*t-3 16*h 16*w"]:
        """Video of latents; values are clamped to [-1, 1]."""
        return self.reconstruct(self._denormalise(latents)).clamp(-1, 1)

    def reconstruct(self, unnormalised: Latents) -> Float[Tensor, "b 3 4*t-3 16*h 16*w"]:
        """As `decode`, from unnormalised latents and without the clamp, as training needs it."""
        return self._pixels(unnormalised, TemporalCache())[:, :, NUM_REPEATED:]

    def encode_stream(self, chunks: Iterable[Float[Tensor, "b 3 _ h w"]]) -> Iterator[Latents]:
        """Encodes chunk by chunk with the same result as at once: first 1 + 4k frames, then multiples of four."""
        cache = TemporalCache()
        for index, chunk in enumerate(chunks):
            frames = chunk if index else _repeat_first(chunk)
            yield self._normalise(self._posterior(frames, cache).mean)

    def decode_stream(self, chunks: Iterable[Float[Tensor, "b c _ h w"]]) -> Iterator[Video]:
        """Decodes chunk by chunk (any number of latent frames each) with the same result as at once, at flat memory."""
        cache = TemporalCache()
        for index, chunk in enumerate(chunks):
            video = self._pixels(self._denormalise(chunk), cache)
            yield (video if index else video[:, :, NUM_REPEATED:]).clamp(-1, 1)

    def _posterior(self, frames: Video, cache: TemporalCache) -> Posterior:
        strides = (TEMPORAL_STRIDE, SPATIAL_STRIDE, SPATIAL_STRIDE)
        if any(length % stride for length, stride in zip(frames.shape[2:], strides, strict=True)):
            size = " x ".join(map(str, frames.shape[2:]))
            raise ValueError(f"a piece of video is {size}; frames, height and width must be multiples of 4, 16 and 16")
        blocks = rearrange(frames, "b c t (h r) (w s) -> b t h w (c r s)", r=PIXEL_BLOCK, s=PIXEL_BLOCK)
        moments = rearrange(self.encoder(blocks, cache).float(), "b t h w c -> b c t h w")
        mean, log_variance = moments.chunk(2, dim=1)
        return Posterior(mean, log_variance.clamp(-12, 4))

    def _pixels(self, unnormalised: Latents, cache: TemporalCache) -> Float[Tensor, "b 3 4*t 16*h 16*w"]:
        blocks: Tensor = self.decoder(rearrange(unnormalised, "b c t h w -> b t h w c"), cache)
        return rearrange(blocks, "b t h w (c r s) -> b c t (h r) (w s)", r=PIXEL_BLOCK, s=PIXEL_BLOCK)

    def _normalise(self, latents: Latents) -> Latents:
        return (latents - _per_channel(self.latent_mean)) / _per_channel(self.latent_std)

    def _denormalise(self, latents: Latents) -> Latents:
        return latents * _per_channel(self.latent_std) + _per_channel(self.latent_mean)


def to_video(frames: Frames) -> Float[Tensor, "1 3 t h w"]:
    """Frames uint8 [t h w 3] as the autoencoder takes them, in [-1, 1]."""
    return rearrange(torch.from_numpy(np.array(frames)), "t h w c -> 1 c t h w").float() / 127.5 - 1


def _per_channel(values: Float[Tensor, " c"]) -> Float[Tensor, "c 1 1 1"]:
    return values[:, None, None, None]


def _repeat_first(video: Video) -> Float[Tensor, "b 3 t+3 h w"]:
    if (video.shape[2] - 1) % TEMPORAL_STRIDE:
        raise ValueError(f"a video has {video.shape[2]} frames; the autoencoder takes 1 + 4k frames")
    return torch.cat([video[:, :, :1].expand(-1, -1, NUM_REPEATED, -1, -1), video], dim=2)
