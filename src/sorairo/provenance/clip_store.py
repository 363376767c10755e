"""What this machine remembers of every clip that it signed, to find it again: its identity and its fingerprint.

One SQLite file, for its owner only, in the settings folder; whoever serves others gives it a place of its own. Never
holds a prompt or a frame: a thumbnail of 16 x 16 grey pixels is the most that it knows of a clip.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sorairo.media import Frames
from sorairo.provenance.authority import home_folder
from sorairo.provenance.fingerprint import SIDE, Thumbnails, most_alike

STORE_FILE = "clips.sqlite"
_TABLE = """
create table if not exists clips (
    identity integer, title text, model text, made text, thumbnails blob, primary key (identity, title)
)
"""
_WAIT_SECONDS = 10.0


@dataclass(frozen=True)
class KnownClip:
    """A clip that was signed. ``title``: its file's name, or what a server knows it by; ``made``: ISO 8601, UTC."""

    identity: int
    title: str
    model: str
    made: str
    thumbnails: Thumbnails = field(repr=False, compare=False)


class ClipStore:
    """The clips in one file, which is made at the first `add`. All methods raise OSError naming the file."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or home_folder() / STORE_FILE

    def add(self, clip: KnownClip) -> None:
        """Remembers a clip; the same identity and title again take its place."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600))
        row = clip.identity, clip.title, clip.model, clip.made, clip.thumbnails.tobytes()
        with self._opened() as database, database:
            database.execute(_TABLE)
            database.execute("insert or replace into clips values (?, ?, ?, ?, ?)", row)

    def with_identity(self, identity: int) -> list[KnownClip]:
        """The clips that carry a watermark's identity: the same request made again has the same."""
        return self._read("where identity = ? order by made", identity)

    def most_alike(self, frames: Frames | Sequence[Frames]) -> list[tuple[KnownClip, float]]:
        """The clips that frames [t h w 3] are most like, best first, and how much (see `fingerprint.most_alike`)."""
        known = self._read("")
        return [(known[number], score) for number, score in most_alike(frames, [clip.thumbnails for clip in known])]

    def _read(self, which: str, *values: int) -> list[KnownClip]:
        if not self.path.exists():
            return []
        with self._opened() as database:
            rows = database.execute(f"select * from clips {which}", values).fetchall()
        return [
            KnownClip(identity, title, model, made, np.frombuffer(blob, np.uint8).reshape(-1, SIDE, SIDE))
            for identity, title, model, made, blob in rows
        ]

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=_WAIT_SECONDS)) as database:
                yield database
        except sqlite3.Error as error:
            raise OSError(0, f"the store of signed clips cannot be used ({error})", str(self.path)) from error
