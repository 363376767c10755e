"""What a request's fields ask for, as a `VideoRequest`: files are looked up or taken in, the tool is called.

Never lets a caller name a path: materials are ids of the caller's own videos and files, which become names in the
storage.
"""

from __future__ import annotations

import inspect
import re
import secrets
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

from starlette.datastructures import UploadFile

from sorairo.config import load, nearest_name
from sorairo.pipelines import tools
from sorairo.pipelines.cards import find_model, load_config
from sorairo.pipelines.request import Material, Scene, VideoRequest
from sorairo.pipelines.sampling_plan import SamplingPlan
from sorairo.server.access import Service
from sorairo.server.errors import ApiError, mistakes, wrong_value
from sorairo.server.fields import Fields, as_json
from sorairo.server.library import Order, find
from sorairo.server.storage import VARIANTS
from sorairo.server.tables import INPUT, FileRow
from sorairo.server.uploads import MEDIA, file_name, find_file, store
from sorairo.shapes import parse_size


@dataclass(frozen=True)
class Tool:
    """A route: the builder's name in `pipelines.tools`, its parameters that are files with their fields' names, and
    which fields must and which may be there besides."""

    name: str
    files: dict[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()

    @property
    def builder(self) -> Any:
        return VideoRequest if self.name == "create" else getattr(tools, self.name)

    @property
    def own(self) -> list[str]:
        """Parameters of the builder that are fields as they are."""
        if self.name == "create":
            return ["prompt", "seconds"]
        names = inspect.signature(self.builder).parameters
        return [name for name in names if name not in (*self.files, "settings", "width", "height")]

    @property
    def known(self) -> list[str]:
        """All fields that a body may have."""
        return [*_TEXTS, *SETTINGS, *self.own, *self.files.values(), *self.extras, "characters"]


Picture = tuple[Any, str, float]
"""What it is, the field it came in, and its time in seconds."""

_ONE, _TWO = {"clip": "video"}, {"first": "video", "second": "second_video"}
TOOLS = {
    "": Tool("create", {}, ("prompt",), ("input_reference", "keyframes", "expand")),
    "edits": Tool("remix", _ONE, ("prompt",)),
    "extensions": Tool("extend", _ONE, ("prompt", "seconds")),
    "loops": Tool("loop", _ONE),
    "connections": Tool("connect", _TWO),
    "blends": Tool("blend", _TWO),
    "recuts": Tool("recut", _ONE, ("start", "end")),
    "inpaints": Tool("inpaint", {**_ONE, "mask": "mask"}),
    "outpaints": Tool("outpaint", _ONE, ("size",)),
    "cinemagraphs": Tool("cinemagraph", {"picture": "input_reference", "mask": "mask"}, ("prompt",)),
}
SETTINGS = ("negative_prompt", "seed", "fps", "num_inference_steps", "guidance_scale", "scenes", "wrap", "consent")
MAX_CHARACTERS = 2
_WAYS = ("id", "file_id", "image_url")  # in which a file is named
_TEXTS = ("prompt", "negative_prompt", "model", "size", "consent")
_NUMBERS = ("seconds", "seed", "fps", "num_inference_steps", "guidance_scale", "start", "end", "before", "after")
_KINDS: dict[str, tuple[tuple[type, ...], str]] = dict.fromkeys(_TEXTS, ((str,), "a text"))
_KINDS |= dict.fromkeys(_NUMBERS, ((int, float), "a number")) | {"expand": ((bool,), "true or false")}


@dataclass(frozen=True)
class Composer:
    """For one request of one account. ``folder``: for copies of its files, while the request is answered."""

    service: Service
    account_id: str
    folder: Path

    def compose(self, route: str, given: Fields) -> Order:
        """Raises ApiError: unknown or missing fields, wrong types and values, files that cannot be used."""
        tool = TOOLS[route]
        builder = tool.builder
        self._check(given, tool)
        said = given.get("prompt")
        cast = self._cast(given) if "characters" in given else []
        model = self._model(given.get("model"))
        arguments = self._settings(given) | {"model": self.service.models[model]}
        arguments |= {name: given[name] for name in tool.own if name in given}
        arguments |= {parameter: self._file(given.get(name), name) for parameter, name in tool.files.items()}
        shown = [*_pictures(given, tool), *cast]
        if cast and (tool.name != "create" or len({time for *_, time in shown}) < len(shown)):
            message = f"{cast[0][0].name!r} has no description, and no place for its first frame: give it one."
            raise ApiError(400, message, "characters", "invalid_value")
        if given.get("expand"):
            if shown or given.get("scenes"):
                message = "expand is for a clip of one text alone; leave it out where scenes or pictures are given."
                raise ApiError(400, message, "expand", "invalid_value")
            arguments["user_prompt"] = arguments["prompt"]
        if pictures := [(self._file(frame, name), time) for frame, name, time in shown]:
            builder, arguments = tools.keyframes, {"seconds": VideoRequest.seconds, **arguments, "pictures": pictures}
        video = given.get("video")
        parent = video.get("id", "") if isinstance(video, dict) else ""
        named = {str(arguments[parameter]): name for parameter, name in tool.files.items()}  # as errors call them
        request = self._built(builder, arguments, named)
        return Order("animate" if pictures else tool.name, request, model,
                     parent if parent.startswith("video_") else None, said or request.prompt)  # fmt: skip

    def _cast(self, given: Fields) -> list[Picture]:
        """Characters appear: for a name stands what it is described as; without words, its clip's first frame, where
        it is named first. Raises ApiError 400 for one that no text names, 404 for one that is not there."""
        wanted = given.pop("characters")
        if not isinstance(wanted, list) or not 0 < len(wanted) <= MAX_CHARACTERS or not all(map(_id_of, wanted)):
            message = f'characters holds 1 to {MAX_CHARACTERS} objects such as {{"id": "char_…"}}.'
            raise ApiError(400, message, "characters", "invalid_value")
        rows = [find_file(self.service, self.account_id, _id_of(one), "character") for one in wanted]
        words = {row.name: row.description or row.name for row in rows}
        names = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)")
        scenes = given["scenes"] if isinstance(given.get("scenes"), list) else []
        texts = [text for text in (given, *scenes) if isinstance(text, dict) and isinstance(text.get("prompt"), str)]
        first = {name: text.get("start", 0) for text in reversed(texts) for name in names.findall(text["prompt"])}
        if unnamed := words.keys() - first.keys():
            message = f"prompt does not name {min(unnamed)!r} as it is written."
            raise ApiError(400, message, "characters", "invalid_value")
        for text in texts:
            text["prompt"] = names.sub(lambda found: words[found[0]], text["prompt"])
        return [(row, "characters", first[row.name]) for row in rows if not row.description]

    def _built(self, builder: Any, arguments: dict[str, Any], named: dict[str, str]) -> VideoRequest:
        try:
            request = builder(**arguments).with_materials(self._stored)
            request = VideoRequest.from_json(request.to_json())  # checks every type
            SamplingPlan.of(request, load_config(find_model(request.model)))
            return request
        except ValueError as error:
            told = reduce(lambda text, copy: text.replace(copy, named[copy]), named, str(error))
            raise wrong_value(ValueError(told)) from None
        except (TypeError, AttributeError, KeyError, OverflowError):  # a list where a number belongs, or the like
            raise ApiError(400, "A field has the wrong type.", None, "invalid_type") from None

    def _stored(self, material: Material) -> Material:
        """A copy's name in the storage: what it is called in this folder, with + for slashes."""
        copy = Path(material.path)
        assert copy.parent == self.folder, copy
        return Material(copy.name.replace("+", "/"))

    def _settings(self, given: Fields) -> dict[str, Any]:
        new = {"seed": secrets.randbelow(2**32)}  # to ask twice is to want two clips
        settings = new | {name: given[name] for name in SETTINGS if name in given}
        with mistakes():
            if "size" in given:
                settings["width"], settings["height"] = parse_size(given["size"])
            if "scenes" in given:
                settings["scenes"] = _scenes(given["scenes"])
        return settings

    def _model(self, name: Any) -> str:
        """The public name of the model asked for; OpenAI's names mean the default."""
        models = self.service.models
        if not name or re.fullmatch(self.service.settings.aliases, name):
            return next(iter(models))
        if name not in models:
            nearest = nearest_name(name, list(models))
            raise ApiError(400, f"model is {name[:80]!r}; the nearest is {nearest!r}", "model", "model_not_found")
        return str(name)

    def _file(self, value: Any, name: str) -> Path:
        """A copy of what a field names: an upload, a data address, or a video or file of the account by its id."""
        ways = [way for way in _WAYS if value.get(way) is not None] if isinstance(value, dict) else []
        if len(ways) > 1:
            raise ApiError(400, f"{name} has {' and '.join(ways)}; give one of them.", name, "invalid_value")
        if ways == ["image_url"]:
            value, name = value["image_url"], f"{name}.image_url"
        if isinstance(value, FileRow):  # a character, whose first frame lies beside its clip
            return self._copy(f"uploads/{value.id}/{MEDIA['picture']}")
        if isinstance(value, UploadFile | str):
            return self._copy(file_name(store(self.service, self.account_id, value, name, INPUT)))
        what = _id_of(value)
        if not what:
            raise ApiError(400, f"{name} is missing.", name, "missing_required_parameter")
        if what.startswith("video_"):
            feeds = self.service.settings.feeds
            self.service.database.read(find, self.account_id, what, finished=True, published=feeds)
            return self._copy(f"videos/{what}/{VARIANTS['video'][0]}")
        return self._copy(file_name(find_file(self.service, self.account_id, what)))

    def _copy(self, name: str) -> Path:
        return self.service.storage.fetch(name, self.folder / name.replace("/", "+"))

    def _check(self, given: Fields, tool: Tool) -> None:
        """Missing fields are errors; numbers that came as text become numbers, in place."""
        for name, value in given.items():
            if name not in _TEXTS and isinstance(value, str):
                value = given[name] = as_json(value)
            kinds, wanted = _KINDS.get(name, ((type(value),), ""))
            if type(value) not in kinds:
                raise ApiError(400, f"{name} is {str(value)[:80]!r}; it must be {wanted}.", name, "invalid_type")
        for name in tool.required:
            if name not in given:
                raise ApiError(400, f"{name} is missing.", name, "missing_required_parameter")


def _id_of(value: Any) -> str:
    what = (value.get("id") or value.get("file_id")) if isinstance(value, dict) else None
    return what if isinstance(what, str) else ""


def _scenes(value: Any) -> tuple[Scene, ...]:
    if not isinstance(value, list) or not all(isinstance(scene, dict) for scene in value):
        raise ApiError(400, 'scenes holds a list of {"start": 2, "prompt": "…"}.', "scenes", "invalid_type")
    return tuple(load(Scene, scene, "scenes") for scene in value)


def _pictures(given: Fields, tool: Tool) -> list[Picture]:
    """The pictures of a new video."""
    if tool.name != "create":
        return []
    frames = given.get("keyframes", [])
    if not isinstance(frames, list) or not all(
        isinstance(frame, dict) and isinstance(frame.get("time"), int | float) for frame in frames
    ):
        raise ApiError(400, 'keyframes holds objects such as {"id": "file_…", "time": 0}.', "keyframes")
    first = [(given["input_reference"], "input_reference", 0.0)] if "input_reference" in given else []
    return first + [(frame, "keyframes", frame["time"]) for frame in frames]
