"""The kinds of events: what each is in the Elastic Common Schema, and which further values it may have. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class EventKind:
    """One kind of event.

    Attributes:
        says: what happened, in a few words.
        category, type: `event.category` and `event.type` of the Elastic Common Schema.
        fields: the names of its further values.
    """

    says: str
    category: str
    type: str
    fields: frozenset[str] = frozenset()


def _kind(says: str, category: str, type_: str, *fields: str) -> EventKind:
    return EventKind(says, category, type_, frozenset(fields))


_AUTH, _IAM, _SESSION = "authentication", "iam", "session"
_FAILED = ("signing_in",)

KINDS: Final[Mapping[str, EventKind]] = {
    "first_factor": _kind("the portal let a password pass", _AUTH, "start"),
    "second_factor": _kind("a second factor was proven, or not", _AUTH, "info", "device", "left", *_FAILED),
    "activation_issued": _kind("an activation code was issued", _IAM, "creation", "why", "activation", "ended"),
    "activation_revoked": _kind("an activation code was revoked", _IAM, "deletion", "why", "ended", "was_open"),
    "activation_redeemed": _kind("an activation code was redeemed, or not", _IAM, "change", *_FAILED),
    "authenticator_added": _kind("an authenticator was enrolled, or not", _IAM, "creation", "id", *_FAILED),
    "authenticator_imported": _kind(
        "an authenticator of an earlier system was taken over", _IAM, "creation", "id", "renew"
    ),
    "authenticator_removed": _kind("an authenticator was removed", _IAM, "deletion", "id"),
    "authenticator_renamed": _kind("an authenticator was renamed", _IAM, "change", "id"),
    "recovery_codes_renewed": _kind("recovery codes were drawn", _IAM, "change"),
    "sign_count_went_back": _kind("a key's counter did not rise: it may have been copied", _AUTH, "indicator", "id"),
    "device_replayed": _kind("an old device cookie was used: it was copied", _AUTH, "indicator", "ended"),
    "identity_mismatch": _kind("the portal's session was of somebody else", _SESSION, "denied"),
    "observed": _kind("a view passed that would be refused once the group is enforced", _SESSION, "info", "view"),
    "session_ended": _kind("a session ended", _SESSION, "end"),
    "sessions_ended": _kind("sessions of an account were ended", _SESSION, "end", "why", "ended"),
    "password_changed": _kind("the portal changed a password", _IAM, "change", "ended"),
    "account_locked": _kind("an account was locked", _IAM, "change", "why"),
    "account_unlocked": _kind("an account was unlocked", _IAM, "change", "why", "was_locked"),
    "account_forgotten": _kind("all that was held about an account was deleted", _IAM, "deletion"),
    "not_me": _kind("an owner said that somebody else is at work", _AUTH, "indicator", "ended"),
    "notice_undeliverable": _kind("a notice could not be sent", _IAM, "error", "notices"),
}
