"""The gallery: every clip and every tool of a written list, as moving pictures and strips, and their page.

Runs the very commands that it shows, and picks nothing. python -m sorairo.cli.gallery docs
"""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sorairo import cli
from sorairo.config import load_toml
from sorairo.media import read_any, strip, write_animation, write_png
from sorairo.pipelines.request import VideoRequest
from sorairo.provenance import Manifest, sign, verify

LIST, PAGE, FOLDER = "gallery.toml", "gallery.md", "gallery"
MATERIALS = "materials"
SHOWN_WIDTH = 320


@dataclass(frozen=True)
class GalleryClip:
    prompt: str
    seed: int
    width: int = VideoRequest.width
    height: int = VideoRequest.height
    seconds: float = VideoRequest.seconds

    @property
    def line(self) -> str:
        size = f"{self.width}x{self.height}"
        return f'generate "{self.prompt}" --seed {self.seed} --size {size} --seconds {self.seconds:g}'


@dataclass(frozen=True)
class GalleryTool:
    """A command ``line`` of sorairo; it may use NN.mp4, the clips above it, NAME.mp4, and files of `materials`."""

    name: str
    line: str


@dataclass(frozen=True)
class GalleryList:
    """What `gallery.toml` holds."""

    model: str
    clip: tuple[GalleryClip, ...]
    tool: tuple[GalleryTool, ...] = ()


def make_gallery(folder: Path) -> Path:
    """Runs the commands of `folder`/gallery.toml, writes `folder`/gallery/NAME.webp and .png, signed, and gallery.md.

    Returns the page. Raises ValueError for a list that is missing or wrong, and for a command that fails.
    """
    listed = load_toml(GalleryList, folder / LIST)
    runs = [(f"{number:02}", clip.line) for number, clip in enumerate(listed.clip, start=1)]
    runs += [(tool.name, tool.line) for tool in listed.tool]
    shown = (folder / FOLDER).resolve()
    shown.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sorairo-") as temporary:
        if (folder / MATERIALS).is_dir():
            shutil.copytree(folder / MATERIALS, temporary, dirs_exist_ok=True)
        model = str(Path(listed.model).resolve()) if Path(listed.model).is_dir() else listed.model
        with chdir(temporary):
            facts = [_make(name, line, model, shown) for name, line in runs]
    page = folder / PAGE
    page.write_text(page_text(runs, len(listed.clip), facts[0]), encoding="utf-8")
    return page


def page_text(runs: Sequence[tuple[str, str]], num_clips: int, facts: dict[str, Any]) -> str:
    """The page, in Markdown."""
    entries = [
        f"## {name}\n\n    sorairo {line}\n\n![]({FOLDER}/{name}.webp)\n\n![]({FOLDER}/{name}.png)\n"
        for name, line in runs
    ]
    made_by = f"{facts['model']} (weights `{facts['weights_sha256'][:12]}`)"
    return (
        f"# Gallery\n\nMade with `make gallery` by {made_by} from the list in [{LIST}]({LIST}): {num_clips} prompts, "
        f"one seed each, and {len(runs) - num_clips} tools applied to them, by the commands shown. Nothing was picked. "
        "Every picture carries content credentials.\n\n"
    ) + "\n".join(entries)


def _make(name: str, line: str, model: str, shown: Path) -> dict[str, Any]:
    """Runs one line here and shows what it made, as NAME.webp and NAME.png, signed with its own manifest."""
    words = shlex.split(line)
    path = Path(f"{name}.png" if words[0] == "image" else f"{name}.mp4")
    options = [] if words[0] == "vary" else ["--model", model]
    code = cli.run([*words, *options, "-o", str(path)])
    if code:
        raise ValueError(f"{LIST}: {name} ended with exit code {code}: sorairo {line}")
    facts = dict(verify(path).facts)
    frames, fps = read_any(path)
    write_animation(Path("shown.webp"), [*frames], fps=fps or 1, width=SHOWN_WIDTH)
    write_png(Path("shown.png"), strip(frames))
    for suffix in (".webp", ".png"):
        manifest = Manifest(f"{name}{suffix}", facts["model"], facts["weights_sha256"], facts["request"])
        sign(Path(f"shown{suffix}"), shown / f"{name}{suffix}", manifest)
    return facts


if __name__ == "__main__":
    print(make_gallery(Path(sys.argv[1])))
