"""A language model, with or without eyes, at any endpoint that speaks OpenAI's chat completions. Optional.

What it answers is text and nothing more: never run, never trusted. The key comes from the environment, so that it is
in no command's history.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

KEY_VARIABLE = "SORAIRO_ENDPOINT_KEY"
PAUSES = (1.0, 4.0)  # seconds before it is asked again
BUSY = (408, 429, 500, 502, 503, 504)


class EndpointError(RuntimeError):
    """No usable answer."""


@dataclass(frozen=True)
class Answer:
    """A text, the tokens that were read and written, and the seconds that it took."""

    text: str
    tokens_read: int = 0
    tokens_written: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class LanguageModel:
    """``base_url`` as OpenAI's clients write it, ending in /v1. Raises ValueError for what is no address of the web."""

    base_url: str
    model: str
    api_key: str = field(default_factory=lambda: os.environ.get(KEY_VARIABLE, ""), repr=False)
    timeout_seconds: float = 120.0
    pauses: tuple[float, ...] = PAUSES

    def __post_init__(self) -> None:
        if not _is_address(self.base_url):
            raise ValueError(f"endpoint is {self.base_url!r}; it is an address such as http://localhost:8000/v1")
        if not self.model:
            raise ValueError("the endpoint's model has no name; give the one that its server lists")

    def ask(self, instructions: str, text: str, pictures: Sequence[str] = ()) -> Answer:
        """The answer to a text and pictures (data URLs); a server that is busy or silent is asked again, twice.

        Raises:
            EndpointError: one line, where there is no answer or one of another form.
        """
        import httpx2

        images = [{"type": "image_url", "image_url": {"url": url}} for url in pictures]
        messages = [
            {"role": "system", "content": instructions},
            {"role": "user", "content": [{"type": "text", "text": text}, *images]},
        ]
        body = {"model": self.model, "temperature": 0, "max_tokens": 400, "messages": messages}
        start = time.perf_counter()
        for pause in (*self.pauses, None):
            try:
                answer = self._post(body)
                if answer.status_code not in BUSY or pause is None:
                    answer.raise_for_status()
                    return _read(answer.json(), time.perf_counter() - start)
            except httpx2.HTTPStatusError as error:
                raise EndpointError(f"{self.base_url} answered {error.response.status_code}") from error
            except (ValueError, LookupError, TypeError, AttributeError) as error:
                raise EndpointError(f"{self.base_url} answered in another form: {type(error).__name__}") from error
            except httpx2.HTTPError as error:
                if pause is None:
                    raise EndpointError(f"{self.base_url} does not answer: {type(error).__name__}") from error
            time.sleep(pause or 0)
        raise AssertionError("the last attempt answers or raises")

    def _post(self, body: dict[str, Any]) -> Any:
        import httpx2

        url, headers = f"{self.base_url.rstrip('/')}/chat/completions", {"Authorization": f"Bearer {self.api_key}"}
        return httpx2.post(url, json=body, headers=headers if self.api_key else {}, timeout=self.timeout_seconds)


def _is_address(url: str) -> bool:
    import httpx2

    try:
        return httpx2.URL(url).scheme in ("http", "https") and bool(httpx2.URL(url).host)
    except httpx2.InvalidURL:
        return False


def _read(body: dict[str, Any], seconds: float) -> Answer:
    usage, text = body.get("usage") or {}, body["choices"][0]["message"]["content"]
    if not isinstance(text, str):
        raise TypeError(f"its content is a {type(text).__name__}")
    read, written = (int(usage.get(name, 0)) for name in ("prompt_tokens", "completion_tokens"))
    return Answer(" ".join(text.split()), read, written, seconds)
