"""The studio: its files, a browser's way in, and what it must know before it asks for videos. Never makes a page.

A browser hands its key over once and gets it back as a cookie that no script can read, and that players and
server-sent events, which cannot send a header, send by themselves. It is forgotten when the browser is closed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import select
from starlette.staticfiles import StaticFiles

from sorairo.pipelines.styles import load_styles
from sorairo.server.access import COOKIE, Opened, Reader, by_the_studio, caller_with
from sorairo.server.errors import ApiError
from sorairo.server.library import LIVE, credits_used
from sorairo.server.tables import Account, VideoRow
from sorairo.server.tiers import PIXEL_SECONDS_PER_CREDIT
from sorairo.server.uploads import kept_bytes

FILES = ("", "app.js", "app.css", "icon.svg")
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-cache",
}

router = APIRouter()
_files = StaticFiles(directory=Path(__file__).parent / "studio")


async def show(request: Request) -> Response:
    """A file of the studio, as it was built from `studio/`."""
    answer = await _files.get_response(request.url.path.lstrip("/") or "index.html", request.scope)
    answer.headers.update(HEADERS)
    return answer


for _file in FILES:
    router.add_api_route(f"/{_file}", show, include_in_schema=False)


@router.post("/v1/session", include_in_schema=False, dependencies=[Depends(caller_with("videos.read"))])
def sign_in(request: Request, response: Response) -> None:
    """A cookie for the key of the header, if the studio's own page asks: no other site signs anybody in."""
    _, _, key = request.headers.get("authorization", "").partition(" ")
    if not (key and by_the_studio(request)):
        raise ApiError(401, "The studio's page signs in, with a key.", None, "invalid_api_key")
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, key, path="/v1", secure=secure, httponly=True, samesite="strict")


@router.delete("/v1/session", include_in_schema=False)
def sign_out(response: Response) -> None:
    response.delete_cookie(COOKIE, path="/v1", httponly=True, samesite="strict")


@router.get("/v1/account")
def retrieve_account(service: Opened, caller: Reader) -> dict[str, Any]:
    """Who is calling: tier and limits, credits left this month, room left for uploads, folders, the styles that prompts
    may wear, and until when and why it is suspended, if it is."""
    mine = select(VideoRow.folder).where(VideoRow.account_id == caller.account_id, LIVE)
    with service.database.reading() as session:
        account, used = session.get_one(Account, caller.account_id), credits_used(session, caller.account_id)
        kept = kept_bytes(session, caller.account_id)
        folders = session.scalars(mine.where(VideoRow.folder != "").distinct().order_by(VideoRow.folder)).all()
    tier = service.tier(caller)
    limits = {**vars(tier), "pixel_seconds_per_credit": PIXEL_SECONDS_PER_CREDIT}
    own = {"id": account.id, "object": "account", "name": account.name, "tier": account.tier, "limits": limits}
    known = {"folders": folders, "styles": load_styles(), "scopes": sorted(caller.scopes)}
    state = {"feeds": service.settings.feeds, "suspended": caller.suspended}
    return own | known | state | {"credits_left": tier.credits - used, "upload_bytes_left": tier.upload_bytes - kept}
