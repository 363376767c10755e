"""What an admin's key may see and do from afar: keys, the queue, the audit. Never shows a prompt, and no key twice."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from sqlalchemy import select

from sorairo.server.access import Opened, caller_with
from sorairo.server.audit import first_broken, record
from sorairo.server.errors import ApiError, mistakes
from sorairo.server.fields import MAX_NAME, body, text_of
from sorairo.server.keys import SCOPES, Caller, create_key, list_keys, open_account, revoke_key
from sorairo.server.library import UNDER_WAY, find
from sorairo.server.routes import Given
from sorairo.server.tables import Account, AuditLine, VideoRow

router = APIRouter(prefix="/v1/admin")
Admin = Annotated[Caller, Depends(caller_with("admin"))]
AUDIT_LENGTH = 200
_KEY = ("id", "name", "scopes", "holds", "created_at", "expires_at", "last_used_at")
_JOB = ("id", "tool", "status", "stage", "progress", "size", "seconds", "credits", "created_at")
_LINE = ("position", "at", "actor", "action", "subject", "detail")


@router.get("")
def overview(service: Opened, caller: Admin) -> dict[str, Any]:
    """All keys, what waits and is made, and the audit's last lines, with the first that was tampered with, if any."""
    jobs = select(VideoRow, Account).join(Account).where(UNDER_WAY).order_by(VideoRow.position)
    last = select(AuditLine).order_by(AuditLine.position.desc()).limit(AUDIT_LENGTH)
    with service.database.reading() as session:
        keys = [key.told(*_KEY) | {"account": own.name, "tier": own.tier} for key, own in list_keys(session)]
        queue = [row.told(*_JOB) | {"account": own.name} for row, own in session.execute(jobs)]
        audit = [line.told(*_LINE) for line in session.scalars(last)]
        return {"keys": keys, "queue": queue, "audit": audit, "audit_broken_at": first_broken(session)}


@router.post("/keys", openapi_extra=body(("account",), "tier"))
def make_key(service: Opened, caller: Admin, given: Given) -> dict[str, Any]:
    """A new key with every scope but admin for ``account``, which is made if there is none; shown this once."""
    account, tier = text_of(given, "account", most=MAX_NAME), str(given.get("tier", ""))
    with mistakes(), service.database.writing.begin() as session:
        service.tiers.named(tier or "free")
        owner = open_account(session, account, tier, caller.key_id)
        return {"key": create_key(session, service.pepper, owner, "", SCOPES[:-1], actor=caller.key_id)}


@router.delete("/keys/{key_id}")
def remove_key(key_id: str, service: Opened, caller: Admin) -> dict[str, Any]:
    """Revokes a key: from the next request on it opens nothing."""
    with mistakes("key"), service.database.writing.begin() as session:
        revoke_key(session, key_id, caller.key_id)
    return {"id": key_id, "object": "key.revoked"}


@router.post("/videos/{video_id}", openapi_extra=body(("featured",)))
def feature(video_id: str, service: Opened, caller: Admin, given: Given) -> dict[str, Any]:
    """Takes a published video into the featured feed, or out of it."""
    if not isinstance(chosen := given.get("featured"), bool):
        raise ApiError(400, "featured must be true or false.", "featured", "invalid_value")
    with service.database.writing.begin() as session:
        row = find(session, "", video_id, published=True)
        row.featured = chosen
        record(session, caller.key_id, "video.featured", row.id, featured=int(chosen))
    return {"id": video_id, "object": "feed.video", "featured": chosen}
