"""Words that are spelt almost as a listed one, read as it. Never touches a word that a dictionary knows."""

from __future__ import annotations

import gzip
import re
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files

from sorairo.safety.normalisation import Reading, within_one_edit

LEAST_LETTERS, LEAST_LETTERS_OF_A_STEM = 5, 6  # below, one letter more or less is too often another word
_WORD = re.compile(r"[a-z]+")


class Speller:
    """`words` and `stems` (the starts of words): what a misspelling may stand for."""

    def __init__(self, words: Iterable[str], stems: Iterable[str]) -> None:
        self._near: dict[tuple[str, int], list[str]] = defaultdict(list)
        self._listed = frozenset(word for word in words if len(word) >= LEAST_LETTERS and word.isascii())
        self._stems = [stem for stem in sorted(stems) if len(stem) >= LEAST_LETTERS_OF_A_STEM and stem.isascii()]
        for word in sorted(self._listed):
            for length in (len(word) - 1, len(word), len(word) + 1):
                self._near[word[0], length].append(word)

    def corrected(self, reading: Reading) -> Reading:
        """The reading with each unknown word of one edit read as the listed word; the letters keep their places."""
        letters: list[str] = []
        origins: list[int] = []
        end = 0
        for match in _WORD.finditer(reading.text):
            places = reading.origins[match.start() : match.end()]
            is_whole = places[-1] - places[0] < len(places)  # not two words with the mark between them left out
            word = self._meant(match[0]) if is_whole else match[0]
            if word != match[0]:
                letters += [reading.text[end : match.start()], word]
                origins += reading.origins[end : match.start()]
                origins += [*(places[min(i, len(places) - 1)] for i in range(len(word) - 1)), places[-1]]
                end = match.end()
        return Reading("".join([*letters, reading.text[end:]]), (*origins, *reading.origins[end:]))

    def _meant(self, word: str) -> str:
        if len(word) < LEAST_LETTERS or word in self._listed or word in _dictionary():
            return word
        near = self._near.get((word[0], len(word)), [])
        stems = (s for s in self._stems for more in (-1, 0, 1) if within_one_edit(word[: len(s) + more], s))
        return next((listed for listed in near if within_one_edit(word, listed)), next(stems, word))


@lru_cache(1)
def _dictionary() -> frozenset[str]:
    """Debian's wamerican 2020.12.07 (SCOWL, free to use and to change): its words of five letters and more."""
    packed = (files("sorairo.safety") / "data" / "dictionary.txt.gz").read_bytes()
    return frozenset(gzip.decompress(packed).decode().split())
