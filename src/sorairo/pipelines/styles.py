"""Words that dress a prompt: named styles and camera moves. Never changes a request; imports no torch."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from sorairo.config import nearest_name

MeaningT = TypeVar("MeaningT")

CAMERA_WORDS = {
    "still": "the camera is still",
    "pan left": "the camera pans to the left",
    "pan right": "the camera pans to the right",
    "orbit left": "the camera orbits to the left",
    "orbit right": "the camera orbits to the right",
    "zoom in": "the camera zooms in",
    "zoom out": "the camera zooms out",
    "rise": "the camera rises",
}
"""Camera moves, in words that the built-in model was trained on."""


def dressed(prompt: str, style: str = "", camera: str = "") -> str:
    """The prompt in a style's template, then with the camera's move.

    Raises:
        ValueError: the style or the move is not known; the message names the nearest, or a style's file is wrong.
    """
    if style:
        prompt = meaning("style", style, load_styles()).replace("{prompt}", prompt).strip(", ")
    if camera:
        words = meaning("camera", camera, CAMERA_WORDS)
        prompt = f"{prompt}, {words}" if prompt else words
    return prompt


def meaning(field: str, word: str, known: Mapping[str, MeaningT]) -> MeaningT:
    """What a word of the user's stands for. Raises ValueError with the known ones and the nearest of them."""
    if word not in known:
        nearest = nearest_name(word, list(known))
        raise ValueError(f"{field} is {word!r}; known are {', '.join(known)}: the nearest is {nearest!r}")
    return known[word]


def load_styles() -> dict[str, str]:
    """Templates by name: the built-in ones and the user's. Raises ValueError of one line for a wrong file."""
    from sorairo.provenance import home_folder  # takes a moment, which `sorairo --help` should not pay

    styles = _read("the built-in styles", files("sorairo.pipelines").joinpath("styles.toml").read_text("utf-8"))
    own = home_folder() / "styles.toml"
    return styles | (_read(own, own.read_text("utf-8")) if own.exists() else {})


def _read(where: str | Path, text: str) -> dict[str, str]:
    try:
        styles = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{where}: cannot be read as TOML: {error}") from error
    for name, template in styles.items():
        if not isinstance(template, str) or "{prompt}" not in template:
            raise ValueError(f"{where}: {name} is {template!r}; a style is a text that holds {{prompt}}")
    return styles
