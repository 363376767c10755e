"""What users and the operator say to each other in the studio: reports, take-downs, suspensions, appeals, decisions.

Real Chromium, a live server, and three people: who made a clip, who reports it, who decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.server.browsing import STUDIO, answered, chromium, clip_of, compose, entered, in_chromium, small
from tests.server.conftest import Live

pytestmark = in_chromium
CASES = "/v1/admin/cases"


@dataclass(frozen=True)
class People:
    """Their pages, each in a browser of its own."""

    maker: Page
    reporter: Page
    operator: Page

    def reported(self, prompt: str, reason: str) -> str:
        """The id of a clip of the maker's that everybody sees, and that was reported."""
        video = clip_of(self.maker, prompt)
        self.maker.request.post(f"/v1/videos/{video}", data={"published": True}, headers=STUDIO)
        while self.maker.request.get(f"/v1/videos/{video}").json()["publication"] != "published":
            self.maker.wait_for_timeout(100)
        said = {"reason": reason, "message": f"Look at {prompt}."}
        assert self.reporter.request.post(f"/v1/videos/{video}/reports", data=said, headers=STUDIO).ok
        return video

    def queued(self, what: str, by: str) -> Locator:
        """A case that waits, on the operator's page."""
        self.operator.goto("/#/admin")
        self.operator.get_by_label("Which").select_option("open")
        return self.operator.get_by_role("listitem", name=f"{what}, by {by}")

    def decide(self, case: Locator, text: str, reason: str, *routes: str) -> None:
        """Says why and presses; ends when the case is closed and has left the queue."""
        case.get_by_label("Reason").fill(reason)
        with answered_at(self.operator, f"{CASES}/case_"):
            case.get_by_role("button", name=text, exact=True).click()
        expect(case).to_have_count(0)


def answered_at(page: Page, beginning: str) -> Any:
    return page.expect_response(lambda it: it.request.method == "POST" and beginning in it.url and it.ok)


@pytest.fixture(scope="module")
def people(live: Live) -> Iterator[People]:
    with chromium(live) as context:
        maker, reporter = (live.keys("create", name, "--tier", "pro") for name in ("maker", "reporter"))
        yield People(*(entered(context, live, key) for key in (maker, reporter, live.key)))


def appeal(place: Locator, message: str) -> None:
    place.get_by_role("button", name="Appeal", exact=True).click()
    place.get_by_label("Why it should not have been done").fill(message)
    place.get_by_role("button", name="Send the appeal").click()
    expect(place.get_by_role("status")).to_contain_text("The operator has your appeal.")


def told(page: Page, what: str) -> Locator:
    """The latest of one's own cases of that name."""
    page.goto("/#/")
    page.goto("/#/cases")
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=what)).first


def test_a_report_is_watched_and_dismissed(people: People) -> None:
    video = people.reported("a red ball rolls", "violence")
    expect(told(people.reporter, "Report: Violence")).to_contain_text("Waits for the operator")
    case = people.queued("Report: Violence", "reporter")
    expect(case).to_contain_text("a clip of maker")
    expect(case).to_contain_text("Look at a red ball rolls.")
    expect(case.locator("video")).to_have_count(0)
    case.get_by_role("button", name="Watch the clip").press("Enter")
    expect(case.locator("video")).not_to_have_js_property("currentTime", 0)
    people.decide(case, "Dismiss", "It is a toy.")
    seen = told(people.reporter, "Report: Violence")
    expect(seen).to_contain_text("Dismissed")
    expect(seen).to_contain_text("The operator answers: It is a toy.")
    assert people.maker.request.get(f"/v1/videos/{video}/content").ok
    audit = people.operator.get_by_role("region", name="Audit")
    expect(audit.get_by_role("row").filter(has_text="video.watched").filter(has_text=video).first).to_be_visible()


def test_a_clip_is_taken_down_appealed_for_and_given_back(people: People) -> None:
    video = people.reported("a green ball rolls", "hate")
    case = people.queued("Report: Hate", "reporter")
    case.get_by_role("button", name="Take down", exact=True).click()
    expect(case.get_by_role("alert")).to_contain_text("reason must be a text")
    people.decide(case, "Take down", "It waves a flag.")
    expect(told(people.reporter, "Report: Hate")).to_contain_text("Upheld")

    maker = people.maker
    maker.goto("/#/")
    maker.reload()
    tile = maker.get_by_role("listitem").filter(has_text="Taken down by the operator")
    expect(tile).to_contain_text("It waves a flag.")
    maker.goto(f"/#/video/{video}")
    page = maker.get_by_role("main")
    expect(page.get_by_role("heading", name="Taken down by the operator")).to_be_visible()
    expect(page).to_contain_text("It waves a flag.")
    appeal(page, "It is no flag.")
    expect(told(maker, "Appeal against a take-down")).to_contain_text("Waits for the operator")
    maker.goto(f"/#/video/{video}")
    page.get_by_role("button", name="Appeal", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("The operator has your appeal.")

    case = people.queued("Appeal against a take-down", "maker")
    expect(case).to_contain_text("It is no flag.")
    expect(case).to_contain_text("It waves a flag.")
    case.get_by_role("button", name="Watch the clip").click()
    expect(case.locator("video")).not_to_have_js_property("currentTime", 0)
    people.decide(case, "Grant: give the clip back", "You are right.")
    seen = told(maker, "Appeal against a take-down")
    expect(seen).to_contain_text("Granted")
    expect(seen).to_contain_text("You are right.")
    seen.get_by_role("link", name="the clip").click()
    expect(maker.locator(".screen video")).not_to_have_js_property("currentTime", 0)


def test_an_account_is_suspended_appeals_and_is_let_in_again(people: People) -> None:
    video = people.reported("a blue ball rolls", "illegal")
    case = people.queued("Report: Something illegal", "reporter")
    case.get_by_label("How long to suspend").select_option("1")
    people.decide(case, "Take down and suspend maker", "The third time.")

    maker = people.maker
    maker.goto("/#/")
    maker.reload()
    suspension = maker.get_by_role("region", name="Suspension")
    expect(suspension).to_contain_text("This account is suspended until")
    expect(suspension).to_contain_text("The third time.")
    small(maker)
    compose(maker, "a white ball")
    alert = maker.locator("form.composer").get_by_role("alert")
    expect(alert).to_contain_text("The third time. Till then you may watch, download and appeal.")
    appeal(suspension, "It was the first.")

    case = people.queued("Appeal against a suspension", "maker")
    expect(case).to_contain_text("maker is suspended")
    people.decide(case, "Grant: lift the suspension", "Be careful.")
    maker.reload()
    expect(maker.get_by_role("heading", name="Clips")).to_be_visible()
    expect(suspension).to_have_count(0)
    expect(told(maker, "Appeal against a suspension")).to_contain_text("Be careful.")

    operator = people.operator
    operator.get_by_label("Which").select_option("upheld")
    decided = operator.get_by_role("listitem", name="Report: Something illegal, by reporter")
    with answered(operator, "POST", f"/v1/admin/videos/{video}/restore"):
        decided.get_by_role("button", name="Give the clip back").click()
    expect(decided.get_by_role("button", name="Give the clip back")).to_have_count(0)
    assert maker.request.get(f"/v1/videos/{video}/content").ok


def test_a_refused_prompt_is_appealed_and_the_appeal_refused(people: People) -> None:
    maker = people.maker
    maker.goto("/#/")
    small(maker)
    compose(maker, "Mickey Mouse kicks a red ball")
    tile = maker.get_by_role("listitem").filter(has_text="Refused by the policy")
    appeal(tile, "It is another Mickey.")
    case = people.queued("Appeal against a refusal", "maker")
    expect(case).to_contain_text("Mickey Mouse kicks a red ball")
    expect(case).to_contain_text("There is no clip to watch.")
    people.decide(case, "Refuse", "There is only one.")
    seen = told(maker, "Appeal against a refusal")
    expect(seen).to_contain_text("Refused")
    expect(seen).to_contain_text("There is only one.")


def test_who_is_no_operator_decides_nothing(people: People) -> None:
    expect(people.reporter.get_by_role("link", name="Admin")).to_have_count(0)
    for path in (CASES, f"{CASES}/case_1/content"):
        assert people.reporter.request.get(path).status == 403


def test_it_is_readable_on_a_phone(people: People) -> None:
    video = people.reported("a ball with a very long name " + "o" * 200, "other")
    case = people.queued("Report: Something else", "reporter")
    expect(case).to_contain_text("a ball with a very long name")
    for page, place in ((people.operator, "admin"), (people.reporter, "cases"), (people.maker, f"video/{video}")):
        page.set_viewport_size({"width": 390, "height": 780})
        page.goto(f"/#/{place}")
        page.get_by_role("main").get_by_text("a very long name").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, place
    people.decide(case, "Take down", "It is too long.")
    people.maker.reload()
    people.maker.get_by_role("button", name="Appeal", exact=True).click()
    expect(people.maker.get_by_label("Why it should not have been done")).to_be_visible()
    assert people.maker.evaluate("document.documentElement.scrollWidth") <= 390
