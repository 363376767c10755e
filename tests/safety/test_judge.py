"""The judge is asked at a real local server; whatever is not a whole answer in time is an error, and refuses."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.conftest import Endpoint

from sorairo.safety import Context, LLMJudge, judge_request
from sorairo.safety.judge import JudgeError


@pytest.fixture
def judge(endpoint: Endpoint) -> LLMJudge:
    endpoint.content = '{"violations": []}'
    return LLMJudge(f"http://127.0.0.1:{endpoint.server_port}/v1", "tiny", "secret", timeout_seconds=2.0)


def test_texts_and_pictures_go_in_one_request(judge: LLMJudge, endpoint: Endpoint) -> None:
    assert judge.review({"prompt": "she dances", "upload": "a photograph"}, ["data:image/png;base64,AA=="]) == []
    (seen,) = endpoint.seen
    assert (seen["path"], seen["key"]) == ("/v1/chat/completions", "Bearer secret")
    content = seen["body"]["messages"][1]["content"]
    assert json.loads(content[0]["text"]) == {"prompt": "she dances", "upload": "a photograph"}
    assert content[1]["image_url"]["url"].startswith("data:")
    assert "secret" not in repr(judge)


def test_a_violation_refuses_from_its_threshold_on(judge: LLMJudge, endpoint: Endpoint, context: Context) -> None:
    asked = replace(context, judge=judge)
    for score, action in ((0.9, "refuse"), (0.2, "allow")):
        violation = {"category": "hate", "score": score, "words": ["them"]}
        endpoint.content = json.dumps({"violations": [violation]})
        decision = judge_request({"prompt": "show them"}, [], asked)
        assert decision.action == action
    assert decision.texts == {"prompt": "show them"}


def test_the_words_of_the_judge_are_shown(judge: LLMJudge, endpoint: Endpoint, context: Context) -> None:
    endpoint.content = '{"violations": [{"category": "election", "score": 1, "words": ["moved to Friday"]}]}'
    (finding,) = judge_request({"prompt": "x"}, [], replace(context, judge=judge)).findings
    assert (finding.layer, finding.words) == ("judge", ("moved to Friday",))
    assert finding.advice


@pytest.mark.parametrize(
    "content",
    [
        "I think it is fine.",
        "[]",
        "{}",
        "null",
        '{"violations": [{"category": "rudeness", "score": 1}]}',
        '{"violations": [{"category": "hate", "score": 7}]}',
        '{"violations": [{"category": "hate", "score": "nan"}]}',
        '{"violations": "none"}',
    ],
)
def test_an_answer_of_another_form_refuses(judge: LLMJudge, endpoint: Endpoint, context: Context, content: str) -> None:
    endpoint.content = content
    assert judge_request({"prompt": "x"}, [], replace(context, judge=judge)).findings[0].category == "unavailable"


@pytest.mark.parametrize("status", [401, 429, 500])
def test_an_error_status_is_an_error(judge: LLMJudge, endpoint: Endpoint, status: int) -> None:
    endpoint.statuses = [status]
    with pytest.raises(JudgeError, match="no usable answer: HTTPStatusError"):
        judge.review({"prompt": "x"})


def test_a_late_answer_is_an_error(judge: LLMJudge, endpoint: Endpoint) -> None:
    endpoint.delay = 0.5
    with pytest.raises(JudgeError, match="Timeout"):
        replace(judge, timeout_seconds=0.1).review({"prompt": "x"})


def test_nobody_there_is_an_error() -> None:
    with pytest.raises(JudgeError, match="ConnectError"):
        LLMJudge("http://127.0.0.1:9/v1", "tiny", timeout_seconds=1.0).review({"prompt": "x"})
