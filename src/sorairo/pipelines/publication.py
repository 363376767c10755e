"""A finished clip judged once more, before everybody sees it. Never changes the clip, which is signed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sorairo.media import Footage
from sorairo.models.text_encoder import TextEncoder
from sorairo.pipelines.judging import Reviews, with_judge
from sorairo.pipelines.policy import accept, picture_context, standard_context, texts_of
from sorairo.pipelines.request import VideoRequest
from sorairo.provenance.fingerprint import moments
from sorairo.safety import check_frame, check_prompt, check_uploads


def judge_public(request: VideoRequest, title: str, clip: Path, encoder: TextEncoder) -> str:
    """The title as all may read it: the policy may put other words in it, as in a prompt.

    Judged by stricter thresholds are the title and every prompt that the clip's credentials tell, by the lists what was
    stated of consent, and two frames for each second; the language model, if there is one, is asked too. Where pictures
    or clips were used no face may be seen, whatever was consented to: that was for its owner.

    Raises:
        RefusedError: one line with the field or the moment, the category and what may be changed.
    """
    context = with_judge(standard_context(encoder))
    context = replace(context, surface="public", has_upload=bool(request.materials))
    negative = {"negative_prompt": request.negative_prompt} if request.negative_prompt else {}
    consent = {"consent": request.consent} if request.consent else {}
    texts = texts_of(request) | negative | {"title": title}
    decision = check_prompt(texts, context)
    accept(decision)
    # A statement of consent is no prompt: the classifier takes "all are adults and agree" for one.
    accept(check_prompt(consent, replace(context, policy=replace(context.policy, layers=("lists",)))))
    pictures = replace(picture_context(request, people=False), consent="", surface="public")
    footage = Footage(clip)
    for number in moments(len(footage), footage.fps):
        frame, seconds = footage[number], number / footage.fps
        where = f"the frame at {seconds:g} s"
        accept(
            check_uploads({where: [frame]}, pictures) if request.materials else check_frame(frame, seconds, pictures)
        )
    Reviews(texts | consent, [], context).accept(clip)
    return decision.texts["title"]
