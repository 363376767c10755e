"""The known side of a request: which latents are known, encoded as they stand there, and pixels that pass through."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from sorairo.media import Frames, file_sha256, read_video, write_mp4, write_png
from sorairo.models.video_vae import VideoVAE, to_video
from sorairo.pipelines import ModelBundle, VideoRequest
from sorairo.pipelines.request import Anchor, Material, Source
from sorairo.pipelines.timeline import Timeline, open_timeline
from sorairo.provenance.visible_mark import clear_mark, draw_mark

SIZE = {"width": 64, "height": 32}


@pytest.fixture(scope="module")
def vae(bundle: ModelBundle) -> VideoVAE:
    return bundle.video_vae


def moving(num_frames: int, height: int = 32, width: int = 64, seed: int = 0) -> Frames:
    """Smooth frames, each unlike the others."""
    rng = np.random.default_rng(seed)
    start, end = rng.integers(0, 255, (2, height // 8, width // 8, 3))
    steps = np.linspace(0, 1, num_frames)[:, None, None, None]
    return (start + (end - start) * steps).astype(np.uint8).repeat(8, 1).repeat(8, 2)


@pytest.fixture
def clip(tmp_path: Path) -> Material:
    """A clip of 17 frames."""
    write_mp4(tmp_path / "clip.mp4", moving(17), **SIZE, fps=8)
    return Material(str(tmp_path / "clip.mp4"))


@pytest.fixture
def other(tmp_path: Path) -> Material:
    write_mp4(tmp_path / "other.mp4", moving(17, seed=1), **SIZE, fps=8)
    return Material(str(tmp_path / "other.mp4"))


@pytest.fixture
def picture(tmp_path: Path) -> Material:
    write_png(tmp_path / "picture.png", moving(1)[0])
    return Material(str(tmp_path / "picture.png"))


def frames_of(material: Material) -> Frames:
    return read_video(material.path)[0]


def levels(timeline: Timeline) -> list[float]:
    """One level for each latent frame, which must be constant in it."""
    noise_map = timeline.start_map(patch=2)
    assert torch.equal(noise_map.amin((-1, -2)), noise_map.amax((-1, -2)))
    return [round(level, 6) for level in noise_map[0, :, 0, 0].tolist()]


def finished(timeline: Timeline, width: int = 64, height: int = 32, fps: int = 8) -> list[Frames]:
    """What comes out when the model makes nothing but grey."""
    number = 1 + (timeline.request.shape.num_frames - 1) * fps // 8
    grey: Iterator[Frames] = iter([np.full((height, width, 3), 128, np.uint8)] * number)
    return [frame for frame, _ in timeline.pass_through(grey, fps)]


def is_grey(frame: Frames) -> bool:
    return bool((frame == 128).all())


def test_nothing_is_known_of_a_prompt(vae: VideoVAE) -> None:
    timeline = open_timeline(VideoRequest("a ball", seconds=2, **SIZE))
    assert levels(timeline) == [1] * 5
    assert not timeline.latents(vae).any()
    assert all(map(is_grey, finished(timeline)))


def test_a_picture_at_the_start_is_the_first_latent(vae: VideoVAE, picture: Material) -> None:
    timeline = open_timeline(VideoRequest("a", seconds=2, anchors=(Anchor(picture),), **SIZE))
    assert levels(timeline) == [0, 1, 1, 1, 1]
    assert torch.equal(timeline.latents(vae)[:, :, :1], vae.encode(to_video(moving(1))))
    first, *others = finished(timeline)
    assert np.array_equal(first, moving(1)[0])
    assert all(map(is_grey, others))


def test_a_picture_later_holds_for_its_group_and_shows_at_its_time(picture: Material) -> None:
    timeline = open_timeline(VideoRequest("a", seconds=2, anchors=(Anchor(picture, time=1.25),), **SIZE))
    assert levels(timeline) == [1, 1, 1, 0, 1]  # frames 9 to 12 are one latent, and 1.25 s is frame 10
    assert [not is_grey(frame) for frame in finished(timeline)].index(True) == 10
    assert sum(not is_grey(frame) for frame in finished(timeline)) == 1


def test_a_clip_at_the_start_is_encoded_as_it_is(vae: VideoVAE, clip: Material) -> None:
    timeline = open_timeline(VideoRequest("a", seconds=4, anchors=(Anchor(clip),), **SIZE))
    assert levels(timeline) == [0] * 5 + [1] * 4
    torch.testing.assert_close(timeline.latents(vae)[:, :, :5], vae.encode(to_video(frames_of(clip))))


def test_a_long_clip_is_encoded_in_pieces_with_the_same_result(vae: VideoVAE, tmp_path: Path) -> None:
    write_mp4(tmp_path / "long.mp4", moving(81), **SIZE, fps=8)
    long = Material(str(tmp_path / "long.mp4"))
    timeline = open_timeline(VideoRequest("a", seconds=10, anchors=(Anchor(long),), **SIZE))
    whole = vae.encode(to_video(frames_of(long)))
    torch.testing.assert_close(timeline.latents(vae), whole, atol=1e-4, rtol=1e-4)


def test_a_clip_later_is_encoded_as_it_stands_there(vae: VideoVAE, clip: Material) -> None:
    """Its latents are those of groups of four, as behind a past that stood still, not those of a clip's start."""
    timeline = open_timeline(VideoRequest("a", seconds=4, anchors=(Anchor(clip, time=2.0),), **SIZE))
    assert levels(timeline) == [1] * 5 + [0] * 4
    frames = frames_of(clip)[1:]  # frame 16 of the timeline belongs to a latent frame that is not known whole
    past = frames[:1].repeat(21, 0)
    expected = vae.encode(to_video(np.concatenate([past, frames])))[:, :, 6:]
    torch.testing.assert_close(timeline.latents(vae)[:, :, 5:], expected, atol=1e-4, rtol=1e-4)
    shown = finished(timeline)
    assert np.array_equal(shown[16:], frames_of(clip))
    assert all(map(is_grey, shown[:16]))


def test_a_part_of_a_clip(clip: Material) -> None:
    anchor = Anchor(clip, time=0.5, start=1.0, seconds=0.5)
    timeline = open_timeline(VideoRequest("a", seconds=2, anchors=(anchor,), **SIZE))
    assert levels(timeline) == [1, 1, 0, 1, 1]
    assert np.array_equal(finished(timeline)[4:9], frames_of(clip)[8:13])


def test_a_weak_anchor_is_changed(clip: Material) -> None:
    timeline = open_timeline(VideoRequest("a", seconds=2, anchors=(Anchor(clip, strength=0.75),), **SIZE))
    assert levels(timeline) == [0.25] * 5
    assert all(map(is_grey, finished(timeline)))


@pytest.mark.parametrize("strength", [0.0, 0.6, 1.0])
def test_remix_is_one_level(clip: Material, strength: float) -> None:
    timeline = open_timeline(VideoRequest("a", seconds=2, source=Source(clip, strength=((0, strength),)), **SIZE))
    assert levels(timeline) == [round(strength, 6)] * 5
    same = [np.array_equal(a, b) for a, b in zip(finished(timeline), frames_of(clip), strict=True)]
    assert same == [strength == 0] * 17


def test_strength_may_rise(clip: Material) -> None:
    source = Source(clip, strength=((0.5, 0.0), (1.5, 1.0)))
    timeline = open_timeline(VideoRequest("a", seconds=2, source=source, **SIZE))
    assert levels(timeline) == [0, 0, 0.5, 1, 1]  # of a group its last frame's, which is the highest
    assert [is_grey(frame) for frame in finished(timeline)] == [False] * 5 + [True] * 12


def test_a_blend_mixes_latents_by_its_influence(vae: VideoVAE, clip: Material, other: Material) -> None:
    source = Source(clip, strength=((0, 0.5),), second=other, influence=((0, 0), (2, 1)))
    timeline = open_timeline(VideoRequest("a", seconds=2, source=source, **SIZE))
    one, two = (vae.encode(to_video(frames_of(material))) for material in (clip, other))
    latents = timeline.latents(vae)
    for group, share in enumerate((0, 0.25, 0.5, 0.75, 1)):
        torch.testing.assert_close(latents[:, :, group], torch.lerp(one, two, share)[:, :, group])


def test_a_blends_ends_are_its_sources(clip: Material, other: Material) -> None:
    source = Source(clip, strength=((0, 0), (1, 0.9), (2, 0)), second=other, influence=((0.5, 0), (1.5, 1)))
    shown = finished(open_timeline(VideoRequest("a", seconds=2, source=source, **SIZE)))
    assert np.array_equal(shown[0], frames_of(clip)[0])
    assert np.array_equal(shown[-1], frames_of(other)[-1])
    assert is_grey(shown[8])


def masked(folder: Path, clip: Material, columns: slice) -> VideoRequest:
    mask = np.zeros((32, 64, 3), np.uint8)
    mask[:, columns] = 255
    write_png(folder / "mask.png", mask)
    return VideoRequest("a", seconds=2, source=Source(clip), mask=Material(str(folder / "mask.png")), **SIZE)


def test_a_mask_keeps_every_pixel_outside(tmp_path: Path, clip: Material) -> None:
    timeline = open_timeline(masked(tmp_path, clip, slice(40, 64)))
    noise_map = timeline.start_map(patch=1)
    assert noise_map[0, 0].tolist() == [[0, 0, 1, 1]] * 2  # columns of 16 pixels that the mask touches
    for frame, given in zip(finished(timeline), frames_of(clip), strict=True):
        assert np.array_equal(frame[:, :40], given[:, :40])
        assert is_grey(frame[:, 40:])


def test_a_moving_mask_holds_frame_by_frame(tmp_path: Path, clip: Material) -> None:
    mask = np.zeros((17, 32, 64, 3), np.uint8)
    mask[9:, :, :32] = 255
    write_mp4(tmp_path / "mask.mp4", mask, **SIZE, fps=8)
    request = masked(tmp_path, clip, slice(0))
    timeline = open_timeline(
        VideoRequest("a", seconds=2, source=request.source, mask=Material(str(tmp_path / "mask.mp4")), **SIZE)
    )
    assert timeline.start_map(patch=1)[0, :, 0].tolist() == [[0] * 4] * 3 + [[1, 1, 0, 0]] * 2
    assert [is_grey(frame[:, :32]) for frame in finished(timeline)] == [False] * 9 + [True] * 8


def test_a_clip_in_a_larger_picture_stays_where_it_is_put(clip: Material) -> None:
    source = Source(clip, place=(16, 32))
    timeline = open_timeline(VideoRequest("a", seconds=2, source=source, width=96, height=64))
    assert timeline.start_map(patch=1)[0, 0].tolist() == [[1] * 6] * 2 + [[1, 0, 0, 0, 0, 1]] * 2
    for frame, given in zip(finished(timeline, 96, 64), frames_of(clip), strict=True):
        assert np.array_equal(frame[32:, 16:80], given)
        assert is_grey(frame[:32])


def test_a_loop_leads_into_its_own_beginning(vae: VideoVAE, clip: Material) -> None:
    request = VideoRequest("a", seconds=3, anchors=(Anchor(clip),), wrap=True, **SIZE)
    timeline = open_timeline(request)
    assert request.shape.latent.num_frames == 7
    assert levels(timeline) == [0] * 5 + [1] * 2 + [0] * 4
    again = frames_of(clip)[:16]
    expected = vae.encode(to_video(np.concatenate([again[:1].repeat(21, 0), again])))[:, :, 6:]
    torch.testing.assert_close(timeline.latents(vae)[:, :, 7:], expected, atol=1e-4, rtol=1e-4)


def test_material_of_another_size_and_rate_is_fitted(tmp_path: Path) -> None:
    write_mp4(tmp_path / "large.mp4", moving(49, 64, 96), width=96, height=64, fps=24)
    material = Material(str(tmp_path / "large.mp4"))
    timeline = open_timeline(VideoRequest("a", seconds=2, anchors=(Anchor(material),), **SIZE))
    assert levels(timeline) == [0] * 5
    assert all(frame.shape == (32, 64, 3) and not is_grey(frame) for frame in finished(timeline))


def test_known_pixels_come_out_in_the_size_and_at_the_rate_of_the_result(tmp_path: Path) -> None:
    """A large, fast clip that is only worked on small comes out as it went in."""
    write_mp4(tmp_path / "large.mp4", moving(25, 64, 128), width=128, height=64, fps=24)
    material = Material(str(tmp_path / "large.mp4"))
    timeline = open_timeline(VideoRequest("a", seconds=2, anchors=(Anchor(material),), **SIZE))
    shown = finished(timeline, 128, 64, fps=24)
    assert np.array_equal(shown[:25], frames_of(material))
    assert all(map(is_grey, shown[25:]))


@pytest.mark.parametrize(
    ("anchors", "words"),
    [
        ((Anchor(Material("clip.mp4")), Anchor(Material("clip.mp4"), time=1.0)), "the nearest free time is 2.125"),
        ((Anchor(Material("clip.mp4"), start=3.0),), r"start is 3; the material lasts 2 s: the nearest is 2"),
        ((Anchor(Material("clip.mp4"), start=1.0, seconds=2.0),), "has 1 s from there: the nearest is 1"),
        ((Anchor(Material("none.mp4")),), "none.mp4 does not exist"),
        ((Anchor(Material("text.mp4")),), "text.mp4 is neither a video nor a png, jpeg, webp or gif picture"),
        ((Anchor(Material("clip.mp4", sha256="0" * 64)),), "clip.mp4 is another file than the request names"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("clip")
def test_files_that_do_not_fit(
    anchors: tuple[Anchor, ...], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.mp4").write_text("not a video")
    with pytest.raises(ValueError, match=words) as caught:
        open_timeline(VideoRequest("a", seconds=4, anchors=anchors, **SIZE))
    assert "\n" not in str(caught.value)


def test_a_mask_of_another_size_is_refused(tmp_path: Path, clip: Material) -> None:
    request = masked(tmp_path, clip, slice(8))
    write_png(tmp_path / "mask.png", np.zeros((16, 16, 3), np.uint8))
    with pytest.raises(ValueError, match=r"mask mask.png is 16x16; it must have the source's size, 64x32"):
        open_timeline(request)


def test_a_place_outside_is_refused(clip: Material) -> None:
    with pytest.raises(ValueError, match=r"source.place: left is 40; 0 to 32 lie inside: the nearest is 32"):
        open_timeline(VideoRequest("a", source=Source(clip, place=(40, 0)), width=96, height=64))


def test_a_file_is_known_by_its_content(clip: Material) -> None:
    bound = Material(clip.path, file_sha256(clip.path))
    assert levels(open_timeline(VideoRequest("a", seconds=2, anchors=(Anchor(bound),), **SIZE))) == [0] * 5


def still(folder: Path, name: str, brightness: int) -> Material:
    """A picture of this brightness, which an autoencoder that only knows grey makes 128."""
    write_png(folder / name, np.full((32, 64, 3), brightness, np.uint8))
    return Material(str(folder / name))


def settled(request: VideoRequest, decoded: int = 128) -> list[int]:
    """Brightness of every frame where all were decoded as 128, those after the first as ``decoded``."""
    greys = (np.full((32, 64, 3), decoded if frame else 128, np.uint8) for frame in range(17))
    frames = list(open_timeline(request).settled(greys))
    assert len(frames) == 17
    return [int(np.unique(frame).item()) for frame in frames]


def test_what_a_known_frame_lost_is_given_back_where_others_look_like_it(tmp_path: Path) -> None:
    request = VideoRequest("a", seconds=2, anchors=(Anchor(still(tmp_path, "a.png", 140)),), **SIZE)
    assert settled(request) == [140] * 17
    assert settled(request, decoded=136) == [140] + [round(136 + 12 * np.exp(-1))] * 16
    assert settled(request, decoded=200) == [140] + [200] * 16
    assert settled(VideoRequest("a", seconds=2, **SIZE), decoded=200) == [128] + [200] * 16


def test_between_two_known_frames_one_loss_passes_over_to_the_other(tmp_path: Path) -> None:
    start, end = still(tmp_path, "a.png", 140), still(tmp_path, "b.png", 122)
    shown = settled(VideoRequest("a", seconds=2, anchors=(Anchor(start), Anchor(end, time=2.0)), **SIZE))
    assert shown == [140] * 8 + [140 - 2 * n for n in range(1, 10)]
    shown = settled(VideoRequest("a", seconds=2, anchors=(Anchor(end, time=2.0),), **SIZE))
    assert shown == [128] * 8 + [round(128 - 2 / 3 * n) for n in range(1, 6)] + [124, 124, 123, 122]


def test_the_last_made_frames_are_on_the_way_into_an_anchor(tmp_path: Path) -> None:
    start, end = still(tmp_path, "a.png", 140), still(tmp_path, "b.png", 120)
    request = VideoRequest("a", seconds=2, anchors=(Anchor(start), Anchor(end, time=2.0)), **SIZE)
    assert settled(request, decoded=200)[-5:] == [156, 147, 138, 129, 120]
    request = VideoRequest("a", seconds=2, anchors=(Anchor(end),), wrap=True, **SIZE)
    assert settled(request, decoded=200) == [120] + [200] * 13 + [180, 160, 140]


def test_a_loops_end_passes_over_to_its_beginning(tmp_path: Path) -> None:
    anchors = Anchor(still(tmp_path, "a.png", 140)), Anchor(still(tmp_path, "b.png", 122), time=1.0)
    shown = settled(VideoRequest("a", seconds=2, anchors=anchors, wrap=True, **SIZE))
    assert shown[8:] == [122 + 2 * n for n in range(9)]


def test_what_is_known_in_part_is_left_as_it_was_decoded(tmp_path: Path, clip: Material) -> None:
    timeline = open_timeline(masked(tmp_path, clip, slice(40, 64)))
    assert all(map(is_grey, timeline.settled(np.full((32, 64, 3), 128, np.uint8) for _ in range(17))))


def test_what_follows_a_marked_clip_does_not_go_on_showing_its_mark(tmp_path: Path) -> None:
    grey = np.full((17, 96, 160, 3), 100, np.uint8)
    marked = [draw_mark(frame, number / 8) for number, frame in enumerate(grey[:9])]
    write_mp4(tmp_path / "marked.mp4", np.stack(marked), width=160, height=96, fps=8)
    timeline = open_timeline(VideoRequest("a", seconds=2, anchors=(Anchor(Material(str(tmp_path / "marked.mp4"))),)))
    made = list(timeline.settled(iter(grey)))
    assert max(np.abs(frame.astype(int) - 100).max() for frame in made) <= 8
    shown = [frame for frame, _ in timeline.pass_through(iter(made))]
    assert all(clear_mark(frame) is not frame for frame in shown[:9])
    assert all(clear_mark(frame) is frame for frame in shown[9:])
