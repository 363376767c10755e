"""Where a service keeps its things and what it may be asked for. Never reads or writes anything by itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8437


@dataclass(frozen=True)
class Settings:
    """One installation. Every process of it, on whatever machine, is given the same.

    folder: of this machine. database_url, jobs_url: SQLAlchemy addresses; empty: SQLite files in ``folder``; with
    PostgreSQL one address serves both. files_url: of finished clips and uploads, as fsspec reads it. models: names or
    folders; the first is the default. private_webhooks: whether events may go to addresses of private networks.
    feeds: whether owners may show their clips to every account. aliases: a pattern of names that mean the default.
    """

    folder: Path
    database_url: str = ""
    files_url: str = ""
    models: tuple[str, ...] = ()
    max_body_bytes: int = 64 * 2**20
    max_attempts: int = 3
    private_webhooks: bool = False
    feeds: bool = False
    aliases: str = r"sora-2(-pro)?(-\d{4}-\d\d-\d\d)?"

    @property
    def library_url(self) -> str:
        return self.database_url or f"sqlite:///{self.folder / 'library.sqlite'}"

    @property
    def jobs_url(self) -> str:
        """A SQLite file of its own, as it has another writer; PostgreSQL keeps it in a schema of its own."""
        return self.database_url or f"sqlite:///{self.folder / 'jobs.sqlite'}"

    @property
    def storage_url(self) -> str:
        return self.files_url or str(self.folder / "files")

    @property
    def work_folder(self) -> Path:
        """Latents and drafts of running jobs, private to this machine."""
        return self.folder / "work"

    @property
    def clips_file(self) -> Path:
        """Fingerprints of what this machine's workers made, for `sorairo whence`."""
        return self.folder / "clips.sqlite"

    @property
    def pepper_file(self) -> Path:
        """The secret that the hashes of API keys depend on."""
        return self.folder / "pepper"
