"""What owners do with their videos: name them, put them away, read their credentials. Never makes any."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from sorairo.provenance import verify
from sorairo.server.access import Opened, Reader, Writer
from sorairo.server.errors import ApiError
from sorairo.server.fields import body, check_names
from sorairo.server.library import find
from sorairo.server.routes import Given, as_video
from sorairo.server.schemas import Video
from sorairo.server.storage import VARIANTS

router = APIRouter(prefix="/v1")
MAX_NAME = 80
_KINDS = {"title": str, "folder": str, "favourite": bool}


@router.post("/videos/{video_id}", openapi_extra=body((), *_KINDS))
def update_video(video_id: str, given: Given, service: Opened, caller: Writer) -> Video:
    """Changes what is given of title, folder and favourite."""
    check_names(given, *_KINDS)
    for name, value in given.items():
        if not isinstance(value, _KINDS[name]) or len(str(value)) > MAX_NAME:
            wanted = f"a text of at most {MAX_NAME} characters" if _KINDS[name] is str else "true or false"
            raise ApiError(400, f"{name} must be {wanted}.", name, "invalid_value")
    with service.database.writing.begin() as session:
        row = find(session, caller.account_id, video_id)
        for name, value in given.items():
            setattr(row, name, value)
    return as_video(row)


@router.get("/videos/{video_id}/credentials")
def read_credentials(video_id: str, service: Opened, caller: Reader) -> dict[str, Any]:
    """The clip's content credentials, checked now: whether they hold, why not, and what they say."""
    with service.database.reading() as session:
        find(session, caller.account_id, video_id, finished=True)
    name = VARIANTS["video"][0]
    with tempfile.TemporaryDirectory(prefix="sorairo-") as folder:
        verdict = verify(service.storage.fetch(f"videos/{video_id}/{name}", Path(folder) / name))
    return {"object": "video.credentials", "id": video_id, **vars(verdict)}
