"""Media: what is written can be read, the same frames give the same bytes, and hostile files get one clear line."""

import io
import os
import re
import subprocess
import sys
import tracemalloc
import weakref
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from sorairo.media import (
    Footage,
    Frames,
    MediaLimits,
    new_file,
    read_picture,
    read_video,
    strip,
    write_animation,
    write_mp4,
    write_png,
)

WIDTH, HEIGHT = 64, 48
BANDS = ((230, 40, 30), (20, 200, 60), (30, 60, 220), (250, 240, 40))


def moving_bands(num_frames: int = 9) -> Frames:
    """Four flat bands of colour (aligned with the chroma grid), rolled sideways by one band a frame."""
    picture = np.repeat(np.array(BANDS, np.uint8), WIDTH // 4, axis=0)[None].repeat(HEIGHT, axis=0)
    return np.stack([np.roll(picture, index * WIDTH // 4, axis=1) for index in range(num_frames)])


def write_bands(path: Path, frames: Frames | None = None, fps: float = 8) -> Path:
    write_mp4(path, moving_bands() if frames is None else frames, width=WIDTH, height=HEIGHT, fps=fps)
    return path


def assert_one_line(caught: pytest.ExceptionInfo[BaseException], *words: str) -> None:
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in words), message


# --- writing -------------------------------------------------------------------------------------------------------


def test_colours_and_motion_survive(tmp_path: Path) -> None:
    """BT.709 both ways: a wrong matrix moves pure colours by 10 to 30 levels."""
    frames, fps = read_video(write_bands(tmp_path / "a.mp4"))
    assert fps == 8
    assert frames.shape == (9, HEIGHT, WIDTH, 3)
    assert frames.dtype == np.uint8
    centres = slice(WIDTH // 8, None, WIDTH // 4)
    error = frames[:, 8:-8, centres].astype(int) - moving_bands()[:, 8:-8, centres]
    assert np.abs(error).max() <= 4


def test_same_frames_same_bytes(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (9, HEIGHT, WIDTH, 3), np.uint8)
    written = set()
    for _ in range(50):  # other work in between: x264 left to itself differs now and then on processors with AVX-512
        written.add(write_bands(tmp_path / "a.mp4", noise).read_bytes())
        read_video(write_bands(tmp_path / "b.mp4"))
    assert len(written) == 1
    assert b"Lavf" not in written.pop()


def test_what_players_need(tmp_path: Path) -> None:
    path = write_bands(tmp_path / "a.mp4")
    data = path.read_bytes()
    assert data[4:8] == b"ftyp"
    assert 0 < data.find(b"moov") < data.find(b"mdat")
    with av.open(str(path)) as container:
        coder = container.streams.video[0].codec_context
        assert (coder.name, coder.pix_fmt) == ("h264", "yuv420p")
        assert (coder.color_range, coder.colorspace, coder.color_primaries, coder.color_trc) == (1, 1, 1, 1)
        assert container.duration == 9 / 8 * 1e6


@pytest.mark.parametrize("fps", [8, 24, 29.97, 12.5])
def test_frame_rates(tmp_path: Path, fps: float) -> None:
    assert read_video(write_bands(tmp_path / "a.mp4", fps=fps))[1] == pytest.approx(fps, abs=1e-4)


def test_one_frame_and_a_view(tmp_path: Path) -> None:
    frames, _ = read_video(write_bands(tmp_path / "a.mp4", moving_bands(1)[:, ::-1]))
    assert len(frames) == 1


def test_memory_is_flat(tmp_path: Path) -> None:
    """Frames are drawn one at a time and let go of: at most two are alive at any moment."""
    born: list[weakref.ref[Frames]] = []

    def frames() -> Iterator[Frames]:
        for index in range(40):
            frame = np.full((HEIGHT, WIDTH, 3), index, np.uint8)
            born.append(weakref.ref(frame))
            assert sum(reference() is not None for reference in born) <= 2
            yield frame

    write_mp4(tmp_path / "a.mp4", frames(), width=WIDTH, height=HEIGHT, fps=8)
    assert len(read_video(tmp_path / "a.mp4")[0]) == len(born) == 40


@pytest.mark.parametrize(
    ("frames", "size", "message"),
    [
        (moving_bands(), (WIDTH, HEIGHT + 2), "frame 0 is uint8 [48, 64, 3]; this clip's frames are uint8 [50, 64, 3]"),
        (moving_bands().astype(float), (WIDTH, HEIGHT), "frame 0 is float64"),
        (
            moving_bands(),
            (WIDTH + 1, HEIGHT),
            "width is 65; H.264 with 4:2:0 colour needs even sides: the nearest are 64 or 66",
        ),
        (moving_bands(), (WIDTH, 0), "height is 0;"),
        (moving_bands()[:0], (WIDTH, HEIGHT), "frames is empty"),
    ],
)
def test_wrong_frames_leave_nothing(tmp_path: Path, frames: Frames, size: tuple[int, int], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        write_mp4(tmp_path / "a.mp4", frames, width=size[0], height=size[1], fps=8)
    assert os.listdir(tmp_path) == []


def test_a_failing_source_of_frames_keeps_the_old_file(tmp_path: Path) -> None:
    path = write_bands(tmp_path / "a.mp4")
    before = path.read_bytes()

    def frames() -> Iterator[Frames]:
        yield from moving_bands(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_mp4(path, frames(), width=WIDTH, height=HEIGHT, fps=8)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.mp4"]


FILE_LIMIT = """
import resource, signal, sys
import numpy as np
from sorairo import media
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
noise = np.random.default_rng(0).integers(0, 256, (9, 96, 96, 3), np.uint8)
for limit in (0, 100, 20_000, 60_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, 2**30))
    for write in (
        lambda: media.write_mp4(sys.argv[1] + "/a.mp4", noise, width=96, height=96, fps=8),
        lambda: media.write_animation(sys.argv[1] + "/a.webp", np.concatenate([noise] * 2), fps=8),
        lambda: media.write_png(sys.argv[1] + "/a.png", media.strip(noise)),
    ):
        try:
            write()
        except OSError as error:
            print(error)
"""


@pytest.mark.skipif(os.name != "posix", reason="file size limits are POSIX")
def test_no_room_in_mid_write_leaves_nothing(tmp_path: Path) -> None:
    """The system refuses to write on at several places of each file (a size limit: as a full disk, needs no mount)."""
    script = [sys.executable, "-c", FILE_LIMIT, str(tmp_path)]
    lines = subprocess.run(script, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(lines) == 12
    for line in lines:
        assert re.fullmatch(r"\[Errno 27\] cannot write the file \(File too large\): '[^']*/a\.(mp4|webp|png)'", line)
    assert os.listdir(tmp_path) == []


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"cannot write the file \(No such file or directory\): .*no/a\.mp4"):
        write_bands(tmp_path / "no" / "a.mp4")
    with pytest.raises(FileExistsError, match="a folder or a device has this name"):
        write_bands(tmp_path)
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="no devices")
def test_a_device_is_never_replaced() -> None:
    with pytest.raises(FileExistsError), new_file(Path("/dev/null")):
        pass
    assert not Path("/dev/null").is_file()


# --- reading -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (MediaLimits(file_bytes=500), ("larger than",)),
        (MediaLimits(side=63), ("64x48 is too large",)),
        (MediaLimits(pixels=1000), ("64x48 is too large", "1000 pixels")),
        (MediaLimits(frames=8), ("more than 8 frames",)),
        (MediaLimits(decoded_bytes=5 * WIDTH * HEIGHT * 3), ("more than 5 frames",)),
        (MediaLimits(seconds=1), ("lasts 1.1 s", "at most 1 s")),
        (MediaLimits(fps=7), ("frame rate is 8",)),
    ],
)
def test_limits(tmp_path: Path, limits: MediaLimits, words: tuple[str, ...]) -> None:
    path = write_bands(tmp_path / "a.mp4")
    with pytest.raises(ValueError, match=r"a\.mp4") as caught:
        read_video(path, limits)
    assert_one_line(caught, *words)


def test_what_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile secret.mp4\n")  # would open a neighbour file
    (tmp_path / "live.mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n")
    (tmp_path / "junk.mp4").write_bytes(b"\0\0\0\x20ftypisom" + bytes(range(256)) * 40)
    write_png(tmp_path / "picture.mp4", moving_bands()[0])
    for name, word in {
        "missing.mp4": "does not exist",
        ".": "is a folder",
        "empty.mp4": "is empty",
        "list.mp4": "not a video that can be read here",
        "live.mp4": "not a video that can be read here",
        "picture.mp4": "not a video that can be read here",
        "junk.mp4": "damaged or unsupported video",
    }.items():
        with pytest.raises(ValueError, match=word) as caught:
            read_video(tmp_path / name)
        assert_one_line(caught, name if name != "." else tmp_path.name)


def test_cut_and_scratched_videos(tmp_path: Path) -> None:
    """Whatever is cut off or overwritten: a clip of the right shape or a ValueError, nothing else."""
    data = write_bands(tmp_path / "a.mp4").read_bytes()
    rng = np.random.default_rng(0)
    outcomes = set()
    for trial in range(60):
        damaged = bytearray(data if trial % 2 else data[: rng.integers(1, len(data))])
        for position in rng.integers(4, len(damaged), 12 * (trial % 2)) if len(damaged) > 4 else ():
            damaged[position] = rng.integers(256)
        (tmp_path / "b.mp4").write_bytes(damaged)
        try:
            outcomes.add(read_video(tmp_path / "b.mp4", MediaLimits(side=512))[0].shape[-1])
        except ValueError as error:
            outcomes.add(str(error).count("\n"))
    assert outcomes == {3, 0}


def test_codecs_outside_the_list(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width, stream.height = WIDTH, HEIGHT
        container.mux(stream.encode(av.VideoFrame.from_ndarray(moving_bands()[0], format="rgb24")))
        container.mux(stream.encode(None))
    with pytest.raises(ValueError, match="its codec is mpeg4; known are h264, hevc"):
        read_video(tmp_path / "a.mp4")


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_turned_telephone_video_comes_upright(tmp_path: Path, degrees: int) -> None:
    """The file holds a turned picture and says by how much to turn it back, counter-clockwise."""
    upright = moving_bands(1)[0]
    stored = np.ascontiguousarray(np.rot90(upright, -degrees // 90))
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(8), options={"crf": "4"})
        stream.height, stream.width = stored.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.set_display_rotation(degrees)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(stored, format="rgb24")))
        container.mux(stream.encode(None))
    (frame,), _ = read_video(tmp_path / "a.mp4")
    assert frame.shape == upright.shape
    assert np.abs(frame.astype(int) - upright)[:, WIDTH // 8 :: WIDTH // 4].max() < 8


# --- pictures ------------------------------------------------------------------------------------------------------


def test_pictures_round_trip(tmp_path: Path) -> None:
    picture = moving_bands()[0]
    write_png(tmp_path / "a.png", picture)
    assert np.array_equal(read_picture(tmp_path / "a.png"), picture)
    Image.fromarray(picture).save(tmp_path / "b.jpg", quality=95, subsampling=0)
    assert np.abs(read_picture(tmp_path / "b.jpg").astype(int) - picture).mean() < 6


def test_transparent_and_turned_pictures(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 2), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (read_picture(tmp_path / "clear.png") == 255).all()
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its side
    Image.new("RGB", (4, 2)).save(tmp_path / "turned.jpg", exif=exif)
    assert read_picture(tmp_path / "turned.jpg").shape == (4, 2, 3)


def test_what_is_no_picture(tmp_path: Path) -> None:
    memory = io.BytesIO()
    Image.new("1", (13_000, 13_000)).save(memory, "PNG")  # 20 kB that would unfold to half a gigabyte
    (tmp_path / "bomb.png").write_bytes(memory.getvalue())
    (tmp_path / "text.png").write_text("not a picture")
    Image.new("RGB", (8, 8)).save(tmp_path / "other.png", "BMP")
    write_png(tmp_path / "whole.png", moving_bands()[0])
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:-40])
    for name, word in {"bomb": "13000x13000", "text": "not a png", "other": "not a png", "cut": "not a png"}.items():
        with pytest.raises(ValueError, match=word) as caught:
            read_picture(tmp_path / f"{name}.png")
        assert_one_line(caught, f"{name}.png")


@pytest.mark.parametrize("suffix", ["webp", "gif"])
def test_animation(tmp_path: Path, suffix: str) -> None:
    write_animation(tmp_path / f"a.{suffix}", moving_bands(), fps=8, width=32)
    with Image.open(tmp_path / f"a.{suffix}") as image:
        assert (image.size, image.n_frames, image.info["loop"]) == ((32, 24), 9, 0)
        image.seek(3)
        error = np.asarray(image.convert("RGB")).astype(int) - np.asarray(moving_bands()[3])[::2, ::2]
        assert np.abs(error).mean() < 12
        image.load()
        assert image.info["duration"] in (120, 125, 130)


def test_animation_refuses(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"suffix '\.avi'; a moving picture is \.webp or \.gif"):
        write_animation(tmp_path / "a.avi", moving_bands(), fps=8)
    with pytest.raises(ValueError, match="frames is empty"):
        write_animation(tmp_path / "a.gif", [], fps=8)
    assert os.listdir(tmp_path) == []


def test_strip_spans_the_clip() -> None:
    clip = np.arange(9, dtype=np.uint8)[:, None, None, None] * np.ones((9, 2, 4, 3), np.uint8)
    row = strip(clip, num_frames=3, gap=1)
    assert row.shape == (2, 14, 3)
    assert row[0, :, 0].tolist() == [0] * 4 + [255] + [4] * 4 + [255] + [8] * 4
    assert strip(clip[:2], num_frames=6, gap=0).shape == (2, 8, 3)


def test_footage_is_the_same_frames_one_at_a_time(tmp_path: Path) -> None:
    """In order, twice over with one reader ahead of the other, and backwards."""
    frames, fps = read_video(write_bands(tmp_path / "a.mp4"))
    footage = Footage(tmp_path / "a.mp4")
    assert (footage.shape, len(footage), footage.fps) == (frames.shape, 9, fps)
    order = [index for pair in zip(range(3, 9), range(6), strict=True) for index in pair] + [8, 4, 0]
    assert all(np.array_equal(footage[index], frames[index]) for index in order)
    assert [np.array_equal(a, b) for a, b in zip(footage, frames, strict=True)] == [True] * 9


def test_footage_of_a_picture_is_one_frame(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", moving_bands(1)[0])
    footage = Footage(tmp_path / "a.png")
    assert (len(footage), footage.fps) == (1, 0)
    assert np.array_equal(footage[0], moving_bands(1)[0])


def test_footage_of_any_length_takes_the_same_memory(tmp_path: Path) -> None:
    def peak(num_frames: int) -> int:
        write_bands(tmp_path / "a.mp4", moving_bands(num_frames))
        tracemalloc.start()
        footage = Footage(tmp_path / "a.mp4", MediaLimits(decoded_bytes=1))
        assert sum(1 for _ in footage) == num_frames
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(9)  # what is loaded once
    assert peak(250) < peak(25) + 4 * HEIGHT * WIDTH * 3
    (tmp_path / "a.mp4").write_bytes((tmp_path / "a.mp4").read_bytes()[:900])
    with pytest.raises(ValueError, match="it has no frames"):  # known when it is opened
        Footage(tmp_path / "a.mp4")
