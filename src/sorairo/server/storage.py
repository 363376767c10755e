"""Finished clips, their pictures and uploads, in a folder or wherever fsspec reaches. Never decides who may read.

A clip's files are under ``videos/ID/``, uploads under ``uploads/ID/``; the library says which of them are whole.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]

CHUNK_BYTES = 2**20

VARIANTS = {
    "video": ("video.mp4", "video/mp4"),
    "thumbnail": ("thumbnail.webp", "image/webp"),
    "spritesheet": ("spritesheet.jpg", "image/jpeg"),
}
"""What can be downloaded of a video: the file's name in the storage, and its media type."""


class Storage:
    """Files by their names such as ``videos/video_1/video.mp4``; ``url``: a folder, or s3://bucket/folder."""

    def __init__(self, url: str) -> None:
        local = {"auto_mkdir": True} if fsspec.utils.get_protocol(url) == "file" else {}
        try:
            self._filesystem, self._root = fsspec.core.url_to_fs(url, use_listings_cache=False, **local)
        except (ImportError, ValueError) as error:
            raise ValueError(f"files is {url!r}; {error}; for s3:// install 'sorairo[s3]'") from error

    def put(self, source: Path, name: str) -> None:
        """Copies a file in. Whoever does so tells nobody of it before it has returned."""
        self._filesystem.put_file(str(source), self._path(name))

    def fetch(self, name: str, target: Path) -> Path:
        """Whole or not at all: a worker that is killed meanwhile finds no half a file."""
        draft = target.with_name(f"{target.name}.partial")
        self._filesystem.get_file(self._path(name), str(draft))
        return draft.replace(target)

    def size(self, name: str) -> int:
        """Bytes of a file. Raises FileNotFoundError."""
        return int(self._filesystem.size(self._path(name)))

    def read(self, name: str, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from ``start`` to before ``stop``, in pieces."""
        for first in range(start, stop, CHUNK_BYTES):
            yield self._filesystem.cat_file(self._path(name), start=first, end=min(first + CHUNK_BYTES, stop))

    def remove(self, *folders: str) -> None:
        """Folders with all in them, where they are there."""
        for path in map(self._path, folders):
            if self._filesystem.exists(path):
                self._filesystem.rm(path, recursive=True)

    def check(self) -> None:
        """Writes, reads and removes a small file. Raises OSError of one line, caused by what the file system says."""
        content, path = secrets.token_bytes(16), self._path(f"check-{secrets.token_hex(8)}")
        try:
            self._filesystem.pipe_file(path, content)
            found = self._filesystem.cat_file(path)
            self._filesystem.rm_file(path)
            if found != content:
                raise OSError("what is written there does not come back")
        except Exception as error:  # each kind of storage has its own
            reason = getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__
            raise OSError(f"files cannot be kept in {self._root!r}: {reason}") from error

    def _path(self, name: str) -> Any:
        assert ".." not in name.split("/"), name
        return f"{self._root}/{name}"
