"""Why a shot of footage is left out: each filter gives its reason. Never decodes a file, never drops one silently."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import NamedTuple

from sorairo.media import Frames
from sorairo.provenance import home_folder
from sorairo.safety import PictureContext, check_uploads
from sorairo.safety.detectors import FaceDetector, MinorDetector, NudityDetector, TextDetector, opened
from sorairo.safety.policy import operators_policy

VERSION = 1  # of what is measured, and how; another one looks at everything again


@dataclass(frozen=True)
class FilterSettings:
    """From which value on a shot stays out; docs/data.md says how each is measured, and on what it was set."""

    least_seconds: float = 1.0
    least_light: float = 0.06
    least_motion: float = 0.002
    most_shake: float = 0.02
    most_bars: float = 0.08
    least_sharpness: float = 0.008
    most_text: float = 0.004
    most_alike: float = 0.95

    @property
    def digest(self) -> str:
        """Of all by which a shot is judged: these bounds, the operator's policy, and which detectors are there."""
        there = [opened(kind) is not None for kind in (TextDetector, NudityDetector, FaceDetector, MinorDetector)]
        others = {"version": VERSION, "policy": operators_policy(home_folder()).digest, "detectors": there}
        told = json.dumps({**others, **asdict(self)}, sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:12]


class Reject(NamedTuple):
    """A ``reason`` to count by, and what was found."""

    reason: str
    detail: str


ACCEPTED = Reject("", "")
_BOUNDS = (  # the reason, what is measured, and the setting that bounds it; the cheapest to explain come first
    ("too short", "seconds", "least_seconds"),
    ("dark", "light", "least_light"),
    ("still", "motion", "least_motion"),
    ("letterboxed", "bars", "most_bars"),
    ("shaky", "shake", "most_shake"),
    ("blurred", "sharpness", "least_sharpness"),
    ("text", "text", "most_text"),
)
REASONS = (
    "licence", "source", "unreadable", "hdr", *(bound[0] for bound in _BOUNDS), "policy", "near-duplicate",
)  # fmt: skip


def rejected(
    measures: Mapping[str, float], samples: Sequence[Frames], consent: str, settings: FilterSettings
) -> Reject | None:
    """The first reason against a shot, by its numbers and some of its frames [h w 3]; None if there is none.

    ``consent``: the user's statement on the people in it. Where the text detector's weights are missing, text is not
    looked for; the card says so.
    """
    if not len(samples):
        return Reject("too short", "no second of the file begins in it, so nothing of it was looked at")
    bounds = dict(vars(settings))
    for reason, measure, name in _BOUNDS:
        value, bound = _text(samples) if measure == "text" else measures[measure], bounds[name]
        if value < bound if name.startswith("least") else value > bound:
            return Reject(reason, f"{measure} is {value:.4g}; {name} is {bound:g}")
    decision = check_uploads({"shot": samples}, _pictures(consent))
    return None if decision.allowed else Reject("policy", decision.reason())


def _text(samples: Sequence[Frames]) -> float:
    """Of the middle one of the samples: what is written over a shot stays there, what it passes by does not."""
    detector = opened(TextDetector)
    return median(map(detector, samples)) if detector else 0.0


def _pictures(consent: str) -> PictureContext:
    """The operator's own policy, or the package's; whoever owns the footage may state the consent of people in it."""
    nets = opened(NudityDetector), opened(FaceDetector), opened(MinorDetector)
    return PictureContext(operators_policy(home_folder()), *nets, people=True, consent=consent)
