"""Which words a model knows, and which of a prompt's it does not. Never refuses a prompt; imports no torch."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")  # noqa: RUF001 (both apostrophes are typed)
_ENDINGS = ("'s", "es", "s", "ed", "ing", "d", "ly")
_SHORTEST_STEM = 3


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, in order, each once; figures and signs are no words."""
    return list(dict.fromkeys(_WORD.findall(text.lower().replace("’", "'"))))  # noqa: RUF001


def unknown_words(prompt: str, vocabulary: Collection[str]) -> list[str]:
    """Words of the prompt that the model has never read in any form; none where the vocabulary is not known."""
    if not vocabulary:
        return []
    known = {stem for word in vocabulary for stem in _stems(word)}
    return [word for word in words_of(prompt) if known.isdisjoint(_stems(word))]


def world_vocabulary(captions: Iterable[str]) -> tuple[str, ...]:
    """Every word of the built-in world's names and tables of words, and of ``captions`` made with them, sorted."""
    from sorairo import world
    from sorairo.world import words

    tables = [value for room in (world, words) for name, value in vars(room).items() if name.isupper()]
    texts = (re.sub(r"{\w+}", " ", text) for text in (*_texts(tables), *captions))
    return tuple(sorted({word for text in texts for word in words_of(text)}))


def _texts(node: Any) -> Iterator[str]:
    """All text inside nested dictionaries, lists and tuples."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        yield from _texts([*node.keys(), *node.values()])
    elif isinstance(node, list | tuple | frozenset):
        for item in node:
            yield from _texts(item)


def _stems(word: str) -> set[str]:
    """The word, and what is left of it without a common ending: "knocked" and "knocks" share "knock"."""
    cut = {word.removesuffix(ending) for ending in _ENDINGS}
    return {word} | {stem for stem in cut if len(stem) >= _SHORTEST_STEM}
