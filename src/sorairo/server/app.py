"""The web application: routes, one shape for errors, a name for every request, health and measurements.

It never samples: workers do, which may be on other machines.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from typing import Any

import prometheus_client as prometheus
from fastapi import FastAPI
from sqlalchemy import func, select
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import sorairo
from sorairo.server import admin, catalogue, endpoints, errors, moderating, routes, studio
from sorairo.server.access import Service
from sorairo.server.library import LIVE
from sorairo.server.schemas import ErrorEnvelope
from sorairo.server.tables import LOST_AFTER_SECONDS, VideoRow, WorkerRow

log = logging.getLogger(__name__)

STATUSES = ("queued", "in_progress", "completed", "failed")
_TOO_LARGE = json.dumps(errors.envelope(413, "The body is too large.", None, "request_too_large")).encode()


def create_app(service: Service) -> FastAPI:
    """The application of one installation."""
    about = "OpenAI's Videos API, and Sorairo's own tools in the same style."
    app = FastAPI(title="Sorairo", version=sorairo.__version__, description=about, redoc_url=None,
                  responses={"4XX": {"model": ErrorEnvelope}})  # fmt: skip
    app.state.service = service
    errors.install(app)
    for room in (routes, endpoints, catalogue, moderating, admin, studio):
        app.include_router(room.router)
    registry = prometheus.CollectorRegistry()
    labels = ("method", "route", "status")
    seconds = prometheus.Histogram("sorairo_http_seconds", "Time to answer", labels, registry=registry)
    counts = prometheus.Gauge("sorairo_count", "Videos by status, and workers alive", ["of"], registry=registry)

    def metrics() -> Response:
        for name, count in _counts(service).items():
            counts.labels(name).set(count)
        return Response(prometheus.generate_latest(registry), media_type=prometheus.CONTENT_TYPE_LATEST)

    app.add_api_route("/healthz", lambda: _health(service), include_in_schema=False)
    app.add_api_route("/metrics", metrics, include_in_schema=False)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=service.settings.max_body_bytes)
    app.add_middleware(Envelope, seconds=seconds)
    return app


class Envelope:
    """Around every answer: ``x-request-id``, ``openai-processing-ms``, a measurement; 413 and 500 in the one shape."""

    def __init__(self, app: ASGIApp, seconds: prometheus.Histogram) -> None:
        self._app, self._seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name, begun, too_large = f"req_{uuid.uuid4().hex}", time.perf_counter(), False

        async def send_named(message: Message) -> None:
            nonlocal too_large
            if message["type"] == "http.response.start":
                seconds, status = time.perf_counter() - begun, message["status"]
                self._seconds.labels(*_route(scope), status).observe(seconds)
                headers: dict[bytes, bytes] = dict(message["headers"])
                if too_large := status == 413 and b"json" not in headers[b"content-type"]:
                    headers |= {b"content-type": b"application/json", b"content-length": b"%d" % len(_TOO_LARGE)}
                headers |= {b"x-request-id": name.encode(), b"openai-processing-ms": b"%d" % (1000 * seconds)}
                message["headers"] = list(headers.items())
            elif too_large:
                message["body"] = _TOO_LARGE
            await send(message)

        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send_named)
        except Exception:
            log.exception("%s %s failed", scope["method"], scope["path"])
            body = errors.envelope(500, "The server made a mistake; its log says which.", None, "server_error")
            await JSONResponse(body, 500)(scope, receive, send_named)


def _route(scope: Scope) -> tuple[str, str]:
    """Method and the route's pattern; ids, or whatever strangers make up, would make a measurement each."""
    route: Any = scope.get("route")
    known = scope["method"] in getattr(route, "methods", ())
    return (scope["method"], route.path) if known else ("unknown", "unknown")


def _health(service: Service) -> Response:
    """200 where videos can be asked for. Whether a worker lives is told, not judged."""
    state: dict[str, Any] = {"version": sorairo.__version__}
    try:
        service.storage.check()
        return JSONResponse(state | {"status": "ok", "counts": _counts(service)})
    except Exception as error:  # whatever the database or the storage raise
        return JSONResponse(state | {"status": "unavailable", "reason": type(error.__cause__ or error).__name__}, 503)


def _counts(service: Service) -> dict[str, int]:
    by_status = select(VideoRow.status, func.count()).where(LIVE).group_by(VideoRow.status)
    alive = select(func.count()).where(WorkerRow.seen_at > time.time() - LOST_AFTER_SECONDS)
    with service.database.reading() as session:
        found = dict(session.execute(by_status).all())
        return {status: found.get(status, 0) for status in STATUSES} | {"workers": session.scalar(alive) or 0}
