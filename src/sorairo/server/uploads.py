"""Files from strangers become files of an account: decoded apart with limits, and written anew.

Never trusts a name or a media type, never hands a stranger's bytes on, and never fetches an address.
"""

from __future__ import annotations

import base64
import binascii
import shutil
import subprocess
import sys
import tempfile
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from starlette.datastructures import UploadFile

from sorairo.server.access import Service
from sorairo.server.errors import ApiError
from sorairo.server.tables import FileRow, new_id

DECODING_SECONDS = 120
MEDIA = {"video": "media.mp4", "picture": "media.png"}


def store(service: Service, account_id: str, value: Any, field: str, name: str = "") -> FileRow:
    """An upload, or a picture as a data address; with a ``name`` it is a character. Raises ApiError 400."""
    with tempfile.TemporaryDirectory(prefix="sorairo-upload-") as folder:
        received = Path(folder) / "received"
        with open(received, "wb") as file:
            shutil.copyfileobj(_opened(value, field), file)
        decode_apart(received, field)
        kind = next(kind for kind, media in MEDIA.items() if (Path(folder) / media).exists())
        row = FileRow(id=new_id("char" if name else "file"), account_id=account_id, kind=kind, name=name)
        service.storage.put(Path(folder) / MEDIA[kind], file_name(row))
    with service.database.writing.begin() as session:
        session.add(row)
    return row


def file_name(row: FileRow) -> str:
    """Where it lies in the storage."""
    return f"uploads/{row.id}/{MEDIA[row.kind]}"


def decode_apart(received: Path, field: str) -> None:
    """Leaves media.mp4 or media.png beside ``received``. Raises ApiError 400 with the reason."""
    command = [sys.executable, "-m", "sorairo.server.decoder", str(received), str(received.parent)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=DECODING_SECONDS, check=False, env={})
    except subprocess.TimeoutExpired:
        raise ApiError(400, f"{field} takes too long to decode.", field, "invalid_file") from None
    if done.returncode != 0:
        told = done.returncode == 2 and done.stderr.decode(errors="replace").splitlines()
        reason = told[-1].replace(str(received), "the file") if told else "it cannot be decoded"
        raise ApiError(400, f"{field}: {reason}", field, "invalid_file")


def _opened(value: Any, field: str) -> BinaryIO:
    if isinstance(value, UploadFile):
        return value.file
    head, _, data = value.partition(",") if isinstance(value, str) else ("", "", "")
    if not (head.startswith("data:") and head.endswith(";base64")):
        raise ApiError(400, f"{field} must be a file or a data: address; others are not fetched.", field)
    try:
        return BytesIO(base64.b64decode(data, validate=True))
    except binascii.Error:
        raise ApiError(400, f"{field} is not base64.", field) from None
