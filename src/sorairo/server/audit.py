"""The audit: one line for whatever an operator may be asked about later. Lines are added, never changed or removed.

Each line's digest covers the line before it, and a trigger in the database refuses changes. Prompts and secrets are
never written here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from sorairo.server.database import serialise
from sorairo.server.tables import AuditLine, now


def record(session: Session, actor: str, action: str, subject: str, **detail: str | int) -> None:
    """Adds a line in the transaction of what it tells about, so that neither is there without the other."""
    serialise(session, "audit")
    last = session.scalar(select(AuditLine.digest).order_by(AuditLine.position.desc()).limit(1))
    line = AuditLine(at=now(), actor=actor, action=action, subject=subject, detail=json.dumps(detail, sort_keys=True))
    line.digest = _digest(line, last or "")
    session.add(line)
    session.flush()


def lines(session: Session) -> Iterable[AuditLine]:
    """All of it, oldest first."""
    return session.scalars(select(AuditLine).order_by(AuditLine.position))


def first_broken(session: Session) -> int | None:
    """The position of the first line that does not follow from the one before it, if any was tampered with."""
    before = ""
    for line in lines(session):
        if line.digest != _digest(line, before):
            return line.position
        before = line.digest
    return None


def _digest(line: AuditLine, before: str) -> str:
    told = [before, line.at, line.actor, line.action, line.subject, line.detail]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
