"""What a user should know before a clip is made. Never refuses and never changes a request; imports no torch."""

from __future__ import annotations

from sorairo.pipelines.cards import ModelCard
from sorairo.pipelines.request import VideoRequest
from sorairo.pipelines.vocabulary import unknown_words, words_of
from sorairo.shapes import NATIVE_BUCKETS

MANY_WORDS = 110  # the text encoder reads 128 pieces of words, marks at both ends included
MOST_NAMED = 8


def notices(request: VideoRequest, card: ModelCard) -> list[str]:
    """One line for each thing that will probably not come out as asked."""
    found = []
    unknown = unknown_words(request.prompt, card.vocabulary)
    if unknown:
        named = ", ".join(unknown[:MOST_NAMED]) + (", ..." if len(unknown) > MOST_NAMED else "")
        found.append(f"{request.model} was not trained on: {named}. {card.summary}".strip())
    if not words_of(request.prompt):
        found.append(f"{request.model} reads words, and there are none in this prompt")
    if len(request.prompt.split()) > MANY_WORDS:
        found.append(f"the prompt is long; the model reads only about its first {MANY_WORDS} words")
    sizes = [f"{bucket.width}x{bucket.height}" for bucket in NATIVE_BUCKETS]
    if card.vocabulary and f"{request.shape.width}x{request.shape.height}" not in sizes:
        found.append(f"{request.model} was trained at {', '.join(sizes)}; other sizes look worse")
    return found
