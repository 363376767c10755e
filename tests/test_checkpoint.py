"""Checkpoints: exact round trips, one clear line for a bad file, and never a partial one."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from sorairo.checkpoint import load_into, load_tensors, save_tensors
from sorairo.media import file_sha256

FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
WHOLE_NUMBERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)
METADATA = {"config": {"depth": 4, "rate": 1e-4}, "名": "空色", "parents": ["a"], "none": None}


def tensors_of_every_kind() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    tensors = {str(dtype): (torch.rand(3, 5, generator=generator) * 9).to(dtype) for dtype in (*FLOATS, *WHOLE_NUMBERS)}
    base = torch.arange(24.0).reshape(4, 6)
    return tensors | {
        "scalar": torch.tensor(3.5),
        "empty": torch.zeros(0, 7),
        "transposed": base.T,
        "view": base[1:3, ::2],
        "tied": base,
        "tied too": base,
        "trained": nn.Parameter(torch.ones(2)),
    }


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.dtype == b.dtype and torch.equal(a, b)


def test_round_trip_of_every_dtype_and_layout(tmp_path: Path) -> None:
    tensors = tensors_of_every_kind()
    save_tensors(tmp_path / "a.safetensors", tensors, METADATA)
    loaded, metadata = load_tensors(tmp_path / "a.safetensors")
    assert metadata == METADATA
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert same(tensor.detach(), loaded[name]), name


def test_the_format_is_the_library_s(tmp_path: Path) -> None:
    """An independent writer and reader agree with ours, and element sizes are aligned."""
    tensors = {"b": torch.ones(3, dtype=torch.bool), "a": torch.rand(3, 3, dtype=torch.float64)}
    save_tensors(tmp_path / "ours", tensors, {})
    found = load_file(tmp_path / "ours")
    assert found.keys() == tensors.keys()
    assert all(same(found[name], tensor) for name, tensor in tensors.items())
    save_file(tensors, tmp_path / "theirs", metadata={"format": "pt"})
    loaded, metadata = load_tensors(tmp_path / "theirs")
    assert metadata == {}
    assert same(loaded["a"], tensors["a"])
    assert int.from_bytes((tmp_path / "ours").read_bytes()[:8], "little") % 8 == 0


def test_same_content_same_bytes(tmp_path: Path) -> None:
    tensors = tensors_of_every_kind()
    save_tensors(tmp_path / "a", tensors, METADATA)
    save_tensors(tmp_path / "b", dict(reversed(tensors.items())), METADATA)
    assert file_sha256(tmp_path / "a") == file_sha256(tmp_path / "b")
    assert len(file_sha256(tmp_path / "a")) == 64


@pytest.mark.parametrize("length", [0, 5, 40, -1])
def test_truncated_file(tmp_path: Path, length: int) -> None:
    path = tmp_path / "cut.safetensors"
    save_tensors(path, {"a": torch.ones(100)}, METADATA)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"^[^\n]*cut\.safetensors is not a whole safetensors file: [^\n]+$"):
        load_tensors(path)


def test_files_that_are_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not tensors " * 1000)
    with pytest.raises(ValueError, match="not a whole safetensors file"):
        load_tensors(tmp_path / "text")
    with pytest.raises(ValueError, match=r"^no checkpoint at [^\n]*missing: no such file$"):
        load_tensors(tmp_path / "missing")
    with pytest.raises(ValueError, match="it is a folder"):
        load_tensors(tmp_path)


def test_unsupported_content_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"'z' is torch\.complex64"):
        save_tensors(tmp_path / "a", {"z": torch.zeros(1, dtype=torch.complex64)}, {})
    with pytest.raises(TypeError):
        save_tensors(tmp_path / "a", {}, {"path": Path()})
    assert os.listdir(tmp_path) == []


# --- into a module -------------------------------------------------------------------------------------------------


def test_load_into_with_prefix(tmp_path: Path) -> None:
    source, target = nn.Linear(3, 2), nn.Linear(3, 2)
    named = {f"ema.{name}": tensor for name, tensor in source.state_dict().items()}
    save_tensors(tmp_path / "a", named | {"step": torch.tensor(5)}, {"steps": 5})
    assert load_into(target, tmp_path / "a", prefix="ema.") == {"steps": 5}
    assert all(map(same, source.state_dict().values(), target.state_dict().values()))


def test_load_into_names_what_does_not_fit(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    before = module[0].weight.clone()
    tensors = {
        "0.weight": torch.zeros(2, 3),
        "1.weight": torch.zeros(5, 2),
        **{f"old.{i}": torch.zeros(1) for i in range(9)},
    }
    save_tensors(tmp_path / "a", tensors, {})
    with pytest.raises(ValueError, match="does not fit Sequential") as caught:
        load_into(module, tmp_path / "a")
    message = str(caught.value)
    assert "missing 0.bias, 1.bias;" in message
    assert "unexpected old.0, old.1, old.2 and 6 more;" in message
    assert message.endswith("another shape 1.weight [5, 2] for [2, 2]")
    assert torch.equal(module[0].weight, before)


# --- never a partial file ------------------------------------------------------------------------------------------


def test_unwritable_folder(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="cannot write the checkpoint") as caught:
        save_tensors(tmp_path / "no" / "a", {}, {})
    assert caught.value.errno == errno.ENOENT
    assert caught.value.filename == str(tmp_path / "no" / "a")
    with pytest.raises(FileExistsError, match="a folder or a device has this name"):
        save_tensors(tmp_path, {}, {})
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        save_tensors(tmp_path / "file" / "a", {}, {})


FILE_LIMIT = """
import resource, signal, sys, torch
from sorairo.checkpoint import save_tensors
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    save_tensors(sys.argv[1], {str(i): torch.ones(10_000) for i in range(9)}, {})
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(os.name != "posix", reason="file size limits are POSIX")
def test_no_room_in_mid_write_keeps_the_old_file(tmp_path: Path) -> None:
    """The system refuses to write on in the middle of the file (a size limit: as a full disk, needs no mount)."""
    path = tmp_path / "a.safetensors"
    save_tensors(path, {"a": torch.ones(2)}, {})
    run = subprocess.run([sys.executable, "-c", FILE_LIMIT, str(path)], capture_output=True, text=True, check=True)
    assert "cannot write the checkpoint (File too large)" in run.stdout
    assert os.listdir(tmp_path) == [path.name]
    assert torch.equal(load_tensors(path)[0]["a"], torch.ones(2))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_full_disk(tmp_path: Path) -> None:
    (tmp_path / ".a.partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device") as caught:
        save_tensors(tmp_path / "a", {"a": torch.ones(100_000)}, {})
    assert caught.value.errno == errno.ENOSPC
    assert os.listdir(tmp_path) == []


ENDLESS = """
import sys, torch
from sorairo.checkpoint import save_tensors
while True:
    save_tensors(sys.argv[1], {str(i): torch.full((500_000,), 2.0) for i in range(8)}, {"whole": True})
"""


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is POSIX")
def test_kill_in_mid_write_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    partial = tmp_path / ".a.safetensors.partial"
    save_tensors(path, {"0": torch.ones(1)}, {"whole": True})
    with subprocess.Popen([sys.executable, "-c", ENDLESS, str(path)]) as process:
        deadline = time.monotonic() + 60
        while not (partial.exists() and partial.stat().st_size > 4_000_000) and time.monotonic() < deadline:
            pass
        process.send_signal(signal.SIGKILL)
    tensors, metadata = load_tensors(path)
    assert metadata == {"whole": True}
    assert all(len(set(tensor.tolist())) == 1 for tensor in tensors.values())
    save_tensors(path, {"0": torch.ones(1)}, {})  # what the killed process may have left does not pile up
    assert os.listdir(tmp_path) == [path.name]
