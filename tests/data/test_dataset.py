"""What is in a data set's files: shards that webdataset reads, cards that people read, duplicates that are found."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sorairo.data import dataset
from sorairo.data.dataset import PAGE, SHEET, as_markdown, read_card, read_index, read_shots
from sorairo.data.ingest import ingest
from sorairo.media import fitted, read_video, write_mp4

WriteFilm = Callable[..., Path]
NOTES = '["*"]\nlicence = "CC0-1.0"\nsource = "a test"\n["a.mp4"]\ncaptions = ["blots", "blots pass"]\n'


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, write_film: WriteFilm) -> Path:
    """Of four shots: two good ones, one too short, and one that is there again."""
    folder = tmp_path_factory.mktemp("footage")
    write_film(folder / "a.mp4", shots=(1, 2))
    again = [fitted(frame, 144, 96) for frame in read_video(folder / "a.mp4")[0][:18]]
    write_mp4(folder / "b.mp4", again, width=144, height=96, fps=12)
    write_film(folder / "c.mp4", shots=(3,), seconds=0.5)
    (folder / "footage.toml").write_text(NOTES)
    return ingest(folder, tmp_path_factory.mktemp("data") / "four", lambda *_: None).parent


def test_the_same_shot_at_another_size_is_a_near_duplicate(out: Path) -> None:
    rows = {(row["item"], row["start"]): row for row in read_index(out)}
    assert rows["b.mp4", 0]["reason"] == "near-duplicate"
    assert f"to {rows['a.mp4', 0]['key']} of a.mp4" in rows["b.mp4", 0]["detail"]
    assert [row["reason"] for row in rows.values()] == ["", "", "near-duplicate", "too short"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it leaves its file open
def test_webdataset_reads_the_shards(out: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    found = list(webdataset.WebDataset(str(out / "shots-00000.tar"), shardshuffle=False))
    assert [example["__key__"] for example in found] == [row["key"] for row in read_index(out) if not row["reason"]]
    assert found[0]["txt"] == b"blots\nblots pass"
    told = json.loads(found[0]["json"])
    assert (told["licence"], told["num_frames"], told["width"], told["fps"]) == ("CC0-1.0", 18, 96, 12.0)


def test_shards_hold_no_date_and_no_owner(out: Path) -> None:
    with tarfile.open(out / "shots-00000.tar") as tar:
        assert {(member.mtime, member.uid, member.uname) for member in tar} == {(0, 0, "")}


def test_shots_come_with_their_rows(out: Path, tmp_path: Path) -> None:
    shots = list(read_shots(out))
    assert [row["start"] for row, _ in shots] == [0, 18]
    (tmp_path / "shot.mp4").write_bytes(shots[1][1])
    assert read_video(tmp_path / "shot.mp4")[0].shape == (18, 64, 96, 3)


def test_a_changed_shard_is_not_read(out: Path, tmp_path: Path) -> None:
    for path in (path for path in out.iterdir() if path.is_file()):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    shard = tmp_path / "shots-00000.tar"
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match=r"shots-00000.tar is not the shard that its card names"):
        next(read_shots(tmp_path))


def test_the_card_counts_and_the_page_tells(out: Path) -> None:
    card = read_card(out)
    assert card["rejects"] == {"too short": 1, "near-duplicate": 1}
    assert (card["items"], card["items_used"], card["shots"], card["captioned"]) == (3, 1, 4, 2)
    page = (out / PAGE).read_text()
    assert page == as_markdown(card)
    assert "2 of 4 shots, 3 of 5 seconds, from 1 of 3 files" in page
    assert "| near-duplicate | 1 |" in page
    assert "Text was not looked for" in as_markdown(card | {"text_looked_for": False})


def test_the_contact_sheet_shows_every_shot(out: Path) -> None:
    sheet = np.asarray(Image.open(out / SHEET))
    width, height = dataset.CELL
    assert sheet.shape == (height + 16, 4 * (width + 4), 3)
    red = (sheet[height + 2 :, :, 0] > 200) & (sheet[height + 2 :, :, 1] < 80)
    cells = red.reshape(14, 4, width + 4).any((0, 2))
    assert cells.tolist() == [False, False, True, True]  # the accepted ones first


def test_shards_end_where_they_are_full(out: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sizes = [len(mp4) for _, mp4 in read_shots(out)]
    rows = [row | {"folder": str(number), "number": 0} for number, row in enumerate(read_index(out)[:2])]
    for number, size in enumerate(sizes):
        (tmp_path / "work" / str(number)).mkdir(parents=True)
        (tmp_path / "work" / str(number) / "0.mp4").write_bytes(bytes(size))
    for limit, groups in ((sum(sizes), 1), (sum(sizes) - 1, 2), (1, 2)):
        monkeypatch.setattr(dataset, "BYTES_PER_SHARD", limit)
        assert len(list(dataset._groups(tmp_path, rows))) == groups
