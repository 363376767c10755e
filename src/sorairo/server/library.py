"""The videos of accounts: asked for once, listed, looked at, deleted. What is another's does not exist here.

Every check and its consequence are one transaction, so that no limit is passed by asking twice at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from sorairo.pipelines.request import VideoRequest
from sorairo.server import audit
from sorairo.server.database import Database, serialise
from sorairo.server.errors import NO_RETRY, ApiError, mistakes, not_found
from sorairo.server.keys import Caller
from sorairo.server.tables import INPUT, Account, VideoRow, new_id, now
from sorairo.server.tiers import Tier, check, price

LIVE = VideoRow.deleted_at.is_(None)
UNDER_WAY = VideoRow.status.in_(("queued", "in_progress")) & LIVE
_PUBLISHED = VideoRow.publication == "published"


@dataclass(frozen=True)
class Order:
    """A clip that somebody asks for: by which tool, as a request of the main path, by which model, from which video,
    and in which words, where those of the request are others."""

    tool: str
    request: VideoRequest
    model: str
    remixed_from: str | None = None
    prompt: str = ""

    @property
    def sources(self) -> str:
        """Ids of the videos and uploads that it is made from, each between spaces."""
        ids = {PurePath(material.path).parent.name for material in self.request.materials} | {self.remixed_from or ""}
        return "".join(f" {one} " for one in sorted(ids - {""}))


@dataclass(frozen=True)
class Repeat:
    """What tells a repeated request from a new one: the caller's key, and the digest of what was sent with it."""

    key: str | None = None
    digest: str | None = None

    def part(self, number: int) -> Repeat:
        """For one of several videos that are asked for at once."""
        return Repeat(f"{self.key} {number}", self.digest) if self.key else self


def submit(session: Session, caller: Caller, tier: Tier, order: Order, repeat: Repeat = Repeat()) -> VideoRow:
    """A new row in the queue, or the one that the same request made before. Raises ApiError: 400 over the tier's size
    or length, 403 consent without the right to people, 409 a key used for something else, 429 queue or credits full."""
    session.get(Account, caller.account_id, with_for_update=True)  # one at a time for each account
    if known := repeated(session, caller, repeat):
        return known
    request = replace(order.request, visible_mark=tier.visible_mark)
    if request.consent and not tier.people:
        raise ApiError(403, "This account may not use pictures of people.", "consent", "people_not_allowed")
    with mistakes():
        check(tier, request.width, request.height, request.seconds)
    serialise(session, "sources")  # else a source could be taken down unseen
    cost = price(request.width, request.height, request.seconds)
    _check_quota(session, caller.account_id, tier, cost)
    row = VideoRow(
        id=new_id("video"), account_id=caller.account_id, sent_key=repeat.key, sent_digest=repeat.digest,
        tool=order.tool, model=order.model, prompt=order.prompt or request.prompt, request=request.to_json(),
        size=f"{request.width}x{request.height}", seconds=f"{request.seconds:g}",
        remixed_from_video_id=order.remixed_from, priority=tier.priority, concurrent=tier.concurrent, credits=cost,
        sources=order.sources,
    )  # fmt: skip
    session.add(row)
    audit.record(session, caller.key_id, "video.created", row.id, tool=order.tool, credits=cost)
    return row


def repeated(session: Session, caller: Caller, repeat: Repeat) -> VideoRow | None:
    """The video that the same request made before. Raises ApiError 409 where the key came with another."""
    if repeat.key is None:
        return None
    mine = VideoRow.account_id == caller.account_id
    row = session.scalar(select(VideoRow).where(mine, VideoRow.sent_key == repeat.key))
    if row and row.sent_digest != repeat.digest:
        message = "This Idempotency-Key was used for another request."
        raise ApiError(409, message, "Idempotency-Key", "idempotency_conflict", NO_RETRY)
    return find(session, caller.account_id, row.id) if row else None


def find(
    session: Session, account_id: str, video_id: str, finished: bool = False, published: bool = False,
    locked: bool = False,
) -> VideoRow:  # fmt: skip
    """Raises ApiError 404, the same for unknown, deleted and another's, but for what that one ``published``; and for
    one not finished where it must be. ``locked``: nobody else changes it in this transaction."""
    seen = LIVE & or_(VideoRow.account_id == account_id, _PUBLISHED) if published else own(account_id)
    query = select(VideoRow).where(VideoRow.id == video_id, seen)
    row = session.scalar(query.with_for_update() if locked else query)
    if row is None:
        raise not_found("video", video_id)
    if finished and row.status != "completed":  # on any other code clients would ask again
        raise ApiError(404, f"Video {row.id} is {row.status}, not completed.", "video_id", "video_not_ready")
    return row


def delete(session: Session, caller: Caller, video_id: str) -> VideoRow:
    """Takes the video away at once; a worker that is at it notices at its next step."""
    serialise(session, "sources")  # before the audit's, as `submit` does
    row = find(session, caller.account_id, video_id)
    row.deleted_at, row.preview = now(), None
    row.prompt = row.request = row.title = row.folder = row.publication_reason = row.expansion_note = ""
    audit.record(session, caller.key_id, "video.deleted", row.id, status=row.status)
    return row


def unused_inputs(session: Session, row: VideoRow) -> list[str]:
    """What was sent along with the request for a video that is deleted, if no other is made of it."""
    such = own(row.account_id) & VideoRow.sources.contains(INPUT)
    still = " ".join(session.scalars(select(VideoRow.sources).where(such)))
    return [one for one in row.sources.split() if one.startswith(f"{INPUT}_") and f" {one} " not in still]


def next_in_line() -> Select[str]:
    """The ids of waiting videos in the order in which they will be made.

    Higher tiers first; within a tier accounts take turns: the first of each before the second of any, counting what
    is being made already. Accounts at their limit wait. One pass and no join: PostgreSQL knows nothing yet of a table
    that has just filled, and would join it row by row.
    """
    waits = VideoRow.status == "queued"
    turn = func.row_number().over(partition_by=VideoRow.account_id, order_by=(waits, VideoRow.position))
    columns = (VideoRow.id, VideoRow.position, VideoRow.priority, VideoRow.concurrent, waits.label("waits"))
    line = select(*columns, turn.label("turn")).where(UNDER_WAY).subquery().c
    next_ones = select(line.id).where(line.waits, line.turn <= line.concurrent)
    return next_ones.order_by(line.priority.desc(), line.turn, line.position)


def queue_position(session: Session, row: VideoRow) -> int | None:
    """How many are made before it, plus one; for those whose account is at its limit all that came earlier count."""
    if row.status != "queued":
        return None
    line = list(session.scalars(next_in_line()))
    if row.id in line:
        return line.index(row.id) + 1
    same, earlier = VideoRow.priority == row.priority, VideoRow.position < row.position
    before = or_(VideoRow.priority > row.priority, and_(same, earlier))
    return 1 + (session.scalar(select(func.count()).where(VideoRow.status == "queued", LIVE, before)) or 0)


def credits_used(session: Session, account_id: str) -> int:
    """In this month (UTC). What failed, or was deleted or taken down before it was finished, costs nothing."""
    month = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0).timestamp()
    mine = and_(VideoRow.account_id == account_id, VideoRow.created_at >= int(month))
    paid = or_(VideoRow.progress == 100, and_(VideoRow.status != "failed", LIVE))
    return int(session.scalar(select(func.sum(VideoRow.credits)).where(mine, paid)) or 0)  # PostgreSQL's is a Decimal


def all_accounts(session: Session) -> list[tuple[Account, int, int]]:
    """Every account with how many videos it has, and the credits that it used this month."""
    live = select(VideoRow.account_id, func.count()).where(LIVE).group_by(VideoRow.account_id)
    numbers = dict(session.execute(live).all())
    accounts = session.scalars(select(Account).order_by(Account.name)).all()
    return [(one, numbers.get(one.id, 0), credits_used(session, one.id)) for one in accounts]


def feed(database: Database, featured: bool, after: str | None, limit: int) -> tuple[Sequence[Any], bool]:
    """Published videos with their authors' names, the latest first, and whether there are more."""
    such = LIVE, _PUBLISHED, VideoRow.featured.in_({featured, True})
    last = None if after is None else database.read(find, "", after, published=True)
    query = select(VideoRow, Account.name).join(Account).where(*such)
    return database.page(query, (VideoRow.published_at, VideoRow.position), last, limit)


def publish(session: Session, caller: Caller, row: VideoRow, shown: bool) -> None:
    """Its owner wants a finished video seen by all, and a worker judges it first; or not any more, from now on."""
    row.publication, row.publication_reason = "pending" if shown else "private", ""
    row.published_at, row.featured = now() if shown else None, False
    audit.record(session, caller.key_id, "video.publication", row.id, publication=row.publication)


def own(account_id: str) -> ColumnElement[bool]:
    """The videos of an account."""
    return and_(VideoRow.account_id == account_id, LIVE)


def _check_quota(session: Session, account_id: str, tier: Tier, cost: int) -> None:
    mine = and_(VideoRow.account_id == account_id, VideoRow.status == "queued", LIVE)
    if (session.scalar(select(func.count()).where(mine)) or 0) >= tier.waiting:
        message = f"{tier.waiting} videos of this account are waiting already; ask again when one is done."
        raise ApiError(429, message, None, "queue_full", {"retry-after": "10", **NO_RETRY})
    left = tier.credits - credits_used(session, account_id)
    if cost > left:
        message = f"This video costs {cost} credits and {left} are left this month."
        raise ApiError(429, message, None, "insufficient_quota", NO_RETRY)
