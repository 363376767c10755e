"""A small world with true physics: scenes from a seed, their pixels, their facts and true captions.

Public surface of the room. Never imports torch, never reads or writes a file.
"""

from sorairo.world.camera import CAMERA_MOVES
from sorairo.world.claims import CLAIM_KINDS, Caption, Claim, Style
from sorairo.world.clip import RenderRequest, WorldClip, make_clip, render, render_many
from sorairo.world.environment import GROUNDS, LIGHTS
from sorairo.world.facts import EVENT_KINDS, Event, Facts
from sorairo.world.grammar import caption
from sorairo.world.objects import COLORS, HELD_OUT_PAIRS, MATERIALS, SHAPES, SIZES, SceneObject
from sorairo.world.scenarios import SCENARIOS

__all__ = [
    "CAMERA_MOVES",
    "CLAIM_KINDS",
    "COLORS",
    "EVENT_KINDS",
    "GROUNDS",
    "HELD_OUT_PAIRS",
    "LIGHTS",
    "MATERIALS",
    "SCENARIOS",
    "SHAPES",
    "SIZES",
    "Caption",
    "Claim",
    "Event",
    "Facts",
    "RenderRequest",
    "SceneObject",
    "Style",
    "WorldClip",
    "caption",
    "make_clip",
    "render",
    "render_many",
]
