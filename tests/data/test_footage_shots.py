"""Shots and measures of films made for it: cuts where they are, times that vary, what each measure means."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from sorairo.data.footage_shots import cut, look, steady
from sorairo.media import Frames, TimedFrame, read_video, write_mp4

FPS = 12


def at(*times: float, fps: float = 10) -> list[TimedFrame]:
    """Frames shown at these seconds, of which each is as bright as its number."""
    return [TimedFrame(np.full((2, 2, 3), n, np.uint8), time, fps, False) for n, time in enumerate(times)]


def numbers(frames: list[TimedFrame]) -> list[int]:
    return [int(frame.picture[0, 0, 0]) for frame in steady(frames)]


def test_a_steady_rate_stays_as_it_is() -> None:
    assert numbers(at(0, 0.1, 0.2, 0.3)) == [0, 1, 2, 3]
    assert numbers(at(0, 0.101, 0.199, 0.302)) == [0, 1, 2, 3]  # a container that counts in milliseconds
    assert numbers(at(0)) == [0]
    assert numbers([]) == []


def test_a_rate_that_varies_keeps_its_times() -> None:
    assert numbers(at(0, 0.1, 0.4, 0.5)) == [0, 1, 1, 2, 2, 3]  # slower for a while
    assert numbers(at(0, 0.02, 0.04, 0.1, 0.2)) == [0, 3, 4]  # and faster


def test_times_from_a_forged_file_fill_no_memory() -> None:
    with pytest.raises(ValueError, match="more than 36000 frames"):
        numbers(at(0, 1e9))


def test_shots_are_cut_where_they_are(tmp_path: Path, write_film: Callable[..., Path]) -> None:
    film = write_film(tmp_path / "film.mp4", shots=(1, 2, 3), seconds=1.5)
    seen = look(str(film), str(tmp_path))
    assert [(shot["start"], shot["stop"]) for shot in seen["shots"]] == [(0, 18), (18, 36), (36, 54)]
    assert seen["fps"] == FPS
    assert cut(str(film), str(tmp_path), [(0, 0, 18), (2, 36, 54)]) == [64, 96]
    whole, _ = read_video(film)
    for number, start in ((0, 0), (2, 36)):
        shot, fps = read_video(tmp_path / f"{number}.mp4")
        assert (shot.shape, fps) == ((18, 64, 96, 3), FPS)
        assert np.abs(shot.astype(int) - whole[start : start + 18]).mean() < 4  # encoded twice
    assert not (tmp_path / "1.mp4").exists()
    with np.load(tmp_path / "0.npz") as pictures:
        assert pictures["samples"].shape == (2, 64, 96, 3)
        assert pictures["thumbnails"].shape == (3, 16, 16)


def measures(tmp_path: Path, frames: list[Frames]) -> dict[str, float]:
    height, width = frames[0].shape[:2]
    write_mp4(tmp_path / "film.mp4", frames, width=width, height=height, fps=FPS)
    (shot,) = look(str(tmp_path / "film.mp4"), str(tmp_path))["shots"]
    found: dict[str, float] = shot["measures"]
    return found


def pictures(step: int = 2, shake: int = 0, number: int = 24) -> list[Frames]:
    """A camera that passes over noise, and that jumps by ``shake`` pixels to and fro."""
    noise = np.random.default_rng(0).integers(40, 220, (16, 64, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    start = [10 + step * n + shake * (n % 2) for n in range(number)]
    return [np.ascontiguousarray(noise[:, x : x + 96]) for x in start]


def test_motion_and_shake(tmp_path: Path) -> None:
    still, passing, shaking = (measures(tmp_path, pictures(*steps)) for steps in ((0, 0), (2, 0), (2, 6)))
    assert still["motion"] < 0.002 < passing["motion"]
    assert still["shake"] < passing["shake"] < 0.02 < shaking["shake"]
    assert still["seconds"] == pytest.approx(2)


def test_light_and_sharpness(tmp_path: Path) -> None:
    sharp = measures(tmp_path, pictures())
    dark = measures(tmp_path, [frame // 20 for frame in pictures()])
    ramp = np.linspace(30, 220, 96).astype(np.uint8)
    soft = measures(tmp_path, [np.repeat(np.roll(ramp, n)[None, :, None].repeat(3, 2), 64, 0) for n in range(24)])
    assert dark["light"] < 0.06 < sharp["light"]
    assert soft["sharpness"] < sharp["sharpness"] / 10


@pytest.mark.parametrize("axis", [0, 1])
def test_bars(tmp_path: Path, axis: int) -> None:
    frames = [frame.copy() for frame in pictures()]
    for frame in frames:
        barred = frame if axis == 0 else frame.swapaxes(0, 1)
        barred[:8] = barred[-12:] = 0
    length = frames[0].shape[axis]
    assert measures(tmp_path, frames)["bars"] == pytest.approx(2 * 8 / length, abs=0.03)
    assert measures(tmp_path, pictures())["bars"] == 0


def special(path: Path, change: Callable[[Any], None], times: Callable[[int], int] = lambda n: n) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, FPS)
        change(stream)
        for number, picture in enumerate(pictures()):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = times(number), Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_turned_film_is_upright(tmp_path: Path) -> None:
    film = special(tmp_path / "turned.mp4", lambda stream: stream.set_display_rotation(90))
    shots = look(str(film), str(tmp_path))["shots"]
    assert cut(str(film), str(tmp_path), [(0, 0, shots[0]["stop"])]) == [96, 64]
    assert read_video(tmp_path / "0.mp4")[0].shape[1:3] == (96, 64)


def test_a_film_of_varying_rate_lasts_as_long_as_it_did(tmp_path: Path) -> None:
    film = special(tmp_path / "slower.mp4", lambda stream: None, lambda n: n if n < 12 else 12 + 3 * (n - 12))
    seen = look(str(film), str(tmp_path))
    seconds = sum(shot["measures"]["seconds"] for shot in seen["shots"])
    assert seconds == pytest.approx(4.0, abs=0.4)


@pytest.mark.parametrize(("transfer", "hdr"), [(16, True), (18, True), (1, False)])
def test_hdr_is_seen(tmp_path: Path, transfer: int, hdr: bool) -> None:
    def tag(stream: Any) -> None:
        stream.codec_context.color_trc = transfer

    assert look(str(special(tmp_path / "film.mp4", tag)), str(tmp_path))["hdr"] is hdr
