"""The result of an evaluation: for people as a table, for machines as JSON. Computes nothing."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sorairo.evals.agreement import LEAST_AGREEMENT
from sorairo.evals.scoring import Score
from sorairo.media import new_file

HEADER = ("fact", "statements", "score", "95 %", "floor", "ceiling", "autoencoder", "way to ceiling", "95 %")


@dataclass(frozen=True)
class PromptResult:
    """One prompt and what held of it. verdicts: statements in words, true or false; None when nothing detects it."""

    prompt: str
    scenario: str
    clip_seed: int
    verdicts: dict[str, bool | None]


@dataclass(frozen=True)
class EvaluationReport:
    """Scores of a model. unscored: facts that no detector is good enough for, with the number of statements."""

    model: str
    weights_sha256: str
    detector_sha256: str
    num_prompts: int
    size: str
    num_inference_steps: int
    guidance_scale: float
    seed: int
    scores: tuple[Score, ...]
    unscored: dict[str, int]
    agreement: dict[str, float]
    prompts: tuple[PromptResult, ...]
    seconds: dict[str, float]

    def table(self) -> list[tuple[str, ...]]:
        """Rows of text under HEADER."""
        return [_row(score) for score in self.scores]

    def to_json(self) -> str:
        return json.dumps(_plain(asdict(self)), ensure_ascii=False, indent=1, allow_nan=False) + "\n"

    def to_markdown(self) -> str:
        """The table, with what is needed to read it."""
        lines = [HEADER, ("---",) * len(HEADER), *self.table()]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        unscored = ", ".join(f"{fact} ({number})" for fact, number in sorted(self.unscored.items())) or "nothing"
        return (
            f"# Evaluation of {self.model}\n\n"
            f"{self.num_prompts} held-out prompts, {self.size}, {self.num_inference_steps} steps, guidance "
            f"{self.guidance_scale:g}, seed {self.seed}; weights `{self.weights_sha256[:12]}`, detectors "
            f"`{self.detector_sha256[:12]}`.\n\n{table}\n\n"
            "A score is the share of the prompts' statements that hold in the clips, told from pixels alone. Ceiling: "
            "real clips of the same prompts. Floor: real clips of other prompts. Autoencoder: real clips encoded and "
            "decoded. Way to ceiling: (score - floor) / (ceiling - floor). Intervals: bootstrap over prompts.\n\n"
            f"Said but not scored (no detector, or one that agrees with the truth less than {LEAST_AGREEMENT:.0%} of "
            f"the time): {unscored}.\n"
        )

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write evaluation.json and evaluation.md into a folder, which is made when it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = folder / "evaluation.json", folder / "evaluation.md"
        for path, text in zip(paths, (self.to_json(), self.to_markdown()), strict=True):
            with new_file(path) as temporary:
                temporary.write_text(text, encoding="utf-8")
        return paths


def _row(score: Score) -> tuple[str, ...]:
    rebuilt = float("nan") if score.reconstruction is None else score.reconstruction
    return (
        score.fact,
        str(score.num_statements),
        _share(score.score),
        _interval(score.score_interval),
        _share(score.floor),
        _share(score.ceiling),
        _share(rebuilt),
        _share(score.fraction),
        _interval(score.fraction_interval),
    )


def _share(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"


def _interval(interval: tuple[float, float]) -> str:
    return "-" if math.isnan(interval[0]) else f"{interval[0]:.2f} to {interval[1]:.2f}"


def _plain(value: Any) -> Any:
    """Numbers that are none become null: JSON has no other word for them."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
