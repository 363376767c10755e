"""The world's ray tracer on a card: the scalar functions of `sorairo.world.tracer`, compiled for CUDA by numba.

Importing it needs a card, or NUMBA_ENABLE_CUDASIM=1 for numba's simulator, which runs the same kernels on the CPU's
tensors, very slowly. The package numba-cuda, where it is installed, stands in for numba's own numba.cuda.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

import sorairo
from scenes import Scene

for old, new in {"row_stack": "vstack", "in1d": "isin", "trapz": "trapezoid"}.items():
    if not hasattr(np, old):  # NumPy 2.5 has dropped names that numba-cuda 0.30 mentions
        setattr(np, old, getattr(np, new))
if (compiler := shutil.which("nvcc")) and not {"CUDA_HOME", "CUDA_PATH"} & set(os.environ):
    os.environ["CUDA_HOME"] = str(Path(compiler).resolve().parents[1])  # where numba looks for libnvvm

from numba import cuda  # noqa: E402 (after what it needs)

SIMULATED = bool(numba.config.ENABLE_CUDASIM)
MODULES = ("vectors", "environment", "solids", "surfaces", "tracer")  # in the order in which they import each other
SIDE = 2  # SIDE x SIDE samples where pixels differ from their neighbours, as `sorairo.world.render` has it
BLOCK = (8, 16) if not SIMULATED else (8, 8)  # each warp traces 8 x 4 pixels: neighbours take the same branches
THREADS, REFINERS = 128, 132 * 16 if not SIMULATED else 1  # 16 blocks for each of an H100's multiprocessors
# 255 registers a thread leave room for a quarter of the threads; the simulator has none, and does not know the word.
OPTIONS: dict[str, Any] = {"fastmath": True} | ({} if SIMULATED else {"max_registers": 128})


def _device_world() -> ModuleType:
    """A second `sorairo.world.tracer` whose functions are compiled for the card; the first is left as it is."""
    package = ModuleType("card_world")
    sys.modules[package.__name__] = package
    kept, numba.njit = numba.njit, lambda **_: cuda.jit(device=True, fastmath=True)
    try:
        for name in MODULES:
            path = Path(sorairo.__file__).parent / "world" / f"{name}.py"
            module = ModuleType(f"{package.__name__}.{name}")
            sys.modules[module.__name__] = module
            source = path.read_text().replace("sorairo.world", package.__name__)
            exec(compile(source, str(path), "exec"), module.__dict__)
            setattr(package, name, module)
    finally:
        numba.njit = kept
    return module


_world = _device_world()
sample, uneven, supersample = _world._sample, _world._uneven, _world._supersample


@cuda.jit(**OPTIONS)
def trace(solids, counts, poses, environments, cameras, picture):
    """picture float32 [b t h w 3]: one sample a pixel."""
    x, y = cuda.grid(2)
    b, f = cuda.blockIdx.z // picture.shape[1], cuda.blockIdx.z % picture.shape[1]
    height, width, n = picture.shape[2], picture.shape[3], counts[b]
    if x < width and y < height:
        own, at = solids[b][:n], poses[b][f][:n]
        color, _ = sample(own, at, environments[b], cameras[b][f], x + 0.5, y + 0.5, width, height)
        for c in range(3):
            picture[b, f, y, x, c] = color[c]


@cuda.jit(fastmath=True)
def split(picture, pixels, found, total):
    """Bytes of every pixel; the places of uneven ones go to ``found``, in any order, and their number to ``total``."""
    x, y = cuda.grid(2)
    b, f = cuda.blockIdx.z // picture.shape[1], cuda.blockIdx.z % picture.shape[1]
    height, width = picture.shape[2], picture.shape[3]
    if x < width and y < height:
        for c in range(3):
            pixels[b, f, y, x, c] = int(picture[b, f, y, x, c] * 255 + 0.5)
        if uneven(picture[b][f], y, x):
            found[cuda.atomic.add(total, 0, 1)] = (cuda.blockIdx.z * height + y) * width + x


@cuda.jit(**OPTIONS)
def refine(solids, counts, poses, environments, cameras, pixels, found, total):
    """Bytes of the pixels in ``found`` again, from the mean of more samples."""
    frames, height, width = pixels.shape[1], pixels.shape[2], pixels.shape[3]
    for entry in range(cuda.grid(1), total[0], cuda.gridsize(1)):
        place = found[entry]
        x, y, frame = place % width, place // width % height, place // (width * height)
        b, f = frame // frames, frame % frames
        own, at = solids[b][: counts[b]], poses[b][f][: counts[b]]
        color = supersample(own, at, environments[b], cameras[b][f], y, x, width, height, SIDE)
        for c in range(3):
            pixels[b, f, y, x, c] = int(color[c] * 255 + 0.5)


def render(scenes: Sequence[Scene], device: torch.device) -> Tensor:
    """Frames uint8 [b t h w 3] on ``device`` of scenes of one size. Queued on the default stream: it does not wait."""
    shape = (len(scenes), len(scenes[0].camera), scenes[0].height, scenes[0].width)
    tables = [_view(table.to(device)) for table in _packed(scenes)]
    picture, pixels = torch.empty(*shape, 3, device=device), torch.empty(*shape, 3, dtype=torch.uint8, device=device)
    found = torch.empty(pixels[..., 0].numel(), dtype=torch.int32, device=device)
    total = torch.zeros(1, dtype=torch.int32, device=device)
    tiles = (-(-shape[3] // BLOCK[0]), -(-shape[2] // BLOCK[1]), shape[0] * shape[1])
    trace[tiles, BLOCK](*tables, _view(picture))
    split[tiles, BLOCK](*map(_view, (picture, pixels, found, total)))
    refine[REFINERS, THREADS](*tables, *map(_view, (pixels, found, total)))
    return pixels


def _packed(scenes: Sequence[Scene]) -> list[Tensor]:
    """solids [b n 16], counts [b], poses [b t n 12], environments [b 48], cameras [b t 13]; zeros up to the most n."""
    most = max(len(scene.solids) for scene in scenes)
    solids = [np.pad(s.solids, ((0, most - len(s.solids)), (0, 0))) for s in scenes]
    poses = [np.pad(s.poses, ((0, 0), (0, most - len(s.solids)), (0, 0))) for s in scenes]
    counts = np.array([len(s.solids) for s in scenes], np.int32)
    environments, cameras = np.stack([s.environment for s in scenes]), np.stack([s.camera for s in scenes])
    return [torch.from_numpy(table) for table in (np.stack(solids), counts, np.stack(poses), environments, cameras)]


def _view(tensor: Tensor) -> Any:
    """The same memory, as numba takes it."""
    return tensor.numpy() if SIMULATED else cuda.as_cuda_array(tensor, sync=False)
