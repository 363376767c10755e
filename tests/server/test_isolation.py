"""Two accounts on one server: over every route that there is, the other's things do not exist."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient
from tests.server.conftest import ROOT, SMALL, Enter, both, error_of, finish

from sorairo.media import write_png
from sorairo.server.access import Service
from sorairo.server.keys import SCOPES
from sorairo.server.tables import VideoRow

PATHS: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"]
GLOBAL = ("{model}", "{name}")  # the same for everybody
BY_NAME = [(method, path) for path, methods in PATHS.items() for method in methods if "{" in path]
NAMELESS = ("x-request-id", "openai-processing-ms", "content-length")


class Owned:
    """What alice has: one of everything that has an id."""

    def __init__(self, alice: TestClient, service: Service) -> None:
        self.video = alice.post("/v1/videos", json=SMALL).json()["id"]
        finish(service, self.video)
        picture = service.settings.folder / "a.png"
        write_png(picture, np.zeros((32, 64, 3), np.uint8))
        self.file = alice.post("/v1/files", files={"file": ("a.png", picture.read_bytes())}).json()["id"]
        named = {"data": {"name": "Mo", "description": "a ball"}, "files": {"video": ("a.png", picture.read_bytes())}}
        self.character = alice.post("/v1/videos/characters", **named).json()["id"]
        hook = {"url": "https://example.org/", "event_types": ["video.failed"]}
        self.endpoint = alice.post("/v1/webhook_endpoints", json=hook).json()["id"]
        self.key = alice.headers["authorization"].split("_")[1]
        self.case = alice.post(f"/v1/videos/{self.video}/reports", json={"reason": "other"}).json()["id"]
        with service.database.reading() as session:
            self.account = session.scalars(select(VideoRow.account_id).where(VideoRow.id == self.video)).one()

    def named_in(self, path: str) -> tuple[str, str]:
        """A path of hers, and the same of nobody's."""
        own = re.sub(r"{(\w+)_id}", lambda found: getattr(self, found[1]), path)
        return own, re.sub(r"{(\w+)_id}", r"\1_none", path)


def told(answer: Any, *names: str) -> tuple[Any, ...]:
    """All of an answer but what every answer has anew, and the names that were asked for."""
    text = answer.text
    for name in names:
        text = text.replace(name, "")
    headers = {name: value for name, value in answer.headers.items() if name not in NAMELESS}
    return answer.status_code, text, headers


@both
def test_no_route_tells_another_s_things_from_nothing(enter: Enter, service: Service) -> None:
    alice, bob = enter("alice"), enter("bob", scopes=SCOPES[:-1])  # an admin may see more
    owned = Owned(alice, service)
    checked = 0
    for method, path in sorted(BY_NAME):
        if any(name in path for name in GLOBAL):
            continue
        own, none = owned.named_in(path)
        ids = vars(owned).values()
        bodies = {"json": {"prompt": "x"} if "remix" in path else {}} if method == "post" else {}
        his, nobodys = (bob.request(method, address, **bodies) for address in (own, none))
        assert told(his, *ids) == told(nobodys, *(f"{kind}_none" for kind in vars(owned))), (method, path)
        assert error_of(his, 403 if "admin" in path else 404), (method, path)
        checked += 1
    assert checked >= 14
    for video in (f"/v1/videos/{owned.video}", f"/v1/webhook_endpoints/{owned.endpoint}"):
        assert alice.get(video).status_code == 200


@pytest.mark.parametrize(
    ("route", "fields"),
    [
        ("", {"prompt": "x", "input_reference": {"id": "file"}}),
        ("", {"prompt": "x", "input_reference": {"file_id": "file"}}),
        ("", {"prompt": "x", "keyframes": [{"id": "file", "time": 0}]}),
        ("", {"prompt": "Mo", "characters": [{"id": "character"}]}),
        ("/edits", {"prompt": "x", "video": {"id": "video"}}),
        ("/extensions", {"prompt": "x", "seconds": 1, "video": {"id": "video"}}),
        ("/loops", {"video": {"id": "video"}}),
        ("/recuts", {"start": 0, "end": 1, "video": {"id": "video"}}),
        ("/connections", {"video": {"id": "video"}, "second_video": {"id": "video"}}),
        ("/blends", {"video": {"id": "video"}, "second_video": {"id": "video"}}),
        ("/inpaints", {"video": {"id": "video"}, "mask": {"id": "file"}}),
        ("/outpaints", {"size": "160x96", "video": {"id": "video"}}),
        ("/cinemagraphs", {"prompt": "x", "input_reference": {"id": "file"}, "mask": {"id": "file"}}),
    ],
)
def test_no_tool_uses_another_s_things(enter: Enter, service: Service, route: str, fields: dict[str, Any]) -> None:
    alice, bob = enter("alice"), enter("bob")
    owned = Owned(alice, service)

    def asked(client: TestClient, names: dict[str, str]) -> Any:
        body = json.dumps(fields)
        for kind, name in names.items():
            body = body.replace(f'id": "{kind}"', f'id": "{name}"')
        return client.post(f"/v1/videos{route}", content=body, headers={"content-type": "application/json"})

    nothing = {kind: f"{kind}_none" for kind in vars(owned)}
    his, nobodys = asked(bob, vars(owned)), asked(bob, nothing)
    assert told(his, *vars(owned).values()) == told(nobodys, *nothing.values())
    assert error_of(his, 404)
    assert bob.get("/v1/videos").json()["data"] == []
    assert asked(alice, vars(owned)).status_code != 404


@both
def test_lists_hold_only_one_s_own(enter: Enter, service: Service) -> None:
    alice, bob = enter("alice"), enter("bob", scopes=SCOPES[:-1])
    owned = Owned(alice, service)
    for path in [path for path in PATHS if "get" in PATHS[path] and "{" not in path]:
        answer = bob.get(path)
        assert answer.status_code == (403 if "admin" in path else 200), path
        assert not any(name in answer.text for name in vars(owned).values()), path
    assert bob.get("/v1/videos", params={"after": owned.video}).status_code == 404
