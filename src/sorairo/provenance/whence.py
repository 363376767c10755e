"""Whose clip a file is, or was cut from: credentials, watermark and fingerprint in one answer.

Each has what the others lack: credentials prove and are easily lost; a watermark outlives re-encoding; a fingerprint
needs nothing in the file. Never asks the network, and never calls likeness a proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sorairo.media import read_any
from sorairo.provenance.clip_store import ClipStore, KnownClip
from sorairo.provenance.fingerprint import ALIKE
from sorairo.provenance.verification import Verdict, verdict_on
from sorairo.provenance.watermark import read_watermarks


@dataclass(frozen=True)
class Origin:
    """A clip that a file comes from. ``clip``: None if no clip that this store knows has the ``identity``.

    ``credentials``: the file itself says so, and its signature holds. ``watermark``: the score of the reading in its
    pixels, 0 if there is none. ``likeness``: of its frames to those of the clip, 0 where nothing was compared.
    """

    identity: int
    clip: KnownClip | None
    credentials: bool = False
    watermark: float = 0.0
    likeness: float = 0.0

    @property
    def name(self) -> str:
        return self.clip.title if self.clip else f"a clip that is not in this store ({self.identity:09x})"

    @property
    def evidence(self) -> tuple[str, ...]:
        told = {
            "its credentials": self.credentials,
            f"its watermark (score {self.watermark:.1f})": self.watermark,
            f"its likeness ({self.likeness:.3f})": self.likeness >= ALIKE,
        }
        return tuple(text for text, holds in told.items() if holds)


@dataclass(frozen=True)
class Answer:
    """``origins``: the surest first; more than one for what was cut together. ``verdict``: on its credentials."""

    verdict: Verdict
    origins: tuple[Origin, ...]

    def to_json(self) -> dict[str, Any]:
        origins = [
            {"identity": f"{origin.identity:09x}", "name": origin.name, "evidence": origin.evidence,
             "made": origin.clip.made if origin.clip else None, "likeness": round(origin.likeness, 4)}
            for origin in self.origins
        ]  # fmt: skip
        return {"credentials": self.verdict.state, "origins": origins}


def whence(path: str | Path, store: ClipStore | None = None) -> Answer:
    """What is known of a clip's or picture's origin: by what it says, what is in its pixels, and what it looks like.

    Raises ValueError of one line for a file that is no clip or picture; OSError where the store cannot be read.
    """
    store = store or ClipStore()
    frames, _ = read_any(path)
    verdict = verdict_on(Path(path))
    claimed = _claimed_identity(verdict)
    scores = {reading.identity: reading.score for reading in read_watermarks(frames)}
    alike = {clip.identity: (clip, score) for clip, score in reversed(store.most_alike(frames))}

    origins = []
    identities = {*scores, *([claimed] if claimed is not None else [])}
    identities |= {identity for identity, (_, score) in alike.items() if score >= ALIKE}
    for identity in identities:
        clip, likeness = alike.get(identity, (None, 0.0))
        clip = clip or next(iter(store.with_identity(identity)), None)
        origins.append(Origin(identity, clip, identity == claimed, scores.get(identity, 0.0), likeness))
    origins.sort(key=lambda origin: (origin.credentials, origin.watermark, origin.likeness), reverse=True)
    return Answer(verdict, tuple(origins))


def _claimed_identity(verdict: Verdict) -> int | None:
    """The identity that credentials tell, if their signature holds."""
    try:
        return int(verdict.facts["watermark"], 16) if verdict.state in ("trusted", "valid") else None
    except (KeyError, TypeError, ValueError):
        return None
