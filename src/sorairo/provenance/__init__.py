"""Where a clip comes from: content credentials (C2PA) that are signed, kept inside the file, and verified; marks in its
pixels, a visible and an invisible one; and a fingerprint by which a copy is found again.

Never asks the network, and never writes a file whose signature it has not verified.
"""

from sorairo.provenance.authority import Authority, home_folder, open_authority, trust_anchors
from sorairo.provenance.clip_store import ClipStore, KnownClip
from sorairo.provenance.manifest import Ingredient, Manifest
from sorairo.provenance.signing import SigningError, sign
from sorairo.provenance.verification import EXIT_CODES, Verdict, verify
from sorairo.provenance.whence import Answer, Origin, whence

__all__ = [
    "EXIT_CODES",
    "Answer",
    "Authority",
    "ClipStore",
    "Ingredient",
    "KnownClip",
    "Manifest",
    "Origin",
    "SigningError",
    "Verdict",
    "home_folder",
    "open_authority",
    "sign",
    "trust_anchors",
    "verify",
    "whence",
]
