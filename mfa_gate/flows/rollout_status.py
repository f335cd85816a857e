"""How far a roll-out has come: who is enrolled, who has a code, who has neither."""

from __future__ import annotations

from collections import Counter

from ..store import accounts, activations, authenticators
from .flow import Flow


class RolloutStatus(Flow):
    """Counts of accounts."""

    def count(self) -> dict[str, Counter[str]]:
        """Accounts that the gate has met, by group, as `Account.group` says; of each group

        accounts, enrolled, activated (a code is open), pending (neither), locked, renew (an app with a short secret),
        and `by_METHOD` for each method.
        Accounts that the portal no longer knows are in the group "(unknown)", those without a group in "(none)".
        """
        now = self.services.clock()
        with self.services.store.snapshot() as tx:
            known = accounts.every(tx)
            amr = authenticators.amr_of_all(tx)
            codes = activations.open_accounts(tx, now)
            short = authenticators.to_renew(tx)
        counted: dict[str, Counter[str]] = {}
        for row in known:
            account = self.services.load_account(row.id)
            group = counted.setdefault((account.group or "(none)") if account else "(unknown)", Counter())
            own = amr.get(row.id, frozenset())
            group["accounts"] += 1
            group["enrolled"] += bool(own)
            group["activated"] += row.id in codes and not own
            group["pending"] += not own and row.id not in codes
            group["locked"] += row.locked_at is not None
            group["renew"] += row.id in short
            group.update(f"by_{one}" for one in own)
        return counted
