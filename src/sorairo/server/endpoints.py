"""Managing the addresses that are told of finished and failed videos, as OpenAI's webhook endpoints. Never delivers."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from sorairo.server import audit
from sorairo.server.access import Listener, Opened
from sorairo.server.errors import ApiError, not_found
from sorairo.server.fields import MAX_NAME, body, text_of
from sorairo.server.keys import Caller
from sorairo.server.routes import Given, paged
from sorairo.server.tables import WebhookEndpoint, new_id, now
from sorairo.server.webhooks import EVENT_TYPES, MOST_ENDPOINTS, check_url, event, new_secret, send

router = APIRouter(prefix="/v1")
Answer = dict[str, Any]


def shown(row: WebhookEndpoint, secret: bool = False) -> Answer:
    """An endpoint as its owner sees it; its secret only when that is new."""
    own = row.told("id", "name", "url", "created_at", "updated_at")
    own |= {"object": "webhook_endpoint", "event_types": row.event_types.split()}
    return own | ({"signing_secret": row.secret} if secret else {"signing_secret_hint": f"whsec_…{row.secret[-4:]}"})


@router.post("/webhook_endpoints", openapi_extra=body(("url", "event_types"), "name"))
def create_endpoint(service: Opened, caller: Listener, given: Given) -> Answer:
    """A new address; the signing secret is shown now and never again."""
    row = WebhookEndpoint(id=new_id("we"), account_id=caller.account_id, name="", event_types="", secret=new_secret())
    _change(row, {"url": None, "event_types": None} | given, service.settings.private_webhooks)
    mine = select(func.count()).where(WebhookEndpoint.account_id == caller.account_id)
    with service.database.writing.begin() as session:
        if (session.scalar(mine) or 0) >= MOST_ENDPOINTS:
            raise ApiError(400, f"An account has at most {MOST_ENDPOINTS} endpoints.", None, "too_many_endpoints")
        session.add(row)
        audit.record(session, caller.key_id, "webhook.created", row.id)
    return shown(row, secret=True)


@router.get("/webhook_endpoints")
def list_endpoints(service: Opened, caller: Listener) -> Answer:
    """All addresses of the account."""
    mine = select(WebhookEndpoint).where(WebhookEndpoint.account_id == caller.account_id)
    with service.database.reading() as session:
        rows = session.scalars(mine.order_by(WebhookEndpoint.position)).all()
    return {"object": "list", **paged(rows), "data": [shown(row) for row in rows]}


@router.get("/webhook_endpoints/{endpoint_id}")
def retrieve_endpoint(endpoint_id: str, service: Opened, caller: Listener) -> Answer:
    """One address."""
    return shown(service.database.read(_find, caller, endpoint_id))


@router.post("/webhook_endpoints/{endpoint_id}", openapi_extra=body((), "url", "event_types", "name"))
def update_endpoint(endpoint_id: str, service: Opened, caller: Listener, given: Given) -> Answer:
    """Changes what is given of name, url and event_types."""
    with service.database.writing.begin() as session:
        row = _find(session, caller, endpoint_id)
        _change(row, given, service.settings.private_webhooks)
        return shown(row)


@router.delete("/webhook_endpoints/{endpoint_id}")
def delete_endpoint(endpoint_id: str, service: Opened, caller: Listener) -> Answer:
    """Takes an address away; what was not delivered yet is not delivered any more."""
    with service.database.writing.begin() as session:
        session.delete(_find(session, caller, endpoint_id))
        audit.record(session, caller.key_id, "webhook.deleted", endpoint_id)
    return {"id": endpoint_id, "object": "webhook_endpoint.deleted", "deleted": True}


@router.post("/webhook_endpoints/{endpoint_id}/rotate_secret")
def rotate_secret(endpoint_id: str, service: Opened, caller: Listener) -> Answer:
    """A new secret from now on; the old one signs nothing more."""
    with service.database.writing.begin() as session:
        row = _find(session, caller, endpoint_id)
        row.secret, row.updated_at = new_secret(), now()
        audit.record(session, caller.key_id, "webhook.rotated", row.id)
    return shown(row, secret=True)


@router.post("/webhook_endpoints/{endpoint_id}/test", openapi_extra=body((), "event_type"))
def test_endpoint(endpoint_id: str, service: Opened, caller: Listener, given: Given) -> Answer:
    """Sends a signed event now and tells what the address answered."""
    if (kind := given.get("event_type", EVENT_TYPES[0])) not in EVENT_TYPES:
        raise ApiError(400, f"event_type is {' or '.join(EVENT_TYPES)}.", "event_type", "invalid_value")
    row = service.database.read(_find, caller, endpoint_id)
    try:
        status = send(row, event(row, kind, "video_test", now()), private=service.settings.private_webhooks)
    except (OSError, ValueError) as error:
        raise ApiError(400, f"{row.url} does not answer: {error}", "url", "webhook_unreachable") from None
    about = {"object": "webhook_endpoint.test", "webhook_endpoint_id": row.id, "event_type": kind}
    return about | {"status_code": status, "success": True}


@router.get("/webhook_event_types")
def list_event_types(caller: Listener) -> Answer:
    """What can be told."""
    return {"object": "list", "data": [{"object": "webhook_event_type", "event_type": kind} for kind in EVENT_TYPES]}


def _find(session: Session, caller: Caller, endpoint_id: str) -> WebhookEndpoint:
    mine = select(WebhookEndpoint).where(WebhookEndpoint.account_id == caller.account_id)
    row = session.scalar(mine.where(WebhookEndpoint.id == endpoint_id))
    if row is None:
        raise not_found("webhook_endpoint", endpoint_id)
    return row


def _change(row: WebhookEndpoint, given: dict[str, Any], private: bool) -> None:
    if "url" in given:
        row.url = check_url(given["url"], private=private)
    if "event_types" in given:
        kinds = given["event_types"]
        if not isinstance(kinds, list) or not kinds or not all(kind in EVENT_TYPES for kind in kinds):
            known = " and ".join(EVENT_TYPES)
            raise ApiError(400, f"event_types is a list of {known}.", "event_types", "invalid_value")
        row.event_types = " ".join(dict.fromkeys(kinds))
    if "name" in given:
        row.name = text_of(given, "name", most=MAX_NAME)
    row.updated_at = now()
