"""What owners do with their videos: name them, put them away, show them to others, and what all see. Makes none."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from sorairo.pipelines.request import VideoRequest
from sorairo.provenance import verify
from sorairo.server.access import Opened, Reader, Writer
from sorairo.server.errors import ApiError, not_found
from sorairo.server.fields import MAX_NAME, body
from sorairo.server.library import feed, find, publish
from sorairo.server.routes import Given, as_video, paged
from sorairo.server.schemas import FeedList, FeedVideo, Video
from sorairo.server.storage import VARIANTS
from sorairo.server.tables import VideoRow

router = APIRouter(prefix="/v1")
_KINDS = {"title": str, "folder": str, "favourite": bool, "published": bool}


@router.post("/videos/{video_id}", openapi_extra=body((), *_KINDS))
def update_video(video_id: str, service: Opened, caller: Writer, given: Given) -> Video:
    """Changes what is given of title, folder, favourite and published: what all see is judged by a worker first."""
    for name, value in given.items():
        if not isinstance(value, _KINDS[name]) or len(str(value)) > MAX_NAME:
            wanted = f"a text of at most {MAX_NAME} characters" if _KINDS[name] is str else "true or false"
            raise ApiError(400, f"{name} must be {wanted}.", name, "invalid_value")
    with service.database.writing.begin() as session:
        shown = given.pop("published", None)
        row = find(session, caller.account_id, video_id, finished=bool(shown), locked=True)
        if shown and not service.settings.feeds:
            raise ApiError(400, "This server has no feeds.", "published", "feeds_off")
        retitled = row.publication in ("judging", "published") and given.get("title", row.title) != row.title
        if shown is False or retitled or (shown and row.publication != "published"):  # all read the title too
            publish(session, caller, row, shown is not False)
        for name, value in given.items():
            setattr(row, name, value)
    return as_video(row)


@router.get("/feeds/{name}")
def read_feed(
    name: Literal["featured", "recent"], service: Opened, caller: Reader, after: str | None = None,
    limit: Annotated[int, Query(ge=0, le=100)] = 20,
) -> FeedList:  # fmt: skip
    """What owners published, the latest first; of it what the operator chose, or all. Content and credentials of these
    are everybody's, and every tool works on them."""
    if not service.settings.feeds:
        raise not_found("feed", name)
    rows, more = feed(service.database, name == "featured", after, limit)
    return FeedList(**paged([_shown(row, author) for row, author in rows], more))


def _shown(row: VideoRow, author: str) -> FeedVideo:
    """With the words that were judged: the policy's, where it rewrote the owner's."""
    own = row.told(*(name for name in FeedVideo.model_fields if name in VideoRow.__table__.columns))
    request = VideoRequest.from_json(row.request)
    return FeedVideo(**own | {"author": author, "prompt": request.user_prompt or request.prompt})


@router.get("/videos/{video_id}/credentials")
def read_credentials(video_id: str, service: Opened, caller: Reader) -> dict[str, Any]:
    """The clip's content credentials, checked now: whether they hold, why not, and what they say."""
    service.database.read(find, caller.account_id, video_id, finished=True, published=service.settings.feeds)
    name = VARIANTS["video"][0]
    with tempfile.TemporaryDirectory(prefix="sorairo-") as folder:
        verdict = verify(service.storage.fetch(f"videos/{video_id}/{name}", Path(folder) / name))
    return {"object": "video.credentials", "id": video_id, **vars(verdict)}
