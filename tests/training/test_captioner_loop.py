"""The captioner's lessons, batches and training: what is seen where, losses in closed form, a run that goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from sorairo.checkpoint import load_tensors, save_tensors
from sorairo.config import load_toml
from sorairo.data.world_frames import WorldDataConfig
from sorairo.models.captioner import CaptionerConfig
from sorairo.models.text_encoder import TextEncoder
from sorairo.models.vocabulary import PAD, UNKNOWN
from sorairo.pipelines.captions import load_captioner
from sorairo.training.captioner_data import (
    COLOR_NAMES,
    CaptionDataset,
    looks_of,
    read_lessons,
    seeds_of,
    texts_of,
    write_lessons,
)
from sorairo.training.captioner_loop import (
    CaptionerRecipe,
    CaptionerTrainer,
    look_loss,
    next_word_loss,
    train_captioner,
)
from sorairo.training.recipe import Schedule, run_recipe
from sorairo.world import SHAPES
from sorairo.world.account import read_account

ROOT = Path(__file__).parents[2]
DATA = WorldDataConfig(2, num_frames=5, sizes=("48x32",))
RECIPE = CaptionerRecipe(
    Schedule(steps=6, decay_steps=2, warmup_steps=2, ema_decay=0.5),
    CaptionerConfig(latent_channels=4, width=24, depth=1, writer_depth=1, num_heads=2),
    DATA,
    batch_size=2,
    num_prompts=2,
    bfloat16=False,
    minutes_per_checkpoint=9,
    seconds_per_line=0,
)


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Latents of two clips, of their mirror images, and of two pictures of each."""
    path = tmp_path_factory.mktemp("latents") / "0123456789ab-00000000-2.safetensors"
    latents = {f"latents.{n:04d}": torch.full((4, 2 if n % 4 < 2 else 1, 2, 3), float(n)).half() for n in range(8)}
    save_tensors(path, latents, {"captions": [[""]] * 8})
    return path


@pytest.fixture(scope="module")
def dataset(shard: Path, tmp_path_factory: pytest.TempPathFactory) -> CaptionDataset:
    folder = tmp_path_factory.mktemp("lessons")
    write_lessons(DATA, folder, [shard], lambda *_: None)
    return CaptionDataset([shard], folder, (3, 2), seed=0)


def test_a_shard_tells_its_seeds(shard: Path) -> None:
    assert seeds_of(shard) == range(2)
    assert seeds_of(Path("a-b-00000150-50.safetensors")) == range(150, 200)


def test_what_is_seen_is_named_where_it_is() -> None:
    clip = DATA.clip(0)
    looks = looks_of(clip)
    assert looks.shape == (2, 2, 2, 3)
    colors = {COLOR_NAMES[k - 1] for k in looks[0].unique().tolist() if k}
    assert colors <= {thing.color for thing in clip.objects}
    assert ((looks[0] > 0) == (looks[1] > 0)).all()
    assert looks[1].max() <= len(SHAPES)
    assert torch.equal(looks_of(clip.mirrored()).flip(-1), looks)


def test_lessons_come_back_as_they_were(shard: Path, tmp_path: Path) -> None:
    write_lessons(DATA, tmp_path, [shard], lambda *_: None)
    lessons = read_lessons(tmp_path / shard.name)
    assert len(lessons) == 4
    assert lessons[0][0] == texts_of(DATA.clip(0), np.random.default_rng([0, 2]))
    assert torch.equal(lessons[1][1], lessons[0][1].flip(-1))
    before = (tmp_path / shard.name).stat().st_mtime_ns
    write_lessons(DATA, tmp_path, [shard], lambda *_: None)
    assert (tmp_path / shard.name).stat().st_mtime_ns == before


def test_batches_hold_clips_with_their_own_texts(dataset: CaptionDataset) -> None:
    vocabulary = dataset.vocabulary()
    batch = dataset.draw(vocabulary, 5)
    again = dataset.draw(vocabulary, 5)
    assert torch.equal(batch.words, again.words)
    assert batch.words.shape[0] == 2 * len(batch.latents) == 6
    assert not (batch.words == UNKNOWN).any()
    of_place = {0: 0, 1: 1, 4: 2, 5: 3}  # pictures are left out
    (bucket,) = dataset.buckets
    assert len(bucket) == 4
    for row, latents in enumerate(batch.latents):
        *_, told = bucket[of_place[int(latents[0, 0, 0, 0])]]
        assert vocabulary.decode(batch.words[2 * row].tolist()) == told.structured
        assert read_account(told.structured)
    assert len(batch.prompts) == len(batch.expanded) == 2


def test_no_shard_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is nothing to learn from"):
        CaptionDataset([], tmp_path, (1, 1), 0)


def test_the_loss_of_words_leaves_padding_out() -> None:
    words = torch.tensor([[3, 1, 2, PAD], [3, 1, 2, 1]])
    logits = torch.zeros(2, 3, 5)
    assert next_word_loss(logits, words).tolist() == pytest.approx([np.log(5)] * 2)
    logits[0, 2, 4] = 100  # where there is only padding
    assert next_word_loss(logits, words)[0].item() == pytest.approx(np.log(5))
    logits[1, 0, 1] = 100
    assert next_word_loss(logits, words)[1].item() == pytest.approx(np.log(5) * 2 / 3, rel=1e-4)


def test_the_loss_of_looks_weighs_what_is_seen_as_much_as_nothing() -> None:
    looks = torch.zeros(1, 2, 1, 2, 2, dtype=torch.long)
    looks[:, :, 0, 0, 0] = 2
    colors, shapes = torch.zeros(1, 1, 2, 2, 4), torch.zeros(1, 1, 2, 2, 8)
    even = look_loss((colors, shapes), looks)
    assert even.item() == pytest.approx(np.log(4) + np.log(8))
    colors[0, 0, 0, 0, 2] = shapes[0, 0, 0, 0, 2] = 100
    assert look_loss((colors, shapes), looks).item() == pytest.approx(even.item() / 2, rel=1e-4)


def trainer(folder: Path, dataset: CaptionDataset, steps: int = 6) -> CaptionerTrainer:
    recipe = replace(RECIPE, schedule=replace(RECIPE.schedule, steps=steps))
    return CaptionerTrainer(recipe, folder, dataset, TextEncoder())


def test_training_lowers_the_loss_and_writes_averaged_weights(tmp_path: Path, dataset: CaptionDataset) -> None:
    training = trainer(tmp_path, dataset, 30)
    folder = training.run()
    lines = [json.loads(line) for line in (tmp_path / "captioner.jsonl").read_text().splitlines()]
    assert lines[-1]["structured"] < lines[0]["structured"] - 0.5
    captioner, vocabulary = load_captioner(str(folder))
    assert vocabulary.words == dataset.vocabulary().words
    average = training.state.average.weights["words.weight"]
    assert torch.equal(captioner.state_dict()["words.weight"], average.half().float())


def test_an_interrupted_training_goes_on_with_the_same_weights(tmp_path: Path, dataset: CaptionDataset) -> None:
    name = "captioner.safetensors"
    straight = load_tensors(trainer(tmp_path / "straight", dataset, 4).run() / name)[0]
    first = trainer(tmp_path / "twice", dataset, 4)
    for step in range(2):
        first._step(step, first.data.draw(first.vocabulary, step))
    first.state.save(2)
    twice = load_tensors(trainer(tmp_path / "twice", dataset, 4).run() / name)[0]
    assert all(torch.equal(straight[name], twice[name]) for name in straight)


WRITTEN = """
autoencoder = "MODEL"
batch_size = 2
num_prompts = 1
workers = 1
seconds_per_line = 0.0
[model]
latent_channels = 4
width = 24
depth = 1
writer_depth = 1
num_heads = 2
[data]
num_clips = 1
num_frames = 5
sizes = ["48x32"]
[schedule]
steps = 2
decay_steps = 1
"""


def test_from_a_recipe_to_a_folder(
    tmp_path: Path, tiny_model: Path, shard: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.toml").write_text(WRITTEN.replace("MODEL", str(tiny_model)))
    made, given = tmp_path / "made", tmp_path / "given"
    run_recipe(CaptionerRecipe, train_captioner, [str(tmp_path / "tiny.toml"), str(made)])
    assert capsys.readouterr().out.splitlines()[-1] == str(made / "sorairo-captioner")
    assert load_captioner(str(made / "sorairo-captioner"))[0].config.width == 24
    run_recipe(
        CaptionerRecipe,
        train_captioner,
        [str(tmp_path / "tiny.toml"), str(given), "--latents", str(shard.parent)],
        latents="",
    )
    assert not (given / "frames").exists()


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("steps = 2", "steps = 0", "tiny.toml.schedule.steps is 0; the nearest possible is 1"),
        ("latent_channels = 4", "latent_channels = 8", "model.latent_channels is 8; the autoencoder 'MODEL' makes 4"),
    ],
)
def test_a_wrong_recipe_is_one_line(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str], right: str, wrong: str, told: str
) -> None:
    (tmp_path / "tiny.toml").write_text(WRITTEN.replace(right, wrong).replace("MODEL", str(tiny_model)))
    with pytest.raises(SystemExit) as ended:
        run_recipe(CaptionerRecipe, train_captioner, [str(tmp_path / "tiny.toml"), str(tmp_path / "run")])
    (line,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert line.startswith("error: ")
    assert line.endswith(told.replace("MODEL", str(tiny_model)))


def test_the_shipped_recipe_is_whole() -> None:
    recipe = load_toml(CaptionerRecipe, ROOT / "recipes" / "captioner.toml")
    assert recipe.model.num_looks == (len(COLOR_NAMES) + 1, len(SHAPES) + 1)
    if (ROOT / "weights" / "sorairo-captioner").is_dir():
        assert recipe.model == load_captioner()[0].config
