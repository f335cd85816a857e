"""Why a sign-in was unusual, for who looks into it."""

from __future__ import annotations

import json
from typing import Any, Final

import click

from ..risk.reasons import REASONS
from ..web.language import catalogue
from .output import Failed, in_app, parts, tell

LANGUAGES: Final = ("en", "fr")


@click.group()
def risk() -> None:
    """How usual sign-ins are."""


@risk.command("explain")
@click.argument("event", type=click.IntRange(min=1, max=2**63 - 1))
@in_app
def explain(event: int, as_json: bool) -> None:
    """Say why a sign-in was as usual or unusual as it was found; EVENT is its id, as in `audit export`."""
    row = parts().log.event(event)
    if row is None:
        raise Failed(f"There is no event {event}.")
    found: dict[str, Any] = json.loads(row.event.data)
    if "reasons" not in found:
        raise Failed(f"Event {event} ({row.event.kind}) is not one that risk was worked out for.")
    said = {language: [_sentence(code, language) for code in found["reasons"]] for language in LANGUAGES}
    tell(as_json, {"event": event, "kind": row.event.kind, **found, "sentences": said}, *_lines(found, said))


def _sentence(code: str, language: str) -> str:
    return catalogue(language)(REASONS[code]) if code in REASONS else code


def _lines(found: dict[str, Any], said: dict[str, list[str]]) -> list[str]:
    lines = []
    if "risk" in found:
        lines.append(f"Risk: {found['risk']} (log-odds of an attack {found['score']:+.2f}).")
        if found["would_be"] != found["risk"]:
            lines.append(f"It would be {found['would_be']}, were it not only reported.")
    evidence = sorted(found.get("evidence", {}).items(), key=lambda pair: -pair[1])
    if evidence:
        shown = ", ".join(f"{name} {value:+.2f}" for name, value in evidence)
        lines.append(f"Evidence, against its owner above nought: {shown}.")
    for code, english, french in zip(found["reasons"], said["en"], said["fr"], strict=True):
        lines += [f"{code}: {english}", f"  {french}"]
    return lines or ["Nothing spoke against it."]
