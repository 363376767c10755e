"""The result of an evaluation: for people as tables and a page with the clips, for machines as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any, TypedDict

from sorairo.evals.agreement import LEAST_AGREEMENT
from sorairo.evals.scoring import Score
from sorairo.media import new_file

HEADER = ("fact", "statements", "score", "95 %", "floor", "ceiling", "autoencoder", "way to ceiling", "95 %")
LAW_HEADER = ("law", "fits", "median", "quartiles", "real clips' median", "quartiles")
PAGE = Path(__file__).with_name("page.html")


@dataclass(frozen=True)
class PromptResult:
    """One prompt and what held of it. verdicts: statements in words, true or false; None when nothing detects it.

    clip: the file with its clip, as a link from the report's folder.
    """

    prompt: str
    scenario: str
    clip_seed: int
    verdicts: dict[str, bool | None]
    kind: str = "familiar"
    clip: str = ""

    @property
    def failures(self) -> int:
        return sum(held is False for held in self.verdicts.values())


class About(TypedDict):
    """What was measured. seconds: spent on each stage."""

    model: str
    weights_sha256: str
    detector_sha256: str
    num_prompts: int
    size: str
    num_inference_steps: int
    guidance_scale: float
    seed: int
    seconds: dict[str, float]


@dataclass(frozen=True)
class EvaluationReport:
    """Scores of a model. unscored: facts that no detector is good enough for, with the number of statements.

    groups: by the kind of prompts, and "all". doubtful: rows of facts whose detectors agree too little with the truth.
    laws: quartiles of what was fitted, by "made" and "real".
    """

    about: About
    scores: tuple[Score, ...]
    unscored: dict[str, int]
    agreement: dict[str, float]
    prompts: tuple[PromptResult, ...]
    groups: dict[str, tuple[Score, ...]]
    doubtful: tuple[Score, ...]
    laws: dict[str, dict[str, dict[str, float]]]

    def to_json(self) -> str:
        facts = asdict(self)
        return json.dumps(_plain({**facts.pop("about"), **facts}), ensure_ascii=False, indent=1, allow_nan=False) + "\n"

    def tables(self) -> dict[str, list[tuple[str, ...]]]:
        """Tables with their headers, by title."""
        tables = {f"Groups: {kind} prompts": [HEADER, *map(_row, scores)] for kind, scores in self.groups.items()}
        tables["Facts"] = [HEADER, *map(_row, self.scores)]
        if self.doubtful:
            tables["Not scored: detectors agree too little with the truth"] = [HEADER, *map(_row, self.doubtful)]
        if self.laws:
            tables["Laws"] = [LAW_HEADER, *(self._law(law) for law in {**self.laws["real"], **self.laws["made"]})]
        return tables

    def _law(self, law: str) -> tuple[str, ...]:
        made, real = (self.laws[which].get(law, {}) for which in ("made", "real"))
        return (law, str(made.get("fits", 0)), *_quartiles(made), *_quartiles(real))

    def words(self) -> tuple[str, str, str]:
        """What was measured, how to read it, and what is left out."""
        unscored = ", ".join(f"{fact} ({number})" for fact, number in sorted(self.unscored.items())) or "nothing"
        return (
            "{num_prompts} prompts, {size}, {num_inference_steps} steps, guidance {guidance_scale:g}, seed {seed}; "
            "weights `{weights_sha256:.12}`, detectors `{detector_sha256:.12}`.".format(**self.about),
            "A score is the share of the prompts' statements that hold in the clips, told from pixels alone. Ceiling: "
            "real clips of the same prompts. Floor: real clips of other prompts; for laws, real clips whose frames are "
            "out of order. Autoencoder: real clips encoded and decoded. Way to ceiling: (score - floor) / (ceiling - "
            "floor). Intervals: bootstrap over prompts.",
            f"Said but not scored (no detector, or one that agrees with the truth less than {LEAST_AGREEMENT:.0%} of "
            f"the time): {unscored}.",
        )

    def to_markdown(self) -> str:
        """The tables, with what is needed to read them."""
        measured, reading, left_out = self.words()
        tables = "\n\n".join(f"## {title}\n\n{markdown(rows)}" for title, rows in self.tables().items())
        return f"# Evaluation of {self.about['model']}\n\n{measured}\n\n{tables}\n\n{reading}\n\n{left_out}\n"

    def to_html(self) -> str:
        """One page: the tables, then every prompt with its clip, those of which most failed first."""
        tables = "".join(f"<h2>{escape(title)}</h2>{_html_table(rows)}" for title, rows in self.tables().items())
        worst = sorted(self.prompts, key=lambda result: -result.failures)
        page = PAGE.read_text(encoding="utf-8")
        words = "".join(f"<p>{escape(text)}</p>" for text in self.words())
        parts = {
            "TITLE": escape(self.about["model"]),
            "WORDS": words,
            "TABLES": tables,
            "CARDS": "".join(map(_card, worst)),
        }
        for name, text in parts.items():
            page = page.replace(f"<!--{name}-->", text)
        return page

    def write(self, folder: Path) -> tuple[Path, ...]:
        """Write evaluation.json, .md and .html into a folder, which is made when it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        texts = {"json": self.to_json(), "md": self.to_markdown(), "html": self.to_html()}
        for suffix, text in texts.items():
            with new_file(folder / f"evaluation.{suffix}") as temporary:
                temporary.write_text(text, encoding="utf-8")
        return tuple(folder / f"evaluation.{suffix}" for suffix in texts)


def markdown(rows: Sequence[Sequence[object]]) -> str:
    """A table of Markdown; the first row is its head."""
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _html_table(rows: Sequence[tuple[str, ...]]) -> str:
    lines = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows)
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _card(result: PromptResult) -> str:
    marks = {True: "yes", False: "no", None: "unscored"}
    items = "".join(f'<li class="{marks[held]}">{escape(said)}</li>' for said, held in result.verdicts.items())
    video = f'<video src="{escape(result.clip)}" controls loop muted playsinline></video>' if result.clip else ""
    about = f"{result.kind}, {result.scenario}, {result.failures} failed"
    return f"<article>{video}<p>{escape(result.prompt)}</p><small>{escape(about)}</small><ul>{items}</ul></article>"


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


def _quartiles(found: dict[str, float]) -> tuple[str, str]:
    return (f"{found['median']:.2f}", f"{found['low']:.2f} to {found['high']:.2f}") if found else ("-", "-")


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
