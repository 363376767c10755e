"""Weights and other tensors on disk: safetensors with a JSON header, written whole or not at all.

Never pickles, never runs anything a file says, and never replaces a good file with a part of one.
"""

import contextlib
import errno
import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

ModuleT = TypeVar("ModuleT", bound=nn.Module)

_METADATA_KEY = "sorairo"  # the one entry of the header's `__metadata__`, a JSON text
_MAX_NAMES = 3  # names printed of each kind of mismatch

_DTYPE_NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def save_tensors(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write `tensors` and `metadata` to `path` in one step: afterwards the file is the old one or the whole new one.

    The same tensors and metadata give the same bytes. Tensors that share memory are written once each. Format:
    https://huggingface.co/docs/safetensors#format. `metadata` holds what JSON holds, with text keys.

    Raises OSError naming `path` (full disk, missing or unwritable folder) and leaves nothing behind; TypeError for
    metadata outside JSON or a tensor type outside safetensors.
    """
    # Wide elements first: every tensor then starts at a multiple of its element size, as memory-mapping readers want.
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0]))
    header = _header(ordered, json.dumps(dict(metadata), ensure_ascii=False))
    _write_whole(Path(path), [header], (_raw_bytes(tensor) for _, tensor in ordered))


def load_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read every tensor (on the CPU) and the metadata; `{}` for safetensors files that others wrote.

    Raises ValueError, in one line naming `path`, for a file that is missing, truncated, or not safetensors.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"no checkpoint at {path}: {'it is a folder' if path.is_dir() else 'no such file'}")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
            metadata = json.loads((file.metadata() or {}).get(_METADATA_KEY, "{}"))
    except (SafetensorError, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(f"{path} is not a whole safetensors file: {reason}") from error
    return tensors, metadata


def load_into(module: nn.Module, path: str | Path, prefix: str = "") -> dict[str, Any]:
    """Load into `module` the tensors of `path` whose names start with `prefix`, and return the file's metadata.

    Strict: raises ValueError that names (a few of) the missing, unexpected and differently shaped tensors, and then
    leaves the module as it was.
    """
    tensors, metadata = load_tensors(path)
    found = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    wanted = module.state_dict()
    reshaped = [
        f"{name} {list(found[name].shape)} for {list(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in found and found[name].shape != tensor.shape
    ]
    problems = [
        _listed("missing", [name for name in wanted if name not in found]),
        _listed("unexpected", [name for name in found if name not in wanted]),
        _listed("another shape", reshaped),
    ]
    if any(problems):
        raise ValueError(f"{path} does not fit {type(module).__name__}: {'; '.join(filter(None, problems))}")
    module.load_state_dict(found)
    return metadata


def loaded(module: ModuleT, path: str | Path) -> ModuleT:
    """``module`` with the tensors of ``path``, ready to run and not to be trained. Raises as `load_into`."""
    load_into(module, path)
    return module.eval().requires_grad_(False)


def halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """In float16: half the bytes, and no difference that a picture shows."""
    return {name: value.half() for name, value in tensors.items()}


def _header(ordered: list[tuple[str, Tensor]], metadata: str) -> bytes:
    """The length (8 bytes) and the JSON header, padded so that the tensors start at a multiple of 8."""
    entries: dict[str, Any] = {"__metadata__": {_METADATA_KEY: metadata}}
    start = 0
    for name, tensor in ordered:
        if tensor.dtype not in _DTYPE_NAMES:
            raise TypeError(f"tensor {name!r} is {tensor.dtype}, which a checkpoint does not hold")
        end = start + tensor.numel() * tensor.element_size()
        entries[name] = {"dtype": _DTYPE_NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
        start = end
    text = json.dumps(entries, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _raw_bytes(tensor: Tensor) -> memoryview:
    assert sys.byteorder == "little", "safetensors is little-endian"
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data


def _write_whole(path: Path, *parts: Iterable[bytes | memoryview]) -> None:
    """Write to a name beside `path`, flush to the disk, rename.

    The name is fixed, so that what a killed process left is overwritten by the next save: one writer for each path.
    """
    temporary = path.with_name(f".{path.name}.partial")
    try:
        if path.exists() and not path.is_file():  # renaming over a device would replace it
            raise FileExistsError(errno.EEXIST, "a folder or a device has this name")
        with open(temporary, "wb") as file:
            file.writelines(chunk for part in parts for chunk in part)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise OSError(error.errno, f"cannot write the checkpoint ({error.strerror})", str(path)) from error
    finally:
        with contextlib.suppress(OSError):  # gone after the rename; never hides why the writing failed
            temporary.unlink()


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where folders can be flushed."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno != errno.EINVAL:  # some network file systems cannot
                raise
        finally:
            os.close(handle)


def _listed(kind: str, names: list[str]) -> str:
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return f"{kind} {', '.join(names[:_MAX_NAMES])}{more}" if names else ""
