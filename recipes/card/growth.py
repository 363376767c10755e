"""Start weights of a transformer for a deeper and wider one that answers almost the same, and can learn more.

After Chen et al. 2016, Net2Net (arXiv 1511.05641): old numbers lie in the first channels of each group, what is new is
read by nothing old, writes nothing yet, and starts as drawn. Layers are added as silent copies of their neighbours.
The stream's new channels are zero, so layer norms over it give numbers larger by a known factor, which the scales take
back; what is left comes from the stream's mean, which is not quite zero.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from sorairo.config import DiTConfig
from sorairo.models.dit import DiT

WRITES = re.compile(r"(patches_in|picture_in|^blocks.*(attention\.output|mlp\.2))\.weight")  # add to the stream
READS = re.compile(r"^blocks.*(query_key_value|attention\.query|mlp\.0)\.weight")  # see the stream only, through a norm
GATE = 0.05  # of a new channel, beyond the mean of the old ones: a closed one would learn nothing


def grow(old: Mapping[str, Tensor], before: DiTConfig, after: DiTConfig) -> dict[str, Tensor]:
    """Weights for ``after``, of the same depth as ``before``, when nothing changes, or of up to twice as much.

    Raises:
        ValueError: the depth is less, or more than twice.
    """
    if not before.depth <= after.depth <= 2 * before.depth:
        raise ValueError(f"depth is {after.depth}; a start of depth {before.depth} grows up to {2 * before.depth}")
    new, layers = DiT(after).state_dict(), added_layers(before.depth, after.depth)
    for name, value in new.items():
        source, copied = name, False
        if found := re.search(r"blocks\.(\d+)", name):
            layer, copied = layers[int(found[1])]
            source = name.replace(found[0], f"blocks.{layer}")
        _fill(name, value, old[source], before.width, after.width)
        if copied and name.startswith("blocks") and re.search(r"(attention\.output|mlp\.2)\.", name):
            value.zero_()
    return new


def added_layers(before: int, after: int) -> list[tuple[int, bool]]:
    """For each layer of the deeper model the one it comes from, and whether it is that one's silent copy."""
    copied = {int((k + 0.5) * before / (after - before)) for k in range(after - before)}
    return [(layer, copy) for layer in range(before) for copy in ((False, True) if layer in copied else (False,))]


def _fill(name: str, value: Tensor, old: Tensor, before: int, after: int) -> None:
    """Writes ``old`` into the fresh ``value``, and takes back what the wider stream changes."""
    places = [_places(*sizes, before, after) for sizes in zip(old.shape, value.shape, strict=True)]
    if name.endswith("weight") and value.ndim == 2 and not READS.search(name):
        value[places[0]] = 0  # the old do not read the new
    value[torch.meshgrid(*places, indexing="ij")] = old
    if WRITES.search(name):
        value[before:] = 0
    keep = (before / after) ** 0.5  # a norm over a stream with empty channels divides by that much less
    if name.endswith("cross_norm.weight"):
        value *= keep
    if name.endswith("offsets"):
        value[1::3] *= keep
        value[2::3, before:] = value[2::3, :before].abs().mean(1, keepdim=True) + GATE
    if "modulation" in name:
        value.unflatten(0, (-1, after))[1::3] *= keep  # rows: shift, scale, gate; the head has no gate


def _places(size: int, new_size: int, before: int, after: int) -> Tensor:
    """Where an axis made of groups of ``before`` channels goes in one of groups of ``after``; other axes stay."""
    index = torch.arange(size)
    return index if size == new_size else index // before * after + index % before
