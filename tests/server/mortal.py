"""Workers that die when a test says so. Run as a program, which loads what workers need once and then only forks.

Each line of its input is one worker: the settings, a step, a file, and what else is in its environment. The worker is
real, and so is its death: SIGKILL at the worst moment, when the step is done and nobody has written that down. Every
step it enters is noted in the file.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

from sorairo.server.settings import Settings
from sorairo.server.worker import Worker


def live(values: dict[str, Any], fatal: str, notes: str, environment: dict[str, str]) -> None:
    """Until the fatal step, or SIGTERM."""
    os.environ.update(environment)
    worker = Worker(Settings(**values | {"folder": Path(values["folder"])}))
    steps = worker.jobs.steps

    def run(step: str, video_id: str) -> None:
        with open(notes, "a") as file:
            file.write(f"{step}\n")
        steps[step](video_id)
        if step == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    worker.jobs.steps = {step: partial(run, step) for step in steps}
    worker.run()


if __name__ == "__main__":
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            live(*json.loads(line))
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
