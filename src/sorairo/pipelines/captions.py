"""Captions of clips: by the built-in captioner, or by a vision-language model at an endpoint or in a local folder.

The built-in one knows the simulated world only. Whatever it is shown it describes in that world's words: footage needs
another. Never judges and never writes video.
"""

from __future__ import annotations

import base64
import importlib
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sorairo.config import check_name, load
from sorairo.media import Frames, fitted, read_video
from sorairo.models.vocabulary import Vocabulary, WritingStyle, sentences, style_number
from sorairo.pipelines.cards import find_part
from sorairo.pipelines.language_model import Answer, LanguageModel
from sorairo.shapes import nearest_bucket

if TYPE_CHECKING:
    from torch import Tensor

    from sorairo.models.captioner import Captioner
    from sorairo.models.video_vae import VideoVAE

CAPTIONER = "sorairo-captioner"
SETTINGS_FILE, WEIGHTS_FILE = "captioner.json", "captioner.safetensors"
STYLES: tuple[WritingStyle, ...] = ("short", "descriptive", "structured")
AT_ONCE = 32  # clips that the captioner reads together
NUM_PICTURES, LONGER_SIDE = 6, 512  # of a clip, as an endpoint gets them
INSTRUCTIONS = "You see pictures of one video clip in their order. Describe the clip. Say only what can be seen."
ASKED: dict[str, str] = {
    "short": "One sentence of at most 15 words: who or what does what.",
    "descriptive": "Two to five sentences: what is there with colours and numbers, what happens in order with left and "
    "right, what causes what, the place, the light, and how the camera moves.",
    "structured": "Entries in this form and no other text: objects: ...; ... . events: ...; ... . places: ... left of "
    "... . ground: ... . light: ... . camera: ... .",
}


class ClipWriter(ABC):
    """Whoever describes clips."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Goes into the record of what it wrote."""

    @abstractmethod
    def answer(self, frames: Frames, style: WritingStyle) -> Answer:
        """A text about frames uint8 [t h w 3], with what it cost."""

    def caption_clip(self, frames: Frames, style: WritingStyle) -> str:
        """A text about frames uint8 [t h w 3]."""
        return self.answer(frames, style).text


@dataclass(frozen=True)
class BuiltInWriter(ClipWriter):
    """The built-in captioner with the autoencoder whose latents it reads. Frames are thinned out and scaled for it."""

    captioner: Captioner
    vocabulary: Vocabulary
    vae: VideoVAE
    name: str = CAPTIONER

    def answer(self, frames: Frames, style: WritingStyle) -> Answer:
        import torch

        from sorairo.models.precision import autocast

        device = self.vae.latent_mean.device
        with torch.inference_mode(), autocast(device):
            latents = self.vae.encode(as_trained(frames).to(device))
        return Answer(self.caption_latents(list(latents), style)[0])

    def caption_latents(self, latents: Sequence[Tensor], style: WritingStyle) -> list[str]:
        """A text about each clip's latents [c t h w], in their order; those of one size are read together."""
        import torch

        from sorairo.models.precision import autocast

        texts: dict[int, str] = {}
        for size in {one.shape: None for one in latents}:
            alike = [place for place, one in enumerate(latents) if one.shape == size]
            for start in range(0, len(alike), AT_ONCE):
                part = alike[start : start + AT_ONCE]
                shown = torch.stack([latents[place] for place in part]).float()
                with torch.inference_mode(), autocast(shown.device):
                    written = self.captioner.write(self.captioner.watch(shown), style_number(style))
                texts.update(zip(part, map(self.vocabulary.decode, written), strict=True))
        return [texts[place] if style == "structured" else sentences(texts[place]) for place in range(len(latents))]


@dataclass(frozen=True)
class EndpointWriter(ClipWriter):
    """A vision-language model at an endpoint."""

    model: LanguageModel

    @property
    def name(self) -> str:
        return self.model.model

    def answer(self, frames: Frames, style: WritingStyle) -> Answer:
        """Raises EndpointError where there is none."""
        return self.model.ask(INSTRUCTIONS, ASKED[style], [data_url(picture) for picture in pictures_of(frames)])


@dataclass(frozen=True)
class FolderWriter(ClipWriter):
    """A vision-language model of the transformers library in a local folder; nothing is downloaded."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    def answer(self, frames: Frames, style: WritingStyle) -> Answer:
        """Raises ValueError where transformers is not installed, or the folder holds no such model."""
        from PIL import Image

        processor, model = _transformers(self.folder)
        pictures = [{"type": "image", "image": Image.fromarray(picture)} for picture in pictures_of(frames)]
        content = [*pictures, {"type": "text", "text": f"{INSTRUCTIONS} {ASKED[style]}"}]
        read = processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
        )  # fmt: skip
        made = model.generate(**read, max_new_tokens=300, do_sample=False)[:, read["input_ids"].shape[1] :]
        text = processor.batch_decode(made, skip_special_tokens=True)[0]
        return Answer(" ".join(text.split()), read["input_ids"].shape[1], made.shape[1])


@cache
def _transformers(folder: Path) -> tuple[Any, Any]:
    try:
        library: Any = importlib.import_module("transformers")
    except ImportError:
        raise ValueError("a model in a folder needs the transformers library: pip install transformers") from None
    if not folder.is_dir():
        raise ValueError(f"folder is {folder}; there is no such folder")
    try:
        processor = library.AutoProcessor.from_pretrained(folder, local_files_only=True)
        return processor, library.AutoModelForImageTextToText.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder} is no vision-language model: {str(error).splitlines()[0]}") from error


def load_captioner(name_or_path: str = CAPTIONER) -> tuple[Captioner, Vocabulary]:
    """A built-in captioner by its name, or any by its folder, ready to write, and its words.

    Raises:
        ValueError: one line that names what is missing, broken or does not fit.
    """
    from sorairo.checkpoint import loaded
    from sorairo.models.captioner import Captioner, CaptionerConfig
    from sorairo.pipelines.bundle import default_device

    folder = find_part("captioner", name_or_path, SETTINGS_FILE)
    path = folder / SETTINGS_FILE
    try:
        settings = json.loads(path.read_bytes())
        vocabulary, model = Vocabulary(settings["words"].split()), settings["model"]
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read as a captioner's settings: {error}") from error
    captioner = Captioner(load(CaptionerConfig, model, str(path)), len(vocabulary))
    return loaded(captioner, folder / WEIGHTS_FILE).to(default_device()), vocabulary


def built_in_writer(captioner: str = CAPTIONER, model: str = "sorairo-base") -> BuiltInWriter:
    """The captioner with the autoencoder of a model. Raises ValueError as `load_captioner` does."""
    from sorairo.pipelines.bundle import load_bundle

    network, vocabulary = load_captioner(captioner)
    return BuiltInWriter(network, vocabulary, load_bundle(model).video_vae, captioner)


def own_writer(folder: Path | None, endpoint: str | None, endpoint_model: str) -> ClipWriter | None:
    """A user's own model that describes clips, if one is named: at an endpoint, or else in a folder."""
    if endpoint:
        return EndpointWriter(LanguageModel(endpoint, endpoint_model))
    return FolderWriter(folder) if folder else None


def as_trained(frames: Frames) -> Tensor:
    """Frames uint8 [t h w 3] as a video [1 3 33 h w] in [-1, 1] of the native size that is nearest in shape.

    A clip of another length is shown whole: its frames are picked evenly, or repeated.
    """
    from sorairo.models.video_vae import to_video

    bucket = nearest_bucket(frames.shape[2], frames.shape[1])
    picked = np.linspace(0, len(frames) - 1, bucket.num_frames).round().astype(int)
    shown = np.stack([fitted(frames[number], bucket.width, bucket.height) for number in picked])
    return to_video(shown)


def pictures_of(frames: Frames) -> list[Frames]:
    """Some frames of a clip, evenly from first to last, none with a side above LONGER_SIDE."""
    picked = np.linspace(0, len(frames) - 1, min(NUM_PICTURES, len(frames))).round().astype(int)
    height, width = frames.shape[1:3]
    scale = min(1.0, LONGER_SIDE / max(width, height))
    return [fitted(frames[number], round(width * scale), round(height * scale)) for number in picked]


def data_url(picture: Frames) -> str:
    """A picture [h w 3] as a JPEG inside an address."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=90)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


@dataclass(frozen=True)
class Captioned:
    """What was written about a file. ``sha256`` is of its bytes."""

    file: str
    sha256: str
    style: str
    writer: str
    caption: str
    tokens_read: int = 0
    tokens_written: int = 0
    seconds: float = 0.0


def caption_files(
    files: Sequence[Path], writer: ClipWriter, style: WritingStyle, record: Path | None = None, at_once: int = 1
) -> Iterator[Captioned]:
    """Captions of files in their order, ``at_once`` of them at a time; each is written to ``record`` when it is there.

    What the record holds of the same bytes, style and writer is not asked for again.

    Raises:
        ValueError: the style is none, or a file is no clip. EndpointError: an endpoint gives no answer.
    """
    from sorairo.media import file_sha256

    check_name("style", style, STYLES)
    if record and not record.parent.is_dir():
        raise ValueError(f"output is {record}; there is no folder {record.parent}")
    for file in files:
        if not file.is_file():
            raise ValueError(f"{file} is not a file" if file.exists() else f"{file} does not exist")
    known = {(each.sha256, each.style, each.writer): each for each in _recorded(record)}

    def described(file: Path) -> Captioned:
        sha256 = file_sha256(file)
        if earlier := known.get((sha256, style, writer.name)):
            return earlier
        answer = writer.answer(read_video(file)[0], style)
        usage = answer.tokens_read, answer.tokens_written, answer.seconds
        return Captioned(str(file), sha256, style, writer.name, answer.text, *usage)

    with ThreadPoolExecutor(at_once) as pool:
        for one in pool.map(described, files):
            if record and one not in known.values():
                with record.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(asdict(one), ensure_ascii=False) + "\n")
            yield one


def _recorded(record: Path | None) -> Iterable[Captioned]:
    """Whole lines of a record: a kill may have left half a one."""
    if record is None or not record.exists():
        return []
    lines = record.read_text("utf-8").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    if len(whole) < len(lines):
        record.write_text("".join(whole), "utf-8")
    try:
        return [load(Captioned, json.loads(line), str(record)) for line in whole]
    except ValueError as error:
        raise ValueError(f"{record} is no record of captions: {error}") from error
