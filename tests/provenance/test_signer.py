"""An operator's own key, kept by a program, and a time-stamp authority: both work, and neither fails open."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from sorairo.provenance import Manifest, SigningError, open_authority, sign, verify
from sorairo.provenance import authority as certificates
from sorairo.provenance.authority import create_authority
from sorairo.provenance.signer import Signing, load_signing, signature_by

MODULES = [str(path) for path in Path("/usr/lib").glob("**/libsofthsm2.so")]

KEEPER = """
import sys
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
key = serialization.load_pem_private_key(open(sys.argv[1], "rb").read(), None)
signature = key.sign(sys.stdin.buffer.read(), ec.ECDSA(hashes.SHA256()))
if sys.argv[2] == "raw":
    signature = b"".join(number.to_bytes(32, "big") for number in utils.decode_dss_signature(signature))
sys.stdout.buffer.write(signature)
"""


def configured(home: Path, **values: str) -> Path:
    """An authority in `home` whose signing.toml has these values."""
    if not (home / "authority").exists():
        create_authority(home / "authority")
    text = "\n".join(f"{name} = {value}" for name, value in values.items())
    (home / "authority" / "signing.toml").write_text(text)
    return home


@pytest.mark.parametrize("form", ["der", "raw"])
def test_a_program_signs_with_a_key_that_is_elsewhere(
    clip: Path, tmp_path: Path, manifest: Manifest, home: Path, form: str
) -> None:
    create_authority(home / "authority")
    (home / "authority" / "key.pem").rename(tmp_path / "token.pem")  # as in a token or a key service
    (tmp_path / "keeper.py").write_text(KEEPER)
    command = [sys.executable, str(tmp_path / "keeper.py"), str(tmp_path / "token.pem"), form]
    configured(home, command=str(command).replace("'", '"'))
    assert open_authority().key == ""
    assert sign(clip, tmp_path / "a.mp4", manifest).state == "trusted"
    assert verify(tmp_path / "a.mp4").state == "trusted"


@pytest.mark.skipif(
    not (MODULES and shutil.which("softhsm2-util") and shutil.which("pkcs11-tool")),
    reason="SoftHSM and OpenSC are not installed (Debian's packages softhsm2 and opensc)",
)
def test_a_token_signs_by_pkcs_11(
    clip: Path, tmp_path: Path, manifest: Manifest, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_authority(home / "authority")
    key = (home / "authority" / "key.pem").rename(tmp_path / "key.pem")
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tmp_path / 'tokens'}\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm2.conf"))
    monkeypatch.setenv("TOKEN_PIN", "123456")
    pins, token = ("--pin", "123456"), ("--label", "clips")
    for given in (("--init-token", "--free", "--so-pin", "1234", *pins, *token),
                  ("--import", str(key), "--id", "01", "--token", "clips", *pins, *token)):  # fmt: skip
        subprocess.run(["softhsm2-util", *given], check=True, capture_output=True)
    key.unlink()
    command = f"openssl dgst -sha256 -binary | pkcs11-tool --module {MODULES[0]} --token-label clips"
    command += " --login --pin env:TOKEN_PIN --id 01 --sign --mechanism ECDSA"
    configured(home, command=json.dumps(["sh", "-c", command]))
    assert sign(clip, tmp_path / "a.mp4", manifest).state == "trusted"
    assert verify(tmp_path / "a.mp4").state == "trusted"
    monkeypatch.setenv("TOKEN_PIN", "654321")
    with pytest.raises(SigningError, match="'sh' failed with exit code 1"):
        sign(clip, tmp_path / "b.mp4", manifest)
    assert "b.mp4" not in os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("program", "words", "seconds"),
    [
        ("raise SystemExit(3)", "failed with exit code 3", 60.0),
        ("print('hello')", "gave no ECDSA signature", 60.0),
        ("import time; time.sleep(60)", "did not answer (TimeoutExpired)", 1.0),
        ("import sys; sys.stdout.buffer.write(bytes(range(64)))", "", 60.0),
    ],
)
def test_a_program_that_fails_leaves_no_clip(
    clip: Path, tmp_path: Path, manifest: Manifest, home: Path, program: str, words: str, seconds: float
) -> None:
    (tmp_path / "keeper.py").write_text(program)
    command = f'["{sys.executable}", "{tmp_path / "keeper.py"}"]'
    configured(home, command=command, timeout_seconds=str(seconds))
    with pytest.raises(SigningError) as raised:
        sign(clip, tmp_path / "a.mp4", manifest)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "a.mp4" not in os.listdir(tmp_path)


def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(ValueError, match=r"'/none/keeper' did not answer \(FileNotFoundError\)"):
        signature_by(Signing(("/none/keeper",)), b"data")


def test_a_wrong_file_is_told(tmp_path: Path) -> None:
    assert load_signing(tmp_path) == Signing()
    for text, words in {
        'comand = ["x"]': "command",
        'time_stamp_url = "tsa.example"': "must begin with http",
        "timeout_seconds = 0.0": "must be more than 0",
    }.items():
        (tmp_path / "signing.toml").write_text(text)
        with pytest.raises(ValueError, match=words):
            load_signing(tmp_path)


# --- time stamps ---------------------------------------------------------------------------------------------------


@dataclass
class TimeStamper:
    """A time-stamp authority on this machine: openssl answers; `broken` says how it fails."""

    folder: Path
    url: str = ""
    broken: str = ""
    asked: list[int] = field(default_factory=list)

    def answer(self, query: bytes) -> tuple[int, bytes]:
        self.asked.append(len(query))
        if self.broken:
            return (500, b"") if self.broken == "error" else (200, b"not a time stamp")
        (self.folder / "query").write_bytes(query)
        command = ["openssl", "ts", "-reply", "-config", self.folder / "ts.cnf", "-queryfile", self.folder / "query"]
        return 200, subprocess.run(command, capture_output=True, check=True).stdout


CONFIG = """
[tsa]
default_tsa = own
[own]
serial = {0}/serial
signer_cert = {0}/tsa.pem
certs = {0}/root.pem
signer_key = {0}/key.pem
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256, sha384, sha512
ess_cert_id_alg = sha256
"""


def write_certificates(folder: Path) -> None:
    """root.pem, tsa.pem and key.pem of a time-stamp authority, as the project makes its own."""
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root_name, name = certificates._name("Time root"), certificates._name("Time")
    begin, end = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=900)
    root = certificates._draft(root_name, root_name, root_key, root_key, begin, end, 0)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    leaf = certificates._draft(name, root_name, key, root_key, begin, end)
    leaf = leaf.add_extension(usage, critical=True)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "root.pem").write_bytes(root.sign(root_key, hashes.SHA256()).public_bytes(pem))
    (folder / "tsa.pem").write_bytes(leaf.sign(root_key, hashes.SHA256()).public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))


@pytest.fixture
def stamper(tmp_path: Path) -> Iterator[TimeStamper]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the time stamps, is not installed")
    made = TimeStamper(tmp_path / "tsa")
    made.folder.mkdir()
    write_certificates(made.folder)
    (made.folder / "serial").write_text("01\n")
    (made.folder / "ts.cnf").write_text(CONFIG.format(made.folder))

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, body = made.answer(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(status)
            self.send_header("content-type", "application/timestamp-reply")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def test_a_stamped_clip_outlives_its_certificate(
    clip: Path, tmp_path: Path, manifest: Manifest, home: Path, stamper: TimeStamper
) -> None:
    create_authority(home / "authority", leaf_life=timedelta(seconds=20))
    configured(home, time_stamp_url=f'"{stamper.url}"')
    (home / "trusted").mkdir()
    shutil.copy(stamper.folder / "root.pem", home / "trusted" / "time.pem")
    authority = open_authority()
    assert sign(clip, tmp_path / "a.mp4", manifest).state == "trusted"
    assert len(stamper.asked) == 1
    time.sleep(max(0.0, (authority.expires - datetime.now(UTC)).total_seconds()) + 1.1)
    assert verify(tmp_path / "a.mp4").state == "trusted"
    (home / "trusted" / "time.pem").unlink()  # whoever does not trust the clock sees an expired certificate
    assert verify(tmp_path / "a.mp4").state == "invalid"


@pytest.mark.parametrize("broken", ["error", "nonsense", "gone"])
def test_no_clip_without_the_time_stamp_that_was_asked_for(
    clip: Path, tmp_path: Path, manifest: Manifest, home: Path, stamper: TimeStamper, broken: str
) -> None:
    stamper.broken = broken
    url = "http://127.0.0.1:9/" if broken == "gone" else stamper.url
    configured(home, time_stamp_url=f'"{url}"')
    with pytest.raises(SigningError, match="cannot be signed"):
        sign(clip, tmp_path / "a.mp4", manifest)
    assert "a.mp4" not in os.listdir(tmp_path)
