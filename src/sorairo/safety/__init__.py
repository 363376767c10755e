"""What may be asked for: policies over the texts of a request; each decision has its reasons.

Public surface of the room. Never imports torch, never loads an encoder, never lets a broken layer pass.
"""

from sorairo.safety.checking import Context, check_prompt, judge_request
from sorairo.safety.classifier import PromptClassifier, pooled
from sorairo.safety.decision import Change, Decision, Finding
from sorairo.safety.judge import LLMJudge
from sorairo.safety.policy import CATEGORIES, Policy, load_policy

__all__ = [
    "CATEGORIES",
    "Change",
    "Context",
    "Decision",
    "Finding",
    "LLMJudge",
    "Policy",
    "PromptClassifier",
    "check_prompt",
    "judge_request",
    "load_policy",
    "pooled",
]
