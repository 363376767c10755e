"""Bodies: whichever way they are written, the same fields come out, or one error."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from sorairo.server.errors import ApiError
from sorairo.server.fields import check_names, read_fields

FORM, JSON = "application/x-www-form-urlencoded", "application/json"


def read(body: bytes, kind: str) -> dict[str, Any]:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", kind.encode())], "app": None}
    return asyncio.run(read_fields(Request(scope, receive)))


def form(**pairs: str) -> dict[str, Any]:
    return read(urlencode(pairs).encode(), FORM)


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="["))
TEXTS = st.text(st.characters(exclude_categories=["Cs"])).filter(
    lambda text: text[:1] not in ("[", "{") and text not in ("true", "false")
)


@given(st.dictionaries(TEXTS.filter(lambda name: "[" not in name), TEXTS))
def test_texts_come_out_as_they_went_in(fields: dict[str, str]) -> None:
    assert read(json.dumps(fields).encode(), JSON) == fields
    if fields:
        assert read(urlencode(fields).encode(), FORM) == fields


@given(st.binary(), st.sampled_from([JSON, FORM, "multipart/form-data; boundary=x"]))
def test_any_bytes_are_fields_or_an_error(body: bytes, kind: str) -> None:
    status = 400
    try:
        read(body, kind)
    except ApiError as error:
        status = error.status
    assert status == 400


def test_brackets_and_json_text_mean_the_same() -> None:
    by_brackets = form(**{"video[id]": "video_1", "prompt": "a"})
    assert by_brackets == form(video='{"id": "video_1"}', prompt="a")
    assert by_brackets == {"video": {"id": "video_1"}, "prompt": "a"}
    assert form(**{"event_types[]": "video.failed"}) == {"event_types": ["video.failed"]}
    assert read(b"characters[][id]=a&characters[][id]=b", FORM) == {"characters": [{"id": "a"}, {"id": "b"}]}


def test_a_prompt_may_begin_with_a_bracket() -> None:
    for prompt in ("[a red ball]", "[1]", "{}"):
        assert form(prompt=prompt) == {"prompt": prompt}


@pytest.mark.parametrize("name", ["message", "reason", "answer", "video_id", "consent", "account"])
def test_words_stay_words(name: str) -> None:
    for words in ("true", "[sic]"):
        assert form(**{name: words}) == {name: words}


def test_null_is_what_was_not_given_but_of_a_known_field() -> None:
    fields = read(b'{"seed": null, "prompt": "a"}', JSON)
    check_names(fields, "seed", "prompt")
    assert fields == {"prompt": "a"}
    with pytest.raises(ApiError, match="Unknown field 'sead'; the nearest is 'seed'"):
        check_names(read(b'{"sead": null}', JSON), "seed", "prompt")
    assert read(b"", JSON) == {}


SCENE = {"scenes[][start]": "1", "scenes[][prompt]": "a cube"}


@pytest.mark.parametrize(
    "pairs", [{"video[id]": "1", "video[]": "2"}, {"a[b][c]": "1"}, {"a": "1", "a[b]": "2"}, SCENE]
)
def test_forms_that_contradict_themselves_are_refused(pairs: dict[str, str]) -> None:
    with pytest.raises(ApiError, match="JSON text"):
        form(**pairs)
