"""The fields of a request, whichever way they came: JSON, a form, or a form with files. Never says what they do.

The official clients send all three, write nested fields as ``video[id]``, and send numbers in forms as text; nested
fields may also come as JSON text.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from sorairo.config import nearest_name
from sorairo.server.errors import ApiError

Fields = dict[str, Any]
"""Plain JSON data, and an UploadFile where a file was sent."""

_DESCRIBED: dict[str, dict[str, Any]] = tomllib.loads((Path(__file__).parent / "body_fields.toml").read_text())
TEXTS = {name for name, told in _DESCRIBED.items() if told.get("type") == "string"}
"""Never anything else, whatever they begin with."""

MAX_NAME, MAX_FORM_FIELDS, MAX_FORM_FILES = 80, 64, 4
MAX_TEXT_BYTES = 2**25  # a picture as a data address
_NO_CHARACTER = re.compile(r"[\x00\ud800-\udfff]")
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")


def check_names(given: Fields, *known: str) -> None:
    """Drops the fields that are null, which are as good as not there. Raises ApiError 400 with the nearest name for a
    field that is none of the known."""
    for name in [*given]:
        if name not in known:
            message = f"Unknown field {name[:80]!r}; the nearest is {nearest_name(name, [*known])!r}."
            raise ApiError(400, message, name[:80], "unknown_parameter")
        if given[name] is None:
            del given[name]


def text_of(given: Fields, name: str, least: int = 1, most: int = 2000) -> str:
    """Raises ApiError 400 for what is no text, or too short or too long."""
    value = given.get(name, "")
    if not isinstance(value, str) or not least <= len(value.strip()) <= most:
        raise ApiError(400, f"{name} must be a text of {least} to {most} characters.", name, "invalid_value")
    return value.strip()


def body(required: tuple[str, ...], *others: str, without: str = "") -> dict[str, Any]:
    """The OpenAPI description of a body with these fields, in each form that it may come in."""
    names = dict.fromkeys((*required, *others))
    names.pop(without, None)
    by_id: dict[str, Any] = {"type": "object", "minProperties": 1, "maxProperties": 1}
    by_id["properties"] = dict.fromkeys(("id", "file_id", "image_url"), {"type": "string"})  # noqa: RUF024
    content = {}
    for kind, file in {"application/json": by_id, _FORMS[0]: {"type": "string", "format": "binary"}}.items():
        own = {name: _DESCRIBED[name] if "type" in _DESCRIBED[name] else _DESCRIBED[name] | file for name in names}
        if file is not by_id:  # in a form an empty list is the same as not there
            own = {name: {key: own[name][key] for key in own[name] if key != "minItems"} for name in own}
        else:  # and null in JSON
            own |= {name: own[name] | {"type": _or_null(own[name]["type"])} for name in names if name not in required}
        schema = {"type": "object", "required": [*required], "properties": own, "additionalProperties": False}
        content[kind] = {"schema": schema}
    return {"requestBody": {"required": bool(required), "content": content}}


def _or_null(kinds: str | list[str]) -> list[str]:
    return [*([kinds] if isinstance(kinds, str) else kinds), "null"]


async def given_fields(request: Request) -> AsyncIterator[Fields]:
    """What a route is given, of what its description by `body` knows; its files are closed when it has answered."""
    described = request.scope["route"].openapi_extra["requestBody"]["content"]["application/json"]["schema"]
    try:
        fields = await read_fields(request)
        _check_texts(fields)
        check_names(fields, *described["properties"])
        yield fields
    finally:
        await request.close()


def _check_texts(fields: Fields) -> None:
    """Raises ApiError 400 for a character that PostgreSQL, or UTF-8, has not, however deep it lies."""
    for field in fields.items():
        held: list[Any] = [*field]
        for one in held:
            if isinstance(one, dict | list):
                held += [*one, *one.values()] if isinstance(one, dict) else one
            elif isinstance(one, str) and _NO_CHARACTER.search(one):
                name = ascii(field[0][:80])[1:-1]
                raise ApiError(400, f"{name} holds U+0000, or half of a character.", name, "invalid_value")


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
    return body


async def _read_form(request: Request) -> Fields:
    try:
        form = await request.form(max_files=MAX_FORM_FILES, max_fields=MAX_FORM_FIELDS, max_part_size=MAX_TEXT_BYTES)
    except HTTPException as error:
        raise ApiError(400, f"The form cannot be read: {error.detail}", None, "invalid_form") from None
    fields, empty = Fields(), list[str]()
    for key, value in form.multi_items():
        name, _, inner = key.partition("[")
        if isinstance(value, UploadFile) and value.size == 0:
            empty.append(name)  # what a client has to send beside video[id]
        elif inner.endswith("]"):
            _put(fields, name, inner[:-1], value)
        else:
            fields[name] = value if name in TEXTS else _unpacked(value)
    if alone := next((name for name in empty if name not in fields), ""):
        raise ApiError(400, f"{alone} is an empty file.", alone, "invalid_file")
    return fields


def _put(fields: Fields, name: str, inner: str, value: Any) -> None:
    """One bracketed key: ``video[id]`` fills an object, ``place[]`` a list, ``characters[][id]`` a list of objects with
    one key; with more keys nobody could tell which belong together."""
    listed, _, key = inner.rpartition("[")
    held = fields.setdefault(name, {} if inner and not listed else [])
    if isinstance(held, dict) and inner and "[" not in inner:
        held[inner] = value
    elif isinstance(held, list) and listed == "]" and all(isinstance(one, dict) and [*one] == [key] for one in held):
        held.append({key: value})
    elif isinstance(held, list) and not inner:
        held.append(_unpacked(value))
    else:
        raise ApiError(400, f"{name} comes in forms that do not fit together; send it as JSON text.", name)


def _unpacked(value: Any) -> Any:
    """Nested fields, and whether something is so, come as JSON text too."""
    return as_json(value) if isinstance(value, str) and value.startswith(("{", "[", "true", "false")) else value


def as_json(text: str) -> Any:
    """What a text says as JSON; the text itself, if nothing."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
