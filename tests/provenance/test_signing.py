"""Signing: what is written verifies as trusted, says what the manifest says, and fails closed."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from sorairo.media import read_video
from sorairo.provenance import Authority, Manifest, SigningError, open_authority, sign, verify
from sorairo.provenance.authority import create_authority


def test_signed_clip_says_what_the_manifest_says(
    clip: Path, tmp_path: Path, manifest: Manifest, authority: Authority
) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    verdict = sign(clip, tmp_path / "a.mp4", manifest, authority)
    assert (verdict.state, verdict.reasons) == ("trusted", ())
    assert verify(tmp_path / "a.mp4", authority) == verdict
    facts = dict(verdict.facts)
    assert before <= datetime.fromisoformat(facts.pop("created")) <= datetime.now(UTC)
    assert str(facts.pop("signer")).startswith("Sorairo signer ")
    assert facts == {
        "title": "赤い球.mp4",
        "model": "sorairo-base",
        "weights_sha256": "ab" * 32,
        "request": manifest.request,
        "software": "sorairo 1.2.3",
        "source_type": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
    }


def test_pictures_stay_and_the_index_stays_first(clip: Path, signed: Path) -> None:
    assert np.array_equal(read_video(clip)[0], read_video(signed)[0])
    data = signed.read_bytes()
    assert data.find(b"ftyp") < data.find(b"c2pa") < data.find(b"moov") < data.find(b"mdat")
    assert len(data) < clip.stat().st_size + 16_000


def test_first_use_makes_the_authority(clip: Path, tmp_path: Path, manifest: Manifest, home: Path) -> None:
    assert not home.exists()
    sign(clip, tmp_path / "a.mp4", manifest)
    assert verify(tmp_path / "a.mp4").state == "trusted"
    assert verify(tmp_path / "a.mp4", open_authority()).state == "trusted"


def test_signing_over_the_source(clip: Path, tmp_path: Path, manifest: Manifest, authority: Authority) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(clip.read_bytes())
    sign(path, path, manifest, authority)
    assert verify(path, authority).state == "trusted"
    assert os.listdir(tmp_path) == ["a.mp4"]


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "mov"])
def test_other_containers(tmp_path: Path, manifest: Manifest, authority: Authority, suffix: str) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    source = tmp_path / f"a.{suffix}"
    if suffix == "mov":
        with av.open(str(source), "w") as container:
            stream = container.add_stream("libx264", rate=8)
            stream.width = stream.height = 32
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))
    else:
        Image.fromarray(picture).save(source)
    sign(source, tmp_path / "signed", manifest, authority)
    verdict = verify(tmp_path / "signed", authority)
    assert verdict.state == "trusted"
    assert verdict.facts["request"] == manifest.request


def test_long_prompt(clip: Path, tmp_path: Path, manifest: Manifest, authority: Authority) -> None:
    long = replace(manifest, request={"prompt": "空" * 50_000})
    assert sign(clip, tmp_path / "a.mp4", long, authority).facts["request"] == long.request


# --- fails closed --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"hello", b"\x1aE\xdf\xa3webm", None])
def test_sources_that_cannot_carry_credentials(
    tmp_path: Path, manifest: Manifest, authority: Authority, content: bytes | None
) -> None:
    source = tmp_path / "a.mp4"
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(ValueError, match=r"^[^\n]*a\.mp4 (is|does)[^\n]*$"):
        sign(source, tmp_path / "b.mp4", manifest, authority)
    assert not (tmp_path / "b.mp4").exists()


def test_damaged_source(clip: Path, tmp_path: Path, manifest: Manifest, authority: Authority) -> None:
    (tmp_path / "a.mp4").write_bytes(clip.read_bytes()[:60])
    with pytest.raises(SigningError, match=r"^[^\n]*a\.mp4 cannot be signed: [^\n]+$"):
        sign(tmp_path / "a.mp4", tmp_path / "b.mp4", manifest, authority)
    assert os.listdir(tmp_path) == ["a.mp4"]


def test_expired_authority(clip: Path, tmp_path: Path, manifest: Manifest) -> None:
    create_authority(tmp_path / "old" / "authority", now=datetime(2004, 1, 1, tzinfo=UTC))
    with pytest.raises(SigningError, match=r"the signing certificate expired on 2024-01-01: move .*authority away"):
        sign(clip, tmp_path / "a.mp4", manifest, open_authority(tmp_path / "old"))
    assert not (tmp_path / "a.mp4").exists()


def test_authority_of_the_future(clip: Path, tmp_path: Path, manifest: Manifest) -> None:
    """A clock that was set back: verifying after signing sees it, though signing itself does not complain."""
    create_authority(tmp_path / "new" / "authority", now=datetime.now(UTC) + timedelta(days=10))
    with pytest.raises(SigningError, match=r"does not hold|cannot be signed"):
        sign(clip, tmp_path / "a.mp4", manifest, open_authority(tmp_path / "new"))
    assert not (tmp_path / "a.mp4").exists()


def test_signer_that_is_not_trusted(clip: Path, tmp_path: Path, manifest: Manifest, authority: Authority) -> None:
    """The SDK signs with any certificate; a clip that would read as of an unknown signer is not written."""
    (tmp_path / "a.mp4").write_bytes(b"an earlier clip")
    stranger = replace(open_authority(tmp_path / "stranger"), anchors=authority.anchors)
    with pytest.raises(SigningError, match=r"does not hold: the signer is not known on this machine"):
        sign(clip, tmp_path / "a.mp4", manifest, stranger)
    assert (tmp_path / "a.mp4").read_bytes() == b"an earlier clip"


def test_key_that_is_not_the_certificate_s(
    clip: Path, tmp_path: Path, manifest: Manifest, authority: Authority
) -> None:
    mixed = replace(authority, key=open_authority().key)
    with pytest.raises(SigningError):
        sign(clip, tmp_path / "a.mp4", manifest, mixed)
    with pytest.raises(SigningError):
        sign(clip, tmp_path / "a.mp4", manifest, replace(authority, key="not a key"))
    assert not (tmp_path / "a.mp4").exists()


FILE_LIMIT = """
import resource, signal, sys
from sorairo.provenance import Manifest, open_authority, sign
authority = open_authority()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    sign(sys.argv[1], sys.argv[2], Manifest("a", "b", "c", {}), authority)
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(os.name != "posix", reason="file size limits are POSIX")
def test_no_room_in_mid_write_leaves_nothing(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    command = [sys.executable, "-c", FILE_LIMIT, str(clip), str(tmp_path / "out" / "a.mp4")]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "cannot write the file (File too large)" in run.stdout
    assert os.listdir(tmp_path / "out") == []
