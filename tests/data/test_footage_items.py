"""Which videos are named, and what is known of each: the nearest notes win, nothing is guessed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sorairo.data.footage_items import Notes, find_items


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.mp4", "a.AVI", "deep/c.webm", "notes.txt", ".hidden.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_videos_of_a_folder_in_name_order(folder: Path) -> None:
    items = find_items(folder)
    assert [item.name for item in items] == ["a.AVI", "b.mp4", "deep/c.webm"]
    assert items[2].path == folder / "deep" / "c.webm"
    assert items[0].notes == Notes()


def test_the_nearest_notes_win(folder: Path) -> None:
    table = '["*"]\nlicence = "MIT"\nsource = "here"\n["deep/*"]\nlicence = "CC0-1.0"\n["b.mp4"]\ncaptions = ["a hill"]'
    (folder / "footage.toml").write_text(table)
    (folder / "b.json").write_text(json.dumps({"licence": "CC-BY-4.0"}))
    first, second, third = (item.notes for item in find_items(folder))
    assert first == Notes("MIT", "here")
    assert second == Notes("CC-BY-4.0", "here", ("a hill",))
    assert third.licence == "CC0-1.0"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.toml", '["deep/c.webm"]\nlicence = "MIT"\nsource = "s"\ncaptions = ["a, b"]'),
        ("list.json", '{"deep/c.webm": {"licence": "MIT", "source": "s", "captions": ["a, b"]}}'),
        ("list.csv", 'name,licence,source,caption\ndeep/c.webm,MIT,s,"a, b"\n'),
        ("list.CSV", '\ufeffname,licence,source,caption\r\ndeep/c.webm,MIT,s,"a, b"\r\n'),  # of a spreadsheet
    ],
)
def test_a_list_names_its_own(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (item,) = find_items(folder / name)
    assert (item.name, item.path, item.notes) == ("deep/c.webm", folder / "deep/c.webm", Notes("MIT", "s", ("a, b",)))


def test_a_line_that_breaks_within_a_caption_stays_two_lines(folder: Path) -> None:
    (folder / "list.csv").write_text('name,caption\nb.mp4,"a hill\nat night"\n')
    (item,) = find_items(folder / "list.csv")
    assert item.notes.captions == ("a hill\nat night",)


@pytest.mark.parametrize("licence", ["", "unknown", " Unstated ", "?"])
def test_a_licence_that_says_nothing_is_none(licence: str) -> None:
    assert not Notes(licence).has_licence
    assert Notes("CC0-1.0").has_licence


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("missing", None, "there is no such folder or list"),
        ("empty.toml", "", "it names no video"),
        ("list.txt", "b.mp4", "a list is .toml"),
        ("list.csv", "file\nb.mp4\n", "'name' is missing"),
        ("broken.toml", "[", "cannot be read"),
        ("b.toml", 'license = "MIT"', "cannot be read|nearest known key is 'licence'"),
        ("footage.toml", '"*" = 3', r"footage.toml: '\*' is 3, not a table"),
        ("footage.toml", '"*" = "MIT"', r"footage.toml: '\*' is 'MIT', not a table"),
        ("footage.toml", '"b.mp4" = 3', "'b.mp4' is 3, not a table"),
        ("footage.toml", 'licence = "MIT"', r"'licence' is 'MIT', not a table; what holds for all files is below"),
        ("list.json", '{"b.mp4": null}', "list.json: 'b.mp4' is None, not a table"),
        (
            "list.csv",
            "name,licence\nb.mp4,MIT,CC0-1.0\n",
            "list.csv: cannot be read: line 2 has more values than columns",
        ),
        ("list.csv", "licence,name\nMIT\n", "line 2 has no name"),
        ("list.csv", "name,caption\nb.mp4,one\nb.mp4,two\n", "line 3 names 'b.mp4', which a line before it names"),
    ],
)
def test_mistakes_are_one_line(folder: Path, name: str, text: str | None, words: str) -> None:
    if text is not None:
        (folder / name).write_text(text)
    with pytest.raises(ValueError, match=words) as caught:
        find_items(folder if name in ("b.toml", "footage.toml") else folder / name)
    assert "\n" not in str(caught.value)
