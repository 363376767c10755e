"""Found again: by credentials, watermark and likeness, each alone and together, among many and within a second."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sorairo.media import Frames, read_video, write_mp4, write_png
from sorairo.provenance import Authority, ClipStore, KnownClip, Manifest, sign, verify, whence
from sorairo.provenance.fingerprint import ALIKE, SIDE, Thumbnails, fingerprint, moments, most_alike, thumbnails
from sorairo.provenance.watermark import Watermark

IDENTITY = 0xABCDEF012


def field(number: int, num_frames: int = 17) -> Frames:
    """A clip [t 96 160 3] of two large patterns of which one passes into the other."""
    rng = np.random.default_rng(number)
    rough = rng.integers(0, 256, (2, 5, 7, 3), np.uint8)
    one, other = (np.asarray(Image.fromarray(each).resize((160, 96), Image.Resampling.BICUBIC)) for each in rough)
    shares = np.linspace(0, 1, num_frames)[:, None, None, None]
    return (one * (1 - shares) + other * shares).astype(np.uint8)


def written(path: Path, frames: Frames) -> Path:
    write_mp4(path, frames, width=frames.shape[2], height=frames.shape[1], fps=8)
    return path


def known(number: int) -> KnownClip:
    frames = field(number)
    return KnownClip(number, f"{number}.mp4", "m", "2026-01-01T00:00:00Z", thumbnails(frames[moments(17, 8)]))


@pytest.fixture
def store(tmp_path: Path) -> ClipStore:
    store = ClipStore(tmp_path / "clips.sqlite")
    for number in range(20):
        store.add(known(number))
    return store


def synthetic(number: int) -> list[Thumbnails]:
    """Fingerprints of four seconds: soft patterns."""
    rng = np.random.default_rng(1)
    rough = rng.integers(0, 256, (number, 9, 4, 4), np.uint8)
    return [each.repeat(SIDE // 4, 1).repeat(SIDE // 4, 2) for each in rough]


def test_moments_are_two_a_second() -> None:
    assert moments(33, 8) == list(range(0, 33, 4))
    assert moments(25, 24) == [0, 12, 24]
    assert moments(1, 0) == [0]
    assert moments(3, 8) == [0]
    assert max(moments(100, 29.97)) < 100


@pytest.mark.parametrize(
    "change",
    [
        lambda frames: frames,
        lambda frames: frames[:, 9:, :144],
        lambda frames: frames[5:12],
        lambda frames: frames[6:7],
        lambda frames: (frames * 0.8).astype(np.uint8),
        lambda frames: frames[:, ::2, ::2],
    ],
    ids=["same", "crop", "trim", "a frame", "dark", "half"],
)
def test_a_copy_is_found_among_others_and_a_stranger_is_not(change, store: ClipStore) -> None:  # type: ignore[no-untyped-def]
    best, likeness = store.most_alike(change(field(7)))[0]
    assert best.title == "7.mp4"
    assert likeness > ALIKE
    assert store.most_alike(change(field(99)))[0][1] < ALIKE


def test_ten_thousand_take_less_than_a_second() -> None:
    fingerprints = [*synthetic(9_999), known(7).thumbnails]
    begun = time.process_time()
    (best, likeness), *_ = most_alike(field(7)[:, 8:, 10:], fingerprints)
    assert time.process_time() - begun < 1
    assert best == 9_999
    assert likeness > ALIKE


def test_the_store_remembers_and_replaces(store: ClipStore) -> None:
    assert store.with_identity(3) == [known(3)]
    assert np.array_equal(store.with_identity(3)[0].thumbnails, known(3).thumbnails)
    store.add(known(3))
    assert len(store.with_identity(3)) == 1
    assert os.name != "posix" or store.path.stat().st_mode & 0o777 == 0o600


def test_a_store_that_is_not_there_is_empty_and_a_broken_one_is_named(tmp_path: Path) -> None:
    assert ClipStore(tmp_path / "none").most_alike(field(1)) == []
    (tmp_path / "broken").write_bytes(b"not a database, whatever its name says" * 100)
    for use in (lambda store: store.add(known(1)), lambda store: store.most_alike(field(1))):
        with pytest.raises(OSError, match="store of signed clips cannot be used") as caught:
            use(ClipStore(tmp_path / "broken"))
        assert caught.value.filename == str(tmp_path / "broken")


@pytest.fixture
def signed(tmp_path: Path, manifest: Manifest, authority: Authority) -> Path:
    """A marked and signed clip that the machine's own store knows."""
    watermark = Watermark(IDENTITY, 160, 96)
    path = written(tmp_path / "a.mp4", np.stack([watermark.mark(frame) for frame in field(7)]))
    own = Manifest("a.mp4", "m", "ab" * 32, {"prompt": "a"}, IDENTITY)
    sign(path, path, own)
    ClipStore().add(KnownClip(IDENTITY, "a.mp4", "m", "2026-01-01T00:00:00Z", fingerprint(path)))
    return path


def test_all_three_agree_on_the_file_itself(signed: Path) -> None:
    answer = whence(signed)
    (origin,) = answer.origins
    assert answer.verdict.state == "trusted"
    assert (origin.identity, origin.name, origin.credentials) == (IDENTITY, "a.mp4", True)
    assert len(origin.evidence) == 3
    assert answer.to_json()["origins"][0]["identity"] == "abcdef012"


def test_a_stripped_copy_is_found_by_what_is_left(signed: Path, tmp_path: Path) -> None:
    frames, _ = read_video(signed)
    cropped = whence(written(tmp_path / "b.mp4", frames[3:15, 8:, :144]))
    assert cropped.verdict.state == "none"
    assert [(origin.name, bool(origin.watermark), origin.likeness > ALIKE) for origin in cropped.origins] == [
        ("a.mp4", True, True)
    ]
    rubbed_out = whence(written(tmp_path / "c.mp4", field(7)))
    assert [(origin.name, origin.watermark) for origin in rubbed_out.origins] == [("a.mp4", 0.0)]


def test_what_another_store_signed_is_named_by_its_identity(signed: Path, tmp_path: Path) -> None:
    (origin,) = whence(signed, ClipStore(tmp_path / "empty")).origins
    assert origin.clip is None
    assert "abcdef012" in origin.name
    assert origin.watermark > 10


def test_of_a_stranger_nothing_is_said(signed: Path, tmp_path: Path) -> None:
    assert whence(written(tmp_path / "b.mp4", field(50))).origins == ()
    write_png(tmp_path / "b.png", field(50)[0])
    assert whence(tmp_path / "b.png").origins == ()
    with pytest.raises(ValueError, match="does not exist"):
        whence(tmp_path / "none.mp4")


def test_credentials_that_do_not_hold_are_no_evidence(signed: Path, tmp_path: Path) -> None:
    data = bytearray(signed.read_bytes())
    data[data.rindex(b"mdat") + 400] ^= 1
    (tmp_path / "b.mp4").write_bytes(data)
    assert verify(tmp_path / "b.mp4").state == "invalid"
    assert not any(origin.credentials for origin in whence(tmp_path / "b.mp4").origins)
