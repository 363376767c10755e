"""Characters in the studio: made of a file or of a clip, named in a prompt, deleted; in Chromium, on a live server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect
from tests.server.browsing import (
    answered,
    chromium,
    clip_of,
    entered,
    file,
    in_chromium,
    pressed,
    send,
    small,
    wait_for,
)
from tests.server.conftest import Live

from sorairo.media import write_mp4

pytestmark = in_chromium
ROUTE = "/v1/videos/characters"


@pytest.fixture(scope="module")
def page(live: Live) -> Iterator[Page]:
    with chromium(live) as context:
        yield entered(context, live, live.keys("create", "player", "--tier", "pro"))


@pytest.fixture
def characters(page: Page) -> Page:
    """The page of characters, as the server has them now."""
    with page.expect_response(lambda it: it.url.endswith(ROUTE) and it.request.method == "GET"):
        page.goto("/#/")
        page.goto("/#/characters")
    return page


def clip(folder: Path) -> FilePayload:
    write_mp4(folder / "a.mp4", np.full((9, 32, 64, 3), 200, np.uint8), width=64, height=32, fps=8)
    return {"name": "a.mp4", "mimeType": "video/mp4", "buffer": (folder / "a.mp4").read_bytes()}


def make(page: Page, name: str, words: str = "", made_of: FilePayload | None = None) -> str:
    """Fills the form in; the id of what was made."""
    form = page.get_by_role("form", name="New character")
    form.get_by_label("Name").fill(name)
    form.get_by_label("Words that stand for it").fill(words)
    if made_of:
        form.get_by_label("A file").set_input_files(made_of)
    with answered(page, "POST", ROUTE) as answer:
        form.get_by_role("button", name="Make the character").click()
    return str(answer.value.json()["id"])


def card(page: Page, name: str) -> Locator:
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=name, exact=True))


def test_one_is_made_of_a_file_and_a_prompt_begins_with_it(characters: Page, tmp_path: Path) -> None:
    page = characters
    expect(page.get_by_text("There is none yet.")).to_be_visible()
    button = page.get_by_role("button", name="Make the character")
    expect(button).to_be_disabled()
    name = make(page, "Mo", "a small red ball", clip(tmp_path))
    expect(card(page, "Mo")).to_contain_text("a small red ball")
    expect(card(page, "Mo").get_by_role("presentation")).to_have_js_property("naturalWidth", 64)
    card(page, "Mo").get_by_role("link", name="Use it in a prompt").click()
    form = page.locator("form.composer")
    expect(form.get_by_role("textbox", name="Prompt")).to_have_value("Mo ")
    expect(form.get_by_role("button", name="Mo", exact=True)).to_have_attribute("aria-pressed", "true")
    small(form)
    form.get_by_role("textbox", name="Prompt").fill("Mo rolls")
    sent = send(page, form, "")
    assert (sent["prompt"], sent["characters"]) == ("Mo rolls", [{"id": name}])
    expect(page.get_by_role("link", name="Mo rolls")).to_be_visible()


def test_one_is_made_of_a_clip_and_two_at_most_are_in_a_prompt(page: Page) -> None:
    video = clip_of(page, "a blue ball rolls")
    page.goto(f"/#/video/{video}")
    page.get_by_role("link", name="Make a character").click()
    expect(page.locator("label[data-chosen] img")).to_have_attribute("alt", "a blue ball rolls")
    first = make(page, "Bo", "a blue ball")
    expect(card(page, "Bo")).to_be_visible()
    second = make(page, "Ada", "a cube", file("red"))
    expect(card(page, "Ada")).to_be_visible()
    page.goto("/#/")
    form = page.locator("form.composer")
    small(form)
    form.get_by_role("textbox", name="Prompt").fill("Bo meets")
    form.get_by_role("button", name="Characters").click()
    for name in ("Bo", "Ada"):
        form.get_by_role("button", name=name, exact=True).focus()
        page.keyboard.press("Space")
    expect(form.get_by_role("textbox", name="Prompt")).to_have_value("Bo meets Ada")
    expect(form.get_by_role("button", name="Characters: Bo, Ada")).to_be_visible()
    expect(form.get_by_role("button", name="Mo", exact=True)).to_be_disabled()
    sent = send(page, form, "")
    assert sent["characters"] == [{"id": first}, {"id": second}]
    expect(form.get_by_role("button", name="Characters", exact=True)).to_be_visible()


def test_without_words_the_clip_begins_with_its_frame(characters: Page) -> None:
    page = characters
    make(page, "Rosa", made_of=file("red"))
    expect(card(page, "Rosa")).to_contain_text("Clips begin with this frame.")
    card(page, "Rosa").get_by_role("link", name="Use it in a prompt").click()
    form = page.locator("form.composer")
    expect(form.get_by_role("textbox", name="Prompt")).to_have_value("Rosa ")
    small(form)
    form.get_by_role("textbox", name="Prompt").fill("she rolls")
    form.get_by_role("button", name="Make", exact=True).click()
    expect(form.get_by_role("alert")).to_contain_text("prompt does not name 'Rosa' as it is written.")
    form.get_by_role("textbox", name="Prompt").fill("Rosa rolls")
    send(page, form, "")
    (video,) = (one for one in page.request.get("/v1/videos").json()["data"] if one["prompt"] == "Rosa rolls")
    assert wait_for(page, video["id"], "completed")["tool"] == "animate"


def test_the_cards_of_a_storyboard_name_them(characters: Page, live: Live) -> None:
    page = characters
    first, second = make(page, "Ivo", "a blue ball", file("blue")), make(page, "Una", made_of=file("red"))
    expect(card(page, "Una")).to_be_visible()
    page.goto("/#/storyboard")
    form = page.locator("form.board")
    small(form)
    form.get_by_role("button", name="Characters").click()
    form.get_by_role("button", name="Ivo", exact=True).click()
    expect(form.get_by_label("Text at 0 s")).to_have_value("Ivo")
    form.get_by_label("Text at 0 s").fill("Ivo rolls")
    form.get_by_role("button", name="Text card").click()
    form.get_by_label("Text at 0.5 s").focus()
    form.get_by_role("button", name="Una", exact=True).click()
    expect(form.get_by_label("Text at 0.5 s")).to_have_value("Una")
    expect(form.get_by_role("button", name="Characters: Ivo, Una")).to_be_visible()
    sent = send(page, form, "")
    assert (sent["prompt"], sent["scenes"]) == ("Ivo rolls", [{"start": 0.5, "prompt": "Una", "cut": True}])
    assert sent["characters"] == [{"id": first}, {"id": second}]
    video = page.url.rpartition("/")[2]
    assert wait_for(page, video, "completed")["tool"] == "animate"
    told = page.request.get(f"/v1/videos/{video}/credentials").json()["facts"]["request"]
    assert (told["prompt"], [anchor["time"] for anchor in told["anchors"]]) == ("a blue ball rolls", [0.5])


def test_a_remix_names_one_and_only_those_with_words(characters: Page) -> None:
    page = characters
    video = clip_of(page, "a red ball rolls")
    name = make(page, "Pip", "a green cube", file("blue"))
    make(page, "Mute", made_of=file("red"))
    expect(card(page, "Mute")).to_be_visible()
    page.goto(f"/#/video/{video}")
    form = pressed(page, "Remix")
    form.get_by_role("button", name="Characters").click()
    expect(form.get_by_role("button", name="Mute", exact=True)).to_be_disabled()
    expect(form).to_contain_text("Those without words can only be in new clips.")
    form.get_by_role("button", name="Pip", exact=True).click()
    expect(form.get_by_role("textbox", name="Prompt")).to_have_value("a red ball rolls Pip")
    form.get_by_role("textbox", name="Prompt").fill("Pip rolls")
    sent = send(page, form, "/edits")
    assert (sent["prompt"], sent["characters"]) == ("Pip rolls", [{"id": name}])
    made = page.url.rpartition("/")[2]
    assert wait_for(page, made, "completed")["prompt"] == "Pip rolls"
    told = page.request.get(f"/v1/videos/{made}/credentials").json()["facts"]["request"]
    assert told["prompt"] == "a green cube rolls"


def test_one_is_in_a_picture_of_which_a_part_moves(characters: Page) -> None:
    page = characters
    name = make(page, "Kim", "a white ball", file("blue"))
    page.goto("/#/")
    form = page.locator("form.composer")
    small(form)
    form.get_by_label("Picture", exact=True).set_input_files(file("blue"))
    form.get_by_role("button", name="Only a part moves").click()
    form.get_by_role("button", name="Mark the box").click()
    form.get_by_role("button", name="Characters").click()
    form.get_by_role("button", name="Kim", exact=True).click()
    sent = send(page, form, "/cinemagraphs")
    assert (sent["prompt"], sent["characters"]) == ("Kim", [{"id": name}])


def test_a_file_that_is_none_is_told(characters: Page) -> None:
    form = characters.get_by_role("form", name="New character")
    form.get_by_label("Name").fill("Nobody")
    form.get_by_label("A file").set_input_files({"name": "a.mp4", "mimeType": "video/mp4", "buffer": b"no clip"})
    expect(form).to_contain_text("a.mp4")
    form.get_by_role("button", name="Make the character").click()
    expect(form.get_by_role("alert")).to_contain_text("video:")
    expect(form.get_by_label("Name")).to_have_value("Nobody")


def test_one_is_deleted(characters: Page) -> None:
    page = characters
    name = make(page, "Gone", "a ring", file("blue"))
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Delete Gone").click()
    expect(card(page, "Gone")).to_be_visible()
    page.once("dialog", lambda dialog: dialog.accept())
    with answered(page, "DELETE", f"{ROUTE}/{name}"):
        page.get_by_role("button", name="Delete Gone").click()
    expect(card(page, "Gone")).to_have_count(0)
    assert page.request.get(f"{ROUTE}/{name}").status == 404


def test_it_is_readable_on_a_phone(characters: Page) -> None:
    page = characters
    page.set_viewport_size({"width": 390, "height": 780})
    make(page, "N" * 80, "w" * 300, file("blue"))
    expect(card(page, "N" * 80)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.goto("/#/")
    page.get_by_role("button", name="Characters", exact=True).click()
    expect(page.get_by_role("group", name="Characters in this clip").get_by_role("button")).not_to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
