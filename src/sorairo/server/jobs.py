"""One video from its row in the library to its published files, step by step. Never queues and never retries.

Every step may be run twice: it leaves files that it finds again, and the one step that others see is a single
transaction. A row belongs to one executor; whoever finds it in other hands, or deleted, stops.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, case, select, update

from sorairo.pipelines import GenerationError, ModelBundle, RefusedError, load_bundle
from sorairo.pipelines.expansion import expanded, load_expander
from sorairo.pipelines.generation import Generation
from sorairo.pipelines.pictures import animation, write_pictures
from sorairo.pipelines.policy import apply_policy, standard_context
from sorairo.pipelines.progress import Estimate, Progress
from sorairo.pipelines.publication import judge_public
from sorairo.pipelines.request import Material, VideoRequest
from sorairo.provenance.clip_store import ClipStore
from sorairo.safety import Decision
from sorairo.server import audit
from sorairo.server.database import Database
from sorairo.server.keys import suspension
from sorairo.server.library import LIVE
from sorairo.server.moderation import is_kept, is_taken_down
from sorairo.server.settings import Settings
from sorairo.server.storage import VARIANTS, Storage
from sorairo.server.tables import Account, VideoRow, now
from sorairo.server.tiers import load_tiers

log = logging.getLogger(__name__)

Outcome = dict[str, str]
"""Of a step: nothing if it went well, else ``code`` and ``message`` of the failure, or ``code`` "stopped"."""

STOPPED = "stopped"
_CODES = {RefusedError: "moderation_blocked", ValueError: "invalid_request", GenerationError: "generation_failed"}
FAILED = {"code": "server_error", "message": "The server failed at this video; its log says why."}
_WRITE_EVERY_SECONDS, _PREVIEW_EVERY_SECONDS = 0.25, 1.0


class StoppedError(Exception):
    """The video is deleted, or another worker has it."""


class Jobs:
    """What a worker does with a video. It keeps the last model in memory, and the generation it is at."""

    def __init__(self, settings: Settings, database: Database, executor: str) -> None:
        self.settings, self.database, self.executor = settings, database, executor
        self.storage = Storage(settings.storage_url)
        self.steps: Mapping[str, Callable[[str], object]] = {
            "policy": lambda video_id: self._check(video_id, self._request(video_id)),
            "expansion": self._expand,
            "sampling": lambda video_id: self._generation(video_id).sample(),
            "decoding": lambda video_id: self._generation(video_id).decode(),
            "signing": self._sign, "publishing": self._publish,
        }  # fmt: skip
        self._bundles: dict[str, ModelBundle] = {}
        self._generations: dict[str, Generation] = {}

    def begin(self, video_id: str) -> Outcome:
        """Takes the row, and counts how often the step it is in was begun; too often, and it kills its workers.

        Nothing is begun for an account that is suspended by now.
        """
        with self.database.writing.begin() as session:
            row = session.scalar(select(VideoRow).where(VideoRow.id == video_id).with_for_update())
            if row is None or row.deleted_at or row.status in ("completed", "failed"):
                return {"code": STOPPED}
            row.executor, row.status, row.attempts = self.executor, "in_progress", row.attempts + 1
            if suspended := suspension(session.get_one(Account, row.account_id)):
                return {"code": "account_suspended", "message": suspended}
            if row.attempts > (tries := self.settings.max_attempts):
                return {"code": "worker_lost", "message": f"The worker was lost {tries} times over this video."}
        return {}

    def run(self, step: str, video_id: str, before: Outcome) -> Outcome:
        """One step, if all went well ``before``. Failures are plain data: they are written down and read again."""
        if before:
            return before
        try:
            again = VideoRow.stage == step  # else the step before was finished, so its attempts are forgotten
            self._write(video_id, stage=step, attempts=case((again, VideoRow.attempts), else_=1))
            self.steps[step](video_id)
            return {}
        except StoppedError:
            return {"code": STOPPED}
        except (ValueError, GenerationError) as error:
            code = next(code for kind, code in _CODES.items() if isinstance(error, kind))
            return {"code": code, "message": str(error).replace(f"{self._folder(video_id)}/", "")}
        except Exception:
            log.exception("step %s of %s failed", step, video_id)
            return FAILED

    def end(self, video_id: str, outcome: Outcome) -> None:
        """Puts a failure into the row, and removes what the steps left, of a video that is not kept also its files."""
        if outcome and outcome["code"] != STOPPED:
            failure = {"error_code": outcome["code"], "error_message": outcome["message"]}
            with suppress(StoppedError):
                self._write(video_id, status="failed", completed_at=now(), eta_seconds=None, **failure)
        with self.database.reading() as session:
            row = session.scalars(select(VideoRow).where(VideoRow.id == video_id)).one()
        if row.deleted_at or (row.status == "failed" and not is_kept(row)):
            self.storage.remove(f"videos/{video_id}")
        self._generations.pop(video_id, None)
        shutil.rmtree(self._folder(video_id), ignore_errors=True)

    def give_back(self, video_id: str) -> None:
        """This worker was told to go: that is nobody's failed attempt."""
        with suppress(StoppedError):
            self._write(video_id, attempts=VideoRow.attempts - 1)

    def next_to_judge(self) -> str | None:
        """The video that its owner wants to publish longest, now this worker's to judge. One that takes its worker
        down stays as it is until the owner asks again; those of an account that is suspended wait."""
        pending = (VideoRow.publication == "pending", LIVE, Account.suspended_until <= now())
        longest = select(VideoRow.id).join(Account).where(*pending).order_by(VideoRow.published_at, VideoRow.position)
        video_id = self.database.scalar(longest.limit(1))
        return video_id if video_id and self._decide(video_id, "pending", publication="judging") else None

    def judge(self, video_id: str) -> None:
        """Publishes a finished video, or tells its owner what the policy for what everybody sees says against it."""
        with self.database.reading() as session:
            row = session.scalars(select(VideoRow).where(VideoRow.id == video_id)).one()
        reason, name, title = FAILED["message"], VARIANTS["video"][0], row.title
        try:
            request = VideoRequest.from_json(row.request)
            with tempfile.TemporaryDirectory(prefix="sorairo-") as folder:
                clip = self.storage.fetch(f"videos/{video_id}/{name}", Path(folder) / name)
                title = judge_public(request, title, clip, self._bundle(request.model).text_encoder)
            reason = ""
        except RefusedError as error:
            reason = str(error)
        except Exception:
            log.exception("%s is not judged", video_id)
        result, same = "refused" if reason else "published", VideoRow.title == row.title  # else another judges it anew
        told = {"publication": result, "publication_reason": reason, "title": title}
        self._decide(video_id, "judging", same, published_at=now(), **told)

    def _decide(self, video_id: str, before: str, *such: ColumnElement[bool], **values: Any) -> bool:
        """Whether it was as it was ``before``: its owner may have thought better of it."""
        known = (VideoRow.id == video_id, VideoRow.publication == before, LIVE, *such)
        with self.database.writing.begin() as session:
            decided = cast(CursorResult[Any], session.execute(update(VideoRow).where(*known).values(**values)))
            if decided.rowcount and before == "judging":
                audit.record(session, self.executor, "video.publication", video_id, publication=values["publication"])
        return bool(decided.rowcount)

    def _expand(self, video_id: str) -> None:
        """What is to be told in full has its words twice in the request; they are judged as the user's were."""
        request = self._request(video_id)
        if request.prompt == request.user_prompt != "":
            made = load_expander(encoder=self._bundle(request.model).text_encoder).expand(request.prompt)
            self._check(video_id, expanded(request, made), expansion_note=made.note)

    def _check(self, video_id: str, request: VideoRequest, **told: str) -> None:
        """The texts as the policy leaves them are what the later steps find."""
        context = standard_context(self._bundle(request.model).text_encoder, self._group(video_id))
        try:
            judged, decision = apply_policy(request, context)
        except RefusedError as error:
            self._tell_audit(video_id, error.decision)
            raise
        self._write(video_id, request=judged.to_json(), **told)
        self._tell_audit(video_id, decision)

    def _group(self, video_id: str) -> str:
        """Whose thresholds hold for the video's account."""
        tier = self.database.scalar(select(Account.tier).join(VideoRow).where(VideoRow.id == video_id)) or ""
        return load_tiers(self.settings.folder).named(tier).policy

    def _tell_audit(self, video_id: str, decision: Decision) -> None:
        """By which policy it was decided, and for which categories; never the words."""
        about = ", ".join(sorted({f.category for f in decision.findings} | {c.category for c in decision.changes}))
        with self.database.writing.begin() as session:
            told = {"decision": decision.action, "policy": decision.policy, "categories": about}
            audit.record(session, self.executor, "video.judged", video_id, **told)

    def _sign(self, video_id: str) -> None:
        output, store = self._folder(video_id) / VARIANTS["video"][0], ClipStore(self.settings.clips_file)
        clip = self._generation(video_id).sign(output, store, known_as=video_id)
        write_pictures(clip, VARIANTS["thumbnail"][0], VARIANTS["spritesheet"][0])

    def _publish(self, video_id: str) -> None:
        """Files first, then the row: nobody sees them before it says that it is completed."""
        folder = self._folder(video_id)
        if not all((folder / name).exists() for name, _ in VARIANTS.values()):
            self._sign(video_id)  # on a machine that has not made them
        for name, _ in VARIANTS.values():
            self.storage.put(folder / name, f"videos/{video_id}/{name}")
        done = {"status": "completed", "stage": "completed", "progress": 100, "completed_at": now()}
        self._write(video_id, eta_seconds=0, preview=None, **done)

    def _generation(self, video_id: str) -> Generation:
        """The same through all steps of this process; a later process finds the files of the earlier."""
        if video_id not in self._generations:
            folder = self._folder(video_id)
            folder.mkdir(parents=True, exist_ok=True)
            request = self._request(video_id).with_materials(lambda material: self._fetched(material, folder))
            self._generations[video_id] = Generation(
                request, folder, self._bundle(request.model), Watch(self, video_id), group=self._group(video_id)
            )
        return self._generations[video_id]

    def _bundle(self, model: str) -> ModelBundle:
        if model not in self._bundles:
            self._bundles = {model: load_bundle(model)}
        return self._bundles[model]

    def _fetched(self, material: Material, folder: Path) -> Material:
        source, copy = Path(material.path).parent.name, folder / material.path.replace("/", "+")
        if self.database.read(is_taken_down, source):
            raise ValueError(f"video is made from {source}, which was taken down")
        try:
            return Material(str(copy if copy.exists() else self.storage.fetch(material.path, copy)))
        except FileNotFoundError:
            raise ValueError("video is gone; what this one is made from was deleted before it was begun") from None

    def _request(self, video_id: str) -> VideoRequest:
        text = self.database.scalar(select(VideoRow.request).where(VideoRow.id == video_id))
        if not text:  # it goes with the deletion
            raise StoppedError
        return VideoRequest.from_json(text)

    def _folder(self, video_id: str) -> Path:
        return self.settings.work_folder / video_id

    def _write(self, video_id: str, **values: Any) -> None:
        """Raises StoppedError where the row is not this executor's any more."""
        mine = (VideoRow.id == video_id, VideoRow.executor == self.executor, VideoRow.status == "in_progress")
        change = update(VideoRow).where(*mine, LIVE).values(**values)
        with self.database.writing.begin() as session:
            if cast(CursorResult[Any], session.execute(change)).rowcount != 1:
                raise StoppedError


class Watch:
    """Writes progress into the row, and stops the generation at the step after the row was taken away."""

    def __init__(self, jobs: Jobs, video_id: str) -> None:
        self._jobs, self._video_id, self._estimate = jobs, video_id, Estimate()
        self._written, self._looked = 0.0, 0.0
        reached = select(VideoRow.progress).where(VideoRow.id == video_id)
        self._shown = jobs.database.scalar(reached) or 0  # by a dead worker: nobody is shown less than before

    def __call__(self, progress: Progress) -> None:
        moment, values = time.monotonic(), dict[str, Any]()
        percent, seconds_left = self._estimate.after(progress, moment)
        if moment - self._written >= _WRITE_EVERY_SECONDS:
            self._written = moment
            values = {"progress": max(self._shown, int(percent)), "eta_seconds": seconds_left}
        if progress.preview and moment - self._looked >= _PREVIEW_EVERY_SECONDS:
            self._looked = moment
            values["preview"] = animation(progress.preview())
        if values:
            self._jobs._write(self._video_id, **values)
        else:
            self._jobs._request(self._video_id)
