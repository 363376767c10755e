"""Where half precision is fast. Never changes weights: products are rounded, sums and parameters stay in float32."""

from __future__ import annotations

import torch


def fast_bfloat16(device: torch.device) -> bool:
    """Whether ``device`` multiplies bfloat16 in hardware; a processor without is hundreds of times slower at it."""
    return device.type == "cuda" or bool(torch.cpu._is_avx512_bf16_supported())


def autocast(device: torch.device, wanted: bool = True) -> torch.autocast:
    """Runs products in bfloat16 where that is ``wanted`` and fast."""
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted and fast_bfloat16(device))
