"""One shape for everything that goes wrong: OpenAI's error envelope. Never tells what only the operator should know.

Conflicts and spent quotas carry ``x-should-retry: false``, as the official clients would otherwise ask again.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

log = logging.getLogger(__name__)

NO_RETRY = {"x-should-retry": "false"}
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error", 500: "server_error"}


class ApiError(Exception):
    """An answer with ``status`` 4xx, for the caller's program (``code``, ``param``) and for people (``message``)."""

    def __init__(
        self, status: int, message: str, param: str | None = None, code: str = "", headers: Mapping[str, str] = {}
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code, self.headers = status, message, param, code or None, headers


def envelope(status: int, message: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    kind = _TYPES.get(status, "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def wrong_value(error: ValueError) -> ApiError:
    """What `VideoRequest` and its like say is one line that begins with the field."""
    field = re.split(r"[\s\[:]", str(error))[0].removeprefix("request.")
    return ApiError(400, str(error), "size" if field in ("width", "height") else field or None, "invalid_value")


@contextmanager
def mistakes(kind: str = "") -> Iterator[None]:
    """What is said by ValueError is one line that begins with the field; of the ``kind`` that is not there a 404."""
    try:
        yield
    except ValueError as error:
        if kind and str(error).startswith(f"{kind} is"):
            raise ApiError(404, str(error), f"{kind}_id", f"{kind}_not_found") from None
        raise wrong_value(error) from None


def not_found(kind: str, what: str) -> ApiError:
    """The same for what is not there and for what is another's."""
    return ApiError(404, f"There is no {kind} {what[:80]!r}.", f"{kind}_id", f"{kind}_not_found")


def install(app: FastAPI) -> None:
    """Makes every error of the app take the one shape."""
    for kind in (ApiError, RequestValidationError, HTTPException, FileNotFoundError):
        app.add_exception_handler(kind, _answer)


def _answer(_request: Request, error: Exception) -> Response:
    told = error if isinstance(error, ApiError) else _meaning(error)
    body = envelope(told.status, told.message, told.param, told.code)
    return JSONResponse(body, told.status, headers=dict(told.headers))


def _meaning(error: Exception) -> ApiError:
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        param = ".".join(str(part) for part in first["loc"][1:])
        return ApiError(400, f"{param} is {str(first['input'])[:80]!r}: {first['msg']}", param or None, "invalid_value")
    if isinstance(error, HTTPException):
        code = {404: "not_found", 405: "method_not_allowed", 413: "request_too_large"}.get(error.status_code, "")
        where = "; the API's addresses begin with /v1" if code == "not_found" else ""
        return ApiError(error.status_code, f"{error.detail}{where}.", None, code, error.headers or {})
    log.warning("a file is gone: %s", error)  # deleted after the library was asked, if the storage is well
    return ApiError(404, "The file is gone.", None, "file_not_found")
