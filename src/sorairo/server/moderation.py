"""What an operator does about videos and accounts: decides reports and appeals, takes down, suspends, hands over.

Every act is a line of the audit in the same transaction. A video that is taken down keeps its row, so that its owner
is told and may appeal, and its files, which no route gives out any more, until they are purged. Never judges by itself.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from sorairo.media import new_file
from sorairo.provenance import verify
from sorairo.server import audit
from sorairo.server.database import Database, serialise
from sorairo.server.keys import OPERATOR
from sorairo.server.storage import VARIANTS, Storage
from sorairo.server.tables import Account, AuditLine, CaseRow, FileRow, Table, VideoRow, new_id, now

TAKEN_DOWN = "taken_down"
OUTCOMES = ("dismissed", "upheld")
REASONS = ("sexual", "sexual_minors", "violence", "hate", "self_harm", "illegal", "election", "real_people",
           "characters", "my_rights", "other")  # fmt: skip
CASE = ("id", "kind", "video_id", "reason", "message", "created_at", "outcome", "answer", "closed_at")
SEEN = ("title", "prompt", "size", "seconds", "status", "error_code", "error_message", "publication_reason")
_MOST_OPEN = 50  # of one account


def told(case: CaseRow) -> dict[str, Any]:
    """A case as whoever filed it sees it."""
    return {"object": "case"} | case.told(*CASE)


def file_case(session: Session, actor: str, account_id: str, kind: str, video_id: str, **said: str) -> CaseRow:
    """A report or an appeal; the same again, while it is open, is the first one. Raises ValueError for one too many."""
    mine = select(CaseRow).where(CaseRow.account_id == account_id, CaseRow.outcome == "open")
    is_open = session.scalars(mine).all()
    if same := [case for case in is_open if (case.kind, case.video_id) == (kind, video_id)]:
        return same[0]
    if len(is_open) >= _MOST_OPEN:
        raise ValueError(f"{kind} is one too many: {_MOST_OPEN} of this account wait for an answer")
    case = CaseRow(id=new_id("case"), account_id=account_id, kind=kind, video_id=video_id, **said)
    session.add(case)
    audit.record(session, actor, f"case.{kind}", video_id or account_id, case=case.id, reason=case.reason)
    return case


def queue(session: Session, outcome: str = "open") -> list[tuple[CaseRow, Account]]:
    """Cases with who filed them, oldest first."""
    query = select(CaseRow, Account).join(Account).where(CaseRow.outcome == outcome).order_by(CaseRow.position)
    return [(case, account) for case, account in session.execute(query)]


def concerned(session: Session, case: CaseRow) -> dict[str, Any]:
    """What an operator has to know before deciding: the account that it is about, and the video with its words."""
    row = session.scalar(select(VideoRow).where(VideoRow.id == case.video_id))
    owner = session.get_one(Account, row.account_id if row else case.account_id)
    video = row.told(*SEEN) | {"watchable": is_kept(row)} if row else None
    return {"owner": owner.name, "owner_id": owner.id, "suspended_until": owner.suspended_until, "video": video}


def watched(session: Session, case_id: str, actor: str) -> VideoRow:
    """The video that a case is about, for the operator's eyes, whoever owns it. Raises ValueError."""
    row = session.scalar(select(VideoRow).join(CaseRow, CaseRow.video_id == VideoRow.id).where(CaseRow.id == case_id))
    if row is None or not is_kept(row):
        raise ValueError(f"case is {case_id!r}; there is none of that name about a clip that is still kept")
    audit.record(session, actor, "video.watched", row.id, case=case_id)
    return row


def is_kept(row: VideoRow) -> bool:
    """Whether its clip lies in the storage: it was finished, not failed on its way, and neither deleted nor purged."""
    was_made = row.status == "completed" or row.error_code == TAKEN_DOWN
    return was_made and bool(row.completed_at) and not row.deleted_at


def close(session: Session, case_id: str, outcome: str, answer: str, actor: str = OPERATOR) -> CaseRow:
    """Decides a case; what follows from it is done by `take_down`, `restore` and `penalise`. Raises ValueError."""
    case = session.scalar(select(CaseRow).where(CaseRow.id == case_id).with_for_update())
    if case is None:
        raise ValueError(f"case is {case_id!r}; there is none of that name")
    if outcome not in OUTCOMES:
        raise ValueError(f"outcome is {outcome!r}; it is {' or '.join(OUTCOMES)}")
    case.outcome, case.answer, case.closed_at = outcome, answer, now()
    audit.record(session, actor, "case.closed", case.id, outcome=outcome)
    return case


def is_taken_down(session: Session, source_id: str) -> bool:
    """Whether a video or an upload of that name was."""
    upload = session.get(FileRow, source_id)
    error_code = session.scalar(select(VideoRow.error_code).where(VideoRow.id == source_id))
    return error_code == TAKEN_DOWN or bool(upload and upload.taken_down)


def derived(session: Session, source_id: str) -> list[VideoRow]:
    """All that was made from a video or an upload, and from that, as the library remembers it; deleted ones too."""
    found: dict[str, VideoRow] = {}
    line = [source_id]
    while line:
        made = VideoRow.sources.contains(f" {line.pop()} ", autoescape=True)
        new = [row for row in session.scalars(select(VideoRow).where(made)) if row.id not in (*found, source_id)]
        found |= {row.id: row for row in new}
        line += [row.id for row in new]
    return sorted(found.values(), key=lambda row: row.position)


def _family(session: Session, source_id: str) -> tuple[FileRow | None, list[VideoRow]]:
    """The upload of that name, and the video with all that was made from either. Raises ValueError for neither."""
    own = session.scalars(select(VideoRow).where(VideoRow.id == source_id)).all()
    upload, family = session.get(FileRow, source_id), [*own, *derived(session, source_id)]
    if not upload and not family:
        raise ValueError(f"video is {source_id!r}; neither it nor anything made from it is in the library")
    return upload, family


def take_down(session: Session, source_id: str, reason: str, actor: str = OPERATOR) -> list[VideoRow]:
    """Nobody gets the video or upload of that name, or what was made from it, any more; what is queued or being made
    fails. Returns the videos. Raises ValueError for an empty reason, and for a name that the library does not know."""
    if not reason.strip():
        raise ValueError("reason is empty; the owners are told why")
    serialise(session, "sources")  # what is being asked for is in the library before this, or begins after it
    upload, family = _family(session, source_id)
    rows = [row for row in family if row.status != "failed"]
    for row in rows:
        because = reason if row.id == source_id else f"{reason} (made from {source_id})"
        row.status, row.error_code, row.error_message = "failed", TAKEN_DOWN, because
        row.publication, row.featured, row.published_at, row.preview = "private", False, None, None
    for row in rows:
        audit.record(session, actor, "video.taken_down", row.id, source=source_id)
    if upload and not upload.taken_down:
        upload.taken_down = True
        audit.record(session, actor, "file.taken_down", source_id)
    return rows


def restore(session: Session, source_id: str, actor: str = OPERATOR) -> VideoRow | FileRow:
    """Gives an upload or a finished video back to its owner; what was made from it has to be restored by itself. Raises
    ValueError for one that was not taken down, or of which nothing is kept."""
    upload = session.get(FileRow, source_id)
    if upload and upload.taken_down:
        upload.taken_down = False
        audit.record(session, actor, "file.restored", source_id)
        return upload
    row = session.scalar(select(VideoRow).where(VideoRow.id == source_id, VideoRow.error_code == TAKEN_DOWN))
    if row is None or not is_kept(row):
        raise ValueError(f"video is {source_id!r}; nothing of that name was taken down and is kept")
    row.status, row.error_code, row.error_message = "completed", None, None
    audit.record(session, actor, "video.restored", row.id)
    return row


def purge(session: Session, source_id: str, actor: str = OPERATOR) -> list[str]:
    """Nobody can restore what was taken down with a source, or hand it over; whenever that was. Returns the folders of
    the storage to remove once this is written down. Raises ValueError for a name that the library does not know."""
    upload, family = _family(session, source_id)
    rows = [row for row in family if row.error_code == TAKEN_DOWN]
    for row in rows:
        row.completed_at = None
    if upload:
        session.delete(upload)
    audit.record(session, actor, "video.purged", source_id, videos=len(rows))
    return [f"uploads/{source_id}", *(f"videos/{row.id}" for row in rows)]


def penalise(session: Session, name: str, days: int, reason: str, actor: str = OPERATOR) -> Account:
    """Suspends an account: till then its keys read, and appeal; 0 days lifts that. Raises ValueError."""
    if days and not reason.strip():
        raise ValueError("reason is empty; the account is told why")
    account = session.scalar(select(Account).where(or_(Account.name == name, Account.id == name)))
    if account is None:
        raise ValueError(f"account is {name!r}; there is none of that name")
    account.suspended_until = now() + days * 86_400 if days else 0
    account.suspended_for = reason if days else ""
    action = "account.suspended" if days else "account.restored"
    audit.record(session, actor, action, account.id, days=days)
    return account


def hand_over(database: Database, storage: Storage, video_id: str, target: Path, actor: str = OPERATOR) -> Path:
    """All that is known of a video as one zip file: request and decision, cases, family, audit, credentials, the clip.
    That it is handed over is in the audit first. Raises ValueError for an unknown video, OSError for the file."""
    with database.writing.begin() as session:
        row = session.scalar(select(VideoRow).where(VideoRow.id == video_id))
        if row is None:
            raise ValueError(f"video is {video_id!r}; there is none of that name")
        audit.record(session, actor, "video.handed_over", row.id)
    known = database.read(_incident, row)
    with TemporaryDirectory(prefix="sorairo-") as folder, new_file(target) as draft, ZipFile(draft, "w") as zipped:
        clip, known["credentials"] = Path(folder) / VARIANTS["video"][0], None
        with suppress(FileNotFoundError):  # never finished, or purged
            storage.fetch(f"videos/{row.id}/{clip.name}", clip)
            zipped.write(clip, clip.name)
            known["credentials"] = _credentials(clip)
        zipped.writestr("incident.json", json.dumps(known, indent=1, ensure_ascii=False, default=str))
    return target


def _credentials(clip: Path) -> dict[str, Any]:
    try:
        return vars(verify(clip))
    except ValueError as error:  # whatever lies there is handed over as it is
        return {"state": "none", "reasons": [str(error)]}


def _incident(session: Session, row: VideoRow) -> dict[str, Any]:
    cases = list(session.scalars(select(CaseRow).where(CaseRow.video_id == row.id).order_by(CaseRow.position)))
    subjects = {row.id, row.account_id, *(case.id for case in cases)}
    lines = session.scalars(select(AuditLine).where(AuditLine.subject.in_(subjects)).order_by(AuditLine.position))
    known: dict[str, Any] = {"video": _all_of(row), "account": _all_of(session.get_one(Account, row.account_id))}
    known |= {"cases": [*map(_all_of, cases)], "derived": [other.id for other in derived(session, row.id)]}
    return known | {"audit": [*map(_all_of, lines)], "audit_broken_at": audit.first_broken(session)}


def _all_of(row: Table) -> dict[str, Any]:
    """But the request as an object, and no preview."""
    kept = row.told(*(column.name for column in row.__table__.columns if column.name != "preview"))
    return kept | ({"request": json.loads(kept["request"])} if kept.get("request") else {})
