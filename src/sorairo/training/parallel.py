"""One process or many: the same loop runs alone, and under `torchrun` with sharded weights. Never computes a loss.

FSDP2 (`fully_shard`) splits weights, gradients and optimizer state over processes; each process works on its part of
every global batch, so two processes see the losses of one.
"""

from __future__ import annotations

import os
import time
import warnings
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor

CPU = torch.device("cpu")
PATIENCE = timedelta(hours=24)  # of the others, while the first process makes the data and trains the autoencoder


@dataclass(frozen=True)
class Workers:
    """How many processes train together, and which one this is."""

    index: int = 0
    number: int = 1
    device: torch.device = CPU

    @property
    def is_first(self) -> bool:
        return self.index == 0

    @property
    def share(self) -> slice:
        """What this process takes of a global batch: every ``number``-th example."""
        return slice(self.index, None, self.number)

    def mean(self, value: Tensor) -> Tensor:
        """Mean of a number over all processes."""
        if self.number == 1:
            return value
        total = value.detach().clone()
        dist.all_reduce(total)
        return total / self.number

    def wait(self) -> None:
        """Waits for all processes; nothing to do alone."""
        if self.number > 1:
            dist.barrier()

    def agree(self, decision: bool) -> bool:
        """The first process's decision, in every process."""
        if self.number == 1:
            return decision
        own = torch.tensor(float(decision and self.is_first), device=self.device)
        return bool(self.mean(own).item() > 0)


class Alarm:
    """Rings every ``minutes``, by the first process's clock, so that all processes act at the same step."""

    def __init__(self, minutes: float, workers: Workers) -> None:
        self._seconds, self._workers = 60 * minutes, workers
        self._since = time.monotonic()

    def rings(self) -> bool:
        """Whether it is time; then starts anew."""
        due = self._workers.agree(time.monotonic() - self._since > self._seconds)
        if due:
            self._since = time.monotonic()
        return due


def join() -> Workers:
    """Joins the processes that `torchrun` started, each with a card of its own where there are cards."""
    number, local = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if torch.cuda.is_available() else CPU
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.set_float32_matmul_precision("high")  # for Muon's products
    if number > 1 and not dist.is_initialized():
        dist.init_process_group(
            "nccl" if device.type == "cuda" else "gloo",
            timeout=PATIENCE,
            device_id=device if device.type == "cuda" else None,
        )
    return Workers(int(os.environ.get("RANK", "0")), number, device)


def leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def shard(model: nn.Module, blocks: nn.ModuleList, workers: Workers) -> None:
    """Splits ``model`` over the processes, block by block; alone, leaves it as it is."""
    if workers.number == 1:
        return
    warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view")  # which nothing changes in place
    mesh = init_device_mesh(workers.device.type, (workers.number,))
    for block in blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor that may be sharded; every process must call it."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def gathered(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Whole tensors on the CPU of a state that may be sharded; every process must call it."""
    return {name: whole(value).detach().cpu() for name, value in weights.items()}
