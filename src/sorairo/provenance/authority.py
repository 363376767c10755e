"""The signing authority of this machine: a root, an issuing and a signing certificate, made once, at first use.

Never asks the network and never writes a private key that others may read. The keys of the root and the issuing
certificate are forgotten at once: whoever steals the folder can sign as this machine, but cannot make another signer.

Profile: C2PA 2.x, "X.509 Certificates" (https://spec.c2pa.org), P-256 with SHA-256 (ES256).
"""

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from sorairo.provenance.signer import Signing, load_signing

CLAIM_SIGNING = ObjectIdentifier("1.3.6.1.4.1.62558.2.1")  # c2pa-kp-claimSigning
EMAIL_PROTECTION = ExtendedKeyUsageOID.EMAIL_PROTECTION  # what readers older than claimSigning ask for

_YEAR = timedelta(days=365.25)
_ROOT_LIFE, _ISSUING_LIFE, LEAF_LIFE = 30 * _YEAR, 25 * _YEAR, 20 * _YEAR
_CLOCK_SKEW = timedelta(days=1)

_USAGES = ("digital_signature", "content_commitment", "key_cert_sign", "crl_sign", "key_encipherment",
           "data_encipherment", "key_agreement", "encipher_only", "decipher_only")  # fmt: skip


@dataclass(frozen=True)
class Authority:
    """What signing and verifying need, as PEM text. `chain` starts with the signing certificate, without the root;
    `key` is empty where `signing` names a program that has it."""

    folder: Path
    chain: str
    key: str = field(repr=False)
    anchors: str = field(repr=False)
    expires: datetime
    signing: Signing = field(default_factory=Signing)


def home_folder() -> Path:
    """Where this machine's settings lie: $SORAIRO_HOME, or the platform's folder for them."""
    if named := os.environ.get("SORAIRO_HOME"):
        return Path(named).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "sorairo"
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", str(Path.home()))) / "sorairo"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "sorairo"


def trust_anchors(home: Path | None = None) -> str:
    """Root certificates that are trusted here: this machine's own and every `trusted/*.pem`; empty before first use.

    Raises ValueError naming the file that holds no certificate.
    """
    home = home or home_folder()
    files = [home / "authority" / "root.pem", *sorted((home / "trusted").glob("*.pem"))]
    for file in (file for file in files if file.is_file()):
        try:
            x509.load_pem_x509_certificates(file.read_bytes())
        except ValueError as error:
            raise ValueError(f"{file} holds no certificate in PEM form: move it away") from error
    return "\n".join(file.read_text() for file in files if file.is_file())


def open_authority(home: Path | None = None) -> Authority:
    """The authority in `home`/authority; made now if there is none, by one of however many processes ask at once.

    Raises ValueError for a folder that lacks a file, has a broken one, or a key that others may read; OSError where
    the folder cannot be written.
    """
    home = home or home_folder()
    folder = home / "authority"
    if not folder.exists():
        create_authority(folder)
    signing = load_signing(folder)
    try:
        chain = (folder / "chain.pem").read_text()
        key = "" if signing.command else (folder / "key.pem").read_text()
        leaf = x509.load_pem_x509_certificates(chain.encode())[0]
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        advice = "put the file back, or move the folder away to have a new authority made"
        raise ValueError(f"the signing authority in {folder} is broken ({error}): {advice}") from error
    if key and os.name == "posix" and (folder / "key.pem").stat().st_mode & 0o077:
        raise ValueError(f"{folder / 'key.pem'} can be read by others; run: chmod 600 '{folder / 'key.pem'}'")
    return Authority(folder, chain, key, trust_anchors(home), leaf.not_valid_after_utc, signing)


def create_authority(folder: Path, *, now: datetime | None = None, leaf_life: timedelta = LEAF_LIFE) -> None:
    """Make a complete authority in `folder`, in one step; if another process is first, keep that one's.

    `now` is when the certificates begin. Raises OSError naming `folder`, and then leaves nothing.
    """
    draft: Path | None = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".authority-", dir=folder.parent))  # mode 0700, kept by the rename
        for name, text in _certificates(now or datetime.now(UTC), leaf_life).items():
            _write_private(draft / name, text)
        os.rename(draft, folder)  # refused where a folder with files in it is there already
    except OSError as error:
        if not (folder / "key.pem").is_file():
            reason = f"cannot make the signing authority ({error.strerror})"
            raise OSError(error.errno, reason, str(folder)) from error
    finally:
        if draft:
            shutil.rmtree(draft, ignore_errors=True)


def _certificates(now: datetime, leaf_life: timedelta) -> dict[str, bytes]:
    """File names and contents: root.pem, chain.pem (leaf, then issuing), key.pem (PKCS 8)."""
    root_key, issuing_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    mark = os.urandom(4).hex()  # tells two authorities apart without naming a person or a machine
    root_name, issuing_name, leaf_name = (_name(f"Sorairo {role} {mark}") for role in ("root", "issuing", "signer"))

    begin = now - _CLOCK_SKEW
    root = _draft(root_name, root_name, root_key, root_key, begin, now + _ROOT_LIFE, 1)
    issuing = _draft(issuing_name, root_name, issuing_key, root_key, begin, now + _ISSUING_LIFE, 0)
    leaf = _draft(leaf_name, issuing_name, leaf_key, issuing_key, begin, now + leaf_life)
    usages = x509.ExtendedKeyUsage([EMAIL_PROTECTION, CLAIM_SIGNING])
    signed = [
        root.sign(root_key, hashes.SHA256()),
        issuing.sign(root_key, hashes.SHA256()),
        leaf.add_extension(usages, critical=False).sign(issuing_key, hashes.SHA256()),
    ]
    root_pem, issuing_pem, leaf_pem = (each.public_bytes(serialization.Encoding.PEM) for each in signed)
    key_format = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {"root.pem": root_pem, "chain.pem": leaf_pem + issuing_pem, "key.pem": leaf_key.private_bytes(*key_format)}


def _name(common: str) -> x509.Name:
    organisation = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Sorairo (local authority)")
    return x509.Name([organisation, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _draft(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    begin: datetime,
    end: datetime,
    path_length: int | None = None,
) -> x509.CertificateBuilder:
    """One that may issue others down to ``path_length``, or only sign. Readers refuse a signing certificate without the
    id of the key that issued it."""
    own_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    usages = ("digital_signature",) if path_length is None else ("key_cert_sign", "crl_sign")
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(own_id, critical=False)
        .add_extension(issuer_id, critical=False)
        .add_extension(x509.BasicConstraints(path_length is not None, path_length), critical=True)
        .add_extension(x509.KeyUsage(**{usage: usage in usages for usage in _USAGES}), critical=True)
    )


def _write_private(path: Path, content: bytes) -> None:
    """A new file that nobody else may read from its first byte on."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
