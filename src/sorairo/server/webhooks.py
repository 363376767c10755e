"""Events told to the addresses of an account, signed by Standard Webhooks. Never follows a redirect.

Signature: https://github.com/standard-webhooks/standard-webhooks (HMAC-SHA256 over id, time and body). Addresses on
private networks are refused when they are connected to, so that a name that changes its address gains nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import ipaddress
import json
import secrets
import socket
import threading
import time
from typing import Any
from urllib.parse import urlsplit

from sorairo.server.errors import ApiError
from sorairo.server.tables import WebhookEndpoint

EVENT_TYPES = ("video.completed", "video.failed")
MOST_ENDPOINTS = 20  # of one account: each event is sent to all of them
RETRY_AFTER_SECONDS = (0, 5, 60, 600, 3600, 6 * 3600)
_TIMEOUT_SECONDS = 10


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def event(endpoint: WebhookEndpoint, kind: str, video_id: str, at: int) -> dict[str, Any]:
    """The body of an event; its id is the same however often it is sent, so that a receiver may tell repeats."""
    name = hashlib.sha256(f"{endpoint.id} {kind} {video_id}".encode()).hexdigest()[:24]
    return {"id": f"evt_{name}", "object": "event", "created_at": at, "type": kind, "data": {"id": video_id}}


def send(endpoint: WebhookEndpoint, body: dict[str, Any], *, private: bool = False) -> int:
    """Posts one event and returns the status code. Raises OSError or ValueError where nobody answers."""
    text, sent_at = json.dumps(body), int(time.time())
    headers = {"content-type": "application/json", "user-agent": "sorairo-webhooks", "webhook-id": body["id"]}
    headers["webhook-timestamp"] = str(sent_at)
    headers["webhook-signature"] = signature(endpoint.secret, body["id"], sent_at, text)
    address = urlsplit(endpoint.url)
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.hostname or "", address.port, timeout=_TIMEOUT_SECONDS)
    line = _dial(connection.host, connection.port, private)
    connection._create_connection = lambda *_: line.dup()  # type: ignore[attr-defined]
    watch = threading.Timer(_TIMEOUT_SECONDS, line.shutdown, [socket.SHUT_RDWR])  # a socket's own restarts by the byte
    watch.start()
    try:
        path = (address.path or "/") + (f"?{address.query}" if address.query else "")
        connection.request("POST", path, text.encode(), headers)
        return connection.getresponse().status
    except http.client.HTTPException as error:
        raise OSError(f"no answer that can be read: {type(error).__name__}") from error
    finally:
        watch.cancel()
        connection.close()
        line.close()


def signature(secret: str, message_id: str, at: int, text: str) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message_id}.{at}.{text}".encode(), hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def check_url(url: Any, *, private: bool = False) -> str:
    """Raises ApiError 400 for what is no address of the web, or not an encrypted one."""
    try:
        address = urlsplit(url) if isinstance(url, str) and len(url) <= 2000 else urlsplit("")
        usable = bool(address.hostname) and not address.username and (address.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or address.scheme not in (("https", "http") if private else ("https",)):
        raise ApiError(400, "url must be an https:// address.", "url", "invalid_url")
    return str(url)


def _dial(host: str, port: int, private: bool) -> socket.socket:
    """A line to the very address that was checked."""
    address = str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
    if not (private or ipaddress.ip_address(address).is_global):
        raise OSError("the address lies in a private network")
    return socket.create_connection((address, port), _TIMEOUT_SECONDS)
