"""What changes in a training, its steps, and its full state on disk: weights, optimizers, moving average, step.

PyTorch's distributed checkpoints (DCP), each written whole or not at all: the same folder resumes on any number of
processes. Random numbers and the place in the data need no state: both are functions of the step.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from sorairo.training.journal import Journal, Noted
from sorairo.training.optimizers import MovingAverage, Optimizers
from sorairo.training.parallel import Alarm, Workers
from sorairo.training.prefetch import batches
from sorairo.training.recipe import RunConfig

KEPT = 2
MAX_GRADIENT_NORM = 1.0
BatchT = TypeVar("BatchT")


@dataclass(frozen=True)
class TrainingState:
    """What changes in a training, and the ``folder`` where it is kept as step-N after N steps."""

    folder: Path
    model: nn.Module
    optimizers: Optimizers
    average: MovingAverage
    workers: Workers

    @classmethod
    def begun(cls, folder: Path, model: nn.Module, optimizers: Optimizers, workers: Workers) -> TrainingState:
        """Of a training before its first step."""
        return cls(folder, model, optimizers, MovingAverage(model, optimizers.schedule.ema_decay), workers)

    def update(self, step: int) -> Tensor:
        """Changes the weights by their gradients, which are cut, and returns the norm that these had before."""
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRADIENT_NORM)
        self.optimizers.step(step)
        self.average.update(self.model, step)
        return norm

    def run(self, draw: Callable[[int], BatchT], learn: Callable[[int, BatchT], Noted], config: RunConfig) -> None:
        """Trains in one process, from the newest checkpoint to the last step; the model then has the averaged weights.

        ``draw`` makes the batch of a step; ``learn`` changes the weights by it, and says what is noted.
        """
        steps = range(self.restore(), self.optimizers.schedule.steps)
        saving = Alarm(config.minutes_per_checkpoint, self.workers)
        with Journal(self.folder.parent, self.folder.name, steps, config.seconds_per_line) as journal:
            for step, batch in zip(steps, batches(draw, steps, self.workers.device), strict=True):
                journal.add(step, learn(step, batch))
                if saving.rings():
                    self.save(step + 1)
        if steps:
            self.save(steps.stop)
        self.model.load_state_dict(self.average.weights)

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
            save(self._tree(step), checkpoint_id=unfinished, no_dist=self.workers.number == 1)
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
            load(tree, checkpoint_id=found[-1], no_dist=self.workers.number == 1)
        set_state_dict(
            self.model, self.optimizers.all, model_state_dict=tree["model"], optim_state_dict=tree["optimizers"]
        )
        self.average.weights.update(tree["average"])
        return int(tree["step"].item())

    def checkpoints(self) -> list[Path]:
        """Finished checkpoints, the oldest first."""
        return sorted(self.folder.glob("step-*"))

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
