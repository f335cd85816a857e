"""Authenticator apps and code tokens (RFC 6238): guesses are counted, time steps spent, enrolments confirmed by use."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import ClassVar

from ..account import Account
from ..assurance import Proof
from ..exc import ConfigurationError, EnrolmentGone, SealBroken, Unavailable, WrongCode, WrongState
from ..factors import registry, totp
from ..factors.registry import Factor
from ..keyring import SEED
from ..levels import Level
from ..limits.limiter import Attempt, Lane, Scope, network
from ..sessions.devices import Device
from ..store import Transaction, authenticators, sessions
from ..store.authenticators import EnrolmentRow, TOTPRow
from .factor_flow import FactorFlow
from .flow import ClientContext, Elevated, log
from .labels import clean_label, is_id
from .seeds import open_seed, seed_context, shape_of, step_mark


@dataclass(frozen=True, slots=True)
class _Match:
    row: TOTPRow
    step: int
    drift: int | None


@dataclass(frozen=True, slots=True)
class BegunTOTP:
    """What is handed over once.

    Attributes:
        enrolment: id, to be named again at completion.
        secret, uri, key: the seed, for the authenticator app.
    """

    enrolment: str
    secret: str = field(repr=False)
    uri: str = field(repr=False)
    key: str = field(repr=False)


class TOTP(FactorFlow):
    """Verification and enrolment by TOTP."""

    factor: ClassVar[Factor] = registry.TOTP

    def verify(self, client: ClientContext, code: str) -> Elevated:
        """Prove a second factor by TOTP: completes a pending sign-in, or refreshes the proof of a session.

        Args:
            client: where the request comes from, and its session.
            code: as typed.

        Returns:
            The session under its new id.

        Raises:
            SignInRequired: no session, or it ended meanwhile.
            WrongState: the account has no TOTP authenticator.
            TooManyAttempts: nothing was checked.
            WrongCode: wrong, or spent already.
            AccountClosed: locked, even while this was under way.
            Unavailable: the store does not answer, or a seed does not open.
            NotFound: the portal has switched this method off.
        """
        client = client.sending(*self.sent(code))
        session, account = self.open_ceremony(client)
        device = self.device_of(client, account.id)
        with self.services.store.begin() as tx:
            rows = authenticators.totp_of_account(tx, account.id)
            if not rows:
                raise WrongState
            self.fits_risk(tx, session, "otp")
            subject = rows[0].subject
            attempt = self._count(tx, client, rows, subject, "known" if device else "stranger")
        with self.recording_failure("second_factor", client, subject, "otp"):
            return self.settled(
                client,
                attempt,
                lambda: self._settle(client, account, attempt, self._match(rows, code), device),
            )

    @staticmethod
    def sent(code: str) -> tuple[str, str]:
        """What a step is taken by that sends this code."""
        return "otp", code

    def _count(self, tx: Transaction, client: ClientContext, rows: list[TOTPRow], subject: str, lane: Lane) -> Attempt:
        """Count a guess at codes of six digits: strangers' guesses also for where they come from."""
        scopes = [Scope("code", f"authenticator {row.id}", lane) for row in rows]
        scopes.append(Scope("code", f"account {subject}", lane))
        if lane == "stranger":
            scopes.append(Scope("source", network(client.address)))
        return self.services.limiter.count(tx, scopes, self.services.clock())

    def _match(self, rows: list[TOTPRow], code: str) -> _Match:
        broken = False
        for row in rows:
            try:
                seed, shape, now = open_seed(self, row), shape_of(row), self.services.clock()
                at = now + shape.period * (row.drift or 0)  # where its clock was last
                step = totp.complete(seed, code, at, self.services.settings.totp_window, shape)
                return _Match(row, step, None if row.drift is None else totp.drift_of(step, now, shape))
            except WrongCode:
                continue
            except SealBroken:
                broken = True
                log.error("the seed of authenticator %s does not open or its counter was changed", row.id)
        if broken:
            raise Unavailable(reason="seal_broken")
        raise WrongCode

    def _settle(
        self, client: ClientContext, account: Account, attempt: Attempt, match: _Match, device: Device | None
    ) -> Elevated:
        services, now, row = self.services, self.services.clock(), match.row
        with services.store.begin() as tx:
            account_row = self.lock_row(tx, client.require_session())
            if not authenticators.spend_step(
                tx, row.id, match.step, step_mark(self, row, match.step, match.drift), match.drift
            ):
                raise WrongCode(reason="spent")
            proof = Proof("otp", now, row.id)
            elevated = self.proven_again(tx, client, account, account_row, proof, device, attempt)
            elevated.progress = self.progress_in(tx, elevated.session)
        return elevated

    def begin_enrol(self, client: ClientContext) -> BegunTOTP:
        """Make a seed and keep it, sealed, until it is confirmed; an earlier one of this sign-in is dropped.

        Raises:
            SignInRequired: no session.
            EnrolmentRequired, ActivationRequired, StepUpRequired: the session may not enrol.
            NotFound: the portal has switched this method off.
        """
        session, account = self.open_ceremony(client)
        self.require_addable(self.factor.name, account.group)
        services, now = self.services, self.services.clock()
        begun = totp.begin(services.settings.name, account.email or account.name)
        with services.store.begin() as tx:
            account_row = self.lock_row(tx, session)
            self.may_change(tx, session, level=Level.MFA, adds=True)
            row = EnrolmentRow(
                secrets.token_hex(16), account.id, session.sign_in, "otp", "", now + services.settings.enrolling
            )
            sealed = services.keyring.seal(SEED, begun.seed, seed_context(account_row.subject, row.id))
            authenticators.begin_enrolment(tx, row._replace(state=sealed))
        return BegunTOTP(row.id, begun.secret, begun.uri, begun.key)

    def complete_enrol(self, client: ClientContext, enrolment: str, code: str, label: str | None = None) -> Elevated:
        """Confirm an authenticator by its first code, which is spent with it, and so is the activation code.

        Args:
            client: where the request comes from, and its session.
            enrolment: id that `begin_enrol` gave.
            code: as typed.
            label: the person's name for it, at most 60 characters.

        Returns:
            The session at `Level.MFA`, under its new id.

        Raises:
            EnrolmentGone: begun in another session, replaced, or out of time.
            WrongCode, ClockDrift: not confirmed; the enrolment stays open.
            TooManyAttempts, AccountClosed, SignInRequired, Unavailable: as for any step.
        """
        client = client.sending(*self.sent_confirmation(enrolment, code))
        session, account = self.open_ceremony(client)
        self.require_addable(self.factor.name, account.group)
        name = clean_label(label)
        device = self.device_of(client, account.id)
        services, now = self.services, self.services.clock()
        with services.store.begin() as tx:
            self.may_change(tx, session, level=Level.MFA, adds=True)
            begun = authenticators.find_enrolment(tx, enrolment, session.sign_in, now) if is_id(enrolment) else None
            if begun is None:
                raise EnrolmentGone
            attempt = self.count(tx, client, "confirm")
            subject = self.subject_in(tx, account.id)
        with self.recording_failure("authenticator_added", client, subject, "otp"):
            step = totp.confirm(self._begun_seed(begun, subject), code, now, services.settings.totp_window)
            row = TOTPRow(begun.id, account.id, subject, name, begun.state, step, "")
            return self.settled(client, attempt, lambda: self._confirmed(client, account, attempt, row, device))

    @staticmethod
    def sent_confirmation(enrolment: str, code: str) -> tuple[str, str, str]:
        """What a step is taken by that confirms this enrolment by this code."""
        return "confirm", enrolment, code

    def _confirmed(
        self, client: ClientContext, account: Account, attempt: Attempt, row: TOTPRow, device: Device | None
    ) -> Elevated:
        services, session, now = self.services, client.require_session(), self.services.clock()
        with services.store.begin() as tx:
            account_row = self.lock_row(tx, session)
            self.may_change(tx, session, level=Level.MFA, adds=True)
            if not authenticators.take_enrolment(tx, row.id, session.sign_in, now):
                raise EnrolmentGone
            self.use_activation(tx, session)
            sessions.stop_observing(tx, account.id, session.sign_in)
            authenticators.add_totp(tx, row._replace(spent=step_mark(self, row, row.last_step)), now)
            elevated = self.proven(tx, client, account, account_row, Proof("otp", now, row.id), device)
            services.limiter.succeeded(tx, attempt)
            services.audit.record(tx, "authenticator_added", now, client.who(row.subject), amr="otp", id=row.id)
        return elevated

    def _begun_seed(self, begun: EnrolmentRow, subject: str) -> bytes:
        try:
            return self.services.keyring.open(SEED, begun.state, seed_context(subject, begun.id))
        except SealBroken:
            log.error("the begun enrolment %s does not open", begun.id)
            raise EnrolmentGone from None

    def broken(self, tx: Transaction) -> list[str]:
        """Ids of the authenticators whose seed does not open, or whose counter was changed by hand."""
        return [row.id for row in authenticators.all_totp(tx) if not self._opens(row)]

    def seal_anew(self, tx: Transaction) -> int:
        """Seal the seeds that an older key has sealed under the current one; how many. Raise as `FactorFlow` says."""
        keyring, resealed = self.services.keyring, 0
        for row in authenticators.all_totp(tx, for_update=True):
            if not self._opens(row):
                raise ConfigurationError(f"the seed of authenticator {row.id} does not open: run 'flask mfa check'")
            if keyring.is_current(row.seed) and keyring.is_current(row.spent):
                continue
            sealed = keyring.seal(SEED, open_seed(self, row), seed_context(row.subject, row.id, shape_of(row)))
            authenticators.reseal(tx, row.id, sealed, step_mark(self, row, row.last_step, row.drift))
            resealed += 1
        return resealed

    def counters(self, tx: Transaction, account_id: str, subject: str) -> list[Scope]:
        """The counters of guesses at the codes of an account, which an unlock clears."""
        seeds = authenticators.totp_of_account(tx, account_id)
        names = [f"account {subject}", *(f"authenticator {seed.id}" for seed in seeds)]
        lanes: tuple[Lane, ...] = ("stranger", "known")
        return [Scope("code", name, lane) for name in names for lane in lanes]

    def _opens(self, row: TOTPRow) -> bool:
        try:
            open_seed(self, row)
        except SealBroken:
            return False
        return True
