"""The line of waiting videos: higher tiers first, then turn by turn, and nobody over the limit."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError
from tests.server.conftest import both

from sorairo.pipelines import VideoRequest
from sorairo.server.audit import lines
from sorairo.server.database import Sessions
from sorairo.server.errors import ApiError
from sorairo.server.keys import Caller, open_account
from sorairo.server.library import Order, credits_used, delete, find, next_in_line, publish, queue_position, submit
from sorairo.server.moderation import purge, take_down
from sorairo.server.tables import VideoRow
from sorairo.server.tiers import Tier

pytestmark = both
TIER = Tier(concurrent=2, waiting=9, pixels=10**6, seconds=9, credits=10**6)


def ask(sessions: Sessions, account: str, tier: Tier = TIER) -> str:
    with sessions.begin() as session:
        caller = Caller(open_account(session, account).id, "key", "free", frozenset())
        return submit(session, caller, tier, Order("create", VideoRequest(account), "tiny")).id


def line(sessions: Sessions) -> list[str]:
    """The prompts, which are the accounts' names."""
    with sessions() as session:
        prompts = {row.id: row.prompt for row in session.query(VideoRow)}
        return [prompts[video_id] for video_id in session.scalars(next_in_line())]


def begin(sessions: Sessions, video_id: str) -> None:
    with sessions.begin() as session:
        session.execute(update(VideoRow).where(VideoRow.id == video_id).values(status="in_progress"))


def test_accounts_take_turns(sessions: Sessions) -> None:
    for account in ("alice", "alice", "alice", "bob", "carol", "bob"):
        ask(sessions, account)
    assert line(sessions) == ["alice", "bob", "carol", "alice", "bob"]


def test_what_is_being_made_counts_as_a_turn_and_for_the_limit(sessions: Sessions) -> None:
    first = ask(sessions, "alice")
    for account in ("alice", "alice", "bob"):
        ask(sessions, account)
    begin(sessions, first)
    assert line(sessions) == ["bob", "alice"]


def test_higher_tiers_go_first(sessions: Sessions) -> None:
    ask(sessions, "alice")
    ask(sessions, "bob", Tier(1, 9, 10**6, 9, 10**6, priority=1))
    assert line(sessions) == ["bob", "alice"]


def test_the_place_in_the_line_is_told(sessions: Sessions) -> None:
    ids = [ask(sessions, account) for account in ("alice", "alice", "alice", "bob")]
    with sessions() as session:
        rows = {row.id: row for row in session.query(VideoRow)}
        assert [queue_position(session, rows[video_id]) for video_id in ids] == [1, 3, 3, 2]
    begin(sessions, ids[0])
    with sessions() as session:
        assert queue_position(session, session.query(VideoRow).filter_by(id=ids[0]).one()) is None


def test_only_what_is_finished_or_will_be_costs(sessions: Sessions) -> None:
    ids = [ask(sessions, "alice") for _ in range(6)]
    with sessions.begin() as session:
        caller = Caller(open_account(session, "alice").id, "key", "free", frozenset())
        each = credits_used(session, caller.account_id) // 6
        done = {"status": "completed", "progress": 100, "completed_at": 1}
        session.execute(update(VideoRow).where(VideoRow.id == ids[0]).values(status="failed"))
        delete(session, caller, ids[1])
        session.execute(update(VideoRow).where(VideoRow.id == ids[2]).values(**done))
        delete(session, caller, ids[2])
        session.execute(update(VideoRow).where(VideoRow.id == ids[3]).values(**done))
        for video_id in ids[3:5]:  # one that was finished, and one that waits
            take_down(session, video_id, "blood")
        purge(session, ids[3])
        assert credits_used(session, caller.account_id) == 3 * each


def test_credits_are_never_overdrawn_by_asking_at_once(sessions: Sessions) -> None:
    tier, granted = Tier(9, 99, 10**6, 9, credits=7), []
    with sessions.begin() as session:
        caller = Caller(open_account(session, "alice").id, "key", "free", frozenset())
    small = Order("create", VideoRequest("a red ball", width=64, height=32, seconds=1.0), "tiny")

    def spend() -> None:
        for _ in range(4):
            with suppress(ApiError), sessions.begin() as session:
                granted.append(submit(session, caller, tier, small).id)

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with sessions.begin() as session:
        assert (len(granted), credits_used(session, caller.account_id)) == (7, 7)
        for video_id in granted[:2]:  # what is given up is given back, once
            delete(session, caller, video_id)
            with pytest.raises(ApiError):
                delete(session, caller, video_id)
        assert credits_used(session, caller.account_id) == 5


def test_two_who_change_one_video_wait_in_one_order(sessions: Sessions) -> None:
    """Who holds its row and comes to the audit is not waited for by who holds the audit: PostgreSQL would end one."""
    video_id, problems = ask(sessions, "a"), list[Exception]()
    with sessions() as session:
        row = session.scalars(select(VideoRow).where(VideoRow.id == video_id)).one()
        caller = Caller(row.account_id, "key", "free", frozenset())

    def remove() -> None:
        try:
            with sessions.begin() as session:
                delete(session, caller, video_id)
        except DBAPIError as error:
            problems.append(error)

    with sessions.begin() as session:
        row = find(session, caller.account_id, video_id, locked=True)
        other = threading.Thread(target=remove)
        other.start()
        other.join(0.5)
        assert other.is_alive()
        publish(session, caller, row, shown=False)
    other.join(30)
    assert (problems, other.is_alive()) == ([], False)
    with sessions() as session:
        assert [one.action for one in lines(session)][-2:] == ["video.publication", "video.deleted"]


def test_the_tier_says_whether_a_clip_shows_its_mark_and_people(sessions: Sessions) -> None:
    marked, plain = Tier(9, 9, 10**6, 9, 10**6), Tier(9, 9, 10**6, 9, 10**6, visible_mark=False, people=True)
    assert [asked(sessions, tier, "").visible_mark for tier in (marked, plain)] == [True, False]
    assert asked(sessions, plain, "All are adults and agree.").consent
    with pytest.raises(ApiError, match="pictures of people"):
        asked(sessions, marked, "All are adults and agree.")


def asked(sessions: Sessions, tier: Tier, consent: str) -> VideoRequest:
    with sessions.begin() as session:
        caller = Caller(open_account(session, "alice").id, "key", "free", frozenset())
        order = Order("create", VideoRequest("a red ball", consent=consent), "tiny")
        return VideoRequest.from_json(submit(session, caller, tier, order).request)
