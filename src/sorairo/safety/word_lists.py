"""Curated lists of words and names, matched as whole words in every reading of a text. Never loads anything learned."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import NamedTuple

from sorairo.config import load
from sorairo.safety.normalisation import Reading, plain_reading, readings
from sorairo.safety.spelling import Speller

FILES = ("names.toml", "names_of_packages.toml", "terms.toml", "languages.toml")
_GAP = r"[\s\-_.']*"
# Scripts that write words, or their endings, without spaces: Thai and Lao, Korean letters (NFKD), Chinese and Japanese.
_WITHOUT_SPACES = re.compile("[\u0e00-\u0eff\u1100-\u11ff\u2e80-\U0003ffff]")

_WORD = re.compile(r"\w+")
START = 3  # letters that entries are looked up by


class Hit(NamedTuple):
    """Where a list was met in the text that was given, and what may stand there instead ("" for nothing)."""

    start: int
    end: int
    replacement: str


@dataclass(frozen=True)
class WordList:
    """``action``: "refuse", "rewrite" or "signal". ``entries``: one on each line.

    See the heads of `data/names.toml` and `data/terms.toml` for how they are read.
    """

    name: str
    category: str
    action: str
    advice: str
    provenance: str
    licence: str
    entries: str

    def names(self) -> list[str]:
        """The first spelling of each entry."""
        return [re.split(r" [|=] ", line)[0] for line in self.entries.strip().splitlines()]

    def words(self) -> set[str]:
        """Every word of every entry as it is read; stems end in "~"."""
        return {word for spelling in self._spellings for word in re.findall(r"(?<![!\w])[^\W\d_]+~?", spelling)}

    def find(self, read: Sequence[Reading]) -> list[Hit]:
        """Every place, once, in the order of the text."""
        hits = {
            self._hit(r, match) for r in read for found in self._patterns(r.text) for match in found.finditer(r.text)
        }
        return sorted(hit for hit in hits if not any(_is_inside(hit, other) for other in hits))

    def _hit(self, reading: Reading, match: re.Match[str]) -> Hit:
        return Hit(*reading.span(*match.span()), self._replacements.get(_letters(match[0]), ""))

    @cached_property
    def _spellings(self) -> dict[str, str]:
        """Every spelling as it is read, with what may stand in its place."""
        lines = [line.partition(" = ") for line in self.entries.strip().splitlines()]
        return {plain_reading(s.strip()).text: new.strip() for old, _, new in lines for s in old.split(" | ")}

    def _patterns(self, text: str) -> list[re.Pattern[str]]:
        """Of the entries whose first word may stand in the text: to compile all would take longer than to judge."""
        starts = {word[:length] for word in _WORD.findall(text) for length in range(1, START + 1)}
        found = dict.fromkeys(entry for start in starts & self._by_start.keys() for entry in self._by_start[start])
        return [*self._loose, *(_pattern(rf"(?<!\w){_GAP.join(map(_part, entry.split()))}(?!\w)") for entry in found)]

    @cached_property
    def _loose(self) -> list[re.Pattern[str]]:
        entries = sorted((e for e in self._spellings if _WITHOUT_SPACES.match(e)), key=len, reverse=True)
        return [_pattern("|".join(map(re.escape, "/".join(entries).split("/"))))] if entries else []

    @cached_property
    def _by_start(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for entry in self._spellings:
            for word in [] if _WITHOUT_SPACES.match(entry) else entry.split()[0].split("/"):
                start = _WORD.match(word)
                found.setdefault(start[0][:START] if start else word[:1], []).append(entry)
        return found

    @cached_property
    def _replacements(self) -> dict[str, str]:
        return {_letters(spelling): new for spelling, new in self._spellings.items()}


_pattern: Callable[[str], re.Pattern[str]] = lru_cache(None)(re.compile)


@lru_cache(1)
def load_word_lists() -> tuple[WordList, ...]:
    """The lists that come with the package."""
    folder = files("sorairo.safety") / "data"
    tables = [(name, tomllib.loads((folder / name).read_text("utf-8"))) for name in FILES]
    return tuple(
        load(WordList, {"name": title, **entry}, f"{file}.{title}")
        for file, found in tables
        for title, entry in found.items()
    )


def readings_of(text: str) -> tuple[Reading, ...]:
    """The readings of a text; the last has misspelt words as the lists spell them, where it has any."""
    read = readings(text)
    corrected = _speller().corrected(read[-1])
    return read if corrected.text == read[-1].text else (*read, corrected)


@lru_cache(1)
def _speller() -> Speller:
    found = {word for listed in load_word_lists() if listed.action == "refuse" for word in listed.words()}
    return Speller(found, {word[:-1] for word in found if word.endswith("~")})


def _is_inside(hit: Hit, other: Hit) -> bool:
    return (hit.start, hit.end) != (other.start, other.end) and other.start <= hit.start and hit.end <= other.end


def _part(word: str) -> str:
    """A word of an entry, in lower case, as a regular expression."""
    if word == "*":
        return r"(?:\W+\w+){0,3}?\W+"
    return f"(?!{_GAP}{_either(word[1:])})" if word.startswith("!") else _either(word)


def _either(word: str) -> str:
    endings = [re.escape(w.removesuffix("~")) + r"\w*" * w.endswith("~") for w in word.split("/")]
    return "(?:" + "|".join(endings) + ")"


def _letters(text: str) -> str:
    return "".join(letter for letter in text if letter.isalnum())
