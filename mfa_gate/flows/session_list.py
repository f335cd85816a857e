"""The living sessions of an account, a page at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from ..exc import InvalidRequest
from ..store import Transaction, sessions
from ..store.sessions import ListedRow
from .services import Services

PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class SessionPage:
    """Sessions, the newest first.

    Attributes:
        later: where the next page begins; None where there is none.
    """

    rows: tuple[ListedRow, ...]
    later: str | None


def page(
    services: Services, tx: Transaction, account_id: str, group: str | None, after: str | None = None
) -> SessionPage:
    """A page of the sessions of an account that have not ended by themselves.

    Args:
        services: the gate's.
        tx: the transaction.
        account_id: whose.
        group: the group that it is in.
        after: where the page before says that this one begins; None for the first.

    Raises:
        InvalidRequest: no page says so.
    """
    now, (idle, _) = services.clock(), services.sessions.times(group)
    rows = sessions.listed(tx, account_id, now, idle, PAGE + 1, None if after is None else _begin(after))
    shown = tuple(rows[:PAGE])
    return SessionPage(shown, f"{shown[-1].created_at}~{shown[-1].sign_in}" if len(rows) > PAGE else None)


def count(services: Services, tx: Transaction, account_id: str, group: str | None) -> int:
    """How many sessions of an account have not ended by themselves."""
    return sessions.count(tx, account_id, services.clock(), services.sessions.times(group)[0])


def _begin(after: str) -> tuple[float, str]:
    opened, _, sign_in = after.partition("~")
    try:
        at = float(opened)
    except ValueError:
        raise InvalidRequest from None
    if not math.isfinite(at) or len(after) > 80 or not sign_in.isalnum() or not sign_in.isascii():
        raise InvalidRequest
    return at, sign_in
