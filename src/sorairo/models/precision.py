"""Where half precision is fast: products are rounded to bfloat16, sums stay in float32. Never trains, never samples."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def fast_bfloat16(device: torch.device) -> bool:
    """Whether ``device`` multiplies bfloat16 in hardware; a processor without is hundreds of times slower at it."""
    return device.type == "cuda" or bool(torch.cpu._is_avx512_bf16_supported())


def autocast(device: torch.device, wanted: bool = True) -> torch.autocast:
    """Runs products in bfloat16 where that is ``wanted`` and fast."""
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted and fast_bfloat16(device))


def with_half_weights(module: ModuleT, device: torch.device) -> ModuleT:
    """``module`` on ``device`` with the weights of its linear maps as `autocast` would round them at every call.

    Its answers are the same, only sooner; it can no longer be run without `autocast`.
    """
    if fast_bfloat16(device):
        for part in module.modules():
            if isinstance(part, nn.Linear):
                part.bfloat16()
    return module.to(device)
