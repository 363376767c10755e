"""What a signed clip says of itself: made by an algorithm, by which model, from which request, with which software.

Never signs and never reads files. The form is C2PA 2.x, "Actions" (https://spec.c2pa.org).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sorairo

TRAINED_ALGORITHMIC_MEDIA = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_NAMESPACE = "org.sorairo"


@dataclass(frozen=True)
class Manifest:
    """The statements about one clip. `request` is what was asked, prompt included, as plain JSON data."""

    title: str
    model: str
    weights_sha256: str
    request: Mapping[str, Any]
    software: str = "sorairo"
    version: str = sorairo.__version__

    def to_c2pa(self, media_type: str, created: datetime) -> dict[str, Any]:
        """The manifest definition of the C2PA SDK, with the one `c2pa.created` action that readers insist on."""
        # The request is JSON text, not a map: the SDK's integers end at 63 bits, and a seed must come back as it was.
        request = json.dumps(dict(self.request), ensure_ascii=False, sort_keys=True)
        action = {
            "action": "c2pa.created",
            "digitalSourceType": TRAINED_ALGORITHMIC_MEDIA,
            "softwareAgent": {"name": self.model, "version": self.weights_sha256[:12]},
            "when": created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "parameters": {
                f"{_NAMESPACE}.model": self.model,
                f"{_NAMESPACE}.weights_sha256": self.weights_sha256,
                f"{_NAMESPACE}.request": request,
            },
        }
        return {
            "claim_generator_info": [{"name": self.software, "version": self.version}],
            "title": self.title,
            "format": media_type,
            "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
        }


def read_facts(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What a manifest, as the C2PA SDK prints it, says: whichever of title, model, weights_sha256, request, software,
    created, source_type and signer it has. Made for files of strangers too: nothing about their shape is assumed.
    """
    action = _created_action(manifest)
    parameters = _at(action, "parameters")
    generator = _at(manifest, "claim_generator_info", 0)
    facts = {
        "title": _at(manifest, "title"),
        "model": _at(parameters, f"{_NAMESPACE}.model") or _at(action, "softwareAgent", "name"),
        "weights_sha256": _at(parameters, f"{_NAMESPACE}.weights_sha256"),
        "request": _parsed(_at(parameters, f"{_NAMESPACE}.request")),
        "software": " ".join(str(_at(generator, key)) for key in ("name", "version") if _at(generator, key)) or None,
        "created": _at(action, "when"),
        "source_type": _at(action, "digitalSourceType"),
        "signer": _at(manifest, "signature_info", "common_name"),
    }
    return {name: value for name, value in facts.items() if value is not None}


def _created_action(manifest: Mapping[str, Any]) -> Any:
    for assertion in _at(manifest, "assertions") or ():
        if str(_at(assertion, "label")).startswith("c2pa.actions"):
            for action in _at(assertion, "data", "actions") or ():
                if _at(action, "action") == "c2pa.created":
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
    try:
        return json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
