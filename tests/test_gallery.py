"""The gallery: every clip of the list, nothing else, each of its pictures signed."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from sorairo.cli.gallery import GalleryList, make_gallery
from sorairo.config import load_toml
from sorairo.pipelines import VideoRequest, load_bundle
from sorairo.pipelines.advice import notices
from sorairo.provenance import verify

LIST = Path(__file__).parents[1] / "docs" / "gallery.toml"


def test_a_gallery_of_two(tiny_model: Path, tmp_path: Path) -> None:
    clips = '[[clip]]\nprompt = "a red ball"\nseed = 1\nwidth = 64\nheight = 32\nseconds = 1\n' * 2
    tool = "[[tool]]\nname = \"longer\"\nline = 'extend 01.mp4 --seconds 0.5 --steps 2'\n"
    (tmp_path / "gallery.toml").write_text(f'model = "{tiny_model}"\n{clips}{tool}')
    page = make_gallery(tmp_path)
    pictures = sorted(path.name for path in (tmp_path / "gallery").iterdir())
    assert pictures == ["01.png", "01.webp", "02.png", "02.webp", "longer.png", "longer.webp"]
    for name in pictures:
        verdict = verify(tmp_path / "gallery" / name)
        assert (verdict.state, verdict.facts["title"]) == ("trusted", name)
        assert f"gallery/{name}" in page.read_text()
    with Image.open(tmp_path / "gallery" / "01.webp") as moving:
        assert moving.n_frames == 9  # type: ignore[attr-defined]


def test_a_list_with_a_mistake_is_refused(tmp_path: Path) -> None:
    (tmp_path / "gallery.toml").write_text('model = "tiny"\n[[clip]]\npromt = "a"\n')
    with pytest.raises(ValueError, match="unknown key 'promt'; the nearest known key is 'prompt'"):
        make_gallery(tmp_path)


def test_a_command_that_fails_is_named(tiny_model: Path, tmp_path: Path) -> None:
    wrong = "seed = 1\nwidth = 65\n"
    (tmp_path / "gallery.toml").write_text(f'model = "{tiny_model}"\n[[clip]]\nprompt = "a"\n{wrong}')
    with pytest.raises(ValueError, match='01 ended with exit code 2: sorairo generate "a"'):
        make_gallery(tmp_path)


def test_the_shipped_list_is_valid_and_within_what_the_model_knows(tiny_model: Path) -> None:
    listed = load_toml(GalleryList, LIST)
    card = load_bundle(str(tiny_model)).card
    assert len(listed.clip) >= 16
    assert len({clip.seed for clip in listed.clip}) == len({clip.prompt for clip in listed.clip}) == len(listed.clip)
    assert [line for clip in listed.clip for line in notices(VideoRequest(clip.prompt), card)] == []
    assert listed.model == VideoRequest.model
