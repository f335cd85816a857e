"""Defences of notices, and how each is taken out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from mfa_gate.flows import owner_notices as flow
from mfa_gate.flows.flow import Flow
from mfa_gate.flows.owner_notices import Notices
from mfa_gate.keyring import Keyring
from mfa_gate.notices import delivery
from mfa_gate.store import accounts, authenticators, counters, events, outbox, sessions
from mfa_gate.web import notice_texts as words

Patch = pytest.MonkeyPatch


def opening_the_link_presses_it(patch: Patch) -> None:
    def whose(self: Notices, link: str) -> str:
        subject = really(self, link)
        if pressing:
            return subject
        pressing.append(True)
        self.not_me(link, None)
        pressing.clear()
        return subject

    really, pressing = Notices.whose_link, list[bool]()
    patch.setattr(Notices, "whose_link", whose)


def pressing_it_freezes_nothing(patch: Patch) -> None:
    patch.setattr(accounts, "freeze", lambda *_: None)


def pressing_it_removes_what_is_there(patch: Patch) -> None:
    """What a thief with the mailbox would like it to do."""
    really = Notices.not_me

    def not_me(self: Notices, link: str, address: str | None) -> None:
        really(self, link, address)
        with self.services.store.begin() as tx:
            account_id = accounts.of_subject(tx, self.whose_link(link)) or ""
            for row in authenticators.of_account(tx, account_id):
                authenticators.remove(tx, account_id, row.id)

    patch.setattr(Notices, "not_me", not_me)


def first_enrolments_are_frozen_too(patch: Patch) -> None:
    from mfa_gate.exc import AdditionsFrozen

    really = Flow.may_change

    def may(self: Flow, tx: Any, session: Any, **how: Any) -> None:
        if how.get("adds") and self.services.clock() < (accounts.frozen_until(tx, session.account_id) or 0.0):
            raise AdditionsFrozen
        really(self, tx, session, **how)

    patch.setattr(Flow, "may_change", may)


def links_are_good_for_ever(patch: Patch) -> None:
    patch.setattr(flow, "LINK_LIFETIME", 10**9)


def links_are_not_signed(patch: Patch) -> None:
    really = Keyring.unsign

    def unsign(self: Keyring, purpose: str, signed: str) -> str | None:
        return really(self, purpose, signed) or (signed.rpartition(".")[0] or signed if purpose == "not me" else None)

    patch.setattr(Keyring, "unsign", unsign)


def a_link_works_as_often_as_one_likes(patch: Patch) -> None:
    patch.setattr(counters, "use", lambda *_: True)
    patch.setattr(counters, "is_used", lambda *_: False)


def a_link_ends_what_is_newer_too(patch: Patch) -> None:
    really = sessions.remove_older
    patch.setattr(sessions, "remove_older", lambda tx, account_id, _at: really(tx, account_id, 1e12))


def a_link_freezes_again_after_the_desk(patch: Patch) -> None:
    patch.setattr(events, "has_since", lambda *_: False)


def a_press_makes_the_next_link(patch: Patch) -> None:
    patch.setattr(flow, "_latest", lambda claimed: max(one.notice.at for one in claimed))


def nothing_is_said_at_the_next_sign_in(patch: Patch) -> None:
    patch.setattr(outbox, "waits", lambda *_: outbox.Waiting(False, False))


def each_alert_is_a_mail(patch: Patch) -> None:
    patch.setattr(Notices, "_may_go", lambda *_: True)


def what_failed_is_dropped(patch: Patch) -> None:
    def failed(self: Notices, channel: Any, batch: Any) -> float:
        self.sent(channel, batch)
        return 0.0

    patch.setattr(Notices, "failed", failed)


def news_for_whoever_has_the_password(patch: Patch) -> None:
    patch.setattr(Notices, "signed_in", lambda *_: frozenset())


def names_stand_in_mails_as_they_are(patch: Patch) -> None:
    from markupsafe import Markup

    patch.setattr(words, "_one_line", lambda name: Markup(name))  # noqa: S704


def senders_do_not_claim(patch: Patch) -> None:
    def claim(tx: Any, *values: Any) -> Any:
        found = really(tx, *values)
        tx.execute(text("UPDATE mfa_outbox SET claim = NULL, claimed_until = NULL"))
        return found

    really = outbox.claim
    patch.setattr(outbox, "claim", claim)


def any_text_with_an_at_is_an_address(patch: Patch) -> None:
    def one_line(address: Any) -> str | None:
        whole = str(address or "").isprintable() and not any(sign in str(address) for sign in ' <>,;:"()[]\\')
        return address if whole and all(str(address).rpartition("@")[::2]) else None

    patch.setattr(words, "mailable", one_line)
    patch.setattr(delivery, "_recipient", lambda message: message["To"].addresses[0].addr_spec)


def a_header_may_name_several(patch: Patch) -> None:
    patch.setattr(delivery, "_recipient", lambda message: str(message["To"]))


DEFENCES: dict[str, Callable[[Patch], None]] = {
    "A1news": news_for_whoever_has_the_password,
    "A51mail": names_stand_in_mails_as_they_are,
    "A51mailb": any_text_with_an_at_is_an_address,
    "A51mailc": a_header_may_name_several,
    "A52": each_alert_is_a_mail,
    "A52b": what_failed_is_dropped,
    "A52c": senders_do_not_claim,
    "A63": opening_the_link_presses_it,
    "A63b": pressing_it_freezes_nothing,
    "A63c": pressing_it_removes_what_is_there,
    "A63d": first_enrolments_are_frozen_too,
    "A63e": links_are_good_for_ever,
    "A63f": links_are_not_signed,
    "A63g": nothing_is_said_at_the_next_sign_in,
    "A74": a_link_works_as_often_as_one_likes,
    "A74b": a_link_ends_what_is_newer_too,
    "A74c": a_link_freezes_again_after_the_desk,
    "A74d": a_press_makes_the_next_link,
}
