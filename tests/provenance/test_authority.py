"""The authority: the certificate profile, made once however many ask, and a key that only its owner reads."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sorairo.provenance import Authority, home_folder, open_authority, trust_anchors
from sorairo.provenance.authority import CLAIM_SIGNING, EMAIL_PROTECTION

posix_only = pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")


def certificates(authority: Authority) -> tuple[x509.Certificate, x509.Certificate, x509.Certificate]:
    leaf, issuing = x509.load_pem_x509_certificates(authority.chain.encode())
    (root,) = x509.load_pem_x509_certificates((authority.folder / "root.pem").read_bytes())
    return leaf, issuing, root


def test_chain_is_whole_and_the_key_is_the_leaf_s(authority: Authority) -> None:
    leaf, issuing, root = certificates(authority)
    leaf.verify_directly_issued_by(issuing)
    issuing.verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)
    key = serialization.load_pem_private_key(authority.key.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.name == "secp256r1"
    assert key.public_key() == leaf.public_key()
    assert key.public_key() not in (issuing.public_key(), root.public_key())


def test_leaf_follows_the_profile(authority: Authority) -> None:
    leaf, issuing, root = certificates(authority)
    extensions = leaf.extensions
    assert set(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == {EMAIL_PROTECTION, CLAIM_SIGNING}
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    constraints = [c.extensions.get_extension_for_class(x509.BasicConstraints).value for c in (leaf, issuing, root)]
    assert [(c.ca, c.path_length) for c in constraints] == [(False, None), (True, 0), (True, 1)]
    own = issuing.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier == own


def test_life(authority: Authority) -> None:
    leaf, issuing, root = certificates(authority)
    assert authority.expires == leaf.not_valid_after_utc > datetime.now(UTC) + timedelta(days=19 * 365)
    assert leaf.not_valid_after_utc < issuing.not_valid_after_utc < root.not_valid_after_utc
    assert all(c.not_valid_before_utc < datetime.now(UTC) - timedelta(hours=23) for c in (leaf, issuing, root))


def test_only_the_signing_key_is_kept(home: Path) -> None:
    open_authority()
    assert os.listdir(home) == ["authority"]
    assert sorted(os.listdir(home / "authority")) == ["chain.pem", "key.pem", "root.pem"]


def test_opening_again_changes_nothing(home: Path) -> None:
    first = open_authority()
    assert open_authority() == first
    assert open_authority(home) == first
    assert open_authority(home / "other").chain != first.chain
    assert "PRIVATE KEY" not in repr(first)


@posix_only
def test_private_key_is_for_its_owner_only(home: Path) -> None:
    key = open_authority().folder / "key.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700
    key.chmod(0o640)
    with pytest.raises(ValueError, match=r"key\.pem can be read by others; run: chmod 600"):
        open_authority()


@pytest.mark.parametrize("name", ["chain.pem", "key.pem", "root.pem"])
def test_broken_authority(home: Path, name: str) -> None:
    file = open_authority().folder / name
    content = file.read_bytes()
    file.write_text("not PEM")
    if name != "key.pem":  # a broken key shows when it signs
        with pytest.raises(ValueError, match=r"is broken|holds no certificate"):
            open_authority()
    file.unlink()
    if name != "root.pem":
        with pytest.raises(ValueError, match="is broken"):
            open_authority()
    file.write_bytes(content)
    file.chmod(0o600)
    open_authority()


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot make the signing authority") as caught:
        open_authority(tmp_path / "file" / "settings")
    assert caught.value.filename == str(tmp_path / "file" / "settings" / "authority")
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "authority").write_text("")
    with pytest.raises(ValueError, match="is broken"):
        open_authority(tmp_path / "settings")


OPEN = """
import sys, time
from sorairo.provenance import open_authority
while time.time() < float(sys.argv[1]):
    pass
print(open_authority().chain)
"""


def test_processes_that_start_at_once_share_one_authority(home: Path) -> None:
    start = str(time.time() + 1.5)
    command = [sys.executable, "-c", OPEN, start]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    chains = {process.communicate(timeout=60)[0] for process in processes}
    assert chains == {open_authority().chain + "\n"}
    assert os.listdir(home) == ["authority"]


def test_trusted_folder(home: Path, authority: Authority) -> None:
    assert trust_anchors() == ""
    own = open_authority()
    assert trust_anchors() == own.anchors == (own.folder / "root.pem").read_text()
    (home / "trusted").mkdir()
    (home / "trusted" / "friend.pem").write_text(authority.anchors)
    assert trust_anchors().count("BEGIN CERTIFICATE") == 2
    (home / "trusted" / "junk.pem").write_text("hello")
    with pytest.raises(ValueError, match=r"junk\.pem holds no certificate in PEM form"):
        trust_anchors()


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"SORAIRO_HOME": "/named"}, "/named"),
        ("linux", {"SORAIRO_HOME": "~/named"}, "/me/named"),
        ("linux", {"XDG_CONFIG_HOME": "/xdg"}, "/xdg/sorairo"),
        ("linux", {"XDG_CONFIG_HOME": ""}, "/me/.config/sorairo"),
        ("darwin", {}, "/me/Library/Application Support/sorairo"),
        ("win32", {"APPDATA": "/appdata"}, "/appdata/sorairo"),
    ],
)
@posix_only
def test_home_folder(monkeypatch: pytest.MonkeyPatch, platform: str, variables: dict[str, str], expected: str) -> None:
    for name in ("SORAIRO_HOME", "XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/me", **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert home_folder() == Path(expected)
