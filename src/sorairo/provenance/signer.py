"""Who puts the signature on a claim: the key in a file, or a program of the operator's that has the key elsewhere.

`signing.toml` in the authority's folder says so; without it nothing but the key file is used and nobody is asked for
the time. Never keeps a secret, and never signs where the program or the time-stamp authority fails.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from c2pa import C2paSignerInfo, C2paSigningAlg, Signer  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from sorairo.config import load_toml

SIGNING_FILE = "signing.toml"
_RAW_BYTES = 64  # of r and s together, P-256


@dataclass(frozen=True)
class Signing:
    """``command``: a program and its arguments that reads what is to be signed and writes its signature (ECDSA, P-256,
    SHA-256; DER, or r and s of 32 bytes each); empty: the key file signs. ``time_stamp_url``: an RFC 3161 authority
    that is asked for each signature; empty: nobody is. ``timeout_seconds``: for the program."""

    command: tuple[str, ...] = ()
    time_stamp_url: str = ""
    timeout_seconds: float = 20.0

    def __post_init__(self) -> None:
        if self.time_stamp_url and not self.time_stamp_url.startswith(("http://", "https://")):
            raise ValueError(f"time_stamp_url is {self.time_stamp_url!r}; it must begin with http:// or https://")
        if not self.timeout_seconds > 0:
            raise ValueError(f"timeout_seconds is {self.timeout_seconds}; it must be more than 0")


def load_signing(folder: Path) -> Signing:
    """What `signing.toml` in an authority's folder says. Raises ValueError naming the file and the key."""
    file = folder / SIGNING_FILE
    return load_toml(Signing, file) if file.exists() else Signing()


def signature_by(signing: Signing, data: bytes) -> bytes:
    """The program's signature, as COSE has it: r and s of 32 bytes each.

    Raises ValueError of one line for a program that is missing, fails, takes too long or gives something else.
    """
    name = signing.command[0]
    try:
        done = subprocess.run(signing.command, input=data, capture_output=True, timeout=signing.timeout_seconds)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ValueError(f"the signing program {name!r} did not answer ({type(error).__name__})") from error
    if done.returncode:
        raise ValueError(f"the signing program {name!r} failed with exit code {done.returncode}")
    if len(done.stdout) == _RAW_BYTES:
        return done.stdout
    try:
        return b"".join(number.to_bytes(_RAW_BYTES // 2, "big") for number in decode_dss_signature(done.stdout))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"the signing program {name!r} gave no ECDSA signature of P-256") from error


class OpenSigner:
    """The SDK's signer for a chain (PEM) with a key (PEM) or a program; `failure` is why the program gave nothing.

    The SDK says of a callback that raised only that something is wrong with the certificate.
    """

    def __init__(self, chain: str, key: str, signing: Signing) -> None:
        self.failure = ""
        self._signing = signing
        url = signing.time_stamp_url or None
        if signing.command:
            self.signer = Signer.from_callback(self._sign, C2paSigningAlg.ES256, chain, url)
        else:
            address = url.encode() if url else None
            self.signer = Signer.from_info(C2paSignerInfo(b"es256", chain.encode(), key.encode(), address))

    def _sign(self, data: bytes) -> bytes:
        try:
            return signature_by(self._signing, bytes(data))
        except ValueError as error:
            self.failure = str(error)
            raise
