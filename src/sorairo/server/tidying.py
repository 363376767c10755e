"""What nobody needs any more, removed now and then: DBOS's rows of jobs that ended, and folders of jobs that are over.

Never touches what is under way, here or in another worker: whatever the library or DBOS has still to do stays.
"""

from __future__ import annotations

import shutil
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from dbos import DBOS
from sqlalchemy import select

from sorairo.server.database import Database
from sorairo.server.library import UNDER_WAY
from sorairo.server.tables import VideoRow

TIDY_EVERY_SECONDS, KEPT_SECONDS = 3600.0, 86_400.0
_AT_ONCE = 500
_ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
_UNDER_WAY = ["PENDING", "ENQUEUED", "DELAYED"]


def tidy(database: Database, work_folder: Path) -> None:
    """May be cut off anywhere, and run at the same time as others."""
    before = datetime.fromtimestamp(time.time() - KEPT_SECONDS, UTC).isoformat()
    jobs = partial(DBOS.list_workflows, load_input=False, load_output=False)
    while ended := {job.workflow_id for job in jobs(status=_ENDED, completed_before=before, limit=_AT_ONCE)}:
        over = ended - _unfinished(database, ended)  # else a worker would find no job, and make the video again
        if not over:
            break
        DBOS.delete_workflows([*over])
    folders = {path.name for path in work_folder.glob("video_*")}
    left = folders - _unfinished(database, folders)  # in this order: what is not unfinished now is never begun again
    left -= {job.workflow_id for job in jobs(workflow_ids=[*left], status=_UNDER_WAY)}
    for name in left:
        shutil.rmtree(work_folder / name, ignore_errors=True)


def _unfinished(database: Database, ids: set[str]) -> set[str]:
    with database.reading() as session:
        return set(session.scalars(select(VideoRow.id).where(VideoRow.id.in_(ids), UNDER_WAY)))
