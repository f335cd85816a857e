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
from .flow import Ceremony, Risen, Visit, log
from .proving import Proving

NETWORK: Final = 60  # characters of the name of a network


@dataclass(frozen=True, slots=True)
class _Match:
    row: TOTPRow
    step: int
    drift: int | None


class SignIn(Proving):
    """From the right password to a session of `Level.MFA`, and any further proof."""

    def begin(self, account: Account, visit: Visit, *, leaked: bool = False) -> Risen:
        """Open a pending session for an account whose first factor the portal has just checked.

        Args:
            account: whom the portal let through.
            visit: the session that this browser brought is ended, whosever it is.
            leaked: the password is in a list of leaked ones.

        Raises:
            AccountClosed: the account is locked.
            Unavailable: the store does not answer.
        """
        house, now = self.house, self.house.clock()
        name_hash = house.devices.typed(typed_name(visit.name)) if visit.name else None
        place, known = visit.place, self.device_of(visit, account.id)
        origin = Origin(family(visit.agent), self._network(visit.address), name_hash, house.habits.shown(place, now))
        with house.store.begin() as tx:
            accounts.ensure(tx, account.id, now)
            row = accounts.hold(tx, account.id)
            locked = row is None or row.locked_at is not None
            found = self._assessed(tx, row, visit, known, now, leaked=leaked)
            subject = row.subject if row else None
            if visit.session is not None:
                self.leave(tx, visit.session)
            observed = None if locked else self._observed_until(tx, account, now)
            opened = None
            if not locked:
                opened = house.sessions.open(
                    tx,
                    account.id,
                    now,
                    group=account.group,
                    observed_until=observed,
                    origin=origin,
                    risk=found.risk,
                    context=house.habits.context(place),
                )
            house.audit.record(
                tx,
                "first_factor",
                now,
                Who(subject, opened[1].sign_in if opened else None, visit.address),
                outcome="refused" if locked else "success",
                method="pwd",
                reason="locked" if locked else None,
                **told(found),
            )
            if opened is not None:
                who = Who(subject, opened[1].sign_in, visit.address, visit.agent)
                if found.risk == "high":
                    house.audit.record(tx, "unusual_sign_in", now, who, outcome="unknown", reasons=list(found.reasons))
                if leaked:
                    house.audit.record(tx, "leaked_password", now, who, outcome="unknown")
        if opened is None:
            raise AccountClosed
        return Risen(*opened, account, signs_in=observed is not None)

    def _assessed(
        self, tx: Transaction, row: AccountRow | None, visit: Visit, known: Device | None, now: float, *, leaked: bool
    ) -> Assessment:
        """How unusual a right password is, by its account's habits, by its source's, and by itself."""
        habits, place, kept = self.house.habits, visit.place, row.habits if row else None
        found, policy = habits.assess(kept, place, now, device=known is not None), habits.policy
        strange = known is None and habits.is_new_place(kept, place, now)
        if row is not None and strange and self.house.pressure.opens(tx, visit.address, row.subject, now):
            found = found.at_least("high", "fan_in", only_reported=policy.reports("fan_in"))
        if leaked:
            found = found.at_least("raised", "leaked_password", only_reported=policy.reports("leaked"))
        return found

    def _network(self, address: str | None) -> str | None:
        """What the portal or the network data call a network, for people; not known where they do not say, or fail."""
        if self.house.network_of is None or address is None:
            name = self.house.habits.network(address, self.house.clock()).name
            return name and visible(name).strip()[:NETWORK]
        try:
            name = self.house.network_of(address)
        except Exception as error:
            log.warning("the portal's network_of failed: %s", type(error).__name__)
            return None
        return (visible(name).strip()[:NETWORK] or None) if isinstance(name, str) else None

    def _observed_until(self, tx: Transaction, account: Account, now: float) -> float | None:
        """Until when the password alone lets this account in: never where it has an authenticator."""
        until = self.house.policy.observed_until(account.group)
        if until is None or now >= until or self.methods_in(tx, account.id):
            return None
        return until

    def verify_totp(self, visit: Visit, code: str) -> Risen:
        """Prove a second factor by TOTP: completes a pending sign-in, or refreshes the proof of a session.

        Args:
            visit: who is there.
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
        session = visit.there()
        account = self.account_of(session)
        device = self.device_of(visit, account.id)
        with self.house.store.begin() as tx:
            rows = authenticators.totp_of_account(tx, account.id)
            if not rows:
                raise WrongState
            self.fits_risk(tx, session, "otp")
            subject = rows[0].subject
            attempt = self._count(tx, visit, rows, subject, "known" if device else "stranger")
        with self.told("second_factor", visit, subject, "otp"):
            match = self._match(rows, code)
            return self._settle_totp(visit, account, attempt, match, device)

    def _count(self, tx: Transaction, visit: Visit, rows: list[TOTPRow], subject: str, lane: Lane) -> Attempt:
        """Count a guess at codes of six digits: strangers' guesses also for where they come from."""
        scopes = [Scope("code", f"authenticator {row.id}", lane) for row in rows]
        scopes.append(Scope("code", f"account {subject}", lane))
        if lane == "stranger":
            scopes.append(Scope("source", network(visit.address)))
        return self.house.limiter.count(tx, scopes, self.house.clock())

    def _match(self, rows: list[TOTPRow], code: str) -> _Match:
        broken = False
        for row in rows:
            try:
                seed, shape, now = open_seed(self, row), shape_of(row), self.house.clock()
                there = now + shape.period * (row.drift or 0)  # where its clock was last
                step = totp.complete(seed, code, there, self.house.settings.totp_window, shape)
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
        self, visit: Visit, account: Account, attempt: Attempt, match: _Match, device: Device | None
    ) -> Risen:
        house, now, row = self.house, self.house.clock(), match.row
        with house.store.begin() as tx:
            held = self.hold(tx, visit.there())
            if not authenticators.spend_step(
                tx, row.id, match.step, step_mark(self, row, match.step, match.drift), match.drift
            ):
                raise WrongCode(reason="spent")
            proof = Proof("otp", now, row.id)
            risen = self.proven_again(tx, visit, account, held, proof, device, attempt)
            risen.progress = self.progress_in(tx, risen.session)
        return risen

    def sign_out(self, visit: Visit) -> None:
        """End the session everywhere, and leave nothing of a half sign-in or a begun enrolment."""
        if visit.session is None:
            return
        with self.house.store.begin() as tx:
            row = accounts.hold(tx, visit.session.account_id)
            self.leave(tx, visit.session)
            self.house.audit.record(
                tx,
                "session_ended",
                self.house.clock(),
                visit.who(row.subject if row else None),
                reason="sign_out",
            )

    def leave(self, tx: Transaction, session: Session) -> None:
        # in the order in which an enrolment locks them
        authenticators.abandon_enrolments(tx, session.sign_in)
        credentials.abandon_challenges(tx, session.sign_in)
        activations.release(tx, session.sign_in)
        self.house.sessions.end(tx, session)


def told(found: Assessment) -> dict[str, Any]:
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


def step_mark(flow: Ceremony, row: TOTPRow, step: int, drift: int | None = None) -> str:
    """The keyed hash that belongs to a last spent step, and to how far off the clock was."""
    return flow.house.keyring.hash("totp step", _marked(row, step, drift))


def _marked(row: TOTPRow, step: int, drift: int | None) -> str:
    return f"{row.subject} {row.id} {step}" + ("" if drift is None else f" {drift}")


def open_seed(flow: Ceremony, row: TOTPRow) -> bytes:
    """The seed of a row.

    Raises:
        SealBroken: it is another row's, altered, or its counter was changed by hand.
    """
    keyring = flow.house.keyring
    if not keyring.matches("totp step", _marked(row, row.last_step, row.drift), row.spent):
        raise SealBroken("the counter of a seed was changed")
    return keyring.open(row.seed, seed_context(row.subject, row.id, shape_of(row)))
