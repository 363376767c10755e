"""The language model as a last judge on the main path: asked while the video is made, waited for before it is signed.

Its address is in `judge.toml` in the settings folder; without that file nobody is asked, unless the policy demands it.
Never lets a video go on whose judge is missing, fails or is late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from sorairo.config import load_toml
from sorairo.media import Footage, Frames
from sorairo.pipelines.captions import data_url
from sorairo.pipelines.policy import accept
from sorairo.provenance import home_folder
from sorairo.provenance.fingerprint import moments
from sorairo.safety import Context, Decision, LLMJudge, judge_request

JUDGE_FILE = "judge.toml"
MOST_PICTURES = 8  # of uploads, and of the output


def with_judge(context: Context) -> Context:
    """The context with the judge of `judge.toml`, if there is one. Raises ValueError for a file that is not right."""
    file = home_folder() / JUDGE_FILE
    return replace(context, judge=load_toml(LLMJudge, file)) if file.exists() else context


class Reviews:
    """What the judge is asked about one request: texts and uploads at once, then with frames of the output."""

    def __init__(self, texts: Mapping[str, str], uploads: Sequence[Frames], context: Context) -> None:
        self._texts, self._context = texts, context
        self._uploads = _pictures(uploads) if context.judge else []
        self._first: Future[Decision] | None = None
        if context.judge:
            worker = ThreadPoolExecutor(1, "judge")
            self._first = worker.submit(judge_request, texts, self._uploads, context)
            worker.shutdown(wait=False)

    def accept(self, draft: Path) -> None:
        """Waits for the first answer, and asks again with the finished draft. Raises RefusedError of one line."""
        if self._first:
            accept(self._first.result())
        output = _pictures(_frames(draft)) if self._context.judge else []
        accept(judge_request(self._texts, [*self._uploads, *output], self._context))


def _frames(draft: Path) -> list[Frames]:
    footage = Footage(draft)
    return [footage[number] for number in moments(len(footage), footage.fps)]


def _pictures(frames: Sequence[Frames]) -> list[str]:
    """At most eight, spread evenly."""
    step = max(1, -(-len(frames) // MOST_PICTURES))
    return [data_url(frame) for frame in frames[::step]]
