"""Lays the clips of an evaluation out as other benchmarks read them: VBench and T2V-CompBench. Copies; scores nothing.

python bench/exports.py EVALUATION vbench|t2v-compbench OUTPUT

VBench (custom input): OUTPUT/DIMENSION/PROMPT-0.mp4. T2V-CompBench: OUTPUT/video/CATEGORY/0001.mp4 with the prompts in
OUTPUT/prompts/CATEGORY.txt, one a line, in the same order; a prompt stands where it speaks of what a category is about.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

LONGEST_NAME = 200  # bytes, of the 255 that a file name may have
DIMENSIONS = (
    "subject_consistency",
    "background_consistency",
    "motion_smoothness",
    "dynamic_degree",
    "aesthetic_quality",
    "imaging_quality",
)
CATEGORIES = {
    "1_consistent_attr": ("colour", "shape"),
    "3_spatial_relationship": ("relation", "hide", "above"),
    "4_motion_binding": ("direction",),
    "5_action_binding": ("topple", "enter", "leave"),
    "6_interaction": ("hit",),
    "7_numeracy": ("count",),
}


def export(evaluation: Path, layout: str, output: Path) -> int:
    """Copies the clips of a report; returns how many files were written.

    Raises ValueError for a folder without a report or its clips, and for another layout.
    """
    report = evaluation / "evaluation.json"
    if not report.is_file():
        raise ValueError(f"evaluation is {evaluation}; there is no evaluation.json in it")
    if layout not in LAYOUTS:
        raise ValueError(f"layout is {layout!r}; it must be one of {', '.join(LAYOUTS)}")
    prompts = json.loads(report.read_text(encoding="utf-8"))["prompts"]
    missing = next((p["clip"] for p in prompts if not (evaluation / p["clip"]).is_file()), None)
    if missing is not None:
        raise ValueError(f"evaluation is {evaluation}; its clip {missing!r} is missing")
    return LAYOUTS[layout](evaluation, prompts, output)


def _vbench(evaluation: Path, prompts: list[dict], output: Path) -> int:
    for dimension in DIMENSIONS:
        (output / dimension).mkdir(parents=True, exist_ok=True)
        for prompt in prompts:
            name = prompt["prompt"].replace("/", " ").encode()[:LONGEST_NAME].decode(errors="ignore")
            shutil.copyfile(evaluation / prompt["clip"], output / dimension / f"{name}-0.mp4")
    return len(DIMENSIONS) * len(prompts)


def _compbench(evaluation: Path, prompts: list[dict], output: Path) -> int:
    (output / "prompts").mkdir(parents=True, exist_ok=True)
    written = 0
    for category, facts in CATEGORIES.items():
        folder = output / "video" / category.partition("_")[2]
        folder.mkdir(parents=True, exist_ok=True)
        chosen = [p for p in prompts if any(f" {fact}" in said for said in p["verdicts"] for fact in facts)]
        for number, prompt in enumerate(chosen, start=1):
            shutil.copyfile(evaluation / prompt["clip"], folder / f"{number:04}.mp4")
        lines = "".join(f"{prompt['prompt']}\n" for prompt in chosen)
        (output / "prompts" / f"{category}.txt").write_text(lines, encoding="utf-8")
        written += len(chosen)
    return written


LAYOUTS = {"vbench": _vbench, "t2v-compbench": _compbench}

if __name__ == "__main__":
    try:
        print(export(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])), "files")
    except (ValueError, IndexError) as error:
        sys.exit(str(error) if isinstance(error, ValueError) else __doc__)
