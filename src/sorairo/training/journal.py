"""What a training says while it runs: lines of JSON, TensorBoard, and one line to the terminal. Never trains."""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from sorairo.pipelines.progress import ProgressLines

NUM_LEVEL_BINS = 5


class DivergedError(RuntimeError):
    """The numbers of a training are no longer finite; its last checkpoints may already be lost to it, too."""


def require_tensorboard() -> None:
    """Raises ValueError where TensorBoard is not installed: better before an hour of preparation than after."""
    if find_spec("tensorboard") is None:
        raise ValueError("training needs TensorBoard, which is not installed: pip install 'sorairo[train]'")


print_progress = ProgressLines()
"""To the terminal, of whatever stages there are."""


class Noted(NamedTuple):
    """What a step tells: how much it did, some numbers, and perhaps the loss and noise level of clips, each [b]."""

    num_samples: int
    numbers: dict[str, Tensor]
    num_operations: float = 0.0
    by_level: tuple[Tensor, Tensor] | None = None


class Journal:
    """Collects numbers of every step of ``steps`` and writes their means every few seconds.

    Only the first process of a run has one. A run that goes on drops the lines after its checkpoint, whose steps are
    done again. ``ceiling``: the operations per second that this machine reaches, for the share of peak.
    """

    def __init__(
        self, folder: Path, name: str, steps: range, seconds_per_line: float = 15.0, ceiling: float = math.inf
    ) -> None:
        from torch.utils.tensorboard import SummaryWriter

        folder.mkdir(parents=True, exist_ok=True)
        self._lines = _continued(folder / f"{name}.jsonl", steps.start).open("a")
        self._board = SummaryWriter(str(folder / "tensorboard" / name), purge_step=steps.start)
        self._name, self._steps = name, steps
        self._seconds_per_line, self._ceiling = seconds_per_line, ceiling
        self._noted, self._since = list[Noted](), time.monotonic()

    def add(self, step: int, noted: Noted) -> None:
        """Notes what ``step`` (counted from 0) did; call it once each step.

        Raises:
            DivergedError: a mean is not finite.
        """
        self._noted.append(noted)
        if time.monotonic() - self._since >= self._seconds_per_line or step + 1 == self._steps.stop:
            self._write(step + 1)

    def picture(self, step: int, name: str, pixels: Tensor) -> None:
        """Shows a picture uint8 [h w 3] on the board."""
        self._board.add_image(name, pixels, step, dataformats="HWC")

    def _write(self, step: int) -> None:
        found = means(self._noted) | self._rates()
        for key, value in found.items():
            if not math.isfinite(value):
                raise DivergedError(f"{self._name}: {key} is {value} at step {step}; try lower learning rates")
        self._lines.write(json.dumps({"step": step, **found}) + "\n")
        self._lines.flush()
        for key, value in found.items():
            self._board.add_scalar(f"{self._name}/{key}", value, step)
        print(self._summary(step, found), flush=True)
        self._noted, self._since = [], time.monotonic()

    def _rates(self) -> dict[str, float]:
        seconds, samples = max(time.monotonic() - self._since, 1e-9), sum(each.num_samples for each in self._noted)
        rates = {"seconds_per_step": seconds / len(self._noted), "samples_per_second": samples / seconds}
        if operations := sum(each.num_operations for each in self._noted):
            rates["share_of_peak"] = operations / seconds / self._ceiling
        return rates

    def _summary(self, step: int, found: dict[str, float]) -> str:
        minutes = (self._steps.stop - step) * found["seconds_per_step"] / 60
        shown = "  ".join(f"{key} {value:.4g}" for key, value in found.items() if "level" not in key)
        return f"{self._name} {step}/{self._steps.stop}  {shown}  {minutes:.0f} min left"

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._board.close()


def _continued(path: Path, step: int) -> Path:
    """The log without lines after ``step``, nor a half one that a kill has left."""
    if path.exists():
        lines = path.read_text().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
        path.write_text("".join(whole))
    return path


def means(noted: Sequence[Noted]) -> dict[str, float]:
    """Of each number over the steps that have it. Tensors are read only here: it makes an accelerator wait."""
    numbers = defaultdict(list)
    for name, value in (pair for each in noted for pair in each.numbers.items()):
        numbers[name].append(value)
    found = {name: torch.stack(values).mean().item() for name, values in numbers.items()}
    by_level = [each.by_level for each in noted if each.by_level is not None]
    if by_level:
        losses, levels = (torch.cat(parts).cpu() for parts in zip(*by_level, strict=True))
        found |= loss_by_level(losses, levels)
    return found


def loss_by_level(losses: Tensor, levels: Tensor) -> dict[str, float]:
    """Mean loss in equal bins of the noise level: {"loss_level_0.2": ...}, named by each bin's upper end."""
    index = (levels * NUM_LEVEL_BINS).long().clamp(max=NUM_LEVEL_BINS - 1)
    return {
        f"loss_level_{(number + 1) / NUM_LEVEL_BINS:.1f}": losses[index == number].mean().item()
        for number in sorted(set(index.tolist()))
    }


def matmul_ceiling(device: torch.device, dtype: torch.dtype, seconds: float = 0.3) -> float:
    """Floating-point operations per second that this machine's own square products reach: a training's ceiling."""
    side = 8192 if device.type == "cuda" else 1024
    matrix = torch.randn(side, side, dtype=dtype, device=device)
    count, start = -1, 0.0
    while count < 0 or time.perf_counter() - start < seconds:
        (matrix @ matrix)[0, 0].item()  # waits for an accelerator
        count += 1
        start = start if count else time.perf_counter()  # the first is for warming up
    return 2 * side**3 * count / (time.perf_counter() - start)
