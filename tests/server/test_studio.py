"""The studio in real Chromium, against a live server with the tiny model: what a person does there, page by page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect
from sqlalchemy import select
from tests.server.browsing import (
    STUDIO,
    answered,
    chromium,
    compose,
    drag,
    drop,
    entered,
    file,
    handed_in,
    in_chromium,
    made,
    pressed,
    send,
    small,
    wait_for,
)
from tests.server.conftest import Live

from sorairo.provenance import verify
from sorairo.server.database import Database, open_database
from sorairo.server.settings import Settings
from sorairo.server.tables import Account, VideoRow, new_id

pytestmark = in_chromium


@pytest.fixture(scope="module")
def asked() -> list[Request]:
    """Every request that the browser makes."""
    return []


@pytest.fixture(scope="module")
def browser(live: Live, asked: list[Request]) -> Iterator[BrowserContext]:
    with chromium(live) as context:
        context.on("request", lambda request: asked.append(request))
        yield context


@pytest.fixture(scope="module")
def key(live: Live) -> str:
    return live.keys("create", "visitor", "--tier", "pro")


@pytest.fixture(scope="module")
def page(browser: BrowserContext) -> Page:
    return browser.new_page()


@pytest.fixture
def clip(page: Page, first: str) -> Page:
    """The page of the first clip."""
    page.goto(f"/#/video/{first}")
    page.locator(f".screen video[src*={first}]").wait_for()  # not the page before it any more
    page.get_by_role("region", name="Content credentials").wait_for()
    return page


@pytest.fixture(scope="module")
def first(page: Page, key: str) -> str:
    """The id of the clip that a first-time user makes."""
    page.goto("/")
    page.get_by_label("API key").fill("sorairo_0_0")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("The API key is not valid.")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="What shall happen?")).to_be_visible()
    small(page)
    page.get_by_label("Variations").select_option("2")
    expect(page.locator(".composer .price")).to_contain_text("2 credits")
    compose(page, "a red ball rolls", "2")
    expect(page.get_by_role("link", name="a red ball rolls")).to_have_count(2)
    page.get_by_role("link", name="a red ball rolls").last.click()
    page.wait_for_url("**/#/video/*")
    return page.url.rpartition("/")[2]


def test_a_first_time_user_gets_to_a_playing_verified_clip(page: Page, first: str, asked: list[Request]) -> None:
    assert first.startswith("video_")
    expect(page.locator(".screen video")).to_have_js_property("paused", False)
    expect(page.locator(".screen video")).not_to_have_js_property("currentTime", 0)
    assert page.locator(".screen video").evaluate("video => [video.videoWidth, video.videoHeight]") == [64, 32]
    credentials = page.get_by_role("region", name="Content credentials")
    expect(credentials.get_by_role("heading", name="Verified")).to_be_visible()
    for told in ("Sorairo signer", "tiny", "a red ball rolls", "a trained model"):
        expect(credentials).to_contain_text(told)


def test_nothing_is_asked_of_others_and_no_script_can_read_the_key(
    page: Page, first: str, key: str, asked: list[Request]
) -> None:
    origin = page.url.split("/#")[0] + "/"
    assert {request.url for request in asked if not request.url.startswith((origin, "data:"))} == set()
    kept: str = page.evaluate("document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)")
    assert key.split("_", 2)[2] not in kept
    assert "sorairo_" not in kept
    (cookie,) = [cookie for cookie in page.context.cookies() if cookie["name"] == "sorairo_key"]
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"], cookie["expires"]) == (True, "Strict", "/v1", -1)


def test_remix_with_a_strength(clip: Page, first: str) -> None:
    form = pressed(clip, "Remix")
    form.get_by_role("textbox", name="Prompt").fill("a blue ball rolls")
    form.get_by_role("button", name="Strong").click()
    sent = send(clip, form, "/edits")
    assert (sent["video"], sent["prompt"], sent["strength"]) == ({"id": first}, "a blue ball rolls", "strong")
    expect(clip.get_by_role("link", name="a red ball rolls")).to_be_visible()  # in its credentials


@pytest.mark.parametrize(("side", "backward"), [("Before", True), ("After", False)])
def test_extend_either_way(clip: Page, side: str, backward: bool) -> None:
    form = pressed(clip, "Extend")
    form.get_by_role("button", name=side).click()
    form.get_by_label("Added").select_option("0.5")
    sent = send(clip, form, "/extensions")
    assert (sent["backward"], sent["seconds"], sent["prompt"]) == (backward, "0.5", "a red ball rolls")


def test_loop(clip: Page) -> None:
    form = pressed(clip, "Loop")
    form.get_by_label("Way back").select_option("0.5")
    assert send(clip, form, "/loops")["seconds"] == "0.5"


def test_recut_with_handles(clip: Page) -> None:
    form = pressed(clip, "Re-cut")
    for _ in range(2):
        form.get_by_role("slider", name="Start").press("ArrowRight")
    strip = form.locator(".strip").bounding_box()
    assert strip
    drag(clip, form.get_by_role("slider", name="End"), strip["x"] + 0.75 * strip["width"], strip["y"] + 5)
    expect(form).to_contain_text("Kept: 0.25 s to 0.75 s")
    form.get_by_label("Seconds before").fill("0.5")
    form.get_by_label("Seconds after").fill("0")
    sent = send(clip, form, "/recuts")
    assert (sent["start"], sent["end"], sent["before"], sent["after"]) == (0.25, 0.75, 0.5, 0)


def test_blend_along_a_curve_that_is_dragged(clip: Page, first: str) -> None:
    form = pressed(clip, "Blend")
    expect(form.get_by_role("button", name="Make", exact=True)).to_be_disabled()
    form.get_by_role("radio").first.check(force=True)
    form.get_by_role("button", name="Sample").click()
    curve = form.locator(".curve svg").bounding_box()
    assert curve
    drag(clip, form.get_by_role("slider", name="Point 2 of 3"), curve["x"] + curve["width"] / 4, curve["y"])
    form.get_by_role("slider", name="Point 3 of 3").press("ArrowUp")
    sent = send(clip, form, "/blends")
    (start, middle, end) = sent["influence"]
    assert (start, end) == ([0, 0], [1, 0.05])
    assert middle == pytest.approx([0.25, 1], abs=0.02)
    assert sent["second_video"]["id"] not in ("", first)


def test_connect_with_another_clip(clip: Page, first: str) -> None:
    form = pressed(clip, "Connect")
    form.get_by_role("radio").first.check(force=True)
    form.get_by_label("Between").select_option("0.5")
    sent = send(clip, form, "/connections")
    assert (sent["video"], sent["seconds"]) == ({"id": first}, 0.5)
    assert sent["second_video"]["id"] not in ("", first)


def test_inpaint_what_is_painted_or_boxed(clip: Page, live: Live) -> None:
    form = pressed(clip, "Inpaint")
    make = form.get_by_role("button", name="Make", exact=True)
    expect(make).to_be_disabled()
    canvas = form.get_by_label("Mask", exact=True)
    form.get_by_label("Brush").fill("40")
    place = canvas.bounding_box()
    assert place
    drag(clip, canvas, place["x"] + 0.9 * place["width"], place["y"] + 0.5 * place["height"])
    expect(form).to_contain_text("1 marked area: white is made anew.")
    form.get_by_role("button", name="Undo").click()
    expect(make).to_be_disabled()
    for side, value in (("Left", "16"), ("Top", "8"), ("Width", "32"), ("Height", "99")):
        form.get_by_label(side, exact=True).fill(value)
    form.get_by_label("Height", exact=True).press("Enter")
    drag(clip, canvas, place["x"] + 0.9 * place["width"], place["y"] + 0.5 * place["height"])
    sent = send(clip, form, "/inpaints")
    white = handed_in(live, sent["mask"]["id"]) > 128
    assert white.shape == (32, 64)
    assert white[8:, 16:48].all()
    assert white[16, 32:57].all()
    assert not white[:, :12].any()
    assert not white[:2].any()


def test_inpaint_by_a_picture_that_is_dropped(clip: Page, live: Live) -> None:
    form = pressed(clip, "Inpaint")
    drop(clip, "white", "mask.png")
    expect(form).to_contain_text("The white of mask.png is made anew.")
    assert handed_in(live, send(clip, form, "/inpaints")["mask"]["id"]).min() == 255


def test_outpaint_at_a_place(clip: Page) -> None:
    form = pressed(clip, "Outpaint")
    expect(form.get_by_label("Larger size")).to_have_value("80x48")
    inner = form.get_by_role("button", name="The clip's place: 8 from the left, 8 from the top")
    inner.press("ArrowLeft")
    inner = form.get_by_role("button", name="The clip's place: 0 from the left, 8 from the top")
    stage = form.locator(".stage").bounding_box()
    assert stage
    drag(clip, inner, stage["x"] + stage["width"], stage["y"])
    expect(form.get_by_label("Left", exact=True)).to_have_value("16")
    form.get_by_label("Top", exact=True).fill("4")
    sent = send(clip, form, "/outpaints")
    assert (sent["size"], sent["place"]) == ("80x48", [16, 4])


def test_a_storyboard_of_a_text_a_picture_and_a_clip(page: Page, first: str) -> None:
    page.get_by_role("link", name="Storyboard").click()
    form = page.locator("form.board")
    small(form)
    form.get_by_label("Text at 0 s").fill("a red ball rolls")
    form.get_by_role("button", name="Clip card").click()
    form.get_by_role("radio").last.click(force=True)
    form.get_by_label("Picture card").set_input_files(file("red"))
    expect(form.get_by_role("slider")).to_have_count(3)
    line = form.locator(".timeline").bounding_box()
    assert line
    last = form.get_by_role("slider", name="Time of card 3")
    last.press("ArrowRight")
    drag(page, last, line["x"] + line["width"] + 60, line["y"] + 60)
    form.get_by_label("Text at 1 s").fill("a blue cube falls")
    sent = send(page, form, "")
    assert sent["prompt"] == "a red ball rolls"
    assert [frame["time"] for frame in sent["keyframes"]] == sorted(frame["time"] for frame in sent["keyframes"])
    assert {frame["id"].partition("_")[0] for frame in sent["keyframes"]} == {"video", "file"}
    assert sent["scenes"] == [
        {"start": 0.25, "prompt": "", "cut": True},
        {"start": 1, "prompt": "a blue cube falls", "cut": False},
    ]


def test_a_library_of_more_than_a_page(browser: BrowserContext, live: Live) -> None:
    page = entered(browser, live, live.keys("create", "collector", "--tier", "pro"))
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)
    engine = open_database(Settings(live.folder, live.database).library_url)
    with Database.of(engine).writing.begin() as session:
        owner = session.scalars(select(Account).where(Account.name == "collector")).one().id
        common = {"account_id": owner, "tool": "create", "model": "tiny", "size": "64x32", "seconds": "1",
                  "request": "{}", "status": "failed", "error_code": "server_error", "error_message": "",
                  "priority": 0, "concurrent": 1, "credits": 1}  # fmt: skip
        session.add_all(VideoRow(id=new_id("video"), prompt=f"ball {number}", **common) for number in range(85))
    engine.dispose()
    page.reload()
    prompts = page.locator(".tile .prompt")
    for shown in (40, 80, 85):
        expect(prompts).to_have_count(shown)
        if shown < 85:
            page.get_by_role("button", name="Show more").click()
    assert prompts.all_inner_texts() == [f"ball {number}" for number in reversed(range(85))]
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)
    page.locator(".tile").last.get_by_role("button", name="Delete").click()
    expect(prompts).to_have_count(84)
    page.get_by_label("Search").fill("ball 7")
    expect(prompts).to_have_count(17)
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)


def test_only_a_part_of_a_picture_moves(page: Page, first: str, live: Live) -> None:
    page.goto("/#/")
    form = page.locator("form.composer")
    small(form)
    form.get_by_label("Variations").select_option("1")
    form.get_by_label("Picture", exact=True).set_input_files(file("blue"))
    form.get_by_role("button", name="Only a part moves").click()
    form.get_by_role("textbox", name="Prompt").fill("a blue ball rolls")
    expect(form.get_by_role("button", name="Make", exact=True)).to_be_disabled()
    form.get_by_role("button", name="Mark the box").click()
    expect(form).to_contain_text("1 marked area: white moves, the rest stands still.")
    sent = send(page, form, "/cinemagraphs")
    white = handed_in(live, sent["mask"]["id"]) == 255
    assert white[:16, :32].all()
    assert white.sum() == 16 * 32
    assert sent["input_reference"]["id"].startswith("file_")


def test_a_picture_is_dropped_and_the_clip_begins_with_it(page: Page, first: str) -> None:
    page.goto("/#/")
    drop(page, "green", "a.png")
    expect(page.get_by_role("img", name="First frame: a.png")).to_be_visible()
    form = page.locator("form.composer")
    small(form)
    form.get_by_label("Variations").select_option("1")
    expect(form.get_by_role("checkbox", name="Tell it in full")).to_be_disabled()
    form.get_by_label("Style").select_option("night")
    form.get_by_role("textbox", name="Prompt").fill("a green ball rolls")
    sent = send(page, form, "")
    assert (sent["prompt"], "expand" in sent) == ("a green ball rolls, at night", False)
    assert sent["input_reference"]["id"].startswith("file_")


def test_a_prompt_is_told_in_full(page: Page, first: str) -> None:
    page.goto("/#/")
    form = page.locator("form.composer")
    small(form)
    form.get_by_label("Variations").select_option("1")
    form.get_by_role("textbox", name="Prompt").fill("three blue cubes fall onto the snow")
    expect(form.get_by_role("checkbox", name="Tell it in full")).not_to_be_checked()
    form.get_by_role("checkbox", name="Tell it in full").check()
    assert send(page, form, "")["expand"] is True
    told = wait_for(page, made[-1], "completed")["expanded_prompt"]
    page.goto(f"/#/video/{made[-1]}")
    expect(page.locator(".about")).to_contain_text(f"Told in full: {told}")
    expect(page.get_by_role("region", name="Content credentials")).to_contain_text("As it was written")


def test_what_was_asked_for_was_made(page: Page, first: str) -> None:
    for name in made:
        wait_for(page, name, "completed")
    assert len(made) == 14


def test_a_refused_prompt_is_explained_and_can_be_changed(page: Page, first: str) -> None:
    page.goto("/#/")
    small(page)
    compose(page, "Mickey Mouse kicks a red ball")
    tile = page.get_by_role("listitem").filter(has_text="Refused by the policy")
    expect(tile).to_contain_text("Mickey Mouse")
    expect(tile).to_contain_text("Nothing was made and nothing was charged. Change the words and try again.")
    tile.get_by_role("button", name="Change the prompt").click()
    expect(page.get_by_role("textbox", name="Prompt")).to_have_value("Mickey Mouse kicks a red ball")
    expect(page.get_by_role("textbox", name="Prompt")).to_be_focused()
    tile.get_by_role("button", name="Delete").click()
    expect(tile).to_have_count(0)


def test_a_wrong_value_is_explained_before_anything_is_made(page: Page, first: str) -> None:
    page.goto("/#/")
    small(page)
    page.get_by_label("Custom size").fill("65x32")
    compose(page, "a red ball")
    expect(page.get_by_role("alert")).to_contain_text("the nearest is 64x32")


def test_a_failed_one_is_explained_and_one_under_way_is_cancelled(page: Page, first: str, live: Live) -> None:
    page.goto("/#/")
    slow = {"prompt": "a slow ball", "size": "64x32", "seconds": "20", "num_inference_steps": 200}
    assert page.request.post("/v1/videos", data=slow, headers=STUDIO).ok
    page.reload()
    small(page)
    page.get_by_label("Picture", exact=True).set_input_files(file("blue"))
    page.get_by_role("img", name="First frame: blue.png").wait_for()
    compose(page, "a lost ball")
    waiting = page.get_by_role("listitem").filter(has_text="a lost ball")
    expect(waiting).to_contain_text("queue")
    expect(waiting.get_by_role("progressbar")).to_be_visible()
    shutil.rmtree(live.folder / "files" / "uploads")
    page.get_by_role("listitem").filter(has_text="a slow ball").get_by_role("button", name="Cancel").click()
    expect(waiting).to_contain_text("Cannot be made as asked")
    expect(waiting).to_contain_text("Nothing was charged. Change what is named here and try again.")
    expect(page.get_by_text("a slow ball")).to_have_count(0)


def test_a_clip_is_shown_to_all_and_taken_back(clip: Page, first: str, live: Live) -> None:
    """By its owner's choice, after it was judged; another account watches it, works on it, and reports it."""
    who = clip.get_by_role("region", name="Who sees it")
    expect(who).to_contain_text("Only you see this clip.")
    expect(who).to_contain_text("beside your name, visitor")
    who.get_by_role("button", name="Show it to all").click()
    expect(who).to_contain_text("Everybody here sees this clip.")
    other = entered(clip.context, live, live.key)
    other.get_by_role("link", name="Recent").click()
    other.get_by_role("link", name="a red ball rolls, by visitor").click()
    expect(other.locator(".screen video")).not_to_have_js_property("currentTime", 0)
    expect(other.get_by_role("heading", name="Verified")).to_be_visible()
    with answered(other, "POST", f"/v1/admin/videos/{first}"):
        other.get_by_role("button", name="Featured").click()
    other.get_by_role("link", name="Featured").click()
    expect(other.get_by_role("heading", name="Featured")).to_be_visible()
    other.get_by_role("link", name="a red ball rolls, by visitor").click()
    other.get_by_role("button", name="Report").click()
    other.get_by_label("Reason").select_option("other")
    other.get_by_label("What is wrong").fill("It is too red.")
    other.get_by_role("button", name="Send the report").click()
    expect(other.get_by_role("status").filter(has_text="The operator was told.")).to_be_visible()
    form = pressed(other, "Loop")
    form.get_by_label("Way back").select_option("0.5")
    assert send(other, form, "/loops")["video"] == {"id": first}
    wait_for(other, made.pop(), "completed")
    who.get_by_role("button", name="Take it back").click()
    expect(who).to_contain_text("Only you see this clip.")
    other.goto("/#/recent")
    expect(other.get_by_text("Nothing is shown here yet.")).to_be_visible()
    other.context.close()


def test_a_clip_is_named_put_away_found_downloaded_and_deleted(clip: Page, first: str, tmp_path: Path) -> None:
    for name, value in (("Name", "Sunday"), ("Folder", "Balls")):
        clip.get_by_label(name).fill(value)
        with answered(clip, "POST", f"/v1/videos/{first}"):
            clip.get_by_label(name).press("Enter")
    with answered(clip, "POST", f"/v1/videos/{first}"):
        clip.get_by_role("button", name="Favourite").click()
    with clip.expect_download() as download:
        clip.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == f"{first}.mp4"
    download.value.save_as(tmp_path / "clip.mp4")
    assert verify(tmp_path / "clip.mp4").state == "trusted"
    for place in ("Balls", "Favourites"):
        clip.get_by_role("link", name=place).click()
        expect(clip.get_by_role("heading", name=place)).to_be_visible()
        expect(clip.locator(".tile")).to_have_count(1)
    clip.get_by_role("link", name="Clips").click()
    expect(clip.get_by_role("heading", name="Clips")).to_be_visible()
    clip.get_by_label("Search").fill("ball SUNDAY")
    expect(clip.locator(".tile")).to_have_count(1)
    clip.get_by_label("Search").fill("ball monday")
    expect(clip.get_by_text("No clip has these words.")).to_be_visible()
    clip.get_by_label("Search").fill("")
    clip.get_by_role("link", name="Sunday").click()
    clip.get_by_role("region", name="Content credentials").wait_for()  # failed clips on the wall have a Delete as well
    clip.once("dialog", lambda dialog: dialog.accept())
    with answered(clip, "DELETE", f"/v1/videos/{first}"):
        clip.get_by_role("button", name="Delete").click()
    expect(clip.get_by_role("heading", name="Clips")).to_be_visible()
    assert clip.request.get(f"/v1/videos/{first}").status == 404


def test_it_is_readable_on_a_phone_and_works_by_keyboard(page: Page, first: str) -> None:
    page.set_viewport_size({"width": 390, "height": 780})
    places = {"recent": "Recent", "storyboard": "Storyboard", f"video/{made[0]}": "Verified", "": "Clips"}
    for place, heading in places.items():
        page.goto(f"/#/{place}")
        page.get_by_role("heading", name=heading).wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, place
    page.reload()
    page.get_by_role("textbox", name="Prompt").wait_for()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    small(page)
    page.get_by_role("textbox", name="Prompt").focus()
    page.keyboard.type("a key ball")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="a key ball").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Verified")).to_be_visible()
    page.set_viewport_size({"width": 1280, "height": 720})


def test_light_and_dark_follow_the_system_or_a_choice(page: Page, first: str) -> None:
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(ground)
    page.emulate_media(color_scheme="light")
    light = page.evaluate(ground)
    page.get_by_role("button", name="Colours: system").click()
    page.get_by_role("button", name="Colours: light").click()
    assert page.evaluate(ground) == dark != light
    page.reload()
    page.get_by_role("button", name="Colours: dark").click()


def test_a_revoked_key_shows_the_door_at_once(page: Page, first: str, key: str, live: Live) -> None:
    live.keys("revoke", key.split("_")[1])
    page.goto("/#/favourites")
    expect(page.get_by_label("API key")).to_be_visible()


def test_an_admin_makes_a_key_sees_the_queue_and_revokes(browser: BrowserContext, live: Live, first: str) -> None:
    page = entered(browser, live, live.key)
    slow = {"prompt": "a slow ball", "size": "64x32", "seconds": "20", "num_inference_steps": 200}
    asked = page.request.post("/v1/videos", data=slow, headers=STUDIO).json()
    page.get_by_role("link", name="Admin").click()
    expect(page.get_by_role("region", name="Queue")).to_contain_text(asked["id"])
    page.request.delete(f"/v1/videos/{asked['id']}", headers=STUDIO)
    keys = page.get_by_role("region", name="Keys")
    keys.get_by_label("Account").fill("newcomer")
    keys.get_by_role("button", name="Make a key").click()
    name = keys.get_by_role("status").locator("code").inner_text().split("_")[1]
    page.once("dialog", lambda dialog: dialog.accept())
    keys.get_by_role("button", name=f"Revoke {name}").click()
    expect(keys.get_by_role("row").filter(has_text=name)).to_contain_text("over")
    audit = page.get_by_role("region", name="Audit")
    expect(audit).to_contain_text("Every line follows from the one before it.")
    expect(audit.get_by_role("row").filter(has_text="key.revoked").first).to_contain_text(name)
    assert "slow ball" not in page.locator("main").inner_text()
