"""A model as a folder: settings, weights and a card; read whole or refused in one line, and written. Never samples."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from sorairo.checkpoint import halved, loaded, save_tensors
from sorairo.config import ModelConfig
from sorairo.media import file_sha256, new_file
from sorairo.models.dit import DiT
from sorairo.models.precision import with_half_weights
from sorairo.models.text_encoder import TextEncoder
from sorairo.models.video_vae import VideoVAE
from sorairo.pipelines.cards import (
    CARD_FILE,
    CONFIG_FILE,
    DIT_FILE,
    VAE_FILE,
    WEIGHT_FILES,
    ModelCard,
    find_model,
    load_card,
    load_config,
)
from sorairo.pipelines.preview import LatentPreview, fit_preview
from sorairo.pipelines.vocabulary import world_summary, world_vocabulary
from sorairo.shapes import VideoShape

STUDY_SHAPE = VideoShape(9, 96, 160)
NUM_STUDY_CLIPS = 4
NUM_STUDY_CAPTIONS = 40


@dataclass(frozen=True)
class ModelBundle:
    """A model ready to run: every part on ``device`` and in evaluation mode.

    dit: to be run under `models.precision.autocast`. weights_sha256: of the list of the weight files' names and SHA-256
    sums, as `sha256sum` prints it.
    """

    name: str
    config: ModelConfig
    card: ModelCard
    weights_sha256: str
    video_vae: VideoVAE
    dit: DiT
    text_encoder: TextEncoder
    preview: LatentPreview | None
    device: torch.device


def default_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def load_bundle(name_or_path: str, device: torch.device | None = None) -> ModelBundle:
    """Reads a built-in model by name, or any by its folder.

    Raises:
        ValueError: one line that names what is missing, broken or does not fit.
    """
    folder = find_model(name_or_path)
    device = device or default_device()
    config, card = load_config(folder), load_card(folder)
    preview = torch.tensor(card.preview_weight), torch.tensor(card.preview_bias)
    return ModelBundle(
        name=config.name,
        config=config,
        card=card,
        video_vae=loaded(VideoVAE(config.video_vae), folder / VAE_FILE).to(device),
        dit=with_half_weights(loaded(DiT(config.dit), folder / DIT_FILE), device),
        text_encoder=TextEncoder().to(device),
        weights_sha256=weights_sha256(folder),
        preview=LatentPreview(*preview) if card.preview_weight else None,
        device=device,
    )


def weights_sha256(folder: Path) -> str:
    """What a signed clip names its weights by."""
    lines = "".join(f"{file_sha256(folder / name)}  {name}\n" for name in WEIGHT_FILES)
    return hashlib.sha256(lines.encode()).hexdigest()


def write_bundle(
    folder: Path,
    config: ModelConfig,
    facts: Mapping[str, Any],
    summary: str = "",
    licence: str = "Apache-2.0",
    captions: Iterable[str] = (),
) -> ModelCard:
    """Makes a model of a folder that holds the two weight files: writes its settings and its card.

    The card's words and preview come from a few clips of the world (and from ``captions`` that the model has read as
    well), and its summary, if none is given, from the world's names. ``facts`` is plain JSON data.
    """
    video_vae = loaded(VideoVAE(config.video_vae), folder / VAE_FILE)
    video, told = _study()
    with torch.no_grad():
        preview = fit_preview(video_vae.encode(video), video)
    card = ModelCard(
        summary=summary or world_summary(),
        licence=licence,
        vocabulary=world_vocabulary([*told, *captions]),
        preview_weight=tuple(tuple(row) for row in preview.weight.tolist()),
        preview_bias=tuple(preview.bias.tolist()),
        facts=dict(facts),
    )
    _write_json(folder / CARD_FILE, asdict(card))
    _write_json(folder / CONFIG_FILE, asdict(config))
    return card


def _study() -> tuple[Tensor, list[str]]:
    """A few clips of the world: video [b 3 t h w] in [-1, 1], and many captions of them."""
    from sorairo.world import Style, caption, make_clip, render  # a compiler and physics, which no generation needs

    rng = np.random.default_rng(0)
    clips = [make_clip(seed, STUDY_SHAPE) for seed in range(NUM_STUDY_CLIPS)]
    pixels = torch.from_numpy(np.stack([render(clip)[0] for clip in clips]))
    told = [(clip, style) for clip in clips for style in get_args(Style) for _ in range(NUM_STUDY_CAPTIONS)]
    captions = [caption(*each, rng).text for each in told]
    return rearrange(pixels, "b t h w c -> b c t h w").float() / 127.5 - 1, captions


def write_part(folder: Path, files: tuple[str, str], weights: Mapping[str, Tensor], recipe: Any, settings: Any) -> Path:
    """Makes a part's model of a folder, as `find_part` finds it: ``files`` are its settings and its weights."""
    folder.mkdir(exist_ok=True)
    save_tensors(folder / files[1], halved(weights), {"recipe": asdict(recipe)})
    _write_json(folder / files[0], settings)
    return folder


def _write_json(path: Path, data: dict[str, Any]) -> None:
    with new_file(path) as temporary:
        temporary.write_text(json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
