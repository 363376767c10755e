"""Labelled prompts: families of hand-written phrasings in `data/prompts`, expanded with their slots. Never random.

A family is one category in one manner of writing. Styles never cross the split, so that what is tested was written in
another manner than what was learned from.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from itertools import product
from typing import Any

from sorairo.safety.word_lists import load_word_lists

NONE = "none"
MOST_FOR_EACH_TEXT = 4
_FIELDS = {"name", "category", "style", "split", "near", "most", "texts"}
_SLOT = re.compile(r"{(\w+)}")


@dataclass(frozen=True)
class Example:
    """``category`` is what the policy should find, or "none"; ``near`` the category that a harmless prompt recalls."""

    text: str
    category: str
    family: str
    style: str
    split: str
    near: str = ""

    @property
    def is_hard(self) -> bool:
        return self.category == NONE and self.near not in ("", NONE)


def load_examples() -> list[Example]:
    """All examples, each text once."""
    folder = files("sorairo.safety") / "data" / "prompts"
    found: dict[str, Example] = {}
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        for family in tomllib.loads(path.read_text("utf-8"))["family"]:
            for text in _expanded(family):
                labels = {key: family.get(key, "") for key in ("category", "style", "split", "near")}
                found.setdefault(text, Example(text, family=family["name"], **labels))
    return list(found.values())


def _expanded(family: Mapping[str, Any]) -> Iterator[str]:
    slots = {key: _fillers(value) for key, value in family.items() if key not in _FIELDS}
    for text in family["texts"].strip().splitlines():
        used = list(dict.fromkeys(_SLOT.findall(text)))
        filled = [text.format(**dict(zip(used, words, strict=True))) for words in product(*(slots[k] for k in used))]
        yield from sorted(filled, key=_shuffled)[: family.get("most", MOST_FOR_EACH_TEXT)]


def _fillers(value: str) -> list[str]:
    if value.startswith("@"):
        return next(found for found in load_word_lists() if found.name == value[1:]).names()
    return [filler.strip() for filler in value.split("|")]


def _shuffled(text: str) -> bytes:
    """An order that is the same everywhere and follows nothing."""
    return hashlib.sha256(text.encode()).digest()
