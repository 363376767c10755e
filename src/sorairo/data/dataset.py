"""A data set of footage on disk: shards (webdataset's tar), an index (parquet), a data card, a contact sheet.

The same shots give the same bytes. Never decodes a stranger's file: shots were written anew before.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

import sorairo
from sorairo.data.footage_filters import REASONS, FilterSettings
from sorairo.data.footage_items import Item
from sorairo.media import Frames, file_sha256, fitted, new_file, write_png
from sorairo.provenance.fingerprint import Thumbnails, most_alike
from sorairo.safety.detectors import TextDetector, opened

CARD, INDEX, PAGE, SHEET = "card.json", "index.parquet", "card.md", "contact.png"
WORK = "work"  # the folder of what was found in each file
EARLIER = "earlier"  # the folder of cards and indexes that later ones have replaced, by the hash of the card
KIND = "sorairo footage"
SHOTS_PER_SHARD, BYTES_PER_SHARD = 500, 2**28
CELL, CELLS_PER_ROW, MOST_CELLS = (160, 96), 8, 160

Row = dict[str, Any]
_TEXTS = ("key", "item", "sha256", "licence", "source", "shard", "reason", "detail")
_NUMBERS = ("fps", "seconds", "light", "motion", "shake", "bars", "sharpness")
SCHEMA = pa.schema(
    [(name, pa.string()) for name in _TEXTS]
    + [(name, pa.int64()) for name in ("start", "num_frames", "width", "height")]
    + [(name, pa.float64()) for name in _NUMBERS]
    + [("captions", pa.list_(pa.string()))]
)
"""Columns of the index: a row for each shot, and one for each file of which nothing was taken; no reason: accepted."""


def write_dataset(out: Path, found: Sequence[tuple[Item, Mapping[str, Any]]], settings: FilterSettings) -> Path:
    """Writes the whole data set and returns its card's path; ``found`` is in the items' order, see `data.ingest`."""
    rows = [row for item, result in found for row in _rows(item, result)]
    _mark_duplicates(rows, out / WORK, settings.most_alike)
    accepted = [row for row in rows if not row["reason"]]
    shards = [_write_shard(out, number, shots) for number, shots in enumerate(_groups(out, accepted))]
    for old in set(out.glob("shots-*.tar")) - {out / shard["name"] for shard in shards}:
        old.unlink()
    _write_sheet(out, sorted(rows, key=lambda row: bool(row["reason"])))
    index = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), index)
    digest = hashlib.sha256(index.getbuffer()).hexdigest()
    card = _card(out.absolute().name, len(found), rows, settings, shards, digest)
    text = (json.dumps(card, ensure_ascii=False, indent=1) + "\n").encode()
    _keep_earlier(out, text)
    for name, content in ((INDEX, index.getvalue()), (PAGE, as_markdown(card).encode()), (CARD, text)):
        with new_file(out / name) as temporary:
            temporary.write_bytes(content)
    return out / CARD


def _keep_earlier(out: Path, card: bytes) -> None:
    """Card and index that another ``card`` replaces: models may be of them, and `forget` asks what was in them."""
    if all((out / name).exists() for name in (INDEX, CARD)) and (out / CARD).read_bytes() != card:
        kept = out / EARLIER / file_sha256(out / CARD)[:16]
        kept.mkdir(parents=True, exist_ok=True)
        for name in (INDEX, CARD):
            shutil.copyfile(out / name, kept / name)
    shutil.rmtree(out / EARLIER / hashlib.sha256(card).hexdigest()[:16], ignore_errors=True)  # is the present one again


def read_card(dataset: Path) -> dict[str, Any]:
    """The card of a data set. Raises ValueError of one line for a folder that is none."""
    try:
        card: dict[str, Any] = json.loads((dataset / CARD).read_bytes())
        if card["kind"] == KIND:
            return card
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise ValueError(f"data set is {str(dataset)!r}; it holds no data card: make one with `sorairo ingest`")


def read_index(dataset: Path) -> list[Row]:
    """The rows of a data set's index. Raises ValueError if it is not the one that the card names."""
    if read_card(dataset)["index_sha256"] != file_sha256(dataset / INDEX):
        raise ValueError(f"{dataset / INDEX} is not the index that its card names: ingest the footage again")
    rows: list[Row] = pq.read_table(dataset / INDEX).to_pylist()
    return rows


def read_shots(dataset: Path) -> Iterator[tuple[Row, bytes]]:
    """Each accepted shot's row and its .mp4, shard by shard. Raises ValueError for a shard that is not the card's."""
    rows = {row["key"]: row for row in read_index(dataset) if not row["reason"]}
    for shard in read_card(dataset)["shards"]:
        path = dataset / shard["name"]
        if not path.is_file() or file_sha256(path) != shard["sha256"]:
            raise ValueError(f"{path} is not the shard that its card names: ingest the footage again")
        with tarfile.open(path) as tar:
            for member in tar:
                content = tar.extractfile(member)
                if content and member.name.endswith(".mp4"):
                    yield rows[member.name.removesuffix(".mp4")], content.read()


def kept_pictures(folder: Path, number: int, kind: str) -> Frames:
    """The "samples" [n h w 3] or the "thumbnails" [n 16 16] of a shot that `footage_shots.look` kept."""
    with np.load(folder / f"{number}.npz", allow_pickle=False) as pictures:
        found: Frames = pictures[kind]
        return found


def _rows(item: Item, result: Mapping[str, Any]) -> Iterator[Row]:
    about = {"item": item.name, "sha256": result["sha256"], "licence": item.notes.licence, "source": item.notes.source}
    about |= {"captions": list(item.notes.captions), "shard": ""}
    if "shots" not in result:
        yield about | {"key": "", "reason": result["reason"], "detail": result["detail"]}
        return
    for number, shot in enumerate(result["shots"]):
        # The name is in the key: the same file under two names is two items, of which one is a duplicate.
        owner = hashlib.sha256(f"{item.name} {result['sha256']}".encode()).hexdigest()[:16]
        size = {name: result[name] for name in ("fps", "width", "height")}
        measures = {name: round(value, 6) for name, value in shot["measures"].items()}
        told = {"reason": shot["reason"], "detail": shot["detail"], "folder": result["folder"], "number": number}
        place = {"key": f"{owner}-{number:04d}", "start": shot["start"], "num_frames": shot["stop"] - shot["start"]}
        yield about | size | measures | told | place


def _mark_duplicates(rows: Sequence[Row], work: Path, most: float) -> None:
    known: list[Thumbnails] = []
    keys: list[Row] = []
    for row in rows:
        if row["reason"]:
            continue
        own = kept_pictures(work / row["folder"], row["number"], "thumbnails")
        found = most_alike(np.repeat(own[..., None], 3, axis=-1), known)
        if found and found[0][1] >= most:
            first, alike = keys[found[0][0]], found[0][1]
            row["reason"] = "near-duplicate"
            row["detail"] = f"its likeness to {first['key']} of {first['item']} is {alike:.3f}; most_alike is {most:g}"
        else:
            known.append(own)
            keys.append(row)


def _groups(out: Path, accepted: Sequence[Row]) -> Iterator[list[Row]]:
    """The shots of each shard."""
    group: list[Row] = []
    size = 0
    for row in accepted:
        more = _mp4(out, row).stat().st_size
        if group and (len(group) == SHOTS_PER_SHARD or size + more > BYTES_PER_SHARD):
            yield group
            group, size = [], 0
        group.append(row)
        size += more
    if group:
        yield group


def _mp4(out: Path, row: Row) -> Path:
    folder: str = row["folder"]
    return out / WORK / folder / f"{row['number']}.mp4"


def _write_shard(out: Path, number: int, shots: Sequence[Row]) -> Row:
    name = f"shots-{number:05d}.tar"
    with new_file(out / name) as temporary, tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar:
        for row in shots:
            row["shard"] = name
            told = {column: row[column] for column in SCHEMA.names if column not in ("reason", "detail", "shard")}
            _add(tar, f"{row['key']}.json", json.dumps(told, ensure_ascii=False, sort_keys=True).encode())
            _add(tar, f"{row['key']}.mp4", _mp4(out, row).read_bytes())
            _add(tar, f"{row['key']}.txt", "\n".join(row["captions"]).encode())
    return {"name": name, "sha256": file_sha256(out / name), "shots": len(shots)}


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)  # with no date and no owner: the same bytes every time
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def _card(
    name: str, num_items: int, rows: Sequence[Row], settings: FilterSettings, shards: Sequence[Row], index: str
) -> Row:
    accepted = [row for row in rows if not row["reason"]]
    shots, counts = [row for row in rows if row["key"]], Counter(row["reason"] for row in rows)
    licences = sorted({row["licence"] for row in accepted})
    return {
        "kind": KIND,
        "name": name,
        "software": f"sorairo {sorairo.__version__}",
        "items": num_items,
        "items_used": len({row["item"] for row in accepted}),
        "shots": len(shots),
        "shots_accepted": len(accepted),
        "seconds": round(sum(row["seconds"] for row in shots), 2),
        "seconds_accepted": round(sum(row["seconds"] for row in accepted), 2),
        "rejects": {reason: counts[reason] for reason in REASONS if counts[reason]},
        "captioned": sum(bool(row["captions"]) for row in accepted),
        "licences": {
            each: round(sum(row["seconds"] for row in accepted if row["licence"] == each), 2) for each in licences
        },
        "sizes": dict(sorted(Counter(f"{row['width']}x{row['height']}" for row in accepted).items())),
        "settings": asdict(settings),
        "text_looked_for": opened(TextDetector) is not None,
        "shards": list(shards),
        "index_sha256": index,
    }


def as_markdown(card: Mapping[str, Any]) -> str:
    """The card as a page for people."""
    seconds, of = card["seconds_accepted"], card["seconds"]
    lines = [
        f"# {card['name']}",
        "",
        f"{card['shots_accepted']} of {card['shots']} shots, {seconds:g} of {of:g} seconds, from {card['items_used']} "
        f"of {card['items']} files; {card['captioned']} shots have captions. Made by {card['software']}.",
        *_table("rejected because", "number", card["rejects"]),
        *_table("licence", "seconds", card["licences"]),
        *_table("size", "shots", card["sizes"]),
        *_table("setting", "value", card["settings"]),
        *_table("shard", "SHA-256", {shard["name"]: shard["sha256"] for shard in card["shards"]}),
        "",
        f"A number counts shots, or whole files where no shot could be looked at. {INDEX} has a row for each of them, "
        f"with the reason; {SHEET} shows them.",
    ]
    if not card["text_looked_for"]:
        lines += ["", "Text was not looked for: the weights of its detector were not installed."]
    return "\n".join([*lines, ""])


def _table(name: str, value: str, entries: Mapping[str, Any]) -> list[str]:
    return ["", f"| {name} | {value} |", "| --- | --- |", *(f"| {key} | {entry} |" for key, entry in entries.items())]


def _write_sheet(out: Path, rows: Sequence[Row]) -> None:
    """The middle frame of each shot, accepted ones first, with the reason under those that were not."""
    shots = [row for row in rows if row["key"]][:MOST_CELLS]
    cells = [_cell(out, row) for row in shots] or [np.full((CELL[1], CELL[0], 3), 255, np.uint8)]
    width = min(CELLS_PER_ROW, len(cells))
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % width)
    lines = [np.concatenate(cells[start : start + width], axis=1) for start in range(0, len(cells), width)]
    write_png(out / SHEET, np.concatenate(lines))


def _cell(out: Path, row: Row) -> Frames:
    samples = kept_pictures(out / WORK / row["folder"], row["number"], "samples")
    cell = Image.new("RGB", (CELL[0] + 4, CELL[1] + 16), "white")
    if len(samples):
        cell.paste(Image.fromarray(fitted(samples[len(samples) // 2], *CELL)), (2, 2))
    told = row["reason"] or Path(row["item"]).stem
    ImageDraw.Draw(cell).text((4, CELL[1] + 3), told[:26], fill="red" if row["reason"] else "black")
    return np.asarray(cell)
