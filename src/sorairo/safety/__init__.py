"""What may be asked for and shown: policies over texts, pictures and frames; each decision has its reasons.

Public surface of the room. Never imports torch, never loads an encoder, never lets a broken layer pass.
"""

from sorairo.safety.checking import Context, check_prompt, judge_request
from sorairo.safety.classifier import PromptClassifier
from sorairo.safety.decision import Change, Decision, Finding
from sorairo.safety.judge import LLMJudge
from sorairo.safety.pictures import PictureContext, check_frame, check_uploads
from sorairo.safety.policy import CATEGORIES, Policy, load_policy

__all__ = [
    "CATEGORIES",
    "Change",
    "Context",
    "Decision",
    "Finding",
    "LLMJudge",
    "PictureContext",
    "Policy",
    "PromptClassifier",
    "check_frame",
    "check_prompt",
    "check_uploads",
    "judge_request",
    "load_policy",
]
