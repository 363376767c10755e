"""A clip's request, read from its credentials, and whether two clips have the same frames. Never samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sorairo.media import Footage, file_sha256
from sorairo.pipelines.request import Material, VideoRequest
from sorairo.provenance import verify


@dataclass(frozen=True)
class Comparison:
    """``same``: every pixel of every decoded frame is equal; ``text`` says it, or how far they are apart."""

    same: bool
    text: str


def recorded_request(clip: Path, materials: Path | None = None, model: str = "") -> VideoRequest:
    """The request that a clip's credentials tell, with its files found in ``materials`` by their content.

    Raises:
        ValueError: the credentials do not hold or tell no request, or a file is not there; one line.
    """
    verdict = verify(clip)
    if verdict.state not in ("trusted", "valid"):
        raise ValueError(f"{clip} has no credentials that hold ({verdict.state}), so nobody knows how it was made")
    recorded = verdict.facts.get("request")
    if not isinstance(recorded, dict):
        raise ValueError(f"{clip} does not tell what was asked for; only clips of this software do")
    request = VideoRequest.from_dict(recorded)
    folder = materials or clip.parent
    request = request.with_materials(lambda material: replace(material, path=str(_found(material, folder))))
    return replace(request, model=model or request.model)


def compare(one: Path, other: Path) -> Comparison:
    """Decodes both and compares every frame."""
    frames, again = Footage(one), Footage(other)
    if frames.shape != again.shape:
        return Comparison(False, f"not the same: {list(again.shape)} instead of {list(frames.shape)}")
    apart = np.array([np.abs(frames[n].astype(np.int16) - again[n]).mean() for n in range(len(frames))])
    different = np.count_nonzero(apart)
    if not different:
        return Comparison(True, f"the same: all {len(frames)} frames are equal, pixel by pixel")
    return Comparison(
        False, f"not the same: {different} of {len(frames)} frames differ, by {apart.mean():.2f} of 255 on average"
    )


def _found(material: Material, folder: Path) -> Path:
    others = sorted(folder.iterdir()) if folder.is_dir() else []
    for path in (folder / material.path, *others):  # the file of that name first: others may have been renamed
        if path.is_file() and file_sha256(path) == material.sha256:
            return path
    raise ValueError(
        f"{material.path} ({material.sha256[:12]}...) is not in {folder}; name its folder with --materials"
    )
