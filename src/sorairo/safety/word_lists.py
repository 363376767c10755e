"""Curated lists of words and names, matched as whole words in every reading of a text. Never loads anything learned."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Literal, NamedTuple

from sorairo.config import load
from sorairo.safety.normalisation import Reading, plain_reading, within_one_edit

FILES = ("names.toml", "terms.toml")
LEAST_LETTERS_OF_A_STEM, LEAST_LETTERS_OF_A_NAME = 6, 9  # below, one letter more or less is often another word
MOST_WORDS_OF_A_NAME = 4
_GAP = r"[\s\-_.']*"
_CLOSE = re.compile(_GAP)
_WORDS = re.compile(r"[^\W\d_]+")
_FIRST_WITHOUT_SPACES = "\u2e80"  # from here on, scripts that write words without spaces between them

Action = Literal["refuse", "rewrite", "signal"]


class Hit(NamedTuple):
    """Where a list was met in the text that was given, and what may stand there instead ("" for nothing)."""

    start: int
    end: int
    replacement: str


@dataclass(frozen=True)
class WordList:
    """``entries``: one on each line; see the heads of `data/names.toml` and `data/terms.toml` for how they are read."""

    name: str
    category: str
    action: str
    advice: str
    provenance: str
    licence: str
    entries: str
    not_misspelt: str = ""

    def names(self) -> list[str]:
        """The first spelling of each entry."""
        return [re.split(r" [|=] ", line)[0] for line in self.entries.strip().splitlines()]

    def find(self, read: Sequence[Reading]) -> list[Hit]:
        """Every place, once, in the order of the text."""
        hits = {self._hit(reading, match) for reading in read for match in self._pattern.finditer(reading.text)}
        if self.action == "refuse" and not hits:
            hits = set(self._misspelt(read[-1]))
        return sorted(hits)

    def _hit(self, reading: Reading, match: re.Match[str]) -> Hit:
        return Hit(*reading.span(*match.span()), self._replacements.get(_letters(match[0]), ""))

    def _misspelt(self, reading: Reading) -> Iterator[Hit]:
        """Words within one edit of an entry. Exact only, where the list says that a word is not a misspelling."""
        words = list(_WORDS.finditer(reading.text))
        spared = tuple(self.not_misspelt.split())
        for first in range(len(words)):
            joined = ""
            for last in range(first, min(first + MOST_WORDS_OF_A_NAME, len(words))):
                if last > first and not _CLOSE.fullmatch(reading.text, words[last - 1].end(), words[last].start()):
                    break
                joined += words[last][0]
                if not joined.startswith(spared) and self._is_near(joined, last - first + 1):
                    yield Hit(*reading.span(words[first].start(), words[last].end()), "")

    def _is_near(self, joined: str, num_words: int) -> bool:
        starts = [
            (joined[: len(stem) + more], stem) for stem in self._stems if stem[0] == joined[0] for more in (-1, 0, 1)
        ]
        wholes = [(joined, name) for name, count in self._long_names if count == num_words and name[0] == joined[0]]
        return any(within_one_edit(a, b) for a, b in (starts if num_words == 1 else wholes))

    @cached_property
    def _spellings(self) -> dict[str, str]:
        """Every spelling as it is read, with what may stand in its place."""
        lines = [line.partition(" = ") for line in self.entries.strip().splitlines()]
        return {plain_reading(s.strip()).text: new.strip() for old, _, new in lines for s in old.split(" | ")}

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(map(_expression, sorted(self._spellings, key=len, reverse=True))))

    @cached_property
    def _replacements(self) -> dict[str, str]:
        return {_letters(spelling): new for spelling, new in self._spellings.items()}

    @cached_property
    def _stems(self) -> list[str]:
        stems = [spelling[:-1] for spelling in self._spellings if spelling.endswith("~")]
        return [stem for stem in stems if stem.isalpha() and len(stem) >= LEAST_LETTERS_OF_A_STEM]

    @cached_property
    def _long_names(self) -> list[tuple[str, int]]:
        texts = [spelling for spelling in self._spellings if not set(spelling) & set("~/*!")]
        names = [(_letters(text), len(_WORDS.findall(text))) for text in texts]
        return [(name, count) for name, count in names if count > 1 and len(name) >= LEAST_LETTERS_OF_A_NAME]


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


def _expression(entry: str) -> str:
    """An entry in lower case as a regular expression with its word boundaries."""
    alternatives = entry.split("/")
    if all(word and word[0] >= _FIRST_WITHOUT_SPACES for word in alternatives):
        return "(?:" + "|".join(map(re.escape, alternatives)) + ")"
    parts = [_part(word) for word in entry.split()]
    return r"(?<!\w)" + _GAP.join(parts) + r"(?!\w)"


def _part(word: str) -> str:
    if word == "*":
        return r"(?:\W+\w+){0,3}?\W+"
    return f"(?!{_GAP}{_either(word[1:])})" if word.startswith("!") else _either(word)


def _either(word: str) -> str:
    endings = [re.escape(w.removesuffix("~")) + r"\w*" * w.endswith("~") for w in word.split("/")]
    return "(?:" + "|".join(endings) + ")"


def _letters(text: str) -> str:
    return "".join(letter for letter in text if letter.isalnum())
