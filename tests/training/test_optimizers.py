"""Muon by its closed forms, which parameters it takes, and the moving average."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from sorairo.config import DiTConfig, VideoVAEConfig
from sorairo.models.dit import DiT
from sorairo.models.video_vae import VideoVAE
from sorairo.training.dit_loop import HEADS
from sorairo.training.optimizers import MovingAverage, Muon, Optimizers, orthogonalise
from sorairo.training.recipe import Schedule

SCHEDULE = Schedule(steps=100, decay_steps=10, warmup_steps=1, muon_learning_rate=0.1, adamw_learning_rate=0.01)


@pytest.mark.parametrize("size", [(8, 8), (6, 20), (20, 6), (1, 5), (64, 48)])
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_orthogonalise_brings_every_singular_value_near_one(size: tuple[int, int], scale: float) -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalise(scale * torch.randn(size)))
    assert values.min() > 0.3  # the smallest of a random square matrix comes from far below
    assert values.max() < 1.3


def test_orthogonalise_keeps_the_singular_vectors() -> None:
    torch.manual_seed(0)
    left, _, right = torch.linalg.svd(torch.randn(6, 10), full_matrices=False)
    matrix = left @ torch.diag(torch.linspace(1, 2, 6)) @ right
    inner = left.T @ orthogonalise(matrix) @ right.T
    off_diagonal = inner - inner.diag().diag()
    assert off_diagonal.abs().max() < 1e-4
    assert ((inner.diag() > 0.6) & (inner.diag() < 1.3)).all()


def test_orthogonalise_commutes_with_transposition_and_keeps_zero() -> None:
    matrix = torch.randn(5, 9)
    torch.testing.assert_close(orthogonalise(matrix.T), orthogonalise(matrix).T)
    assert torch.equal(orthogonalise(torch.zeros(3, 4)), torch.zeros(3, 4))


def test_a_stack_is_its_matrices_one_by_one() -> None:
    for size in ((3, 4, 7), (3, 7, 4)):
        stack = torch.randn(size)
        torch.testing.assert_close(orthogonalise(stack), torch.stack([orthogonalise(matrix) for matrix in stack]))


def test_half_precision_is_close() -> None:
    torch.manual_seed(0)
    matrix = torch.randn(16, 32)
    exact, rough = orthogonalise(matrix), orthogonalise(matrix, bfloat16=True)
    assert rough.dtype == torch.float32
    assert (rough - exact).norm() < 0.06 * exact.norm()


def test_one_step_of_muon_in_closed_form() -> None:
    """Fresh momentum of gradient g is 0.05 g, so the Nesterov direction points along g: only the direction counts."""
    torch.manual_seed(0)
    weight, gradient = nn.Parameter(torch.randn(8, 2)), torch.randn(8, 2)
    before, weight.grad = weight.detach().clone(), gradient
    Muon([weight], lr=0.1, weight_decay=0.5).step()
    expected = before * (1 - 0.1 * 0.5) - 0.1 * math.sqrt(8 / 2) * orthogonalise(gradient)
    torch.testing.assert_close(weight.detach(), expected)


def test_two_steps_of_muon_use_momentum() -> None:
    torch.manual_seed(0)
    weight, first, second = nn.Parameter(torch.zeros(3, 4)), torch.randn(3, 4), torch.randn(3, 4)
    muon = Muon([weight], lr=1.0, momentum=0.9)
    for gradient in (first, second):
        weight.grad = gradient
        muon.step()
    momentum = 0.9 * 0.1 * first + 0.1 * second
    expected = -orthogonalise(first) - orthogonalise(0.1 * second + 0.9 * momentum)
    torch.testing.assert_close(weight.detach(), expected)


def test_matrices_of_one_shape_step_as_if_alone() -> None:
    torch.manual_seed(0)
    gradients = [torch.randn(size) for size in ((4, 6), (6, 4), (4, 6))]
    together, alone = ([nn.Parameter(torch.ones_like(each)) for each in gradients] for _ in range(2))
    for weight, gradient in zip(together + alone, 2 * gradients, strict=True):
        weight.grad = gradient
    for weights in (together, *([weight] for weight in alone)):
        Muon(weights, lr=0.1).step()
    torch.testing.assert_close(together, alone)


def test_a_convolution_is_a_matrix_of_outputs_by_inputs_and_taps() -> None:
    torch.manual_seed(0)
    convolution, gradient = nn.Conv2d(3, 5, 3, bias=False), torch.randn(5, 3, 3, 3)
    before, convolution.weight.grad = convolution.weight.detach().clone(), gradient
    Muon(convolution.parameters(), lr=0.1).step()
    step = (before - convolution.weight.detach()) / 0.1
    torch.testing.assert_close(step, orthogonalise(gradient.flatten(1)).view_as(step))


def test_a_parameter_without_a_gradient_stays() -> None:
    weight = nn.Parameter(torch.ones(2, 2))
    Muon([weight], lr=1.0, weight_decay=0.5).step()
    assert torch.equal(weight.detach(), torch.ones(2, 2))


def test_hidden_matrices_go_to_muon_and_all_else_to_adamw() -> None:
    dit = DiT(DiTConfig(depth=2, latent_channels=4))
    optimizers = Optimizers(dit, SCHEDULE, HEADS)
    matrices = {id(parameter) for parameter in optimizers.muon.param_groups[0]["params"]}
    others = {id(parameter) for parameter in optimizers.adamw.param_groups[0]["params"]}
    named = dict(dit.named_parameters())
    assert matrices | others == {id(parameter) for parameter in named.values()}
    assert not matrices & others
    by_muon = {name for name, parameter in named.items() if id(parameter) in matrices}
    assert all(name.startswith("blocks.") and name.endswith(".weight") for name in by_muon)
    assert "blocks.0.self_attention.query_key_value.weight" in by_muon
    assert "blocks.0.cross_norm.weight" not in by_muon


def test_the_autoencoders_last_layer_stays_with_adamw() -> None:
    vae = VideoVAE(VideoVAEConfig(4, (8, 8, 16), (8, 8, 16), 1, 1))
    last = f"decoder.layers.{len(vae.decoder.layers) - 1}"
    matrices = {id(parameter) for parameter in Optimizers(vae, SCHEDULE, (last,)).muon.param_groups[0]["params"]}
    left = [name for name, parameter in vae.named_parameters() if parameter.ndim > 1 and id(parameter) not in matrices]
    assert left == [f"{last}.weight"]


def test_rates_follow_the_schedule_and_gradients_are_cleared() -> None:
    linear = nn.Linear(3, 3)
    optimizers = Optimizers(linear, SCHEDULE)
    linear(torch.ones(1, 3)).sum().backward()
    optimizers.step(95)  # five of the ten last steps are left
    assert optimizers.muon.param_groups[0]["lr"] == pytest.approx(0.05)
    assert optimizers.adamw.param_groups[0]["lr"] == pytest.approx(0.005)
    assert all(parameter.grad is None for parameter in linear.parameters())


def test_both_optimizers_lower_a_loss() -> None:
    torch.manual_seed(0)
    net, x = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2)), torch.randn(32, 4)
    target, optimizers, losses = torch.stack([x[:, 0] * x[:, 1], x[:, 2]], 1), Optimizers(net, SCHEDULE), []
    for step in range(100):
        loss = (net(x) - target).square().mean()
        loss.backward()
        optimizers.step(step)
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]


def test_the_average_of_constant_weights_is_constant() -> None:
    linear = nn.Linear(2, 2)
    average = MovingAverage(linear, 0.9)
    for step in range(5):
        average.update(linear, step)
    assert torch.equal(average.weights["weight"], linear.weight)
    assert not average.weights["weight"].requires_grad


def test_the_average_in_closed_form() -> None:
    """From step 80 on, (s + 1) / (s + 10) passes 0.9 and the decay stays there; before, it is shorter."""
    linear = nn.Linear(1, 1, bias=False)
    average, expected = MovingAverage(linear, 0.9), linear.weight.item()
    for step, value in [(0, 1.0), (1, 2.0), (500, 3.0)]:
        nn.init.constant_(linear.weight, value)
        average.update(linear, step)
        decay = min(0.9, (step + 1) / (step + 10))
        expected = decay * expected + (1 - decay) * value
    assert average.weights["weight"].item() == pytest.approx(expected)


def test_buffers_are_averaged_too() -> None:
    vae = VideoVAE(VideoVAEConfig(4, (8, 8, 16), (8, 8, 16), 1, 1))
    assert set(MovingAverage(vae, 0.9).weights) == set(vae.state_dict())
