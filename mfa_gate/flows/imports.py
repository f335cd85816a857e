"""Taking over the seeds of an earlier system, and of code tokens: by the operator, one account at a time."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import Literal

from ..audit.record import Who
from ..exc import NotFound, SealBroken, WrongCode
from ..factors import totp
from ..factors.exported import Exported
from ..keyring import SEED
from ..store import Transaction, accounts, authenticators, sessions
from ..store.authenticators import TOTPRow
from .flow import Flow
from .labels import clean_label
from .seeds import open_seed, seed_context, shape_of, step_mark

Taken = Literal["imported", "already", "enrolled", "frozen", "not_offered"]


class TOTPImports(Flow):
    """Authenticators that were enrolled elsewhere."""

    def totp(self, account_id: str, exported: Exported, label: str = "") -> Taken:
        """Make a seed the first authenticator of an account. Its codes of this moment and before count as used.

        An account that has an authenticator gets no other one: an old list must not open what its owner has secured.

        Args:
            account_id: whose; known to the portal.
            exported: the seed.
            label: the name it is listed by.

        Returns:
            What came of it; `already` where the account has this very seed.

        Raises:
            InvalidRequest: the label is too long.
            Unavailable: the store does not answer.
        """
        services, now, name = self.services, self.services.clock(), clean_label(label)
        account = services.load_account(account_id)
        try:
            self.require_addable("totp", account.group if account else None)
        except NotFound:
            return "not_offered"
        with services.store.begin() as tx:
            accounts.ensure(tx, account_id, now)
            account_row = accounts.lock_row(tx, account_id)
            assert account_row is not None  # noqa: S101  (made a line above, in this transaction)
            if refused := self._kept_out(tx, account_id, exported, now):
                return refused
            shape, step = exported.shape, int(now) // exported.shape.period
            row_id = secrets.token_hex(16)
            sealed = services.keyring.seal(SEED, exported.seed, seed_context(account_row.subject, row_id, shape))
            row = TOTPRow(
                row_id,
                account_id,
                account_row.subject,
                name,
                sealed,
                step,
                "",
                shape.algorithm,
                shape.digits,
                shape.period,
                exported.renew,
                0 if exported.is_token else None,
            )
            authenticators.add_totp(tx, row._replace(spent=step_mark(self, row, step, row.drift)), now)
            sessions.stop_observing(tx, account_id, "")
            services.audit.record(
                tx,
                "authenticator_imported",
                now,
                Who(account_row.subject),
                amr="otp",
                id=row_id,
                renew=exported.renew,
            )
        return "imported"

    def resynchronise(self, account_id: str, codes: tuple[str, str], reason: str) -> int:
        """Find the clock of an account's code token by two codes that it has shown one after the other.

        Both are spent by it, and so is every earlier one.

        Args:
            account_id: whose.
            codes: as the token has shown them.
            reason: why, for the record.

        Returns:
            How many seconds its clock is off.

        Raises:
            WrongCode: no token of the account has shown these, or they were used already.
            Unavailable: the store does not answer.
        """
        now = self.services.clock()
        with self.services.store.begin() as tx:
            account_row = accounts.lock_row(tx, account_id)
            if account_row is None:
                raise WrongCode
            for row in authenticators.totp_of_account(tx, account_id):
                off = self._found(tx, row, codes, now)
                if off is not None:
                    who, kind = Who(account_row.subject), "token_resynchronised"
                    self.services.audit.record(tx, kind, now, who, amr="otp", id=row.id, seconds=off, why=reason)
                    return off
        raise WrongCode

    def _found(self, tx: Transaction, row: TOTPRow, codes: tuple[str, str], now: float) -> int | None:
        """How many seconds the clock of a token is off; None where these are not its codes."""
        if row.drift is None:
            return None
        shape = shape_of(row)
        try:
            step = totp.in_a_row(open_seed(self, row), codes, now, shape)
        except (WrongCode, SealBroken):
            return None
        drift = totp.drift_of(step, now, shape)
        spent = authenticators.spend_step(tx, row.id, step, step_mark(self, row, step, drift), drift)
        return drift * shape.period if spent else None

    def holders(self) -> dict[bytes, str]:
        """Whose each seed in the store is; one that does not open is left out.

        Raises:
            Unavailable: the store does not answer.
        """
        seeds = {}
        with self.services.store.begin() as tx:
            for row in authenticators.all_totp(tx):
                with suppress(SealBroken):
                    seeds[open_seed(self, row)] = row.account_id
        return seeds

    def _kept_out(self, tx: Transaction, account_id: str, exported: Exported, now: float) -> Taken | None:
        if now < (accounts.frozen_until(tx, account_id) or 0.0):
            return "frozen"
        if not self.stored_amr(tx, account_id):
            return None
        seeds = authenticators.totp_of_account(tx, account_id)
        return "already" if any(self._is(row, exported) for row in seeds) else "enrolled"

    def _is(self, row: TOTPRow, exported: Exported) -> bool:
        try:
            return open_seed(self, row) == exported.seed
        except SealBroken:
            return False
