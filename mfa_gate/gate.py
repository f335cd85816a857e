"""MFAGate: the extension. Wraps the portal's login view and wires the rest."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, overload

from flask import Blueprint, Flask, Response, current_app

from .account import Account
from .assurance import Requirement
from .assurance import requirement as checked_requirement
from .breached import Leaked
from .exc import ConfigurationError
from .factors.attestation import AttestationPolicy
from .harvest import HarvestPolicy
from .levels import Level
from .limits.rules import LimitPolicy
from .netinfo import NetInfo
from .notices.delivery import Mail, Webhook
from .options import Options
from .policy import Policy
from .portal import EXTENSION, START, Portal
from .request.marks import Mark, MarkKind, Marks
from .request.wrapping import Args, Kwargs, argument, checked, wrapped
from .risk import RiskPolicy
from .staff import DeskPolicy

if TYPE_CHECKING:
    from .request.start import GateSession, Start

MAX_KIND_LENGTH = 48
F = TypeVar("F", bound=Callable[..., Any])


class MFAGate:
    """Second factors in front of a login view that stays the portal's own.

    Args:
        app: the app, or None for `init_app` later.
        account_loader, signed_in, identity, signed_out: the callbacks, also given by decorators.
        limits: another `LimitPolicy`.
        attestation: an `AttestationPolicy`: which makes of authenticators may be enrolled, and then count as hardware.
        policy: a `Policy`: what is asked of groups of people, and how they are rolled out.
        desk: a `DeskPolicy`: who may work at the help desk; without it there is none.
        mail: a `Mail`: the server that notices to owners go through, sent by `flask mfa notices send`.
        webhook: a `Webhook` that gets the same, signed.
        network_of: names the network of an address ("Orange, Lyon"), or None; owners see it in the list of sessions.
        risk: another `RiskPolicy`: what makes a sign-in unusual, and what is only reported.
        netinfo: a `NetInfo`, such as `MMDB(...)`: what is known of networks.
        leaked: a `Leaked`: where `has_leaked` looks passwords up.
        harvest: another `HarvestPolicy`: how many records are too many.
        level, max_age: what a view without a mark asks for.
        clock: seconds since the epoch; for tests.

    Raises:
        ConfigurationError: a setting is wrong; the text says what to write instead.
    """

    def __init__(
        self,
        app: Flask | None = None,
        *,
        account_loader: Callable[[str], Account | None] | None = None,
        signed_in: Callable[[Account], Any] | None = None,
        identity: Callable[[], str | None] | None = None,
        signed_out: Callable[[], Any] | None = None,
        limits: LimitPolicy | None = None,
        attestation: AttestationPolicy | None = None,
        policy: Policy | None = None,
        desk: DeskPolicy | None = None,
        mail: Mail | None = None,
        webhook: Webhook | None = None,
        network_of: Callable[[str], str | None] | None = None,
        risk: RiskPolicy | None = None,
        netinfo: NetInfo | None = None,
        leaked: Leaked | None = None,
        harvest: HarvestPolicy | None = None,
        level: Level = Level.MFA,
        max_age: timedelta | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.portal = Portal(account_loader, signed_in, identity, signed_out)
        self._options = Options(
            limits or LimitPolicy(),
            attestation,
            policy or Policy(),
            desk,
            mail,
            webhook,
            network_of,
            risk or RiskPolicy(),
            netinfo,
            leaked,
            harvest or HarvestPolicy(),
        )
        self._default = checked_requirement(level, max_age)
        self.clock = clock
        self._marks = Marks()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Put the gate in front of an app: from here on every endpoint needs `Level.MFA` unless it is marked.

        Raises:
            ConfigurationError: settings, keys or store are not in order.
        """
        if EXTENSION in app.extensions:
            raise ConfigurationError("this app has a gate already")
        # the rest of the package comes with the first app: who only imports us need not wait for it
        from .request.start import install

        install(app, self.portal, self._marks, self._default, self.clock, self._options)

    # --- callbacks ---------------------------------------------------------------------------------------------

    def account_loader(self, function: F) -> F:
        """Register `id -> Account | None` (None: unknown or disabled)."""
        self.portal.account_loader = function
        return function

    def signed_in(self, function: F) -> F:
        """Register what opens the portal's own session, once, after the last proof of a sign-in."""
        self.portal.signed_in = function
        return function

    def identity(self, function: F) -> F:
        """Register `() -> account id | None`: whom the portal takes this visitor for."""
        self.portal.identity = function
        return function

    def signed_out(self, function: F) -> F:
        """Register what closes the portal's own session; without it, Flask's session is cleared."""
        self.portal.signed_out = function
        return function

    # --- marks -------------------------------------------------------------------------------------------------

    @overload
    def public(self, view: F, /) -> F: ...
    @overload
    def public(self, *endpoints: str) -> None: ...
    def public(self, *views: Any) -> Any:
        """Mark a view as needing no gate, or name endpoints of others that need none."""
        if len(views) == 1 and callable(views[0]):
            return self._mark("public", views[0], None, None)
        for endpoint in views:
            if not isinstance(endpoint, str):
                raise TypeError("gate.public takes one view, or names of endpoints")
        self._marks.open(*views)
        return None

    def require(self, level: Level = Level.MFA, max_age: timedelta | None = None) -> Callable[[F], F]:
        """Mark a view with what it asks for.

        Args:
            level: at least `Level.MFA`.
            max_age: greatest age of the proof.

        Raises:
            TypeError, ValueError: a level or an age that means nothing.
        """
        required = checked_requirement(level, max_age)

        def decorate(view: F) -> F:
            return self._mark("require", view, required, lambda *_: _start().enforce(required))

        return decorate

    def protect(self, blueprint: Blueprint, *, level: Level = Level.MFA, max_age: timedelta | None = None) -> None:
        """Ask the same of every view of a blueprint; with a mark of the view's own, both count.

        Args:
            blueprint: the very object that is registered.
            level, max_age: as for `require`.

        Raises:
            TypeError, ValueError: a level or an age that means nothing.
            ConfigurationError: after the first request, if this blueprint is not registered.
        """
        self._marks.protect(blueprint, checked_requirement(level, max_age))

    def reads(self, kind: str, *, record: str) -> Callable[[F], F]:
        """Mark a view that shows one record, which is charged before the view is run.

        A 404 of the view is a look-up that found nothing. Whoever calls the view, a request or another view, is
        charged for the argument of that call. Below another decorator it charges as well, and no answer is sent that it
        has not charged.

        Args:
            kind: what it is, in the ledger; at most 48 characters.
            record: name of the view's argument that names the record.

        Raises:
            ValueError: a kind that is too long, or none.
        """
        if not 0 < len(kind) <= MAX_KIND_LENGTH:
            raise ValueError("gate.reads takes the kind of a record as text of at most 48 characters")

        def decorate(view: F) -> F:
            find = argument(view, record)

            def before(args: Args, kwargs: Kwargs) -> Response | None:
                return _start().before_read(kind, view, lambda: find(args, kwargs))

            return self._mark("reads", view, Requirement(), before)

        return decorate

    def reads_nothing(self, view: F) -> F:
        """Mark a view of a metered blueprint that shows no record."""
        return self._mark("reads_nothing", view, Requirement(), None)

    def metered(self, blueprint: Blueprint) -> None:
        """Let a blueprint send no answer that was neither charged (`reads`, `count_reads`) nor marked `reads_nothing`.

        Its views are guarded as by `protect`.

        Raises:
            ConfigurationError: as for `protect`.
        """
        self._marks.meter(blueprint)

    def first_factor(self, username: str | Callable[[], str | None]) -> Callable[[F], F]:
        """Wrap the portal's login view: brakes before it, and a try that did not sign in stays counted.

        A try is a request that sends a name, in whatever way, and each one that is no GET.

        Args:
            username: name of the field that the user name is sent in (form, JSON, query or URL); or a function that
                returns it, where the request does not carry it itself.

        Raises:
            TypeError: `username` is neither.
        """
        if not isinstance(username, str) and not callable(username):
            raise TypeError("gate.first_factor takes the name of a field, or a function that returns the user name")

        def decorate(view: F) -> F:
            return self._add("first_factor", view, wrapped(view, lambda *_: _start().try_login(username)))

        return decorate

    def _mark(
        self,
        kind: MarkKind,
        view: F,
        required: Requirement | None,
        before: Callable[[Args, Kwargs], Response | None] | None,
    ) -> F:
        if inspect.isclass(view):
            raise TypeError(f"@gate.{kind} marks functions; in a view class write decorators = [gate.{kind}...]")
        return self._add(kind, view, wrapped(view, checked(before)), required)

    def _add(self, kind: MarkKind, view: F, wrapper: Any, required: Requirement | None = None) -> F:
        self._marks.add(Mark(kind, view, wrapper, required))
        marked: F = wrapper
        return marked

    # --- in a request ------------------------------------------------------------------------------------------

    @property
    def session(self) -> GateSession:
        """The session of this request, never None; of nobody while a sign-in is under way.

        Raises:
            Unavailable: the store does not answer.
        """
        return _start().session()

    def watch_session(self) -> Callable[[], bool]:
        """What a stream or a socket asks while it lasts: the gate itself looks at a session as a request begins.

        Returns:
            A function that says whether the session that this request was let in by goes on, also after a step-up in
            another request; False once it has ended, or the account is locked. It reads one row, on any thread, and
            raises Unavailable where the store does not answer.
        """
        return _start().watch_session()

    def count_reads(self, kind: str, records: Iterable[object]) -> None:
        """Charge the records that a view is about to show: all of them, or none.

        Args:
            kind: what they are, in the ledger.
            records: their ids.

        Raises:
            Refusal: they must not be shown. It need not be caught: the answer is replaced in any case.
            RuntimeError: the answer has begun already.
        """
        _start().metering.charge(kind, records)

    def read_missed(self, kind: str) -> None:
        """Note that a look-up has found nothing, where the view does not answer 404.

        Raises:
            Refusal: that was one too many; as for `count_reads`.
        """
        _start().metering.missed(kind)

    def lift_reads(self, account_id: str, reason: str) -> bool:
        """Let an account that was stopped read again; False where it was not."""
        return _start().parts.reads.lift(account_id, reason)

    def has_leaked(self, password: str) -> bool:
        """Whether a password is in a list of leaked ones; False if that cannot be asked.

        To be called by the portal where a password is chosen, which refuses it, and where a right one is typed, which
        tells `sign_in`.

        Raises:
            ConfigurationError: `MFAGate(leaked=...)` is missing.
        """
        if self._options.leaked is None:
            raise ConfigurationError("has_leaked needs a list: MFAGate(leaked=Leaked(...))")
        return self._options.leaked.has(password)

    def sign_in(self, account: Account, *, leaked: bool = False, sso: str | None = None) -> Response:
        """Answer a right password: opens a pending session and sends the person to the second factor.

        Args:
            account: whom the portal's login view let through.
            leaked: what `has_leaked` says of the password: it lets in with the surest proof that the account has, and
                its owner is told to change it.
            sso: what stands for the password where none was typed, such as the name of the identity provider; these
                sign-ins have a counter of their own.

        Returns:
            The answer of the login view: a redirect for pages, `{next, session}` for programs.

        Raises:
            ConfigurationError: no user name was counted in this request (`first_factor`), and `sso` says nothing.
        """
        if not isinstance(account, Account):
            raise TypeError(f"gate.sign_in takes an Account, not {type(account).__name__}")
        if sso is not None and not str(sso).strip():
            raise ValueError("gate.sign_in takes as sso the name of what stands for the password, and no empty one")
        return _start().sign_in(account, leaked=leaked, sso=sso)

    def sign_out(self) -> None:
        """End the gate's session of this request, everywhere; the portal closes its own."""
        _start().sign_out()

    def end_sessions(self, account_id: str) -> int:
        """End every session of an account at once, on every worker; how many there were."""
        return _start().parts.life.end_sessions(account_id, "by the portal")

    def password_changed(self, account_id: str) -> int:
        """End every session of an account but the one of this request, if it is the account's; how many there were.

        To be called by the portal wherever a password is changed or reset.
        """
        return _start().password_changed(account_id)

    def lock(self, account_id: str, reason: str) -> None:
        """Lock an account: its sessions end, and it proves nothing until it is unlocked."""
        _start().parts.life.lock(account_id, reason)

    def unlock(self, account_id: str, reason: str) -> bool:
        """Unlock an account; False where it was not locked."""
        return _start().parts.life.unlock(account_id, reason)

    def forget(self, account_id: str) -> bool:
        """Delete all that the gate holds about an account, before its id is given to somebody else."""
        return _start().parts.life.forget(account_id)

    def issue_activation(self, account_id: str, *, reason: str, ttl: timedelta | None = None) -> str:
        """Issue an activation code for a letter or a desk, in place of an earlier one; told only here.

        Args:
            account_id: whose.
            reason: why, for the record.
            ttl: how long it may be redeemed; `MFA_GATE_ACTIVATION_TTL` by default.
        """
        seconds = ttl.total_seconds() if ttl is not None else None
        return _start().parts.activation.issue(account_id, reason, seconds).code


def _start() -> Start:
    start: Start = current_app.extensions[START]
    return start
