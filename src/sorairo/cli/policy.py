"""`sorairo policy check`: one decision of the prompt policy, explained. Never makes anything, never keeps a prompt."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sorairo.cli.making import FILE, PROMPT
from sorairo.cli.terminal import printable

if TYPE_CHECKING:
    from sorairo.safety import Decision

REFUSED = 1


@click.group()
def policy() -> None:
    """What may be asked for, and why."""


@policy.command()
@PROMPT
@click.option("--tier", default="standard", show_default=True, help="Tier of the account that asks.")
@click.option("--public", is_flag=True, help="Judge it for a public feed, which is stricter.")
@click.option("--upload", default="", help="Words that describe an upload: judged too, and together with the prompt.")
@click.option("--policy", "path", type=FILE, help="A policy file.  [default: the settings', else the package's]")
@click.option("--json", "as_json", is_flag=True, help="Print the decision as JSON.")
def check(prompt: str, tier: str, public: bool, upload: str, path: Path | None, as_json: bool) -> int:
    """Explain what the policy says about PROMPT.

    Exit code: 0 it may be made, perhaps with other words, which are shown; 1 refused; 2 a wrong request.
    """
    from sorairo.models.text_encoder import TextEncoder
    from sorairo.pipelines.policy import standard_context
    from sorairo.safety import check_prompt, load_policy

    context = standard_context(TextEncoder(), tier, load_policy(path) if path else None)
    context = replace(context, surface="public" if public else "private", has_upload=bool(upload))
    decision = check_prompt({"prompt": prompt} | ({"upload": upload} if upload else {}), context)
    click.echo(json.dumps(decision.to_json(), ensure_ascii=False, indent=1) if as_json else as_text(decision))
    return 0 if decision.allowed else REFUSED


def as_text(decision: Decision) -> str:
    """The action; then each finding, or each change, with its reason; then the policy that decided."""
    lines = [{"allow": "allowed", "rewrite": "allowed with other words", "refuse": "refused"}[decision.action]]
    for found in decision.findings:
        words = f"; because of {', '.join(repr(printable(word)) for word in found.words)}" if found.words else ""
        score = f"{found.score:.2f}, refused from {found.threshold:.2f}"
        lines.append(f"  {found.where}: {found.category}, by the {found.layer} ({score}){words}")
        lines.append(f"    what you may change: {found.advice}")
    lines += [f"  {c.where}: {printable(c.before)!r} became {c.after!r}: {c.advice}" for c in decision.changes]
    if decision.changes and decision.allowed:
        lines += [f"  {where}: {printable(text)}" for where, text in decision.texts.items()]
    return "\n".join([*lines, f"policy: {decision.policy}"])
