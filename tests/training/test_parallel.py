"""Processes that work together: each its share, one clock, and alone no process group at all."""

from __future__ import annotations

from itertools import chain
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from sorairo.training import parallel
from sorairo.training.parallel import Alarm, Workers


def test_alone_nothing_is_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    workers = parallel.join()
    assert (workers.index, workers.number, workers.is_first) == (0, 1, True)
    assert not torch.distributed.is_initialized()
    workers.wait()
    parallel.leave()


def test_alone_a_model_is_not_sharded() -> None:
    model = nn.Sequential(nn.Linear(2, 2))
    parallel.shard(model, nn.ModuleList(model), Workers())
    assert type(model[0].weight) is nn.Parameter
    weights = parallel.gathered(model.state_dict())
    assert torch.equal(weights["0.weight"], model[0].weight)


@pytest.mark.parametrize("number", [1, 2, 5])
def test_shares_make_up_the_whole(number: int) -> None:
    whole = list(range(12))
    shares = [whole[Workers(index, number).share] for index in range(number)]
    assert sorted(chain(*shares)) == whole
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_alone_means_and_decisions_are_ones_own() -> None:
    workers = Workers()
    assert workers.mean(torch.tensor(3.0)) == 3
    assert workers.agree(True)
    assert not workers.agree(False)


def test_an_alarm_rings_when_it_is_time_and_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("sorairo.training.parallel.time", SimpleNamespace(monotonic=lambda: now))
    alarm = Alarm(2.0, Workers())
    assert not alarm.rings()
    now = 121.0
    assert alarm.rings()
    assert not alarm.rings()
