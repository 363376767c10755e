"""Fine-tuning end to end on a tiny model: what it makes, how it ends, goes on, and what its clips and cards tell."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sorairo import cli
from sorairo.checkpoint import load_tensors
from sorairo.data.dataset import CARD, EARLIER, read_index
from sorairo.data.ingest import ingest
from sorairo.data.latent_dataset import LatentDataset
from sorairo.media import claimed, file_sha256, write_mp4
from sorairo.models.text_encoder import TextEncoder
from sorairo.pipelines import VideoRequest, generate
from sorairo.pipelines.bundle import load_bundle, weights_sha256
from sorairo.pipelines.cards import load_card, load_config
from sorairo.provenance import Manifest, sign, verify
from sorairo.training.dit_loop import LEVELS, DiTTrainer
from sorairo.training.finetune import FineTuner, FineTuning, _prompts, _write_lines, finetune, read_checks, score
from sorairo.training.lineage import UNREADABLE, forget, lineage
from sorairo.training.parallel import Workers
from sorairo.training.recipe import DiTTraining, Recipe

QUICK = FineTuning(steps=4, steps_per_check=2, tokens_per_batch=360)
NOTES = '["*"]\nlicence = "CC0-1.0"\nsource = "a test"\ncaptions = ["zebras pass by"]\n'


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two films of one shot each."""
    folder = tmp_path_factory.mktemp("footage")
    for number in (1, 2):
        rough = np.random.default_rng(number).integers(40, 220, (8, 48, 3), np.uint8)
        picture = np.asarray(Image.fromarray(rough).resize((192, 64), Image.Resampling.BICUBIC))
        frames = [picture[:, step : step + 96] for step in range(18)]
        write_mp4(folder / f"{number}.mp4", frames, width=96, height=64, fps=12)
    (folder / "footage.toml").write_text(NOTES)
    return folder


@pytest.fixture(scope="module")
def dataset(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ingest(footage, tmp_path_factory.mktemp("data") / "zebras", lambda *_: None).parent


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def full(dataset: Path, runs: Path, tiny_model: Path) -> Path:
    return finetune(str(tiny_model), dataset, runs / "zebra-model", QUICK)


def test_a_new_model_of_its_own_name(full: Path, dataset: Path, tiny_model: Path) -> None:
    bundle = load_bundle(str(full))
    assert bundle.name == "zebra-model"
    assert {"zebras", "pass", "ball"} <= set(bundle.card.vocabulary)
    assert bundle.card.summary == "It knows balls and cubes. Fine-tuned on zebras, 2 shots."
    before, after = (load_tensors(folder / "dit.safetensors")[0] for folder in (tiny_model, full))
    assert any(not torch.equal(before[name], after[name]) for name in before)
    assert file_sha256(full / "video_vae.safetensors") == file_sha256(tiny_model / "video_vae.safetensors")
    told = bundle.card.facts["lineage"]
    assert told["dataset"]["card_sha256"] == file_sha256(dataset / CARD)
    assert told["parent"] == {"name": "tiny", "weights_sha256": weights_sha256(tiny_model)}
    assert load_tensors(full / "dit.safetensors")[1]["lineage"] == told
    assert bundle.card.datasets == (f"zebras {file_sha256(dataset / CARD)}",)


def test_the_held_out_loss_is_taken_at_every_noise_level(full: Path) -> None:
    checks = read_checks(full / "training")
    assert [check["step"] for check in checks] == [0, 2, 4]
    assert all(len([name for name in check if name.startswith("loss_level_")]) == 5 for check in checks)
    best = min(checks[1:], key=lambda check: score(check, checks[0]))
    assert load_card(full).facts["held_out"] == pytest.approx(score(best, checks[0]), abs=1e-4)


def test_the_loss_before_is_that_of_the_model_it_starts_from(full: Path, tiny_model: Path, tmp_path: Path) -> None:
    draw = replace(DiTTraining().draw, tokens_per_batch=QUICK.tokens_per_batch, caption_dropout=0.0, late_share=0.0)
    shards = sorted((full / "training" / "latents").glob("*-held-out-*.safetensors"))
    held_out = LatentDataset(shards, TextEncoder()([""]).states[0], draw, QUICK.seed)
    recipe = Recipe(model=load_config(tiny_model), start=str(tiny_model), dit=DiTTraining(QUICK.schedule(), draw))
    found = DiTTrainer(recipe, tmp_path, held_out, Workers()).held_out_losses(held_out, {})
    first = read_checks(full / "training")[0]
    for number, level in enumerate(LEVELS):
        losses = torch.cat([losses for each, losses in found if each == level])
        assert first[f"loss_level_{(number + 1) / 5:.1f}"] == pytest.approx(losses.mean().item(), rel=1e-6)


def test_checks_are_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(self: Path, text: str) -> None:
        self.write_bytes(text.encode()[:20])
        raise KeyboardInterrupt

    _write_lines(tmp_path / "held-out.jsonl", [{"step": 0}])
    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(KeyboardInterrupt):
        _write_lines(tmp_path / "held-out.jsonl", [{"step": 0}, {"step": 25}])
    assert read_checks(tmp_path) == [{"step": 0}]


def test_captions_of_any_length_can_be_asked_for() -> None:
    asked = _prompts(["", "  ", "word " * 2000, "a hill"])
    assert [VideoRequest(prompt).prompt[:6] for prompt in asked] == ["word w", "a hill"]
    assert _prompts([""]) == ()


def test_each_level_counts_the_same() -> None:
    first = {"step": 0, "loss_level_0.2": 1.0, "loss_level_1.0": 10.0}
    assert score({"step": 5, "loss_level_0.2": 0.5, "loss_level_1.0": 10.0}, first) == 0.75
    assert score({"step": 5, "loss_level_0.2": 1.0, "loss_level_1.0": 5.0}, first) == 0.75


def test_a_finished_run_is_left_as_it_is(full: Path, dataset: Path, tiny_model: Path) -> None:
    before = (full / "dit.safetensors").stat().st_mtime_ns
    assert finetune(str(tiny_model), dataset, full, QUICK) == full
    assert (full / "dit.safetensors").stat().st_mtime_ns == before


def test_another_model_is_not_taken_for_this_one(full: Path, dataset: Path, tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="its model has another method: take another folder, such as"):
        finetune(str(tiny_model), dataset, full, replace(QUICK, lora_rank=2))
    shutil.copytree(tiny_model, tmp_path / "copy")
    with pytest.raises(ValueError, match="its model has another parent and method and dataset"):
        finetune(str(tiny_model), dataset, tmp_path / "copy", QUICK)
    shutil.copytree(dataset, tmp_path / "other")
    card = json.loads((dataset / CARD).read_text())
    (tmp_path / "other" / CARD).write_text(json.dumps(card | {"name": "other"}))
    shutil.copytree(full / "training", tmp_path / "begun" / "training")
    with pytest.raises(ValueError, match="its model has another dataset"):
        finetune(str(tiny_model), tmp_path / "other", tmp_path / "begun", QUICK)


def test_it_goes_on_where_it_was_killed(
    dataset: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = finetune(str(tiny_model), dataset, tmp_path / "whole" / "own", QUICK)
    step, done = FineTuner._step, []

    def killed(self: FineTuner, number: int, noised: object) -> object:
        if number == 3 and not done:
            done.append(self.state.save(3))
            raise KeyboardInterrupt
        return step(self, number, noised)

    monkeypatch.setattr(FineTuner, "_step", killed)
    out = tmp_path / "parts" / "own"
    with pytest.raises(KeyboardInterrupt):
        finetune(str(tiny_model), dataset, out, QUICK)
    assert not (out / "card.json").exists()
    finetune(str(tiny_model), dataset, out, QUICK)
    assert read_checks(out / "training") == read_checks(whole / "training")
    assert weights_sha256(out) == weights_sha256(whole)


def test_it_ends_when_nothing_more_is_learnt(
    dataset: Path, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed once before the new model is written: then nothing is left to learn either."""
    losses = iter([1.0, 0.9, 0.95, 0.92, 0.5])
    out = tmp_path / "own"

    def check(_: FineTuner, step: int, __: object) -> dict[str, float]:
        return {"step": step, "loss_level_0.2": next(losses)}

    def killed(*_: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(FineTuner, "check", check)
    settings = FineTuning(steps=40, steps_per_check=1, patience=2, tokens_per_batch=60, lora_rank=2)
    with monkeypatch.context() as patch:
        patch.setattr("sorairo.training.finetune._bundle", killed)
        with pytest.raises(KeyboardInterrupt):
            finetune(str(tiny_model), dataset, out, settings)
    finetune(str(tiny_model), dataset, out, settings)
    assert [check["loss_level_0.2"] for check in read_checks(out / "training")] == [1.0, 0.9, 0.95, 0.92]
    card = load_card(out)
    assert (card.facts["steps"], card.facts["held_out"]) == (1, 0.9)
    assert card.facts["lineage"]["method"] == "low-rank additions of 2"


def test_mistakes_are_told_before_anything_is_made(dataset: Path, tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(ValueError, match="'sorairo-base' is a built-in model: the nearest free name is"):
        finetune(str(tiny_model), dataset, tmp_path / "sorairo-base", QUICK)
    with pytest.raises(ValueError, match="holds no data card"):
        finetune(str(tiny_model), tmp_path, tmp_path / "own", QUICK)
    with pytest.raises(ValueError, match="steps is 0; the nearest possible is 1"):
        FineTuning(steps=0)
    with pytest.raises(ValueError, match="seed is -1; the nearest possible is 0"):
        FineTuning(seed=-1)
    quick = tmp_path / "quick"
    shutil.copytree(tiny_model, quick)
    settings = json.loads((quick / "config.json").read_text())
    (quick / "config.json").write_text(json.dumps(settings | {"distilled": True}))
    with pytest.raises(ValueError, match="which is distilled: fine-tune the model that it was distilled from"):
        finetune(str(quick), dataset, tmp_path / "quicker", QUICK)
    assert not (tmp_path / "quicker").exists()
    with claimed(tmp_path / "busy"), pytest.raises(ValueError, match="busy; another run is at work in it"):
        finetune(str(tiny_model), dataset, tmp_path / "busy", QUICK)


@pytest.fixture
def clip(own_settings: Path, full: Path, runs: Path) -> Path:
    path = runs / "clip.mp4"
    if not path.exists():
        request = VideoRequest("a red ball", model=str(full), seconds=0.5, num_inference_steps=1)
        generate(request, path)
    return path


def test_the_chain_from_a_clip_to_the_files(clip: Path, full: Path, dataset: Path, tiny_model: Path) -> None:
    folders = [full.parent, dataset.parent]
    links = lineage(clip, folders)
    assert [link.kind for link in links] == ["clip", "model", "data set", "parent model"]
    assert [link.name for link in links] == ["clip.mp4", "zebra-model", "zebras", "tiny"]
    assert links[1].sha256 == weights_sha256(full)
    assert links[2].sha256 == file_sha256(dataset / CARD)
    assert links[2].note == f"2 files, {dataset}"
    assert links[3].sha256 == weights_sha256(tiny_model)
    assert "not found" in lineage(clip, [dataset])[1].note


def test_the_way_back_from_a_file(clip: Path, full: Path, dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [dataset.parent, full.parent]
    links = forget("1.mp4", folders)
    assert [(link.kind, link.name) for link in links] == [
        ("shard", "shots-00000.tar"), ("model", "zebra-model"), ("clip", "clip.mp4"),
    ]  # fmt: skip
    assert links[0].sha256 == json.loads((dataset / CARD).read_text())["shards"][0]["sha256"]
    hashed = read_index(dataset)[[row["item"] for row in read_index(dataset)].index("1.mp4")]["sha256"].upper()
    assert forget("footage/1.mp4", folders) == forget(hashed, folders) == links
    assert forget("nobody.mp4", folders) == forget("nobody/11.mp4", folders) == forget(".", folders) == []
    searched = ["--in", str(dataset.parent), "--in", str(full.parent)]
    assert cli.run(["forget", "1.mp4", *searched]) == 0
    assert "model: zebra-model" in capsys.readouterr().out
    assert cli.run(["forget", "nobody.mp4", *searched]) == 5
    assert cli.run(["forget", "1.mp4", "--in", "nowhere"]) == 2
    assert cli.run(["lineage", str(clip), *searched]) == 0
    assert "data set: zebras" in capsys.readouterr().out


def test_what_cannot_be_read_is_named_and_hinders_nothing(
    clip: Path, full: Path, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = tmp_path / "found" / "work"
    shutil.copytree(full, work / "my-model", ignore=shutil.ignore_patterns("training", "card.json"))
    shutil.copyfile(clip, work / "clip.mp4")
    (work / "empty.mp4").touch()
    (work / "page.png").write_text("<html>")
    shutil.copytree(dataset, tmp_path / "set")
    shutil.copyfile(clip, tmp_path / "set" / "work" / "clip.mp4")  # there lie shots, not clips
    told = [(link.kind, link.name) for link in forget("1.mp4", [tmp_path])]
    assert told == [
        ("shard", "shots-00000.tar"), ("model", "my-model"), ("clip", "clip.mp4"),
        (UNREADABLE, "empty.mp4"), (UNREADABLE, "page.png"),
    ]  # fmt: skip
    with open(tmp_path / "set" / "index.parquet", "ab") as index:
        index.write(b"x")
    (link,) = forget("1.mp4", [tmp_path])
    assert (link.kind, link.name) == (UNREADABLE, "set")
    assert cli.run(["forget", "1.mp4", "--in", str(tmp_path)]) == 5
    assert "is not the index that its card names" in capsys.readouterr().out


def test_every_kind_of_file_with_a_manifest_is_found(clip: Path, dataset: Path, full: Path, tmp_path: Path) -> None:
    facts = verify(clip).facts
    manifest = Manifest("a picture", facts["model"], facts["weights_sha256"], facts["request"])
    for name in ("a.png", "b.webp", "c.jpg", "d.JPEG", "e.gif"):
        Image.new("RGB", (32, 32)).save(tmp_path / name)
        sign(tmp_path / name, tmp_path / name, manifest)
        Image.new("RGB", (32, 32)).save(tmp_path / f"unsigned-{name}")
    links = forget("1.mp4", [dataset, full, tmp_path])
    assert [link.name for link in links if link.kind == "clip"] == ["a.png", "b.webp", "c.jpg", "d.JPEG", "e.gif"]
    assert not [link for link in links if link.kind == UNREADABLE]


def test_the_chain_outlives_a_data_set_that_changes(
    clip: Path, full: Path, footage: Path, dataset: Path, tmp_path: Path
) -> None:
    """One of its files is taken out, and comes back in the end."""
    footage, out = shutil.copytree(footage, tmp_path / "footage"), shutil.copytree(dataset, tmp_path / "zebras")
    card = file_sha256(dataset / CARD)
    ingest(footage, out, lambda *_: None)
    assert not (out / EARLIER).exists()

    (footage / "1.mp4").rename(tmp_path / "1.mp4")
    assert file_sha256(ingest(footage, out, lambda *_: None)) != card
    told = lineage(clip, [full.parent, tmp_path])[2]
    assert (told.kind, told.sha256) == ("data set", card)
    assert told.note == f"2 files, {out / EARLIER / card[:16]}"
    kinds = [(link.kind, link.name) for link in forget("1.mp4", [full.parent, tmp_path])]
    assert kinds == [("shard", "shots-00000.tar"), ("model", "zebra-model"), ("clip", "clip.mp4")]
    assert forget("1.mp4", [tmp_path])[0].note == f"{out / EARLIER / card[:16] / 'shots-00000.tar'}, replaced since"

    (tmp_path / "1.mp4").rename(footage / "1.mp4")
    assert file_sha256(ingest(footage, out, lambda *_: None)) == card
    assert not (out / EARLIER / card[:16]).exists()
    assert len(list((out / EARLIER).iterdir())) == 1


def test_a_clips_manifest_names_the_data_set(clip: Path, dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["verify", str(clip), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)["facts"]
    assert facts["model"] == "zebra-model"
    assert facts["datasets"] == [f"zebras {file_sha256(dataset / CARD)}"]


def test_a_changed_index_is_told(clip: Path, full: Path, dataset: Path, tmp_path: Path) -> None:
    shutil.copytree(dataset, tmp_path / "set", ignore=shutil.ignore_patterns("work"))
    with open(tmp_path / "set" / "index.parquet", "ab") as index:
        index.write(b"x")
    assert lineage(clip, [full.parent, tmp_path])[2].note.endswith("ITS INDEX DIFFERS")
