"""What a signed clip says of itself: made by an algorithm, by which model, from which request, with which software.

Never signs and never reads files. The form is C2PA 2.x, "Actions" (https://spec.c2pa.org).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sorairo

TRAINED_ALGORITHMIC_MEDIA = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
MOST_PARTS = 300  # lists and mappings of a request; of a storyboard there are some dozens
_NAMESPACE = "org.sorairo"
_MOST_GENERATIONS = 16

Tree = Mapping[str, Any]


@dataclass(frozen=True)
class Ingredient:
    """A file that a clip was made with. `edited`: the clip is another version of it, and only one file can be that."""

    path: Path
    edited: bool = False


@dataclass(frozen=True)
class Manifest:
    """The statements about one clip. `request` is what was asked, prompt included, as plain JSON data.

    `watermark`: the identity of 36 bits that is in its pixels. `ingredients`: files whose credentials are kept in it.
    `datasets`: name and SHA-256 of the card of each data set of footage that the model was trained on.
    """

    title: str
    model: str
    weights_sha256: str
    request: Mapping[str, Any]
    watermark: int | None = None
    ingredients: tuple[Ingredient, ...] = ()
    software: str = "sorairo"
    version: str = sorairo.__version__
    datasets: tuple[str, ...] = ()

    def to_c2pa(self, media_type: str, created: datetime) -> dict[str, Any]:
        """The manifest definition of the C2PA SDK, with the actions that readers insist on: `c2pa.created`, or for
        what is another version of a file `c2pa.opened` and `c2pa.edited`."""
        # The request is JSON text, not a map: the SDK's integers end at 63 bits, and a seed must come back as it was.
        request = json.dumps(dict(self.request), ensure_ascii=False, sort_keys=True)
        parameters: dict[str, Any] = {
            f"{_NAMESPACE}.model": self.model,
            f"{_NAMESPACE}.weights_sha256": self.weights_sha256,
            f"{_NAMESPACE}.request": request,
        }
        if self.watermark is not None:
            parameters[f"{_NAMESPACE}.watermark"] = f"{self.watermark:09x}"
        if self.datasets:
            parameters[f"{_NAMESPACE}.datasets"] = list(self.datasets)
        edited = [name for name, each in self.ingredient_names.items() if each.edited]
        inputs = [name for name, each in self.ingredient_names.items() if not each.edited]
        if inputs:
            parameters["ingredientIds"] = inputs
        opened = [{"action": "c2pa.opened", "parameters": {"ingredientIds": edited}}] if edited else []
        action = {
            "action": "c2pa.edited" if edited else "c2pa.created",
            "digitalSourceType": TRAINED_ALGORITHMIC_MEDIA,
            "softwareAgent": {"name": self.model, "version": self.weights_sha256[:12]},
            "when": created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "parameters": parameters,
        }
        return {
            "claim_generator_info": [{"name": self.software, "version": self.version}],
            "title": self.title,
            "format": media_type,
            "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [*opened, action]}}],
        }

    @property
    def ingredient_names(self) -> dict[str, Ingredient]:
        """The ingredients by what actions call them."""
        return {f"ingredient_{number}": each for number, each in enumerate(self.ingredients)}


def read_facts(manifest: Tree, others: Tree | None = None, generation: int = 0) -> dict[str, Any]:
    """What a manifest, as the C2PA SDK prints it, says: whichever of title, model, weights_sha256, request,
    watermark, datasets, software, created, source_type, signer and parents it has. Made for files of strangers too:
    nothing about their shape is assumed.

    `others`: all manifests in the file by their labels; a parent's facts are read there, and so on.
    """
    action = _making_action(manifest)
    parameters = _at(action, "parameters")
    generator = _at(manifest, "claim_generator_info", 0)
    facts = {
        "title": _at(manifest, "title"),
        "model": _at(parameters, f"{_NAMESPACE}.model") or _at(action, "softwareAgent", "name"),
        "weights_sha256": _at(parameters, f"{_NAMESPACE}.weights_sha256"),
        "request": _parsed(_at(parameters, f"{_NAMESPACE}.request")),
        "watermark": _at(parameters, f"{_NAMESPACE}.watermark"),
        "datasets": _at(parameters, f"{_NAMESPACE}.datasets"),
        "software": " ".join(str(_at(generator, key)) for key in ("name", "version") if _at(generator, key)) or None,
        "created": _at(action, "when"),
        "source_type": _at(action, "digitalSourceType"),
        "signer": _at(manifest, "signature_info", "common_name"),
        "parents": _parents(manifest, others or {}, generation) or None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _parents(manifest: Tree, others: Tree, generation: int) -> list[dict[str, Any]]:
    """The facts of each ingredient, with its `relation`; of one without credentials only its title."""
    found = []
    for ingredient in _at(manifest, "ingredients") or ():
        if isinstance(ingredient, Mapping) and generation < _MOST_GENERATIONS:
            own = _at(others, str(_at(ingredient, "active_manifest"))) or {}
            facts = {"title": _at(ingredient, "title"), "relation": _at(ingredient, "relationship")}
            found.append(facts | read_facts(own, others, generation + 1))
    return found


def _making_action(manifest: Tree) -> Any:
    for assertion in _at(manifest, "assertions") or ():
        if str(_at(assertion, "label")).startswith("c2pa.actions"):
            for action in _at(assertion, "data", "actions") or ():
                if _at(action, "action") in ("c2pa.created", "c2pa.edited"):
                    return action
    return None


def _at(node: Any, *path: str | int) -> Any:
    """The value under `path`, or None where the tree has another shape."""
    for step in path:
        if isinstance(node, Mapping):
            node = node.get(step)
        elif isinstance(node, list) and isinstance(step, int):
            node = node[step] if step < len(node) else None
        else:
            return None
    return node


def _parsed(text: Any) -> Any:
    """A stranger's JSON, unless it is none or so deep that reading and printing it would end in a RecursionError."""
    try:
        return json.loads(text) if isinstance(text, str) and text.count("[") + text.count("{") < MOST_PARTS else None
    except ValueError:
        return None
