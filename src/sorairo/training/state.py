"""The full state of a training on disk: weights, optimizers, moving average, step. Written whole or not at all.

PyTorch's distributed checkpoints (DCP): the same folder resumes on any number of processes. Random numbers and the
place in the data need no state: both are functions of the step.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from sorairo.training.optimizers import MovingAverage, Optimizers
from sorairo.training.parallel import Workers

KEPT = 2


@dataclass(frozen=True)
class TrainingState:
    """What changes in a training, and the ``folder`` where it is kept as step-N after N steps."""

    folder: Path
    model: nn.Module
    optimizers: Optimizers
    average: MovingAverage
    workers: Workers

    def save(self, step: int) -> None:
        """Writes the state after ``step`` steps, through a temporary folder, and drops all but the last two.

        Raises:
            OSError: the disk is full or the folder cannot be written; the checkpoints before are untouched.
        """
        unfinished = self.folder / "unfinished"
        if self.workers.is_first:
            shutil.rmtree(unfinished, ignore_errors=True)
            self.folder.mkdir(parents=True, exist_ok=True)
        self.workers.wait()
        with _plainly(OSError, f"{unfinished}: the checkpoint cannot be written"):
            save(self._tree(step), checkpoint_id=unfinished, no_dist=self._alone)
        self.workers.wait()
        if self.workers.is_first:
            finished = self.folder / f"step-{step:08d}"
            shutil.rmtree(finished, ignore_errors=True)
            unfinished.rename(finished)
            for old in self.checkpoints()[:-KEPT]:
                shutil.rmtree(old)

    def restore(self) -> int:
        """Loads the newest checkpoint and returns how many steps it has seen; 0 where there is none.

        Raises:
            ValueError: it is damaged, or of another model than the recipe's.
        """
        found = self.checkpoints()
        if not found:
            return 0
        tree = self._tree(0)
        advice = "delete it to go on from the one before, or train another model in another folder"
        with _plainly(ValueError, f"{found[-1]} is damaged or of another model ({advice})"):
            load(tree, checkpoint_id=found[-1], no_dist=self._alone)
        set_state_dict(
            self.model, self.optimizers.all, model_state_dict=tree["model"], optim_state_dict=tree["optimizers"]
        )
        self.average.weights.update(tree["average"])
        return int(tree["step"].item())

    def checkpoints(self) -> list[Path]:
        """Finished checkpoints, the oldest first."""
        return sorted(self.folder.glob("step-*"))

    @property
    def _alone(self) -> bool:
        return self.workers.number == 1

    def _tree(self, step: int) -> dict[str, Any]:
        weights, optimizer_state = get_state_dict(self.model, self.optimizers.all)
        return {
            "step": torch.tensor(step),
            "model": weights,
            "optimizers": optimizer_state,
            "average": self.average.weights,
        }


@contextmanager
def _plainly(kind: type[Exception], message: str) -> Iterator[None]:
    """DCP without its warning that there is but one process, and with an exception of one line, not of many stacks."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "torch.distributed is disabled", UserWarning)
            yield
    except CheckpointException as failure:
        cause = next(iter(failure.failures.values()))[0]
        raise kind(f"{message}: {next(iter(str(cause).splitlines()), type(cause).__name__)}") from failure
