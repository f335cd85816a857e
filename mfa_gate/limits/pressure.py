"""Who is trying passwords in breadth: tries per source, counted before each is checked, and accounts per source."""

from __future__ import annotations

from typing import Final

from ..durations import DAY, HOUR
from ..keyring import Keyring
from ..netinfo import prefixes
from ..risk import PressurePolicy, Tally
from ..risk.habits import Habits
from ..store import Transaction
from ..store import pressure as rows

_PURPOSE: Final = "pressure"


class Pressure:
    """Counts tries at passwords by /24, autonomous system and overall, by the hour.

    Args:
        keyring: keys of the hashes that sources are kept as.
        habits: knows the autonomous system of an address.
        policy: when a source counts as guessing.
    """

    def __init__(self, keyring: Keyring, habits: Habits, policy: PressurePolicy) -> None:
        self._keyring = keyring
        self._habits = habits
        self.policy = policy

    def tried(self, tx: Transaction, address: str | None, now: float) -> bool:
        """Count a try as failed until it succeeds; whether its source guesses, or all sources together do."""
        sources = self._sources(address, now)
        hour = int(now // HOUR)
        found = rows.read(tx, [self._key(kind, name, at) for kind, name in sources for at in (hour, hour - 1)])
        rows.add(tx, [self._key(kind, name, hour) for kind, name in sources], 1, 0, (hour + 2) * HOUR)
        none = rows.PressureRow("", 0, 0)
        for kind, name in sources:
            this, before = (found.get(self._key(kind, name, at), none) for at in (hour, hour - 1))
            tally = Tally(this.failures, this.successes, before.failures, before.successes)
            if tally.guesses(kind, self.policy, now % HOUR):
                return True
        return self._is_list(rows.accounts_of(tx, self._source(address), now))

    def succeeded(self, tx: Transaction, address: str | None, account_id: str, at: float) -> None:
        """A try that was counted then was right: it is given back, and counts once for account, source and hour.

        Else whoever has one account could have each guess at others outweighed by passwords of his own.
        """
        hour = int(at // HOUR)
        ends_at, account = (hour + 2) * HOUR, self._keyring.hash(_PURPOSE, f"signed in {account_id}")
        # in the order in which `tried` locks them
        for key in sorted(self._key(kind, name, hour) for kind, name in self._sources(address, at)):
            rows.add(tx, [key], -1, int(rows.is_first(tx, key, account, ends_at)), ends_at)

    def opens(self, tx: Transaction, address: str | None, subject: str, now: float) -> bool:
        """Note a right password from a source that is new to its account; whether that source has too many of them."""
        account = self._keyring.hash(_PURPOSE, f"account {subject}")
        return self._is_list(rows.join(tx, self._source(address), account, now, now + DAY))

    def _is_list(self, accounts: int) -> bool:
        return accounts >= self.policy.accounts

    def _sources(self, address: str | None, now: float) -> list[tuple[str, str]]:
        blocks, asn = prefixes(address), self._habits.network(address, now).asn
        named = [("network", blocks.network if blocks else "unknown"), ("all", "")]
        return [*named, ("asn", asn)] if asn else named

    def _source(self, address: str | None) -> str:
        blocks = prefixes(address)
        return self._keyring.hash(_PURPOSE, f"source {blocks.network if blocks else 'unknown'}")

    def _key(self, kind: str, name: str, hour: int) -> str:
        return self._keyring.hash(_PURPOSE, f"{kind} {name} {hour}")
