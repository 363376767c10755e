"""One authority and one signed clip for the room's tests; no test sees the machine's own settings."""

from pathlib import Path

import numpy as np
import pytest

from sorairo.media import write_mp4
from sorairo.provenance import Authority, Manifest, open_authority, sign

_MANIFEST = Manifest(
    title="赤い球.mp4",
    model="sorairo-base",
    weights_sha256="ab" * 32,
    request={
        "prompt": 'a red "ball" 🔴',
        "seed": 2**64 - 1,
        "guidance_scale": 0.1,
        "negative_prompt": None,
        "sizes": [1, 2],
    },
    version="1.2.3",
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh folder of settings, and a home folder that other libraries may write to."""
    monkeypatch.setenv("SORAIRO_HOME", str(tmp_path / "settings"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "settings"


@pytest.fixture(scope="session")
def manifest() -> Manifest:
    return _MANIFEST


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return open_authority(tmp_path_factory.mktemp("shared settings"))


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unsigned clip of noise: most of its bytes are media data."""
    path = tmp_path_factory.mktemp("clip") / "plain.mp4"
    noise = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8)
    write_mp4(path, noise, width=64, height=64, fps=8)
    return path


@pytest.fixture(scope="session")
def signed(clip: Path, manifest: Manifest, authority: Authority) -> Path:
    path = clip.with_name("signed.mp4")
    sign(clip, path, manifest, authority)
    return path
