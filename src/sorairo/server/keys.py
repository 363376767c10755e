"""API keys: made, checked, revoked. A secret is shown once and kept nowhere; no answer is kept in memory.

A key is `sorairo_`, 64 bits of name and 256 bits of secret. The database has HMAC-SHA256 of the secret under this
installation's pepper: at that length a slow hash would add nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from sorairo.config import check_name
from sorairo.server import audit
from sorairo.server.fields import MAX_NAME
from sorairo.server.tables import Account, ApiKey, new_id, now

SCOPES = ("videos.read", "videos.write", "webhooks", "admin")
OPERATOR = "operator"  # who acts on the machine itself, without a key
_LAST_USED_EVERY_SECONDS = 60  # not a write for every request
_NOBODY = ApiKey(digest="0" * 64)  # compared with where no key has that name, so that both take the same time


@dataclass(frozen=True)
class Caller:
    """Who sent a request, and what its key allows; ``idle``: its last use should be written down anew; ``suspended``:
    until when and why the account may only read, "" where it is not."""

    account_id: str
    key_id: str
    tier: str
    scopes: frozenset[str]
    idle: bool = False
    suspended: str = ""


def read_pepper(file: Path) -> bytes:
    """This installation's secret, made at first use, readable by its owner only."""
    with suppress(FileExistsError), NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.") as draft:
        draft.write(secrets.token_bytes(32))
        draft.flush()
        os.link(draft.name, file)  # of two that start together, one is first, and both read whole bytes
    return file.read_bytes()


def open_account(session: Session, name: str, tier: str = "", actor: str = OPERATOR) -> Account:
    """The account of that name, made if there is none, with ``tier`` if one is given. Raises ValueError for no name."""
    account = session.scalar(select(Account).where(Account.name == name))
    if account is None:
        if not 0 < len(name.strip()) <= MAX_NAME or not name.isprintable():
            raise ValueError(f"account is {name!r}; a name has 1 to {MAX_NAME} characters, all of which can be seen")
        account = Account(id=new_id("account"), name=name, tier="free")
        session.add(account)
    if account.created_at is None or tier not in ("", account.tier):
        account.tier = tier or account.tier
        audit.record(session, actor, "account.tier", account.id, tier=account.tier)
    return account


def change_tier(session: Session, name: str, tier: str) -> None:
    """Raises ValueError for an account that is not there."""
    check_name("account", name, session.scalars(select(Account.name)).all())
    open_account(session, name, tier)


def create_key(
    session: Session, pepper: bytes, account: Account, name: str, scopes: Collection[str], days: int | None = None,
    actor: str = OPERATOR,
) -> str:  # fmt: skip
    """A new key's text, which is never seen again. Raises ValueError for an unknown scope."""
    for scope in scopes:
        check_name("scope", scope, (*SCOPES, "all"))
    secret = secrets.token_urlsafe(32)
    key = ApiKey(id=secrets.token_hex(8), account_id=account.id, name=name, digest=_digest(pepper, secret))
    key.scopes = " ".join(scope for scope in SCOPES if scope in scopes or "all" in scopes)
    key.expires_at = None if days is None else now() + days * 86_400
    session.add(key)
    audit.record(session, actor, "key.created", key.id, account=account.id, scopes=key.scopes)
    return f"sorairo_{key.id}_{secret}"


def authenticate(session: Session, pepper: bytes, text: str) -> Caller | None:
    """Whose key this is; nobody's if it is unknown, wrong, expired or revoked. Asks the database every time."""
    _, _, rest = text.partition("sorairo_")
    key_id, _, secret = rest.partition("_")
    row = session.execute(select(ApiKey, Account).join(Account).where(ApiKey.id == key_id)).first()
    key, account = row if row else (_NOBODY, Account(tier=""))
    fits = hmac.compare_digest(key.digest, _digest(pepper, secret))
    if not (fits and key.holds):
        return None
    idle = now() - (key.last_used_at or 0) >= _LAST_USED_EVERY_SECONDS
    scopes = frozenset(key.scopes.split())
    return Caller(key.account_id, key.id, account.tier, scopes, idle, suspension(account))


def suspension(account: Account) -> str:
    """Until when the account is suspended, and for what; "" where it is not."""
    if account.suspended_until <= now():
        return ""
    until = datetime.fromtimestamp(account.suspended_until, UTC)
    return f"This account is suspended until {until:%Y-%m-%d %H:%M} UTC: {account.suspended_for}"


def mark_used(session: Session, caller: Caller) -> None:
    session.execute(update(ApiKey).where(ApiKey.id == caller.key_id).values(last_used_at=now()))


def revoke_key(session: Session, key_id: str, actor: str = OPERATOR) -> None:
    """From the next request on, in every process. Raises ValueError for an unknown key."""
    check_name("key", key_id, session.scalars(select(ApiKey.id)).all())
    key = session.get_one(ApiKey, key_id)
    if key.revoked_at is None:
        key.revoked_at = now()
        audit.record(session, actor, "key.revoked", key.id)


def list_keys(session: Session) -> list[tuple[ApiKey, Account]]:
    """All keys with their accounts, oldest first."""
    return [(key, account) for key, account in session.execute(select(ApiKey, Account).join(Account))]


def _digest(pepper: bytes, secret: str) -> str:
    return hmac.new(pepper, secret.encode(), hashlib.sha256).hexdigest()
