"""The Videos API: OpenAI's routes and ours beside them. Parses, calls the library, answers; never samples."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import StreamingResponse

from sorairo.server.access import Opened, Reader, Service, Writer
from sorairo.server.compose import TOOLS, Composer
from sorairo.server.errors import ApiError, not_found
from sorairo.server.fields import Fields, given_fields
from sorairo.server.keys import Caller
from sorairo.server.library import Repeat, delete, find, page, queue_position, repeated, submit
from sorairo.server.schemas import Character, Video, VideoDeleted, VideoError, VideoList
from sorairo.server.storage import VARIANTS
from sorairo.server.tables import FileRow, VideoRow
from sorairo.server.uploads import file_name, store

router = APIRouter(prefix="/v1")
Given = Annotated[Fields, Depends(given_fields)]
POLL_AFTER_MS, EVENT_EVERY_SECONDS = 500, 0.5


class Asking:
    """What the routes that make videos are given, and what they all do with it."""

    def __init__(
        self, given: Given, service: Opened, caller: Writer, response: Response,
        key: Annotated[str | None, Header(alias="Idempotency-Key", max_length=255)] = None,
    ) -> None:  # fmt: skip
        self.given, self.service, self.caller, self.response = given, service, caller, response
        self.repeat = Repeat(key, _digest(given)) if key else Repeat()

    def submit(self, route: str) -> Video:
        """Files are decoded before the library is locked."""
        database = self.service.database
        with database.reading() as session:
            row = repeated(session, self.caller, self.repeat)
        if row is None:
            with tempfile.TemporaryDirectory(prefix="sorairo-") as folder:
                order = Composer(self.service, self.caller.account_id, Path(folder)).compose(route, self.given)
            with database.writing.begin() as session:
                row = submit(session, self.caller, self.service.tier(self.caller), order, self.repeat)
        with database.reading() as session:
            position = queue_position(session, row)
        self.response.headers["openai-poll-after-ms"] = str(POLL_AFTER_MS)
        return as_video(row, position)


Asked = Annotated[Asking, Depends()]


def as_video(row: VideoRow, position: int | None = None) -> Video:
    """A row as its owner sees it."""
    error = VideoError(code=row.error_code, message=row.error_message or "") if row.error_code else None
    own = {name: getattr(row, name) for name in Video.model_fields if name in VideoRow.__table__.columns}
    return Video(**own, error=error, queue_position=position)


def body(required: tuple[str, ...], *files: str) -> dict[str, Any]:
    """The OpenAPI description of a body, which `given_fields` reads in whichever form it comes."""
    by_id = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
    texts = dict.fromkeys(("prompt", "negative_prompt", "model", "size"), {"type": "string"})  # noqa: RUF024
    numbers = dict.fromkeys(("seconds", "seed", "num_inference_steps", "guidance_scale"), {"type": "number"})  # noqa: RUF024
    kinds = {"application/json": by_id, "multipart/form-data": {"type": "string", "format": "binary"}}
    content = {
        kind: {"schema": {"type": "object", "required": [*required],
                          "properties": texts | numbers | dict.fromkeys(files, file)}}
        for kind, file in kinds.items()
    }  # fmt: skip
    return {"requestBody": {"required": True, "content": content}}


def _maker(route: str) -> Callable[[Asking], Video]:
    def make(asked: Asked) -> Video:
        return asked.submit(route)

    return make


for _route, _tool in TOOLS.items():
    router.add_api_route(
        f"/videos/{_route}".rstrip("/"), _maker(_route), methods=["POST"], name=f"{_tool.name}_video",
        description=f"A new video by the tool `{_tool.name}`.",
        openapi_extra=body((*_tool.required, *_tool.files.values()), *_tool.files.values(), *_tool.extras),
    )  # fmt: skip


@router.post("/videos/{video_id}/remix", openapi_extra=body(("prompt",)))
def remix_video(video_id: str, asked: Asked) -> Video:
    """A finished video made anew by another prompt."""
    asked.given["video"] = {"id": video_id}
    return asked.submit("edits")


@router.post("/videos/characters", openapi_extra=body(("name", "video"), "video"))
def create_character(given: Given, service: Opened, caller: Writer) -> Character:
    """A name for what a clip shows. Prompts do not use characters yet."""
    name = given.get("name")
    if not isinstance(name, str) or not 1 <= len(name) <= 80:
        raise ApiError(400, "name must be a text of 1 to 80 characters.", "name", "invalid_value")
    row = store(service, caller.account_id, given.get("video"), "video", name)
    return Character(id=row.id, name=row.name, created_at=row.created_at)


@router.get("/videos/characters/{character_id}")
def retrieve_character(character_id: str, service: Opened, caller: Reader) -> Character:
    """A character by its id."""
    with service.database.reading() as session:
        row = session.get(FileRow, character_id)
    if row is None or row.account_id != caller.account_id or not row.name:
        raise not_found("character", character_id)
    return Character(id=row.id, name=row.name, created_at=row.created_at)


@router.get("/videos")
def list_videos(
    service: Opened, caller: Reader, after: str | None = None, limit: Annotated[int, Query(ge=0, le=100)] = 20,
    order: Literal["asc", "desc"] = "desc",
) -> VideoList:  # fmt: skip
    """The account's videos; the next page begins ``after`` the last id of this one."""
    with service.database.reading() as session:
        rows, more = page(session, caller.account_id, after, limit, order)
    first, last = (rows[0].id, rows[-1].id) if rows else (None, None)
    return VideoList(data=[as_video(row) for row in rows], first_id=first, last_id=last, has_more=more)


@router.get("/videos/{video_id}")
def retrieve_video(video_id: str, service: Opened, caller: Reader, response: Response) -> Video:
    """A video with its progress. A failed one is an answer like any other."""
    video, _ = _seen(service, caller, video_id)
    if video.status in ("queued", "in_progress"):
        response.headers["openai-poll-after-ms"] = str(POLL_AFTER_MS)
    return video


@router.delete("/videos/{video_id}")
def delete_video(video_id: str, service: Opened, caller: Writer) -> VideoDeleted:
    """Takes a video away; if it is being made, that stops at the next sampling step."""
    with service.database.writing.begin() as session:
        row = delete(session, caller, video_id)
    if row.status == "completed":
        service.storage.remove(f"videos/{row.id}")
    return VideoDeleted(id=row.id)


@router.get("/videos/{video_id}/content", response_class=Response)
def download_video(
    video_id: str, service: Opened, caller: Reader, variant: Literal["video", "thumbnail", "spritesheet"] = "video",
    wanted: Annotated[str | None, Header(alias="Range")] = None,
) -> Response:  # fmt: skip
    """The signed clip, or a picture of it; whole, or the range that a player asks for."""
    with service.database.reading() as session:
        find(session, caller.account_id, video_id, finished=True)
    name, kind = VARIANTS[variant]
    path = f"videos/{video_id}/{name}"
    size = service.storage.size(path)
    start, stop = byte_range(wanted, size)
    headers = {
        "accept-ranges": "bytes",
        "content-length": str(stop - start),
        "cache-control": "private",
        "content-disposition": f'attachment; filename="{video_id}{Path(name).suffix}"',
    }
    if wanted:
        headers["content-range"] = f"bytes {start}-{stop - 1}/{size}"
    return StreamingResponse(service.storage.read(path, start, stop), 206 if wanted else 200, headers, kind)


@router.get("/videos/{video_id}/events", response_class=Response)
async def watch_video(video_id: str, service: Opened, caller: Reader, request: Request) -> Response:
    """Server-sent events: the video whenever it changes, with a small moving preview, until it is done."""
    await run_in_threadpool(_seen, service, caller, video_id)
    return StreamingResponse(_events(service, caller, video_id, request), media_type="text/event-stream")


@router.post("/files", openapi_extra=body(("file",), "file"))
def create_file(given: Given, service: Opened, caller: Writer) -> dict[str, Any]:
    """A picture or clip for later use by its id: decoded with limits, and written anew."""
    row = store(service, caller.account_id, given.get("file"), "file")
    about = {"bytes": service.storage.size(file_name(row)), "filename": Path(file_name(row)).name}
    return about | {"id": row.id, "object": "file", "created_at": row.created_at, "purpose": "vision",
                    "status": "processed"}  # fmt: skip


@router.get("/models")
def list_models(service: Opened, caller: Reader) -> dict[str, Any]:
    """The models that are served; the first is the default, which OpenAI's names stand for as well."""
    return {"object": "list", "data": [retrieve_model(name, service, caller) for name in service.models]}


@router.get("/models/{model}")
def retrieve_model(model: str, service: Opened, caller: Reader) -> dict[str, Any]:
    """A model by its name."""
    if model not in service.models:
        raise not_found("model", model)
    return {"id": model, "object": "model", "created": 0, "owned_by": "sorairo"}


def byte_range(wanted: str | None, size: int) -> tuple[int, int]:
    """First byte and the one after the last of a Range header (RFC 9110 §14.1.2). Raises ApiError 416."""
    if not wanted:
        return 0, size
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted.strip())
    first, last = found.groups() if found else ("", "")
    start = int(first) if first else max(0, size - int(last or 0))
    stop = min(size, int(last) + 1) if first and last else size
    if not (first or last) or start >= stop:
        message = f"Range is {wanted[:80]!r}; the file has {size} bytes."
        raise ApiError(416, message, "Range", "invalid_range", {"content-range": f"bytes */{size}"})
    return start, stop


def _digest(given: Fields) -> str:
    """Of what was sent, files by their bytes."""
    digest = hashlib.sha256()
    for name, value in sorted(given.items()):
        if isinstance(value, UploadFile):
            digest.update(value.file.read())
            value.file.seek(0)
            value = value.size
        digest.update(json.dumps([name, value], sort_keys=True).encode())
    return digest.hexdigest()


def _seen(service: Service, caller: Caller, video_id: str) -> tuple[Video, bytes | None]:
    """A video as it stands, and its preview."""
    with service.database.reading() as session:
        row = find(session, caller.account_id, video_id)
        preview = session.scalar(select(VideoRow.preview).where(VideoRow.id == video_id))
        return as_video(row, queue_position(session, row)), preview


async def _events(service: Service, caller: Caller, video_id: str, request: Request) -> AsyncIterator[str]:
    before = ""
    while not await request.is_disconnected():
        try:
            video, preview = await run_in_threadpool(_seen, service, caller, video_id)
        except ApiError:  # deleted meanwhile
            yield f"event: video.deleted\ndata: {VideoDeleted(id=video_id).model_dump_json()}\n\n"
            return
        picture = f"data:image/webp;base64,{base64.b64encode(preview).decode()}" if preview else None
        told = json.dumps(video.model_dump() | {"preview": picture})
        done = video.status in ("completed", "failed")
        if told != before:
            yield f"event: {f'video.{video.status}' if done else 'video.progress'}\ndata: {told}\n\n"
        if done:
            return
        before = told
        await asyncio.sleep(EVENT_EVERY_SECONDS)
