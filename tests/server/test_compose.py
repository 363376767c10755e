"""What a request's fields become: characters in prompts, and variations of what was asked before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient
from tests.server.conftest import SMALL, Enter, both, error_of, finish

from sorairo.media import read_picture, write_mp4, write_png
from sorairo.server.access import Service
from sorairo.server.audit import lines
from sorairo.server.moderation import take_down
from sorairo.server.tables import FileRow, VideoRow


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("clips") / "a.mp4"
    frames = np.full((9, 32, 64, 3), np.linspace(0, 255, 9).reshape(9, 1, 1, 1), np.uint8)
    write_mp4(path, frames, width=64, height=32, fps=8)
    return path.read_bytes()


def character(client: TestClient, clip: bytes, **fields: str) -> dict[str, Any]:
    answer = client.post("/v1/videos/characters", data=fields, files={"video": ("a.mp4", clip)})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def requests(service: Service) -> list[dict[str, Any]]:
    with service.database.reading() as session:
        return [json.loads(text) for text in session.scalars(select(VideoRow.request).order_by(VideoRow.position))]


def test_a_description_stands_for_a_name(alice: TestClient, service: Service, clip: bytes) -> None:
    mo = character(alice, clip, name="Mo", description="a small red ball")
    bo = character(alice, clip, name="Bo", description="a cube that is not Mo")
    assert (mo["name"], mo["description"]) == ("Mo", "a small red ball")
    asked = SMALL | {"prompt": "Mo meets Bo, not Moses", "characters": [{"id": mo["id"]}, {"id": bo["id"]}]}
    asked |= {"scenes": [{"start": 0.5, "prompt": "Mo jumps"}]}
    video = alice.post("/v1/videos", json=asked).json()
    assert video["prompt"] == "Mo meets Bo, not Moses"
    (request,) = requests(service)
    assert request["prompt"] == "a small red ball meets a cube that is not Mo, not Moses"
    assert request["scenes"][0]["prompt"] == "a small red ball jumps"
    assert request["anchors"] == []


def test_without_words_its_picture_is_the_first_frame(
    alice: TestClient, service: Service, clip: bytes, tmp_path: Path
) -> None:  # fmt: skip
    mo = character(alice, clip, name="Mo")
    form = SMALL | {"prompt": "Mo rolls", "characters": json.dumps([{"id": mo["id"]}])}
    assert alice.post("/v1/videos", data=form).status_code == 200
    (request,) = requests(service)
    assert request["prompt"] == "Mo rolls"
    (anchor,) = request["anchors"]
    assert anchor["time"] == 0
    picture = read_picture(service.storage.fetch(anchor["material"]["path"], tmp_path / "first.png"))
    assert picture.shape == (32, 64, 3)
    assert picture.max() < 30  # the clip goes from black to white


def test_a_card_that_names_it_first_shows_it(alice: TestClient, service: Service, clip: bytes) -> None:
    mo, bo = character(alice, clip, name="Mo"), character(alice, clip, name="Bo")
    scenes = [{"start": 0.5, "prompt": "Mo meets Bo"}, {"start": 0.75, "prompt": "Mo goes", "cut": True}]
    asked = SMALL | {"prompt": "Mo rolls", "scenes": scenes, "characters": [{"id": mo["id"]}, {"id": bo["id"]}]}
    assert alice.post("/v1/videos", json=asked).json()["tool"] == "animate"
    (request,) = requests(service)
    times = {anchor["material"]["path"].split("/")[1]: anchor["time"] for anchor in request["anchors"]}
    assert times == {mo["id"]: 0, bo["id"]: 0.5}
    asked["keyframes"] = [{"id": mo["id"], "time": 0.5}]
    assert "no place for its first frame" in error_of(alice.post("/v1/videos", json=asked), 400)["message"]


def test_every_tool_takes_the_words_for_a_character(alice: TestClient, service: Service, clip: bytes) -> None:
    mo, bo = character(alice, clip, name="Mo", description="a red ball"), character(alice, clip, name="Bo")
    file = alice.post("/v1/files", files={"file": ("a.mp4", clip)}).json()["id"]
    asked = {"video": {"id": file}, "seconds": 1, "prompt": "Mo falls", "characters": [{"id": mo["id"]}]}
    video = alice.post("/v1/videos/extensions", json=asked).json()
    assert (video["tool"], video["prompt"]) == ("extend", "Mo falls")
    assert [request["prompt"] for request in requests(service)] == ["a red ball falls"]
    asked |= {"prompt": "Bo falls", "characters": [{"id": bo["id"]}]}
    assert "no place for its first frame" in error_of(alice.post("/v1/videos/extensions", json=asked), 400)["message"]


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"prompt": "Mole"}, 400, "does not name 'Mo'"),
        ({"prompt": "mo"}, 400, "does not name 'Mo'"),
        ({"characters": []}, 400, "characters holds 1 to 2"),
        ({"characters": [{"id": "char_1"}] * 3}, 400, "characters holds 1 to 2"),
        ({"characters": "Mo"}, 400, "characters holds 1 to 2"),
        ({"characters": [{"id": "char_none"}]}, 404, "no character"),
        ({"input_reference": {"id": "file_1"}}, 400, "has no description"),
    ],
)
def test_a_character_that_cannot_appear_is_told(
    alice: TestClient, clip: bytes, fields: dict[str, Any], status: int, words: str
) -> None:  # fmt: skip
    mo = character(alice, clip, name="Mo")
    asked = SMALL | {"prompt": "Mo rolls", "characters": [{"id": mo["id"]}]} | fields
    assert words in error_of(alice.post("/v1/videos", json=asked), status)["message"]


def test_characters_are_listed_shown_and_deleted_with_their_clips(
    alice: TestClient, service: Service, clip: bytes, tmp_path: Path
) -> None:
    mo, bo = character(alice, clip, name="Mo", description="a ball"), character(alice, clip, name="Bo")
    assert alice.get("/v1/videos/characters").json() == {"object": "list", "data": [bo, mo]}
    picture = alice.get(f"/v1/videos/characters/{mo['id']}/content")
    (tmp_path / "first.png").write_bytes(picture.content)
    assert picture.headers["content-type"] == "image/png"
    assert read_picture(tmp_path / "first.png").shape == (32, 64, 3)
    gone = {"id": mo["id"], "object": "character.deleted", "deleted": True}
    assert alice.delete(f"/v1/videos/characters/{mo['id']}").json() == gone
    error_of(alice.delete(f"/v1/videos/characters/{mo['id']}"), 404)
    assert alice.get("/v1/videos/characters").json()["data"] == [bo]
    for name in (mo["id"], bo["id"]):
        assert (service.settings.folder / "files" / "uploads" / name).exists() == (name == bo["id"])
    with service.database.reading() as session:
        assert [line.subject for line in lines(session) if line.action == "character.deleted"] == [mo["id"]]


def uploads(service: Service) -> set[str]:
    folder = service.settings.folder / "files" / "uploads"
    with service.database.reading() as session:
        known = set(session.scalars(select(FileRow.id)))
    assert known == ({path.name for path in folder.iterdir()} if folder.exists() else set())
    return known


@both
def test_what_was_sent_along_goes_with_the_last_video_of_it(alice: TestClient, service: Service, clip: bytes) -> None:
    files = {"input_reference": ("a.mp4", clip)}
    first = alice.post("/v1/videos", data=SMALL, files=files).json()["id"]
    finish(service, first)
    (second,) = alice.post(f"/v1/videos/{first}/variations", json={"num_variations": 1}).json()["data"]
    (sent,) = uploads(service)
    alice.delete(f"/v1/videos/{first}")
    assert uploads(service) == {sent}, "the variation is made of it"
    alice.delete(f"/v1/videos/{second['id']}")
    assert uploads(service) == set()


@both
def test_what_comes_to_no_video_is_not_kept(enter: Enter, service: Service, clip: bytes) -> None:
    poor = enter("poor", tier="free")
    files = {"input_reference": ("a.mp4", clip)}
    error_of(poor.post("/v1/videos", data=SMALL | {"seconds": "6"}, files=files), 400)
    error_of(poor.post("/v1/videos", data=SMALL | {"seconds": "0.3"}, files=files), 400)
    assert uploads(service) == set()


@both
def test_a_file_is_taken_away_by_its_owner(enter: Enter, service: Service, clip: bytes) -> None:
    alice, bob = enter("alice"), enter("bob")
    file = alice.post("/v1/files", files={"file": ("a.mp4", clip)}).json()["id"]
    assert error_of(bob.delete(f"/v1/files/{file}"), 404)["code"] == "file_not_found"
    video = alice.post("/v1/videos", json=SMALL | {"input_reference": {"id": file}}).json()["id"]
    alice.delete(f"/v1/videos/{video}")
    assert uploads(service) == {file}, "it was handed in by itself"
    assert alice.delete(f"/v1/files/{file}").json() == {"id": file, "object": "file", "deleted": True}
    assert uploads(service) == set()
    error_of(alice.delete(f"/v1/files/{file}"), 404)
    with service.database.reading() as session:
        assert [line.subject for line in lines(session) if line.action == "file.deleted"] == [file]


@both
def test_files_are_listed_a_page_at_a_time(enter: Enter, service: Service, clip: bytes) -> None:
    """Those that were handed in by themselves: neither characters, nor what came with a request, nor another's."""
    alice, sent = enter("alice"), {"file": ("a.mp4", clip)}
    made = [alice.post("/v1/files", files=sent).json() for _ in range(3)]
    character(alice, clip, name="Mo")
    assert alice.post("/v1/videos", data=SMALL, files={"input_reference": ("a.mp4", clip)}).status_code == 200
    enter("bob").post("/v1/files", files=sent)
    whole = alice.get("/v1/files").json()
    assert (whole["object"], whole["has_more"]) == ("list", False)
    assert sorted(whole["data"], key=str) == sorted(made, key=str)
    assert (whole["first_id"], whole["last_id"]) == (whole["data"][0]["id"], whole["data"][-1]["id"])
    first = alice.get("/v1/files?limit=2&order=asc").json()
    assert first["has_more"]
    rest = alice.get(f"/v1/files?limit=2&order=asc&after={first['last_id']}").json()
    assert [*first["data"], *rest["data"]] == whole["data"][::-1]
    assert not rest["has_more"]
    assert alice.get(f"/v1/files?after={whole['data'][0]['id']}").json()["data"] == whole["data"][1:]
    assert alice.get(f"/v1/files/{made[0]['id']}").json() == made[0]
    assert error_of(enter("bob").get(f"/v1/files/{made[0]['id']}"), 404)["code"] == "file_not_found"
    assert error_of(enter("bob").get(f"/v1/files?after={made[0]['id']}"), 404)["code"] == "file_not_found"
    with service.database.writing.begin() as session:
        take_down(session, made[0]["id"], "it is hers")
    assert sorted(file["id"] for file in alice.get("/v1/files").json()["data"]) == sorted(
        file["id"] for file in made[1:]
    )


def test_a_file_is_no_character(alice: TestClient, clip: bytes) -> None:
    file = alice.post("/v1/files", files={"file": ("a.mp4", clip)}).json()["id"]
    assert alice.get("/v1/videos/characters").json()["data"] == []
    assert error_of(alice.delete(f"/v1/videos/characters/{file}"), 404)["code"] == "character_not_found"


def test_another_s_character_is_nobody_s(enter: Enter, clip: bytes) -> None:
    mo = character(enter("alice"), clip, name="Mo", description="a ball")
    asked = SMALL | {"prompt": "Mo rolls", "characters": [{"id": mo["id"]}]}
    assert error_of(enter("bob").post("/v1/videos", json=asked), 404)["code"] == "character_not_found"
    assert error_of(enter("bob").get(f"/v1/videos/characters/{mo['id']}"), 404)["code"] == "character_not_found"


def test_a_picture_where_a_clip_belongs_is_told_by_its_field(alice: TestClient, tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.zeros((32, 64, 3), np.uint8))
    sent = {"video": ("a.png", (tmp_path / "a.png").read_bytes())}
    error = error_of(alice.post("/v1/videos/edits", data={"prompt": "a"}, files=sent), 400)
    assert (error["message"], error["param"]) == ("video is a picture; a clip is needed here", "video")


def test_variations_differ_by_their_noise_alone(alice: TestClient, service: Service) -> None:
    first = alice.post("/v1/videos", json=SMALL | {"seed": 7}).json()
    headers = {"Idempotency-Key": "1"}
    path = f"/v1/videos/{first['id']}/variations"
    assert error_of(alice.post(path, json={}), 404)["code"] == "video_not_ready"
    finish(service, first["id"])
    answer = alice.post(path, data={"num_variations": "4"}, headers=headers)
    made = answer.json()
    assert (made["object"], len({video["id"] for video in made["data"]}), made["has_more"]) == ("list", 4, False)
    assert {video["remixed_from_video_id"] for video in made["data"]} == {first["id"]}
    parent, *children = requests(service)
    assert [child["seed"] for child in children] == [8, 9, 10, 11]
    assert all(child | {"seed": 7} == parent for child in children)
    again = alice.post(path, data={"num_variations": "4"}, headers=headers).json()
    assert [video["id"] for video in again["data"]] == [video["id"] for video in made["data"]]
    error_of(alice.post(path, json={"num_variations": 2}, headers=headers), 409)


@pytest.mark.parametrize(
    ("body", "param"),
    [({"num_variations": 3}, "num_variations"), ({"num_variations": [1]}, "num_variations"), ({"seed": 1}, "seed")],
)
def test_variations_are_one_two_or_four(alice: TestClient, body: dict[str, Any], param: str) -> None:
    first = alice.post("/v1/videos", json=SMALL).json()
    assert error_of(alice.post(f"/v1/videos/{first['id']}/variations", json=body), 400)["param"] == param


def test_of_variations_all_are_made_or_none(enter: Enter, service: Service) -> None:
    free = enter("carol", "free")
    first = free.post("/v1/videos", json=SMALL).json()
    finish(service, first["id"])
    path = f"/v1/videos/{first['id']}/variations"
    assert error_of(free.post(path, json={"num_variations": 4}), 400)["param"] == "num_variations"
    for _ in range(2):
        assert free.post("/v1/videos", json=SMALL).status_code == 200
    assert error_of(free.post(path, json={"num_variations": 2}), 429)["code"] == "queue_full"
    assert len(free.get("/v1/videos").json()["data"]) == 3
