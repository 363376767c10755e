"""Sample strips: a row of frames for each prompt, the same for the same weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from sorairo.media import read_picture
from sorairo.models.dit import DiT
from sorairo.models.text_encoder import TextEncoder
from sorairo.training.recipe import Recipe
from sorairo.training.run import load_autoencoder
from sorairo.training.samples import SampleStrip


def test_a_strip_shows_every_prompt_and_is_the_same_again(recipe: Recipe, reference: Path, tmp_path: Path) -> None:
    vae, encoder, shape = load_autoencoder(recipe, reference), TextEncoder(), recipe.data.shape(0)
    strip = SampleStrip(tmp_path / "samples", ("a red ball", "a cube"), recipe.model, vae, encoder, shape)
    weights = DiT(recipe.model.dit).state_dict()
    picture = strip.draw(weights, 7)
    assert picture.shape == (2 * shape.height, shape.num_frames * shape.width, 3)  # of up to six frames
    assert picture.dtype == torch.uint8
    assert np.array_equal(read_picture(tmp_path / "samples" / "step-00000007.png"), picture.numpy())
    assert torch.equal(strip.draw(weights, 8), picture)
    assert not torch.equal(picture[: shape.height], picture[shape.height :])  # each row has noise of its own
