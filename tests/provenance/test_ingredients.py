"""Parents in the credentials: kept through generations, told with their own, and read alike by another reader."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import encypher_c2pa
import numpy as np
import pytest

from sorairo.media import write_animation, write_png
from sorairo.provenance import Authority, Ingredient, Manifest, SigningError, sign, verify


def independent(path: Path, anchors: str) -> str:
    report: Any = encypher_c2pa.verify(str(path), telemetry=False, trust_pem=anchors, no_default_trust=True)
    return str(report["integrity"])


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    write_png(tmp_path / "plain.png", np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8))
    return tmp_path / "plain.png"


@pytest.fixture
def remixed(clip: Path, signed: Path, picture: Path, tmp_path: Path, manifest: Manifest, authority: Authority) -> Path:
    """A remix of a remix, with a picture."""
    made = signed
    for name in ("first.mp4", "second.mp4"):
        used = (Ingredient(made, edited=True), Ingredient(picture))
        sign(clip, tmp_path / name, replace(manifest, title=name, watermark=5, ingredients=used), authority)
        made = tmp_path / name
    return made


def test_a_remix_of_a_remix_shows_both_ancestors(remixed: Path, authority: Authority) -> None:
    verdict = verify(remixed, authority)
    assert verdict.state == "trusted"
    parent, picture = verdict.facts["parents"]
    assert (parent["title"], parent["relation"], parent["watermark"]) == ("first.mp4", "parentOf", "000000005")
    assert (picture["title"], picture["relation"], "model" in picture) == ("plain.png", "inputTo", False)
    (grandparent, _) = parent["parents"]
    assert (grandparent["model"], grandparent["request"]) == ("sorairo-base", verdict.facts["request"])
    assert "parents" not in grandparent
    assert independent(remixed, authority.anchors) == "valid"


def test_a_remix_that_is_tampered_with_or_stripped(
    remixed: Path, clip: Path, tmp_path: Path, authority: Authority
) -> None:
    data = bytearray(remixed.read_bytes())
    data[data.rindex(b"mdat") + 200] ^= 1
    (tmp_path / "tampered.mp4").write_bytes(data)
    assert verify(tmp_path / "tampered.mp4", authority).state == "invalid"
    assert independent(tmp_path / "tampered.mp4", authority.anchors) == "invalid"
    assert verify(clip, authority).state == "none"  # the remix without its credentials


def test_a_parent_that_was_tampered_with_does_not_spoil_the_child(
    signed: Path, clip: Path, tmp_path: Path, manifest: Manifest, authority: Authority
) -> None:
    data = bytearray(signed.read_bytes())
    data[data.rindex(b"mdat") + 200] ^= 1
    (tmp_path / "bad.mp4").write_bytes(data)
    used = (Ingredient(tmp_path / "bad.mp4", edited=True),)
    assert sign(clip, tmp_path / "child.mp4", replace(manifest, ingredients=used), authority).state == "trusted"


def test_a_parent_that_cannot_be_read_is_not_passed_over(
    clip: Path, tmp_path: Path, manifest: Manifest, authority: Authority
) -> None:
    (tmp_path / "bad.mp4").write_bytes(clip.read_bytes()[:60])
    with pytest.raises(SigningError, match="cannot be signed"):
        sign(
            clip, tmp_path / "child.mp4", replace(manifest, ingredients=(Ingredient(tmp_path / "bad.mp4"),)), authority
        )
    assert "child.mp4" not in os.listdir(tmp_path)


@pytest.mark.parametrize("suffix", ["png", "webp", "gif"])
def test_pictures_have_parents_too_and_show_tampering(
    signed: Path, picture: Path, tmp_path: Path, manifest: Manifest, authority: Authority, suffix: str
) -> None:
    path = tmp_path / f"a.{suffix}"
    frames = np.random.default_rng(1).integers(0, 256, (3, 32, 32, 3), np.uint8)
    write_png(path, frames[0]) if suffix == "png" else write_animation(path, frames, fps=8)
    used = (Ingredient(signed), Ingredient(picture))
    sign(path, path, replace(manifest, ingredients=used), authority)
    verdict = verify(path, authority)
    assert [parent["relation"] for parent in verdict.facts["parents"]] == ["inputTo", "inputTo"]
    assert independent(path, authority.anchors) == "valid"
    data = bytearray(path.read_bytes())
    data[data.index({"png": b"IDAT", "webp": b"ANMF", "gif": b"NETSCAPE"}[suffix]) + 100] ^= 1
    path.write_bytes(data)
    assert verify(path, authority).state == "invalid"
    assert independent(path, authority.anchors) != "valid"
