"""Accounts and their sessions."""

from __future__ import annotations

import click

from .output import account_argument, in_app, parts, tell


@click.group()
def account() -> None:
    """Accounts at the gate."""


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


@sessions.command("end")
@account_argument
@click.option("--reason", default="by the operator", show_default=True, help="Why, for the record.")
@in_app
def end(account_id: str, reason: str, as_json: bool) -> None:
    """End every session of ACCOUNT at once."""
    ended = parts().life.end_sessions(account_id, reason)
    tell(as_json, {"account": account_id, "ended": ended}, f"{ended} sessions of {account_id} ended.")
