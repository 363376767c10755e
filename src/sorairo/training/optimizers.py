"""Muon for matrices, AdamW for the rest, and the moving average of weights.

Muon: Jordan et al. 2024, "Muon: an optimizer for hidden layers in neural networks"; convolutions are matrices of
[out, in * taps]. PyTorch's own Muon takes neither convolutions nor sharded tensors, which is why it is written here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from sorairo.models.precision import fast_bfloat16
from sorairo.training.parallel import whole
from sorairo.training.recipe import Schedule

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
NUM_ITERATIONS = 5


def orthogonalise(matrix: Tensor, bfloat16: bool = False) -> Tensor:
    """The nearest half-orthogonal matrix, or each of a stack, roughly: singular values end within about [0.7, 1.2].

    Five steps of the quintic Newton-Schulz iteration with the coefficients of Jordan et al. 2024. They bear rounding
    to ``bfloat16``, which is done where it is wanted and fast.
    """
    a, b, c = COEFFICIENTS
    wide = matrix.mT if matrix.shape[-2] > matrix.shape[-1] else matrix
    x: Tensor = wide / (torch.linalg.matrix_norm(wide, keepdim=True) + 1e-7)
    x = x.bfloat16() if bfloat16 and fast_bfloat16(x.device) else x
    for _ in range(NUM_ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if wide is not matrix else x).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Momentum, made orthogonal. The step is scaled by sqrt(max(1, out / in)), so one rate fits all shapes."""

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        bfloat16: bool = False,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.bfloat16 = bfloat16

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        assert closure is None
        for group in self.param_groups:
            by_shape = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape[parameter.shape].append(parameter)
            for same in by_shape.values():  # together: one by one, they leave a card idle
                self._step_some(same, group)

    def _step_some(self, parameters: list[nn.Parameter], group: dict[str, Any]) -> None:
        directions = [self._direction(parameter, group["momentum"]) for parameter in parameters]
        stack = torch.stack([whole(direction) for direction in directions]).flatten(2)  # as FSDP shards them: gathered
        scale = max(1.0, stack.shape[1] / stack.shape[2]) ** 0.5
        updates = (orthogonalise(stack, self.bfloat16) * scale).view(len(stack), *parameters[0].shape)
        for parameter, direction, update in zip(parameters, directions, updates, strict=True):
            if isinstance(direction, DTensor):  # every process has computed the same whole: none needs to be told
                update = distribute_tensor(update, direction.device_mesh, direction.placements, src_data_rank=None)
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(update, alpha=-group["lr"])

    def _direction(self, parameter: nn.Parameter, momentum: float) -> Tensor:
        gradient, state = parameter.grad, self.state[parameter]
        assert gradient is not None
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(state["momentum"], momentum)  # Nesterov


class Optimizers:
    """Both optimizers of a model, stepped together. ``heads`` are names of layers whose matrices stay with AdamW."""

    def __init__(
        self, model: nn.Module, schedule: Schedule, heads: tuple[str, ...] = (), bfloat16: bool = False
    ) -> None:
        self.schedule = schedule
        learnt = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
        hidden = {name for name in learnt if name.endswith("weight") and not name.startswith(heads)}
        matrices = [parameter for name, parameter in learnt.items() if name in hidden and parameter.ndim > 1]
        others = [parameter for name, parameter in learnt.items() if name not in hidden or parameter.ndim <= 1]
        rate, decay = schedule.muon_learning_rate, schedule.weight_decay
        # None where only small additions to a model are trained.
        self.muon = Muon(matrices, rate, weight_decay=decay, bfloat16=bfloat16) if matrices else None
        self.adamw = torch.optim.AdamW(others, schedule.adamw_learning_rate, betas=(0.9, 0.99), weight_decay=0.0)

    @property
    def all(self) -> list[torch.optim.Optimizer]:
        return [self.muon, self.adamw] if self.muon else [self.adamw]

    def step(self, step: int) -> None:
        """Changes the weights with the rates of ``step`` and clears the gradients."""
        factor = self.schedule.factor(step)
        rates = (self.schedule.muon_learning_rate, self.schedule.adamw_learning_rate)
        for optimizer, rate in zip(self.all, rates[-len(self.all) :], strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)


class MovingAverage:
    """Exponential moving average of a model's weights; short at first, so that the start is forgotten soon."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        decay = min(self.decay, (step + 1) / (step + 10))
        for name, value in model.state_dict().items():
            self.weights[name].lerp_(value.to(self.weights[name].dtype), 1 - decay)
