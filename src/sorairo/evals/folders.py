"""Clips that somebody else made, from a folder, scored by the same detectors: `sorairo eval --clips FOLDER`.

Makes no clip and changes none.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import numpy as np

from sorairo.config import check_name
from sorairo.data.world_frames import OnProgress
from sorairo.evals.detector import detector_file, load_detector
from sorairo.evals.evaluation import Asked, Watched, judged
from sorairo.evals.prompts import case_of
from sorairo.evals.report import About, EvaluationReport
from sorairo.evals.statements import Noun, Statement
from sorairo.media import Frames, file_sha256, read_any
from sorairo.pipelines.progress import silent
from sorairo.shapes import NATIVE_FPS
from sorairo.world import COLORS, render, words

PROMPTS = "prompts.json"
TRAILING_NUMBER = re.compile(r"-\d+$")  # as VBench names files: the prompt, then the number of the sample


def score_folder(folder: Path, output: Path, progress: OnProgress = silent) -> EvaluationReport:
    """Score all .mp4 files of a folder; writes evaluation.json, .md and .html to output.

    A prompt of WorldBench has its real clip as the ceiling. Of any other, the colours, shapes, ground, light and camera
    that its words name are scored, and there is no ceiling; those that name none are told on stderr. Raises ValueError
    for a folder without clips, a file that is no video, and a list of prompts that does not fit.
    """
    prompts = read_prompts(folder)
    cases = {name: case for name, prompt in prompts.items() if (case := case_of(prompt))}
    links = {name: os.path.relpath(folder / name, output) for name in prompts}
    asked, made, detector = [], [], load_detector()
    for name, prompt in prompts.items():
        own = Asked(prompt, words_of(prompt), link=links[name])
        asked.append(Asked.of(cases[name], links[name]) if name in cases else own)
    if silent := [each.prompt for each in asked if not each.said]:
        told = f"note: nothing can be scored of {len(silent)} of {len(asked)} prompts, which name nothing known here: "
        print(told + ", ".join(map(repr, silent)), file=sys.stderr)
    for number, name in enumerate(prompts, start=1):
        made.append(detector.observe(at_native_rate(*read_any(folder / name))))
        progress("clips", number, len(prompts))
    whole = len(cases) == len(prompts)
    real = [detector.observe(render(case.clip)[0]) for case in cases.values()] if whole else []
    about = About(
        model=folder.resolve().name,
        weights_sha256="",
        detector_sha256=file_sha256(detector_file()),
        num_prompts=len(prompts),
        size="as in the files",
        num_inference_steps=0,
        guidance_scale=0.0,
        seed=0,
        seconds={},
    )
    report = judged(about, asked, Watched(made, real), detector)
    report.write(output)
    return report


def read_prompts(folder: Path) -> dict[str, str]:
    """The prompt of each .mp4 file: from prompts.json ({name: prompt}), from a .txt file beside it, or its name.

    Raises ValueError for a folder without clips, and for a prompts.json that is wrong.
    """
    names = sorted(path.name for path in folder.glob("*.mp4")) if folder.is_dir() else []
    if not names:
        raise ValueError(f"clips is {folder}; there is no folder with .mp4 files of that name")
    told: dict[str, str] = {}
    if (folder / PROMPTS).is_file():
        try:
            told = json.loads((folder / PROMPTS).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{folder / PROMPTS} is no JSON: {error}") from None
        if not isinstance(told, dict) or not all(isinstance(prompt, str) for prompt in told.values()):
            raise ValueError(f"{folder / PROMPTS} must be an object of file names and prompts")
        for name in told:
            check_name(f"a file of {folder / PROMPTS}", name, names)
    return {name: told.get(name) or _prompt_beside(folder / name) for name in names}


def _prompt_beside(clip: Path) -> str:
    text = clip.with_suffix(".txt")
    try:
        return text.read_text(encoding="utf-8").strip() if text.is_file() else TRAILING_NUMBER.sub("", clip.stem)
    except UnicodeDecodeError as error:
        raise ValueError(f"{text} is no text in UTF-8: {error}") from None


def at_native_rate(frames: Frames, fps: float) -> Frames:
    """The frames [t h w 3] nearest to moments of NATIVE_FPS, at which the detectors know speeds."""
    times = np.arange(0, len(frames) / (fps or NATIVE_FPS), 1 / NATIVE_FPS)
    chosen: Frames = frames[np.minimum(np.round(times * (fps or NATIVE_FPS)).astype(int), len(frames) - 1)]
    return chosen


def words_of(prompt: str) -> tuple[Statement, ...]:
    """What the words of any prompt plainly say of colours, shapes, ground, light and camera."""
    text = f" {' '.join(re.findall(r'[a-z]+', prompt.lower()))} "
    said: list[Statement] = []
    for color in COLORS:
        if f" {color} " in text:
            said.append(Statement("colour", Noun(color)))
        for shape, names in words.SHAPE_WORDS.items():
            if any(re.search(rf" {color} (\w+ )?{name}(e?s)? ", text) for name in names):
                said.append(Statement("shape", Noun(color, shape)))
    tables = {"ground": words.GROUND_PHRASES, "light": words.LIGHT_PHRASES, "camera": words.CAMERA_PHRASES}
    for fact, table in tables.items():
        named = [name for name, phrases in table.items() if any(f" {phrase} " in text for phrase in phrases)]
        said += [Statement(fact, value=name) for name in named[:1]]
    return tuple(dict.fromkeys(said))
