"""The tables of the library. Never a query: those stand with the nouns they are about.

Times are Unix seconds; ``position`` grows with every new row, so that lists have one order. Identifiers are random.
"""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

INPUT = "input"  # the kind of an upload that came with a request for a video, and goes with it
LOST_AFTER_SECONDS = 30.0  # a worker that was not seen for so long is taken for dead


def new_id(kind: str) -> str:
    """Such as video_4f…: 96 random bits, so that nobody meets another's by trying."""
    return f"{kind}_{secrets.token_hex(12)}"


def now() -> int:
    return int(time.time())


class Table(DeclarativeBase):
    """What all tables have in common: short texts have 255 characters, whole numbers 64 bits."""

    type_annotation_map = {str: String(255), int: BigInteger().with_variant(Integer, "sqlite")}  # noqa: RUF012

    def told(self, *names: str) -> dict[str, Any]:
        """These columns as plain data."""
        return {name: getattr(self, name) for name in names}


class Account(Table):
    """Who owns videos and pays for them; its tier says how many. ``paced_until``: when the requests that web processes
    took for it are over, at its tier's pace. ``suspended_until``: till then it may look and appeal, and no more."""

    __tablename__ = "accounts"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    tier: Mapped[str]
    created_at: Mapped[int] = mapped_column(default=now)
    paced_until: Mapped[float] = mapped_column(default=0.0)
    suspended_until: Mapped[int] = mapped_column(default=0)
    suspended_for: Mapped[str] = mapped_column(String, default="")


class ApiKey(Table):
    """One way into an account. ``digest``: the keyed hash of the secret, which nobody has kept."""

    __tablename__ = "api_keys"
    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    name: Mapped[str]
    digest: Mapped[str]
    scopes: Mapped[str]
    created_at: Mapped[int] = mapped_column(default=now)
    expires_at: Mapped[int | None]
    revoked_at: Mapped[int | None]
    last_used_at: Mapped[int | None]

    @property
    def holds(self) -> bool:
        return not (self.revoked_at or (self.expires_at and self.expires_at <= now()))


class VideoRow(Table):
    """One video, from the moment it is asked for; deleted ones keep their row, without what was in them.

    request: the VideoRequest as JSON. sent_key, sent_digest: the caller's Idempotency-Key, and what came with it.
    priority: higher first; concurrent: of this account at once. credits: its price, unless it fails. executor: the
    worker that has it; attempts: how often the step it is in was begun. publication: private, pending, judging,
    published or refused, published_at: since when it is or was asked for; featured: whether the operator chose it for
    everybody. sources: ids of the videos and uploads that it is made from, each between spaces.
    expansion_note: what became of the prompt where it was to be told in full.
    """

    __tablename__ = "videos"
    __table_args__ = (
        UniqueConstraint("account_id", "sent_key"),
        Index("videos_of_account", "account_id", "position"),
        Index("videos_by_status", "status"),
        Index("videos_by_publication", "publication", "published_at"),
    )
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(unique=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    sent_key: Mapped[str | None]
    sent_digest: Mapped[str | None]
    tool: Mapped[str]
    model: Mapped[str]
    prompt: Mapped[str] = mapped_column(String)
    size: Mapped[str]
    seconds: Mapped[str]
    request: Mapped[str] = mapped_column(String)
    remixed_from_video_id: Mapped[str | None]
    status: Mapped[str] = mapped_column(default="queued")
    created_at: Mapped[int] = mapped_column(default=now)
    completed_at: Mapped[int | None]
    deleted_at: Mapped[int | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None] = mapped_column(String)
    priority: Mapped[int]
    concurrent: Mapped[int]
    credits: Mapped[int]
    executor: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    progress: Mapped[int] = mapped_column(default=0)
    stage: Mapped[str] = mapped_column(default="queued")
    eta_seconds: Mapped[int | None]
    preview: Mapped[bytes | None] = mapped_column(deferred=True)
    title: Mapped[str] = mapped_column(default="")
    folder: Mapped[str] = mapped_column(default="")
    favourite: Mapped[bool] = mapped_column(default=False)
    publication: Mapped[str] = mapped_column(default="private")
    publication_reason: Mapped[str] = mapped_column(String, default="")
    published_at: Mapped[int | None]
    featured: Mapped[bool] = mapped_column(default=False)
    sources: Mapped[str] = mapped_column(String, default="")
    expansion_note: Mapped[str] = mapped_column(String, default="")

    @property
    def expanded_prompt(self) -> str | None:
        """What is made of its prompt, where that was told in full."""
        asked = json.loads(self.request or "{}")
        return asked["prompt"] if asked.get("user_prompt") not in (None, "", asked.get("prompt")) else None


class FileRow(Table):
    """A picture or video that an account handed in, decoded and written anew; a character is one with a name, for
    which ``description`` stands in prompts, if it has one. ``taken_down``: it is nobody's to use any more.
    ``stored_bytes``: 0 for those of before this was counted."""

    __tablename__ = "files"
    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    kind: Mapped[str]
    name: Mapped[str]
    description: Mapped[str] = mapped_column(String, default="")
    created_at: Mapped[int] = mapped_column(default=now)
    taken_down: Mapped[bool] = mapped_column(default=False)
    stored_bytes: Mapped[int] = mapped_column(default=0)


class WebhookEndpoint(Table):
    """An address that is told what became of an account's videos. The secret signs, so it is kept as it is."""

    __tablename__ = "webhook_endpoints"
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(unique=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    name: Mapped[str]
    url: Mapped[str] = mapped_column(String)
    event_types: Mapped[str]
    secret: Mapped[str]
    created_at: Mapped[int] = mapped_column(default=now)
    updated_at: Mapped[int] = mapped_column(default=now)


class AuditLine(Table):
    """Who did what, once and for all. ``digest`` covers the line before, so that a changed line shows."""

    __tablename__ = "audit"
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[int]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    detail: Mapped[str] = mapped_column(String)
    digest: Mapped[str]


class CaseRow(Table):
    """What somebody asks the operator to decide: a report of a video, or an appeal against what was done to one, or to
    the account (without ``video_id``). ``outcome``: open, dismissed or upheld; ``answer``: what its filer is told."""

    __tablename__ = "cases"
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(unique=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id"))
    kind: Mapped[str]
    video_id: Mapped[str] = mapped_column(default="")
    reason: Mapped[str]
    message: Mapped[str] = mapped_column(String, default="")
    created_at: Mapped[int] = mapped_column(default=now)
    outcome: Mapped[str] = mapped_column(default="open", index=True)
    answer: Mapped[str] = mapped_column(String, default="")
    closed_at: Mapped[int | None]


class WorkerRow(Table):
    """When a worker was last seen alive."""

    __tablename__ = "workers"
    executor: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[float]
