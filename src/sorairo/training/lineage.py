"""Where a clip's model comes from, down to the files it was trained on, and the way back from a file to its clips.

One chain of hashes: a signed clip names its model's weights; the header of the weights names the data card; the card
names index and shards; the index names each file. Never deletes anything, and never asks the network.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sorairo.data.dataset import CARD, INDEX, WORK, read_card, read_index
from sorairo.media import file_sha256
from sorairo.pipelines.cards import CONFIG_FILE, WEIGHT_FILES, ModelCard, list_models, load_card, load_config
from sorairo.provenance import verify

CARRIERS = (".mp4", ".mov", ".png", ".jpg", ".jpeg", ".webp", ".gif")  # of content credentials
LEAST_DIGITS = 8  # of a hash that stands for a file
UNREADABLE = "unreadable"


class Link(NamedTuple):
    """One part of a chain: what it is, its name, the hash that the part before it knows it by, and what was found."""

    kind: str
    name: str
    sha256: str
    note: str


def descent(parent: Path, method: str, **more: Any) -> dict[str, Any]:
    """What a model that was made from the one in ``parent`` says of that, in its card and the header of its weights."""
    from sorairo.pipelines.bundle import weights_sha256  # loads torch

    told: dict[str, Any] = {"name": load_config(parent).name, "weights_sha256": weights_sha256(parent)}
    facts = load_card(parent).facts
    if "lineage" in facts:
        told["lineage"] = facts["lineage"]
    return {"parent": told, "method": method, **more}


def lineage(clip: Path, folders: Sequence[Path]) -> list[Link]:
    """The chain of a clip, model by model and data set by data set; what is missing in ``folders`` is said to be.

    Raises ValueError for a file that can carry no credentials.
    """
    verdict = verify(clip)
    facts = verdict.facts
    links = [Link("clip", clip.name, file_sha256(clip), f"credentials: {verdict.state}")]
    if verdict.state not in ("trusted", "valid") or "weights_sha256" not in facts:
        return [*links, Link("model", "unknown", "", "the clip's credentials tell of none that could be believed")]
    models = {sha256: folder for folder, sha256 in _models(folders)}
    folder = models.get(facts["weights_sha256"])
    found = f"its weights are in {folder}" if folder else "not found in the folders that were searched"
    links.append(Link("model", facts["model"], facts["weights_sha256"], found))
    told = _lineage_of(folder) if folder else None
    while told:
        if "dataset" in told:
            links.append(_dataset_link(told["dataset"], folders))
        parent = told["parent"]
        links.append(Link("parent model", parent["name"], parent["weights_sha256"], f"changed by: {told['method']}"))
        told = parent.get("lineage")
    if folder and not any(link.kind == "data set" for link in links):
        links.append(Link("data", "the built-in world", "", "its weights name no data set of footage"))
    return links


def forget(item: str, folders: Sequence[Path]) -> list[Link]:
    """Every shard, model and clip below ``folders`` that descends from a file of footage.

    ``item``: its name in a data set, the end of that name, or a path that ends with it; or at least eight digits of its
    SHA-256. Near-duplicates of it are named too, and as `UNREADABLE` what may descend from it and cannot be read.
    """
    links: list[Link] = []
    cards: set[str] = set()
    for dataset in sorted(_found(folders, CARD)):
        with _named_if_unreadable(dataset.parent, links):
            for link in _descendants(item, dataset.parent):
                links.append(link)
                cards.add(file_sha256(dataset))
    weights = set()
    for folder, sha256 in _models(folders) if cards else ():
        with _named_if_unreadable(folder, links):
            learnt = ModelCard(facts={"lineage": _lineage_of(folder)}).datasets
            if cards & {digest.split()[-1] for digest in learnt}:
                weights.add(sha256)
                links.append(Link("model", folder.name, sha256, str(folder)))
    for path in sorted(path for path in _found(folders, "*") if path.suffix.lower() in CARRIERS) if weights else ():
        with _named_if_unreadable(path, links):
            if weights & set(_weights_in(verify(path).facts)):
                links.append(Link("clip", path.name, file_sha256(path), str(path)))
    return links


@contextmanager
def _named_if_unreadable(path: Path, links: list[Link]) -> Iterator[None]:
    """One file that is empty, broken or of another kind does not end a search."""
    try:
        yield
    except (ValueError, OSError) as error:
        links.append(Link(UNREADABLE, path.name, "", str(error)))


def _descendants(item: str, dataset: Path) -> Iterator[Link]:
    try:
        shards = read_card(dataset)["shards"]
    except ValueError:  # another kind of card
        return
    rows = read_index(dataset)
    digits = item.lower() if len(item) >= LEAST_DIGITS else "none"
    path = f"/{item}"  # rather too much is found than too little
    alike = {name for name in (row["item"] for row in rows) if f"/{name}".endswith(path) or path.endswith(f"/{name}")}
    own = [row for row in rows if row["item"] in alike or row["sha256"].startswith(digits)]
    names = {f"of {row['item']} is" for row in own}
    used = {row["shard"] for row in own}
    for shard in shards:
        if shard["name"] in used:
            path = dataset / shard["name"]
            yield Link("shard", path.name, shard["sha256"], f"{path}{'' if path.exists() else ', replaced since'}")
    for row in rows:
        if row["reason"] == "near-duplicate" and any(name in row["detail"] for name in names):
            yield Link("near-duplicate", row["item"], row["sha256"], f"left out of {dataset}: {row['detail']}")


def _dataset_link(told: Mapping[str, Any], folders: Sequence[Path]) -> Link:
    name, sha256 = told["name"], told["card_sha256"]
    for card in _found(folders, CARD):
        if file_sha256(card) == sha256:
            same = file_sha256(card.parent / INDEX) == read_card(card.parent)["index_sha256"]
            used = read_card(card.parent)["items_used"]
            return Link("data set", name, sha256, f"{used} files, {card.parent}{'' if same else '; ITS INDEX DIFFERS'}")
    return Link("data set", name, sha256, "its card was not found in the folders that were searched")


def _models(folders: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Folders of models, installed ones too, each with the hash of its weights."""
    from sorairo.pipelines.bundle import weights_sha256  # loads torch

    found = {path.parent for path in _found(folders, CONFIG_FILE)} | set(list_models().values())
    for folder in sorted(found):
        if all((folder / name).is_file() for name in WEIGHT_FILES):
            yield folder, weights_sha256(folder)


def _lineage_of(model: Path) -> Mapping[str, Any] | None:
    """What the header of the weights says: the card may have been changed, the weights are what the clip names."""
    from sorairo.checkpoint import load_tensors

    return load_tensors(model / WEIGHT_FILES[0])[1].get("lineage")


def _weights_in(facts: Mapping[str, Any]) -> Iterator[str]:
    """Of the clip itself and of every clip that it was made from."""
    yield facts.get("weights_sha256", "")
    for parent in facts.get("parents", ()):
        yield from _weights_in(parent)


def _found(folders: Sequence[Path], pattern: str) -> Iterator[Path]:
    """Files by their name's pattern below folders; not in hidden ones, nor in what a data set keeps to go on."""
    for folder in folders:
        for where, names, files in os.walk(folder):
            kept = WORK if INDEX in files else ""
            names[:] = sorted(name for name in names if not name.startswith(".") and name != kept)
            yield from (path for path in Path(where).glob(pattern) if path.is_file())
