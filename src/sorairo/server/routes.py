"""The Videos API: OpenAI's routes and ours beside them. Parses, calls the library, answers; never samples."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import StreamingResponse

from sorairo.pipelines.request import VideoRequest
from sorairo.pipelines.tools import vary
from sorairo.server.access import Opened, Reader, Service, Writer
from sorairo.server.compose import TOOLS, Composer
from sorairo.server.errors import ApiError, not_found
from sorairo.server.fields import MAX_NAME, Fields, body, given_fields, text_of
from sorairo.server.keys import Caller
from sorairo.server.library import Order, Repeat, delete, find, own, queue_position, repeated, submit, unused_inputs
from sorairo.server.schemas import Character, Video, VideoDeleted, VideoError, VideoList
from sorairo.server.storage import VARIANTS, Storage
from sorairo.server.tables import INPUT, FileRow, VideoRow, now
from sorairo.server.uploads import MEDIA, credentials, find_file, remove, store

router = APIRouter(prefix="/v1")
Given = Annotated[Fields, Depends(given_fields)]
Wanted = Annotated[str | None, Header(alias="Range")]
POLL_AFTER_MS, EVENT_EVERY_SECONDS = 500, 0.5


class Asking:
    """What the routes that make videos are given, and what they all do with it."""

    def __init__(
        self, service: Opened, caller: Writer, given: Given, response: Response,
        key: Annotated[str | None, Header(alias="Idempotency-Key", max_length=250)] = None,
    ) -> None:  # fmt: skip
        self.given, self.service, self.caller, self.response = given, service, caller, response
        self.repeat = Repeat(key, _digest(given)) if key else Repeat()

    def submit(self, route: str) -> Video:
        """Files are decoded before the library is locked."""
        database = self.service.database
        row = database.read(repeated, self.caller, self.repeat)
        if row is None:
            with tempfile.TemporaryDirectory(prefix="sorairo-") as folder:
                try:
                    order = Composer(self.service, self.caller.account_id, Path(folder)).compose(route, self.given)
                    with database.writing.begin() as session:
                        row = submit(session, self.caller, self.service.tier(self.caller), order, self.repeat)
                except ApiError:
                    copies = {path.name.split("+")[1] for path in Path(folder).glob(f"uploads+{INPUT}_*")}
                    remove(self.service, copies, self.caller.key_id)
                    raise
        self.response.headers["openai-poll-after-ms"] = str(POLL_AFTER_MS)
        return as_video(row, database.read(queue_position, row))


Asked = Annotated[Asking, Depends()]


def as_video(row: VideoRow, position: int | None = None) -> Video:
    """A row as its owner sees it."""
    error = VideoError(code=row.error_code, message=row.error_message or "") if row.error_code else None
    own = row.told(*(name for name in Video.model_fields if hasattr(VideoRow, name)))
    return Video(**own, error=error, queue_position=position)


def as_file(row: FileRow) -> dict[str, Any]:
    """An upload as OpenAI's clients know it."""
    about = {"bytes": row.stored_bytes, "filename": MEDIA[row.kind], "purpose": "vision", "status": "processed"}
    return about | {"id": row.id, "object": "file", "created_at": row.created_at}


def paged(data: Sequence[Any], more: bool = False) -> dict[str, Any]:
    """The keys of a page, whose items have ids."""
    first, last = (data[0].id, data[-1].id) if data else (None, None)
    return {"data": data, "first_id": first, "last_id": last, "has_more": more}


def _make(route: str, asked: Asked) -> Video:
    return asked.submit(route)


for _route, _tool in TOOLS.items():
    router.add_api_route(
        f"/videos/{_route}".rstrip("/"), partial(_make, _route), methods=["POST"], name=f"{_tool.name}_video",
        description=f"A new video by the tool `{_tool.name}`.",
        openapi_extra=body((*_tool.required, *_tool.files.values()), *_tool.known),
    )  # fmt: skip


@router.post("/videos/{video_id}/remix", openapi_extra=body(("prompt",), *TOOLS["edits"].known, without="video"))
def remix_video(video_id: str, asked: Asked) -> Video:
    """A finished video made anew by another prompt."""
    asked.given["video"] = {"id": video_id}
    return asked.submit("edits")


@router.post("/videos/{video_id}/variations", openapi_extra=body((), "num_variations"))
def vary_video(video_id: str, asked: Asked) -> VideoList:
    """A finished video's request from ``num_variations`` other starting noises: all of them, or none."""
    service, caller, tier = asked.service, asked.caller, asked.service.tier(asked.caller)
    number = asked.given.get("num_variations", 2)
    if str(number) not in ("1", "2", "4") or int(number) > tier.variations:
        message = f"num_variations is {str(number)[:80]!r}; it is 1, 2 or 4, and at most {tier.variations} here."
        raise ApiError(400, message, "num_variations", "invalid_value")
    with service.database.writing.begin() as session:
        row = find(session, caller.account_id, video_id, finished=True)
        requests = vary(VideoRequest.from_json(row.request), int(number))
        orders = [Order("vary", request, row.model, row.id, row.prompt) for request in requests]
        made = [submit(session, caller, tier, order, asked.repeat.part(n)) for n, order in enumerate(orders)]
        return VideoList(**paged([as_video(one, queue_position(session, one)) for one in made]))


@router.post("/videos/characters", openapi_extra=body(("name", "video"), "description"))
def create_character(service: Opened, caller: Writer, given: Given) -> Character:
    """A name for what a clip shows, and words that stand for it in prompts."""
    name, description = text_of(given, "name", most=MAX_NAME), text_of(given, "description", least=0, most=1000)
    row = store(service, caller.account_id, given.get("video"), "video", "char", name, description)
    return Character.model_validate(row, from_attributes=True)


@router.get("/videos/characters")
def list_characters(service: Opened, caller: Reader) -> dict[str, Any]:
    """The account's characters, by name."""
    mine = FileRow.account_id == caller.account_id, FileRow.name != "", FileRow.taken_down.is_(False)
    with service.database.reading() as session:
        rows = session.scalars(select(FileRow).where(*mine).order_by(FileRow.name, FileRow.id)).all()
    return {"object": "list", "data": [Character.model_validate(row, from_attributes=True) for row in rows]}


@router.get("/videos/characters/{character_id}")
def retrieve_character(character_id: str, service: Opened, caller: Reader) -> Character:
    """A character by its id."""
    row = find_file(service, caller.account_id, character_id, "character")
    return Character.model_validate(row, from_attributes=True)


@router.get("/videos/characters/{character_id}/content", response_class=Response)
def download_character(character_id: str, service: Opened, caller: Reader) -> Response:
    """The first frame of a character's clip."""
    row = find_file(service, caller.account_id, character_id, "character")
    return sent(service.storage, f"uploads/{row.id}/{MEDIA['picture']}", "image/png")


@router.delete("/videos/characters/{character_id}")
def delete_character(character_id: str, service: Opened, caller: Writer) -> dict[str, Any]:
    """Takes a character away with its clip. What was made with it stays; what waits and begins with it fails."""
    remove(service, [find_file(service, caller.account_id, character_id, "character").id], caller.key_id)
    return {"id": character_id, "object": "character.deleted", "deleted": True}


@router.get("/videos")
def list_videos(
    service: Opened, caller: Reader, after: str | None = None, limit: Annotated[int, Query(ge=0, le=100)] = 20,
    order: Literal["asc", "desc"] = "desc", search: Annotated[str, Query(max_length=400)] = "",
    folder: str | None = None, favourite: bool | None = None,
) -> VideoList:  # fmt: skip
    """The account's videos, those whose title or prompt has every word of ``search``; the next page begins ``after``
    the last id of this one."""
    text = VideoRow.title + " " + VideoRow.prompt
    such = [text.icontains(word, autoescape=True) for word in search.split()]
    such += [] if folder is None else [VideoRow.folder == folder]
    such += [] if favourite is None else [VideoRow.favourite == favourite]
    last = None if after is None else service.database.read(find, caller.account_id, after)
    query = select(VideoRow).where(own(caller.account_id), *such)
    rows, more = service.database.page(query, (VideoRow.position,), last, limit, order)
    return VideoList(**paged([as_video(row) for (row,) in rows], more))


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
        inputs = unused_inputs(session, row)
    service.storage.remove(f"videos/{row.id}")
    remove(service, inputs, caller.key_id)
    return VideoDeleted(id=row.id)


@router.get("/videos/{video_id}/content", response_class=Response)
def download_video(
    video_id: str, service: Opened, caller: Reader, variant: Literal["video", "thumbnail", "spritesheet"] = "video",
    wanted: Wanted = None,
) -> Response:  # fmt: skip
    """The signed clip, or a picture of it; whole, or the range that a player asks for."""
    row = service.database.read(find, caller.account_id, video_id, finished=True, published=service.settings.feeds)
    name, kind = VARIANTS[variant]
    return sent(service.storage, f"videos/{video_id}/{name}", kind, wanted, kept=row.account_id == caller.account_id)


@router.get("/videos/{video_id}/events", response_class=Response)
async def watch_video(video_id: str, service: Opened, caller: Reader, request: Request) -> Response:
    """Server-sent events: the video whenever it changes, with a small moving preview, until it is done."""
    await run_in_threadpool(_seen, service, caller, video_id)
    return StreamingResponse(_events(service, caller, video_id, request), media_type="text/event-stream")


@router.post("/files", openapi_extra=body(("file",), "purpose"))
def create_file(service: Opened, caller: Writer, given: Given) -> dict[str, Any]:
    """A picture or clip for later use by its id: decoded with limits, and written anew."""
    return as_file(store(service, caller.account_id, given.get("file"), "file"))


@router.get("/files")
def list_files(
    service: Opened, caller: Reader, after: str | None = None, limit: Annotated[int, Query(ge=0, le=10_000)] = 10_000,
    order: Literal["asc", "desc"] = "desc",
) -> dict[str, Any]:  # fmt: skip
    """What the account handed in by itself; the next page begins ``after`` the last id of this one."""
    last = None if after is None else find_file(service, caller.account_id, after)
    such = FileRow.account_id == caller.account_id, FileRow.id.startswith("file"), FileRow.taken_down.is_(False)
    place = FileRow.created_at, FileRow.id
    found, more = service.database.page(select(FileRow).where(*such), place, last, limit, order)
    rows = [row for (row,) in found]
    return {"object": "list", **paged(rows, more), "data": [as_file(row) for row in rows]}


@router.get("/files/{file_id}")
def retrieve_file(file_id: str, service: Opened, caller: Reader) -> dict[str, Any]:
    """A file by its id."""
    return as_file(find_file(service, caller.account_id, file_id))


@router.delete("/files/{file_id}")
def delete_file(file_id: str, service: Opened, caller: Writer) -> dict[str, Any]:
    """Takes a file away. What was made of it stays; what waits and begins with it fails."""
    remove(service, [find_file(service, caller.account_id, file_id).id], caller.key_id)
    return {"id": file_id, "object": "file", "deleted": True}


@router.post("/content_provenance_checks", openapi_extra=body(("file",)))
def check_provenance(caller: Reader, given: Given) -> dict[str, Any]:
    """What a clip's or picture's content credentials are worth; detected: unchanged, by a signer trusted here."""
    verdict = credentials(caller.account_id, given.get("file"), "file")
    state, facts = verdict["state"], verdict["facts"]
    told = {"issuer": facts.get("signer"), "model": facts.get("model"), "generated_at": facts.get("created")}
    told |= {"outcome": "detected" if state == "trusted" else "not_detected", "reasons": verdict["reasons"]}
    told |= {"type": "c2pa", "validation_state": "not_present" if state == "none" else state, "facts": facts}
    return {"object": "content_provenance_check", "created_at": now(), "results": [told]}


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


def sent(storage: Storage, path: str, kind: str, wanted: str | None = None, kept: bool = True) -> Response:
    """A stored file, whole or the range that a player asks for; ``kept``: the browser may keep it for an hour."""
    size = storage.size(path)
    start, stop = byte_range(wanted, size)
    headers = {"accept-ranges": "bytes", "content-length": str(stop - start)}
    # A finished clip never changes, but what another published may be taken back.
    headers["cache-control"] = "private, max-age=3600" if kept else "private, no-store"
    headers["content-disposition"] = f'attachment; filename="{Path(path).parent.name}{Path(path).suffix}"'
    if wanted:
        headers["content-range"] = f"bytes {start}-{stop - 1}/{size}"
    return StreamingResponse(storage.read(path, start, stop), 206 if wanted else 200, headers, kind)


def byte_range(wanted: str | None, size: int) -> tuple[int, int]:
    """First byte and the one after the last of a Range header (RFC 9110 §14.1.2). Raises ApiError 416."""
    if not wanted:
        return 0, size
    found = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", wanted.strip())
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
