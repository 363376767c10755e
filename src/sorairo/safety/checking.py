"""Judges the texts of a request, each and together, before anything is made of them. Never lets a broken layer pass."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sorairo.safety.classifier import PromptClassifier
from sorairo.safety.decision import Change, Decision, Finding, unavailable
from sorairo.safety.judge import JudgeError, LLMJudge
from sorairo.safety.normalisation import unread_share
from sorairo.safety.policy import CATEGORIES, STANDARD_TIER, Policy
from sorairo.safety.word_lists import Hit, WordList, load_word_lists, readings_of

TOGETHER = "together"
_ARTICLE = re.compile(r"\b(a)n?(\s+)$", re.IGNORECASE)


@dataclass(frozen=True)
class Context:
    """What a check is made with and for. One for each server, changed for each request by `dataclasses.replace`.

    surface: "public" for what a feed shows. has_upload: the request comes with a picture or a clip.
    """

    policy: Policy
    classifier: PromptClassifier | None = None
    judge: LLMJudge | None = None
    tier: str = STANDARD_TIER
    surface: Literal["private", "public"] = "private"
    has_upload: bool = False


def check_prompt(request_texts: str | Mapping[str, str], context: Context) -> Decision:
    """Decide on all texts of one request: prompt, expansion, cards, descriptions of uploads, by the name of the field.

    A layer that the policy demands and that is missing or fails refuses, category "unavailable". Raises ValueError for
    an unknown tier only.
    """
    texts = {"prompt": request_texts} if isinstance(request_texts, str) else dict(request_texts)
    context.policy.threshold(CATEGORIES[0], context.tier)
    try:
        lists = load_word_lists() if "lists" in context.policy.layers else ()
        situations = _situations(texts, context, lists)
        findings = [*_listed(texts, lists, situations), *_unread(texts, context.policy)]
        changed, changes = _rewritten(texts, lists)
    except Exception as error:  # whatever broke, the request was not judged
        return Decision.of([unavailable(TOGETHER, "lists", type(error).__name__)], context.policy.title, {})
    if "classifier" in context.policy.layers and not findings:
        findings += _classified(texts, context, situations)
    return Decision.of(findings, context.policy.title, changed, changes)


def judge_request(request_texts: Mapping[str, str], images: Sequence[str], context: Context) -> Decision:
    """The language model's decision on texts and pictures (data URLs) together; slow: for while the video is made.

    Without a judge all is allowed, unless the policy's layers name it. A judge that fails refuses: "unavailable".
    """
    findings: list[Finding] = []
    if context.judge is None:
        if "judge" in context.policy.layers:
            findings.append(unavailable(TOGETHER, "judge", "none is configured"))
    else:
        try:
            for found in context.judge.review(request_texts, images):
                least = context.policy.judge_threshold(found.category)
                if found.score >= least:
                    advice = _advice(found.category)
                    findings.append(Finding(found.category, "judge", found.score, least, found.words, TOGETHER, advice))
        except JudgeError as error:
            findings.append(unavailable(TOGETHER, "judge", str(error)))
    return Decision.of(findings, context.policy.title, dict(request_texts))


def _situations(texts: Mapping[str, str], context: Context, lists: Sequence[WordList]) -> list[str]:
    signals = [found for found in lists if found.action == "signal"]
    applies = {
        "upload": context.has_upload,
        "public": context.surface == "public",
        "minors": any(found.find(readings_of(text)) for text in texts.values() for found in signals),
    }
    return [name for name, holds in applies.items() if holds]


def _listed(texts: Mapping[str, str], lists: Sequence[WordList], situations: Sequence[str]) -> Iterator[Finding]:
    refusing = [found for found in lists if found.action == "refuse"]
    for where, text in texts.items():
        read = readings_of(text)
        for found in refusing:
            words = tuple(dict.fromkeys(text[hit.start : hit.end] for hit in found.find(read)))
            if words:
                yield Finding(_sharpened(found.category, situations), "lists", 1.0, 1.0, words, where, found.advice)


def _sharpened(category: str, situations: Sequence[str]) -> str:
    return "sexual_minors" if category == "sexual" and "minors" in situations else category


def _unread(texts: Mapping[str, str], policy: Policy) -> Iterator[Finding]:
    for where, text in texts.items():
        share = unread_share(text)
        if share > policy.most_unread:
            advice = "write in English: this script cannot be checked"
            yield Finding("unreadable", "classifier", share, policy.most_unread, (), where, advice)


def _classified(texts: Mapping[str, str], context: Context, situations: Sequence[str]) -> list[Finding]:
    if context.classifier is None:
        return [unavailable(TOGETHER, "classifier", "its weights are not loaded")]
    units = {where: text for where, text in texts.items() if text.strip()}
    if len(units) > 1:
        units[TOGETHER] = ". ".join(units.values())
    try:
        return [f for where, text in units.items() for f in _scored(where, text, context, situations)]
    except Exception as error:
        return [unavailable(TOGETHER, "classifier", type(error).__name__)]


def _scored(where: str, text: str, context: Context, situations: Sequence[str]) -> Iterator[Finding]:
    assert context.classifier is not None
    for category, score in context.classifier.highest(text).items():
        if not 0 <= score <= 1:  # nan would pass every comparison
            raise ValueError(f"{category} scored {score}")
        least = context.policy.threshold(category, context.tier, situations)
        if score >= least:
            words = context.classifier.words(text, category)
            named = _sharpened(category, situations)
            yield Finding(named, "classifier", round(score, 3), round(least, 3), words, where, _advice(named))


def _advice(category: str) -> str:
    assert category in CATEGORIES
    return next(found.advice for found in load_word_lists() if found.category == category)


def _rewritten(texts: Mapping[str, str], lists: Sequence[WordList]) -> tuple[dict[str, str], list[Change]]:
    changed, changes = dict(texts), []
    for where, text in texts.items():
        read = readings_of(text)
        hits = [(hit, found) for found in lists if found.action == "rewrite" for hit in found.find(read)]
        edge = len(text)
        for hit, found in sorted(hits, key=lambda pair: pair[0], reverse=True):
            if hit.end > edge:  # the same words, met by two readings or two lists
                continue
            edge = hit.start
            changed[where] = _replaced(changed[where], hit)
            changes.append(Change(found.category, where, text[hit.start : hit.end], hit.replacement, found.advice))
    return changed, changes[::-1]


def _replaced(text: str, hit: Hit) -> str:
    """With "a" or "an" before the new words as they need it."""
    before = text[: hit.start]
    if hit.replacement.startswith(("a ", "an ")):
        before = _ARTICLE.sub("", before)
    vowel = "n" if hit.replacement[0] in "aeiou" else ""
    return _ARTICLE.sub(rf"\g<1>{vowel}\g<2>", before) + hit.replacement + text[hit.end :]
