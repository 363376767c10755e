"""Reports, appeals, and what an admin's key does about them from afar. Parses and answers; `moderation` acts."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Response
from sqlalchemy import select

from sorairo.server import moderation
from sorairo.server.access import Opened, Reader
from sorairo.server.admin import Admin
from sorairo.server.errors import ApiError, mistakes
from sorairo.server.fields import body, text_of
from sorairo.server.library import find
from sorairo.server.routes import Given, Wanted, sent
from sorairo.server.storage import VARIANTS
from sorairo.server.tables import CaseRow

router = APIRouter(prefix="/v1")


def _file(service: Opened, caller: Reader, kind: str, video_id: str, **said: str) -> dict[str, Any]:
    with mistakes(), service.database.writing.begin() as session:
        return moderation.told(moderation.file_case(session, caller.key_id, caller.account_id, kind, video_id, **said))


@router.post("/videos/{video_id}/reports", openapi_extra=body(("reason",), "message"))
def report_video(video_id: str, service: Opened, caller: Reader, given: Given) -> dict[str, Any]:
    """The report button: tells the operator that a video that the caller can see should not be there."""
    service.database.read(find, caller.account_id, video_id, published=service.settings.feeds)
    if (reason := given.get("reason")) not in moderation.REASONS:
        raise ApiError(400, f"reason is one of {', '.join(moderation.REASONS)}.", "reason", "invalid_value")
    return _file(service, caller, "report", video_id, reason=str(reason), message=text_of(given, "message", least=0))


@router.post("/appeals", openapi_extra=body(("message",), "video_id"))
def appeal(service: Opened, caller: Reader, given: Given) -> dict[str, Any]:
    """An owner's note against a refusal, a take-down, or what was done to the account; a suspended one may write it."""
    message, video_id = text_of(given, "message"), given.get("video_id", "")
    reason = "account"
    if video_id:
        reason = service.database.read(find, caller.account_id, str(video_id)).error_code or "publication"
    return _file(service, caller, "appeal", str(video_id), reason=reason, message=message)


@router.get("/cases")
def list_cases(service: Opened, caller: Reader) -> dict[str, Any]:
    """The account's reports and appeals, the latest first, with what was decided and answered."""
    mine = select(CaseRow).where(CaseRow.account_id == caller.account_id).order_by(CaseRow.position.desc())
    with service.database.reading() as session:
        return {"object": "list", "data": [moderation.told(case) for case in session.scalars(mine.limit(100))]}


@router.get("/admin/cases")
def queue(service: Opened, caller: Admin, outcome: Literal["open", "dismissed", "upheld"] = "open") -> dict[str, Any]:
    """What waits to be decided, or was decided so; oldest first, with who filed it, and what and whom it is about."""
    with service.database.reading() as session:
        cases = moderation.queue(session, outcome)
        filers = [{"account": filer.name, "account_id": filer.id} for _, filer in cases]
        told = [moderation.told(case) | moderation.concerned(session, case) for case, _ in cases]
    return {"object": "list", "data": [case | filer for case, filer in zip(told, filers, strict=True)]}


@router.get("/admin/cases/{case_id}/content", response_class=Response)
def watch(case_id: str, service: Opened, caller: Admin, wanted: Wanted = None) -> Response:
    """The clip that a case is about, private or taken down as it may be; that it was watched is in the audit."""
    with mistakes("case"), service.database.writing.begin() as session:
        video_id = moderation.watched(session, case_id, caller.key_id).id
    name, kind = VARIANTS["video"]
    return sent(service.storage, f"videos/{video_id}/{name}", kind, wanted, kept=False)


@router.post("/admin/cases/{case_id}", openapi_extra=body(("outcome",), "answer"))
def decide(case_id: str, service: Opened, caller: Admin, given: Given) -> dict[str, Any]:
    """Closes a case, with an answer to whoever filed it. What follows from it has routes of its own."""
    answer = text_of(given, "answer", least=0)
    with mistakes("case"), service.database.writing.begin() as session:
        outcome = str(given.get("outcome", ""))
        return moderation.told(moderation.close(session, case_id, outcome, answer, caller.key_id))


@router.post("/admin/takedowns", openapi_extra=body(("video_id", "reason"), "purge"))
def take_down(service: Opened, caller: Admin, given: Given) -> dict[str, Any]:
    """Nobody gets a video or an upload, or what was made from it, any more; owners of videos are told the reason."""
    source, reason = text_of(given, "video_id"), text_of(given, "reason")
    with mistakes("video"), service.database.writing.begin() as session:
        rows = moderation.take_down(session, source, reason, caller.key_id)
        purged = moderation.purge(session, source, caller.key_id) if given.get("purge") in (True, "true") else []
    service.storage.remove(*purged)
    return {"object": "takedown", "video_id": source, "videos": [row.id for row in rows]}


@router.post("/admin/videos/{video_id}/restore")
def restore(video_id: str, service: Opened, caller: Admin) -> dict[str, Any]:
    """Gives a video or an upload that was taken down back to its owner; not what was made from it."""
    with mistakes("video"), service.database.writing.begin() as session:
        return {"object": "restoration", "video_id": moderation.restore(session, video_id, caller.key_id).id}


@router.post("/admin/accounts/{account_id}", openapi_extra=body(("days",), "reason"))
def suspend(account_id: str, service: Opened, caller: Admin, given: Given) -> dict[str, Any]:
    """Suspends an account for some days, or lifts that: till then its keys read and appeal, and do nothing else."""
    days = str(given.get("days", ""))
    if days not in map(str, range(3651)):
        raise ApiError(400, "days is a whole number from 0 to 3650.", "days", "invalid_value")
    reason = text_of(given, "reason", least=0)
    with mistakes("account"), service.database.writing.begin() as session:
        row = moderation.penalise(session, account_id, int(days), reason, caller.key_id)
        return {"object": "account", "id": row.id, "suspended_until": row.suspended_until}
