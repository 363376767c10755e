"""The only place that touches a codec: clips and pictures to and from files.

Never leaves a part of a file behind, never trusts a file's name, and never lets FFmpeg open a path or an address that a
file names. Frames are uint8 arrays [t h w 3], RGB.
"""

import contextlib
import errno
import fcntl
import hashlib
import io
import os
import platform
import sys
import tempfile
import threading
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # both take a moment to load, which `sorairo --help` should not pay
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream
    from PIL import Image

Frames = NDArray[np.uint8]
Decoded = tuple["VideoFrame | Frames", float]  # a frame and the rate of all

_BT709 = 1  # H.273: primaries, transfer and matrix all use code 1 for BT.709; in FFmpeg 1 is also limited range
# x264's bytes depend on its number of threads, and that on the machine. FFmpeg's colour converter would start threads
# for each frame, which made it about four times as slow on a busy machine.
_THREADS = 1
_ENCODER = {"crf": "18", "preset": "veryfast"}
if platform.machine() in ("x86_64", "AMD64"):
    # With its AVX-512 functions x264 wrote other bytes for the same frames once in some 200 clips (29 of 6,400; with
    # AVX2 or SSE 4.2 at most, none of 9,500, the usual bytes, and no slower). Every x86 that runs numpy has SSE 4.2.
    _ENCODER["x264-params"] = "asm=MMX2,SSE2Fast,SSSE3,SSE4.2"

_VIDEO_CODECS = ("h264", "hevc", "vp8", "vp9", "av1", "libdav1d")
_MP4_FAMILY, _WEBM_FAMILY = "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"
_HDR = (16, 18)  # H.273: the transfer functions PQ and HLG
_PICTURE_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")


@dataclass(frozen=True)
class MediaLimits:
    """What a file may ask of this machine before it is refused. Sides in pixels."""

    file_bytes: int = 256 * 2**20
    side: int = 4096
    pixels: int = 1920 * 1088
    picture_pixels: int = 2**25
    frames: int = 2400
    seconds: float = 120.0
    fps: float = 120.0
    decoded_bytes: int = 2**30


DEFAULT_LIMITS = MediaLimits()


def file_sha256(path: str | Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_output(output: Path, overwrite: bool, suffix: str = ".mp4") -> Path:
    """Whether a file can be written there, before a minute is spent on it. Raises ValueError of one line."""
    if output.is_dir():
        raise ValueError(f"output is {output}, a folder; name a file in it, such as {output / 'clip'}{suffix}")
    if output.suffix.lower() != suffix:
        kind = "a clip is an .mp4 file" if suffix == ".mp4" else "a picture is a .png file"
        raise ValueError(f"output is {output}; {kind}: the nearest name is {output.with_suffix(suffix)}")
    if not output.parent.is_dir():
        raise ValueError(f"output is {output}; there is no folder {output.parent}")
    if output.exists() and not overwrite:
        raise ValueError(f"output is {output}; it exists already: choose another name, or ask to overwrite it")
    try:
        # As long as the longest temporary name that the writers put beside it.
        with tempfile.NamedTemporaryFile(dir=output.parent, prefix=f".{output.name}.", suffix=".0123456789.partial"):
            return output
    except OSError as error:
        raise ValueError(f"output is {output}; nothing can be written there ({error.strerror})") from error


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to: renamed to `path` when all went well, removed when not.

    Raises OSError naming `path` (full disk, missing or unwritable folder), before the first byte where possible.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.partial")
    try:
        if path.exists() and not path.is_file():  # renaming over a device would replace it
            raise FileExistsError(errno.EEXIST, "a folder or a device has this name")
        temporary.touch()
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise OSError(error.errno, f"cannot write the file ({error.strerror})", str(path)) from error
    finally:
        with contextlib.suppress(OSError):  # gone after the rename; never hides why the writing failed
            temporary.unlink()


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Makes `folder` and keeps it from all others that claim it, as long as this process lives.

    Raises ValueError of one line while another has it. Some network file systems keep it from nobody.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if isinstance(error, BlockingIOError):
                raise ValueError(f"out is {folder}; another run is at work in it: wait, or take {folder}-2") from None
        yield
    finally:
        os.close(handle)


def write_mp4(path: str | Path, frames: Iterable[Frames], *, width: int, height: int, fps: float) -> None:
    """Write frames [h w 3] as H.264 in mp4 (4:2:0, BT.709, index first), one at a time, so memory stays flat.

    The same frames give the same bytes: one encoder thread, no dates, no versions in the container. Raises ValueError
    for odd sides (4:2:0 halves them), a frame of another size or type, or no frame; OSError as `new_file` does.
    """
    _check_even("width", width)
    _check_even("height", height)
    if not 0 < fps <= 1000:
        raise ValueError(f"fps is {fps}; it must be above 0 and at most 1000")
    rate = Fraction(fps).limit_denominator(1001)
    with new_file(Path(path)) as temporary:
        _encode(temporary, _checked(frames, (height, width, 3)), width, height, rate)


def read_video(path: str | Path, limits: MediaLimits = DEFAULT_LIMITS) -> tuple[Frames, float]:
    """The one video of a file from a stranger, whole: (frames [t h w 3], frames per second), turned upright.

    The file is recognised by its content, decoded without access to other paths or addresses, and refused with a
    ValueError of one line as soon as it passes a limit. It runs in this process: a server gives it a child process
    with limits of its own.
    """
    return _whole(_decoded(Path(path), limits, pictures=False))


def read_picture(path: str | Path, limits: MediaLimits = DEFAULT_LIMITS) -> Frames:
    """Read a png, jpeg, webp or gif (its first picture) from a stranger as uint8 [h w 3], upright, on white.

    Raises ValueError of one line for anything else and for more than `limits.picture_pixels`, before decoding.
    """
    from PIL import Image, ImageOps

    with _opened(Path(path), limits) as file:
        data = file.read()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the size is checked below
            picture = Image.open(io.BytesIO(data), formats=_PICTURE_FORMATS)
        if picture.width * picture.height > limits.picture_pixels:
            raise _RefusedError(f"{picture.width}x{picture.height} is more than {limits.picture_pixels} pixels")
        upright = ImageOps.exif_transpose(picture).convert("RGBA")
    except _RefusedError as refusal:
        raise ValueError(f"{path} cannot be used: {refusal}") from None
    except Image.DecompressionBombError:  # so large that Pillow does not even tell its size
        raise ValueError(f"{path} cannot be used: it has more than {limits.picture_pixels} pixels") from None
    except Exception as error:
        raise ValueError(f"{path} is not a png, jpeg, webp or gif picture ({type(error).__name__})") from error
    white = Image.new("RGBA", upright.size, "white")
    return np.asarray(Image.alpha_composite(white, upright).convert("RGB"))


def read_any(path: str | Path, limits: MediaLimits = DEFAULT_LIMITS) -> tuple[Frames, float]:
    """A clip as `read_video` gives it, or a picture as one frame [1 h w 3] at the rate 0. Its content decides."""
    return _whole(_decoded(Path(path), limits, pictures=True))


class Footage:
    """What `read_any` reads, of the same ``shape`` [t h w 3], each frame decoded when it is asked for: memory is flat.

    Decoded once when it is opened, so that a damaged file is known then; raises as `read_any` does. Frames are quick
    in their order, also for two who go through it at once; whoever goes back waits until it is decoded from the start.
    """

    def __init__(self, path: str | Path, limits: MediaLimits = DEFAULT_LIMITS) -> None:
        self._open = partial(_decoded, Path(path), replace(limits, decoded_bytes=sys.maxsize), pictures=True)
        self._readers: list[_Reader] = []
        number, (last, self.fps) = deque(enumerate(self._open(), start=1), maxlen=1).pop()
        self.shape: tuple[int, ...] = (number, *_pixels(last).shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int) -> Frames:
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        ready = [reader for reader in self._readers if reader.index <= index]
        if not ready:
            ready = [_Reader(self._open())]
            self._readers = [*self._readers[-1:], *ready]
        return max(ready, key=lambda reader: reader.index).read(index)


class _Reader:
    """A place in a file that only moves on."""

    def __init__(self, decoded: Iterator[Decoded]) -> None:
        self._decoded, self.index = decoded, -1

    def read(self, index: int) -> Frames:
        if index > self.index:
            frame, _ = next(islice(self._decoded, index - self.index - 1, None))
            self._picture, self.index = _pixels(frame), index
        return self._picture


class TimedFrame(NamedTuple):
    """A frame [h w 3], the second at which it is shown, the mean rate of all, and whether it is coded as HDR."""

    picture: Frames
    seconds: float
    fps: float
    hdr: bool


def read_timed(path: str | Path, limits: MediaLimits = DEFAULT_LIMITS, longer_side: int = 0) -> Iterator[TimedFrame]:
    """What `read_video` reads, one frame at a time, scaled down to at most ``longer_side`` if that is given.

    A clip's time begins with its first frame. Brightness that is coded as HDR is not mapped to what a screen can show.
    """
    start = None
    for number, (frame, fps) in enumerate(_decoded(Path(path), limits, pictures=False)):
        assert not isinstance(frame, np.ndarray), "a picture has no time"
        seconds = number / fps if frame.time is None else frame.time
        start = seconds if start is None else start
        yield TimedFrame(_pixels(frame, longer_side), seconds - start, fps, frame.color_trc in _HDR)


def fitted(picture: Frames, width: int, height: int) -> Frames:
    """A picture [h w 3] scaled to cover ``width`` x ``height``, what hangs over cut off; itself if it has that size."""
    if picture.shape[:2] == (height, width):
        return picture
    from PIL import Image, ImageOps

    return np.asarray(ImageOps.fit(_image(picture), (width, height), Image.Resampling.LANCZOS))


def write_png(path: str | Path, picture: Frames) -> None:
    """Write a picture [h w 3]. Raises OSError as `new_file` does."""
    _save(Path(path), _image(picture), format="PNG", optimize=True)


def write_animation(path: str | Path, frames: Sequence[Frames], *, fps: float, width: int | None = None) -> None:
    """Write an endless moving picture for a page: `.webp` (small, full colour) or `.gif` (256 colours, steps of 10 ms).

    `width` scales it, keeping proportions. Raises ValueError for another suffix or no frame; OSError as `new_file`
    does.
    """
    path = Path(path)
    kind = path.suffix.lower().removeprefix(".")
    if kind not in ("webp", "gif"):
        raise ValueError(f"{path.name} has the suffix {path.suffix!r}; a moving picture is .webp or .gif")
    if len(frames) == 0:
        raise ValueError("frames is empty; a moving picture needs at least one")
    first, *others = [_scaled(_image(frame), width) for frame in frames]
    look: dict[str, Any] = {"quality": 82, "method": 4} if kind == "webp" else {"optimize": True}
    motion = {"save_all": True, "append_images": others, "duration": round(1000 / fps), "loop": 0}
    _save(path, first, format=kind.upper(), **motion, **look)


def strip(frames: Frames, num_frames: int = 6, gap: int = 2) -> Frames:
    """A contact strip [h w 3]: frames of a clip [t h w 3] from its first to its last, `gap` white columns apart."""
    assert len(frames) > 0, "a strip of nothing"
    chosen = np.linspace(0, len(frames) - 1, min(num_frames, len(frames))).round().astype(int)
    space = np.full((frames.shape[1], gap, 3), 255, np.uint8)
    pieces = [piece for index in chosen for piece in (space, frames[index])]
    return np.concatenate(pieces[1:], axis=1)


class _RefusedError(Exception):
    """A limit or a list of what is allowed says no; the text is for the user."""


def _quiet_av() -> Any:
    import av
    import av.logging

    av.logging.set_level(av.logging.PANIC)  # FFmpeg's own lines name server paths and say nothing to a user
    return av


def _check_even(field: str, value: int) -> None:
    if value < 2 or value % 2:
        nearest = "2" if value < 2 else f"{value - 1} or {value + 1}"
        raise ValueError(f"{field} is {value}; H.264 with 4:2:0 colour needs even sides: the nearest are {nearest}")


def _checked(frames: Iterable[Frames], shape: tuple[int, int, int]) -> Iterator[Frames]:
    count = 0
    for count, frame in enumerate(frames, start=1):
        if frame.shape != shape or frame.dtype != np.uint8:
            found = f"{frame.dtype} {list(frame.shape)}"
            raise ValueError(f"frame {count - 1} is {found}; this clip's frames are uint8 {list(shape)}")
        yield frame
    if count == 0:
        raise ValueError("frames is empty; a clip needs at least one")


def _encode(path: Path, frames: Iterator[Frames], width: int, height: int, rate: Fraction) -> None:
    av = _quiet_av()
    # bitexact: no version of FFmpeg in the container; faststart: the index first, so that a player can begin at once
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=rate, options=_ENCODER)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        coder = stream.codec_context
        coder.thread_count = _THREADS
        coder.color_range = coder.colorspace = coder.color_primaries = coder.color_trc = _BT709
        for frame in frames:
            rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            container.mux(stream.encode(rgb.reformat(format="yuv420p", dst_colorspace="ITU709", threads=_THREADS)))
        container.mux(stream.encode(None))


def _decoded(path: Path, limits: MediaLimits, pictures: bool) -> Iterator[Decoded]:
    """Every frame, one at a time. Raises as `read_video` does."""
    with _opened(path, limits) as file:
        start = file.read(12)
        family = _MP4_FAMILY if start[4:8] == b"ftyp" else _WEBM_FAMILY if start[:4] == b"\x1aE\xdf\xa3" else None
        if family is None and not pictures:
            raise ValueError(f"{path} is not a video that can be read here: mp4, mov, webm or mkv")
        try:
            if family is None:
                yield read_picture(path, limits), 0.0
                return
            file.seek(0)
            # max_streams bounds what a forged header makes FFmpeg allocate
            options = {"format_whitelist": family, "protocol_whitelist": "none", "max_streams": "8"}
            with _quiet_av().open(file, options=options) as container:
                yield from _decode(container, limits)
        except _RefusedError as refusal:
            raise ValueError(f"{path} cannot be used: {refusal}") from None
        except Exception as error:  # broken headers surface as IndexError, UnicodeDecodeError, and more
            if family is None:
                raise ValueError(str(error).replace("is not a png", "is neither a video nor a png")) from None
            raise ValueError(f"{path} is a damaged or unsupported video ({type(error).__name__})") from error


def _decode(container: "InputContainer", limits: MediaLimits) -> Iterator[Decoded]:
    if len(container.streams.video) != 1:
        raise _RefusedError(f"it has {len(container.streams.video)} video streams, not one")
    stream = container.streams.video[0]
    fps = _check_stream(container, stream, limits)
    stream.codec_context.thread_count = _THREADS
    stream.codec_context.options = {"max_pixels": str(limits.pixels + 2**16)}  # as coded, sides rounded up
    number, kinds = 0, set()
    for number, frame in enumerate(container.decode(stream), start=1):
        # The stream may change its size on the way, so each frame is checked as well.
        _check_size(frame.width, frame.height, limits)
        if number > limits.frames or number * frame.width * frame.height * 3 > limits.decoded_bytes:
            raise _RefusedError(f"more than {number - 1} frames of {frame.width}x{frame.height} are too many")
        kinds.add((frame.width, frame.height, frame.rotation))
        if len(kinds) > 1:
            raise _RefusedError("its frames differ in size")
        yield frame, fps
    if not number:
        raise _RefusedError("it has no frames")


def _pixels(frame: "VideoFrame | Frames", longer_side: int = 0) -> Frames:
    """A frame [h w 3], turned upright: a telephone held upright films turned frames; scaled down if that is asked."""
    if isinstance(frame, np.ndarray):
        return frame
    scale = min(1.0, longer_side / max(frame.width, frame.height)) if longer_side else 1.0
    width, height = (max(1, round(side * scale)) for side in (frame.width, frame.height))
    rgb = frame.reformat(width, height, format="rgb24", threads=_THREADS)
    return np.rot90(rgb.to_ndarray(), round(frame.rotation / 90) % 4)


def _whole(decoded: Iterator[Decoded]) -> tuple[Frames, float]:
    frames, rates = zip(*((_pixels(frame), fps) for frame, fps in decoded), strict=True)
    return np.stack(frames), rates[0]


def _check_stream(container: "InputContainer", stream: "VideoStream", limits: MediaLimits) -> float:
    codec, rate = stream.codec_context.name, stream.average_rate
    if codec not in _VIDEO_CODECS:
        raise _RefusedError(f"its codec is {codec}; known are {', '.join(_VIDEO_CODECS[:-1])}")
    _check_size(stream.width, stream.height, limits)
    seconds = (container.duration or 0) / 1e6
    if seconds > limits.seconds:
        raise _RefusedError(f"it lasts {seconds:.1f} s; at most {limits.seconds:g} s are read")
    if not rate or not 0 < rate <= limits.fps:
        raise _RefusedError(f"its frame rate is {rate}; it must be above 0 and at most {limits.fps:g}")
    return float(rate)


def _check_size(width: int, height: int, limits: MediaLimits) -> None:
    if not (0 < width <= limits.side and 0 < height <= limits.side and width * height <= limits.pixels):
        raise _RefusedError(f"{width}x{height} is too large: at most {limits.pixels} pixels, {limits.side} a side")


def _opened(path: Path, limits: MediaLimits) -> BinaryIO:
    if not path.is_file():
        raise ValueError(f"{path} is a folder or a device, not a file" if path.exists() else f"{path} does not exist")
    size = path.stat().st_size
    if not size:
        raise ValueError(f"{path} is empty")
    if size > limits.file_bytes:
        raise ValueError(f"{path} is larger than {limits.file_bytes / 2**20:g} MiB")
    return path.open("rb")


def _save(path: Path, image: "Image.Image", **options: Any) -> None:
    """Encode in memory first: Pillow hides from its caller why a file could not be written."""
    memory = io.BytesIO()
    image.save(memory, **options)
    with new_file(path) as temporary:
        temporary.write_bytes(memory.getbuffer())


def _image(picture: Frames) -> "Image.Image":
    from PIL import Image

    assert picture.dtype == np.uint8, picture.dtype
    return Image.fromarray(picture)


def _scaled(image: "Image.Image", width: int | None) -> "Image.Image":
    if width is None or width == image.width:
        return image
    from PIL import Image

    return image.resize((width, max(1, round(image.height * width / image.width))), Image.Resampling.LANCZOS)
