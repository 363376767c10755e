"""Footage to a data set: what is kept of each kind of file, resumed and killed runs, and the same bytes every time."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from sorairo.data.dataset import CARD, INDEX, PAGE, SHEET, WORK, read_card, read_index
from sorairo.data.footage_filters import FilterSettings
from sorairo.data.ingest import ingest
from sorairo.media import claimed

WriteFilm = Callable[..., Path]
MADE = (CARD, INDEX, PAGE, SHEET, "shots-00000.tar")
NOTES = '["*"]\nlicence = "CC0-1.0"\nsource = "a test"\ncaptions = ["blots pass by"]\n'


def quietly(*_: object) -> None:
    pass


@pytest.fixture
def footage(tmp_path: Path, write_film: WriteFilm) -> Path:
    """Two films of five shots that all are good."""
    write_film(tmp_path / "footage" / "a.mp4", shots=(1, 2, 3))
    write_film(tmp_path / "footage" / "b.mp4", shots=(4, 5))
    (tmp_path / "footage" / "footage.toml").write_text(NOTES)
    return tmp_path / "footage"


def contents(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in MADE}


def reasons(out: Path) -> dict[str, str]:
    return {row["item"]: row["reason"] for row in read_index(out)}


def test_shots_become_a_data_set(footage: Path, tmp_path: Path) -> None:
    heard: list[tuple[str, int, int]] = []
    out = ingest(footage, tmp_path / "set", lambda *told: heard.append(told)).parent
    assert heard == [("footage", 0, 2), ("footage", 1, 2), ("footage", 2, 2)]
    card = read_card(out)
    assert (card["name"], card["items"], card["shots"], card["shots_accepted"]) == ("set", 2, 5, 5)
    assert card["seconds_accepted"] == pytest.approx(7.5)
    assert card["licences"] == {"CC0-1.0": 7.5}
    assert card["sizes"] == {"96x64": 5}
    rows = read_index(out)
    assert [(row["item"], row["start"], row["num_frames"]) for row in rows][:4] == [
        ("a.mp4", 0, 18), ("a.mp4", 18, 18), ("a.mp4", 36, 18), ("b.mp4", 0, 18),
    ]  # fmt: skip
    assert {row["shard"] for row in rows} == {"shots-00000.tar"}
    assert all(row["captions"] == ["blots pass by"] for row in rows)


def test_whatever_a_folder_holds_is_told_apart(tmp_path: Path, write_film: WriteFilm) -> None:
    folder = tmp_path / "kinds"
    good = write_film(folder / "good.mp4")
    shutil.copyfile(good, folder / "same.mp4")
    write_film(folder / "short.mp4", seconds=0.5)
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("no film")
    (folder / "cut.mp4").write_bytes(good.read_bytes()[:600])
    scratched = bytearray(good.read_bytes())
    scratched[len(scratched) // 4 : len(scratched) // 2] = os.urandom(len(scratched) // 2 - len(scratched) // 4)
    (folder / "scratched.mp4").write_bytes(scratched)
    (folder / "neighbour.mp4").write_text("ffconcat version 1.0\nfile good.mp4\n")
    with av.open(str(folder / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        frame.sample_rate = 8000
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    (folder / "footage.toml").write_text(NOTES)
    out = ingest(folder, tmp_path / "set", quietly).parent
    found = reasons(out)
    unreadable = ("empty.mp4", "text.mp4", "cut.mp4", "neighbour.mp4", "sound.mp4")
    assert {found[name] for name in unreadable} == {"unreadable"}
    assert (found["good.mp4"], found["same.mp4"], found["short.mp4"]) == ("", "near-duplicate", "too short")
    details = {row["item"]: row["detail"] for row in read_index(out)}
    assert details["empty.mp4"] == "it is empty"
    assert "0 video streams" in details["sound.mp4"]
    assert all(str(tmp_path) not in detail for detail in details.values())
    assert read_card(out)["rejects"]["unreadable"] >= len(unreadable)


def test_without_a_licence_or_source_nothing_is_taken(footage: Path, tmp_path: Path) -> None:
    (footage / "footage.toml").write_text('["a.mp4"]\nsource = "x"\n["b.mp4"]\nlicence = "MIT"\n')
    out = ingest(footage, tmp_path / "set", quietly).parent
    assert reasons(out) == {"a.mp4": "licence", "b.mp4": "source"}
    assert not any((out / WORK).iterdir())  # nor even opened
    assert read_card(out)["shards"] == []
    ingest(footage, out, quietly, allow_unknown_licence=True)
    assert reasons(out) == {"a.mp4": "", "b.mp4": ""}


def test_what_is_done_is_not_done_again(footage: Path, tmp_path: Path, write_film: WriteFilm) -> None:
    out = ingest(footage, tmp_path / "set", quietly).parent
    before, made = contents(out), {path: path.stat().st_mtime_ns for path in (out / WORK).rglob("*.mp4")}
    ingest(footage, out, quietly)
    assert contents(out) == before
    write_film(footage / "c.mp4", shots=(6,))
    ingest(footage, out, quietly)
    assert read_card(out)["shots_accepted"] == 6
    assert all(path.stat().st_mtime_ns == then for path, then in made.items())
    ingest(footage, out, quietly, settings=FilterSettings(least_seconds=2))
    assert read_card(out)["rejects"] == {"too short": 6}
    assert not list(out.glob("shots-*.tar"))


def run_cli(footage: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sorairo.cli", "ingest", str(footage), "--out", str(out), *more]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for(what: Callable[[], Any], running: subprocess.Popen[str]) -> Any:
    until = time.monotonic() + 400
    while time.monotonic() < until and running.poll() is None:
        if found := what():
            return found
        time.sleep(0.01)
    return None


def test_a_killed_run_goes_on_to_the_same_bytes(footage: Path, tmp_path: Path) -> None:
    whole = ingest(footage, tmp_path / "whole" / "set", quietly).parent
    out = tmp_path / "killed" / "set"
    running = run_cli(footage, out)
    assert wait_for(lambda: list(out.glob(f"{WORK}/*/result.json")), running)
    running.kill()
    running.communicate()
    assert not (out / CARD).exists()
    ingest(footage, out, quietly)
    assert contents(out) == contents(whole)
    assert not list((out / WORK).glob(".*"))


def ray_tasks(parent: int) -> list[int]:
    """Processes of Ray that are at work on our files, of the cluster that ``parent`` has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name, environment = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
        except OSError:  # it has ended meanwhile, or is another user's
            continue
        if name.startswith(b"ray::Map") and f"SORAIRO_TEST_RUN={parent}".encode() in environment:
            found.append(int(folder.name))
    return found


@pytest.mark.timeout(900)  # Ray alone takes some ten seconds to start, many more on a busy machine
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for Ray's workers where Linux lists processes")
def test_two_workers_one_of_them_killed_give_the_same_bytes(
    footage: Path, tmp_path: Path, write_film: WriteFilm, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        write_film(footage / f"long-{number}.mp4", shots=(10 + number,), seconds=4, size=(320, 192))
    whole = ingest(footage, tmp_path / "whole" / "set", quietly).parent
    monkeypatch.setenv("SORAIRO_TEST_RUN", str(os.getpid()))
    out = tmp_path / "many" / "set"
    running = run_cli(footage, out, "--workers", "2", "--ray", "local")
    killed = wait_for(lambda: ray_tasks(os.getpid()), running)
    assert killed, running.communicate()[1]
    os.kill(killed[0], signal.SIGKILL)
    _, told = running.communicate()
    assert running.returncode == 0, told
    assert contents(out) == contents(whole)


def test_a_second_run_in_the_same_folder_is_refused(footage: Path, tmp_path: Path) -> None:
    with claimed(tmp_path / "set"), pytest.raises(ValueError, match="set; another run is at work in it"):
        ingest(footage, tmp_path / "set", quietly)
    assert list((tmp_path / "set").iterdir()) == []


def test_a_cluster_that_does_not_answer_is_one_line(footage: Path, tmp_path: Path) -> None:
    running = run_cli(footage, tmp_path / "set", "--ray", "127.0.0.1:1")
    _, told = running.communicate()
    assert running.returncode == 2
    assert told.splitlines()[-1].startswith("error: --ray is '127.0.0.1:1'; no cluster answers there")


MEASURED = """
import sys
from pathlib import Path
from sorairo.data.ingest import ingest
ingest(Path(sys.argv[1]), Path(sys.argv[2]), lambda *_: None)
(peak,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(peak.split()[1])
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads a process's memory where Linux tells it")
@pytest.mark.timeout(1800)  # a minute on a free core; each file waits for two processes to be given their turns
def test_two_thousand_files_take_the_memory_of_two_hundred(tmp_path: Path, write_film: WriteFilm) -> None:
    film = write_film(tmp_path / "one.mp4", seconds=0.25, size=(320, 192)).read_bytes()

    def peak(number: int) -> int:
        """KiB of a process of its own: this one's may have been higher before."""
        folder = tmp_path / str(number)
        folder.mkdir()
        for index in range(number):  # each another file: a box that players skip
            (folder / f"{index}.mp4").write_bytes(film + (16).to_bytes(4, "big") + b"free" + index.to_bytes(8, "big"))
        (folder / "footage.toml").write_text(NOTES)
        command = [sys.executable, "-c", MEASURED, str(folder), str(tmp_path / f"{number}-set")]
        told = subprocess.run(command, text=True, stdout=subprocess.PIPE, check=True).stdout
        assert read_card(tmp_path / f"{number}-set")["rejects"] == {"too short": number}
        return int(told)

    few = peak(200)
    assert peak(2000) < few + 1800 * 32  # what is told of a file takes some 20, the frame that is kept of it 180


def test_the_index_is_the_cards(footage: Path, tmp_path: Path) -> None:
    out = ingest(footage, tmp_path / "set", quietly).parent
    card = json.loads((out / CARD).read_text())
    card["index_sha256"] = "0" * 64
    (out / CARD).write_text(json.dumps(card))
    with pytest.raises(ValueError, match="not the index that its card names"):
        read_index(out)
    with pytest.raises(ValueError, match="holds no data card"):
        read_card(footage)
