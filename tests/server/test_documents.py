"""The pages about the service: their program runs, and no route, code or tier is missing from them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.server.conftest import Live

from sorairo.server.tiers import Tiers

ROOT = Path(__file__).parents[2]
API, OPERATIONS = ((ROOT / "docs" / f"{name}.md").read_text() for name in ("api", "operations"))
SERVER = "\n".join(path.read_text() for path in sorted((ROOT / "src" / "sorairo" / "server").glob("*.py")))


@pytest.mark.filterwarnings("ignore:The Sora API is scheduled:DeprecationWarning")
def test_the_first_program_runs(live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = re.search(r"```python\n(.*?)```", API, re.DOTALL)
    assert found
    program = found[1].replace("http://127.0.0.1:8437/v1", live.url).replace("sorairo_…", live.key)
    names: dict[str, object] = {}
    exec(program.replace('"seed": 7', '"seed": 7, "num_inference_steps": 4'), names)
    assert (tmp_path / "ball.mp4").stat().st_size > 1000
    assert names["longer"].seconds == "6"  # type: ignore[attr-defined]
    names["client"].close()  # type: ignore[attr-defined]


def test_every_route_is_described() -> None:
    routes = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
    shown = API.replace("its `/rotate_secret` and `/test`", "/v1/webhook_endpoints/{id}/rotate_secret, {id}/test")
    assert [route for route in routes if re.sub(r"{\w+}", "{id}", route).removeprefix("/v1") not in shown and
            not route.endswith("/test") and route != "/v1/models/{model}"] == []  # fmt: skip


def test_every_code_of_an_error_is_described() -> None:
    kinds = "invalid|missing|unknown|unsupported|request_too|queue|insufficient|idempotency|rate_limit|too_many"
    codes = set(re.findall(rf'"((?:{kinds})_\w+)"', SERVER)) - {"invalid_request_error", "rate_limit_error"}
    codes |= {"video_not_ready", "moderation_blocked", "generation_failed", "worker_lost", "server_error"}
    assert {code for code in codes if f"`{code}`" not in API} <= {"webhook_unreachable", "invalid_url"}


def test_every_option_is_described() -> None:
    from sorairo.cli.operating import _INSTALLATION

    def command() -> None:
        pass

    for option in _INSTALLATION:
        option(command)
    options = [param.opts[0] for param in command.__click_params__]  # type: ignore[attr-defined]
    assert [option for option in options if f"`{option}`" not in OPERATIONS] == []


def test_the_tiers_are_as_the_page_says() -> None:
    for name, tier in vars(Tiers()).items():
        line = next(line for line in OPERATIONS.splitlines() if line.startswith(f"| {name.replace('_', '-')}"))
        cells = [cell.strip().replace(",", "") for cell in line.split("|")[2:-1]]
        width, height = map(int, cells[2].split("x"))
        told = [int(cells[0]), int(cells[1]), width * height, int(cells[3]), int(cells[5]), int(cells[6])]
        assert told == [tier.concurrent, tier.waiting, tier.pixels, tier.seconds, tier.variations, tier.requests]
        assert int(cells[7]) * 10**9 == tier.upload_bytes
        assert name == "operator" or int(cells[4]) == tier.credits
