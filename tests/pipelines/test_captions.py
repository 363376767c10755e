"""Captions by the built-in captioner, by an endpoint and by a local model: what is seen, kept, and refused."""

from __future__ import annotations

import base64
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.conftest import Endpoint

from sorairo.media import write_mp4
from sorairo.pipelines import captions
from sorairo.pipelines.captions import (
    BuiltInWriter,
    EndpointWriter,
    FolderWriter,
    as_trained,
    built_in_writer,
    caption_files,
    load_captioner,
    pictures_of,
)
from sorairo.pipelines.language_model import EndpointError, LanguageModel
from sorairo.shapes import nearest_bucket


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    files = [tmp_path / f"{number}.mp4" for number in range(3)]
    for number, file in enumerate(files):
        frames = [np.full((32, 48, 3), 20 * t + 50 * number, np.uint8) for t in range(5)]
        write_mp4(file, frames, width=48, height=32, fps=8)
    return files


@pytest.fixture(scope="module")
def writer(tiny_captioner: Path, tiny_model: Path) -> BuiltInWriter:
    return built_in_writer(str(tiny_captioner), str(tiny_model))


def test_the_built_in_captioner_writes_its_words(writer: BuiltInWriter) -> None:
    frames = np.zeros((5, 96, 160, 3), np.uint8)
    told = {style: writer.caption_clip(frames, style) for style in captions.STYLES}
    assert len(set(told.values())) > 1  # the style's mark is read
    assert all(
        set(text.lower().replace(".", " ").split()) <= {"a", "red", "ball", "rolls", "left", "?"}
        for text in told.values()
    )


def test_captions_of_several_clips_are_those_of_each(writer: BuiltInWriter) -> None:
    latents = [torch.randn(4, 2, 4, width) for width in (6, 4, 6)]
    together = writer.caption_latents(latents, "short")
    assert together == [writer.caption_latents([one], "short")[0] for one in latents]
    assert len(set(together)) > 1


def test_a_clip_is_shown_whole_at_the_size_it_was_trained_on() -> None:
    frames = np.arange(66, dtype=np.uint8)[:, None, None, None].repeat(90, 1).repeat(160, 2).repeat(3, 3)
    video = as_trained(frames)
    assert video.shape == (1, 3, 33, 96, 160)
    values = ((video[0, 0, :, 0, 0] + 1) * 127.5).round().tolist()
    assert (values[0], values[-1]) == (0, 65)
    assert as_trained(frames[:1]).shape[2] == 33


@pytest.mark.parametrize(
    ("size", "bucket"), [((1920, 1080), (160, 96)), ((700, 700), (128, 128)), ((9, 16), (96, 160))]
)
def test_the_nearest_native_size(size: tuple[int, int], bucket: tuple[int, int]) -> None:
    found = nearest_bucket(*size)
    assert (found.width, found.height) == bucket


def test_an_endpoint_gets_pictures_in_order(endpoint: Endpoint, asked: LanguageModel) -> None:
    frames = np.linspace(0, 250, 30).astype(np.uint8)[:, None, None, None].repeat(400, 1).repeat(800, 2).repeat(3, 3)
    assert EndpointWriter(asked).caption_clip(frames, "descriptive") == "a caption"
    text, *pictures = endpoint.seen[0]["body"]["messages"][1]["content"]
    assert text["text"] == captions.ASKED["descriptive"]
    opened = [Image.open(io.BytesIO(base64.b64decode(p["image_url"]["url"].partition(",")[2]))) for p in pictures]
    assert [picture.size for picture in opened] == [(512, 256)] * captions.NUM_PICTURES
    greys = [np.asarray(picture).mean() for picture in opened]
    assert greys == sorted(greys)
    assert len(pictures_of(frames[:2])) == 2


def test_a_record_is_not_written_twice(
    clips: list[Path], endpoint: Endpoint, asked: LanguageModel, tmp_path: Path
) -> None:
    record, writer = tmp_path / "captions.jsonl", EndpointWriter(asked)
    first = list(caption_files(clips[:2], writer, "short", record, at_once=2))
    assert [one.file for one in first] == [str(clip) for clip in clips[:2]]
    assert {(one.tokens_read, one.tokens_written) for one in first} == {(100, 7)}
    with record.open("a") as file:
        file.write('{"file": "half')  # a kill
    again = list(caption_files(clips, writer, "short", record))
    assert again[:2] == first
    assert len(endpoint.seen) == 3
    assert [json.loads(line)["file"] for line in record.read_text().splitlines()] == [str(clip) for clip in clips]
    list(caption_files(clips[:1], writer, "descriptive", record))
    assert len(endpoint.seen) == 4  # another style is another question


def test_what_was_captioned_before_a_failure_is_kept(
    clips: list[Path], endpoint: Endpoint, asked: LanguageModel, tmp_path: Path
) -> None:
    record = tmp_path / "captions.jsonl"
    endpoint.statuses = [200, 401]
    with pytest.raises(EndpointError, match="401"):
        list(caption_files(clips, EndpointWriter(asked), "short", record))
    assert len(record.read_text().splitlines()) == 1


def test_wrong_files_styles_and_records_are_one_line(
    clips: list[Path], asked: LanguageModel, endpoint: Endpoint, tmp_path: Path
) -> None:
    writer, broken = EndpointWriter(asked), tmp_path / "broken.jsonl"
    with pytest.raises(ValueError, match="style is 'long'; the nearest is"):
        list(caption_files(clips, writer, "long"))  # type: ignore[arg-type]
    broken.write_text("{}\n")
    with pytest.raises(ValueError, match="is no record of captions"):
        list(caption_files(clips, writer, "short", broken))
    (tmp_path / "notes.mp4").write_text("no video")
    with pytest.raises(ValueError, match=r"notes\.mp4"):
        list(caption_files([tmp_path / "notes.mp4"], writer, "short"))
    with pytest.raises(ValueError, match=r"none\.mp4 does not exist"):
        list(caption_files([*clips, tmp_path / "none.mp4"], writer, "short"))
    with pytest.raises(ValueError, match=r"output is .*none/a\.jsonl; there is no folder"):
        list(caption_files(clips, writer, "short", tmp_path / "none" / "a.jsonl"))
    assert not endpoint.seen


def test_a_captioner_that_is_not_there_or_broken_is_one_line(tiny_captioner: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="captioner is 'none'; the nearest installed captioner is"):
        load_captioner("none")
    (tmp_path / "captioner.json").write_text('{"words": "a b"}')
    with pytest.raises(ValueError, match="cannot be read as a captioner's settings"):
        load_captioner(str(tmp_path))
    (tmp_path / "captioner.json").write_text((tiny_captioner / "captioner.json").read_text())
    with pytest.raises(ValueError, match=r"captioner\.safetensors"):
        load_captioner(str(tmp_path))


def test_a_model_in_a_folder_needs_transformers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ValueError, match="pip install transformers"):
        FolderWriter(tmp_path).caption_clip(np.zeros((1, 8, 8, 3), np.uint8), "short")
    monkeypatch.setitem(sys.modules, "transformers", SimpleNamespace())
    with pytest.raises(ValueError, match="folder is none; there is no such folder"):
        FolderWriter(Path("none")).caption_clip(np.zeros((1, 8, 8, 3), np.uint8), "short")


def test_a_model_in_a_folder_is_asked_as_its_library_wants(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Against a stand-in with the library's calls: the real one is no dependency."""
    seen: dict[str, Any] = {}

    def template(messages: list[dict[str, Any]], **options: Any) -> dict[str, torch.Tensor]:
        seen["content"] = messages[0]["content"]
        return {"input_ids": torch.tensor([[1, 2, 3]])}

    processor = SimpleNamespace(apply_chat_template=template, batch_decode=lambda rows, **_: [f"words {rows.tolist()}"])
    model = SimpleNamespace(generate=lambda input_ids, **_: torch.cat([input_ids, torch.tensor([[8, 9]])], 1))
    library = SimpleNamespace(
        AutoProcessor=SimpleNamespace(from_pretrained=lambda folder, local_files_only: processor),
        AutoModelForImageTextToText=SimpleNamespace(from_pretrained=lambda folder, local_files_only: model),
    )
    monkeypatch.setitem(sys.modules, "transformers", library)
    answer = FolderWriter(tmp_path).answer(np.zeros((9, 8, 8, 3), np.uint8), "short")
    assert answer.text == "words [[8, 9]]"
    assert (answer.tokens_read, answer.tokens_written) == (3, 2)
    assert [part["type"] for part in seen["content"]] == ["image"] * captions.NUM_PICTURES + ["text"]
