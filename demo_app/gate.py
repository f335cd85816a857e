"""Where the portal meets mfa_gate: the extension and its three callbacks."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from flask import current_app, g, session

from mfa_gate import Account, Level, MFAGate
from mfa_gate.harvest import HarvestPolicy

from .store import Store, User, connect

# numbers are looked up once their key is right: an owner seldom finds nobody
gate = MFAGate(harvest=HarvestPolicy(miss=0.01))


def get_store() -> Store:
    """Return the portal's store of this application context; it is closed with the context."""
    if "portal_store" not in g:
        g.portal_store = Store(connect(Path(current_app.config["PORTAL_DATABASE"])))
    store: Store = g.portal_store
    return store


def close_store(_: BaseException | None = None) -> None:
    store: Store | None = g.pop("portal_store", None)
    if store is not None:
        store.close()


def as_account(user: User) -> Account:
    """Return `user` as the gate knows accounts."""
    return Account(id=user.id, name=user.name, email=user.email, group=user.role, locale=user.locale)


@gate.account_loader
def load(account_id: str) -> Account | None:
    user = get_store().user(account_id)
    return as_account(user) if user else None


@gate.signed_in
def open_session(account: Account) -> None:
    if session.get("user") == account.id:
        return
    session.clear()
    session["user"] = account.id
    get_store().note_activity(account.id, now(), "sign_in")


@gate.identity
def visitor() -> str | None:
    return session.get("user")


def current_user() -> User | None:
    """Return who is signed in, for the gate and the portal alike; on public pages too."""
    proven = gate.session
    if proven.account_id is None or proven.account_id != session.get("user"):
        return None
    if proven.level is None or proven.level < Level.MFA:
        return None
    return get_store().user(proven.account_id)


def now() -> str:
    """The time in UTC, ISO 8601, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")
