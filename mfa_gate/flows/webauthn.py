"""Passkeys and security keys: each ceremony asks, spends its challenge, and only then looks at the answer."""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any, Final, Literal

from ..account import Account
from ..assurance import METHODS, Level, Proof
from ..exc import WrongAssertion, WrongState
from ..factors import answers, webauthn
from ..limits import Attempt, Scope
from ..session import Session
from ..store import Transaction, accounts, credentials
from ..store.credentials import ChallengeRow, CredentialRow
from .ceremony import Ceremony, Risen, Visit, log
from .enrolment import clean_label

LIFETIME: Final = 300.0  # seconds, as the options tell the browser (W3C WebAuthn L3 §15.1)

Purpose = Literal["verify", "enrol"]


class WebAuthn(Ceremony):
    """Verification and enrolment by WebAuthn."""

    def begin_verify(self, visit: Visit) -> dict[str, Any]:
        """Options for `navigator.credentials.get`, over the account's own credentials.

        Raises:
            SignInRequired: no session.
            WrongState: the account has no such authenticator.
        """
        session = visit.there()
        with self.house.store.begin() as tx:
            rows = credentials.of_account(tx, session.account_id)
            if not rows:
                raise WrongState
            known = [_credential(row) for row in rows]
            options, challenge = webauthn.begin_authentication(self.house.relying_party, known)
            self._ask(tx, session, "verify", challenge)
        return options

    def complete_verify(self, visit: Visit, answer: Mapping[str, Any]) -> Risen:
        """Prove a second factor by an assertion.

        Args:
            visit: who is there.
            answer: `toJSON()` of the browser's credential.

        Raises:
            WrongAssertion: for every bad answer the same.
            TooManyAttempts, AccountClosed, SignInRequired, Unavailable: as for any step.
        """
        session = visit.there()
        account = self.account_of(session)
        house = self.house
        with house.store.begin() as tx:
            attempt = self.count(tx, visit, Scope("assertion", session.sign_in))
            subject = self.subject_in(tx, account.id)
            challenge = self._spend_challenge(tx, session, "verify", answer)
            row = self._named(tx, account.id, answer)
            handle = accounts.user_handle(tx, account.id)
        with self.told("second_factor", visit, subject, "pop"):
            if challenge is None or row is None:
                raise WrongAssertion(reason="challenge" if challenge is None else "credential_id")
            self._check_binding(row, subject)
            asserted = webauthn.complete_authentication(
                house.relying_party, challenge, answer, _credential(row), _unb64(handle)
            )
            return self._settle(visit, session, account, attempt, row, asserted, subject)

    def _settle(
        self,
        visit: Visit,
        session: Session,
        account: Account,
        attempt: Attempt,
        row: CredentialRow,
        asserted: webauthn.Asserted,
        subject: str,
    ) -> Risen:
        house, now = self.house, self.house.clock()
        method = _amr(row.attested)
        with house.store.begin() as tx:
            self.hold(tx, session)
            if not credentials.used(tx, row.authenticator_id, asserted.sign_count, asserted.backed_up, now):
                raise WrongAssertion(reason="removed")
            cookie, risen = house.sessions.prove(tx, session, Proof(method, now, row.authenticator_id), now)
            house.limiter.succeeded(tx, attempt)
            if asserted.went_back:
                house.audit.record(
                    tx, "sign_count_went_back", now, visit.who(subject), method=method, id=row.authenticator_id
                )
            house.audit.record(tx, "second_factor", now, visit.who(subject), method=method)
        return Risen(cookie, risen, account, signs_in=session.level < Level.MFA)

    def begin_enrol(self, visit: Visit) -> dict[str, Any]:
        """Options for `navigator.credentials.create`.

        Raises:
            StepUpRequired, ActivationRequired, SignInRequired: the session may not enrol now.
        """
        session = visit.there()
        account = self.account_of(session)
        with self.house.store.begin() as tx:
            self.hold(tx, session)
            self.may_change(tx, session, level=self._level())
            handle = accounts.user_handle(tx, account.id)
            known = [_credential(row) for row in credentials.of_account(tx, account.id)]
            options, challenge = webauthn.begin_registration(
                self.house.relying_party, _unb64(handle), account.email or account.name, account.name, known
            )
            self._ask(tx, session, "enrol", challenge)
        return options

    def complete_enrol(self, visit: Visit, answer: Mapping[str, Any], label: str | None = None) -> Risen:
        """Enrol what the browser made.

        Args:
            visit: who is there.
            answer: `toJSON()` of the browser's credential.
            label: the person's name for it, at most 60 characters.

        Raises:
            WrongAssertion: for every bad answer the same.
            StepUpRequired, ActivationRequired, SignInRequired, AccountClosed, TooManyAttempts, Unavailable.
        """
        session = visit.there()
        account = self.account_of(session)
        name = clean_label(label)
        house, now = self.house, self.house.clock()
        with house.store.begin() as tx:
            self.may_change(tx, session, level=self._level())
            attempt = self.count(tx, visit, Scope("assertion", session.sign_in))
            subject = self.subject_in(tx, account.id)
            challenge = self._spend_challenge(tx, session, "enrol", answer)
        with self.told("authenticator_added", visit, subject, "pop"):
            if challenge is None:
                raise WrongAssertion(reason="challenge")
            made = webauthn.complete_registration(house.relying_party, challenge, answer).credential
            method = _amr(made.attested)
            with house.store.begin() as tx:
                self.hold(tx, session)
                self.may_change(tx, session, level=METHODS[method].ceiling)
                row = self._row(made, account.id, subject)
                if credentials.is_known(tx, row.credential_id):
                    raise WrongAssertion(reason="credential_id")
                self.use_activation(tx, session)
                credentials.add(tx, row, method, name, now)
                cookie, risen = house.sessions.prove(tx, session, Proof(method, now, row.authenticator_id), now)
                house.limiter.succeeded(tx, attempt)
                house.audit.record(
                    tx, "authenticator_added", now, visit.who(subject), method=method, id=row.authenticator_id
                )
        return Risen(cookie, risen, account, signs_in=session.level < Level.MFA)

    def _level(self) -> Level:
        return Level.HARDWARE if self.house.relying_party.attestation else Level.PHISHING_RESISTANT

    def _ask(self, tx: Transaction, session: Session, purpose: Purpose, challenge: bytes) -> None:
        now = self.house.clock()
        row = ChallengeRow(answers.encoded(challenge), session.account_id, session.sign_in, purpose, now + LIFETIME)
        credentials.ask(tx, row, now)

    def _spend_challenge(
        self, tx: Transaction, session: Session, purpose: Purpose, answer: Mapping[str, Any]
    ) -> bytes | None:
        """Take the challenge that an answer names out of the store; None where it was not asked here, or is gone."""
        try:
            challenge = answers.answered_challenge(answer)
        except WrongAssertion:
            return None
        row = ChallengeRow(answers.encoded(challenge), session.account_id, session.sign_in, purpose, 0.0)
        return challenge if credentials.take_challenge(tx, row, self.house.clock()) else None

    @staticmethod
    def _named(tx: Transaction, account_id: str, answer: Mapping[str, Any]) -> CredentialRow | None:
        try:
            return credentials.find(tx, account_id, answers.encoded(webauthn.asserted_id(answer)))
        except WrongAssertion:
            return None

    def _row(self, made: webauthn.Credential, account_id: str, subject: str) -> CredentialRow:
        row = CredentialRow(
            secrets.token_hex(16),
            account_id,
            answers.encoded(made.id),
            answers.encoded(made.public_key),
            "",
            made.sign_count,
            made.aaguid,
            made.rp_id,
            json.dumps(list(made.transports)),
            made.backup_eligible,
            made.backed_up,
            made.uv_initialised,
            made.attested,
        )
        return row._replace(binding=self.house.keyring.hash("credential", _bound(row, subject)))

    def _check_binding(self, row: CredentialRow, subject: str) -> None:
        if not self.house.keyring.matches("credential", _bound(row, subject), row.binding):
            log.error("the key of authenticator %s was changed or moved", row.authenticator_id)
            raise WrongAssertion(reason="seal_broken")


def _bound(row: CredentialRow, subject: str) -> str:
    return " ".join(
        [subject, row.authenticator_id, row.credential_id, row.public_key, row.rp_id, str(int(row.attested))]
    )


def _amr(attested: bool) -> str:
    return "hwk" if attested else "pop"


def _credential(row: CredentialRow) -> webauthn.Credential:
    return webauthn.Credential(
        _unb64(row.credential_id),
        _unb64(row.public_key),
        row.sign_count,
        row.aaguid,
        row.rp_id,
        tuple(json.loads(row.transports)),
        bool(row.backup_eligible),
        bool(row.backed_up),
        bool(row.uv_initialised),
        bool(row.attested),
    )


def _unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
