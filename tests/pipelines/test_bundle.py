"""Models on disk: read whole and exactly, or refused in one line that names the file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

import sorairo
from sorairo.checkpoint import load_tensors, save_tensors
from sorairo.config import DiTConfig
from sorairo.models.precision import fast_bfloat16
from sorairo.pipelines.bundle import load_bundle, weights_sha256
from sorairo.pipelines.cards import find_model, list_models, load_card, weight_roots


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def refusal(folder: Path | str) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the text is what the caller checks)
        load_bundle(str(folder))
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_weights_come_back_and_frozen(tiny_model: Path) -> None:
    """The transformer's linear maps as their products read them, all else in full precision."""
    bundle = load_bundle(str(tiny_model), torch.device("cpu"))
    for file, module in (("dit.safetensors", bundle.dit), ("video_vae.safetensors", bundle.video_vae)):
        saved, _ = load_tensors(tiny_model / file)
        for name, value in module.state_dict().items():
            assert torch.equal(value, saved[name].to(value.dtype))
    assert {weight.dtype for weight in bundle.video_vae.parameters()} == {torch.float32}
    half = torch.bfloat16 if fast_bfloat16(bundle.device) else torch.float32
    assert (bundle.dit.patches_in.weight.dtype, bundle.dit.head.offsets.dtype) == (half, torch.float32)
    modules = (bundle.dit, bundle.video_vae, bundle.text_encoder)
    assert not any(module.training for module in modules)
    assert not any(parameter.requires_grad for module in modules for parameter in module.parameters())


def test_the_card_comes_back(tiny_model: Path) -> None:
    bundle = load_bundle(str(tiny_model))
    assert (bundle.name, bundle.card.facts) == ("tiny", {"steps": 0})
    assert bundle.config.dit == DiTConfig(depth=2, patch=2, latent_channels=4)
    assert bundle.preview is not None
    assert bundle.preview.weight.shape == (4, 3)


def test_the_hash_is_that_of_sha256sum(tiny_model: Path, folder: Path) -> None:
    assert weights_sha256(folder) == weights_sha256(tiny_model)
    tensors, _ = load_tensors(folder / "dit.safetensors")
    tensors["head.output.bias"][0] += 1
    save_tensors(folder / "dit.safetensors", tensors, {})
    assert weights_sha256(folder) != weights_sha256(tiny_model)


@pytest.mark.parametrize("name", ["config.json", "card.json", "video_vae.safetensors", "dit.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert name in refusal(folder)


@pytest.mark.parametrize("name", ["config.json", "card.json", "video_vae.safetensors", "dit.safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_cut_file_is_named(folder: Path, name: str, share: float) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(len(content) * share)])
    assert name in refusal(folder)


def test_weights_of_another_size_are_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["dit"]["depth"] = 4
    (folder / "config.json").write_text(json.dumps(config))
    assert "dit.safetensors does not fit DiT" in refusal(folder)


def test_weights_of_another_network_are_refused(folder: Path) -> None:
    shutil.copy(folder / "dit.safetensors", folder / "video_vae.safetensors")
    assert "video_vae.safetensors does not fit VideoVAE" in refusal(folder)


def test_unknown_settings_are_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["dit"]["dept"] = config["dit"].pop("depth")
    (folder / "config.json").write_text(json.dumps(config))
    assert "unknown key 'dept'; the nearest known key is 'depth'" in refusal(folder)


def test_settings_of_another_kind_are_refused(folder: Path) -> None:
    (folder / "config.json").write_text("[]")
    assert "config.json holds a JSON list" in refusal(folder)


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "there is no such folder" in refusal(tmp_path / "none")
    assert "is not a whole model: config.json is missing" in refusal(tmp_path)
    assert "model is 'sorairo-bse'" in refusal("sorairo-bse")


def test_built_in_models_are_found_in_a_wheel_and_in_the_repository() -> None:
    package = Path(sorairo.__file__).parent
    assert weight_roots() == [package / "weights", Path(__file__).parents[2] / "weights"]


def test_a_shipped_model_is_found_by_its_name(shipped_model: str) -> None:
    assert find_model(shipped_model) == list_models()[shipped_model]
    card = load_card(find_model(shipped_model))
    assert len(card.vocabulary) > 100
