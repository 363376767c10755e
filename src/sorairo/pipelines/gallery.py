"""The gallery: every clip of a written list, as moving pictures and strips, and their page. Picks nothing.

python -m sorairo.pipelines.gallery docs
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sorairo.config import load_toml
from sorairo.media import read_video, strip, write_animation, write_png
from sorairo.pipelines.bundle import ModelBundle, load_bundle
from sorairo.pipelines.generation import generate
from sorairo.pipelines.request import VideoRequest
from sorairo.provenance import sign

LIST, PAGE, FOLDER = "gallery.toml", "gallery.md", "gallery"
SHOWN_WIDTH = 320


@dataclass(frozen=True)
class GalleryClip:
    prompt: str
    seed: int
    width: int = VideoRequest.width
    height: int = VideoRequest.height


@dataclass(frozen=True)
class GalleryList:
    """What `gallery.toml` holds."""

    model: str
    clip: tuple[GalleryClip, ...]


def make_gallery(folder: Path, bundle: ModelBundle | None = None) -> Path:
    """Makes the clips of `folder`/gallery.toml, writes `folder`/gallery/NN.webp and NN.png, signed, and gallery.md.

    Returns the page. Raises ValueError for a list that is missing or wrong, and what `generate` raises.
    """
    listed = load_toml(GalleryList, folder / LIST)
    bundle = bundle or load_bundle(listed.model)
    requests = [
        VideoRequest(c.prompt, seed=c.seed, width=c.width, height=c.height, model=listed.model) for c in listed.clip
    ]
    (folder / FOLDER).mkdir(exist_ok=True)
    for number, request in enumerate(requests, start=1):
        _make(folder / FOLDER / f"{number:02}", request, bundle)
        print(f"{number}/{len(requests)}  {request.prompt}", flush=True)
    page = folder / PAGE
    page.write_text(page_text(requests, bundle), encoding="utf-8")
    return page


def page_text(requests: Sequence[VideoRequest], bundle: ModelBundle) -> str:
    """The page, in Markdown."""
    first = requests[0]
    entries = [
        f"## {number}. {request.prompt}\n\nseed {request.seed}, {request.width}x{request.height}\n\n"
        f"![]({FOLDER}/{number:02}.webp)\n\n![]({FOLDER}/{number:02}.png)\n"
        for number, request in enumerate(requests, start=1)
    ]
    made_by = f"{bundle.name} (weights `{bundle.weights_sha256[:12]}`)"
    return (
        f"# Gallery\n\nMade with `make gallery` by {made_by} from the list in [{LIST}]({LIST}): {len(requests)} "
        f"prompts, one seed each, {first.num_inference_steps} steps, guidance {first.guidance_scale:g}. Nothing was "
        "picked. Every picture carries content credentials.\n\n"
    ) + "\n".join(entries)


def _make(stem: Path, request: VideoRequest, bundle: ModelBundle) -> None:
    """NN.webp and NN.png of one request; each is signed by the same manifest as the clip that they show."""
    with tempfile.TemporaryDirectory(prefix="sorairo-") as temporary:
        clip = generate(request, Path(temporary) / "clip.mp4", bundle=bundle)
        frames, fps = read_video(clip.path)
        moving, still = Path(temporary) / "clip.webp", Path(temporary) / "clip.png"
        write_animation(moving, [*frames], fps=fps, width=SHOWN_WIDTH)
        write_png(still, strip(frames))
        for drawn in (moving, still):
            shown = stem.with_suffix(drawn.suffix)
            sign(drawn, shown, replace(clip.manifest, title=shown.name))


if __name__ == "__main__":
    print(make_gallery(Path(sys.argv[1])))
