"""Disguises are undone, quantities are left alone, and every letter knows where it came from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sorairo.safety.normalisation import plain_reading, readings, sentences, unread_share, within_one_edit

DISGUISES = {
    "figures": "n4k3d",
    "signs": "n@ked",
    "spaces": "n a k e d",
    "dots": "n.a.k.e.d",
    "hyphen": "na-ked",
    "zero width": "n\u200ba\u200bk\u200bed",
    "soft hyphen": "na\u00adked",
    "cyrillic": "n\u0430k\u0435d",
    "full width": "ｎａｋｅｄ",  # noqa: RUF001
    "bold": "𝐧𝐚𝐤𝐞𝐝",  # noqa: RUF001
    "accents": "nákèd",
    "drawn out": "naaaked",
    "after an article": "a n a k e d",
    "flags": "🇳🇦🇰🇪🇩",
    "small capitals": "ɴᴀᴋᴇᴅ",
    "capitals": "NaKeD",
}


@pytest.mark.parametrize("kind", DISGUISES)
def test_disguises_are_undone(kind: str) -> None:
    assert "naked" in {word for reading in readings(DISGUISES[kind]) for word in reading.text.split()}


@pytest.mark.parametrize("text", ["4k", "35mm", "1920x1080", "3d", "16:9", "24 fps", "in 1984"])
def test_quantities_stay(text: str) -> None:
    assert [reading.text for reading in readings(text)] == [text]


def test_the_readings_of_an_ordinary_text_are_one() -> None:
    assert [reading.text for reading in readings("A red ball hits a cube.")] == ["a red ball hits a cube."]


def test_a_word_of_another_script_is_not_made_latin() -> None:
    assert plain_reading("голая").text == "голая"


def test_a_reading_points_into_the_text() -> None:
    text = "so  n\u200bu\u200bd\u200be now"
    reading = readings(text)[-1]
    start = reading.text.index("nude")
    assert slice(*reading.span(start, start + 4)) == slice(4, 11)


@given(st.text(max_size=60))
def test_any_text_has_readings_that_point_into_it(text: str) -> None:
    for reading in readings(text):
        assert len(reading.text) == len(reading.origins)
        assert list(reading.origins) == sorted(reading.origins)
        assert all(0 <= origin < len(text) for origin in reading.origins)


def test_unread_scripts_are_counted() -> None:
    assert unread_share("a red ball") == 0
    assert unread_share("夕日と海") == 1
    assert unread_share("12 !") == 0
    assert unread_share("a cafe in 東京 by night") < 0.2


def test_sentences_are_cut_at_their_ends() -> None:
    assert sentences("A ball. It falls!\nThen 3.5 seconds pass") == ["A ball.", "It falls!", "Then 3.5 seconds pass"]


@pytest.mark.parametrize(
    ("a", "b", "near"),
    [
        ("suicide", "suicide", True),
        ("suicde", "suicide", True),
        ("suicidee", "suicide", True),
        ("suizide", "suicide", True),
        ("siucide", "suicide", True),
        ("address", "undress", False),
        ("exotic", "erotic", True),
        ("suiide", "suicidal", False),
    ],
)
def test_one_edit(a: str, b: str, near: bool) -> None:
    assert within_one_edit(a, b) is near
