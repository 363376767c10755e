"""The pictures of docs/studio.md: the studio as three people see it, on a server of its own with the built-in model.

python bench/screenshots.py [FOLDER]

Starts `sorairo serve` in a temporary folder, has short clips made from the first prompts of docs/gallery.toml, walks
through the studio in Chromium and writes nine pictures into FOLDER, or docs/studio. Nothing is picked: the prompts and
seeds are the gallery's. Checks nothing: the tests do. The name's Japanese signs need a font (fonts-ipafont-gothic).
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402
from playwright.sync_api import FilePayload, Locator, Page  # noqa: E402
from tests.server.browsing import CHROMIUM, STUDIO, chromium, drag, entered, wait_for  # noqa: E402
from tests.server.conftest import Live  # noqa: E402

from sorairo.cli.gallery import LIST, GalleryList  # noqa: E402
from sorairo.config import load_toml  # noqa: E402

FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "studio"
CLIPS = load_toml(GalleryList, ROOT / "docs" / LIST).clip
SIZES = ["160x96", "96x160", "160x96", "128x128", "160x96", "160x96"]  # of the clips, in the order they are made in
SECONDS = "2"
WINDOW, LOW = (1280, 810), (1280, 720)
TO_THE_TOP = "form => form.scrollIntoView()"
LOADED = """() => [...document.images].filter(it => it.getBoundingClientRect().top < innerHeight)
    .every(it => it.complete && it.naturalWidth)"""


@contextmanager
def served() -> Iterator[Live]:
    """A server as an operator starts it, until it is no longer needed."""
    with tempfile.TemporaryDirectory(prefix="sorairo-") as name:
        folder = Path(name)
        command = [sys.executable, "-m", "sorairo.cli", "serve", "--port", "0", "--feeds", "--folder", name]
        environment = {**os.environ, "SORAIRO_HOME": str(folder / "settings")}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout
            url, key = process.stdout.readline().strip(), process.stdout.readline().strip().rpartition(" ")[2]
            try:
                yield Live(url, key, process, folder, "")
            finally:
                process.terminate()


def post(page: Page, path: str, **body: Any) -> dict[str, Any]:
    answer = page.request.post(f"/v1/{path}", headers=STUDIO, **body)
    assert answer.ok, answer.text()
    said: dict[str, Any] = answer.json()
    return said


def publish(page: Page, video: str) -> None:
    post(page, f"videos/{video}", data={"published": True})
    while (now := page.request.get(f"/v1/videos/{video}").json())["publication"] in ("pending", "judging"):
        page.wait_for_timeout(200)
    assert now["publication"] == "published", now


def character(page: Page, name: str, words: str, video: str) -> None:
    clip = page.request.get(f"/v1/videos/{video}/content").body()
    file: FilePayload = {"name": "a.mp4", "mimeType": "video/mp4", "buffer": clip}
    post(page, "videos/characters", multipart={"name": name, "description": words, "video": file})


def furnish(mika: Page, noor: Page) -> list[str]:
    """Mika's clips, the gallery's first as the latest, with all that the pictures show of them; noor reports one."""
    ids: list[str] = []
    for clip, size in zip(CLIPS[: len(SIZES)][::-1], SIZES, strict=True):
        asked = {"prompt": clip.prompt, "seed": clip.seed, "size": size, "seconds": SECONDS}
        ids.insert(0, post(mika, "videos", data=asked)["id"])
        wait_for(mika, ids[0], "completed")
    post(mika, f"videos/{ids[0]}", data={"title": "Dominoes", "favourite": True})
    post(mika, f"videos/{ids[1]}", data={"folder": "Cubes"})
    for video in ids[2::-1]:
        publish(mika, video)
    character(mika, "Mo", "a small red ball", ids[0])
    character(mika, "Ringo", "", ids[1])
    said = {"reason": "my_rights", "message": "This is my ball, I filmed it first."}
    post(noor, f"videos/{ids[0]}/reports", data=said)
    return ids


def opened(page: Page, place: str, size: tuple[int, int] = WINDOW) -> Page:
    """The page at that place, as it is now, in a window of that size."""
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(f"/#/{place}")
    page.reload()
    page.get_by_role("main").wait_for()
    return page


def shoot(page: Page, name: str, width: int) -> None:
    """Writes what the window shows, when its pictures are there."""
    page.wait_for_function(LOADED)
    page.wait_for_timeout(500)  # what fades in has done so
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    height = round(picture.height * width / picture.width)
    small = picture.resize((width, height), Image.Resampling.LANCZOS)
    small.quantize(256, kmeans=2).save(FOLDER / f"{name}.png", optimize=True)
    print(FOLDER / f"{name}.png")


def playing(page: Page) -> None:
    page.get_by_role("heading", name="Verified").wait_for()
    page.wait_for_function("() => document.querySelector('.screen video').currentTime > 0.8")


def tool(page: Page, name: str) -> Locator:
    page.get_by_role("button", name=name, exact=True).click()
    return page.locator("form.sheet")


def show_wall(page: Page) -> None:
    opened(page, "").get_by_role("textbox", name="Prompt").fill(CLIPS[6].prompt)
    page.locator(".tile").first.wait_for()
    shoot(page, "library", 840)
    opened(page, "", (390, 800)).locator(".tile").first.wait_for()
    shoot(page, "phone", 390)
    opened(page, "characters", LOW).get_by_role("heading", name="Ringo").wait_for()
    shoot(page, "characters", LOW[0])


def show_clip(page: Page, video: str) -> None:
    playing(opened(page, f"video/{video}"))
    shoot(page, "player", 840)
    form = tool(page, "Blend")
    form.locator(".picker label").nth(1).click()
    form.get_by_role("button", name="Mix", exact=True).click()
    form.evaluate(TO_THE_TOP)
    shoot(page, "blend", 1000)
    form = tool(page, "Inpaint")
    form.get_by_label("Moment shown").fill("1")
    mask = form.get_by_label("Mask", exact=True)
    place = mask.bounding_box()
    assert place
    drag(page, mask, place["x"] + place["width"] * 0.2, place["y"] + place["height"] * 0.4)
    for side, pixels in (("Left", "100"), ("Top", "40"), ("Width", "36"), ("Height", "36")):
        form.get_by_label(side, exact=True).fill(pixels)
    form.get_by_role("button", name="Mark the box").click()
    form.get_by_role("textbox", name="Prompt").fill("a blue cube stands there")
    form.evaluate(TO_THE_TOP)
    shoot(page, "inpaint", 1000)


def show_storyboard(page: Page) -> None:
    """In the dark."""
    page.emulate_media(color_scheme="dark")
    form = opened(page, "storyboard").locator("form.board")
    form.get_by_label("Text at 0 s").fill(CLIPS[15].prompt)
    form.get_by_role("button", name="Clip card").click()
    form.locator(".picker label").nth(1).click()
    form.get_by_role("button", name="Text card").click()
    form.get_by_role("textbox", name="Text at").nth(1).fill("the camera zooms in")
    shoot(page, "storyboard", 1000)
    page.emulate_media(color_scheme="light")


def show_others(noor: Page, operator: Page, video: str) -> None:
    playing(opened(noor, f"recent/{video}"))
    shoot(noor, "recent", 1000)
    case = opened(operator, "admin", LOW).get_by_role("listitem", name="Report: My own rights, by noor")
    case.get_by_role("button", name="Watch the clip").click()
    case.get_by_label("Reason").fill("A red ball is nobody's.")
    operator.wait_for_function("() => document.querySelector('.case video').currentTime > 0.8")
    shoot(operator, "cases", LOW[0])


def main() -> None:
    if not CHROMIUM:
        sys.exit("The pictures need Chromium, which is not installed here: apt-get install chromium")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with served() as live, chromium(live) as context:
        keys = [*(live.keys("create", name, "--tier", "plus") for name in ("mika", "noor")), live.key]
        mika, noor, operator = (entered(context, live, key) for key in keys)
        first = furnish(mika, noor)[0]
        show_wall(mika)
        show_clip(mika, first)
        show_storyboard(mika)
        show_others(noor, operator, first)


main()
