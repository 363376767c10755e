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


# Words that show nothing by themselves; to name them as unknown would be noise.
_FUNCTION_WORDS = frozenset(
    words_of(
        "a an the this that these those and or but if then so as while when where there here it its they them their he "
        "him his she her i me my we us our you your is are was were be been being has have had do does did not no of "
        "to in on at by for from with without into onto over under up down out off about very just only also some any "
        "all each both again once please"
    )
)


def unknown_words(prompt: str, vocabulary: Collection[str]) -> list[str]:
    """Words of the prompt that the model has never read in any form; none where the vocabulary is not known."""
    if not vocabulary:
        return []
    known = _FUNCTION_WORDS.union(*map(_stems, vocabulary))
    return [word for word in words_of(prompt) if known.isdisjoint(_stems(word))]


def world_vocabulary(captions: Iterable[str]) -> tuple[str, ...]:
    """Every word of the built-in world's names and tables of words, and of ``captions`` made with them, sorted."""
    from sorairo import world
    from sorairo.world import words

    tables = [value for room in (world, words) for name, value in vars(room).items() if name.isupper()]
    texts = (re.sub(r"{\w+}", " ", text) for text in (*_texts(tables), *captions))
    return tuple(sorted({word for text in texts for word in words_of(text)}))


def world_summary() -> str:
    """What a model of the built-in world knows, in one sentence."""
    from sorairo.world import COLORS, SHAPES

    return f"It knows one small world: {_listed(SHAPES)}, in {_listed(COLORS)}."


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}"


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
