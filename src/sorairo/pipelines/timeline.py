"""A request's files laid on its timeline: which frames are known, as latents for the sampler and as pixels at the end.

The autoencoder is causal: its first latent frame stands for one picture and each later one for four (docs/formats.md).
So frames that lie later are encoded behind a still of their first frame, as they would stand there; a latent frame is
known where all its frames are; and pixels that are known come out as they went in. Never samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import PurePath

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from sorairo.diffusion.flow import NoiseMap
from sorairo.diffusion.noise_maps import curve, region, snap_to_patches
from sorairo.media import Footage, Frames, file_sha256, fitted
from sorairo.models.interpolator import Interpolator
from sorairo.models.video_vae import VideoVAE, to_video
from sorairo.pipelines.finishing import between
from sorairo.pipelines.request import Anchor, Curve, Material, Source, VideoRequest
from sorairo.provenance.visible_mark import clear_mark
from sorairo.shapes import NATIVE_FPS, TEMPORAL_STRIDE, VideoShape

CONTEXT = 4  # latent frames that a window of a long clip shares with what is finished
STILL = 2  # latent frames of stillness before a clip that lies later: as good as its true past (docs/formats.md)
FRAMES_PER_CHUNK = 32  # encoded at a time
WHITE = 128  # from here on a pixel of a mask is white
SETTLING = 8  # frames before a known one that it reaches back to
LANDING = TEMPORAL_STRIDE - 1  # made frames that lead into a known one: of a latent frame all but the first
ALIKE = 8.0  # of 255: from here on two frames' pixels hardly lose the same in the autoencoder (docs/log.md)

Known = tuple[Float[np.ndarray, "h w 3"], Float[np.ndarray, "h w 3"]]
"""A known frame as it was decoded, and what the autoencoder lost of it."""


@dataclass(frozen=True)
class Placed:
    """The frames of a file at ``fps`` (0: a picture) from its second ``start``, laid at frame ``first``.

    ``num_frames`` of the timeline show it; ``place`` as in `Source`.
    """

    frames: Footage | Frames
    fps: float
    start: float
    first: int
    num_frames: int
    strength: float = 1.0
    place: tuple[int, int] | None = None

    @property
    def covered(self) -> range:
        return range(self.first, self.first + self.num_frames)

    def picture(self, frame: float, request: VideoRequest, width: int, height: int, cleared: bool = False) -> Frames:
        """What it shows at timeline ``frame``, fitted to the size given; in its own size if it has that already.

        cleared: without the visible mark of a clip made before.
        """
        index = round((self.start + (frame - self.first) / NATIVE_FPS) * self.fps)
        picture: Frames = self.frames[min(index, len(self.frames) - 1)]
        picture = clear_mark(picture) if cleared else picture
        if self.place is not None:
            left, top = self.place
            below, right = request.height - top - picture.shape[0], request.width - left - picture.shape[1]
            picture = np.pad(picture, ((top, below), (left, right), (0, 0)), "edge")
        return fitted(picture, width, height)


@dataclass(frozen=True)
class Timeline:
    """The known side of a request. ``shape`` counts the frames that are made, those that wrap around included.

    ``mask``: white where the source is made anew, which is also what is around a source that has a place.
    """

    request: VideoRequest
    shape: VideoShape
    anchors: tuple[Placed, ...]
    source: Placed | None = None
    second: Placed | None = None
    mask: Placed | None = None

    @property
    def groups(self) -> list[range]:
        """The frames of each latent frame."""
        return [range(1)] + [range(4 * g - 3, 4 * g + 1) for g in range(1, self.shape.latent.num_frames)]

    @cached_property
    def levels(self) -> Float[np.ndarray, " t"]:
        """Noise level of every frame at the start, masks left out: 1 where nothing is known."""
        levels = np.ones(self.shape.num_frames, np.float32)
        if self.source and self.request.source:
            covered = np.array(self.source.covered)
            levels[covered] = along(self.request.source.strength, covered / NATIVE_FPS)
        for anchor in self.anchors:
            levels[anchor.first : anchor.first + anchor.num_frames] = 1 - anchor.strength
        return levels

    def start_map(self, patch: int) -> NoiseMap:
        """The noise map [1 t h w] at which sampling starts."""
        shape, groups = self.shape.latent, self.groups
        of_source = [float(self.levels[group.start : group.stop].max()) for group in groups]
        noise_map = curve(shape, of_source)
        if self.mask:
            made = np.stack([self._made(self.mask, group) for group in groups])
            noise_map = noise_map * region(shape, torch.from_numpy(made), patch)
        for anchor in self.anchors:
            for group in self._groups_of(anchor):
                noise_map[:, group] = 1 - anchor.strength
        return snap_to_patches(noise_map, patch)

    @torch.inference_mode()
    def latents(self, vae: VideoVAE) -> Float[Tensor, "1 c t h w"]:
        """What is known, encoded where it stands; zeros elsewhere."""
        shape = self.shape.latent
        latents = torch.zeros(1, vae.config.latent_channels, shape.num_frames, shape.height, shape.width)
        for placed in (self.source, *self.anchors):
            if placed and (groups := self._groups_of(placed)):
                latents[:, :, groups.start : groups.stop] = self._encoded(placed, groups, vae)
        if self.source and self.second and self.request.source:
            groups = self._groups_of(self.second)
            times = np.array([self.groups[group][-1] / NATIVE_FPS for group in groups])
            share = torch.from_numpy(along(self.request.source.influence, times))[:, None, None]
            part = latents[:, :, groups.start : groups.stop]
            part.lerp_(self._encoded(self.second, groups, vae), share.expand(part.shape[2:]))
        return latents

    def settled(self, frames: Iterator[Frames], interpolator: Interpolator | None = None) -> Iterator[Frames]:
        """Decoded native frames [h w 3], the known ones as they were given and those beside them no blurrier.

        What the autoencoder loses of a known frame it loses as well of others where they look like it, so there it is
        given back; or every border between known and made frames would show. The last made frames before an anchor are
        interpolated, so that they end where it begins.
        """
        before: Known | None = None
        first, waiting = before, list[Frames]()
        for index, frame in enumerate(frames):
            given = self._given(index)
            if given is None or (given is self.source and self.mask):
                waiting.append(frame)
                if len(waiting) > SETTLING:
                    yield from _settled([waiting.pop(0)], before, None)
                continue
            known = self._native(given, index)
            after = frame.astype(np.float32), np.subtract(known, frame, dtype=np.float32)
            if any(given is anchor for anchor in self.anchors):
                yield from _landed(waiting, before, after, interpolator)
            else:
                yield from _settled(waiting, before, after)
            yield known
            before, waiting = after, []
            first = first or (before if index == 0 else None)
        yield from _landed(waiting, before, first if self.request.wrap else None, interpolator)

    def pass_through(self, frames: Iterator[Frames], fps: int = NATIVE_FPS) -> Iterator[tuple[Frames, bool]]:
        """The finished frames [h w 3], of any size and at ``fps``, with every known pixel as it was given; and whether
        each is wholly of a file. Where there is a mask none counts as that.

        Between two of the timeline's frames a pixel is known if it is in both.
        """
        for index, frame in enumerate(frames):
            height, width = frame.shape[:2]
            at = index * NATIVE_FPS / fps
            given, after = self._given(int(at)), self._given(-int(-at // 1))
            if given is None or given is not after:
                yield frame, False
                continue
            known = given.picture(at, self.request, width, height)
            if self.mask and given is self.source:
                made = self.mask.picture(at, self.request, width, height)[..., :1] >= WHITE
                known = np.where(made, frame, known)
            yield known, self.mask is None

    def _given(self, frame: int) -> Placed | None:
        """Whose pixels the timeline shows unchanged at ``frame``, if only outside of the mask."""
        for anchor in self.anchors:
            if frame in anchor.covered and anchor.strength == 1:
                return anchor
        source = self.source
        if source is None or frame not in source.covered:
            return None
        if self.mask:
            return source
        if self.levels[frame] > 0:
            return None
        return self._sole(source, frame)

    def _sole(self, source: Placed, frame: int) -> Placed | None:
        """Of a mixture, the clip that is there alone."""
        if not (self.second and self.request.source):
            return source
        share = along(self.request.source.influence, np.array([frame / NATIVE_FPS]))[0]
        return {0.0: source, 1.0: self.second}.get(float(share))

    def _native(self, placed: Placed, frame: int) -> Frames:
        """A frame as the model sees it: unmarked, in its size; what will be cut off at the end repeats the edge."""
        plan, shape = self.request.plan, self.shape
        left, top, right, bottom = (round(edge / plan.scale) for edge in plan.crop)
        picture = placed.picture(frame, self.request, right - left, bottom - top, cleared=placed is not self.mask)
        return np.pad(picture, ((top, shape.height - bottom), (left, shape.width - right), (0, 0)), "edge")

    def _groups_of(self, placed: Placed) -> range:
        """Latent frames whose frames it covers whole. A picture that lies later holds for all of its group."""
        if placed.num_frames == 1 and placed.first:
            group = -(-placed.first // TEMPORAL_STRIDE)
            return range(group, group + 1)
        start = -(-(placed.first + TEMPORAL_STRIDE - 1) // TEMPORAL_STRIDE) if placed.first else 0
        return range(start, max(start, 1 + (placed.covered[-1]) // TEMPORAL_STRIDE))

    def _encoded(self, placed: Placed, groups: range, vae: VideoVAE) -> Float[Tensor, "1 c t h w"]:
        """Its latents as they stand there, encoded a few frames at a time."""
        first, last = self.groups[groups[0]].start, self.groups[groups[-1]].stop
        shown = [min(max(frame, placed.first), placed.covered[-1]) for frame in range(first, last)]
        past = 0 if groups.start == 0 else 1 + STILL
        shown = shown[:1] * max(0, TEMPORAL_STRIDE * past - 3) + shown
        edges = [0, *range(1 + FRAMES_PER_CHUNK, len(shown), FRAMES_PER_CHUNK), len(shown)]
        chunks = (np.stack([self._native(placed, frame) for frame in shown[a:b]]) for a, b in pairwise(edges))
        encoded = vae.encode_stream(to_video(chunk).to(vae.latent_mean.device) for chunk in chunks)
        return torch.cat([chunk.cpu() for chunk in encoded], dim=2)[:, :, past:]

    def _made(self, mask: Placed, group: range) -> Float[np.ndarray, "h w"]:
        """True where the source is made anew in any frame of a latent frame."""
        made: np.ndarray = np.stack([self._native(mask, frame)[..., 0] for frame in group]).max(0) >= WHITE
        return made


def open_timeline(request: VideoRequest) -> Timeline:
    """Reads the files of a request.

    Raises:
        ValueError: one line: a file that cannot be read or is another one, two anchors on one frame, a mask of
            another size, material that begins after its end.
    """
    shape, files = request.shape, {material: _read(material) for material in request.materials}
    anchors = tuple(_anchor(f"anchors[{n}]", a, files[a.material], shape) for n, a in enumerate(request.anchors))
    if request.wrap:
        shape, anchors = _wrapped(shape, anchors)
    _check_apart(anchors)
    source = request.source
    if source is None:
        return Timeline(request, shape, anchors)
    below, mask = files[source.material], None
    placed = _under(below, source, shape)
    if source.place is not None:
        _check_place(below, source.place, request)
        mask = Placed(_around(below, source.place, request), 0, 0.0, 0, shape.num_frames)
    if request.mask:
        frames = files[request.mask]
        _check_mask(request.mask, frames, below)
        mask = Placed(frames, frames.fps, 0.0, 0, shape.num_frames)
    second = _under(files[source.second], source, shape) if source.second else None
    return Timeline(request, shape, anchors, placed, second, mask)


def along(points: Curve, times: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """A curve's values at ``times``, float32."""
    at, values = zip(*points, strict=True)
    between: Float[np.ndarray, " n"] = np.interp(times, at, values).astype(np.float32)
    return between


def _settled(made: Sequence[Frames], before: Known | None, after: Known | None) -> Iterator[Frames]:
    """Frames between two known ones with what those lost, passing over from the one to the other."""
    for number, frame in enumerate(made, start=1):
        share = number / (len(made) + 1) if after else 0.0
        settled = frame.astype(np.float32)
        for weight, known in ((1 - share, before), (share, after)):
            if known:
                decoded, lost = known
                settled += weight * np.exp(-np.abs(frame - decoded).mean(-1, keepdims=True) / ALIKE) * lost
        yield np.rint(settled.clip(0, 255)).astype(np.uint8)


def _landed(
    made: Sequence[Frames], before: Known | None, after: Known | None, interpolator: Interpolator | None
) -> list[Frames]:
    """Settled frames, of which the last are on the way from the one before them into the known one that follows."""
    frames, stop = list(_settled(made, before, after)), len(made) - LANDING
    if after is None or stop < 1:
        return frames
    known = (after[0] + after[1]).astype(np.uint8)
    way = [between(frames[stop - 1], known, n / (LANDING + 1), interpolator) for n in range(1, LANDING + 1)]
    return frames[:stop] + way


def _read(material: Material) -> Footage:
    if material.sha256 and (found := file_sha256(material.path)) != material.sha256:
        raise ValueError(f"{material.path} is another file than the request names: its SHA-256 is {found[:12]}...")
    return Footage(material.path)


def _anchor(field: str, anchor: Anchor, frames: Footage, shape: VideoShape) -> Placed:
    number = _num_frames(f"{field}.start", frames, anchor.start)
    if anchor.seconds is not None:
        wanted = 1 + round(anchor.seconds * NATIVE_FPS)
        if frames.fps and wanted > number:
            raise ValueError(
                f"{field}.seconds is {anchor.seconds:g}; {PurePath(anchor.material.path).name} has "
                f"{(number - 1) / NATIVE_FPS:g} s from there: the nearest is {(number - 1) / NATIVE_FPS:g}"
            )
        number = wanted
    first = round(anchor.time * NATIVE_FPS)
    return Placed(frames, frames.fps, anchor.start, first, min(number, shape.num_frames - first), anchor.strength)


def _under(frames: Footage, source: Source, shape: VideoShape) -> Placed:
    number = _num_frames("source.start", frames, source.start) if frames.fps else shape.num_frames
    return Placed(frames, frames.fps, source.start, 0, min(number, shape.num_frames), place=source.place)


def _around(frames: Footage, place: tuple[int, int], request: VideoRequest) -> Frames:
    """A mask [1 h w 3] of the request's size: black where ``frames`` lie at ``place``, white around them."""
    mask = np.full((1, request.height, request.width, 3), 255, np.uint8)
    left, top = place
    mask[:, top : top + frames.shape[1], left : left + frames.shape[2]] = 0
    return mask


def _num_frames(field: str, frames: Footage, start: float) -> int:
    """Frames at the timeline's rate that a file has from ``start`` on."""
    if not frames.fps:
        return 1
    seconds = (len(frames) - 1) / frames.fps
    if start > seconds:
        raise ValueError(f"{field} is {start:g}; the material lasts {seconds:g} s: the nearest is {seconds:g}")
    return 1 + int((seconds - start) * NATIVE_FPS + 1e-6)


def _wrapped(shape: VideoShape, anchors: tuple[Placed, ...]) -> tuple[VideoShape, tuple[Placed, ...]]:
    """After the last frame come the first ones once more, as something known to lead into."""
    head = next(anchor for anchor in anchors if anchor.first == 0)
    groups = max(1, min(CONTEXT, head.num_frames // TEMPORAL_STRIDE))
    longer = replace(shape, num_frames=shape.num_frames + TEMPORAL_STRIDE * groups)
    number = min(head.num_frames, TEMPORAL_STRIDE * groups)
    return longer, (*anchors, replace(head, first=shape.num_frames, num_frames=number))


def _check_apart(anchors: Sequence[Placed]) -> None:
    ordered = sorted(anchors, key=lambda anchor: anchor.first)
    for before, after in pairwise(ordered):
        if after.first < before.covered.stop:
            raise ValueError(
                f"anchors: one at {after.first / NATIVE_FPS:g} s begins before another ends; two cannot hold one "
                f"frame: the nearest free time is {before.covered.stop / NATIVE_FPS:g}"
            )


def _check_place(frames: Footage, place: tuple[int, int], request: VideoRequest) -> None:
    sides, room = frames.shape[2:0:-1], (request.width, request.height)
    if sides[0] > room[0] or sides[1] > room[1]:
        (width, height), found = map(max, sides, room), "{}x{}".format(*room)
        raise ValueError(f"size is {found}; what lies in it is {sides[0]}x{sides[1]}: the nearest is {width}x{height}")
    for field, edge, most in zip(("left", "top"), place, (room[0] - sides[0], room[1] - sides[1]), strict=True):
        if not 0 <= edge <= most:
            nearest = min(max(edge, 0), most)
            raise ValueError(f"source.place: {field} is {edge}; 0 to {most} lie inside: the nearest is {nearest}")


def _check_mask(mask: Material, frames: Footage, source: Footage) -> None:
    if frames.shape[1:3] != source.shape[1:3]:
        found, wanted = (f"{size[2]}x{size[1]}" for size in (frames.shape, source.shape))
        raise ValueError(f"mask {PurePath(mask.path).name} is {found}; it must have the source's size, {wanted}")
