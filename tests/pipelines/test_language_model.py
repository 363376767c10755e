"""A language model is asked at a real local server; a busy one again, and what is no answer is one line."""

from __future__ import annotations

import pytest
from tests.conftest import Endpoint

from sorairo.pipelines.language_model import EndpointError, LanguageModel


def test_an_answer_comes_with_what_it_cost(endpoint: Endpoint, asked: LanguageModel) -> None:
    endpoint.content = "A red ball\n  rolls."
    answer = asked.ask("be short", "what is it", ["data:image/jpeg;base64,AAAA"])
    assert answer.text == "A red ball rolls."
    assert (answer.tokens_read, answer.tokens_written) == (100, 7)
    assert answer.seconds > 0
    (seen,) = endpoint.seen
    assert seen["path"] == "/v1/chat/completions"
    assert seen["key"] == "Bearer secret"
    system, user = seen["body"]["messages"]
    assert system == {"role": "system", "content": "be short"}
    assert user["content"] == [
        {"type": "text", "text": "what is it"},
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AAAA"}},
    ]


def test_a_busy_server_is_asked_again(endpoint: Endpoint, asked: LanguageModel) -> None:
    endpoint.statuses = [429, 503]
    assert asked.ask("", "x").text == "a caption"
    assert len(endpoint.seen) == 3
    endpoint.statuses = [500] * 3
    with pytest.raises(EndpointError, match="answered 500"):
        asked.ask("", "x")
    assert len(endpoint.seen) == 6


def test_a_refusal_is_not_repeated(endpoint: Endpoint, asked: LanguageModel) -> None:
    endpoint.statuses = [401]
    with pytest.raises(EndpointError, match="answered 401"):
        asked.ask("", "x")
    assert len(endpoint.seen) == 1


def test_an_answer_of_another_form_is_one_line(endpoint: Endpoint, asked: LanguageModel) -> None:
    endpoint.body = b'{"choices": []}'
    with pytest.raises(EndpointError, match="answered in another form: IndexError"):
        asked.ask("", "x")
    endpoint.body = b"not json"
    with pytest.raises(EndpointError, match="another form"):
        asked.ask("", "x")


@pytest.mark.parametrize("content", [b"null", b'[{"type": "text", "text": "a ball"}]', b"7"])
def test_only_a_text_is_an_answer(endpoint: Endpoint, asked: LanguageModel, content: bytes) -> None:
    endpoint.body = b'{"choices": [{"message": {"content": %s}}]}' % content
    with pytest.raises(EndpointError, match="answered in another form: TypeError"):
        asked.ask("", "x")


def test_nobody_there_is_one_line() -> None:
    with pytest.raises(EndpointError, match="does not answer: ConnectError"):
        LanguageModel("http://127.0.0.1:9/v1", "m", pauses=()).ask("", "x")


def test_wrong_settings_are_refused_and_the_key_stays_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("localhost", "http://[::1", "http://", "http://a\x00b/v1", "ftp://localhost/v1"):
        with pytest.raises(ValueError, match=r"endpoint is .*; it is an address such as"):
            LanguageModel(address, "m")
    with pytest.raises(ValueError, match="model has no name"):
        LanguageModel("http://localhost", "")
    monkeypatch.setenv("SORAIRO_ENDPOINT_KEY", "abc")
    model = LanguageModel("http://localhost", "m")
    assert model.api_key == "abc"
    assert "abc" not in repr(model)
