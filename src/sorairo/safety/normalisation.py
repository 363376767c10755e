"""Texts as a policy reads them: lookalike and invisible letters, figures for letters and gaps are undone.

Every letter remembers where it stood, so that what is found can be shown in the user's own spelling. Never judges a
text, and never changes one that goes on to a model.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

# Selected from Unicode Technical Standard 39, "confusables": pairs of a letter and the Latin one that it is taken for.
_LOOKALIKES = (
    "аaвbеeкkмmнhоoрpсcтtуyхxіiјjѕsԁdԛqԝwһhӏlпnɡgαaβbεeηnιiκkνvοoρpτtυuχxωwγyıiłløođdɑaօoսu"  # noqa: RUF001
    "ᴀaʙbᴄcᴅdᴇeꜰfɢgʜhɪiᴊjᴋkʟlᴍmɴnᴏoᴘpǫqʀrꜱsᴛtᴜuᴠvᴡwʏyᴢz"  # noqa: RUF001
)
_LATIN = dict(zip(_LOOKALIKES[::2], _LOOKALIKES[1::2], strict=True))
_LATIN |= {chr(first + i): chr(97 + i) for first in (0x1F130, 0x1F150, 0x1F170, 0x1F1E6) for i in range(26)}
_FIGURES = dict(zip("01345789@$!|+€£", "oieastbgasiltel", strict=True))

_WORD = re.compile(r"[^\W\d_]+")
_TOKEN = re.compile(r"\S+")
_QUANTITY = re.compile(r"\W*\d+(?:[.,:x/]\d+)*[^\W\d_]{0,3}\W*")  # 4k, 35mm, 16:9, 1920x1080, 3d
_SPACED = re.compile(
    r"(?<!\w)(?!a\s\w\W\w\W\w)[^\W\d_]([ .\-_*·/])(?:[^\W\d_]\1)+[^\W\d_](?!\w)"
)  # after an article "a"
_REPEATED = re.compile(r"([^\W\d_])\1{2,}")
_INNER_MARKS = re.compile(r"(?<=[^\W\d_])[-_.*+~']+(?=[^\W\d_])")
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")


class Reading(NamedTuple):
    """A text in small Latin letters where it can be, and for each letter its place in the text that was given."""

    text: str
    origins: tuple[int, ...]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where letters ``start`` to ``end`` stand in the given text."""
        return self.origins[start], self.origins[end - 1] + 1

    def without(self, places: Iterable[int]) -> Reading:
        dropped = set(places)
        kept = [i for i in range(len(self.text)) if i not in dropped]
        return Reading("".join(self.text[i] for i in kept), tuple(self.origins[i] for i in kept))


def readings(text: str) -> tuple[Reading, ...]:
    """As written; with disguises undone; and that without marks inside of words. Each that differs, once."""
    plain = plain_reading(text)
    undisguised = _without_gaps(Reading(_figures_as_letters(plain.text), plain.origins))
    marks = [i for match in _INNER_MARKS.finditer(undisguised.text) for i in range(*match.span())]
    return tuple({reading.text: reading for reading in (undisguised.without(marks), undisguised, plain)}.values())[::-1]


def plain_reading(text: str) -> Reading:
    """Compatibility forms and accents taken apart (NFKD), invisible characters left out, lookalikes made Latin."""
    letters: list[str] = []
    origins: list[int] = []
    for origin, character in enumerate(text):
        for part in unicodedata.normalize("NFKD", character).casefold():
            kind = unicodedata.category(part)
            if kind not in ("Mn", "Me", "Cf"):
                letters.append(" " if kind in ("Cc", "Zs", "Zl", "Zp") else part)
                origins.append(origin)
    return Reading(_latin(_WORD.sub(lambda match: _latin_word(match[0]), "".join(letters))), tuple(origins))


def unread_share(text: str) -> float:
    """Share of the letters that are of no Latin script: what an English classifier does not read."""
    found = [letter for letter in plain_reading(text).text if letter.isalpha()]
    return sum(not letter.isascii() for letter in found) / max(len(found), 1)


def sentences(text: str) -> list[str]:
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def within_one_edit(a: str, b: str) -> bool:
    """One letter left out, added, exchanged, or two neighbours swapped (Damerau 1964); the first letter is the same."""
    if abs(len(a) - len(b)) > 1 or a[:1] != b[:1]:
        return False
    start = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    a, b = a[start:], b[start:]
    while a and b and a[-1] == b[-1]:
        a, b = a[:-1], b[:-1]
    return (len(a) <= 1 and len(b) <= 1) or (len(a) == 2 and a == b[::-1])


def _latin_word(word: str) -> str:
    """Lookalikes are changed in a word that has Latin letters already, or has nothing but lookalikes."""
    is_mixed = any(letter.isascii() for letter in word)
    return _latin(word, only_symbols=False) if is_mixed or all(letter in _LATIN for letter in word) else word


def _latin(text: str, only_symbols: bool = True) -> str:
    return "".join(_LATIN.get(x, x) if not (only_symbols and x.isalpha() and x < "\U0001f000") else x for x in text)


def _figures_as_letters(text: str) -> str:
    """ "nud3" and "n@ked", but neither "4k" nor "35mm"."""
    return _TOKEN.sub(lambda match: match[0] if _QUANTITY.fullmatch(match[0]) else _letters_of(match[0]), text)


def _letters_of(token: str) -> str:
    if not any(letter.isalpha() for letter in token):
        return token
    return "".join(
        _FIGURES[mark] if mark in _FIGURES and (mark.isdigit() or token[i + 1 : i + 2].isalnum()) else mark
        for i, mark in enumerate(token)
    )


def _without_gaps(reading: Reading) -> Reading:
    """ "n u d e" and "n.u.d.e" to one word, "nuuude" to "nude"."""
    gaps = [i for m in _SPACED.finditer(reading.text) for i in range(*m.span()) if not reading.text[i].isalpha()]
    closed = reading.without(gaps)
    return closed.without(i for m in _REPEATED.finditer(closed.text) for i in range(m.start() + 1, m.end()))
