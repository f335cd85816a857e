"""What takes the defences of pages, links, inputs and secrets out."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from traceback import format_exception
from typing import Any

import pytest
from flask import request
from werkzeug.exceptions import HTTPException

from mfa_gate.exc import Refusal, SealBroken
from mfa_gate.flows import TOTP, Activation, ClientContext, Password, flow
from mfa_gate.flows import totp as totp_flow
from mfa_gate.keyring import Keyring
from mfa_gate.request import metering, start
from mfa_gate.request.start import Start
from mfa_gate.settings import Settings
from mfa_gate.web import answers, caching, inputs, pages, sealed_form, targets

Patch = pytest.MonkeyPatch


# --- A20: inputs -----------------------------------------------------------------------------------------------------


def any_field_is_taken(patch: Patch) -> None:
    real = inputs.read

    def read(asked: Any, context: Any, *names: str) -> Any:
        return real(asked, context, *names, "admin", "code", "sealed_form", "next", "photo", "f1")

    patch.setattr(inputs, "read", read)


def json_is_taken_as_it_comes(patch: Patch) -> None:
    patch.setattr(inputs, "_json", lambda asked: json.loads(asked.get_data() or b"{}"))


def forms_are_taken_as_they_come(patch: Patch) -> None:
    patch.setattr(inputs, "_form", lambda asked: asked.form.to_dict())


def no_bound_on_size(patch: Patch) -> None:
    patch.setattr(inputs, "MAX_BYTES", 10**9)
    patch.setattr("mfa_gate.web.steps.CODE_LENGTH", 10**9)


def refusals_are_left_to_flask(patch: Patch) -> None:
    def as_it_is(error: Exception) -> Any:
        if isinstance(error, HTTPException):
            return error
        return "".join(format_exception(error)), 500  # as a debugger does

    patch.setattr(answers, "closed", as_it_is)
    json_is_taken_as_it_comes(patch)


# --- A22, A23: targets -----------------------------------------------------------------------------------------------


def any_path_is_safe(patch: Patch) -> None:
    patch.setattr(targets, "safe", lambda path: True)


def path_as_werkzeug_cleans_it(patch: Patch) -> None:
    patch.setattr(targets, "path_of", lambda asked: asked.full_path.rstrip("?"))


def once_decoded_is_enough(patch: Patch) -> None:
    patch.setattr(targets, "safe", lambda path: path.startswith("/") and not path.startswith("//") and "\\" not in path)


def any_request_is_a_navigation(patch: Patch) -> None:
    patch.setattr(targets, "is_navigation", lambda asked: True)


def any_method_is_kept(patch: Patch) -> None:
    patch.setattr(targets, "wanted", lambda asked: targets.path_of(asked) if targets.safe(asked.path) else None)


def target_in_clear(patch: Patch) -> None:
    def seal(_: Keyring, purpose: str, plain: bytes, context: str, key_id: str | None = None) -> str:
        return f"test1.{urlsafe_b64encode(plain).decode()}"

    def unseal(_: Keyring, purpose: str, sealed: str, context: str) -> bytes:
        try:
            return urlsafe_b64decode(sealed.partition(".")[2])
        except ValueError:
            raise SealBroken("not readable") from None

    real_keep, real_kept = targets.keep, targets.kept

    def unsealed(function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            with pytest.MonkeyPatch.context() as inner:
                inner.setattr(Keyring, "seal", seal)
                inner.setattr(Keyring, "open", unseal)
                try:
                    return function(*args)
                except ValueError:
                    return None

        return run

    patch.setattr(targets, "keep", unsealed(real_keep))
    patch.setattr(targets, "kept", unsealed(real_kept))


def target_forever(patch: Patch) -> None:
    patch.setattr(targets, "MAX_AGE", 10**9)


def one_seal_for_everything(patch: Patch) -> None:
    patch.setattr(sealed_form, "_context", lambda session: targets.CONTEXT)
    patch.setattr(sealed_form, "PURPOSE", targets.PURPOSE)
    patch.setattr(targets, "Level", lambda level: answers.Level.MFA)


def next_is_listened_to(patch: Patch) -> None:
    real = targets.kept

    def kept(parts: Any, asked: Any) -> Any:
        wanted = asked.values.get("next") or asked.headers.get("Referer", "").removeprefix("https://portal.example")
        return targets.Target(wanted) if wanted else real(parts, asked)

    patch.setattr(targets, "kept", kept)


def links_follow_the_request(patch: Patch) -> None:
    patch.setattr(targets, "absolute", lambda settings, path: request.url_root.rstrip("/") + path)


def links_follow_the_proxys_word(patch: Patch) -> None:
    def absolute(settings: Settings, path: str) -> str:
        host = request.headers.get("X-Forwarded-Host") or request.headers.get("X-Host") or "portal.example"
        return f"https://{host}{path}"

    patch.setattr(targets, "absolute", absolute)


def script_root_follows_the_request(patch: Patch) -> None:
    real = targets.path_of
    patch.setattr(targets, "path_of", lambda asked: asked.root_path + real(asked))


# --- A26: known and unknown users ------------------------------------------------------------------------------------


def only_known_names_are_counted(patch: Patch) -> None:
    real = Password.tried

    def tried(self: Password, names: Sequence[str], client: ClientContext) -> Any:
        return real(self, [name for name in names if name in ("anne", "bob") or "officine" in name], client)

    patch.setattr(Password, "tried", tried)


def the_answer_names_the_next_step(patch: Patch) -> None:
    def half_way(context: Any) -> Any:
        progress = context.parts.sign_in.progress(context.session)
        return answers.go(answers.step_path(context.parts, progress.state))

    patch.setattr(answers, "half_way", half_way)


# --- A27: secrets ----------------------------------------------------------------------------------------------------


def picture_is_shown_again(patch: Patch) -> None:
    real = pages._form_page
    shown: dict[str, Any] = {}

    def form_page(name: str, *args: Any, **values: Any) -> Any:
        if values.get("stage") == "scan":
            shown.update(values)
        elif name == "enrol" and shown:
            values = {**shown, **{key: value for key, value in values.items() if key != "stage"}}
        return real(name, *args, **values)

    patch.setattr(pages, "_form_page", form_page)


def seeds_are_stored_in_clear(patch: Patch) -> None:
    def seal(self: Keyring, purpose: str, plain: bytes, context: str, key_id: str | None = None) -> str:
        return f"test1.{urlsafe_b64encode(plain).decode()}"

    patch.setattr(Keyring, "seal", seal)
    patch.setattr(Keyring, "open", lambda self, purpose, sealed, context: urlsafe_b64decode(sealed.partition(".")[2]))


def what_is_typed_is_logged(patch: Patch) -> None:
    real = Activation.redeem

    def redeem(self: Activation, client: Any, code: str) -> Any:
        flow.log.info("redeeming %s", code)
        return real(self, client, code)

    patch.setattr(Activation, "redeem", redeem)


def errors_are_told(patch: Patch) -> None:
    real = answers.said

    def said(refusal: Refusal, account: Any = None) -> str:
        return f"{real(refusal, account)} {refusal.__cause__ or ''}"

    patch.setattr(answers, "said", said)


def pages_may_be_stored(patch: Patch) -> None:
    patch.setitem(answers.HEADERS, "Cache-Control", "private, max-age=60")


# --- A57: caches ---------------------------------------------------------------------------------------------------


def the_portal_says_how_it_is_kept(patch: Patch) -> None:
    def only_where_it_is_silent(response: Any) -> None:
        response.headers.setdefault("Cache-Control", "no-store")

    patch.setattr(metering, "keep_private", only_where_it_is_silent)


def what_is_kept_does_not_vary(patch: Patch) -> None:
    patch.setattr(caching, "_names_cookie", lambda varies: True)


def any_word_of_private_will_do(patch: Patch) -> None:
    patch.setattr(caching, "_is_own", lambda said: "private" in said or "no-store" in said)


def shared_caches_are_told_otherwise(patch: Patch) -> None:
    for module in (caching, answers):
        patch.setattr(module, "is_for_shared_caches", lambda name: False)


def errors_are_kept_as_the_portal_says(patch: Patch) -> None:
    def process(self: Start, *given: Any) -> Any:
        return self.metering.after(self._after(*given))

    patch.setattr(Start, "process_response", process)


def public_pages_are_kept_as_they_say(patch: Patch) -> None:
    def guarded_alone(context: Any, response: Any) -> None:
        if context.admitted is not None:
            caching.keep_private(response)

    patch.setattr(metering, "depends_on_whom", guarded_alone)
    patch.setattr(start, "depends_on_whom", guarded_alone)


# --- A37: addresses --------------------------------------------------------------------------------------------------


def forwarded_addresses_are_believed(patch: Patch) -> None:
    real = Password.tried

    def tried(self: Password, name: str | None, client: Any) -> Any:
        address = request.headers.get("X-Forwarded-For", client.address or "").split(",")[0]
        return real(self, name, replace(client, address=address))

    patch.setattr(Password, "tried", tried)


# --- A50, A51 --------------------------------------------------------------------------------------------------------


def no_token(patch: Patch) -> None:
    patch.setattr(Keyring, "matches", _matching(Keyring.matches, lambda purpose: purpose == inputs.CSRF))


def _matching(real: Callable[..., bool], passes: Callable[[str], bool]) -> Callable[..., bool]:
    return lambda self, purpose, value, hashed: passes(purpose) or real(self, purpose, value, hashed)


def one_token_for_all(patch: Patch) -> None:
    real = Keyring.hash

    def hashed(self: Keyring, purpose: str, value: str, key_id: str | None = None) -> str:
        return real(self, purpose, "everybody" if purpose == inputs.CSRF else value, key_id)

    patch.setattr(Keyring, "hash", hashed)


def any_origin(patch: Patch) -> None:
    patch.setattr(inputs, "_check_origin", lambda asked, context: None)


def forms_of_any_origin_are_kept(patch: Patch) -> None:
    patch.setattr(sealed_form, "is_same_origin", lambda asked, origin, known=False: True)


def kept_forms_belong_to_nobody(patch: Patch) -> None:
    patch.setattr(sealed_form, "_context", lambda session: "held")


def may_be_framed(patch: Patch) -> None:
    patch.delitem(answers.HEADERS, "X-Frame-Options")
    policy = answers.HEADERS["Content-Security-Policy"]
    patch.setitem(answers.HEADERS, "Content-Security-Policy", re.sub(r"frame-ancestors 'none'(; )?", "", policy))


def inline_is_allowed(patch: Patch) -> None:
    policy = answers.HEADERS["Content-Security-Policy"].replace(
        "default-src 'self'", "default-src 'self' 'unsafe-inline'"
    )
    patch.setitem(answers.HEADERS, "Content-Security-Policy", policy)


def labels_are_taken_as_they_come(patch: Patch) -> None:
    patch.setattr(totp_flow, "clean_label", lambda label: label or "")


def nothing_is_escaped(patch: Patch) -> None:
    from markupsafe import Markup

    real = answers.render_template

    def render(name: str, **values: Any) -> str:
        return real(name, **{key: Markup(value) if isinstance(value, str) else value for key, value in values.items()})  # noqa: S704

    patch.setattr(answers, "render_template", render)


def app_labels_are_taken_as_they_come(patch: Patch) -> None:
    real = TOTP.begin_enrol

    def begin(self: TOTP, client: Any) -> Any:
        begun = real(self, client)
        name = self.account_of(client.require_session()).name
        uri = f"otpauth://totp/Portail:{name}?secret={begun.secret}&issuer=Portail"
        return type(begun)(begun.enrolment, begun.secret, uri, begun.key)

    patch.setattr(TOTP, "begin_enrol", begin)


DEFENCES: dict[str, Callable[[Patch], None]] = {
    "A57k": the_portal_says_how_it_is_kept,
    "A57kb": what_is_kept_does_not_vary,
    "A57kc": any_word_of_private_will_do,
    "A57kd": shared_caches_are_told_otherwise,
    "A57ke": errors_are_kept_as_the_portal_says,
    "A57kf": public_pages_are_kept_as_they_say,
    "A20w": any_field_is_taken,
    "A20wb": json_is_taken_as_it_comes,
    "A20wc": forms_are_taken_as_they_come,
    "A20wd": no_bound_on_size,
    "A20we": refusals_are_left_to_flask,
    "A22w": any_path_is_safe,
    "A22wb": path_as_werkzeug_cleans_it,
    "A22wc": once_decoded_is_enough,
    "A22wd": any_request_is_a_navigation,
    "A22we": any_method_is_kept,
    "A22wf": target_in_clear,
    "A22wg": target_forever,
    "A22wh": one_seal_for_everything,
    "A22wi": next_is_listened_to,
    "A22wj": script_root_follows_the_request,
    "A23w": links_follow_the_request,
    "A23wb": links_follow_the_proxys_word,
    "A26w": only_known_names_are_counted,
    "A26wb": the_answer_names_the_next_step,
    "A27w": picture_is_shown_again,
    "A27wb": seeds_are_stored_in_clear,
    "A27wc": what_is_typed_is_logged,
    "A27wd": errors_are_told,
    "A27we": pages_may_be_stored,
    "A37w": forwarded_addresses_are_believed,
    "A50w": no_token,
    "A50wb": one_token_for_all,
    "A50wc": any_origin,
    "A50wd": forms_of_any_origin_are_kept,
    "A50we": kept_forms_belong_to_nobody,
    "A51w": may_be_framed,
    "A51wb": inline_is_allowed,
    "A51wc": labels_are_taken_as_they_come,
    "A51wd": nothing_is_escaped,
    "A51we": app_labels_are_taken_as_they_come,
}
