"""Signing in and stepping up: the first factor that the portal checked, then a second one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ..account import Account
from ..assurance import Proof
from ..audit.record import Who
from ..exc import AccountClosed, SealBroken, Unavailable, WrongCode, WrongState
from ..factors import totp
from ..factors.totp import USUAL, Shape
from ..limits.limiter import Attempt, Lane, Scope, network, typed_name
from ..lines import visible
from ..netinfo.browsers import family
from ..risk import Assessment
from ..sessions.devices import Device
from ..sessions.session import Session
from ..store import Transaction, accounts, activations, authenticators, credentials
from ..store.accounts import AccountRow
from ..store.authenticators import TOTPRow
from ..store.sessions import Origin
from .flow import ClientContext, Elevated, Flow, log
from .proving import ProofFlow

NETWORK: Final = 60  # characters of the name of a network


@dataclass(frozen=True, slots=True)
class _Match:
    row: TOTPRow
    step: int
    drift: int | None


class SignIn(ProofFlow):
    """From the right password to a session of `Level.MFA`, and any further proof."""

    def begin(self, account: Account, client: ClientContext, *, leaked: bool = False) -> Elevated:
        """Open a pending session for an account whose first factor the portal has just checked.

        Args:
            account: whom the portal let through.
            client: its session, the one that this browser brought is ended, whosever it is.
            leaked: the password is in a list of leaked ones.

        Raises:
            AccountClosed: the account is locked.
            Unavailable: the store does not answer.
        """
        services, now = self.services, self.services.clock()
        name_hash = services.devices.typed(typed_name(client.name)) if client.name else None
        place, known = client.place, self.device_of(client, account.id)
        origin = Origin(
            family(client.agent), self._network(client.address), name_hash, services.habits.fingerprint(place, now)
        )
        with services.store.begin() as tx:
            accounts.ensure(tx, account.id, now)
            row = accounts.lock_row(tx, account.id)
            locked = row is None or row.locked_at is not None
            found = self._assessed(tx, row, client, known, now, leaked=leaked)
            subject = row.subject if row else None
            if client.session is not None:
                self.leave(tx, client.session)
            observed = None if locked else self._observed_until(tx, account, now)
            opened = None
            if not locked:
                opened = services.sessions.open(
                    tx,
                    account.id,
                    now,
                    group=account.group,
                    observed_until=observed,
                    origin=origin,
                    risk=found.risk,
                    place_hash=services.habits.place_hash(place),
                )
            services.audit.record(
                tx,
                "first_factor",
                now,
                Who(subject, opened[1].sign_in if opened else None, client.address),
                outcome="refused" if locked else "success",
                method="pwd",
                reason="locked" if locked else None,
                **risk_data(found),
            )
            if opened is not None:
                who = Who(subject, opened[1].sign_in, client.address, client.agent)
                if found.risk == "high":
                    services.audit.record(
                        tx, "unusual_sign_in", now, who, outcome="unknown", reasons=list(found.reasons)
                    )
                if leaked:
                    services.audit.record(tx, "leaked_password", now, who, outcome="unknown")
        if opened is None:
            raise AccountClosed
        return Elevated(*opened, account, signs_in=observed is not None)

    def _assessed(
        self,
        tx: Transaction,
        row: AccountRow | None,
        client: ClientContext,
        known: Device | None,
        now: float,
        *,
        leaked: bool,
    ) -> Assessment:
        """How unusual a right password is, by its account's habits, by its source's, and by itself."""
        habits, place, kept = self.services.habits, client.place, row.habits if row else None
        found, policy = habits.assess(kept, place, now, device=known is not None), habits.policy
        strange = known is None and habits.is_new_place(kept, place, now)
        if row is not None and strange and self.services.pressure.opens(tx, client.address, row.subject, now):
            found = found.at_least("high", "fan_in", only_reported=policy.reports("fan_in"))
        if leaked:
            found = found.at_least("raised", "leaked_password", only_reported=policy.reports("leaked"))
        return found

    def _network(self, address: str | None) -> str | None:
        """What the portal or the network data call a network, for people; not known where they do not say, or fail."""
        if self.services.network_of is None or address is None:
            name = self.services.habits.network(address, self.services.clock()).name
            return name and visible(name).strip()[:NETWORK]
        try:
            name = self.services.network_of(address)
        except Exception as error:
            log.warning("the portal's network_of failed: %s", type(error).__name__)
            return None
        return (visible(name).strip()[:NETWORK] or None) if isinstance(name, str) else None

    def _observed_until(self, tx: Transaction, account: Account, now: float) -> float | None:
        """Until when the password alone lets this account in: never where it has an authenticator."""
        until = self.services.policy.observed_until(account.group)
        if until is None or now >= until or self.methods_in(tx, account.id):
            return None
        return until

    def verify_totp(self, client: ClientContext, code: str) -> Elevated:
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
        self.offered("totp")
        session = client.require_session()
        account = self.account_of(session)
        device = self.device_of(client, account.id)
        with self.services.store.begin() as tx:
            rows = authenticators.totp_of_account(tx, account.id)
            if not rows:
                raise WrongState
            self.fits_risk(tx, session, "otp")
            subject = rows[0].subject
            attempt = self._count(tx, client, rows, subject, "known" if device else "stranger")
        with self.recording_failure("second_factor", client, subject, "otp"):
            match = self._match(rows, code)
            return self._settle_totp(client, account, attempt, match, device)

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

    def _settle_totp(
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

    def sign_out(self, client: ClientContext) -> None:
        """End the session everywhere, and leave nothing of a half sign-in or a begun enrolment."""
        if client.session is None:
            return
        with self.services.store.begin() as tx:
            row = accounts.lock_row(tx, client.session.account_id)
            self.leave(tx, client.session)
            self.services.audit.record(
                tx,
                "session_ended",
                self.services.clock(),
                client.who(row.subject if row else None),
                reason="sign_out",
            )

    def leave(self, tx: Transaction, session: Session) -> None:
        # in the order in which an enrolment locks them
        authenticators.abandon_enrolments(tx, session.sign_in)
        credentials.abandon_challenges(tx, session.sign_in)
        activations.release(tx, session.sign_in)
        self.services.sessions.end(tx, session)


def risk_data(found: Assessment) -> dict[str, Any]:
    """An assessment, as it stands in an event."""
    evidence = {name: round(value, 2) for name, value in found.evidence.items() if value}
    return {
        "risk": found.risk,
        "would_be": found.would_be,
        "score": round(found.score, 2),
        "reasons": list(found.reasons),
        "evidence": evidence,
    }


def shape_of(row: TOTPRow) -> Shape:
    return Shape(row.algorithm, row.digits, row.period)


def seed_context(subject: str, authenticator_id: str, shape: Shape = USUAL) -> str:
    """What a seed is bound to: the account, by its random name, the row, and how codes are made of it."""
    unusual = "" if shape == USUAL else f" {shape.algorithm} {shape.digits} {shape.period}"
    return f"totp {subject} {authenticator_id}{unusual}"


def step_mark(flow: Flow, row: TOTPRow, step: int, drift: int | None = None) -> str:
    """The keyed hash that belongs to a last spent step, and to how far off the clock was."""
    return flow.services.keyring.hash("totp step", _marked(row, step, drift))


def _marked(row: TOTPRow, step: int, drift: int | None) -> str:
    return f"{row.subject} {row.id} {step}" + ("" if drift is None else f" {drift}")


def open_seed(flow: Flow, row: TOTPRow) -> bytes:
    """The seed of a row.

    Raises:
        SealBroken: it is another row's, altered, or its counter was changed by hand.
    """
    keyring = flow.services.keyring
    if not keyring.matches("totp step", _marked(row, row.last_step, row.drift), row.spent):
        raise SealBroken("the counter of a seed was changed")
    return keyring.open(row.seed, seed_context(row.subject, row.id, shape_of(row)))
