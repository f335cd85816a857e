"""Accounts and their sessions."""

from __future__ import annotations

import json
from typing import Any

import click

from ..exc import WrongCode
from ..flows import AccountView
from ..netinfo.browsers import shown_again
from ..store.sessions import ListedRow
from .output import Failed, account_argument, in_app, parts, tell, time_of


@click.group()
def account() -> None:
    """Accounts at the gate."""


@account.command("show")
@account_argument
@in_app
def show(account_id: str, as_json: bool) -> None:
    """Show the state and the latest events of ACCOUNT; never a secret."""
    document = _document(parts().cases.of(account_id))
    sentences = [f"{name}: {value}" for name, value in document.items() if not isinstance(value, list)]
    for name in ("authenticators", "sessions", "history"):
        sentences.append(f"{name}: {len(document[name])}")
        sentences += ["  " + "  ".join(str(value) for value in one.values() if value != "") for one in document[name]]
    tell(as_json, document, *sentences)


def _document(case: AccountView) -> dict[str, Any]:
    return {
        "account": case.account.id,
        "name": case.account.name,
        "group": case.account.group,
        "locked": case.locked,
        "frozen_until": _time(case.frozen_until),
        "code_until": _time(case.code_until),
        "recovery_codes_left": case.recovery_codes,
        "authenticators": [
            {
                "id": one.id,
                "method": one.method,
                "label": one.label,
                "since": _time(one.created_at),
                "last_used": _time(one.last_used_at),
            }
            for one in case.authenticators
        ],
        "session_count": case.session_count,
        "sessions": [_session(one) for one in case.sessions],
        "history": [
            {
                "time": _time(one.at),
                "kind": one.kind,
                "outcome": one.outcome,
                "reason": one.reason or "",
                "why": json.loads(one.data).get("why", ""),
            }
            for one in case.history
        ],
    }


def _session(one: ListedRow) -> dict[str, Any]:
    return {
        "id": one.sign_in,
        "browser": shown_again(one.browser) or "",
        "network": one.network or "",
        "since": _time(one.created_at),
        "seen": _time(one.last_seen),
    }


def _time(at: float | None) -> str | None:
    return time_of(at) if at is not None else None


@account.command("reset")
@account_argument
@click.option("--reason", required=True, help="Why, for the record.")
@click.confirmation_option(prompt="This removes all authenticators and recovery codes of the account. Go on?")
@in_app
def reset(account_id: str, reason: str, as_json: bool) -> None:
    """Remove all that ACCOUNT can prove itself with; it enrols anew with an activation code."""
    parts().activation.portal_account(account_id)
    removed = parts().life.reset(account_id, reason)
    sentence = f"{removed} authenticators of {account_id} are removed. Issue an activation code for it."
    tell(as_json, {"account": account_id, "removed": removed}, sentence)


@account.command("lock")
@account_argument
@click.option("--reason", required=True, help="Why, for the record.")
@in_app
def lock(account_id: str, reason: str, as_json: bool) -> None:
    """End the sessions of ACCOUNT and let it prove nothing until it is unlocked."""
    parts().activation.portal_account(account_id)
    parts().life.lock(account_id, reason)
    tell(as_json, {"account": account_id, "locked": True}, f"{account_id} is locked and signed out everywhere.")


@account.command("unlock")
@account_argument
@click.option("--reason", required=True, help="Why, for the record.")
@in_app
def unlock(account_id: str, reason: str, as_json: bool) -> None:
    """Let ACCOUNT prove itself again, and forget the wrong codes that were typed for it."""
    unlocked = parts().life.unlock(account_id, reason)
    sentence = (
        f"{account_id} is unlocked."
        if unlocked
        else f"{account_id} was not locked. The wrong codes that were typed for it are forgotten."
    )
    tell(as_json, {"account": account_id, "unlocked": unlocked}, sentence)


@account.command("resync")
@account_argument
@click.argument("codes", nargs=2, metavar="CODE NEXT-CODE")
@click.option("--reason", required=True, help="Why, for the record.")
@in_app
def resync(account_id: str, codes: tuple[str, str], reason: str, as_json: bool) -> None:
    """Find the clock of the code token of ACCOUNT by two codes that it shows one after the other.

    A token that is used is followed as its clock gets off. This is for one that lay in a drawer for a year.
    """
    parts().activation.portal_account(account_id)
    try:
        off = parts().imports.resynchronise(account_id, codes, reason)
    except WrongCode:
        raise Failed(
            f"No code token of {account_id} has shown these two codes in a row within the last hours, or they were "
            "used already. Wait for the next two."
        ) from None
    sentence = f"The token of {account_id} is {abs(off)} s {'fast' if off > 0 else 'slow'}, and followed from now on."
    tell(as_json, {"account": account_id, "seconds": off}, sentence if off else f"The token of {account_id} is right.")


@account.command("forget")
@account_argument
@click.confirmation_option(prompt="This deletes the authenticators and sessions of the account. Go on?")
@in_app
def forget(account_id: str, as_json: bool) -> None:
    """Delete all that the gate holds about ACCOUNT."""
    known = parts().life.forget(account_id)
    sentence = f"{account_id} is forgotten." if known else f"The gate held nothing about {account_id}."
    tell(as_json, {"account": account_id, "forgotten": known}, sentence)


@click.group()
def sessions() -> None:
    """Sessions at the gate."""


@sessions.command("list")
@account_argument
@click.option("--after", help="Where the page before says that this one begins.")
@in_app
def listed(account_id: str, after: str | None, as_json: bool) -> None:
    """List the living sessions of ACCOUNT, the newest first, fifty at once."""
    page, count = parts().cases.sessions(account_id, after)
    rows = [_session(one) for one in page.rows]
    sentences = ["  ".join(str(value) for value in one.values() if value != "") for one in rows]
    if page.later:
        sentences.append(f"More of them: --after {page.later}")
    body = {"account": account_id, "sessions": rows, "next": page.later, "count": count}
    tell(as_json, body, *sentences, f"{count} sessions of {account_id}.")


@sessions.command("end")
@account_argument
@click.option("--reason", default="by the operator", show_default=True, help="Why, for the record.")
@in_app
def end(account_id: str, reason: str, as_json: bool) -> None:
    """End every session of ACCOUNT at once."""
    ended = parts().life.end_sessions(account_id, reason)
    tell(as_json, {"account": account_id, "ended": ended}, f"{ended} sessions of {account_id} ended.")
