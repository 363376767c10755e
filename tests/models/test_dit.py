"""The transformer's contract: zero when fresh, one answer per clip whatever the batch, text read where allowed."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from sorairo.config import DiTConfig
from sorairo.models.attention import CrossAttention, KeysValues, SelfAttention, attend
from sorairo.models.dit import (
    DiT,
    Text,
    distinct_levels,
    level_features,
    pad_to_patches,
    picture_features,
    with_patch,
)
from sorairo.models.rotary import rotary

CONFIG = DiTConfig(depth=2, latent_channels=4)
FINE = DiTConfig(depth=2, latent_channels=4, patch=1)
FRAMES, ROWS, COLUMNS, TOKENS = 3, 4, 6, 5


def trained(config: DiTConfig = CONFIG) -> DiT:
    """A model whose gates and head are open, as after training."""
    torch.manual_seed(0)
    dit = DiT(config)
    with torch.no_grad():
        for parameter in dit.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return dit.eval()


def latents(batch: int = 2, frames: int = FRAMES, rows: int = ROWS, columns: int = COLUMNS) -> Tensor:
    return torch.randn(batch, CONFIG.latent_channels, frames, rows, columns, generator=torch.Generator().manual_seed(1))


def text(batch: int = 2, tokens: int = TOKENS) -> Text:
    states = 0.5 * torch.randn(batch, tokens, CONFIG.text_width, generator=torch.Generator().manual_seed(2))
    return Text(states, torch.ones(batch, 1, tokens, dtype=torch.bool))


def levels(batch: int = 2, frames: int = FRAMES, rows: int = ROWS, columns: int = COLUMNS) -> Tensor:
    per_frame = torch.rand(batch, frames, 1, 1, generator=torch.Generator().manual_seed(3))
    return per_frame.expand(batch, frames, rows, columns).contiguous()


@pytest.mark.parametrize("size", [(1, 4, 6), (3, 4, 6), (2, 5, 3), (1, 1, 1)])
def test_a_fresh_model_answers_exactly_zero(size: tuple[int, int, int]) -> None:
    velocity = DiT(CONFIG)(latents(2, *size), levels(2, *size), text())
    assert velocity.shape == (2, CONFIG.latent_channels, *size)
    assert torch.equal(velocity, torch.zeros_like(velocity))


def test_every_fresh_block_is_the_identity() -> None:
    dit, came, left = DiT(CONFIG), [], []
    dit.blocks[0].register_forward_pre_hook(lambda _, inputs: came.append(inputs[0]))
    dit.blocks[-1].register_forward_hook(lambda _, inputs, output: left.append(output))
    dit(latents(), levels(), text())
    assert came[0].abs().max() > 0
    assert torch.equal(came[0], left[0])


def test_fresh_gates_and_head_can_learn() -> None:
    dit = DiT(CONFIG)
    dit(latents(), levels(), text()).sum().backward()
    assert dit.head.output.weight.grad.abs().max() > 0
    torch.nn.init.normal_(dit.head.output.weight)
    dit.zero_grad()
    dit(latents(), levels(), text()).sum().backward()
    for name in ("modulation.weight", "blocks.0.offsets", "blocks.1.cross_attention.output.weight"):
        assert dit.get_parameter(name).grad.abs().max() > 0, name


def test_every_parameter_has_a_gradient_once_the_gates_are_open() -> None:
    dit = trained()
    dit(latents(), levels(), text()).square().sum().backward()
    dead = [name for name, parameter in dit.named_parameters() if parameter.grad is None or not parameter.grad.any()]
    assert dead == []


def test_a_batch_equals_its_clips_one_by_one() -> None:
    dit = trained()
    x, noise_map, prompts = latents(3), levels(3), text(3)
    noise_map[2, :, :2, :2] = 0  # one clip with a region, so that the batch needs one level per patch
    together = dit(x, noise_map, prompts)
    for index in range(3):
        one = slice(index, index + 1)
        alone = dit(x[one], noise_map[one], Text(prompts.states[one], prompts.mask[one]))
        torch.testing.assert_close(together[one], alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("with_gradients", [True, False])
def test_padding_of_the_text_never_matters(with_gradients: bool) -> None:
    dit, prompts = trained(), text()
    rubbish = 1000 * torch.randn(2, 4, CONFIG.text_width)
    padded = Text(torch.cat([prompts.states, rubbish], 1), torch.arange(TOKENS + 4).expand(2, 1, -1) < TOKENS)
    with torch.set_grad_enabled(with_gradients):
        torch.testing.assert_close(
            dit(latents(), levels(), padded), dit(latents(), levels(), prompts), atol=1e-5, rtol=1e-4
        )


def test_the_text_matters() -> None:
    dit, prompts = trained(), text()
    swapped = Text(prompts.states.flip(0), prompts.mask)
    assert (dit(latents(), levels(), prompts) - dit(latents(), levels(), swapped)).abs().max() > 1e-3


def test_a_text_without_any_visible_token_is_our_bug() -> None:
    with pytest.raises(AssertionError, match="without any text token"):
        DiT(CONFIG).text_memory(text().states, torch.zeros(2, 1, TOKENS, dtype=torch.bool))


def test_memory_computed_once_gives_the_same_answer() -> None:
    dit, prompts = trained(), text()
    memory = dit.text_memory(*prompts)
    assert torch.equal(dit(latents(), levels(), memory), dit(latents(), levels(), prompts))


def test_timed_prompts_are_read_in_their_frames_only() -> None:
    """Two prompts side by side; the mask gives the first to frame 0 and the second to the other frames."""
    x, bias = torch.randn(1, FRAMES * 4, 64), torch.full((1, FRAMES, 6), -math.inf)
    bias[:, 0, :3] = 0
    bias[:, 1:, 3:] = 0
    keys, values = torch.randn(2, 1, 1, 6, 64)
    cross = CrossAttention(64, 1)
    timed = cross(x, KeysValues(keys, values), bias.repeat_interleave(4, 1)[:, None])
    first = cross(x, KeysValues(keys[:, :, :3], values[:, :, :3]), torch.zeros(1, 1, 1, 3))
    second = cross(x, KeysValues(keys[:, :, 3:], values[:, :, 3:]), torch.zeros(1, 1, 1, 3))
    torch.testing.assert_close(timed[:, :4], first[:, :4])
    torch.testing.assert_close(timed[:, 4:], second[:, 4:])


def test_the_same_mask_in_every_frame_equals_one_mask_for_all() -> None:
    dit, prompts = trained(), text()
    mask = prompts.mask.clone()
    mask[:, :, 3:] = False
    timed = Text(prompts.states, mask.expand(2, FRAMES, TOKENS))
    untimed = Text(prompts.states, mask)
    torch.testing.assert_close(dit(latents(), levels(), timed), dit(latents(), levels(), untimed), atol=1e-5, rtol=1e-4)


def test_timed_prompts_change_the_answer() -> None:
    dit, prompts = trained(), text()
    mask = prompts.mask.expand(2, FRAMES, TOKENS).clone()
    mask[:, 1:, :2] = False
    difference = dit(latents(), levels(), Text(prompts.states, mask)) - dit(latents(), levels(), prompts)
    assert difference.abs().max() > 1e-4


def test_each_patch_is_driven_by_its_own_level() -> None:
    """With attention closed, changing one patch's level changes that patch alone."""
    dit = trained()
    with torch.no_grad():
        for block in dit.blocks:
            block.self_attention.output.weight.zero_()
    before, after = levels(), levels()
    after[0, 1, 2:4, 4:6] = 0.123
    changed = (dit(latents(), after, text()) - dit(latents(), before, text())).abs().amax(1) > 1e-6
    expected = torch.zeros_like(changed)
    expected[0, 1, 2:4, 4:6] = True
    assert torch.equal(changed, expected)


def test_levels_kept_once_equal_levels_per_patch() -> None:
    """Modulation per clip, per frame and per patch are the same computation."""
    dit, prompts = trained(), text(1)
    for noise_map in (torch.full((1, FRAMES, ROWS, COLUMNS), 0.7), levels(1)):
        cheap = dit(latents(1), noise_map, prompts)
        doubled = torch.cat([noise_map, torch.rand(1, FRAMES, ROWS // 2, COLUMNS // 2).kron(torch.ones(1, 1, 2, 2))])
        both = Text(prompts.states.expand(2, -1, -1), prompts.mask.expand(2, -1, -1))
        full = dit(latents(1).expand(2, -1, -1, -1, -1), doubled, both)[:1]
        torch.testing.assert_close(cheap, full, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("patch", [1, 2])
def test_one_level_for_each_frame_equals_the_same_everywhere(patch: int) -> None:
    dit = trained(DiTConfig(depth=2, latent_channels=4, patch=patch))
    small, odd = levels()[..., :1, :1], latents(columns=5)
    assert torch.equal(dit(odd, small, text()), dit(odd, small.expand(-1, -1, ROWS, 5).contiguous(), text()))


def test_distinct_levels_drops_only_axes_that_do_not_vary() -> None:
    one, frame, patch = torch.full((2, 3, 4), 0.5), torch.rand(2, 3, 1).expand(2, 3, 4), torch.rand(2, 3, 4)
    assert [tuple(distinct_levels(x).shape) for x in (one, frame, patch)] == [(2, 1, 1), (2, 3, 1), (2, 3, 4)]
    assert torch.equal(distinct_levels(frame).expand(2, 3, 4), frame)


def test_time_is_relative_after_the_first_frame() -> None:
    dit = trained()
    near = dit(latents(), levels(), text(), frame_offset=4)
    far = dit(latents(), levels(), text(), frame_offset=31)
    torch.testing.assert_close(near, far, atol=1e-4, rtol=1e-3)
    start = dit(latents(), levels(), text())
    assert (near - start).abs().max() > 1e-4  # the first frame of a clip is marked


@pytest.mark.parametrize(("rows", "columns"), [(3, 5), (1, 2), (5, 1)])
def test_odd_sides_are_padded_and_cropped(rows: int, columns: int) -> None:
    dit = trained()
    x, noise_map = latents(2, FRAMES, rows, columns), levels(2, FRAMES, rows, columns)
    velocity = dit(x, noise_map, text())
    assert velocity.shape == x.shape
    padded = dit(pad_to_patches(x, 2), pad_to_patches(noise_map, 2), text())
    assert torch.equal(velocity, padded[..., :rows, :columns])


def test_padding_repeats_the_edge() -> None:
    x = torch.arange(6.0).reshape(1, 2, 3)
    assert pad_to_patches(x, 2)[0].tolist() == [[0, 1, 2, 2], [3, 4, 5, 5]]
    assert pad_to_patches(x, 1) is x


def test_patch_one_is_the_fine_dial() -> None:
    dit, tokens = trained(FINE), []
    dit.blocks[0].register_forward_hook(lambda _, inputs, output: tokens.append(output))
    assert dit(latents(), levels(), text()).shape == latents().shape
    assert tokens[0].shape == (2, FRAMES, ROWS * COLUMNS, CONFIG.width)


def test_a_fine_model_starts_from_a_coarse_one() -> None:
    """Where a patch is filled with one value, without attention to places, it is read alike and written as the mean."""
    coarse, fine = trained(), DiT(FINE)
    with torch.no_grad():
        coarse.picture_in.weight.zero_()
        for block in coarse.blocks:
            block.self_attention.output.weight.zero_()
    fine.load_state_dict(with_patch(coarse.state_dict(), CONFIG, FINE))
    flat = latents()[..., :1, :1].expand(-1, -1, -1, ROWS, COLUMNS)
    said, mean = fine(flat, levels(), text()), coarse(flat, levels(), text()).mean((-2, -1), keepdim=True)
    torch.testing.assert_close(said, mean.expand_as(said))


def test_the_same_patch_changes_no_weight_and_a_larger_one_is_refused() -> None:
    weights = trained().state_dict()
    same = with_patch(weights, CONFIG, CONFIG)
    assert all(torch.equal(same[name], weights[name]) for name in weights)
    with pytest.raises(ValueError, match="patch is 2; the start has 1"):
        with_patch(trained(FINE).state_dict(), FINE, CONFIG)


def test_half_precision_stays_close_and_keeps_the_answer_in_float32() -> None:
    dit = trained()
    exact = dit(latents(), levels(), text())
    with torch.autocast("cpu", torch.bfloat16):
        rough = dit(latents(), levels(), text())
    assert rough.dtype == torch.float32
    assert (rough - exact).abs().mean() < 0.03 * exact.abs().mean()


def test_both_ways_to_attend_agree() -> None:
    query, key, value = torch.randn(3, 2, 4, 9, 16)
    bias = torch.zeros(2, 1, 9, 9).masked_fill(torch.rand(2, 1, 9, 9) < 0.3, -math.inf)
    bias[..., 0] = 0
    explicit = attend(query, key, value, bias)
    with torch.no_grad():
        torch.testing.assert_close(attend(query, key, value, bias), explicit, atol=1e-5, rtol=1e-4)


def test_self_attention_without_positions_does_not_know_order() -> None:
    attention = SelfAttention(64, 2)
    nowhere = rotary(torch.zeros(8), torch.zeros(1), torch.zeros(1), 32)
    x, order = torch.randn(2, 8, 64), torch.randperm(8)
    torch.testing.assert_close(attention(x, nowhere)[:, order], attention(x[:, order], nowhere), atol=1e-5, rtol=1e-4)
    somewhere = rotary(torch.arange(8), torch.zeros(1), torch.zeros(1), 32)
    assert (attention(x, somewhere)[:, order] - attention(x[:, order], somewhere)).abs().max() > 1e-3


def test_level_features_tell_levels_apart() -> None:
    features = level_features(torch.linspace(0, 1, 101))
    assert torch.allclose(features.norm(dim=-1), features.norm(dim=-1)[:1], atol=1e-3)
    distances = torch.cdist(features, features) + 100 * torch.eye(101)
    assert distances.min() > 0.5


def test_picture_features_mirror_and_mark_the_first_frame() -> None:
    features = picture_features(torch.arange(2), rows=3, columns=4).reshape(2, 3, 4, -1)
    assert torch.equal(features[..., 0], -features[..., 0].flip(1))  # y
    assert torch.equal(features[..., 1], -features[..., 1].flip(2))  # x
    assert features[..., -1].amin((1, 2)).tolist() == [1, 0]
    assert features[..., :2].abs().max() < 1


def test_an_optimiser_can_fit_one_clip() -> None:
    torch.manual_seed(0)
    dit, target = DiT(CONFIG), torch.randn(2, 4, 1, 2, 2)
    optimizer = torch.optim.Adam(dit.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        loss = (dit(latents(2, 1, 2, 2), levels(2, 1, 2, 2), text()) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.05 * losses[0]
