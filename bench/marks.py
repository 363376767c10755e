"""What the marks, the fingerprint and the looks at pictures are worth, and what they cost. Prints; checks nothing.

python bench/marks.py [NUMBER OF CLIPS] [FOLDER OF OTHER CLIPS]
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np
from PIL import Image

from sorairo.media import Frames, read_video
from sorairo.provenance.fingerprint import SIDE, moments, most_alike, thumbnails
from sorairo.provenance.visible_mark import draw_mark
from sorairo.provenance.watermark import (
    BITS,
    Watermark,
    _decoded,
    _detail,
    _likely_places,
    _values,
    identity_of,
    least_score,
    read_watermarks,
)
from sorairo.safety.detectors import FaceDetector, NudityDetector
from sorairo.shapes import VideoShape
from sorairo.world import make_clip, render

NATIVE, SECONDS, FPS = (160, 96), 4.0, 8
LARGER = {(320, 192): 33, (640, 384): 17, (1280, 720): 9, (1920, 1080): 5}  # frames of each that are looked at
NUM_KNOWN = 10_000

Change = Callable[[Frames], Frames]


def encoded(frames: Frames, crf: int) -> Frames:
    """As x264's own defaults encode them."""
    memory = io.BytesIO()
    with av.open(memory, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": str(crf)})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    memory.seek(0)
    with av.open(memory) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def resized(frames: Frames, width: int, height: int) -> Frames:
    size = width, height
    return np.stack([np.asarray(Image.fromarray(f).resize(size, Image.Resampling.BICUBIC)) for f in frames])


def half(frames: Frames) -> Frames:
    height, width = frames.shape[1:3]
    return resized(frames, width // 4 * 2, height // 4 * 2)


def cropped(frames: Frames) -> Frames:
    """A tenth of each side is gone: more on the left and at the top."""
    height, width = frames.shape[1:3]
    top, left = round(height * 0.07), round(width * 0.08)
    return frames[:, top : top + round(height * 0.9) // 2 * 2, left : left + round(width * 0.9) // 2 * 2]


def brighter(frames: Frames, by: float) -> Frames:
    return np.clip(frames * by, 0, 255).astype(np.uint8)


CHANGES: dict[str, Change] = {
    "nothing": lambda frames: frames,
    "H.264 at crf 18": lambda frames: encoded(frames, 18),
    "H.264 at crf 23": lambda frames: encoded(frames, 23),
    "H.264 at crf 28": lambda frames: encoded(frames, 28),
    "half the size, crf 23": lambda frames: encoded(half(frames), 23),
    "10 % crop, crf 23": lambda frames: encoded(cropped(frames), 23),
    "15 % brighter, crf 23": lambda frames: encoded(brighter(frames, 1.15), 23),
    "15 % darker, crf 23": lambda frames: encoded(brighter(frames, 0.85), 23),
    "every other frame, crf 23": lambda frames: encoded(frames[::2], 23),
    "half, cropped and crf 28": lambda frames: encoded(half(cropped(frames)), 28),
}


def made_clips(number: int) -> list[Frames]:
    """Clips of the built-in world, of scenes that nothing was trained on."""
    shape = VideoShape.from_seconds(SECONDS, *NATIVE, FPS)
    return [render(make_clip(seed, shape, "test"))[0] for seed in range(number)]


def right_bits(frames: Frames, identity: int, watermark: Watermark) -> int:
    """Of the best guess at the likeliest place, whether or not it is sure enough to count."""
    grid = watermark.grid
    signs = np.stack([np.sign(_detail(frame, grid)) for frame in frames]).mean(0)
    guesses = [_decoded(_values(signs, grid, place), grid) for place in _likely_places(signs, grid, 1)]
    return BITS - (guesses[0].identity ^ identity).bit_count()


def watermark_table(clips: Sequence[Frames]) -> None:
    num_frames, height, width = clips[0].shape[:3]
    read, bits = dict.fromkeys(CHANGES, 0), dict.fromkeys(CHANGES, 0)
    wrong, errors, writing, reading = 0, [], 0.0, 0.0
    for number, clip in enumerate(clips):
        identity = identity_of(str(number))
        watermark = Watermark(identity, width, height)
        begun = time.process_time()
        marked = np.stack([watermark.mark(frame) for frame in clip])
        writing += time.process_time() - begun
        errors.append(np.mean((marked.astype(np.float32) - clip) ** 2))
        for name, change in CHANGES.items():
            copy = change(marked)
            begun = time.process_time()
            found = [each.identity for each in read_watermarks(copy)]
            reading = max(reading, time.process_time() - begun)
            read[name] += identity in found
            wrong += len(set(found) - {identity})
            bits[name] += right_bits(copy, identity, watermark)
    psnr = 10 * np.log10(255**2 / np.array(errors))
    print(f"\n{width}x{height}, {len(clips)} clips of {num_frames} frames: PSNR {psnr.mean():.1f} dB", end=" ")
    print(
        f"({psnr.min():.1f} to {psnr.max():.1f}), written in {1000 * writing / len(clips) / num_frames:.1f} ms", end=" "
    )
    print(f"a frame, read in at most {reading:.1f} s; wrong identities: {wrong}")
    for name in CHANGES:
        share = bits[name] / len(clips) / BITS
        print(f"  {name:<28} read {read[name]:>3} of {len(clips):<3} bits right {share:7.1%}")


def library_table(clips: Sequence[Frames]) -> None:
    """The same from invisible-watermark's best method, 32 bits by a majority of frames; only if it is installed."""
    try:
        from imwatermark import WatermarkDecoder, WatermarkEncoder
    except ImportError:
        print("\ninvisible-watermark is not installed: no comparison")
        return
    bits = np.unpackbits(np.frombuffer(b"abcd", np.uint8))
    encoder, decoder = WatermarkEncoder(), WatermarkDecoder("bits", len(bits))
    encoder.set_watermark("bits", bits.tolist())
    print(f"\ninvisible-watermark, dwtDctSvd, {clips[0].shape[2]}x{clips[0].shape[1]}")
    for name, change in CHANGES.items():
        right, errors = [], []
        for clip in clips:
            marked = np.stack(
                [encoder.encode(np.ascontiguousarray(f[..., ::-1]), "dwtDctSvd")[..., ::-1] for f in clip]
            )
            errors.append(np.mean((marked.astype(np.float32) - clip) ** 2))
            try:
                copies = (np.ascontiguousarray(frame[..., ::-1]) for frame in change(marked))
                votes = np.mean([np.array(decoder.decode(copy, "dwtDctSvd"), float) for copy in copies], axis=0)
                right.append(float(((votes > 0.5) == bits).mean()))
            except RuntimeError as error:  # it takes no picture of fewer than 256 x 256 pixels
                print(f"  {name:<28} {error}")
                break
        else:
            psnr = 10 * np.log10(255**2 / np.mean(errors))
            print(f"  {name:<28} bits right {np.mean(right):7.1%}, PSNR {psnr:.1f} dB")


def false_positives(clips: Sequence[Frames]) -> None:
    found = sum(bool(read_watermarks(clip)) for clip in clips)
    print(f"\nread in {len(clips)} clips without one: {found}", end="; ")
    print(f"a score counts from {least_score():.2f}, by which at most one file in a million has one by chance")


def synthetic(number: int) -> list[np.ndarray]:
    """Fingerprints of four seconds: noise whose power falls with frequency as that of pictures does."""
    rng = np.random.default_rng(0)
    radius = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE))
    radius[0, 0] = 1
    made = []
    for _ in range(number):
        waves = rng.normal(size=(2, SIDE, radius.shape[1], 2)).view(np.complex128)[..., 0] / radius**1.2
        first, last = np.fft.irfft2(waves, (SIDE, SIDE))
        moving = first + (last - first) * np.linspace(0, 0.5, 9)[:, None, None]
        made.append(np.clip(128 + 50 * moving / moving.std(), 0, 255).astype(np.uint8))
    return made


def fingerprint_table(clips: Sequence[Frames]) -> None:
    own = [thumbnails(clip[moments(len(clip), FPS)]) for clip in clips]
    known = [*own, *synthetic(NUM_KNOWN - len(clips))]
    changes = {**CHANGES, "a second of it, cropped": lambda frames: encoded(cropped(frames[11:19]), 28)}
    print(f"\namong {NUM_KNOWN:,} fingerprints, {len(clips)} of them of clips")
    for name, change in changes.items():
        first, least, other, slowest = 0, 1.0, 0.0, 0.0
        for number, clip in enumerate(clips):
            copy = change(clip)
            begun = time.process_time()
            found = most_alike(copy, known)
            slowest = max(slowest, time.process_time() - begun)
            first += found[0][0] == number
            least = min([least, *(score for which, score in found if which == number)])
            other = max([other, *(score for which, score in found if which != number)])
        print(f"  {name:<28} first {first:>3} of {len(clips):<3} least likeness {least:.3f},", end=" ")
        print(f"most of another {other:.3f}, {slowest:.2f} s")


def costs(clip: Frames) -> None:
    nudity, faces = NudityDetector(), FaceDetector()
    print("\nmilliseconds of one core for a frame")
    for width, height in (NATIVE, *LARGER):
        frame = resized(clip[:1], width, height)[0]
        watermark = Watermark(1, width, height)
        steps = {
            "visible": lambda frame=frame: draw_mark(frame, 2.5),
            "watermark": lambda frame=frame, watermark=watermark: watermark.mark(frame),
            "nudity": lambda frame=frame: nudity(frame),
            "faces": lambda frame=frame: faces(frame),
        }
        times = {name: milliseconds(step) for name, step in steps.items()}
        told = ", ".join(f"{name} {spent:.1f}" for name, spent in times.items())
        each_second = FPS * (times["visible"] + times["watermark"]) + 2 * times["nudity"]
        print(f"  {width}x{height:<6} {told}; a second of video at {FPS} frames: {each_second:.0f}")


def milliseconds(step: Callable[[], object], times: int = 5) -> float:
    step()
    begun = time.process_time()
    for _ in range(times):
        step()
    return 1000 * (time.process_time() - begun) / times


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    clips = made_clips(number)
    costs(clips[0])
    watermark_table(clips)
    for (width, height), num_frames in LARGER.items():
        watermark_table([resized(clip[:num_frames], width, height) for clip in clips[: max(1, number // 2)]])
    library_table([resized(clip[:9], 640, 384) for clip in clips[: max(1, number // 2)]])
    for path in sorted(Path(sys.argv[2]).iterdir()) if len(sys.argv) > 2 else ():
        frames = read_video(path)[0][:33]
        print(f"\n{path.name}", end="")
        watermark_table([frames[:, : frames.shape[1] // 2 * 2, : frames.shape[2] // 2 * 2]])
    false_positives(clips)
    fingerprint_table(clips)


if __name__ == "__main__":
    main()
