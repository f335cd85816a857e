"""Enrolling an authenticator: begun inside an activation session, counted only when confirmed by use."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Final

from ..assurance import Level, Proof
from ..exc import EnrolmentGone, InvalidRequest, SealBroken
from ..factors import totp
from ..lines import visible
from ..store import authenticators, sessions
from ..store.authenticators import EnrolmentRow, TOTPRow
from .flow import ClientContext, Elevated, log
from .proving import ProofFlow
from .sign_in import seed_context, step_mark

LABEL_LENGTH: Final = 60
_ID: Final = re.compile("[0-9a-f]{32}")  # not every text can be asked of every store


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


class Enrolment(ProofFlow):
    """Enrolment by TOTP."""

    def begin_totp(self, client: ClientContext) -> BegunTOTP:
        """Make a seed and keep it, sealed, until it is confirmed; an earlier one of this sign-in is dropped.

        Raises:
            SignInRequired: no session.
            EnrolmentRequired, ActivationRequired, StepUpRequired: the session may not enrol.
            NotFound: the portal has switched this method off.
        """
        self.offered("totp")
        session = client.require_session()
        account = self.account_of(session)
        self.addable("totp", account.group)
        services, now = self.services, self.services.clock()
        begun = totp.begin(services.settings.name, account.email or account.name)
        with services.store.begin() as tx:
            account_row = self.lock_row(tx, session)
            self.may_change(tx, session, level=Level.MFA, adds=True)
            row = EnrolmentRow(
                secrets.token_hex(16), account.id, session.sign_in, "otp", "", now + services.settings.enrolling
            )
            sealed = services.keyring.seal(begun.seed, seed_context(account_row.subject, row.id))
            authenticators.begin_enrolment(tx, row._replace(state=sealed))
        return BegunTOTP(row.id, begun.secret, begun.uri, begun.key)

    def complete_totp(self, client: ClientContext, enrolment: str, code: str, label: str | None = None) -> Elevated:
        """Confirm an authenticator by its first code, which is spent with it, and so is the activation code.

        Args:
            client: where the request comes from, and its session.
            enrolment: id that `begin_totp` gave.
            code: as typed.
            label: the person's name for it, at most 60 characters.

        Returns:
            The session at `Level.MFA`, under its new id.

        Raises:
            EnrolmentGone: begun in another session, replaced, or out of time.
            WrongCode, ClockDrift: not confirmed; the enrolment stays open.
            TooManyAttempts, AccountClosed, SignInRequired, Unavailable: as for any step.
        """
        self.offered("totp")
        session = client.require_session()
        account = self.account_of(session)
        self.addable("totp", account.group)
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
            seed = self._begun_seed(begun, subject)
            step = totp.confirm(seed, code, now, services.settings.totp_window)
            with services.store.begin() as tx:
                account_row = self.lock_row(tx, session)
                self.may_change(tx, session, level=Level.MFA, adds=True)
                if not authenticators.take_enrolment(tx, begun.id, session.sign_in, now):
                    raise EnrolmentGone
                self.use_activation(tx, session)
                row = TOTPRow(begun.id, account.id, subject, name, begun.state, step, "")
                sessions.stop_observing(tx, account.id, session.sign_in)
                authenticators.add_totp(tx, row._replace(spent=step_mark(self, row, step)), now)
                elevated = self.proven(tx, client, account, account_row, Proof("otp", now, row.id), device)
                services.limiter.succeeded(tx, attempt)
                services.audit.record(tx, "authenticator_added", now, client.who(subject), method="otp", id=row.id)
        return elevated

    def _begun_seed(self, begun: EnrolmentRow, subject: str) -> bytes:
        try:
            return self.services.keyring.open(begun.state, seed_context(subject, begun.id))
        except SealBroken:
            log.error("the begun enrolment %s does not open", begun.id)
            raise EnrolmentGone from None


def is_id(text: str) -> bool:
    """Whether an authenticator, or a begun enrolment, could have this id."""
    return _ID.fullmatch(text) is not None


def clean_label(label: str | None) -> str:
    """A name for an authenticator: one line, nothing invisible.

    Raises:
        InvalidRequest: longer than 60 characters.
    """
    text = visible(label or "").strip()
    if len(text) > LABEL_LENGTH:
        raise InvalidRequest
    return text
