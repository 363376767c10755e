"""Whether a file's content credentials hold, and what they say.

Never asks the network (no remote manifests, no revocation lists), never changes or makes a file, and never calls an
unknown signer trusted.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

from c2pa import C2paError, Context, Reader  # type: ignore[import-untyped]

from sorairo.provenance.authority import CLAIM_SIGNING, EMAIL_PROTECTION, Authority, trust_anchors
from sorairo.provenance.manifest import read_facts

State = Literal["trusted", "valid", "invalid", "none"]

# 1 and 2 are left to what they mean elsewhere: an error, and a command line that cannot be understood.
EXIT_CODES: Mapping[State, int] = {"trusted": 0, "valid": 3, "invalid": 4, "none": 5}

_STATES: Mapping[str, State] = {"Trusted": "trusted", "Valid": "valid"}

_MEANINGS = {  # status codes: C2PA 2.x, "Standard Status Codes"
    "assertion.bmffHash.mismatch": "the pictures or their container were changed after signing",
    "assertion.dataHash.mismatch": "the picture was changed after signing",
    "assertion.hashedURI.mismatch": "a signed statement was changed after signing",
    "claimSignature.mismatch": "the signed statements were changed after signing",
    "signingCredential.expired": "the signer's certificate has expired",
    "signingCredential.untrusted": "the signer is not known on this machine",
    "signingCredential.invalid": "the signer's certificate is not made for signing media",
}

_MAGIC = (
    (4, b"ftyp", "video/mp4"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (8, b"WEBP", "image/webp"),
    (0, b"GIF8", "image/gif"),
)


@dataclass(frozen=True)
class Verdict:
    """What `verify` found.

    state: "trusted" (unchanged, by a signer trusted here), "valid" (unchanged since an unknown signer signed it: says
    nothing about its origin), "invalid" (changed, damaged or expired), "none" (no content credentials).
    facts: what the file says of itself, see `read_facts`; only under "trusted" is there a reason to believe it, and
    in a stranger's file any text may stand there.
    """

    state: State
    reasons: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """For a command line: trusted 0, valid 3, invalid 4, none 5."""
        return EXIT_CODES[self.state]


def verify(path: str | Path, authority: Authority | None = None) -> Verdict:
    """Check the credentials inside a clip or picture against `authority`, or all that this machine trusts.

    Reads mp4, mov, png, jpeg, webp and gif, told by their content, not their name. Raises ValueError of one line for a
    file that is missing, empty, or none of these.
    """
    path = Path(path)
    kind = media_type(path)
    with open(path, "rb") as file:
        return judge(file, kind, authority.anchors if authority else trust_anchors())


def verdict_on(path: Path) -> Verdict:
    """As `verify`, and "none" for what could be decoded and is of a kind that carries no credentials: a WebM."""
    try:
        return verify(path)
    except ValueError:
        return Verdict("none", ("this kind of file carries no credentials",))


def judge(stream: BinaryIO, kind: str, anchors: str) -> Verdict:
    """The verdict on an open file of media type `kind`, with `anchors` (PEM) as the trusted roots."""
    context = offline_context(anchors)
    try:
        reader = Reader.try_create(kind, stream, context=context)
        if reader is None:
            return Verdict("none", ("the file carries no content credentials",))
        with reader:
            state, results, report = reader.get_validation_state(), reader.get_validation_results(), reader.json()
    except C2paError as error:
        if "remote" in str(error).lower():
            return Verdict("none", ("the file only names an address of its credentials, and no address is asked",))
        return Verdict("invalid", (f"the file or its credentials are damaged: {one_line(error)}",))
    store = json.loads(report)
    manifests = store.get("manifests", {})
    facts = read_facts(manifests.get(store.get("active_manifest"), {}), manifests)
    return Verdict(_STATES.get(state, "invalid"), _reasons(results or {}), facts)


def media_type(path: Path) -> str:
    """The media type by content. Raises ValueError of one line for what can carry no credentials."""
    if not path.is_file():
        raise ValueError(f"{path} is not a file" if path.exists() else f"{path} does not exist")
    with open(path, "rb") as file:
        head = file.read(16)
    for offset, magic, kind in _MAGIC:
        if head[offset:].startswith(magic):
            return kind
    what = "is not a file that can carry content credentials here" if head else "is empty"
    raise ValueError(f"{path} {what}; known are mp4, mov, png, jpeg, webp and gif")


def offline_context(anchors: str) -> Context:
    """Settings under which the C2PA SDK opens no connection. Its defaults would fetch whatever address a file names."""
    usages = "\n".join(usage.dotted_string for usage in (EMAIL_PROTECTION, CLAIM_SIGNING))
    return Context.from_dict(
        {
            "version": 1,
            "trust": {"user_anchors": anchors, "trust_config": usages} if anchors else {},
            "verify": {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False},
            "core": {"allowed_network_hosts": []},
            "builder": {"thumbnail": {"enabled": False}},
        }
    )


def one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _reasons(results: Mapping[str, Any]) -> tuple[str, ...]:
    """Each failure once, in plain words where there are some, with its code."""
    failures = results.get("activeManifest", {}).get("failure", [])
    words = {item["code"]: _MEANINGS.get(item["code"], item.get("explanation", "not valid")) for item in failures}
    return tuple(f"{meaning} ({code})" for code, meaning in words.items())
