import json
import math
from pathlib import Path

import numpy as np
import pytest

from sorairo.evals.report import HEADER, About, EvaluationReport, PromptResult
from sorairo.evals.scoring import (
    NUM_OTHERS,
    SCORED_GROUPS,
    Score,
    no_tally,
    part,
    score_rows,
    tally,
    tally_others,
)
from sorairo.evals.statements import FACTS, Noun, Statement
from sorairo.sight.observation import Observation

LIGHTS = ("day", "night", "sunset", "studio")


def scene(light: str, ground: str = "sand") -> Observation:
    return Observation((), np.zeros((9, 4, 4), np.int8), light, ground, "still")


def asks(light: str) -> tuple[Statement, ...]:
    return Statement("light", value=light), Statement("camera", value="still"), Statement("push", Noun("red", "cube"))


SAID = [asks(LIGHTS[k % 4]) for k in range(8)]
REAL = [scene(LIGHTS[k % 4]) for k in range(8)]


def test_tally_counts_statements_that_have_a_rule() -> None:
    counts = tally(SAID, [*REAL[:6], scene("studio"), scene("day")])
    assert counts["light"].tolist() == [[1, 1]] * 6 + [[0, 1]] * 2
    assert counts["camera"].sum(0).tolist() == [8, 8]
    assert set(counts) == set(FACTS)
    assert all(counts[fact].sum() == 0 for fact in FACTS if fact not in ("light", "camera"))


def test_floor_holds_each_prompt_against_others_only() -> None:
    counts = tally_others(SAID, REAL)
    assert counts["light"][:, 1].tolist() == [NUM_OTHERS] * 8
    assert counts["light"][:, 0].tolist() == [1] * 8  # the fourth one along has the same light
    assert tally_others(SAID[:1], REAL[:1])["light"].sum() == 0
    assert tally_others(SAID[:3], REAL[:3])["light"].tolist() == [[0, 2]] * 3


def rows(made: list[Observation], scored: tuple[str, ...] = ("light",)) -> tuple[Score, ...]:
    return score_rows(tally(SAID, made), tally_others(SAID, REAL), tally(SAID, REAL), scored)


def test_a_perfect_model_reaches_the_ceiling() -> None:
    (row,) = rows(REAL)
    assert (row.fact, row.num_statements) == ("light", 8)
    assert (row.score, row.floor, row.ceiling, row.fraction) == (1, 0.2, 1, 1)
    assert row.fraction_interval == (1, 1)
    assert row.reconstruction is None


def test_half_a_model_is_part_of_the_way() -> None:
    made = [clip if k % 2 else scene("nothing") for k, clip in enumerate(REAL)]
    (row,) = rows(made)
    assert row.score == 0.5
    assert row.fraction == pytest.approx((0.5 - 0.2) / 0.8)
    assert row.score_interval[0] < 0.5 < row.score_interval[1]
    assert row.fraction_interval[0] < row.fraction < row.fraction_interval[1]


def test_rows_without_a_detector_or_a_statement_are_left_out() -> None:
    assert [row.fact for row in rows(REAL, ("camera", "hit", "topple"))] == ["camera"]


def test_what_does_not_tell_prompts_apart_has_no_fraction() -> None:
    (row,) = rows(REAL, ("camera",))
    assert (row.score, row.floor, row.ceiling) == (1, 1, 1)
    assert math.isnan(row.fraction)


def test_event_pools_hit_and_topple() -> None:
    ball, cube = Noun("red", "sphere"), Noun("blue", "cube")
    said = [(Statement("hit", ball, cube), Statement("topple", cube)), (Statement("hit", ball, cube),)]
    nothing = [scene("day"), scene("day")]
    counts = tally(said, nothing)
    made = score_rows(counts, tally_others(said, nothing), counts, FACTS)
    assert {row.fact: row.num_statements for row in made} == {"hit": 2, "topple": 1, "event": 3}
    assert [row.fact for row in score_rows(counts, counts, counts, ("hit",))] == ["hit", "event"]


@pytest.fixture
def report() -> EvaluationReport:
    about = About(
        model="tiny <1>",
        weights_sha256="ab" * 32,
        detector_sha256="cd" * 32,
        num_prompts=8,
        size="160x96, 33 frames",
        num_inference_steps=4,
        guidance_scale=6.0,
        seed=0,
        seconds={"model": 1.5},
    )
    quartiles = {"fits": 3, "low": 9.0, "median": 9.81, "high": 10.0}
    return EvaluationReport(
        about,
        scores=rows(REAL, ("light", "camera")),
        unscored={"size": 8},
        agreement={"light": 0.99},
        prompts=(
            PromptResult("a ball at night", "hit", 4, {"light night": True, "red cube size": None}, clip="clips/0.mp4"),
            PromptResult("a <b>cube</b>", "hit", 5, {"light day": False}, "new pairs", "clips/1.mp4"),
        ),
        groups={"all": rows(REAL)},
        doubtful=rows(REAL, ("camera",)),
        laws={"made": {}, "real": {"fall": quartiles}},
    )


def test_report_is_strict_json(report: EvaluationReport) -> None:
    data = json.loads(report.to_json(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    light, camera = data["scores"]
    assert light["fraction"] == 1
    assert camera["fraction"] is None
    assert data["prompts"][0]["verdicts"] == {"light night": True, "red cube size": None}


def test_report_as_a_table(report: EvaluationReport, tmp_path: Path) -> None:
    _, light, camera = report.tables()["Facts"]
    assert len(light) == len(camera) == len(HEADER)
    assert light[:3] == ("light", "8", "1.00")
    assert camera[-2:] == ("-", "-")
    paths = report.write(tmp_path / "new" / "folder")
    text = paths[1].read_text()
    assert "| light | 8 | 1.00 |" in text
    assert "size (8)" in text
    assert "weights `abababababab`" in text
    assert "| fall | 0 | - | - | 9.81 | 9.00 to 10.00 |" in text
    names = sorted(p.name for p in paths[0].parent.iterdir())
    assert names == ["evaluation.html", "evaluation.json", "evaluation.md"]


def test_page_shows_failures_first_and_runs_nothing(report: EvaluationReport) -> None:
    page = report.to_html()
    assert page.index("clips/1.mp4") < page.index("clips/0.mp4")
    assert '<li class="no">light day</li>' in page
    assert '<li class="unscored">red cube size</li>' in page
    assert "a &lt;b&gt;cube&lt;/b&gt;" in page
    assert "tiny &lt;1&gt;" in page
    assert "<!--" not in page
    assert "<script" not in page


def test_groups_pool_facts_and_parts_are_apart() -> None:
    pooled = score_rows(tally(SAID, REAL), tally_others(SAID, REAL), tally(SAID, REAL), FACTS, None, SCORED_GROUPS)
    assert {row.fact: row.num_statements for row in pooled} == {"composition": 8, "motion": 8}
    half = part(tally(SAID, REAL), np.arange(8) < 3)
    assert half["light"].sum(0).tolist() == [3, 3]
    (row,) = score_rows(tally(SAID, REAL), tally_others(SAID, REAL), no_tally(8), ("light",), no_tally(8))
    assert row.score == 1
    assert math.isnan(row.ceiling)
    assert math.isnan(row.fraction)
