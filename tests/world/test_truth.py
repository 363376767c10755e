"""Every claim of every caption is true, and every text says what it claims.

What is true is decided anew here, from poses, cameras and counted pixels, without asking the grammar or the story.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pytest

from sorairo.world import CLAIM_KINDS, COLORS, Caption, Claim, WorldClip, caption
from sorairo.world import environment as env
from sorairo.world.environment import GROUND_ROWS, LIGHT_ROWS
from sorairo.world.grammar import placed
from sorairo.world.words import NUMBERS, PLURALS, SHAPE_WORDS

Array = npt.NDArray[np.float64]
SIGNS = {"left": -1, "right": 1}


def is_true(claim: Claim, clip: WorldClip, frame: int | None = None) -> bool:
    """Whether a claim holds for the clip, or for one frame of it."""
    checks = {
        "object": object_is_there,
        "count": count_is_right,
        "motion": motion_is_right,
        "event": event_happened,
        "relation": is_left_of,
        "ground": ground_is,
        "light": light_is,
        "camera": camera_does,
    }
    return bool(checks[claim.kind](claim, clip, frame))


def frames_of(clip: WorldClip, frame: int | None) -> list[int]:
    return list(range(clip.shape.num_frames)) if frame is None else [frame]


def object_is_there(claim: Claim, clip: WorldClip, frame: int | None) -> bool:
    """The named object has what is said of it and can be seen."""
    thing = clip.objects[claim.subject]
    said = [(claim.color, thing.color), (claim.shape, thing.shape), (claim.size, thing.size)]
    said.append((claim.material, thing.material))
    at = frames_of(clip, frame)
    seen = (clip.facts.area[at, claim.subject] > 0.001) & (clip.facts.visible[at, claim.subject] > 0.15)
    return all(word is None or word == value for word, value in said) and seen.any()


def count_is_right(claim: Claim, clip: WorldClip, frame: int | None) -> bool:
    """So many of the kind exist, no more, and one frame shows all of them."""
    alike = [
        index
        for index, thing in enumerate(clip.objects)
        if thing.shape == claim.shape and claim.color in (None, thing.color) and thing.role != "stopper"
    ]
    seen = clip.facts.area[frames_of(clip, frame)][:, alike] > 0.0004
    return len(alike) == claim.number and seen.all(axis=1).any()


def motion_is_right(claim: Claim, clip: WorldClip, frame: int | None) -> bool:
    """The object's first move of a quarter of a metre, on the ground of the picture, goes to the side named."""
    assert frame is None
    index = claim.subject
    if claim.manner and claim.manner != manner_of(clip, index):
        return False
    if claim.side == "down":
        return clip.poses[0, index, 2] - clip.poses[:, index, 2].min() > 0.5
    first = int(np.argmax(clip.facts.inside[:, index] > 0))
    moves = clip.poses[first:, index, :3] - clip.poses[first, index, :3]
    across = (moves * clip.camera[first:, 3:6]).sum(-1)
    far = np.flatnonzero(np.abs(across) > 0.24)
    return bool(len(far)) and (claim.side is None or np.sign(across[far[0]]) == SIGNS[claim.side])


def manner_of(clip: WorldClip, index: int) -> str:
    """Rolling turns by about distance / radius from frame to frame; sliding hardly turns."""
    thing, poses = clip.objects[index], clip.poses[:, index]
    steps = np.linalg.norm(np.diff(poses[:, :2], axis=0), axis=-1)
    rotations = poses[:, 3:].reshape(-1, 3, 3)
    relative = np.einsum("tij,tik->tjk", rotations[1:], rotations[:-1])
    angles = np.arccos(np.clip((np.trace(relative, axis1=1, axis2=2) - 1) / 2, -1, 1))
    radius = thing.dimensions[0] + (thing.dimensions[1] if thing.shape == "ring" else 0)
    moving = np.flatnonzero(steps > 0.02)[:4]
    return "roll" if len(moving) and np.median(angles[moving] * radius / steps[moving]) > 0.4 else "slide"


def event_happened(claim: Claim, clip: WorldClip, frame: int | None) -> bool:
    assert frame is None
    checks = {
        "enter": entered,
        "leave": left,
        "hide": hid,
        "reappear": came_back,
        "stay hidden": stayed_hidden,
        "hit": touched,
        "push": pushed,
        "topple": fell,
        "descend": went_down,
        "land": landed,
        "bounce": bounced,
        "stop": stopped,
    }
    return bool(checks[claim.name](claim, clip))


def entered(claim: Claim, clip: WorldClip) -> bool:
    inside = clip.facts.inside[:, claim.subject] > 0
    first = int(np.argmax(inside))
    x = clip.facts.screen[first, claim.subject, 0]
    return not inside[0] and inside.any() and (claim.side is None or np.sign(x) == SIGNS[claim.side])


def left(claim: Claim, clip: WorldClip) -> bool:
    inside = clip.facts.inside[:, claim.subject] > 0
    last = len(inside) - 1 - int(np.argmax(inside[::-1]))
    x = clip.facts.screen[last, claim.subject, 0]
    return not inside[-1] and inside.any() and (claim.side is None or np.sign(x) == SIGNS[claim.side])


def hidden_frames(clip: WorldClip, index: int) -> tuple[Array, Array]:
    inside, visible = clip.facts.inside[:, index] > 0, clip.facts.visible[:, index]
    return np.flatnonzero(inside & (visible > 0.5)), np.flatnonzero(inside & (visible < 0.12))


def hid(claim: Claim, clip: WorldClip) -> bool:
    """Shown, then hidden, with the occluder nearer to the camera."""
    shown, hidden = hidden_frames(clip, claim.subject)
    hidden = hidden[hidden > shown[0]]
    eye = clip.camera[hidden[0], :3]
    distances = [np.linalg.norm(clip.poses[hidden[0], i, :3] - eye) for i in (claim.subject, claim.other)]
    return bool(len(hidden)) and distances[1] < distances[0]


def came_back(claim: Claim, clip: WorldClip) -> bool:
    shown, hidden = hidden_frames(clip, claim.subject)
    return shown[-1] > hidden[hidden > shown[0]][0]


def stayed_hidden(claim: Claim, clip: WorldClip) -> bool:
    return clip.facts.visible[-1, claim.subject] < 0.02 and clip.facts.inside[-1, claim.subject] > 0


def gaps(clip: WorldClip, a: int, b: int) -> Array:
    """Distance between the bounding spheres of two objects; slender ones touch before it is zero."""
    apart = np.linalg.norm(clip.poses[:, a, :3] - clip.poses[:, b, :3], axis=-1)
    return apart - clip.objects[a].radius - clip.objects[b].radius


def touched(claim: Claim, clip: WorldClip) -> bool:
    """The two come within the path of one frame of each other while both are in the picture."""
    speed = np.abs(np.diff(clip.poses[:, [claim.subject, claim.other], :3], axis=0)).max()
    close = gaps(clip, claim.subject, claim.other) < speed
    both = (clip.facts.inside[:, [claim.subject, claim.other]] > 0).all(axis=1)
    return (close & both).any()


def pushed(claim: Claim, clip: WorldClip) -> bool:
    way = clip.poses[-1, claim.other, :2] - clip.poses[0, claim.other, :2]
    return touched(claim, clip) and np.linalg.norm(way) > 0.2


def fell(claim: Claim, clip: WorldClip) -> bool:
    """Tilted by more than 50 degrees, or taken off what it stood on."""
    poses, thing = clip.poses[:, claim.subject], clip.objects[claim.subject]
    stack = [i for i, o in enumerate(clip.objects) if o.group == "stack" and o.position[2] < thing.position[2]]
    support = clip.poses[:, stack[-1], :3] if stack else 0.0
    gap = poses[:, :3] - support
    stacked = thing.group == "stack" and np.abs(gap - gap[0]).max() > thing.rest_height
    return poses[0, 11] > 0.9 and (poses[:, 11].min() < 0.65 or stacked)


def went_down(claim: Claim, clip: WorldClip) -> bool:
    drop = clip.poses[0, claim.subject, 2] - clip.poses[:, claim.subject, 2].min()
    return drop > 0.25 and clip.objects[claim.other].shape == "ramp"


def landed(claim: Claim, clip: WorldClip) -> bool:
    height = clip.poses[:, claim.subject, 2]
    return height[0] > clip.objects[claim.subject].rest_height + 0.5 and height.min() < height[0] - 0.5


def bounced(claim: Claim, clip: WorldClip) -> bool:
    """It falls, and rises again by more than two centimetres."""
    height = clip.poses[:, claim.subject, 2]
    lowest = np.minimum.accumulate(height)
    return (height - lowest).max() > 0.02


def stopped(claim: Claim, clip: WorldClip) -> bool:
    way = np.linalg.norm(np.diff(clip.poses[:, claim.subject, :3], axis=0), axis=-1)
    return way.max() > 0.04 and way[-1] < 0.012


def is_left_of(claim: Claim, clip: WorldClip, frame: int | None) -> bool:
    at = frames_of(clip, frame)
    pair = [claim.subject, claim.other]
    both = (clip.facts.visible[at][:, pair] > 0.3).all(axis=1)
    x = clip.facts.screen[at][:, pair, 0][both]
    return bool(both.any()) and (x[:, 0] < x[:, 1]).all()


def ground_is(claim: Claim, clip: WorldClip, frame: int | None) -> bool:
    first, second, pattern = GROUND_ROWS[claim.name][:3]
    row = clip.environment
    colors = (*row[env.GROUND_A : env.GROUND_A + 3], *row[env.GROUND_B : env.GROUND_B + 3])
    return colors == (*first, *second) and row[env.GROUND_PATTERN] == pattern


def light_is(claim: Claim, clip: WorldClip, frame: int | None) -> bool:
    row = clip.environment
    return tuple(row[env.SUN_COLOR : env.SUN_COLOR + 3]) == LIGHT_ROWS[claim.name][env.SUN_COLOR]


def camera_does(claim: Claim, clip: WorldClip, frame: int | None) -> bool:
    return claim.name == camera_move(clip.camera)


def camera_move(camera: Array) -> str:
    """The move, read off the first and the last row: what changes, and along which axis."""
    first, last = camera[0], camera[-1]
    if np.array_equal(first, last):
        return "still"
    if first[12] != last[12]:
        return "zoom in" if last[12] < first[12] else "zoom out"
    way = last[:3] - first[:3]
    if way[2] > 0.1:
        return "rise"
    if np.linalg.norm(way) > 0.1:
        return "orbit right" if way @ first[3:6] > 0 else "orbit left"
    return "pan right" if last[9:12] @ first[3:6] > 0 else "pan left"


STYLES = ("fragment", "short", "medium", "dense")
NOUNS = {noun.split()[-1]: shape for shape, nouns in SHAPE_WORDS.items() for noun in nouns}
NOUNS |= {PLURALS.get(noun, noun + "s"): shape for noun, shape in NOUNS.items()}
ADJECTIVES = "(?:metal|shiny metal|metallic|rubber|matte)"
NAMED = re.compile(rf"\b({'|'.join(COLORS)}) (?:{ADJECTIVES} )?({'|'.join(NOUNS)})\b")


def told(clip: WorldClip, draws: int) -> list[tuple[Caption, int | None]]:
    """Captions in every style, of the clip and of some of its frames, and by places."""
    rng = np.random.default_rng(clip.seed)
    texts: list[tuple[Caption, int | None]] = [(said, None) for _ in range(draws) if (said := placed(clip, rng))]
    for style in STYLES:
        texts += [(caption(clip, style, rng), None) for _ in range(draws)]
        frame = int(rng.integers(clip.shape.num_frames))
        texts.append((caption(clip, style, rng, still=frame), frame))
    return texts


def test_every_claim_of_every_caption_is_true(clips: tuple[WorldClip, ...]) -> None:
    lies = [
        (clip.seed, clip.split, frame, said.text, claim)
        for clip in clips
        for said, frame in told(clip, 6)
        for claim in said.claims
        if not is_true(claim, clip, frame)
    ]
    assert not lies, f"{len(lies)} lies, the first: {lies[:3]}"


def test_every_coloured_noun_of_a_text_is_claimed(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips:
        for said, _ in told(clip, 3):
            claimed = {(claim.color, claim.shape) for claim in said.claims}
            named = {(color, NOUNS[noun]) for color, noun in NAMED.findall(said.text.lower())}
            assert named <= claimed, said


def test_every_object_that_is_claimed_is_in_the_text(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips[::3]:
        for said, _ in told(clip, 3):
            nouns = {NOUNS[word] for word in re.findall(r"[a-z]+", said.text.lower()) if word in NOUNS}
            assert {claim.shape for claim in said.claims if claim.kind == "object"} <= nouns, said


def test_numbers_in_a_text_are_counts_that_are_claimed(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips:
        for said, _ in told(clip, 3):
            words = re.findall(r"[a-z]+", said.text.lower().replace("two things collide", ""))
            numbers = {NUMBERS.index(word) for word in words if word in NUMBERS[2:]}
            assert numbers == {claim.number for claim in said.claims if claim.kind == "count"}, said


def sides(claim: Claim) -> set[str]:
    """The words left and right that a claim may put into a text."""
    if claim.kind == "relation" or (claim.kind == "motion" and claim.side in ("left", "right")):
        return {"left", "right"}
    return {word for word in ("left", "right") if word in (claim.side, *(claim.name or "").split())}


def test_left_and_right_in_a_text_come_from_claims(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips:
        for said, _ in told(clip, 3):
            allowed = set().union(*(sides(claim) for claim in said.claims))
            assert {"left", "right"} & set(re.findall(r"[a-z]+", said.text.lower())) <= allowed, said


def test_a_picture_claims_nothing_that_takes_time(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips:
        for said, frame in told(clip, 1):
            kinds = {claim.kind for claim in said.claims}
            assert kinds <= set(CLAIM_KINDS)
            assert frame is None or not kinds & {"motion", "event", "camera"}, said


def test_all_kinds_of_claims_occur(clips: tuple[WorldClip, ...]) -> None:
    kinds = {claim.kind for clip in clips for said, _ in told(clip, 2) for claim in said.claims}
    assert kinds == set(CLAIM_KINDS)


def test_nothing_is_said_to_be_empty_while_something_shows(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips:
        for said, frame in told(clip, 1):
            if re.search(r"\b(empty|nothing)\b", said.text.lower()):
                assert frame is not None
                assert not clip.facts.area[frame].any(), said


def test_the_checker_knows_a_lie_when_it_sees_one(by_scenario: dict[str, list[WorldClip]]) -> None:
    clip = by_scenario["cross"][0]
    actor = next(i for i, thing in enumerate(clip.objects) if thing.role == "actor")
    side = clip.facts.direction[actor]
    other = {"left": "right", "right": "left"}[side or "left"]
    assert is_true(Claim("motion", actor, side=side), clip)
    assert not is_true(Claim("motion", actor, side=other), clip)
    assert is_true(Claim("event", actor, name="enter", side=other), clip)
    assert not is_true(Claim("event", actor, name="enter", side=side), clip)
    assert not is_true(Claim("object", actor, color="nothing like it"), clip)
    assert not is_true(Claim("count", shape="domino", number=2), clip)


def test_moves_of_the_camera_are_told_apart_by_their_rows(clips: tuple[WorldClip, ...]) -> None:
    for clip in clips:
        assert camera_move(clip.camera) == clip.facts.camera_move


@pytest.mark.parametrize("style", STYLES)
def test_captions_follow_from_their_generator(style: str, clips: tuple[WorldClip, ...]) -> None:
    texts = [[caption(clip, style, np.random.default_rng(5)).text for clip in clips[:20]] for _ in range(2)]
    assert texts[0] == texts[1]
