"""From frames to an observation: loads the detectors' weights and runs them. Never trains, never judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sorairo.checkpoint import load_into, save_tensors
from sorairo.media import Frames
from sorairo.pipelines.cards import weight_roots
from sorairo.shapes import SPATIAL_STRIDE
from sorairo.sight.observation import Observation, Sighting, label_things, sight_things, without_flickers
from sorairo.sight.scene_net import NUM_CAMERA_PICTURES, PAINTS, CameraNet, SceneNet, ScenePrediction
from sorairo.world import CAMERA_MOVES, GROUNDS, LIGHTS

FOLDER, FILE = "detector", "detector.safetensors"
NATIVE_PIXELS = 160 * 96  # of a picture as the networks learned it
MOST_PIXELS = 1.2 * NATIVE_PIXELS
PICTURES_AT_ONCE = 17


class Detector:
    """Both networks, frozen.

    agreement: for each fact, how far it agreed with the truth on held-out clips. limits: for each law, between which
    numbers fits to real clips lie (`laws.limits_of`).
    """

    def __init__(
        self,
        scene: SceneNet,
        camera: CameraNet,
        agreement: Mapping[str, float] | None = None,
        limits: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        self.scene = scene.eval().requires_grad_(False)
        self.camera = camera.eval().requires_grad_(False)
        self.agreement, self.limits = dict(agreement or {}), dict(limits or {})

    @torch.no_grad()
    def observe(self, frames: Frames) -> Observation:
        """What is to be seen in a clip's frames [t h w 3]. Sides that are no multiples of 16 are scaled to some."""
        pictures = native_size(as_input(torch.from_numpy(frames)))
        parts = [self.scene(part) for part in torch.split(pictures, PICTURES_AT_ONCE)]
        labels, sightings = _things(ScenePrediction(*(torch.cat(part) for part in zip(*parts, strict=True))))
        light, ground = (
            names[int(torch.cat([getattr(part, kind) for part in parts]).softmax(1).mean(0).argmax())]
            for kind, names in (("light", LIGHTS), ("ground", GROUNDS))
        )
        return Observation(
            tuple(without_flickers(sightings, len(labels))), labels, light, ground, self._camera_move(pictures)
        )

    def _camera_move(self, pictures: Tensor) -> str:
        """A single picture counts as a camera that stands still."""
        if len(pictures) < NUM_CAMERA_PICTURES + 2:
            return CAMERA_MOVES[0]
        chosen = F.avg_pool2d(pictures[camera_frames(len(pictures))], 2)
        return CAMERA_MOVES[int(self.camera(chosen[None]).argmax())]


def as_input(pixels: Tensor) -> Tensor:
    """uint8 [... h w 3] to float [... 3 h w] in [-1, 1]."""
    return pixels.movedim(-1, -3).float() / 127.5 - 1


def native_size(pictures: Tensor) -> Tensor:
    """Pictures [t 3 h w] at about the number of pixels that the networks learned, sides multiples of 16."""
    height, width = pictures.shape[-2:]
    scale = min(1.0, (NATIVE_PIXELS / (height * width)) ** 0.5) if height * width > MOST_PIXELS else 1.0
    size = [max(1, round(side * scale / SPATIAL_STRIDE)) * SPATIAL_STRIDE for side in (height, width)]
    if size == [height, width]:
        return pictures
    return F.interpolate(pictures, size=size, mode="bilinear", antialias=True, align_corners=False)


def camera_frames(num_frames: int) -> list[int]:
    """Frames that the camera network looks at: an eighth to seven eighths of the clip."""
    shares = np.arange(1, NUM_CAMERA_PICTURES + 1) / (NUM_CAMERA_PICTURES + 1)
    return [round(share * (num_frames - 1)) for share in shares.tolist()]


def _things(prediction: ScenePrediction) -> tuple[npt.NDArray[np.int8], list[Sighting]]:
    paint = prediction.color.argmax(1).to(torch.int8).numpy()
    shapes = prediction.shape.softmax(1).numpy()
    offset, tipped = prediction.offset.numpy(), prediction.tipped.sigmoid().numpy()
    labels = np.stack([label_things(p, o, len(PAINTS)) for p, o in zip(paint, offset, strict=True)])
    sightings = [
        sighting for t in range(len(labels)) for sighting in sight_things(t, labels[t], paint[t], shapes[t], tipped[t])
    ]
    return labels, sightings


def detector_file() -> Path:
    """Where the detectors' weights are: in an installed package, or at the repository's root."""
    files = [root / FOLDER / FILE for root in weight_roots()]
    return next((file for file in files if file.is_file()), files[-1])


def save_detector(path: Path, detector: Detector, facts: Mapping[str, Any]) -> None:
    """Write both networks in half precision, with their agreement and whatever else is to be known of them."""
    named: tuple[tuple[str, nn.Module], ...] = (("scene", detector.scene), ("camera", detector.camera))
    tensors = {f"{part}.{name}": tensor for part, module in named for name, tensor in module.state_dict().items()}
    halves = {name: t.half() if t.is_floating_point() else t for name, t in tensors.items()}
    save_tensors(path, halves, {**facts, "agreement": detector.agreement, "limits": detector.limits})


def load_detector(path: Path | None = None) -> Detector:
    """The detectors that ship with the software, or those of a file.

    Raises ValueError for a missing, broken or foreign file.
    """
    path = path or detector_file()
    scene, camera = SceneNet(), CameraNet()
    load_into(scene, path, "scene.")
    facts = load_into(camera, path, "camera.")
    return Detector(scene, camera, facts.get("agreement"), facts.get("limits"))
