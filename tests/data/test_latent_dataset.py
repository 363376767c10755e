"""Batches: a pure function of seed and step, of one size, padded, with captions dropped as often as asked."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from sorairo.checkpoint import save_tensors
from sorairo.data.latent_dataset import Batch, DrawConfig, LatentDataset, pad
from sorairo.shapes import LatentShape

EMPTY = torch.zeros(2, 8)


def shard(path: Path, shapes: list[tuple[int, ...]], lengths: tuple[int, ...] = (3, 5)) -> Path:
    """Examples whose latents and states all hold their own number."""
    tensors: dict[str, Tensor] = {}
    for index, shape in enumerate(shapes):
        tensors[f"latents.{index:04d}"] = torch.full(shape, float(index + 1)).half()
        tensors[f"cover.{index:04d}"] = torch.full(shape[1:], (index + 1) / 10).half()
        tensors[f"states.{index:04d}"] = torch.full((sum(lengths), 8), float(index + 1)).half()
        tensors[f"lengths.{index:04d}"] = torch.tensor(lengths).short()
    save_tensors(path, tensors, {"captions": [["a", "b"]] * len(shapes)})
    return path


def dataset(folder: Path, config: DrawConfig | None = None, seed: int = 0) -> LatentDataset:
    shapes = [(4, 2, 2, 3)] * 3 + [(4, 1, 2, 3)] * 2 + [(4, 2, 3, 2)]
    path = shard(folder / "a.safetensors", shapes)
    return LatentDataset([path], EMPTY, config or DrawConfig(tokens_per_batch=48), seed)


def equal(one: Batch, other: Batch) -> bool:
    return all(torch.equal(a, b) for a, b in zip(tensors(one), tensors(other), strict=True) if a.shape == b.shape)


def tensors(batch: Batch) -> tuple[Tensor, ...]:
    return batch.latents, batch.cover, batch.states, batch.mask


def test_a_batch_is_a_pure_function_of_seed_and_step(tmp_path: Path) -> None:
    one, other = dataset(tmp_path), dataset(tmp_path)
    forwards = [one.draw(step) for step in range(6)]
    backwards = [other.draw(step) for step in reversed(range(6))][::-1]
    assert all(equal(a, b) for a, b in zip(forwards, backwards, strict=True))
    assert [batch.step for batch in forwards] == list(range(6))
    assert not all(equal(forwards[step], dataset(tmp_path, seed=1).draw(step)) for step in range(6))


def test_a_batch_has_one_size_and_as_many_positions_as_asked(tmp_path: Path) -> None:
    drawn = [dataset(tmp_path).draw(step) for step in range(30)]  # clips of two frames have nothing to leave out
    shapes = {batch.shape for batch in drawn}
    assert shapes == {LatentShape(2, 2, 3), LatentShape(1, 2, 3), LatentShape(2, 3, 2)}
    assert all(len(batch.latents) * batch.shape.num_tokens(patch=1) == 48 for batch in drawn)


def test_one_example_is_drawn_even_when_it_is_too_large(tmp_path: Path) -> None:
    batch = dataset(tmp_path, DrawConfig(tokens_per_batch=1)).draw(0)
    assert len(batch.latents) == 1


def test_captions_stay_with_their_latents(tmp_path: Path) -> None:
    data = dataset(tmp_path, DrawConfig(tokens_per_batch=48, caption_dropout=0))
    for batch in (data.draw(step) for step in range(10)):
        assert batch.latents.dtype == batch.states.dtype == torch.float32
        for latents, _, states, mask in zip(*tensors(batch), strict=True):
            assert (states[mask] == latents.unique()).all()
            assert (states[~mask] == 0).all()
            assert int(mask.sum()) in (3, 5)
        assert batch.texts == tuple({3: "a", 5: "b"}[int(number)] for number in batch.mask.sum(1))


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_captions_are_dropped_as_often_as_asked(tmp_path: Path, share: float) -> None:
    data = dataset(tmp_path, DrawConfig(tokens_per_batch=480, caption_dropout=share))
    lengths = torch.cat([data.draw(step).mask.sum(1) for step in range(40)])
    assert (lengths == len(EMPTY)).float().mean().item() == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_pictures_are_drawn_as_often_as_asked(tmp_path: Path, share: float) -> None:
    data = dataset(tmp_path, DrawConfig(tokens_per_batch=6, picture_share=share))
    pictures = sum(data.draw(step).shape.num_frames == 1 for step in range(400))
    assert pictures / 400 == pytest.approx(share, abs=0.07)


def test_sizes_are_drawn_as_often_as_there_are_examples(tmp_path: Path) -> None:
    data = dataset(tmp_path, DrawConfig(tokens_per_batch=6, picture_share=0))
    rare = sum(data.draw(step).shape == LatentShape(2, 3, 2) for step in range(400))
    assert rare / 400 == pytest.approx(1 / 4, abs=0.07)


def test_without_pictures_there_are_clips_all_the_time(tmp_path: Path) -> None:
    path = shard(tmp_path / "clips.safetensors", [(4, 2, 2, 3)])
    data = LatentDataset([path], EMPTY, DrawConfig(tokens_per_batch=12, picture_share=0.5), 0)
    assert {data.draw(step).shape.num_frames for step in range(10)} == {2}


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_batches_begin_late_as_often_as_asked(tmp_path: Path, share: float) -> None:
    path = shard(tmp_path / "a.safetensors", [(4, 5, 2, 3)])
    drawn = [LatentDataset([path], EMPTY, DrawConfig(late_share=share), 0).draw(step) for step in range(60)]
    offsets = [batch.frame_offset for batch in drawn]
    assert sum(offset > 0 for offset in offsets) / 60 == pytest.approx(share, abs=0.2)
    assert all(batch.shape.num_frames == 5 - batch.frame_offset for batch in drawn)
    assert set(offsets) == ({0} if share == 0 else {1, 2, 3} | ({0} if share < 1 else set()))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_parts_make_up_the_batch(tmp_path: Path, number: int) -> None:
    batch = dataset(tmp_path).draw(3)
    parts = [batch.part(slice(index, None, number)) for index in range(number)]
    assert sum(len(part.latents) for part in parts) == len(batch.latents)
    for index, part in enumerate(parts):
        assert part.step == batch.step
        assert torch.equal(part.latents, batch.latents[index::number])
        assert torch.equal(part.states, batch.states[index::number])
        assert torch.equal(part.mask, batch.mask[index::number])
        assert part.texts == batch.texts[index::number]


def num_examples(data: LatentDataset) -> int:
    return sum(map(len, data._buckets.values()))


def test_shards_add_up(tmp_path: Path) -> None:
    paths = [shard(tmp_path / name, [(4, 2, 2, 3)] * 2) for name in ("a.safetensors", "b.safetensors")]
    assert num_examples(LatentDataset(paths, EMPTY, DrawConfig(), 0)) == 4


def test_real_shards_can_be_drawn_from(shards: list[Path]) -> None:
    data = LatentDataset(shards, torch.zeros(2, 384), DrawConfig(tokens_per_batch=36), 0)
    assert num_examples(data) == 12  # three clips, each also mirrored and with two pictures
    for batch in (data.draw(step) for step in range(5)):
        assert batch.latents.isfinite().all()
        assert batch.states.shape[2] == 384


def test_no_examples_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the data set is empty"):
        LatentDataset([], EMPTY, DrawConfig(), 0)
    with pytest.raises(ValueError, match="the data set is empty"):
        LatentDataset([shard(tmp_path / "none.safetensors", [])], EMPTY, DrawConfig(), 0)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="gone"):
        LatentDataset([tmp_path / "gone.safetensors"], EMPTY, DrawConfig(), 0)


def test_padding() -> None:
    states, mask = pad([torch.ones(1, 2), torch.ones(3, 2)])
    assert states[:, :, 0].tolist() == [[1, 0, 0], [1, 1, 1]]
    assert mask.tolist() == [[True, False, False], [True, True, True]]
