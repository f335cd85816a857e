"""What risk costs: assessing and learning one sign-in with its store work, and the comparison in a guarded request."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Final

from mfa_gate.keyring import Keyring, new_key
from mfa_gate.netinfo import Network
from mfa_gate.risk import RiskPolicy
from mfa_gate.risk.habits import Habits, Place
from mfa_gate.store import Store, accounts

from .measure import Variant, direct

NOW: Final = 1_800_000_000.0
DAY: Final = 86400.0
AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:{0}.0) Gecko/20100101 Firefox/{0}.0"


class _Networks:
    """Network data that are there at once, so that only the gate's own work counts."""

    built_at: float | None = None

    def lookup(self, address: str) -> Network:
        return Network("AS3215", "FR", "access", "Orange")


def variants(folder: Path) -> list[Variant]:
    """An account with a full profile signs in again, from one of its usual places."""
    habits = Habits(Keyring(new_key()), RiskPolicy(), _Networks())
    places = [Place(f"90.{number}.2.3", AGENT.format(130 + number)) for number in range(16)]
    kept = None
    for number in range(64):
        kept = habits.learnt(kept, places[number % 16], NOW + number * DAY, device=True)
    store = Store(f"sqlite:///{folder / 'store.sqlite3'}")
    store.upgrade()
    with store.begin() as tx:
        accounts.ensure(tx, "anne", NOW)
        accounts.learn(tx, "anne", kept or "")
    return [
        direct("a sign-in", _sign_in(store, habits, places)),
        direct("a request", _request(habits, places[0])),
    ]


def _sign_in(store: Store, habits: Habits, places: list[Place]) -> Callable[[], None]:
    """All that risk does in a sign-in; the transactions are the sign-in's own, and commit nothing here."""
    held, turn = store.begin(), cycle(places)
    tx = held.__enter__()

    def sign_in() -> None:
        place = next(turn)
        row = accounts.lock_row(tx, "anne")
        assert row is not None
        habits.assess(row.habits, place, NOW + 65 * DAY, device=True)
        habits.place_hash(place)
        habits.fingerprint(place, NOW + 65 * DAY)
        accounts.learn(tx, "anne", habits.learnt(row.habits, place, NOW + 65 * DAY, device=True))

    return sign_in


def _request(habits: Habits, place: Place) -> Callable[[], None]:
    context = habits.place_hash(place)

    def compare() -> None:
        assert habits.is_at(context, place.address, place.agent)

    return compare
