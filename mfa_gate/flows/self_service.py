"""A person's own authenticators and sessions: listed, named, removed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..assurance import Requirement, satisfies
from ..exc import LastAuthenticator, NotFound, SignInRequired, StepUpRequired
from ..levels import Level
from ..sessions.session import Session
from ..store import Transaction, authenticators, credentials, devices, recovery_sets, sessions
from ..store.accounts import AccountRow
from ..store.authenticators import AuthenticatorRow
from ..store.sessions import ListedRow
from . import session_list
from .flow import CHANGE_AGE, ClientContext, Flow
from .labels import clean_label, is_id
from .session_list import SessionPage


@dataclass(frozen=True, slots=True)
class Owned:
    """What an account has enrolled, and how many recovery codes are left."""

    authenticators: tuple[AuthenticatorRow, ...]
    recovery_codes: int


@dataclass(frozen=True, slots=True)
class Removed:
    """What was removed.

    Attributes:
        credential: its WebAuthn credential id, for the browser to be told; None for an app.
        rp_id: whose that credential is.
        session: this very session as it is now; None where it was made by that alone, and has ended with it.
    """

    credential: str | None
    rp_id: str | None
    session: Session | None

    @property
    def signed_out(self) -> bool:
        return self.session is None


class SelfService(Flow):
    """What an owner may do alone."""

    def owned(self, client: ClientContext) -> Owned:
        """The authenticators of the session's account.

        Raises:
            SignInRequired, StepUpRequired, ...: the session is not signed in; nothing is listed then.
        """
        session = client.require_session()
        with self.services.store.begin() as tx:
            self.signed_in(tx, session)
            rows = [
                row._replace(method=self.as_proven(row.method))
                for row in authenticators.of_account(tx, session.account_id)
            ]
            return Owned(tuple(rows), recovery_sets.left(tx, session.account_id))

    def may_add(self, client: ClientContext) -> None:
        """Whether this session may enrol an authenticator of some kind.

        Raises:
            StepUpRequired, ActivationRequired, SignInRequired, ...: it may not.
        """
        with self.services.store.begin() as tx:
            self.may_change(tx, client.require_session(), level=Level.MFA, adds=True)

    def rename(self, client: ClientContext, authenticator: str, label: str) -> None:
        """Give an authenticator another name.

        Raises:
            NotFound: the account has none of this id.
            StepUpRequired, ActivationRequired: the strongest proof is missing or too old; so is what may stand for it.
            InvalidRequest: the name is too long.
        """
        session, name = client.require_session(), clean_label(label)
        with self.services.store.begin() as tx:
            account_row = self.lock_row(tx, session)
            if self.lacks_strongest_proof(session, self.signed_in(tx, session)):
                self.may_change(tx, session)  # by a recovery code only as any other change
            now = self.services.clock()
            if not is_id(authenticator) or not authenticators.rename(tx, session.account_id, authenticator, name):
                raise NotFound
            self.services.audit.record(
                tx, "authenticator_renamed", now, client.who(account_row.subject), id=authenticator
            )

    def remove(self, client: ClientContext, authenticator: str) -> Removed:
        """Remove an authenticator and end the sessions that it made.

        Raises:
            LastAuthenticator: an owner cannot remove the last one.
            NotFound, StepUpRequired, ActivationRequired: as for any change.
        """
        session = client.require_session()
        with self.services.store.begin() as tx:
            account_row = self.lock_row(tx, session)
            self.may_change(tx, session)
            rows = authenticators.of_account(tx, session.account_id)
            row = next((row for row in rows if row.id == authenticator), None)
            if row is None:
                raise NotFound
            if len(rows) == 1:
                raise LastAuthenticator
            keys = credentials.of_account(tx, session.account_id)
            key = next((key for key in keys if key.authenticator_id == row.id), None)
            self.use_activation(tx, session)
            authenticators.remove(tx, session.account_id, row.id)
            now = self.services.sessions.drop_authenticator(tx, session, row.id)
            self.services.audit.record(
                tx,
                "authenticator_removed",
                self.services.clock(),
                client.who(account_row.subject),
                amr=row.method,
                id=row.id,
            )
        return Removed(key.credential_id if key else None, key.rp_id if key else None, now)

    def sessions(self, client: ClientContext, after: str | None = None) -> SessionPage:
        """A page of the account's living sessions, each named by its sign-in.

        Args:
            client: with its session, which stands on the first page however old it is.
            after: where the page before says that this one begins; None for the first.

        Raises:
            InvalidRequest: no page says so.
        """
        session = client.require_session()
        with self.services.store.begin() as tx:
            self.signed_in(tx, session)
            page = session_list.page(self.services, tx, session.account_id, session.group, after)
            own = sessions.named(tx, session.account_id, session.sign_in)
        if after is not None:
            return replace(page, rows=tuple(row for row in page.rows if row.sign_in != session.sign_in))
        return page if own is None or own in page.rows else replace(page, rows=(own, *page.rows))

    def end_session(self, client: ClientContext, sign_in: str) -> None:
        """End one session of the account; the browser it was in is a stranger's from now on, as `_may_forget` lets.

        Raises:
            NotFound: the account has none of this name.
            StepUpRequired: it is another one, and a fresh proof is missing; `data["requirement"]` says which.
        """
        session = client.require_session()
        with self.services.store.begin() as tx:
            account_row, this = self._own(tx, session, fresh=sign_in != session.sign_in)
            other = sessions.named(tx, session.account_id, sign_in) if is_id(sign_in) else None
            if other is None or not sessions.remove_sign_in(tx, sign_in):
                raise NotFound
            devices_there = [other.device] if other.device else []
            self._forget_browsers(tx, session, this, devices_there)
            self._ended(tx, client, account_row, 1)

    def end_others(self, client: ClientContext) -> int:
        """End all sessions of the account but this one, and forget all other browsers, as `_may_forget` lets.

        Returns:
            How many sessions ended.

        Raises:
            StepUpRequired: a fresh proof is missing; `data["requirement"]` says which.
        """
        session = client.require_session()
        with self.services.store.begin() as tx:
            account_row, this = self._own(tx, session)
            ended = self.services.sessions.end_account(tx, session.account_id, but=session.sign_in)
            self._forget_browsers(tx, session, this)
            self._ended(tx, client, account_row, ended)
        return ended

    def _own(self, tx: Transaction, session: Session, *, fresh: bool = True) -> tuple[AccountRow, ListedRow]:
        """Lock the account of a session that may end sessions; its own row, as it is listed."""
        account_row = self.lock_row(tx, session)
        self.signed_in(tx, session)
        if fresh:
            self._require_fresh_proof(session)
        this = sessions.named(tx, session.account_id, session.sign_in)
        if this is None:
            raise SignInRequired
        return account_row, this

    def _forget_browsers(
        self, tx: Transaction, session: Session, this: ListedRow, only: list[str] | None = None
    ) -> None:
        since = None if self._may_forget(session) else this.created_at
        devices.remove_account(tx, session.account_id, but=this.device, only=only, since=since)

    def _ended(self, tx: Transaction, client: ClientContext, account_row: AccountRow, ended: int) -> None:
        who = client.who(account_row.subject)
        self.services.audit.record(tx, "sessions_ended", self.services.clock(), who, ended=ended, why="by the owner")

    def _require_fresh_proof(self, session: Session) -> None:
        required = Requirement(Level.MFA, CHANGE_AGE)
        if not satisfies(session.level, session.proofs, required, self.services.clock()):
            raise StepUpRequired(requirement=required)

    def _may_forget(self, session: Session) -> bool:
        """Whether a session may forget browsers that were known before it began: by a fresh passkey.

        A code may have been relayed, and who came by it would make strangers of its owner's browsers, whose lane ten
        wrong codes then close for a day. A thief who came first is made a stranger by what cannot be relayed.
        """
        required = Requirement(Level.PHISHING_RESISTANT, CHANGE_AGE)
        return satisfies(session.level, session.proofs, required, self.services.clock())
