"""What an account may ask for: sizes, lengths, how many at once, how much in a month. Data only; never counts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sorairo.config import check_name, load_toml, nearest_name
from sorairo.provenance import home_folder
from sorairo.safety.policy import operators_policy

# One credit is this many pixel-seconds, by which a square clip of 480 pixels and 5 s costs 20, as it did at Sora.
PIXEL_SECONDS_PER_CREDIT = 480 * 480 * 5 / 20


@dataclass(frozen=True)
class Tier:
    """Limits of an account; ``priority``: higher is served first; ``credits`` in a calendar month (UTC); ``variations``
    at once; ``requests`` in a minute, of any kind; ``upload_bytes``: of all kept uploads together; ``visible_mark``:
    whether clips show it; ``people``: whether pictures of people may be used, with consent; ``policy``: whose
    thresholds hold, of those that the policy names under [tiers]."""

    concurrent: int
    waiting: int
    pixels: int
    seconds: float
    credits: int
    priority: int = 0
    variations: int = 2
    requests: int = 300
    upload_bytes: int = 10**9
    visible_mark: bool = True
    people: bool = False
    policy: str = "standard"


@dataclass(frozen=True)
class Tiers:
    """All tiers by name; an installation's own file replaces the ones it names."""

    free: Tier = Tier(concurrent=1, waiting=3, pixels=854 * 480, seconds=5, credits=100)
    plus: Tier = Tier(2, 10, 1280 * 720, 10, 1_000, 1, 4, 600, upload_bytes=10**10, people=True)
    pro: Tier = Tier(5, 50, 1920 * 1088, 20, 10_000, 2, 4, 1_200, upload_bytes=10**11, visible_mark=False, people=True)
    early_access: Tier = Tier(2, 10, 1920 * 1088, 20, 1_000, 1, 4, 600, upload_bytes=10**10, policy="early_access")
    red_team: Tier = Tier(5, 500, 1920 * 1088, 20, 100_000, 2, 4, 1_200, 10**11, people=True, policy="red_team")
    operator: Tier = Tier(5, 1000, 1920 * 1088, 120, 10**9, 3, 4, 60_000, upload_bytes=10**12, people=True)

    def named(self, name: str) -> Tier:
        """Raises ValueError with the nearest name."""
        known: Mapping[str, Tier] = vars(self)
        if name.replace("-", "_") not in known:
            raise ValueError(f"tier is {name!r}; the nearest is {nearest_name(name, list(known))!r}")
        return known[name.replace("-", "_")]


def load_tiers(folder: Path) -> Tiers:
    """The installation's ``tiers.toml``, or the defaults. Raises ValueError naming the file and the key."""
    file, known = folder / "tiers.toml", operators_policy(home_folder()).tiers
    tiers = load_toml(Tiers, file) if file.exists() else Tiers()
    for name, tier in vars(tiers).items():
        if tier is not getattr(Tiers, name):  # a policy of the operator's may lack what no tier of theirs needs
            check_name(f"{file}.{name}.policy", tier.policy, known)
        for limit, value in vars(tier).items():
            least = limit in ("concurrent", "requests")  # by these is divided, or nothing would ever be made
            if limit != "priority" and not isinstance(value, str) and value < least:
                raise ValueError(f"{file}.{name}.{limit} is {value}; the least is {int(least)}")
    return tiers


def price(width: int, height: int, seconds: float) -> int:
    """Credits of one clip."""
    return max(1, math.ceil(width * height * seconds / PIXEL_SECONDS_PER_CREDIT))


def check(tier: Tier, width: int, height: int, seconds: float) -> None:
    """Raises ValueError of one line where a clip is larger or longer than the tier allows."""
    if width * height > tier.pixels:
        raise ValueError(f"size is {width}x{height}; this account's clips have at most {tier.pixels} pixels a frame")
    if seconds > tier.seconds:
        raise ValueError(f"seconds is {seconds:g}; this account's clips last at most {tier.seconds:g}")
