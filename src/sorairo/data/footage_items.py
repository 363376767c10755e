"""Which videos a folder or a list names, and what is known of each: licence, source, captions, consent.

Never opens a video, and never guesses a licence.
"""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from sorairo.config import load

TABLE = "footage.toml"
SUFFIXES = (
    ".3g2", ".3gp", ".asf", ".avi", ".f4v", ".flv", ".m1v", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg",
    ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv",
)  # fmt: skip
"""What people call videos. Those that cannot be read here are rejected and counted, not passed over."""
UNKNOWN_LICENCES = ("", "unknown", "unstated", "none", "n/a", "?")
_READERS: Mapping[str, Callable[[str], Any]] = {".toml": tomllib.loads, ".json": json.loads}


@dataclass(frozen=True)
class Notes:
    """What its owner says of a video. ``licence``: best an SPDX name; ``source``: where it comes from, best an address.

    ``consent``: that the people in it are adults and agree, in the owner's words.
    """

    licence: str = ""
    source: str = ""
    captions: tuple[str, ...] = ()
    consent: str = ""

    @property
    def has_licence(self) -> bool:
        return self.licence.strip().lower() not in UNKNOWN_LICENCES


@dataclass(frozen=True)
class Item:
    """A file, by the ``name`` that it has in its folder or list."""

    name: str
    path: Path
    notes: Notes


def find_items(where: Path) -> list[Item]:
    """The videos below a folder, or of a list (.toml, .json, .csv), in the order of their names.

    A folder may hold ``footage.toml``, a table of names or patterns; a file beside a video with its name and .toml or
    .json says more of that one. A list is such a table with names only, or rows with the columns ``name``, ``licence``,
    ``source``, ``caption`` and ``consent``.

    Raises:
        ValueError: there is no such folder or list, it names no video, or it says what is not understood.
    """
    if where.is_dir():
        files = (path for path in where.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        names = [str(path.relative_to(where).as_posix()) for path in files if not path.name.startswith(".")]
        table, root = _table(where / TABLE) if (where / TABLE).exists() else {}, where
    elif where.is_file():
        table, root = _table(where), where.parent
        names = list(table)
    else:
        raise ValueError(f"footage is {str(where)!r}; there is no such folder or list")
    if not names:
        raise ValueError(f"footage is {str(where)!r}; it names no video")
    return [Item(name, root / name, _notes(root / name, name, table)) for name in sorted(names)]


def _table(path: Path) -> dict[str, dict[str, Any]]:
    table = _read(path)
    for name, told in table.items():
        if not isinstance(told, dict):
            raise ValueError(f'{path}: {name!r} is {told!r}, not a table; what holds for all files is below ["*"]')
    return table


def _notes(path: Path, name: str, table: Mapping[str, Mapping[str, Any]]) -> Notes:
    """Patterns first, in the table's order; then the very name; then what lies beside the file."""
    told: dict[str, Any] = {}
    for pattern, more in table.items():
        if pattern != name and fnmatchcase(name, pattern):
            told |= more
    told |= table.get(name, {})
    beside = [path.with_suffix(suffix) for suffix in _READERS if path.with_suffix(suffix).is_file()]
    for sidecar in beside:
        told |= _read(sidecar)
    return load(Notes, told, str(beside[-1]) if beside else f"the notes of {name}")


def _read(path: Path) -> dict[str, Any]:
    try:
        text, suffix = path.read_text("utf-8-sig"), path.suffix.lower()  # tables of spreadsheets begin with a mark
        data = _rows(text) if suffix == ".csv" else _READERS[suffix](text)
    except KeyError as error:
        raise ValueError(f"{path}: {error} is missing; a list is .toml, .json, or .csv with a column `name`") from None
    except (OSError, ValueError, csv.Error) as error:
        raise ValueError(f"{path}: cannot be read: {error}") from error
    if not isinstance(data, dict):
        raise ValueError(f"{path} holds a {type(data).__name__}, not a table")
    return data


def _rows(text: str) -> dict[str, Any]:
    table, lines = {}, csv.DictReader(text.splitlines(keepends=True))
    for row in lines:
        caption = row.pop("caption", "")
        name = row.pop("name")
        if None in row or not name:
            raise ValueError(f"line {lines.line_num} has {'more values than columns' if None in row else 'no name'}")
        if name in table:
            raise ValueError(f"line {lines.line_num} names {name!r}, which a line before it names")
        table[name] = row | ({"captions": [caption]} if caption else {})
    return table
