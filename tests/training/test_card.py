"""The way on one card, without one: what growth keeps, kinds of maps, the simulator's pixels, a whole run."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

from sorairo.checkpoint import load_into, load_tensors
from sorairo.config import DiTConfig
from sorairo.models.dit import DiT, Text
from sorairo.pipelines.cards import find_model, load_config
from sorairo.shapes import LatentShape

CARD = Path(__file__).parents[2] / "recipes" / "card"
CPU = torch.device("cpu")
SIMULATED = """
from dataclasses import replace
import numpy as np
import torch
from scenes import make_scene
from tracer import render
from sorairo.data.world_frames import WorldDataConfig
from sorairo.world import render as expected

config = WorldDataConfig(num_frames=5, sizes=("48x32",))
scene = make_scene(config, 3)
small = replace(scene, width=24, height=16, poses=scene.poses[3:], camera=scene.camera[3:])
found = render([small], torch.device("cpu")).numpy()
assert found.shape == (1, 2, 16, 24, 3) and found.std() > 20
assert np.array_equal(found[0], expected(config.clip(3), [3, 4], 24, 16)[0])
"""


def card(name: str) -> ModuleType:
    """One of the scripts, which find each other beside themselves."""
    if str(CARD) not in sys.path:
        sys.path.append(str(CARD))
    return importlib.import_module(name)


def grown(weights: dict[str, torch.Tensor], before: DiTConfig, depth: int) -> DiT:
    torch.manual_seed(0)
    after = replace(before, depth=depth)
    model = DiT(after)
    model.load_state_dict(card("growth").grow(weights, before, after))
    return model.eval()


@torch.no_grad()
def test_a_grown_transformer_answers_almost_as_before(shipped_model: str) -> None:
    folder = find_model(shipped_model)
    config = load_config(folder).dit
    old = DiT(config).eval()
    load_into(old, folder / "dit.safetensors")
    generator = torch.Generator().manual_seed(0)
    latents, levels = torch.randn(1, 32, 3, 4, 6, generator=generator), torch.rand(1, 3, 1, 1, generator=generator)
    text = Text(0.5 * torch.randn(1, 6, 384, generator=generator), torch.ones(1, 1, 6, dtype=torch.bool))
    given = (latents, levels, text)
    expected = old(*given)
    assert torch.equal(grown(old.state_dict(), config, config.depth)(*given), expected)
    difference = (grown(old.state_dict(), config, config.depth + 2)(*given) - expected).square().mean()
    assert 0 < difference < 0.01 < 0.1 < expected.square().mean()


def test_a_transformer_does_not_shrink_or_grow_beyond_twice() -> None:
    before = DiTConfig(depth=4, latent_channels=4)
    for depth in (2, 10):
        with pytest.raises(ValueError, match=f"depth is {depth}; a start of depth 4 grows up to 8"):
            card("growth").grow({}, before, replace(before, depth=depth))


def test_added_layers_are_silent_copies_spread_over_the_depth() -> None:
    layers = card("growth").added_layers(8, 10)
    assert [layer for layer, _ in layers] == [0, 1, 2, 2, 3, 4, 5, 6, 6, 7]
    assert [place for place, (_, copied) in enumerate(layers) if copied] == [3, 8]
    assert card("growth").added_layers(4, 8) == [(layer, copied) for layer in range(4) for copied in (False, True)]


def test_everything_new_can_learn() -> None:
    """After growth every parameter gets a gradient, at the latest once what writes has left zero."""
    before = DiTConfig(depth=2, latent_channels=4)
    old = DiT(before)
    for parameter in old.parameters():
        nn.init.normal_(parameter, std=0.05)
    model = grown(old.state_dict(), before, 4)
    text = Text(torch.randn(2, 5, 384), torch.ones(2, 1, 5, dtype=torch.bool))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(2, 4, 3, 4, 6), torch.rand(2, 3, 1, 1), text).square().mean().backward()
        optimizer.step()
    assert [name for name, p in model.named_parameters() if not (p.grad != 0).any(0).all()] == []


@pytest.mark.parametrize("frames", [2, 3, 9])
def test_maps_of_frames_are_of_the_promised_kinds(frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    maps, at = card("maps"), torch.arange(frames)
    for kind in maps.KINDS:
        monkeypatch.setattr(maps, "KINDS", {name: float(name == kind) for name in maps.KINDS})
        levels = maps.frame_maps(200, frames, 3.0, CPU)
        assert levels.shape == (200, frames, 1, 1)
        noisy = levels[..., 0, 0] > 0
        numbers = noisy.sum(1)
        assert ((levels >= 0) & (levels < 1)).all()
        assert (numbers > 0).all()
        if kind in ("one_level", "level_per_frame"):
            assert noisy.all()
            assert (levels.flatten(1).std(1) > 0).all() == (kind == "level_per_frame")
            continue
        assert (numbers < frames).all()
        first, last = noisy.float().argmax(1), frames - 1 - noisy.flip(1).float().argmax(1)
        if kind == "some":
            assert set(numbers.tolist()) == set(range(1, frames))
        else:  # one run of noisy frames, and known ones where the kind says
            assert torch.equal(noisy, (at >= first[:, None]) & (at <= last[:, None]))
        if kind in ("first", "ends"):
            assert not noisy[:, 0].any()
        if kind == "last" or (kind == "ends" and frames > 2):
            assert not noisy[:, -1].any()


def test_half_of_the_levels_are_shifted_towards_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(card("maps"), "KINDS", {"one_level": 1.0})
    torch.manual_seed(0)
    levels = card("maps").frame_maps(4000, 9, 1.0, CPU)[:, 0]
    # Logit-normal levels, shifted by 3 in one half: above 0.5 are 50 % and 86 %.
    assert (levels > 0.5).float().mean().item() == pytest.approx(0.68, abs=0.03)
    pictures = card("maps").frame_maps(4000, 1, 1.0, CPU)
    assert pictures.shape == (4000, 1, 1, 1)
    assert (pictures > 0.5).float().mean().item() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("patch", [1, 2])
def test_maps_of_regions_have_known_and_noisy_places(patch: int) -> None:
    levels = card("maps").region_maps(200, LatentShape(3, 6, 8), 1.0, patch, CPU)
    noisy = levels > 0
    assert levels.shape == (200, 3, 6, 8)
    assert torch.equal(levels, levels[:, :1].expand_as(levels))
    assert noisy.flatten(1).any(1).all()
    if patch == 1:
        assert not noisy.flatten(1).all(1).any()
        rectangles = noisy.any(2, keepdim=True) & noisy.any(3, keepdim=True)
        holes = (~noisy).any(2, keepdim=True) & (~noisy).any(3, keepdim=True)
        assert ((rectangles == noisy) | (holes == ~noisy)).flatten(1).all(1).all()


def test_the_schedule_follows_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    clock = card("train").ClockSchedule(steps=1, decay_steps=0, warmup_steps=4, seconds=100.0, begun=0.0)
    assert [clock.factor(step) for step in (0, 3, 900)] == [0.25, 1.0, 1.0]
    now = 77.5
    assert clock.factor(900) == pytest.approx(0.5)
    now = 101.0
    assert clock.factor(900) == 0.0


def test_sides_are_swapped_as_tokens() -> None:
    texts, clips = card("train").Texts(CPU), card("clips")
    tokenizer = importlib.import_module("sorairo.models.text_encoder").TextEncoder().tokenizer
    pair = clips.tokens(tokenizer, ["a ball rolls to the left", "a ball rolls to the right"])
    assert torch.equal(texts.swapped(pair), pair.flip(0))
    long = clips.tokens(tokenizer, ["ball " * 200, ""])
    assert (long[0] > 0).all()
    assert long[0, -1] == texts.empty[1]
    assert torch.equal(long[1], texts.empty)


@pytest.mark.skipif(find_spec("numba.cuda.simulator") is None, reason="this numba has no simulator of CUDA")
def test_the_tracer_gives_the_worlds_own_pixels(environment: dict[str, str]) -> None:
    path = f"{environment['PYTHONPATH']}:{CARD}"
    environment = environment | {"NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", SIMULATED], env=environment, check=True)


def test_clips_are_made_and_learnt(tiny_model: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    chunks, folder = tmp_path / "chunks", tmp_path / "run"
    common = ["--start", str(tiny_model), "--device", "cpu"]
    few = ["--workers", "1", "--scenes", "6", "--chunk", "2", "--num-frames", "9", "--sizes", "48x32"]
    subprocess.run([sys.executable, CARD / "clips.py", chunks, *common, *few], env=environment, check=True)
    files = sorted(chunks.iterdir())
    assert [file.name for file in files] == [f"00000{number}-48x32.safetensors" for number in range(3)]
    chunk, _ = load_tensors(files[0])
    assert {name: tuple(rows.shape) for name, rows in chunk.items()} == {
        "clip_latents": (4, 4, 3, 2, 3), "clip_cover": (4, 3, 2, 3), "clip_tokens": (4, 5, 80),
        "still_latents": (4, 4, 1, 2, 3), "still_cover": (4, 1, 2, 3), "still_tokens": (4, 3, 80),
    }  # fmt: skip
    assert torch.equal(chunk["clip_cover"][0], chunk["clip_cover"][1].flip(-1))

    little = ["--depth", "4", "--batch", "4", "--steps", "4", "--least", "8", "--capacity", "20", "--no-compile"]
    command = [sys.executable, CARD / "train.py", chunks, folder, *common, *little, "--seconds", "120"]
    subprocess.run(command, env=environment, check=True)
    model = DiT(DiTConfig(depth=4, patch=2, latent_channels=4))
    assert load_into(model, folder / "dit.safetensors") == {"step": 4}
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log if "held_0.9" in line] == [0, 4]
    assert log[0]["held_0.9"] != log[-1]["held_0.9"]
    assert not list(chunks.iterdir())
