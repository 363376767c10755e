"""Verifying: four states, an independent reader that agrees, no connections, and no surprise from damaged files."""

import io
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import c2pa
import encypher_c2pa
import numpy as np
import pytest
from PIL import Image

from sorairo.media import read_video
from sorairo.provenance import EXIT_CODES, Authority, Manifest, open_authority, sign, verify
from sorairo.provenance.authority import create_authority
from sorairo.provenance.manifest import read_facts


def flipped(source: Path, destination: Path, after: bytes, distance: int) -> Path:
    """A copy with one bit changed `distance` bytes after the last occurrence of `after`."""
    data = bytearray(source.read_bytes())
    position = data.rindex(after) + distance
    data[position] ^= 1
    destination.write_bytes(data)
    return destination


def remuxed(source: Path, destination: Path) -> Path:
    """The same pictures in a new container, as any cutting tool writes them."""
    with av.open(str(source)) as reader, av.open(str(destination), "w") as writer:
        stream = writer.add_stream_from_template(reader.streams.video[0])
        for packet in reader.demux(reader.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                writer.mux(packet)
    return destination


def test_exit_codes_tell_the_states_and_errors_apart(signed: Path, authority: Authority) -> None:
    assert EXIT_CODES == {"trusted": 0, "valid": 3, "invalid": 4, "none": 5}
    assert verify(signed, authority).exit_code == 0


def test_unknown_signer_is_valid_not_trusted(signed: Path, home: Path) -> None:
    verdict = verify(signed)
    assert not home.exists(), "verifying makes no authority"
    open_authority()
    assert verdict == verify(signed) == verify(signed, open_authority())
    assert verdict.state == "valid"
    assert verdict.reasons == ("the signer is not known on this machine (signingCredential.untrusted)",)
    assert verdict.facts["model"] == "sorairo-base"


def test_unknown_signer_becomes_trusted_when_told(signed: Path, home: Path, authority: Authority) -> None:
    (home / "trusted").mkdir(parents=True)
    (home / "trusted" / "friend.pem").write_text(authority.anchors)
    assert verify(signed).state == "trusted"


@pytest.mark.parametrize(
    ("after", "distance", "code"),
    [
        (b"mdat", 200, "assertion.bmffHash.mismatch"),
        (b"moov", 20, "assertion.bmffHash.mismatch"),
        (b"trainedAlgorithmicMedia", 3, "assertion.hashedURI.mismatch"),
        (b"org.sorairo.weights_sha256", 40, "assertion.hashedURI.mismatch"),
        ("赤い球".encode(), 5, "claimSignature.mismatch"),
    ],
)
def test_one_changed_bit(
    signed: Path, tmp_path: Path, authority: Authority, after: bytes, distance: int, code: str
) -> None:
    verdict = verify(flipped(signed, tmp_path / "a.mp4", after, distance), authority)
    assert (verdict.state, verdict.exit_code) == ("invalid", 4)
    assert any(code in reason and "changed after signing" in reason for reason in verdict.reasons)


def test_cut_and_longer_files(signed: Path, tmp_path: Path, authority: Authority) -> None:
    data = signed.read_bytes()
    for content in (data[:-1], data[: len(data) // 2], data[:3000], data + b"\0\0\0\x10mdatmorestuff"):
        (tmp_path / "a.mp4").write_bytes(content)
        verdict = verify(tmp_path / "a.mp4", authority)
        assert verdict.state == "invalid"
        assert verdict.reasons
        assert "\n" not in "".join(verdict.reasons)


def test_unsigned_and_stripped(clip: Path, signed: Path, tmp_path: Path, authority: Authority) -> None:
    for path in (clip, remuxed(signed, tmp_path / "a.mp4")):
        verdict = verify(path, authority)
        assert (verdict.state, verdict.exit_code, verdict.facts) == ("none", 5, {})
        assert verdict.reasons == ("the file carries no content credentials",)


def test_damage_never_surprises(signed: Path, tmp_path: Path, authority: Authority) -> None:
    """Random damage: a verdict or a ValueError; and what still reads as trusted shows and says the same (padding)."""
    data, rng, states = signed.read_bytes(), np.random.default_rng(0), set()
    expected, frames = verify(signed, authority), read_video(signed)[0]
    path = tmp_path / "a.mp4"
    for trial in range(300):
        damaged = bytearray(data)
        for position in rng.integers(4, len(data) if trial % 2 else 14_000, 1 + trial % 4):
            damaged[position] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            verdict = verify(path, authority)
        except ValueError as error:
            states.add(str(error).count("\n"))
            continue
        states.add(verdict.state)
        if verdict.state == "trusted":
            assert verdict == expected
            assert np.array_equal(read_video(path)[0], frames)
    assert {"trusted", "invalid"} <= states <= {"trusted", "valid", "invalid", "none", 0}


def test_certificate_that_expires_after_signing(clip: Path, tmp_path: Path, manifest: Manifest) -> None:
    """The price of asking no time-stamp server: a clip is worth its signer's certificate."""
    create_authority(tmp_path / "short" / "authority", now=datetime.now(UTC), leaf_life=timedelta(seconds=10))
    authority = open_authority(tmp_path / "short")
    assert sign(clip, tmp_path / "a.mp4", manifest, authority).state == "trusted"
    time.sleep(max(0.0, (authority.expires - datetime.now(UTC)).total_seconds()) + 1.1)
    verdict = verify(tmp_path / "a.mp4", authority)
    assert verdict.state == "invalid"
    assert "the signer's certificate has expired (signingCredential.expired)" in verdict.reasons


def test_files_that_can_carry_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("a red ball")
    (tmp_path / "clip.webm").write_bytes(b"\x1aE\xdf\xa3" + bytes(100))
    words = {
        "missing.mp4": "does not exist",
        ".": "is not a file",
        "empty.mp4": "is empty",
        "text.mp4": "is not a file that",
    }
    for name, word in {**words, "clip.webm": "known are mp4, mov"}.items():
        with pytest.raises(ValueError, match=f"^[^\n]*{word}[^\n]*$"):
            verify(tmp_path / name)
    assert "settings" not in os.listdir(tmp_path)


def test_facts_of_a_stranger_s_manifest() -> None:
    """Whatever shape the tree has, facts are read or left out."""
    assert read_facts({}) == {}
    action = {"action": "c2pa.created", "softwareAgent": {"name": "Other"}, "when": "2026-01-01T00:00:00Z"}
    assertion = {"label": "c2pa.actions.v2", "data": {"actions": [{"action": "c2pa.opened"}, action]}}
    found = read_facts({"assertions": ["odd", assertion], "claim_generator_info": [{"name": "tool"}]})
    assert found == {"model": "Other", "software": "tool", "created": "2026-01-01T00:00:00Z"}
    for text in ("{not JSON", "[" * 100_000):
        action["parameters"] = {"org.sorairo.request": text}
        assert "request" not in read_facts({"assertions": [assertion], "claim_generator_info": []})
    assert read_facts({"assertions": [{"label": "c2pa.actions", "data": []}], "signature_info": 5}) == {}


# --- an independent reader -----------------------------------------------------------------------------------------


def independent(path: Path, anchors: str) -> tuple[str, str]:
    """What another implementation of the standard (Rust, shares no code with the SDK) says: (integrity, trust)."""
    report: Any = encypher_c2pa.verify(str(path), telemetry=False, trust_pem=anchors, no_default_trust=True)
    return report["integrity"], report["trust"]["status"]


def test_an_independent_reader_agrees(signed: Path, tmp_path: Path, authority: Authority) -> None:
    assert verify(signed, authority).state == "trusted"
    assert independent(signed, authority.anchors) == ("valid", "valid_for_supplied_material")

    stranger = open_authority()
    assert verify(signed, stranger).state == "valid"
    integrity, trust = independent(signed, stranger.anchors)
    assert integrity == "valid"
    assert trust != "valid_for_supplied_material"

    tampered = flipped(signed, tmp_path / "tampered.mp4", b"mdat", 200)
    assert verify(tampered, authority).state == "invalid"
    assert independent(tampered, authority.anchors)[0] == "invalid"

    stripped = remuxed(signed, tmp_path / "stripped.mp4")
    assert verify(stripped, authority).state == "none"
    assert independent(stripped, authority.anchors)[0] != "valid"


# --- no connections ------------------------------------------------------------------------------------------------


@pytest.fixture
def listener() -> Iterator[tuple[str, list[bytes]]]:
    """A server on this machine that keeps what it was asked: (address, requests)."""
    requests: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    requests.append(connection.recv(200))
                    connection.sendall(b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/credentials.c2pa", requests
        server.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=5)


def pointing_to(address: str, data: bytes, kind: str, manifest: Manifest, authority: Authority) -> bytes:
    """A file that carries only the address of its credentials, as the SDK itself writes it."""
    signer = c2pa.Signer.from_info(
        c2pa.C2paSignerInfo(b"es256", authority.chain.encode(), authority.key.encode(), None)
    )
    builder = c2pa.Builder(json.dumps(manifest.to_c2pa(kind, datetime.now(UTC))))
    builder.set_no_embed()
    builder.set_remote_url(address)
    result = io.BytesIO()
    builder.sign(signer, kind, io.BytesIO(data), result)
    return result.getvalue()


@pytest.mark.parametrize("kind", ["image/png", "video/mp4"])
def test_no_address_in_a_file_is_asked(
    clip: Path, tmp_path: Path, manifest: Manifest, authority: Authority, listener: tuple[str, list[bytes]], kind: str
) -> None:
    """With the SDK's own settings the same file makes a request: so the listener would have seen one."""
    address, requests = listener
    picture = io.BytesIO()
    Image.new("RGB", (32, 32)).save(picture, "PNG")
    plain = picture.getvalue() if kind == "image/png" else clip.read_bytes()
    path = tmp_path / "a"
    path.write_bytes(pointing_to(address, plain, kind, manifest, authority))

    verdict = verify(path, authority)
    assert requests == []
    assert verdict.state == "none"
    assert "no address is asked" in verdict.reasons[0]

    sign(path, tmp_path / "b", manifest, authority)
    verify(tmp_path / "b", authority)
    assert requests == []

    with pytest.raises(c2pa.C2paError):
        c2pa.Reader(kind, io.BytesIO(path.read_bytes()))
    assert len(requests) == 1
