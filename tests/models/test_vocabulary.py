"""Words to numbers and back."""

from __future__ import annotations

from sorairo.models.vocabulary import END, STYLES, UNKNOWN, Vocabulary, sentences, split, style_number


def test_text_comes_back_in_lower_case() -> None:
    text = "A medium-sized ball rolls, then stops. It's night; objects: 4 cubes."
    vocabulary = Vocabulary.of([text])
    numbers = vocabulary.encode(text, "short")
    assert numbers[0] == style_number("short")
    assert numbers[-1] == END
    assert vocabulary.decode(numbers[1:]) == text.lower()
    assert (
        sentences(vocabulary.decode(numbers)) == "A medium-sized ball rolls, then stops. It's night; objects: 4 cubes."
    )


def test_what_was_never_read_is_unknown() -> None:
    vocabulary = Vocabulary.of(["a red ball"])
    assert vocabulary.encode("a mauve ball", "short")[2] == UNKNOWN
    assert vocabulary.decode(vocabulary.encode("a mauve ball", "short")) == "a ? ball"
    assert vocabulary.knows("ball")
    assert not vocabulary.knows("mauve")


def test_every_word_has_a_number_of_its_own() -> None:
    vocabulary = Vocabulary.of(["a b c", "c d."])
    numbers = [vocabulary.encode(word, "short")[1] for word in vocabulary.words]
    assert len({*numbers, *map(style_number, STYLES), END, UNKNOWN, 0}) == len(vocabulary)
    assert max(numbers) == len(vocabulary) - 1


def test_text_ends_at_the_end() -> None:
    vocabulary = Vocabulary.of(["a b"])
    first, second = (vocabulary.encode(word, "short")[1] for word in "ab")
    assert vocabulary.decode([first, END, second]) == "a"


def test_marks_are_words() -> None:
    assert split("Sky? A cube (small), left.") == ["sky", "a", "cube", "small", ",", "left", "."]
