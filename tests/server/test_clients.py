"""Other clients than today's Python one, unmodified, against a live server: the first that knew videos, and Node's."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.server.conftest import ROOT, Live
from tests.server.test_conformance import KEYS

OLD_CLIENT = """
import sys; from openai import OpenAI, __version__
client = OpenAI(base_url=sys.argv[1], api_key=sys.argv[2], max_retries=0)
video = client.videos.create_and_poll(prompt="a red ball", size="64x32", seconds="1", poll_interval_ms=50,
                                      extra_body={"num_inference_steps": 4})
remix = client.videos.poll(client.videos.remix(video.id, prompt="a cube").id, poll_interval_ms=50)
size = len(client.videos.download_content(video.id).read())
print(__version__, video.status, remix.status, size > 1000, client.videos.delete(video.id).deleted)
"""


def test_the_first_client_that_knew_videos(live: Live, tmp_path: Path) -> None:
    """2.2.0 sends JSON where later ones send forms."""
    wanted = ["openai==2.2.0", "httpx<1", "httpcore<2", "distro", "sniffio"]
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(tmp_path), *wanted]
    if subprocess.run(install, capture_output=True, check=False).returncode:
        pytest.skip("openai 2.2.0 cannot be fetched from a package index")
    command = [sys.executable, "-c", OLD_CLIENT, live.url, live.key]
    done = subprocess.run(command, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.stdout == "2.2.0 completed completed True True\n", done.stderr


def test_the_node_client(live: Live, tmp_path: Path) -> None:
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed")
    install = ["npm", "install", "--prefix", str(tmp_path), "--no-audit", "--no-fund", "--ignore-scripts", "openai@6"]
    if subprocess.run(install, capture_output=True, check=False).returncode:
        pytest.skip("the npm package openai cannot be fetched")
    program = shutil.copy(ROOT / "tests" / "server" / "node_client.mjs", tmp_path)
    done = subprocess.run(["node", program, live.url, live.key], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert set(told.pop("keys")) == KEYS
    assert told == {
        "status": "completed",
        "magic": "ftyp",
        "thumbnail": "image/webp",
        "ends": [["completed", seconds] for seconds in ("1", "1", "1", "2", "1", "1")],
        "character": "Mo",
        "listed": True,
        "deleted": ["video.deleted", True],
        "gone": ["NotFoundError", 404, "video_not_found", "video_id", True],
        "wrong": ["BadRequestError", 400, "invalid_value", "size", True],
        "models": 1,
    }


@pytest.mark.filterwarnings("ignore:The Sora API is scheduled:DeprecationWarning")
def test_the_example_runs(live: Live, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "examples" / "openai_client.py"), live.url, live.key, "--fast"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "the webhook's signature holds" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "longer.mp4"]
