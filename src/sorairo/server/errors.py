"""One shape for everything that goes wrong: OpenAI's error envelope. Never tells what only the operator should know.

Conflicts and spent quotas carry ``x-should-retry: false``, as the official clients would otherwise ask again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

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


def not_found(kind: str, what: str) -> ApiError:
    """The same for what is not there and for what is another's."""
    return ApiError(404, f"There is no {kind} {what[:80]!r}.", f"{kind}_id", f"{kind}_not_found")


def install(app: FastAPI) -> None:
    """Makes every error of the app take the one shape."""
    app.add_exception_handler(ApiError, _on_api_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_error)


def _on_api_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    body = envelope(error.status, error.message, error.param, error.code)
    return JSONResponse(body, error.status, headers=dict(error.headers))


def _on_validation_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    param = ".".join(str(part) for part in first["loc"][1:])
    return JSONResponse(envelope(400, f"{param}: {first['msg']}", param or None, "invalid_value"), 400)


def _on_http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed", 413: "request_too_large"}.get(error.status_code)
    return JSONResponse(
        envelope(error.status_code, str(error.detail), None, code), error.status_code, headers=error.headers
    )
