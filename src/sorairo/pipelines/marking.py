"""The marks on finished frames: which frame gets them, and whose identity they carry. Never changes a frame that has
them already: what is kept of a marked clip goes on into the result bit by bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sorairo.media import Frames
from sorairo.pipelines.request import VideoRequest
from sorairo.provenance import Ingredient
from sorairo.provenance.verification import media_type
from sorairo.provenance.visible_mark import draw_mark
from sorairo.provenance.watermark import Watermark, carries_watermark, identity_of


class Marker:
    """Marks the frames of one clip, in their order."""

    def __init__(self, request: VideoRequest, weights_sha256: str) -> None:
        self.identity = clip_identity(request, weights_sha256)
        self._watermark = Watermark(self.identity, request.width, request.height)
        self._visible, self._fps, self._number = request.visible_mark, request.fps, 0

    def mark(self, frame: Frames, kept: bool) -> Frames:
        """The next frame [h w 3] with its marks. ``kept``: all of it was given, so it may have them already."""
        seconds = self._number / self._fps
        self._number += 1
        if kept and carries_watermark(frame):
            return frame
        return self._watermark.mark(draw_mark(frame, seconds) if self._visible else frame)


def ingredients(request: VideoRequest) -> tuple[Ingredient, ...]:
    """The files of a request for its manifest. The first clip is what the result is another version of; pictures, masks
    and further clips went into it. A WebM can carry no credentials: the request alone names it."""
    kinds = {material.path: _kind(Path(material.path)) for material in request.materials}
    clips = [path for path, kind in kinds.items() if kind.startswith("video/")]
    return tuple(Ingredient(Path(path), path in clips[:1]) for path, kind in kinds.items() if kind)


def _kind(path: Path) -> str:
    try:
        return media_type(path)
    except ValueError:
        return ""


def clip_identity(request: VideoRequest, weights_sha256: str) -> int:
    """36 bits that name a clip: the same request and weights, whatever its files are called, give the same."""
    nameless = request.with_materials(lambda material: replace(material, path=""))
    return identity_of(f"{weights_sha256} {nameless.to_json()}")
