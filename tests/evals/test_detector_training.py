import numpy as np
import torch

from sorairo.evals.agreement import Agreement
from sorairo.evals.detector import Detector
from sorairo.evals.detector_examples import (
    PICTURES_PER_CLIP,
    UNKNOWN,
    WINDOW,
    camera_examples,
    draw_examples,
    learning_clip,
    offsets_to_middle,
    scene_examples,
)
from sorairo.evals.detector_training import (
    PLAYED_BACKWARDS,
    UNREPEATABLE,
    _renamed,
    agreement_table,
    card_text,
    degraded_frames,
    draw_camera_batch,
    draw_scene_batch,
    gather,
    scene_loss,
    train_camera_net,
    train_scene_net,
)
from sorairo.sight.scene_net import CELL, PAINTS, CameraNet, SceneNet
from sorairo.world import CAMERA_MOVES, SHAPES, WorldClip
from sorairo.world.facts import OTHER_SIDE


def test_truth_of_each_cell(knock_over: WorldClip) -> None:
    first, last = scene_examples(knock_over, [0, 32])
    assert first.pixels.shape == (96, 160, 3)
    assert first.cells.paint.shape == first.cells.thing.shape == (96 // CELL, 160 // CELL)
    for example in (first, last):
        nothing = example.cells.thing == UNKNOWN
        assert (example.cells.paint[nothing] == len(PAINTS)).all()
        assert (example.cells.shape[nothing] == len(SHAPES)).all()
        for index in np.unique(example.cells.thing[~nothing]):
            thing = knock_over.objects[index]
            own = example.cells.thing == index
            assert {PAINTS[k] for k in example.cells.paint[own]} == {thing.color}
            assert {SHAPES[k] for k in example.cells.shape[own]} == {thing.shape}
    dominoes = [example.cells.shape == SHAPES.index("domino") for example in (first, last)]
    assert not first.cells.tipped[dominoes[0]].any()
    assert last.cells.tipped[dominoes[1]].all()


def test_learning_never_uses_the_test_split() -> None:
    assert {learning_clip(index).split for index in range(6)} == {"train", "novel"}


def test_a_camera_example_of_a_still_clip_and_of_another_camera(knock_over: WorldClip) -> None:
    own, other = camera_examples(knock_over, np.random.default_rng(0))
    assert CAMERA_MOVES[own.move] == knock_over.facts.camera_move
    assert CAMERA_MOVES[other.move] != "still"
    assert own.pixels.shape == (7, 48, 80, 3)
    assert not np.array_equal(own.pixels, other.pixels)


def test_offsets_point_at_middles() -> None:
    thing = np.full((2, 12, 20), -1, np.int8)
    thing[0, 2:6, 3:9], thing[0, 3:5, 12:19], thing[1, 4:8, 0:4] = 0, 1, 0
    offsets = offsets_to_middle(torch.from_numpy(thing)).numpy()
    rows, columns = np.indices((12, 20))
    for picture, box, middle in (
        (0, np.s_[2:6, 3:9], (3.5, 5.5)),
        (0, np.s_[3:5, 12:19], (3.5, 15)),
        (1, np.s_[4:8, 0:4], (5.5, 1.5)),
    ):
        assert np.allclose(rows[box] + offsets[picture, 0][box], middle[0])
        assert np.allclose(columns[box] + offsets[picture, 1][box], middle[1])


def test_moves_turned_round_and_played_backwards() -> None:
    moves = torch.arange(len(CAMERA_MOVES))
    turned = [CAMERA_MOVES[k] for k in _renamed(moves, OTHER_SIDE)]
    assert turned == [flipped(move) for move in CAMERA_MOVES]
    backwards = {m: CAMERA_MOVES[k] for m, k in zip(CAMERA_MOVES, _renamed(moves, PLAYED_BACKWARDS), strict=True)}
    assert backwards["zoom in"] == "zoom out"
    assert backwards["pan left"] == "pan right"
    assert CAMERA_MOVES[UNREPEATABLE] == "rise"


def flipped(move: str) -> str:
    return move.replace("left", "L").replace("right", "left").replace("L", "right")


def test_batches_and_a_few_steps() -> None:
    torch.manual_seed(0)
    scenes, cameras = gather(draw_examples(range(3)))
    generator = torch.Generator().manual_seed(0)
    batch = draw_scene_batch(scenes, generator)
    assert batch.pixels.shape[1:3] == tuple(CELL * side for side in batch.thing.shape[1:])
    pixels, moves = draw_camera_batch(cameras, generator)
    assert len(pixels) == len(moves)
    before = scene_loss(SceneNet().eval()(batch.pixels.movedim(-1, 1).float() / 127.5 - 1), batch)
    network = train_scene_net(scenes, steps=30)
    after = scene_loss(network(batch.pixels.movedim(-1, 1).float() / 127.5 - 1), batch)
    assert after < before
    assert train_scene_net(scenes, steps=1, start=network) is network
    train_camera_net(cameras, steps=2)


def test_pictures_without_anything_that_could_lie_have_a_loss() -> None:
    """Its mean over nothing would be no number, and end a training."""
    scenes, _ = gather(draw_examples(range(1)))
    ((_, batch),) = scenes.items()
    batch = batch._replace(tipped=torch.full_like(batch.tipped, UNKNOWN))
    loss = scene_loss(SceneNet()(batch.pixels.movedim(-1, 1).float() / 127.5 - 1), batch)
    loss.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(loss)


def test_some_clips_go_through_an_autoencoder_in_windows() -> None:
    seen: list[tuple[int, ...]] = []

    def darkened(frames: np.ndarray) -> np.ndarray:
        seen.append(frames.shape)
        return frames // 4

    plain, rebuilt = (list(draw_examples(range(6), rebuild)) for rebuild in (None, darkened))
    assert {shape[0] for shape in seen} == {WINDOW}
    assert 0 < len(seen) < 6
    assert all(len(examples) == PICTURES_PER_CLIP for _, examples, _ in rebuilt)
    dark = [max(e.pixels.max() for e in examples) < 64 for _, examples, _ in rebuilt]
    assert sum(dark) == len(seen)
    assert all(max(e.pixels.max() for e in examples) >= 64 for _, examples, _ in plain)


def test_degraded_frames_stay_frames(knock_over: WorldClip) -> None:
    frames = next(iter(scene_examples(knock_over, [0]))).pixels[None]
    damaged = degraded_frames(np.repeat(frames, 3, 0))
    assert damaged.shape == (3, 96, 160, 3)
    assert damaged.dtype == np.uint8
    assert 0 < abs(damaged.astype(int) - frames).mean() < 40


def test_card_names_what_is_scored() -> None:
    rows = (Agreement("light", 10, 10, 10, 10), Agreement("count", 10, 10, 10, 9))
    detector = Detector(SceneNet(), CameraNet(), limits={"fall": [7.0, 12.0, 0.05]})
    text = card_text({"clips checked": 4}, detector, {"As rendered": rows})
    assert agreement_table(rows) in text
    assert "- clips checked: 4" in text
    assert "| fall | 7.00 to 12.00 | 0.050 |" in text
    light, count = agreement_table(rows).splitlines()[2:]
    assert light.startswith("| light | 1.000 |")
    assert light.endswith("| 10 of 10 | 10 of 10 | yes |")
    assert count.startswith("| count | 0.950 |")
    assert count.endswith("| no |")
