"""What every route is given: the open service, and who is calling. Never answers a request itself."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from sorairo.pipelines.cards import find_model, list_models, load_config
from sorairo.pipelines.request import VideoRequest
from sorairo.server.database import Database
from sorairo.server.errors import ApiError
from sorairo.server.keys import Caller, authenticate, mark_used, read_pepper
from sorairo.server.settings import Settings
from sorairo.server.storage import Storage
from sorairo.server.tables import Account
from sorairo.server.tiers import Tier, Tiers, load_tiers

COOKIE = "sorairo_key"
PARTS_OF_A_MINUTE = 20
_bearer = HTTPBearer(auto_error=False, description="An API key of this installation: sorairo keys create")


class Pace:
    """Requests of each account in all processes, by the generic cell rate algorithm (ITU-T I.371): a minute's worth may
    come at once.

    The count is in the account's row. A process takes a twentieth of a minute's worth at a time and spends it from
    memory, so that few requests write; what it has not spent after a minute is lost.
    """

    def __init__(self, database: Database) -> None:
        self._database, self._shares = database, dict[str, _Share]()

    def wait(self, account_id: str, requests: int) -> float:
        """Seconds until the account may ask again; 0: it may now, and that counts."""
        share = self._shares.setdefault(account_id, _Share())
        with share.lock:
            moment = time.time()
            if moment < share.closed_until <= moment + 60:
                return share.closed_until - moment
            if not share.left or not moment <= share.good_until <= moment + 60:
                share.left, share.good_until = self._take(account_id, requests, moment)
            if not share.left:
                share.closed_until = share.good_until
                return share.closed_until - moment
            share.left -= 1
            return 0.0

    def _take(self, account_id: str, requests: int, moment: float) -> tuple[int, float]:
        """How many requests are this process's now, and until when; if none, until when there are none."""
        with self._database.writing.begin() as session:
            account = session.get_one(Account, account_id, with_for_update=True)
            due = min(max(account.paced_until, moment), moment + 60)  # no clock that was set back locks anybody out
            free = int((moment + 60 - due) * requests / 60 + 1e-6)  # more than rounding
            taken = min(free, max(1, requests // PARTS_OF_A_MINUTE))
            if taken or due < account.paced_until:
                account.paced_until = due + taken * 60 / requests
        return taken, moment + 60 if taken else due - 60 + 60 / requests


@dataclass
class _Share:
    """What one process holds of an account's requests."""

    left: int = 0
    good_until: float = 0.0
    closed_until: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class Service:
    """One installation, opened."""

    settings: Settings
    database: Database
    storage: Storage
    models: dict[str, str]
    tiers: Tiers
    pepper: bytes
    pace: Pace

    @classmethod
    def of(cls, settings: Settings, database: Database) -> Service:
        """Raises ValueError for a model, a tier or a storage that cannot be used."""
        storage, models = Storage(settings.storage_url), models_of(settings)
        tiers, pepper = load_tiers(settings.folder), read_pepper(settings.pepper_file)
        return cls(settings, database, storage, models, tiers, pepper, Pace(database))

    def tier(self, caller: Caller) -> Tier:
        return self.tiers.named(caller.tier)


def models_of(settings: Settings) -> dict[str, str]:
    """Public names of the models that are served, and by what they are found; the first is the default."""
    places = settings.models or sorted(list_models(), key=lambda name: name != VideoRequest.model)
    if not places:
        raise ValueError("model is missing; no model is installed: train one, or give the folder of one")
    return {load_config(find_model(place)).name: place for place in places}


def service_of(request: Request) -> Service:
    if "\0" in request.url.path or any("\0" in value for value in request.query_params.values()):
        raise ApiError(404, "No address has the character U+0000.", None, "not_found")
    service: Service = request.app.state.service
    return service


def by_the_studio(request: Request) -> bool:
    """Whether a cookie counts: to look, or with a header that pages of other sites cannot send."""
    return request.method == "GET" or "x-sorairo-studio" in request.headers


def caller_with(scope: str) -> Callable[..., Caller]:
    """A dependency that lets in whoever has a key with ``scope``; the database is asked for every request."""

    def allowed(
        request: Request,
        service: Annotated[Service, Depends(service_of)],
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    ) -> Caller:
        challenge = {"www-authenticate": "Bearer"}
        key = given.credentials if given else request.cookies.get(COOKIE) if by_the_studio(request) else None
        if key is None:
            raise ApiError(401, "The Authorization header has no API key.", None, "missing_api_key", challenge)
        caller = service.database.read(authenticate, service.pepper, key)
        if caller is None:
            raise ApiError(401, "The API key is not valid.", None, "invalid_api_key", challenge)
        if caller.idle:
            with service.database.writing.begin() as session:
                mark_used(session, caller)
        if wait := math.ceil(service.pace.wait(caller.account_id, tier := service.tier(caller).requests)):
            message = f"This account has {tier} requests a minute; ask again in {wait} s."
            raise ApiError(429, message, None, "rate_limit_exceeded", {"retry-after": str(wait)})
        if scope not in caller.scopes:
            raise ApiError(403, f"This key lacks the scope {scope!r}.", None, "missing_scope")
        if caller.suspended and scope != "videos.read":
            raise ApiError(403, caller.suspended, None, "account_suspended")
        return caller

    return allowed


Opened = Annotated[Service, Depends(service_of)]
Reader = Annotated[Caller, Depends(caller_with("videos.read"))]
Writer = Annotated[Caller, Depends(caller_with("videos.write"))]
Listener = Annotated[Caller, Depends(caller_with("webhooks"))]
