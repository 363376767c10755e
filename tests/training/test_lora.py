"""Low-rank additions: nothing at first, few numbers to train, and plain weights in the end."""

from __future__ import annotations

import torch

from sorairo.config import DiTConfig
from sorairo.models.dit import DiT, Text
from sorairo.training.lora import add_low_rank, merged

CONFIG = DiTConfig(depth=2, patch=1, latent_channels=4)


def model() -> DiT:
    torch.manual_seed(0)
    made = DiT(CONFIG)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    return made


def answer(of: DiT) -> torch.Tensor:
    torch.manual_seed(1)
    text = Text(torch.randn(1, 3, CONFIG.text_width), torch.ones(1, 1, 3, dtype=torch.bool))
    with torch.no_grad():
        return of(torch.randn(1, 4, 2, 4, 4), torch.full((1, 2, 4, 4), 0.5), text)


def test_additions_change_nothing_before_they_are_trained() -> None:
    plain, adapted = model(), model()
    add_low_rank(adapted, 2)
    torch.testing.assert_close(answer(adapted), answer(plain), rtol=0, atol=0)
    assert all(torch.equal(value, merged(adapted.state_dict())[name]) for name, value in plain.state_dict().items())


def test_only_the_additions_to_matrices_inside_blocks_are_trained() -> None:
    adapted = model()
    add_low_rank(adapted, 2)
    trained = {name: value for name, value in adapted.named_parameters() if value.requires_grad}
    assert all("blocks." in name and name.endswith((".0.down", ".0.up")) for name in trained)
    assert all(2 in value.shape for value in trained.values())
    assert sum(value.numel() for value in trained.values()) < sum(value.numel() for value in model().parameters()) / 5


def test_merged_weights_answer_as_the_adapted_model_does() -> None:
    adapted, plain = model(), DiT(CONFIG)
    add_low_rank(adapted, 2)
    for name, value in adapted.named_parameters():
        if name.endswith(".0.up"):
            torch.nn.init.normal_(value, std=0.1)
    weights = merged(adapted.state_dict())
    plain.load_state_dict(weights)
    torch.testing.assert_close(answer(plain), answer(adapted))
    assert not torch.allclose(answer(plain), answer(model()))
    change = weights["blocks.0.mlp.0.weight"] - model().state_dict()["blocks.0.mlp.0.weight"]
    assert torch.linalg.matrix_rank(change, rtol=1e-4) == 2


def test_plain_weights_stay_as_they_are() -> None:
    weights = model().state_dict()
    assert merged(weights).keys() == weights.keys()
