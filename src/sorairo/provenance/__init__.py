"""Where a clip comes from: content credentials (C2PA) that are signed, kept inside the file, and verified.

Never asks the network, and never writes a file whose signature it has not verified.
"""

from sorairo.provenance.authority import Authority, home_folder, open_authority, trust_anchors
from sorairo.provenance.manifest import Manifest
from sorairo.provenance.signing import SigningError, sign
from sorairo.provenance.verification import EXIT_CODES, Verdict, verify

__all__ = [
    "EXIT_CODES",
    "Authority",
    "Manifest",
    "SigningError",
    "Verdict",
    "home_folder",
    "open_authority",
    "sign",
    "trust_anchors",
    "verify",
]
