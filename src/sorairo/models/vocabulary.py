"""Words as numbers, for models that write: whole words and marks, a number for what is unknown, one for each style.

Never learns anything: the words come from the captions that a model is trained on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, get_args

WritingStyle = Literal["short", "descriptive", "structured", "expanded"]
STYLES: tuple[WritingStyle, ...] = get_args(WritingStyle)
PAD, END, UNKNOWN = range(3)
FIRST_WORD = 3 + len(STYLES)
UNKNOWN_WORD = "?"


class Vocabulary:
    """A list of words. Text is lower-case inside; sentences begin with a capital again when it is spelled out."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._numbers = {word: FIRST_WORD + index for index, word in enumerate(self.words)}

    @classmethod
    def of(cls, texts: Iterable[str]) -> Vocabulary:
        """All words of some texts, in the order of the alphabet."""
        return cls(sorted({word for text in texts for word in split(text)}))

    def __len__(self) -> int:
        return FIRST_WORD + len(self.words)

    def knows(self, word: str) -> bool:
        """Whether it is one of the words, in lower case."""
        return word in self._numbers

    def encode(self, text: str, style: WritingStyle) -> list[int]:
        """The style's number, one for each word, and the end's."""
        return [style_number(style), *(self._numbers.get(word, UNKNOWN) for word in split(text)), END]

    def decode(self, numbers: Iterable[int]) -> str:
        """Text up to the end, in lower case; an unknown word is "?"."""
        words: list[str] = []
        for number in numbers:
            if number == END:
                break
            if number == UNKNOWN or number >= FIRST_WORD:
                words.append(UNKNOWN_WORD if number == UNKNOWN else self.words[number - FIRST_WORD])
        return re.sub(r" (?=[.,;:])", "", " ".join(words))


def split(text: str) -> list[str]:
    """Words and marks of a text in lower case: "A red ball, still." gives a, red, ball, ",", still, "."."""
    return re.findall(r"[a-z0-9]+(?:[-'][a-z0-9]+)*|[.,;:]", text.lower())


def style_number(style: WritingStyle) -> int:
    return 3 + STYLES.index(style)


def sentences(text: str) -> str:
    """The text with a capital at the beginning of each sentence."""
    return re.sub(r"(?:^|(?<=\. ))[a-z]", lambda found: found.group().upper(), text)
