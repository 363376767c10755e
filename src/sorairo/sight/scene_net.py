"""The networks that look at pixels: what each pixel shows, the light and the ground, and how the camera moves.

Never told what a prompt asked for, and never reads the world's facts: those are its teacher only in training.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from sorairo.world import CAMERA_MOVES, COLORS, GROUNDS, LIGHTS, SHAPES

PAINTS = (*COLORS, "wood", "grey")
"""Colours of things; wood and grey are for walls and ramps. The class after the last one is "nothing"."""
CELL = 2  # pixels along the side of a cell, the unit in which predictions are made
SCENE_WIDTHS = (24, 40, 80, 128)
HEAD_WIDTH = 40
CAMERA_FEATURES = 24
CAMERA_RADIUS = 3  # cells of 8 x 8 pixels that something may move between two pictures of the camera network
NUM_CAMERA_PICTURES = 7

Pictures = Float[Tensor, "b 3 h w"]


class ScenePrediction(NamedTuple):
    """Logits for each cell and for each picture.

    shape and tipped: where there is a thing. offset: from a cell to the middle of its thing, in cells, (y, x).
    """

    color: Float[Tensor, "b paints_and_none y x"]
    shape: Float[Tensor, "b shapes y x"]
    offset: Float[Tensor, "b 2 y x"]
    tipped: Float[Tensor, "b y x"]
    light: Float[Tensor, "b lights"]
    ground: Float[Tensor, "b grounds"]


def convolution(channels: int, out_channels: int, stride: int = 1) -> nn.Sequential:
    """3x3 convolution, batch norm, ReLU."""
    layer = nn.Conv2d(channels, out_channels, 3, stride, padding=1, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(out_channels), nn.ReLU())


class SceneNet(nn.Module):
    """One picture to cells of 2 x 2 pixels: a small feature pyramid (Lin et al. 2017, arXiv 1612.03144).

    Things are told apart by voting for their middles, as in Panoptic-DeepLab (Cheng et al. 2020, arXiv 1911.10194).
    Sides must be multiples of 16. Pixels in [-1, 1].
    """

    SPLIT = (len(PAINTS) + 1, len(SHAPES), 2, 1)

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = SCENE_WIDTHS
        self.stem = convolution(3, a, 2)
        self.down = nn.ModuleList(
            nn.Sequential(convolution(i, o, 2), convolution(o, o)) for i, o in ((a, b), (b, c), (c, d))
        )
        self.lateral = nn.ModuleList(nn.Conv2d(i, o, 1) for i, o in ((d, c), (c, b), (b, a)))
        self.up = nn.ModuleList([convolution(c, c), convolution(b, b), convolution(a, HEAD_WIDTH)])
        self.head = nn.Conv2d(HEAD_WIDTH, sum(self.SPLIT), 1)
        self.setting = nn.Linear(c + 2 * d, len(LIGHTS) + len(GROUNDS))

    def forward(self, pictures: Pictures) -> ScenePrediction:
        levels = [self.stem(pictures)]
        for down in self.down:
            levels.append(down(levels[-1]))
        x = levels.pop()
        setting = self.setting(torch.cat([levels[-1].mean((2, 3)), x.mean((2, 3)), x.amax((2, 3))], dim=1))
        for lateral, up in zip(self.lateral, self.up, strict=True):
            x = up(F.interpolate(lateral(x), scale_factor=2.0) + levels.pop())
        color, shape, offset, tipped = self.head(x).split(self.SPLIT, dim=1)
        light, ground = setting.split((len(LIGHTS), len(GROUNDS)), dim=1)
        return ScenePrediction(color, shape, offset * 8, tipped.squeeze(1), light, ground)


class CameraNet(nn.Module):
    """A few pictures of a clip, at half size, to logits of the camera's move.

    Sees motion only: neighbours in time are compared by a correlation volume (Dosovitskiy et al. 2015, FlowNet, arXiv
    1504.06852, section 3), so colours and shapes cannot hint at the answer.
    """

    def __init__(self) -> None:
        super().__init__()
        width, volume = CAMERA_FEATURES, (2 * CAMERA_RADIUS + 1) ** 2
        self.features = nn.Sequential(
            convolution(3, width, 2), convolution(width, width, 2), nn.Conv2d(width, width, 1)
        )
        self.flow = nn.Sequential(convolution(volume, 48), convolution(48, 32))
        self.pool = nn.AdaptiveAvgPool2d((4, 4))
        self.head = nn.Sequential(nn.Linear(32 * 16, 64), nn.ReLU())
        self.moves = nn.Linear(64, len(CAMERA_MOVES))

    def forward(self, pictures: Float[Tensor, "b k 3 h w"]) -> Float[Tensor, "b moves"]:
        batch = pictures.shape[0]
        features = F.normalize(self.features(rearrange(pictures, "b k c h w -> (b k) c h w")), dim=1)
        features = rearrange(features, "(b k) c h w -> b k c h w", b=batch)
        before, after = (rearrange(x, "b k c h w -> (b k) c h w") for x in (features[:, :-1], features[:, 1:]))
        flow = self.pool(self.flow(correlation(before, after, CAMERA_RADIUS)))
        pairs = rearrange(self.head(flow.flatten(1)), "(b k) d -> b k d", b=batch)
        moves: Tensor = self.moves(pairs.mean(1))
        return moves


def correlation(before: Tensor, after: Tensor, radius: int) -> Tensor:
    """[b c h w] twice to [b (2 radius + 1)^2 h w]: products of each place with its neighbourhood a moment later."""
    height, width = before.shape[-2:]
    padded = F.pad(after, (radius,) * 4)
    reach = range(2 * radius + 1)
    return torch.stack(
        [(before * padded[..., dy : dy + height, dx : dx + width]).sum(1) for dy in reach for dx in reach], dim=1
    )
