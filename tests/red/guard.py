"""Defences of sessions, guard, marks and identity, and how each is taken out."""

from __future__ import annotations

from typing import Any

import pytest
from flask import has_request_context, request, session
from sqlalchemy import text
from werkzeug.http import parse_cookie

from mfa_gate import Account, gate
from mfa_gate.assurance import Requirement, level_of
from mfa_gate.audit.record import Audit
from mfa_gate.contrib.flask_login import FlaskLoginBridge
from mfa_gate.exc import Refusal, SignInRequired, StepUpRequired, Unavailable
from mfa_gate.flows.account_lifecycle import AccountLifecycle
from mfa_gate.flows.flow import Elevated, Flow
from mfa_gate.flows.sign_in import SignIn
from mfa_gate.keyring import Keyring
from mfa_gate.levels import Level
from mfa_gate.request import debug, guard, marks, start
from mfa_gate.request.guard import Guard
from mfa_gate.request.marks import Marks
from mfa_gate.request.start import Start
from mfa_gate.sessions import session as sessions
from mfa_gate.sessions.sessions import Sessions
from mfa_gate.settings import Settings
from mfa_gate.store import accounts
from mfa_gate.store import sessions as rows
from mfa_gate.store.reader import Reader
from mfa_gate.web import cookies, steps, targets
from mfa_gate.web import request_context as request_contexts
from mfa_gate.web.portal_session import PortalSession
from mfa_gate.web.request_context import RequestContext
from tests.red.audit import takes_any_value
from tests.red.defences import Defence

Patch = pytest.MonkeyPatch


# --- sessions --------------------------------------------------------------------------------------------------------


def pending_without_an_end(patch: Patch) -> None:
    open_session = Sessions.open

    def open_long(self: Sessions, tx: Any, account_id: str, now: float, **how: Any) -> Any:
        cookie, session = open_session(self, tx, account_id, now, **how)
        session.ends_at = now + 86_400
        later = text("UPDATE mfa_sessions SET ends_at = :end WHERE sign_in = :sign_in")
        tx.execute(later, {"end": session.ends_at, "sign_in": session.sign_in})
        return cookie, session

    patch.setattr(Sessions, "open", open_long)


def same_id_at_each_rise(patch: Patch) -> None:
    """The session is elevated, and its old cookie with it."""

    def move(
        self: Sessions,
        tx: Any,
        session: Any,
        proofs: Any,
        now: float,
        ends_at: float,
        device: str | None = None,
        place: Any = None,
        *,
        risk: Any = None,
        enrol_until: float | None = None,
        sent: str | None = None,
    ) -> Any:
        row = rows.SessionRow(
            session.id_hash,
            session.sign_in,
            session.account_id,
            int(level_of(proofs)),
            sessions.dumped(proofs),
            now,
            ends_at,
            enrol_until or session.enrol_until,
            session.group,
            None,
            risk or session.risk,
            place.place_hash if place else session.place_hash,
        )
        if not rows.rotate(tx, session.id_hash, session._proofs, row, device):
            raise SignInRequired
        return request.cookies.get(self._settings.cookie_name, ""), sessions.session_of(row)

    original = Sessions._rotate

    def either(self: Sessions, *args: Any, **more: Any) -> Any:
        named = has_request_context() and request.cookies.get(self._settings.cookie_name)
        return move(self, *args, **more) if named else original(self, *args, **more)

    patch.setattr(Sessions, "_rotate", either)


def planted_session_goes_on(patch: Patch) -> None:
    """A right password does not end the session that the browser brought: it is taken over."""

    def begin(self: SignIn, account: Any, client: Any, **how: Any) -> Any:
        if client.session is not None and client.session.account_id == account.id:
            token = request.cookies[self.services.settings.cookie_name]
            return Elevated(token, client.session, account)
        return original(self, account, client, **how)

    original = SignIn.begin
    patch.setattr(SignIn, "begin", begin)
    same_id_at_each_rise(patch)


def sessions_remembered_by_each_worker(patch: Patch) -> None:
    known: dict[tuple[int, str], Any] = {}
    read = Reader.session

    def remembered(self: Reader, id_hash: str) -> Any:
        key = (id(self), id_hash)
        if known.get(key) is None:
            known[key] = read(self, id_hash)
        return known[key]

    patch.setattr(Reader, "session", remembered)


def unsigned_cookies(patch: Patch) -> None:
    patch.setattr(Keyring, "unsign", lambda self, purpose, signed: signed.rpartition(".")[0] or signed)


def cookies_that_may_break(patch: Patch) -> None:
    def unsign(self: Keyring, purpose: str, signed: str) -> str:
        signed.encode("ascii")
        return self._signer(purpose).unsign(signed).decode()

    patch.setattr(Keyring, "unsign", unsign)
    patch.setattr(Guard, "enforce", enforce_unguarded)


def enforce_unguarded(self: Guard, required: Requirement, context: RequestContext) -> Any:
    refusal = self._decide(context, required)
    return None if refusal is None else self._answer(context, refusal, required)


def one_cookie_name(patch: Patch) -> None:
    patch.setattr(Settings, "cookie_name", property(lambda self: "mfa"))


def cookie_as_the_request_came(patch: Patch) -> None:
    answer = RequestContext.put_cookies

    def by_request(self: RequestContext, response: Any) -> Any:
        response = answer(self, response)
        if not request.is_secure:
            cookies = response.headers.getlist("Set-Cookie")
            response.headers.setlist("Set-Cookie", [cookie.replace("; Secure", "") for cookie in cookies])
        return response

    patch.setattr(RequestContext, "put_cookies", by_request)


def name_of_plain_cookies_is_read(patch: Patch) -> None:
    """As a reader that falls back to the name without its prefix."""
    name = Settings.cookie_name.func  # type: ignore[attr-defined]

    def session(self: RequestContext) -> Any:
        if not self._has_read_session:
            self._has_read_session = True
            services, full = self.parts.services, name(self.parts.settings)
            plain = full.removeprefix("__Host-")
            self._session = services.sessions.read(
                request.cookies.get(full) or request.cookies.get(plain), services.clock()
            )
        return self._session

    patch.setattr(RequestContext, "session", property(session))


# --- guard -----------------------------------------------------------------------------------------------------------


def enrolment_in_any_state(patch: Patch) -> None:
    patch.setattr(Flow, "may_change", lambda *_, **__: None)


def any_proof_will_do(patch: Patch) -> None:
    patch.setattr(guard, "satisfies", lambda *_: True)


def age_alone_counts(patch: Patch) -> None:
    satisfies = guard.satisfies

    def by_age(level: Level, proofs: Any, required: Requirement, now: float) -> Any:
        return satisfies(level, proofs, Requirement(Level.MFA, required.max_age), now)

    patch.setattr(guard, "satisfies", by_age)


def a_password_will_do_where_policy_says_so(patch: Patch) -> None:
    """`gate.require(Level.PASSWORD)` means what it says."""
    checked = gate.checked_requirement

    def lax(level: Level, max_age: Any) -> Requirement:
        return Requirement(level) if level is Level.PASSWORD else checked(level, max_age)

    patch.setattr(gate, "checked_requirement", lax)


def groups_that_need_no_second_factor(patch: Patch) -> None:
    """As a policy that asks nothing of some, no matter what they have enrolled."""
    decide = Guard._decide

    def by_group(self: Guard, context: Any, required: Requirement) -> Any:
        session = context.session
        account = context.parts.portal.load(session.account_id) if session else None
        if account is not None and account.group == "nobody must prove anything":
            return None
        return decide(self, context, required)

    patch.setattr(Guard, "_decide", by_group)


def signing_out_only_drops_the_cookie(patch: Patch) -> None:
    patch.setattr(SignIn, "leave", lambda self, tx, session: None)


def signing_out_leaves_the_enrolment(patch: Patch) -> None:
    patch.setattr(SignIn, "leave", lambda self, tx, session: self.services.sessions.end(tx, session))


def open_where_something_breaks(patch: Patch) -> None:
    def enforce(self: Guard, required: Requirement, context: RequestContext) -> Any:
        try:
            return enforce_unguarded(self, required, context)
        except Refusal as refusal:
            return None if isinstance(refusal, Unavailable) else guard.answers.refuse(refusal, required)
        except Exception:
            return None

    patch.setattr(Guard, "enforce", enforce)


def a_fault_is_a_bare_500(patch: Patch) -> None:
    patch.setattr(Guard, "enforce", enforce_unguarded)


def half_signed_in_where_the_portal_fails(patch: Patch) -> None:
    """The portal's callback fails, and the gate's session stays open."""
    patch.setattr(steps, "leave", lambda context: None)


def closing_stops_at_the_first_failure(patch: Patch) -> None:
    def leave(context: Any) -> None:
        context.parts.sign_in.sign_out(context.client)
        context.drop_session()
        context.portal_session.close()

    patch.setattr(steps, "leave", leave)


def what_the_portal_cannot_close_stays_open(patch: Patch) -> None:
    def close(self: PortalSession) -> None:
        (self._portal.signed_out or session.clear)()

    patch.setattr(PortalSession, "close", close)


def open_while_the_store_is_dead(patch: Patch) -> None:
    """The last known row serves while the store does not answer."""
    known: dict[str, Any] = {}
    read = Reader.session

    def last_known(self: Reader, id_hash: str) -> Any:
        try:
            known[id_hash] = read(self, id_hash)
        except Unavailable:
            if id_hash not in known:
                raise
        return known[id_hash]

    patch.setattr(Reader, "session", last_known)


# --- identity --------------------------------------------------------------------------------------------------------


def identities_are_not_compared(patch: Patch) -> None:
    def decide(self: Guard, context: Any, required: Requirement) -> Any:
        session = context.session
        if session is None or session.level < Level.MFA:
            return self._stranger(context, session, None)
        now = context.parts.services.clock()
        context.parts.life.present(session, now)
        return None if guard.satisfies(session.level, session.proofs, required, now) else StepUpRequired()

    patch.setattr(Guard, "_decide", decide)


def the_portals_session_is_enough(patch: Patch) -> None:
    decide = Guard._decide

    def either(self: Guard, context: Any, required: Requirement) -> Any:
        identity = context.parts.portal.identity
        return None if identity is not None and identity() else decide(self, context, required)

    patch.setattr(Guard, "_decide", either)


def the_bridge_agrees_with_everybody(patch: Patch) -> None:
    patch.setattr(FlaskLoginBridge, "_agrees", lambda self, user: True)


def nobodys_principal_is_nobody(patch: Patch) -> None:
    patch.setattr(FlaskLoginBridge, "_agrees", lambda self, user: self._gate.session.account_id == user.get_id())


def mismatch_ends_nothing(patch: Patch) -> None:
    patch.setattr(AccountLifecycle, "end_mismatch", lambda self, session, address: None)
    patch.setattr(PortalSession, "close", lambda self: None)


def half_a_sign_in_has_an_account(patch: Patch) -> None:
    def init(self: Any, parts: Any, session: Any, _observed: bool = False) -> None:
        self._parts, self._account = parts, None
        self.account_id = session.account_id if session else None
        self.level = session.level if session else None
        self.methods = session.amr if session else ()
        self.authenticated_at = session.authenticated_at if session else None

    patch.setattr(start.GateSession, "__init__", init)


def the_portals_session_opens_at_the_password(patch: Patch) -> None:
    sign_in = gate.MFAGate.sign_in

    def early(self: Any, account: Any) -> Any:
        answer = sign_in(self, account)
        if self.portal.signed_in is not None:
            self.portal.signed_in(account)
        return answer

    patch.setattr(gate.MFAGate, "sign_in", early)


def the_form_is_told_in_events(patch: Patch) -> None:
    record = Audit.record

    def recorded(self: Audit, *args: Any, **kwargs: Any) -> None:
        sent = (request.get_json(silent=True) or request.form.to_dict()) if has_request_context() else {}
        record(self, *args, **kwargs, sent=sent)

    takes_any_value(patch, "sent")
    patch.setattr(Audit, "record", recorded)


def disabled_accounts_stay_in(patch: Patch) -> None:
    patch.setattr(AccountLifecycle, "present", lambda *_: None)


def nobody_asks_for_the_account(patch: Patch) -> None:
    patch.setattr(Flow, "account_of", lambda self, session: Account(session.account_id, session.account_id))


def use_puts_the_question_off(patch: Patch) -> None:
    present = AccountLifecycle.present

    def later(self: AccountLifecycle, session: Any, now: float) -> None:
        present(self, session, now)
        with self.services.store.begin() as tx:
            self.services.sessions.touch(tx, session, session.group, self.services.clock())

    patch.setattr(AccountLifecycle, "present", later)


def forget_keeps_the_row(patch: Patch) -> None:
    patch.setattr(accounts, "remove", lambda tx, account_id: accounts.find(tx, account_id) is not None)


def end_sessions_ends_nothing(patch: Patch) -> None:
    patch.setattr(AccountLifecycle, "end_sessions", lambda self, account_id, reason: 1)


# --- marks -----------------------------------------------------------------------------------------------------------


def marks_are_found_through_wraps(patch: Patch) -> None:
    of = Marks.of
    patch.setattr(Marks, "of", lambda self, view: next((m for v in marks.layers(view) if (m := of(self, v))), None))
    patch.setattr(Marks, "check", lambda self, app: None)


def marks_are_found_by_name(patch: Patch) -> None:
    of = Marks.of

    def by_name(self: Marks, view: Any) -> Any:
        name = getattr(view, "__qualname__", None)
        others = (mark for mark in self if view is not mark.original)  # which is below its own mark
        return of(self, view) or next((mark for mark in others if name == mark.original.__qualname__), None)

    patch.setattr(Marks, "of", by_name)


def marks_are_not_checked(patch: Patch) -> None:
    patch.setattr(Marks, "check", lambda self, app: None)


def marks_only_mark(patch: Patch) -> None:
    """The wrapper of a requirement does not enforce it."""
    patch.setattr(Start, "enforce", lambda self, required: None)


def the_hooks_come_first(patch: Patch) -> None:
    """The portal's hooks answer before the gate has looked."""

    def late(self: Start, *context: Any) -> Any:
        answered = self._hooks(*context)
        if not self._ready:
            self.check()
            self._ready = True
        return self.guard.look() if answered is None else answered

    patch.setattr(Start, "preprocess_request", late)


def reading_methods_pass(patch: Patch) -> None:
    look = Guard.look
    passing = ("HEAD", "OPTIONS")
    patch.setattr(Guard, "look", lambda self: None if request.method in passing else look(self))


def requirements_are_kept_by_endpoint(patch: Patch) -> None:
    known: dict[tuple[int, str], Any] = {}
    requirement_of = Guard.requirement_of

    def kept(self: Guard, endpoint: str, method: str = "") -> Any:
        key = (id(self), endpoint)
        if key not in known:
            known[key] = requirement_of(self, endpoint, method)
        return known[key]

    patch.setattr(Guard, "requirement_of", kept)


def whatever_is_called_static_passes(patch: Patch) -> None:
    patch.setattr(marks, "is_static", lambda app, endpoint, view: endpoint.rpartition(".")[2] == "static")


def only_listed_views_are_guarded(patch: Patch) -> None:
    """Opt in instead of opt out."""
    requirement = Marks.requirement

    def listed(self: Marks, app: Any, endpoint: str, view: Any, default: Requirement) -> Any:
        mark = self.of(view)
        return requirement(self, app, endpoint, view, default) if mark else None

    patch.setattr(Marks, "requirement", listed)


def blueprints_inside_are_not_counted(patch: Patch) -> None:
    def own(app: Any, endpoint: str) -> list[Any]:
        name = endpoint.rpartition(".")[0]
        return [app.blueprints[name]] if name in app.blueprints else []

    patch.setattr(marks, "_blueprints_of", own)


def a_quote_runs_on(patch: Patch) -> None:
    patch.setattr(cookies, "let_no_quote_run_on", lambda environ: None)
    for module in (request_contexts, targets):
        patch.setattr(module, "sent" if module is targets else "chosen", _as_werkzeug_reads(module is targets))


def _as_werkzeug_reads(several: bool) -> Any:
    def read(environ: Any, name: str, *_: Any) -> Any:
        values = tuple(dict.fromkeys(parse_cookie(environ).getlist(name)))
        return values if several else next(iter(values), None)

    return read


def a_quote_hides_the_portals_session(patch: Patch) -> None:
    patch.setattr(cookies, "let_no_quote_run_on", lambda environ: None)


def the_first_of_several_cookies_counts(patch: Patch) -> None:
    def first(environ: Any, name: str, _: Any) -> str | None:
        return next(iter(cookies.sent(environ, name)), None)

    patch.setattr(request_contexts, "chosen", first)


def the_first_signed_cookie_counts(patch: Patch) -> None:
    def first(environ: Any, name: str, is_ours: Any) -> str | None:
        return next(filter(is_ours, cookies.sent(environ, name)), None)

    patch.setattr(request_contexts, "chosen", first)


def the_first_kept_page_counts(patch: Patch) -> None:
    patch.setattr(targets, "sent", lambda environ, name: cookies.sent(environ, name)[:1])


def made_up_settings_serve_anybody(patch: Patch) -> None:
    patch.setattr(start, "is_for_a_developer", lambda: True)


def a_header_says_who_is_a_developer(patch: Patch) -> None:
    def said() -> bool:
        names = request.environ if has_request_context() else {}
        return "SERVER_SOFTWARE" not in names or "Werkzeug" in str(names.get("HTTP_USER_AGENT"))

    patch.setattr(start, "is_for_a_developer", said)


def nothing_is_said_of_what_is_made_up(patch: Patch) -> None:
    patch.setattr(debug.log, "warning", lambda *_: None)


DEFENCES: dict[str, Defence] = {
    "A60debug": made_up_settings_serve_anybody,
    "A60debugb": a_header_says_who_is_a_developer,
    "A60debugc": nothing_is_said_of_what_is_made_up,
    "A5k": pending_without_an_end,
    "A7": enrolment_in_any_state,
    "A9": any_proof_will_do,
    "A9b": age_alone_counts,
    "A10": a_password_will_do_where_policy_says_so,
    "A10b": groups_that_need_no_second_factor,
    "A21": unsigned_cookies,
    "A21b": cookies_that_may_break,
    "A24": same_id_at_each_rise,
    "A24b": planted_session_goes_on,
    "A25": sessions_remembered_by_each_worker,
    "A32": the_form_is_told_in_events,
    "A33": the_portals_session_is_enough,
    "A33b": the_bridge_agrees_with_everybody,
    "A34": open_where_something_breaks,
    "A34b": a_fault_is_a_bare_500,
    "A34c": half_signed_in_where_the_portal_fails,
    "A34f": closing_stops_at_the_first_failure,
    "A34g": what_the_portal_cannot_close_stays_open,
    "A34d": open_while_the_store_is_dead,
    "A35": signing_out_only_drops_the_cookie,
    "A35b": signing_out_leaves_the_enrolment,
    "A47k": same_id_at_each_rise,
    "A55": identities_are_not_compared,
    "A55b": mismatch_ends_nothing,
    "A57": half_a_sign_in_has_an_account,
    "A57b": the_portals_session_opens_at_the_password,
    "A57c": the_bridge_agrees_with_everybody,
    "A57d": nobodys_principal_is_nobody,
    "A58": marks_are_found_through_wraps,
    "A58b": marks_are_found_by_name,
    "A58c": marks_are_not_checked,
    "A58d": marks_only_mark,
    "A58e": the_hooks_come_first,
    "A58f": reading_methods_pass,
    "A58g": requirements_are_kept_by_endpoint,
    "A58h": whatever_is_called_static_passes,
    "A58i": only_listed_views_are_guarded,
    "A58j": blueprints_inside_are_not_counted,
    "A62": disabled_accounts_stay_in,
    "A62b": nobody_asks_for_the_account,
    "A62c": use_puts_the_question_off,
    "A62d": forget_keeps_the_row,
    "A62e": end_sessions_ends_nothing,
    "A65": one_cookie_name,
    "A65b": cookie_as_the_request_came,
    "A65c": name_of_plain_cookies_is_read,
    "A65d": a_quote_runs_on,
    "A65e": a_quote_hides_the_portals_session,
    "A65f": the_first_of_several_cookies_counts,
    "A65g": the_first_signed_cookie_counts,
    "A65h": the_first_kept_page_counts,
}
