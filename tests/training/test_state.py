"""Checkpoints: whole or absent, the last two kept, and a training that goes on as if nothing had happened."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sorairo.training.optimizers import Optimizers
from sorairo.training.parallel import Workers
from sorairo.training.recipe import Schedule
from sorairo.training.state import TrainingState

SCHEDULE = Schedule(steps=100, decay_steps=10, warmup_steps=5, muon_learning_rate=0.02, adamw_learning_rate=0.01)
X = torch.randn(16, 4, generator=torch.Generator().manual_seed(0))


def training(folder: Path, seed: int = 0, width: int = 8) -> TrainingState:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 1))
    return TrainingState.begun(folder, model, Optimizers(model, SCHEDULE), Workers())


def advance(state: TrainingState, steps: range) -> list[float]:
    losses = []
    for step in steps:
        loss = (state.model(X).squeeze(1) - X.prod(1)).square().mean()
        loss.backward()
        state.update(step)
        losses.append(loss.item())
    return losses


def weights(state: TrainingState) -> list[Tensor]:
    return [*state.model.state_dict().values(), *state.average.weights.values()]


def test_a_restored_training_goes_on_with_the_same_losses_bit_for_bit(tmp_path: Path) -> None:
    straight = training(tmp_path / "straight")
    expected = advance(straight, range(10))
    before = training(tmp_path / "state")
    advance(before, range(4))
    before.save(4)
    after = training(tmp_path / "state", seed=1)
    assert after.restore() == 4
    assert advance(after, range(4, 10)) == expected[4:]
    assert all(torch.equal(a, b) for a, b in zip(weights(after), weights(straight), strict=True))


def test_saving_changes_nothing(tmp_path: Path) -> None:
    one, other = training(tmp_path / "one"), training(tmp_path / "other")
    losses = []
    for step in range(6):
        losses += advance(one, range(step, step + 1))
        one.save(step + 1)
    assert losses == advance(other, range(6))


def test_nothing_to_restore_is_step_nought(tmp_path: Path) -> None:
    state = training(tmp_path / "none")
    before = [tensor.clone() for tensor in weights(state)]
    assert state.restore() == 0
    assert all(torch.equal(a, b) for a, b in zip(before, weights(state), strict=True))


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    state = training(tmp_path)
    for step in (3, 9, 10, 200):
        state.save(step)
    assert [path.name for path in state.checkpoints()] == ["step-00000010", "step-00000200"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000010", "step-00000200"]
    assert training(tmp_path).restore() == 200


def test_the_same_step_can_be_saved_again(tmp_path: Path) -> None:
    state = training(tmp_path)
    state.save(1)
    advance(state, range(3))
    state.save(1)
    again = training(tmp_path, seed=1)
    again.restore()
    assert all(torch.equal(a, b) for a, b in zip(weights(state), weights(again), strict=True))


def test_what_a_kill_left_half_written_does_not_count(tmp_path: Path) -> None:
    state = training(tmp_path)
    state.save(2)
    (tmp_path / "unfinished").mkdir()
    (tmp_path / "unfinished" / "__0_0.distcp").write_bytes(b"half")
    assert training(tmp_path).restore() == 2
    state.save(3)
    assert training(tmp_path).restore() == 3
    assert not (tmp_path / "unfinished").exists()


@pytest.mark.parametrize("part", [".metadata", "__0_0.distcp"])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, part: str) -> None:
    state = training(tmp_path)
    state.save(2)
    (tmp_path / "step-00000002" / part).unlink()
    with pytest.raises(ValueError, match=r"step-00000002 is damaged or of another model \(delete it"):
        state.restore()


def test_a_checkpoint_of_another_model_is_named(tmp_path: Path) -> None:
    training(tmp_path).save(2)
    with pytest.raises(ValueError, match="step-00000002 is damaged or of another model") as caught:
        training(tmp_path, width=12).restore()
    assert "\n" not in str(caught.value)


def test_a_place_that_cannot_be_written_is_named_and_the_last_checkpoint_stays(tmp_path: Path) -> None:
    state = training(tmp_path)
    state.save(2)
    (tmp_path / "unfinished").touch()  # a file where the folder must be
    with pytest.raises(OSError, match="unfinished: the checkpoint cannot be written") as caught:
        state.save(3)
    assert "\n" not in str(caught.value)
    assert training(tmp_path).restore() == 2
