"""Passkeys and security keys: each ceremony asks, spends its challenge, and only then looks at the answer."""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal

from ..account import Account
from ..assurance import Proof
from ..exc import ConfigurationError, NotFound, SignInRequired, WrongAssertion, WrongState
from ..factors import webauthn, webauthn_answers
from ..factors.registry import METHODS, WEBAUTHN, Factor
from ..factors.relying_party import RelyingParty
from ..levels import Level
from ..limits.limiter import Attempt
from ..sessions.devices import Device
from ..sessions.session import Session
from ..store import Transaction, accounts, credentials, sessions
from ..store.credentials import ChallengeRow, CredentialRow
from .factor_flow import FactorFlow
from .flow import ClientContext, Elevated, Flow, log
from .labels import clean_label

LIFETIME: Final = 300.0  # seconds, as the options tell the browser (W3C WebAuthn L3 §15.1)

Purpose = Literal["verify", "enrol"]


class WebAuthn(FactorFlow):
    """Verification and enrolment by WebAuthn."""

    factor: ClassVar[Factor] = WEBAUTHN

    def begin_verify(self, client: ClientContext, level: Level = Level.PHISHING_RESISTANT) -> dict[str, Any]:
        """Options for `navigator.credentials.get`, over the account's own credentials.

        Args:
            client: where the request comes from, and its session.
            level: what is asked for; for `Level.HARDWARE` other keys are left out.

        Raises:
            SignInRequired, AccountClosed: no session, or the account is locked.
            WrongState: the account has no such authenticator.
            NoMethod: it has, but none that belongs to this RP ID or reaches the level.
            NotFound: the portal has switched this method off.
        """
        session, _ = self.open_ceremony(client)
        rp = self._relying_party()
        with self.services.store.begin() as tx:
            self.lock_row(tx, session)
            rows = credentials.of_account(tx, session.account_id)
            if not rows:
                raise WrongState
            known = [_credential(row) for row in rows if METHODS[_amr(rp, row.attested)].level >= level]
            options, challenge = webauthn.begin_authentication(rp, known)
            self._ask(tx, session, "verify", challenge)
        return options

    def complete_verify(self, client: ClientContext, answer: Mapping[str, Any]) -> Elevated:
        """Prove a second factor by an assertion.

        Args:
            client: where the request comes from, and its session.
            answer: `toJSON()` of the browser's credential.

        Raises:
            WrongAssertion: for every bad answer the same.
            TooManyAttempts, AccountClosed, SignInRequired, Unavailable: as for any step.
        """
        client = client.sending(*self.sent(answer))
        session, account = self.open_ceremony(client)
        rp = self._relying_party()
        device = self.device_of(client, account.id)
        with self.services.store.begin() as tx:
            attempt = self.count(tx, client, "assertion")
            named = credentials.named(tx, account.id, _asserted_id(answer))
            if named is None:
                raise SignInRequired
            challenge = self._spend_challenge(tx, session, "verify", answer)
        subject, handle, row = named
        with self.recording_failure("second_factor", client, subject, "pop"):

            def settle() -> Elevated:
                if challenge is None or row is None:
                    raise WrongAssertion(reason="challenge" if challenge is None else "credential_id")
                self._check_binding(row, subject)
                credential, own = _credential(row), _unb64(handle or "")
                asserted = webauthn.complete_authentication(rp, challenge, answer, credential, own)
                return self._settle(client, account, attempt, row, asserted, subject, _amr(rp, row.attested), device)

            return self.settled(client, attempt, settle)

    @staticmethod
    def sent(answer: Mapping[str, Any]) -> tuple[str, str]:
        """What a step is taken by that sends this answer."""
        return "webauthn", json.dumps(answer, sort_keys=True)

    def _settle(
        self,
        client: ClientContext,
        account: Account,
        attempt: Attempt,
        row: CredentialRow,
        asserted: webauthn.Asserted,
        subject: str,
        amr: str,
        device: Device | None,
    ) -> Elevated:
        services, now, who = self.services, self.services.clock(), client.who(subject)
        verified = row.uv_initialised or asserted.user_verified
        with services.store.begin() as tx:
            account_row = self.lock_row(tx, client.require_session())
            # the store's count, and not the one that was read before: a copy may have answered meanwhile
            key = row.authenticator_id
            count = credentials.used(tx, key, asserted.sign_count, asserted.backed_up, verified, now)
            if count == "gone":
                raise WrongAssertion(reason="removed")
            if count == "stayed" and asserted.counted:
                services.audit.record(tx, "sign_count_went_back", now, who, amr=amr, id=key)
            elevated = self.proven_again(tx, client, account, account_row, Proof(amr, now, key), device, attempt)
            elevated.progress = self.progress_in(tx, elevated.session)
        return elevated

    def begin_enrol(self, client: ClientContext) -> dict[str, Any]:
        """Options for `navigator.credentials.create`.

        Raises:
            StepUpRequired, ActivationRequired, SignInRequired: the session may not enrol now.
        """
        session, account = self.open_ceremony(client)
        self.require_addable(self.factor.name, account.group)
        rp = self._relying_party()
        with self.services.store.begin() as tx:
            self.lock_row(tx, session)
            self.may_change(tx, session, level=_level(rp), adds=True)
            handle = accounts.user_handle(tx, account.id)
            known = [_credential(row) for row in credentials.of_account(tx, account.id)]
            options, challenge = webauthn.begin_registration(
                rp, _unb64(handle), account.email or account.name, account.name, known
            )
            self._ask(tx, session, "enrol", challenge)
        return options

    def complete_enrol(self, client: ClientContext, answer: Mapping[str, Any], label: str | None = None) -> Elevated:
        """Enrol what the browser made.

        Args:
            client: where the request comes from, and its session.
            answer: `toJSON()` of the browser's credential.
            label: the person's name for it, at most 60 characters.

        Raises:
            WrongAssertion: for every bad answer the same.
            StepUpRequired, ActivationRequired, SignInRequired, AccountClosed, TooManyAttempts, Unavailable.
        """
        client = client.sending(*self.sent(answer))
        session, account = self.open_ceremony(client)
        self.require_addable(self.factor.name, account.group)
        rp = self._relying_party()
        name = clean_label(label)
        device = self.device_of(client, account.id)
        with self.services.store.begin() as tx:
            self.may_change(tx, session, level=_level(rp), adds=True)
            attempt = self.count(tx, client, "assertion")
            subject = self.subject_in(tx, account.id)
            challenge = self._spend_challenge(tx, session, "enrol", answer)
        with self.recording_failure("authenticator_added", client, subject, "pop"):

            def settle() -> Elevated:
                if challenge is None:
                    raise WrongAssertion(reason="challenge")
                registered = webauthn.complete_registration(rp, challenge, answer)
                return self._enrolled(
                    client, account, attempt, self._row(registered, account.id, subject), name, device
                )

            return self.settled(client, attempt, settle)

    def _enrolled(
        self,
        client: ClientContext,
        account: Account,
        attempt: Attempt,
        row: CredentialRow,
        name: str,
        device: Device | None,
    ) -> Elevated:
        services, session, now = self.services, client.require_session(), self.services.clock()
        amr, key = _amr(self._relying_party(), row.attested), row.authenticator_id
        with services.store.begin() as tx:
            account_row = self.lock_row(tx, session)
            self.may_change(tx, session, level=METHODS[amr].level, adds=True)
            if not credentials.add(tx, row, amr, name, now):
                raise WrongAssertion(reason="credential_id")
            self.use_activation(tx, session)
            sessions.stop_observing(tx, account.id, session.sign_in)
            elevated = self.proven(tx, client, account, account_row, Proof(amr, now, key), device)
            services.limiter.succeeded(tx, attempt)
            services.audit.record(tx, "authenticator_added", now, client.who(account_row.subject), amr=amr, id=key)
        return elevated

    def broken(self, tx: Transaction) -> list[str]:
        """Ids of the authenticators whose key was changed or moved by hand."""
        return [row.authenticator_id for row, subject in credentials.every(tx) if not is_bound(self, row, subject)]

    def seal_anew(self, tx: Transaction) -> int:
        """Bind the keys that an older key has bound under the current one; how many. Raise as `FactorFlow` says."""
        rebound = 0
        for row, subject in credentials.every(tx, for_update=True):
            if not is_bound(self, row, subject):
                raise ConfigurationError(
                    f"the key of authenticator {row.authenticator_id} was changed or moved: run 'flask mfa check'"
                )
            if not self.services.keyring.is_current(row.binding):
                credentials.rebind(tx, row.authenticator_id, binding(self, row, subject))
                rebound += 1
        return rebound

    def _relying_party(self) -> RelyingParty:
        """The relying party. Raise NotFound if the portal is none."""
        if self.services.relying_party is None:
            raise NotFound
        return self.services.relying_party

    def _ask(self, tx: Transaction, session: Session, purpose: Purpose, challenge: bytes) -> None:
        now = self.services.clock()
        row = ChallengeRow(
            webauthn_answers.encoded(challenge), session.account_id, session.sign_in, purpose, now + LIFETIME
        )
        credentials.ask(tx, row, now)

    def _spend_challenge(
        self, tx: Transaction, session: Session, purpose: Purpose, answer: Mapping[str, Any]
    ) -> bytes | None:
        """Take the challenge that an answer names out of the store; None where it was not asked here, or is gone."""
        try:
            challenge = webauthn_answers.answered_challenge(answer)
        except WrongAssertion:
            return None
        row = ChallengeRow(webauthn_answers.encoded(challenge), session.account_id, session.sign_in, purpose, 0.0)
        return challenge if credentials.take_challenge(tx, row, self.services.clock()) else None

    def _row(self, registered: webauthn.Registered, account_id: str, subject: str) -> CredentialRow:
        made = registered.credential
        row = CredentialRow(
            secrets.token_hex(16),
            account_id,
            webauthn_answers.encoded(made.id),
            webauthn_answers.encoded(made.public_key),
            "",
            made.sign_count,
            made.aaguid,
            made.rp_id,
            json.dumps(list(made.transports)),
            made.backup_eligible,
            made.backed_up,
            made.uv_initialised,
            made.attested,
            registered.discoverable,
        )
        return row._replace(binding=binding(self, row, subject))

    def _check_binding(self, row: CredentialRow, subject: str) -> None:
        if not is_bound(self, row, subject):
            log.error("the key of authenticator %s was changed or moved", row.authenticator_id)
            raise WrongAssertion(reason="seal_broken")


def binding(flow: Flow, row: CredentialRow, subject: str) -> str:
    """The keyed hash that belongs to a credential's row."""
    return flow.services.keyring.hash("credential", _bound(row, subject))


def is_bound(flow: Flow, row: CredentialRow, subject: str) -> bool:
    """Whether a credential is this account's, and its key the one that was enrolled."""
    return flow.services.keyring.matches("credential", _bound(row, subject), row.binding)


def _asserted_id(answer: Mapping[str, Any]) -> str:
    """The credential that an answer names; "", which nothing has, where it names none."""
    try:
        return webauthn_answers.encoded(webauthn.asserted_id(answer))
    except WrongAssertion:
        return ""


def _level(rp: RelyingParty) -> Level:
    return Level.HARDWARE if rp.attestation else Level.PHISHING_RESISTANT


def _bound(row: CredentialRow, subject: str) -> str:
    flags = f"{int(row.attested)} {int(row.backup_eligible)}"
    return " ".join([subject, row.authenticator_id, row.credential_id, row.public_key, row.rp_id, flags])


def _amr(rp: RelyingParty, attested: bool) -> str:
    """A key counts as hardware while the portal asks for attestation, and no longer."""
    return "hwk" if attested and rp.attestation is not None else "pop"


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
