"""Files from strangers become files of an account: decoded apart with limits, and written anew.

Never trusts a name or a media type, never hands a stranger's bytes on, and never fetches an address.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session
from starlette.datastructures import UploadFile

from sorairo.provenance import home_folder
from sorairo.server import audit
from sorairo.server.access import Service
from sorairo.server.errors import ApiError, not_found
from sorairo.server.tables import Account, FileRow, new_id

DECODING_SECONDS = 120
DECODED_AT_ONCE, WAIT_SECONDS = 2, 10  # of one account
MEDIA = {"video": "media.mp4", "picture": "media.png"}
_turns: dict[str, threading.BoundedSemaphore] = {}


def store(
    service: Service, account_id: str, value: Any, field: str, kind: str = "file", name: str = "", description: str = ""
) -> FileRow:  # fmt: skip
    """An upload, or a picture as a data address; with a ``name`` it is a character. Raises ApiError 400, 413 for more
    than the account may keep, and 429 for more at once than it may."""
    row = FileRow(id=new_id(kind), account_id=account_id, name=name, description=description)
    with _decoded(account_id, value, field, "character" if name else "media") as (folder, _):
        made = [kind for kind, media in MEDIA.items() if (folder / media).exists()]
        row.kind, row.stored_bytes = made[0], sum((folder / MEDIA[kind]).stat().st_size for kind in made)
        for kind in made:
            service.storage.put(folder / MEDIA[kind], f"uploads/{row.id}/{MEDIA[kind]}")
    with service.database.writing.begin() as session:
        account = session.get_one(Account, account_id, with_for_update=True)  # no two count at once
        left = service.tiers.named(account.tier).upload_bytes - kept_bytes(session, account_id)
        if row.stored_bytes <= left:
            session.add(row)
            return row
    service.storage.remove(f"uploads/{row.id}")
    message = f"{field} takes {row.stored_bytes} bytes, and {max(0, left)} are left; delete other uploads."
    raise ApiError(413, message, field, "insufficient_storage")


def kept_bytes(session: Session, account_id: str) -> int:
    """Of an account's characters, files, and what was sent along for videos; not of what was taken down."""
    mine = FileRow.account_id == account_id, FileRow.taken_down.is_(False)
    return int(session.scalar(select(func.sum(FileRow.stored_bytes)).where(*mine)) or 0)


def find_file(service: Service, account_id: str, file_id: str, kind: str = "file") -> FileRow:
    """Raises ApiError 404, the same for unknown, another's and one that is taken down."""
    row = service.database.scalar(select(FileRow).where(FileRow.id == file_id))
    if row is None or row.account_id != account_id or row.taken_down or (kind == "character" and not row.name):
        raise not_found(kind, file_id)
    return row


def remove(service: Service, ids: Collection[str], actor: str) -> None:
    """Uploads and characters, for good."""
    if not ids:
        return
    with service.database.writing.begin() as session:
        session.execute(delete(FileRow).where(FileRow.id.in_(ids)))
        for one in ids:
            audit.record(session, actor, f"{'character' if one.startswith('char_') else 'file'}.deleted", one)
    service.storage.remove(*(f"uploads/{one}" for one in ids))


def file_name(row: FileRow) -> str:
    """Where it lies in the storage."""
    return f"uploads/{row.id}/{MEDIA[row.kind]}"


def credentials(account_id: str, value: Any, field: str) -> dict[str, Any]:
    """What `provenance.verify` says of an upload as it came. Raises ApiError as `store` does."""
    with _decoded(account_id, value, field, "credentials") as (_, told):
        return dict(json.loads(told))


@contextmanager
def _decoded(account_id: str, value: Any, field: str, what: str) -> Iterator[tuple[Path, str]]:
    """A folder with an upload and what the decoder left beside it, and what it printed."""
    turns = _turns.setdefault(account_id, threading.BoundedSemaphore(DECODED_AT_ONCE))
    if not turns.acquire(timeout=WAIT_SECONDS):
        message = f"{DECODED_AT_ONCE} files of this account are being decoded already."
        raise ApiError(429, message, field, "too_many_uploads", {"retry-after": "5"})
    try:
        with tempfile.TemporaryDirectory(prefix="sorairo-upload-") as folder:
            received = Path(folder) / "received"
            with open(received, "wb") as file:
                shutil.copyfileobj(_opened(value, field), file)
            yield Path(folder), _decode(received, field, what)
    finally:
        turns.release()


def _decode(received: Path, field: str, what: str) -> str:
    """Runs the decoder as a process of its own. Raises ApiError 400 with the reason."""
    command = [sys.executable, "-m", "sorairo.pipelines.reception", str(received), what]
    settings = {"SORAIRO_HOME": str(home_folder())}  # it trusts whom this machine trusts, and knows nothing else
    try:
        done = subprocess.run(command, capture_output=True, timeout=DECODING_SECONDS, check=False, env=settings)
    except subprocess.TimeoutExpired:
        raise ApiError(400, f"{field} takes too long to decode.", field, "invalid_file") from None
    if done.returncode != 0:
        told = done.returncode == 2 and done.stderr.decode(errors="replace").splitlines()
        reason = told[-1].replace(str(received), "the file") if told else "it cannot be decoded"
        raise ApiError(400, f"{field}: {reason}", field, "invalid_file")
    return done.stdout.decode()


def _opened(value: Any, field: str) -> BinaryIO:
    if isinstance(value, UploadFile):
        return value.file
    head, _, data = value.partition(",") if isinstance(value, str) else ("", "", "")
    if not (head.startswith("data:") and head.endswith(";base64")):
        raise ApiError(400, f"{field} must be a file or a data: address; others are not fetched.", field)
    try:
        return BytesIO(base64.b64decode(data, validate=True))
    except ValueError:
        raise ApiError(400, f"{field} is not base64.", field) from None
