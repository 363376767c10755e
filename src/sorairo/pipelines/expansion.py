"""A short prompt told in full, as captions in training are: the user's facts kept, only what is free added.

The built-in writer proposes; a check that learns nothing decides. The long text must say the user's own words in their
order, and add no thing and no deed: a ground, a light and the camera, where the user named none. What fails is not
used: then the user's words stay as they are, and the free facts follow in plain sentences. Never refuses: the policy
judges both texts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from sorairo.models.vocabulary import Vocabulary, sentences, split, style_number
from sorairo.pipelines.captions import CAPTIONER, load_captioner
from sorairo.pipelines.language_model import LanguageModel
from sorairo.pipelines.request import VideoRequest
from sorairo.pipelines.vocabulary import words_of
from sorairo.world import words

if TYPE_CHECKING:
    from sorairo.models.captioner import Captioner
    from sorairo.models.text_encoder import TextEncoder

INSTRUCTIONS = """You get a short description of a video. Write it as one caption of 15 to 80 words for a text-to-video
model. Keep every fact and the user's words; add only the place, the light and how the camera moves, where they are not
said. Answer with the caption alone."""
FREE = ("ground", "light", "camera")
USUAL = {"ground": words.GROUND_PHRASES, "light": words.LIGHT_PHRASES, "camera": words.CAMERA_PHRASES}
PLAIN = {"ground": "The scene is set {}.", "light": "It takes place {}.", "camera": "{}."}
EMPTY_WORDS = frozenset(words_of("a an the is are there some and then it of to on in at"))
MARKS = frozenset(",.;:")
SOLID_GROUNDS = ("sand", "snow", "grass")


@dataclass(frozen=True)
class Expansion:
    """A prompt and its long form. ``added``: the facts that the user left free; ``note``: what became of it."""

    prompt: str
    text: str
    added: Mapping[str, str]
    note: str


@dataclass(frozen=True)
class Expander:
    """Tells prompts in full with the built-in writer, which reads them through the text encoder."""

    writer: Captioner
    vocabulary: Vocabulary
    encoder: TextEncoder

    def expand(self, prompt: str) -> Expansion:
        """The prompt told in full, or as it is where it speaks of what the writer has never read."""
        said, rest = scene_facts(prompt)
        unknown = [word for word in split(rest) if word not in MARKS and not self.vocabulary.knows(word)]
        unknown += [sign for sign in prompt if not sign.isascii()]
        if unknown or not split(rest):
            reason = f"it does not know: {', '.join(unknown)}" if unknown else "nothing is told"
            return Expansion(prompt, prompt, {}, f"left as it is, since {reason}")
        told = self._propose(prompt)
        facts, clause = scene_facts(told)
        if "floor" in split(rest) and facts.get("ground") in SOLID_GROUNDS:
            del facts["ground"]
        added = _added(facts, said)
        if content(clause) == content(rest) and facts == {**said, **added} and len(facts) == len(FREE):
            return Expansion(prompt, told, added, "told in full")
        return Expansion(prompt, _in_own_words(prompt, added), added, "in your own words, since others changed them")

    def _propose(self, prompt: str) -> str:
        memory = self.writer.read(*self.encoder([prompt]))
        return sentences(self.vocabulary.decode(self.writer.write(memory, style_number("expanded"))[0]))


def load_expander(captioner: str = CAPTIONER, encoder: TextEncoder | None = None) -> Expander:
    """The built-in writer with a text encoder. Raises ValueError where one of them is missing or broken."""
    from sorairo.models.text_encoder import TextEncoder

    writer, vocabulary = load_captioner(captioner)
    return Expander(writer, vocabulary, (encoder or TextEncoder()).to(writer.words.weight.device))


def expand_by_endpoint(prompt: str, model: LanguageModel) -> Expansion:
    """The same by a language model; what loses a word of the user's is not used. Raises EndpointError."""
    told = model.ask(INSTRUCTIONS, prompt).text
    said, rest = scene_facts(prompt)
    facts, _ = scene_facts(told)
    missing = [word for word in content(rest) if word not in content(told)]
    if missing or {**facts, **said} != facts:
        return Expansion(prompt, prompt, {}, f"left as it is, since {model.model} changed what it says")
    return Expansion(prompt, told, _added(facts, said), "told in full")


def _added(facts: Mapping[str, str], said: Mapping[str, str]) -> dict[str, str]:
    return {kind: facts[kind] for kind in FREE if kind in facts and kind not in said}


def expanded(request: VideoRequest, made: Expansion) -> VideoRequest:
    """The request with its prompt told in full, and the user's words kept beside it where they are others."""
    return replace(request, prompt=made.text, user_prompt="" if made.text == request.prompt else request.prompt)


def scene_facts(text: str) -> tuple[dict[str, str], str]:
    """Ground, light and camera that a text names, and what is left of it without them."""
    found: dict[str, str] = {}
    rest = f" {' '.join(split(text))} "
    for phrase, kind, name in _phrases():
        if f" {phrase} " in rest and found.setdefault(kind, name) == name:
            rest = rest.replace(f" {phrase} ", " ")
    for opening in words.TAKES_PLACE:
        rest = rest.replace(f" {opening} ", " ")
    for noun in SOLID_GROUNDS:  # "rolls across the sand"
        if f" {noun} " in rest:
            found.setdefault("ground", noun)
    return found, rest.strip()


@cache
def _phrases() -> tuple[tuple[str, str, str], ...]:
    """Every wording of a ground, a light or a camera move, the longest first."""
    ground, light, camera = USUAL.items()
    tables = (ground, light, ("light", words.LIGHT_WORDS), camera)
    found = [(option, kind, name) for kind, table in tables for name, options in table.items() for option in options]
    return tuple(sorted(found, key=lambda wording: -len(wording[0])))


def content(text: str) -> list[str]:
    """The words of a text that carry its meaning, in order, without their endings."""
    return [_stem(word) for word in split(text) if word not in EMPTY_WORDS | MARKS]


def _stem(word: str) -> str:
    """What forms of a word share: rolls and rolling, hits and hitting, boxes and box."""
    base = {participle: verb for verb, participle in words.PARTICIPLES.items()}.get(word, word)
    return re.sub(r"(?<=[a-z]{3})(es|s)$", "", base)


def _in_own_words(prompt: str, added: Mapping[str, str]) -> str:
    """The prompt as a sentence, then one for each free fact."""
    own = prompt.strip().rstrip(".")
    told = [sentences(PLAIN[kind].format(USUAL[kind][name][0])) for kind, name in added.items()]
    return " ".join([own[:1].upper() + own[1:] + ".", *told])
