"""A language model behind the server that stands in for one."""

from __future__ import annotations

import pytest
from tests.conftest import Endpoint

from sorairo.pipelines.language_model import LanguageModel


@pytest.fixture
def asked(endpoint: Endpoint) -> LanguageModel:
    return LanguageModel(f"http://127.0.0.1:{endpoint.server_port}/v1", "eyes", "secret", 5.0, pauses=(0.0, 0.0))
