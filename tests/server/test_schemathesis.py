"""Two users and requests made from the description of the routes: no answer breaks it, no user reaches the other's.

The server has no worker: what is asked for waits. Left out are the `Allow` header (the framework answers for each
method by itself) and the route that sends events to addresses. Whatever fits the description must be accepted where
something is read, deleted or renamed; elsewhere files, addresses and what the model can make decide, which none holds.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.server.conftest import COMMAND

# The same requests on every machine, if it is not so slow that time runs out.
BOUNDS = ["--max-examples", "3", "--max-time", "120", "--seed", "1"]
CONFIG = """
[auth.wfc]
path = "{folder}/users.yaml"
peers = ["alice", "bob"]

[[operations]]
include-method = "POST"
include-path-regex = "^/v1/(?!videos/.video_id.$)"
checks.positive_data_acceptance.enabled = false
"""
USER = '- {{name: {name}, fixedHeaders: [{{name: Authorization, value: "Bearer {key}"}}]}}'
# A video that waits has no credentials yet: ensure_resource_availability takes that for a resource that was lost.
CHECKS_LEFT_OUT = "allow_header_conformance,ensure_resource_availability"
LEFT_OUT = ["--exclude-checks", CHECKS_LEFT_OUT, "--exclude-path-regex", "/test$"]


@pytest.fixture
def address(tmp_path: Path, tiny_model: Path) -> Iterator[str]:
    """Of a server with two users, whose keys are written where schemathesis finds them."""
    own = ["--folder", str(tmp_path / "own")]
    serve = [*COMMAND, "serve", "--port", "0", "--workers", "0", "--feeds", "--model", str(tiny_model), *own]
    with subprocess.Popen(
        serve, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    ) as process:
        assert process.stdout
        url = process.stdout.readline().strip().removesuffix("/v1")
        users = ["auth:"]
        for name in ("alice", "bob"):
            create = [*COMMAND, "keys", "create", name, "--tier", "operator", *own]
            key = subprocess.run(create, capture_output=True, text=True, check=True).stdout.strip()
            users.append(USER.format(name=name, key=key))
        (tmp_path / "users.yaml").write_text("\n".join(users))
        (tmp_path / "schemathesis.toml").write_text(CONFIG.format(folder=tmp_path))
        yield url
        process.terminate()


def test_no_request_breaks_the_description_or_reaches_another_s(address: str, tmp_path: Path) -> None:
    program = [str(Path(sys.executable).with_name("schemathesis")), "--no-color"]
    program += ["--config-file", str(tmp_path / "schemathesis.toml")]
    command = [*program, "run", f"{address}/openapi.json", *BOUNDS, *LEFT_OUT]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
