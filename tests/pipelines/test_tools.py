"""Every tool on a tiny real model: what must be kept is kept, exactly, and what must be made is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sorairo.media import Frames, read_any, write_mp4, write_png
from sorairo.pipelines import Generation, ModelBundle, VideoRequest, generate, tools
from sorairo.pipelines.generation import shots
from sorairo.pipelines.reproduction import compare, recorded_request
from sorairo.pipelines.request import Scene, Source
from sorairo.provenance import verify

SIZE = {"width": 64, "height": 32}
FAST = {"num_inference_steps": 2, "guidance_scale": 1.0, "model": "tiny"}

Made = Callable[[VideoRequest], Frames]


@pytest.fixture
def made(bundle: ModelBundle, tmp_path: Path) -> Made:
    """The frames of a request as they go to the encoder of the file, which alone loses anything."""

    def run(request: VideoRequest) -> Frames:
        generation = Generation(request, tmp_path / "generation", bundle)
        frames = np.stack(list(generation.frames()))
        generation.remove()
        return frames

    return run


@pytest.fixture(scope="module")
def clip(bundle: ModelBundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed clip of 17 frames."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    return generate(VideoRequest("a red ball", seconds=2, seed=1, **SIZE, **FAST), path, bundle=bundle).path


@pytest.fixture(scope="module")
def other(bundle: ModelBundle, clip: Path) -> Path:
    path = clip.with_name("other.mp4")
    return generate(VideoRequest("a blue cube", seconds=2, seed=2, **SIZE, **FAST), path, bundle=bundle).path


@pytest.fixture
def picture(clip: Path, tmp_path: Path) -> Path:
    write_png(tmp_path / "picture.png", frames_of(clip)[0])
    return tmp_path / "picture.png"


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    white = np.zeros((32, 64, 3), np.uint8)
    white[:, 32:] = 255
    write_png(tmp_path / "mask.png", white)
    return tmp_path / "mask.png"


def frames_of(path: Path) -> Frames:
    return read_any(path)[0]


def test_animate_begins_with_the_picture(made: Made, picture: Path) -> None:
    frames = made(tools.animate([(picture, 0)], "it moves", 1, **FAST))
    assert np.array_equal(frames[0], frames_of(picture)[0])
    assert frames.shape == (9, 32, 64, 3)
    assert not np.array_equal(frames[4], frames[0])


def test_animate_meets_every_picture_at_its_time(made: Made, picture: Path) -> None:
    frames = made(tools.animate([(picture, 0), (picture, 1.5), (picture, 2)], "it moves", 2, **FAST))
    assert [np.array_equal(frames[at], frames[0]) for at in (0, 8, 12, 16)] == [True, False, True, True]


def test_extend_keeps_the_clip_first(made: Made, clip: Path) -> None:
    frames = made(tools.extend(clip, 1.5, **FAST))
    assert frames.shape[0] == 17 + 12
    assert np.array_equal(frames[:17], frames_of(clip))


def test_extend_backward_leaves_the_clip_last(made: Made, clip: Path) -> None:
    frames = made(tools.extend(clip, 1.5, backward=True, **FAST))
    assert frames.shape[0] == 17 + 12
    assert np.array_equal(frames[12:], frames_of(clip))


def test_no_frame_of_a_clip_of_any_length_is_lost(made: Made, clip: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd.mp4"
    write_mp4(odd, frames_of(clip)[:15], **SIZE, fps=8)
    for backward in (False, True):
        frames = made(tools.extend(odd, 0.5, "a", backward=backward, **FAST))
        assert frames.shape[0] == 21  # 15, and half a second or a little more
        kept = frames[-15:] if backward else frames[:15]
        assert np.array_equal(kept, frames_of(odd))


def test_a_loop_keeps_the_clip_and_knows_where_it_leads(made: Made, clip: Path) -> None:
    request = tools.loop(clip, 1, **FAST)
    frames = made(request)
    assert request.wrap
    assert np.array_equal(frames[:17], frames_of(clip))
    assert frames.shape[0] == 17 + 8


def test_connect_keeps_both_clips(made: Made, clip: Path, other: Path) -> None:
    request = tools.connect(clip, other, 1, **FAST)
    frames = made(request)
    assert np.array_equal(frames[:17], frames_of(clip))
    assert np.array_equal(frames[-17:], frames_of(other))
    assert (request.prompt, [scene.prompt for scene in request.scenes]) == ("a red ball", ["a blue cube"])


@pytest.mark.parametrize("influence", sorted(tools.INFLUENCES))
def test_a_blends_ends_are_its_sources(made: Made, clip: Path, other: Path, influence: str) -> None:
    frames = made(tools.blend(clip, other, influence=influence, **FAST))
    assert np.array_equal(frames[0], frames_of(clip)[0])
    assert np.array_equal(frames[-1], frames_of(clip if influence == "sample" else other)[-1])
    assert not any(np.array_equal(frames[8], frames_of(path)[8]) for path in (clip, other))


def test_remix_at_strength_zero_is_the_clip_and_at_one_ignores_it(made: Made, clip: Path, other: Path) -> None:
    assert np.array_equal(made(tools.remix(clip, "a cube", 0.0, **FAST)), frames_of(clip))
    one, two = (made(tools.remix(path, "a cube", 1.0, **FAST)) for path in (clip, other))
    assert np.array_equal(one, two)


def test_a_stronger_remix_is_farther_from_the_clip(made: Made, clip: Path) -> None:
    def distance(strength: str) -> float:
        return float(np.abs(made(tools.remix(clip, "snow", strength, **FAST)).astype(float) - frames_of(clip)).mean())

    assert distance("subtle") < distance("mild") < distance("strong")


def test_recut_keeps_what_was_chosen(made: Made, clip: Path) -> None:
    frames = made(tools.recut(clip, 0.5, 1.5, before=1, after=0.5, **FAST))
    assert frames.shape[0] == 21
    assert np.array_equal(frames[8:17], frames_of(clip)[4:13])


def test_recut_keeps_whole_frames_of_what_there_is(clip: Path) -> None:
    request = tools.recut(clip, 0.3, 2.0, **FAST)
    (kept,) = request.anchors
    assert (kept.start, kept.seconds, request.seconds) == (0.25, 1.75, 2.0)


def test_a_clip_that_would_be_too_long_is_told_as_a_whole(clip: Path) -> None:
    with pytest.raises(ValueError, match="the clip would last 61 s; at most 60 are made: ask for 1 less"):
        tools.extend(clip, 59, **FAST)


def test_inpaint_keeps_what_is_not_white(made: Made, clip: Path, mask: Path) -> None:
    frames = made(tools.inpaint(clip, mask, "a cube", **FAST))
    assert np.array_equal(frames[:, :, :32], frames_of(clip)[:, :, :32])
    assert not np.array_equal(frames[:, :, 32:], frames_of(clip)[:, :, 32:])


def test_outpaint_keeps_the_clip_in_the_middle(made: Made, clip: Path) -> None:
    frames = made(tools.outpaint(clip, 96, 64, **FAST))
    assert frames.shape == (17, 64, 96, 3)
    assert np.array_equal(frames[:, 16:48, 16:80], frames_of(clip))


def test_a_cinemagraph_moves_in_its_mask_only(made: Made, picture: Path, mask: Path) -> None:
    frames = made(tools.cinemagraph(picture, mask, "it moves", 1, **FAST))
    still = frames_of(picture)[0]
    assert all(np.array_equal(frame[:, :32], still[:, :32]) for frame in frames)
    assert np.array_equal(frames[0], still)
    assert not np.array_equal(frames[4][:, 32:], still[:, 32:])


def test_an_image_is_one_signed_picture(bundle: ModelBundle, tmp_path: Path) -> None:
    picture = generate(tools.image("a red ball", **SIZE, **FAST), tmp_path / "a.png", bundle=bundle)
    assert frames_of(picture.path).shape == (1, 32, 64, 3)
    assert verify(picture.path).state == "trusted"


def test_variations_differ_in_their_noise_only() -> None:
    request = VideoRequest("a", seed=2**64 - 1)
    assert [varied.seed for varied in tools.vary(request, 2)] == [0, 1]
    with pytest.raises(ValueError, match="num_variations is 3; it is 1, 2 or 4: the nearest is 2"):
        tools.vary(request, 3)


STORY = """
seconds = 4
size = [64, 32]
[[card]]
text = "a red ball"
[[card]]
time = 1.5
file = "picture.png"
[[card]]
time = 2.0
text = "a blue cube"
"""


def test_a_storyboard_shows_its_cards_and_cuts_where_they_are_close(made: Made, picture: Path) -> None:
    board = picture.with_name("story.toml")
    board.write_text(STORY)
    request = tools.storyboard(board, **FAST)
    assert request.scenes == (Scene(2.0, "a blue cube", cut=True),)
    assert [(shot.num_frames, shot.request.prompt) for shot in shots(request)] == [
        (16, "a red ball"),
        (17, "a blue cube"),
    ]
    frames = made(request)
    assert frames.shape[0] == 33
    assert np.array_equal(frames[12], frames_of(picture)[0])


@pytest.mark.parametrize("fps", [12, 24])
def test_cuts_take_no_frame_away_at_any_rate(bundle: ModelBundle, picture: Path, tmp_path: Path, fps: int) -> None:
    """Each shot lasts until the next begins, so the second begins at its time and the clip is as long as it says."""
    board = picture.with_name("story.toml")
    board.write_text(STORY.replace("time = 2.0", "time = 2.125"))
    request = replace(tools.storyboard(board, **FAST), fps=fps)
    generation = Generation(request, tmp_path / "generation", bundle)
    frames = list(generation.frames())
    assert len(frames) == request.num_frames == 4 * fps + 1
    native = replace(generation.shots[1].request, fps=8)
    alone = next(Generation(native, tmp_path / "alone", bundle).frames())
    first = -(-17 * fps // 8)  # the first moment that is not before 2.125 s
    assert [np.array_equal(frame, alone) for frame in frames[first - 1 : first + 2]] == [False, True, False]


def test_scenes_speak_to_their_own_frames_only(made: Made) -> None:
    """The first frames attend to the first text alone, so in a model of one block nothing else could reach them."""
    same = VideoRequest("a red ball", seconds=2, scenes=(Scene(1.0, "a red ball"),), **SIZE, **FAST)
    plain, changed = made(VideoRequest("a red ball", seconds=2, **SIZE, **FAST)), made(same)
    assert np.abs(plain.astype(int) - changed).max() <= 1
    other = made(VideoRequest("a red ball", seconds=2, scenes=(Scene(1.0, "snow at night"),), **SIZE, **FAST))
    apart = np.abs(plain.astype(float) - other).mean(axis=(1, 2, 3))
    assert apart[9:].mean() > apart[:9].mean()


def test_guidance_without_a_prompt_is_towards_what_is_known(made: Made, clip: Path) -> None:
    extended = replace(tools.extend(clip, 0.5, **FAST), prompt="")
    plain, guided = made(extended), made(replace(extended, guidance_scale=3.0))
    assert np.array_equal(plain[:17], guided[:17])
    assert not np.array_equal(plain[17:], guided[17:])
    free, ignored = (
        replace(extended, anchors=(), source=Source(extended.anchors[0].material), guidance_scale=g) for g in (1.0, 3.0)
    )
    assert np.array_equal(made(free), made(ignored))  # a source of strength 1 is not known


def test_a_minute_is_made_in_windows(made: Made) -> None:
    frames = made(VideoRequest("a red ball", seconds=10, **SIZE, **FAST))
    assert frames.shape[0] == 81
    assert np.array_equal(frames[:33], made(VideoRequest("a red ball", seconds=4, **SIZE, **FAST)))


def test_a_clip_is_reproduced_from_its_credentials(bundle: ModelBundle, clip: Path, tmp_path: Path) -> None:
    extended = generate(tools.extend(clip, 0.5, **FAST), clip.with_name("extended.mp4"), bundle=bundle)
    assert str(clip.parent).encode() not in extended.path.read_bytes()
    request = recorded_request(extended.path)
    assert request.prompt == "a red ball"
    again = generate(request, tmp_path / "again.mp4", bundle=bundle)
    assert compare(extended.path, again.path).same
    assert not compare(extended.path, clip).same


def test_what_it_was_made_from_may_be_renamed_but_not_gone(bundle: ModelBundle, clip: Path, tmp_path: Path) -> None:
    extended = generate(tools.extend(clip, 0.5, **FAST), tmp_path / "a.mp4", bundle=bundle)
    with pytest.raises(ValueError, match=r"clip.mp4 \(\w{12}\.\.\.\) is not in"):
        recorded_request(extended.path)
    (tmp_path / "renamed.mp4").write_bytes(clip.read_bytes())
    assert recorded_request(extended.path).anchors[0].material.path == str(tmp_path / "renamed.mp4")


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda clip, _: tools.remix(clip, "a", 1.2), "source.strength is 1.2; it must lie between 0 and 1"),
        (lambda clip, _: tools.remix(clip, "a", "storng"), "the nearest is 'strong'"),
        (lambda clip, _: tools.extend(clip, 0), "seconds is 0; it must be above 0"),
        (lambda clip, _: tools.extend(clip, 100), "the clip would last 102 s; at most 60"),
        (lambda clip, _: tools.recut(clip, 1.5, 9), "start and end are 1.5 and 9; they must lie in"),
        (lambda _, picture: tools.extend(picture, 1), "picture.png is a picture; a clip is needed here"),
        (lambda clip, _: tools.animate([(clip, 0)], "a", 1), "clip.mp4 is a clip; a picture is needed here"),
        (lambda _, picture: tools.animate([(picture, 0), (picture, 0)], "a", 1), "the nearest free time is 0.125"),
        (lambda clip, _: tools.blend(clip, clip, influence="trnsition"), "the nearest is 'transition'"),
        (lambda *_: tools.remix("none.mp4", "a"), "none.mp4 does not exist"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(build: Any, words: str, clip: Path, picture: Path, bundle: ModelBundle) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        Generation(build(clip, picture), None, bundle)
    assert "\n" not in str(caught.value)
