"""Misspelt words are read as the listed ones; words of the dictionary, short words and joined words are left alone."""

from __future__ import annotations

import pytest

from sorairo.safety.normalisation import plain_reading, readings
from sorairo.safety.spelling import Speller

SPELLER = Speller(["strangle", "murder", "erotic", "undress"], ["behead", "hotwir"])


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a murdr at night", "a murder at night"),
        ("a mudrer", "a murder"),
        ("to stranggle", "to strangle"),
        ("a beheeding", "a behead"),
        ("an exotic address", "an exotic address"),  # words that a dictionary knows
        ("murder", "murder"),
        ("the mrdr", "the mrdr"),  # two edits, and too short
    ],
)
def test_one_edit_is_undone_where_no_dictionary_knows_the_word(written: str, read: str) -> None:
    assert SPELLER.corrected(plain_reading(written)).text == read


def test_what_was_joined_over_a_mark_is_no_misspelling() -> None:
    joined = readings("a hot-air balloon")[-1]
    assert joined.text == "a hotair balloon"
    assert SPELLER.corrected(joined) == joined


def test_letters_keep_their_places() -> None:
    text = "one murdr, two mudrers here"
    reading = SPELLER.corrected(plain_reading(text))
    assert len(reading.text) == len(reading.origins)
    assert list(reading.origins) == sorted(reading.origins)
    start = reading.text.index("murder")
    assert text[slice(*reading.span(start, start + len("murder")))] == "murdr"
