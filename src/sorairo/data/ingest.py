"""A folder or list of videos becomes a data set: shots in shards, an index, a data card, a contact sheet.

Every file is opened in a confined process. What is done for a file is kept by its content, so a run that was killed
goes on, and the data set's bytes are the same whatever the number of workers. Never changes footage.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sorairo.config import load
from sorairo.confinement import Confines, run_confined
from sorairo.data.dataset import WORK, kept_pictures, write_dataset
from sorairo.data.footage_filters import ACCEPTED, FilterSettings, rejected
from sorairo.data.footage_items import Item, find_items
from sorairo.data.footage_shots import cut, look
from sorairo.media import claimed, file_sha256

if TYPE_CHECKING:  # the world takes a moment to load, in every worker
    from sorairo.data.world_frames import OnProgress

CONFINES = Confines(processor_seconds=3600, seconds=7200.0)
RESULT = "result.json"
MOST_BLOCKS = 1000  # into which Ray divides the files: what a killed worker does again

Told = dict[str, str]
"""The name, path and consent of a file, or its name and the folder in ``work`` where lies what was found in it."""


def ingest(
    where: Path,
    out: Path,
    on_progress: OnProgress,
    *,
    workers: int = 1,
    ray: str = "auto",
    allow_unknown_licence: bool = False,
    settings: FilterSettings | None = None,
) -> Path:
    """Makes, or makes up to date, the data set ``out`` of the footage ``where``, and returns its card.

    ``ray``: "auto" (a cluster that RAY_ADDRESS names; else one on this machine if there are several workers, else
    none), "local", or a cluster's address: its machines then share the footage's and the data set's folders.

    Raises:
        ValueError: as `footage_items.find_items`; or no cluster answers. OSError: as `media.new_file`.
    """
    settings, work = settings or FilterSettings(), out.absolute() / WORK
    stage = partial(_staged, settings, settings.digest, work)
    items = find_items(where)
    refused = {item.name: _without_rights(item, allow_unknown_licence) for item in items}
    wanted = [item for item in items if refused[item.name] is None]
    rows = [{"name": item.name, "path": str(item.path.absolute()), "consent": item.notes.consent} for item in wanted]
    address = os.environ.get("RAY_ADDRESS", "local" if workers > 1 else "") if ray == "auto" else ray
    with claimed(out):
        work.mkdir(exist_ok=True)
        found = {}
        on_progress("footage", 0, len(rows))
        told = _by_ray(stage, rows, workers, address) if address and rows else map(stage, rows)
        for done, row in enumerate(told, start=1):
            found[row["name"]] = json.loads((work / row["folder"] / RESULT).read_text()) | {"folder": row["folder"]}
            on_progress("footage", done, len(rows))
        for left in work.glob(".*.partial"):  # by workers that were killed
            shutil.rmtree(left, ignore_errors=True)
        return write_dataset(out, [(item, refused[item.name] or found[item.name]) for item in items], settings)


def settings_with(changes: Sequence[str]) -> FilterSettings:
    """The usual bounds with some changed, each as NAME=NUMBER. Raises ValueError that names the nearest bound."""
    told: dict[str, Any] = {}
    for change in changes:
        name, _, number = change.partition("=")
        try:
            told[name] = float(Fraction(number))  # is never infinite, nor no number
        except (ValueError, ZeroDivisionError):
            raise ValueError(f"set is {change!r}; a bound is set as NAME=NUMBER, for example least_seconds=2") from None
    return load(FilterSettings, told, "set")


def _without_rights(item: Item, allowed: bool) -> dict[str, Any] | None:
    if allowed or (item.notes.has_licence and item.notes.source.strip()):
        return None
    reason = "source" if item.notes.has_licence else "licence"
    return {"sha256": "", "reason": reason, "detail": f"its notes tell no {reason}"}


def _staged(settings: FilterSettings, digest: str, work: Path, row: Told) -> Told:
    """Looks at a file and cuts what is accepted into ``work``; at once if that was done."""
    path, consent = row["path"], row["consent"]
    try:
        sha256 = file_sha256(Path(path))
    except OSError as error:
        sha256, consent = "", f"{path}: {error.strerror}"
    name = hashlib.sha256(f"{sha256} {digest} {consent}".encode()).hexdigest()[:32]
    if not (work / name / RESULT).exists():
        own = work / f".{name}.{os.getpid()}.partial"
        shutil.rmtree(own, ignore_errors=True)
        own.mkdir()
        result = {"sha256": sha256, **_looked_at(path, consent, settings, own)}
        (own / RESULT).write_text(json.dumps(result))
        with suppress(OSError):  # another worker had the same file under another name
            own.rename(work / name)
    return {"name": row["name"], "folder": name}


def _looked_at(path: str, consent: str, settings: FilterSettings, folder: Path) -> dict[str, Any]:
    try:
        seen: dict[str, Any] = run_confined(CONFINES, look, path, str(folder))
        if seen["hdr"]:
            return {"reason": "hdr", "detail": "its brightness is coded as HDR; convert it to BT.709 first"}
        for number, shot in enumerate(seen["shots"]):
            samples = list(kept_pictures(folder, number, "samples"))
            shot |= (rejected(shot["measures"], samples, consent, settings) or ACCEPTED)._asdict()
        kept = [(n, shot["start"], shot["stop"]) for n, shot in enumerate(seen["shots"]) if not shot["reason"]]
        height, width = run_confined(CONFINES, cut, path, str(folder), kept) if kept else (0, 0)
    except ValueError as error:
        return {"reason": "unreadable", "detail": str(error).replace(path, "it")}
    return seen | {"width": width, "height": height}


def _by_ray(stage: Callable[[Told], Told], rows: list[Told], workers: int, address: str) -> Iterator[Told]:
    """``stage`` of every row, in any order, by Ray Data: what a worker does that is killed another does again."""
    # Ray would report what it is used for to its makers, and ask for a token on this machine alone.
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0"} | ({"RAY_AUTH_MODE": "disabled"} if address == "local" else {})
    import ray
    import ray.data

    _check_answers(address)
    own: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False} if address == "local" else {}
    ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **own)
    try:
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        ray.data.DataContext.get_current().enable_progress_bars = False
        blocks = ray.data.from_items(rows, override_num_blocks=min(len(rows), MOST_BLOCKS))
        yield from blocks.map(stage, compute=ray.data.TaskPoolStrategy(size=workers)).iter_rows()
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Ray itself would try for many minutes. Raises ValueError of one line."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address in ("local", "auto"):
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise ValueError(f"ray is {address!r}; no cluster answers there ({error}): auto, local, or HOST:PORT") from None
