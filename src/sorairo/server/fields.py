"""The fields of a request, whichever way they came: JSON, a form, or a form with files. Never says what they mean.

The official clients send all three, write nested fields as ``video[id]``, and send numbers in forms as text; nested
fields may also come as JSON text.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from sorairo.server.errors import ApiError

Fields = dict[str, Any]
"""Plain JSON data, and an UploadFile where a file was sent."""

TEXTS = ("prompt", "negative_prompt", "model", "size", "name", "url")  # never anything else, whatever they begin with
MAX_FORM_FIELDS, MAX_FORM_FILES = 64, 4
MAX_TEXT_BYTES = 2**25  # a picture as a data address
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


async def given_fields(request: Request) -> AsyncIterator[Fields]:
    """What a route is given; its files are closed when it has answered."""
    try:
        fields = await read_fields(request)
        for name, value in fields.items():
            if isinstance(value, str) and "\0" in value:  # PostgreSQL has no text with it
                raise ApiError(400, f"{name} holds the character U+0000.", name, "invalid_value")
        yield fields
    finally:
        await request.close()


async def read_fields(request: Request) -> Fields:
    """Raises ApiError 400 for a broken body, 415 for another kind of body."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _FORMS:
        return await _read_form(request)
    if kind not in ("application/json", ""):
        raise ApiError(415, f"The body is {kind[:80]!r}; send JSON or a form.", None, "unsupported_content_type")
    try:
        body = json.loads(await request.body() or b"{}")
    except (ValueError, RecursionError):
        raise ApiError(400, "The body is not JSON.", None, "invalid_json") from None
    if not isinstance(body, dict):
        raise ApiError(400, "The body must be a JSON object.", None, "invalid_json")
    return {key: value for key, value in body.items() if value is not None}


async def _read_form(request: Request) -> Fields:
    try:
        form = await request.form(max_files=MAX_FORM_FILES, max_fields=MAX_FORM_FIELDS, max_part_size=MAX_TEXT_BYTES)
    except HTTPException as error:
        raise ApiError(400, f"The form cannot be read: {error.detail}", None, "invalid_form") from None
    fields: Fields = {}
    for key, value in form.multi_items():
        if isinstance(value, UploadFile) and value.size == 0:
            continue  # what a client has to send beside video[id]
        name, _, inner = key.partition("[")
        if inner.endswith("]"):
            _put(fields, name, inner[:-1], value)
        else:
            fields[name] = value if name in TEXTS else _unpacked(value)
    return fields


def _put(fields: Fields, name: str, inner: str, value: Any) -> None:
    """One bracketed key: ``video[id]`` fills an object, ``characters[]`` a list."""
    held = fields.setdefault(name, {} if inner else [])
    if isinstance(held, dict) and inner and "[" not in inner:
        held[inner] = value
    elif isinstance(held, list) and not inner:
        held.append(_unpacked(value))
    else:
        raise ApiError(400, f"{name} comes in forms that do not fit together; send it as JSON text.", name)


def _unpacked(value: Any) -> Any:
    """Nested fields come as JSON text too."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value
