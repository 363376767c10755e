"""Writing a signed copy of a clip.

Never writes a copy whose signature does not verify as trusted, and never leaves a part of one. Asks the network for a
time stamp only where the authority's `signing.toml` names who gives one; without one a signature lasts as long as the
signer's certificate.
"""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

from c2pa import Builder, C2paError  # type: ignore[import-untyped]

from sorairo.media import new_file
from sorairo.provenance.authority import Authority, open_authority
from sorairo.provenance.manifest import Ingredient, Manifest
from sorairo.provenance.signer import OpenSigner
from sorairo.provenance.verification import Verdict, judge, media_type, offline_context, one_line


class SigningError(RuntimeError):
    """A file could not be signed, or its signature did not verify; nothing was written."""


def sign(
    source: str | Path, destination: str | Path, manifest: Manifest, authority: Authority | None = None
) -> Verdict:
    """Write `source` with `manifest`, signed, to `destination` (which may be `source`), and return its verdict.

    It is always "trusted": that of the very bytes that are then written. Raises SigningError; ValueError for a source
    that cannot carry credentials; OSError as `media.new_file` does. In each case `destination` stays as it was.
    """
    source = Path(source)
    kind = media_type(source)
    authority = authority or open_authority()
    now = datetime.now(UTC)
    if authority.expires <= now:
        advice = f"move {authority.folder} away to have a new one made"
        raise SigningError(f"the signing certificate expired on {authority.expires:%Y-%m-%d}: {advice}")
    signed = _embed(source, kind, manifest, now, authority)
    verdict = judge(signed, kind, authority.anchors)
    if verdict.state != "trusted":
        raise SigningError(f"the signature on {source} does not hold: {'; '.join(verdict.reasons)}")
    with new_file(Path(destination)) as temporary:
        temporary.write_bytes(signed.getbuffer())
    return verdict


def _embed(source: Path, kind: str, manifest: Manifest, now: datetime, authority: Authority) -> io.BytesIO:
    """The signed file in memory (a clip is a few megabytes): what is written is then just what was verified."""
    signed = io.BytesIO()
    definition = json.dumps(manifest.to_c2pa(kind, now))
    opened: OpenSigner | None = None
    try:
        opened = OpenSigner(authority.chain, authority.key, authority.signing)
        with (
            open(source, "rb") as file,
            opened.signer as signer,
            Builder(definition, context=offline_context(authority.anchors)) as builder,
        ):
            for name, ingredient in manifest.ingredient_names.items():
                _add(builder, name, ingredient)
            builder.sign(signer, kind, file, signed)
    except C2paError as error:
        failure = opened.failure if opened else ""
        raise SigningError(f"{source} cannot be signed: {failure or one_line(error)}") from error
    signed.seek(0)
    return signed


def _add(builder: Builder, name: str, ingredient: Ingredient) -> None:
    """With the credentials that it has, whether they hold or not: readers are told."""
    relation = "parentOf" if ingredient.edited else "inputTo"
    told = {"title": ingredient.path.name, "relationship": relation, "label": name}
    with open(ingredient.path, "rb") as file:
        builder.add_ingredient(json.dumps(told), media_type(ingredient.path), file)
