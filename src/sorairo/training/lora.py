"""Low-rank additions to a transformer's matrices (Hu et al. 2021, LoRA, arXiv 2106.09685, section 4.1).

A few lines on PyTorch's own parametrizations: `peft` would bring transformers and accelerate along, and its files could
not be read by what loads a model here. What is trained is merged into plain weights, so a model stays one folder.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

_MARK = ".parametrizations.weight."


class LowRank(nn.Module):
    """W + up @ down: nothing at first, and of at most ``rank``."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        rows, columns = weight.shape
        self.down = nn.Parameter(torch.randn(rank, columns, device=weight.device) / math.sqrt(columns))
        self.up = nn.Parameter(torch.zeros(rows, rank, device=weight.device))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.up @ self.down


def add_low_rank(model: nn.Module, rank: int) -> None:
    """Freezes ``model`` and adds to the matrix of every linear layer inside its blocks what alone is trained then."""
    model.requires_grad_(False)
    layers = [layer for name, layer in model.named_modules() if isinstance(layer, nn.Linear) and "blocks." in name]
    for layer in layers:
        parametrize.register_parametrization(layer, "weight", LowRank(layer.weight, rank))


def merged(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of a model with low-rank additions as that of one without; of one without as it is."""
    plain = {}
    for name, value in weights.items():
        stem, mark, part = name.partition(_MARK)
        if not mark:
            plain[name] = value
        elif part == "original":
            up, down = (weights[f"{stem}{_MARK}0.{factor}"] for factor in ("up", "down"))
            plain[f"{stem}.weight"] = value + up @ down
    return plain
