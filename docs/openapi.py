"""Writes openapi.json, the description of all routes, beside itself; with --check it only says if it is out of date."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from sorairo.server.access import Pace, Service
from sorairo.server.app import create_app
from sorairo.server.database import open_installation
from sorairo.server.settings import Settings
from sorairo.server.storage import Storage
from sorairo.server.tiers import Tiers

FILE = Path(__file__).with_suffix(".json")


def description() -> str:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(Path(folder))
        database = open_installation(settings.library_url)
        service = Service(settings, database, Storage(settings.storage_url), {}, Tiers(), b"", Pace(database))
        text = json.dumps(create_app(service).openapi(), indent=1, ensure_ascii=False) + "\n"
        database.writing.kw["bind"].dispose()
    return text


if __name__ == "__main__":
    if sys.argv[1:] != ["--check"]:
        FILE.write_text(description())
    elif FILE.read_text() != description():
        sys.exit("error: docs/openapi.json is not what the code serves: run python docs/openapi.py")
