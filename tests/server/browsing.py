"""Real Chromium, and what a person does in the studio as steps for tests: fill a form, press, drag, drop, wait.

Never checks a page.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, FilePayload, Locator, Page, expect, sync_playwright
from tests.server.conftest import Live

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
PATIENCE_MS = 60_000
STUDIO = {"x-sorairo-studio": "1"}  # with which a cookie counts

in_chromium = pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed here: apt-get install chromium")

made: list[str] = []
"""Ids of the clips that the tools were asked for."""


@contextmanager
def chromium(live: Live) -> Iterator[BrowserContext]:
    """A browser in front of the live server; it is patient with machines that have more to do."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        context = program.new_context(base_url=live.url.removesuffix("/v1"), accept_downloads=True)
        context.set_default_timeout(PATIENCE_MS)
        yield context
        program.close()


def entered(context: BrowserContext, live: Live, key: str) -> Page:
    """A new page that is signed in, in a browser of its own beside the first."""
    assert context.browser
    page = context.browser.new_context(base_url=live.url.removesuffix("/v1")).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto("/")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("navigation").wait_for()
    return page


def clip_of(page: Page, prompt: str) -> str:
    """The id of a small clip that is made without the page."""
    asked = {"prompt": prompt, "size": "64x32", "seconds": "1", "num_inference_steps": 4}
    video: str = page.request.post("/v1/videos", data=asked, headers=STUDIO).json()["id"]
    wait_for(page, video, "completed")
    return video


def small(page: Page | Locator) -> None:
    """Chooses what the tiny model makes in a moment."""
    page.get_by_label("Size", exact=True).select_option("custom")
    page.get_by_label("Custom size").fill("64x32")
    page.get_by_label("Length").select_option("1")
    if not page.get_by_label("Steps").is_visible():
        page.get_by_role("button", name="More").click()
    page.get_by_label("Steps").fill("4")


def compose(page: Page, prompt: str, count: str = "1") -> None:
    page.get_by_label("Variations").select_option(count)
    page.get_by_role("textbox", name="Prompt").fill(prompt)
    page.get_by_role("button", name="Make", exact=True).click()


def pressed(page: Page, tool: str) -> Locator:
    """A tool's form, set to be quick."""
    page.get_by_role("button", name=tool, exact=True).click()
    form = page.locator("form.sheet")
    form.get_by_role("button", name="More").click()
    form.get_by_label("Steps").fill("4")
    return form


@contextmanager
def answered(page: Page, method: str, address: str) -> Iterator[Any]:
    """Ends when the server has answered, and well, what is done inside; the page alone may look as it did before."""
    with page.expect_response(lambda it: it.request.method == method and it.url.endswith(address)) as answer:
        yield answer
    assert answer.value.ok, answer.value.text()


def send(page: Page, form: Locator, route: str) -> dict[str, Any]:
    """Presses Make, and gives what was sent, once the page has done with it: it goes to the new clip, but from the
    composer. What the page said it would cost is what it costs."""
    price = form.locator(".price strong").inner_text()
    stays = "composer" in (form.get_attribute("class") or "")
    with answered(page, "POST", f"/v1/videos{route}") as answer:
        form.get_by_role("button", name="Make", exact=True).click()
    video = answer.value.json()
    if stays:
        form.get_by_role("button", name="Asking…").wait_for(state="detached")
    else:
        page.wait_for_url(f"**/#/video/{video['id']}")
    assert price.split()[0] == str(video["credits"])
    made.append(video["id"])
    sent: dict[str, Any] = answer.value.request.post_data_json
    assert sent["num_inference_steps"] == 4
    return sent


def picture(colour: str) -> bytes:
    memory = io.BytesIO()
    Image.new("RGB", (64, 32), colour).save(memory, "PNG")
    return memory.getvalue()


def file(colour: str) -> FilePayload:
    return {"name": f"{colour}.png", "mimeType": "image/png", "buffer": picture(colour)}


def drag(page: Page, what: Locator, x: float, y: float) -> None:
    box = what.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(x, y, steps=4)
    page.mouse.up()


def drop(page: Page, colour: str, name: str) -> None:
    file = f"new File([Uint8Array.from(bytes)], '{name}', {{type: 'image/png'}})"
    script = f"bytes => {{ const held = new DataTransfer(); held.items.add({file}); return held }}"
    held = page.evaluate_handle(script, [*picture(colour)])
    page.dispatch_event("body", "drop", {"dataTransfer": held})


def handed_in(live: Live, name: str) -> np.ndarray:
    """A mask that was handed in, as the server keeps it; edges and boxes are drawn without half tones."""
    (path,) = (live.folder / "files" / "uploads" / name).glob("*.png")
    return np.asarray(Image.open(path).convert("L"))


def wait_for(page: Page, video_id: str, status: str) -> dict[str, Any]:
    """Asks until it has that status; the tests' own limit of time ends it."""
    while True:
        video: dict[str, Any] = page.request.get(f"/v1/videos/{video_id}").json()
        if video["status"] == status:
            return video
        assert video["status"] in ("queued", "in_progress"), video
        page.wait_for_timeout(100)
