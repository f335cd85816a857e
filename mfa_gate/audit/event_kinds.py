"""The kinds of events: what each is in the Elastic Common Schema, and which further values it may have. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from ..exc import N_


@dataclass(frozen=True, slots=True)
class EventKind:
    """One kind of event.

    Attributes:
        says: message id of what happened, in a few words.
        category, type: `event.category` and `event.type` of the Elastic Common Schema.
        fields: the names of its further values.
        reasons: the words that may say why it ended so. A step that was refused also has the code of its `Refusal`.
    """

    says: str
    category: str
    type: str
    fields: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()


def _kind(says: str, category: str, type_: str, *fields: str, reasons: Collection[str] = ()) -> EventKind:
    return EventKind(says, category, type_, frozenset(fields), frozenset(reasons))


_AUTH, _IAM, _SESSION = "authentication", "iam", "session"
_FAILED = ("signing_in",)
# what can be wrong in a key's answer, at an assertion or a registration
_ANSWER: Final = (
    *("malformed", "type", "challenge", "origin", "cross_origin", "credential_id", "rp_id"),
    *("user_presence", "user_verification", "backup_flags"),
)

EVENT_KINDS: Final[Mapping[str, EventKind]] = {
    "first_factor": _kind(
        N_("the portal let a password pass"),
        _AUTH,
        "start",
        *("risk", "would_be", "score", "reasons", "evidence"),
        reasons=("locked",),
    ),
    "second_factor": _kind(
        N_("a second factor was proven, or not"),
        _AUTH,
        "info",
        *("device", "left", *_FAILED),
        reasons=("spent", "removed", "seal_broken", "user_handle", "signature", *_ANSWER),
    ),
    "sign_in_unfinished": _kind(N_("a right password was not followed by a second factor"), _AUTH, "indicator"),
    "activation_issued": _kind(
        N_("an activation code was issued"), _IAM, "creation", "why", "activation", "ended", "by", "via"
    ),
    "activation_revoked": _kind(N_("an activation code was revoked"), _IAM, "deletion", "why", "ended", "was_open"),
    "activation_redeemed": _kind(N_("an activation code was redeemed, or not"), _IAM, "change", *_FAILED),
    "authenticator_added": _kind(
        N_("an authenticator was enrolled, or not"),
        _IAM,
        "creation",
        *("id", *_FAILED),
        reasons=("algorithm", "key", "attestation", *_ANSWER),
    ),
    "authenticator_imported": _kind(
        N_("an authenticator of an earlier system was taken over"), _IAM, "creation", "id", "renew"
    ),
    "token_resynchronised": _kind(N_("the clock of a code token was found"), _IAM, "change", "id", "seconds", "why"),
    "authenticator_removed": _kind(N_("an authenticator was removed"), _IAM, "deletion", "id"),
    "authenticator_renamed": _kind(N_("an authenticator was renamed"), _IAM, "change", "id"),
    "recovery_codes_renewed": _kind(N_("recovery codes were drawn"), _IAM, "change"),
    "sign_count_went_back": _kind(
        N_("a key's counter did not rise: it may have been copied"), _AUTH, "indicator", "id"
    ),
    "device_replayed": _kind(N_("an old device cookie was used: it was copied"), _AUTH, "indicator", "ended"),
    "identity_mismatch": _kind(N_("the portal's session was of somebody else"), _SESSION, "denied"),
    "observed": _kind(
        N_("a view passed that would be refused once the group is enforced"),
        _SESSION,
        "info",
        "view",
        reasons=("no_authenticator",),
    ),
    "leaked_password": _kind(N_("a right password is in a list of leaked ones"), _AUTH, "indicator"),
    "session_moved": _kind(
        N_("a session showed up in a browser or a place unlike its owner's"),
        _SESSION,
        "indicator",
        "reasons",
    ),
    "unusual_sign_in": _kind(
        N_("a right password came from a place and a browser unlike its owner's"), _AUTH, "indicator", "reasons"
    ),
    "device_shown_late": _kind(
        N_("a known device was shown after a sign-in that another site posted"), _AUTH, "info", "reasons"
    ),
    "reads_asked": _kind(
        N_("a session has read its quota, an account its day's, or several from one new network"),
        _SESSION,
        "denied",
        "reasons",
    ),
    "reads_stopped": _kind(
        N_("records were read in a way unlike the account's, and it was stopped"),
        _SESSION,
        "indicator",
        "reasons",
        "records",
    ),
    "reads_near_ceiling": _kind(
        N_("an account has read nearly as many records today as anybody may"), _SESSION, "info", "records"
    ),
    "reads_reported": _kind(
        N_("records were read in a way that would be stopped"), _SESSION, "indicator", "reasons", "records"
    ),
    "reads_lifted": _kind(N_("an account may read records again"), _SESSION, "allowed", "why", "by"),
    "reads_allowed": _kind(
        N_("the help desk lets an account read more for a while"),
        _IAM,
        "allowed",
        "why",
        "by",
        "records",
        "until",
    ),
    "reads_allowance_asked": _kind(
        N_("the help desk asked to let an account read more"), _IAM, "info", "why", "by", "records"
    ),
    "reads_allowance_declined": _kind(N_("a second person let an account read no more"), _IAM, "denied", "by"),
    "report_made": _kind(N_("a report of who was read was made"), _IAM, "access", "what", "records", "why", "by"),
    "session_ended": _kind(N_("a session ended"), _SESSION, "end", reasons=("sign_out", "account_gone")),
    "sessions_ended": _kind(N_("sessions of an account were ended"), _SESSION, "end", "why", "ended", "by"),
    "password_changed": _kind(N_("the portal changed a password"), _IAM, "change", "ended"),
    "account_locked": _kind(N_("an account was locked"), _IAM, "change", "why", "by"),
    "account_unlocked": _kind(N_("an account was unlocked"), _IAM, "change", "why", "was_locked", "by"),
    "account_forgotten": _kind(N_("all that was held about an account was deleted"), _IAM, "deletion"),
    "account_reset": _kind(
        N_("all authenticators of an account were removed"), _IAM, "deletion", "why", "by", "removed"
    ),
    "desk_begun": _kind(N_("the help desk got its first supervisor"), _IAM, "admin"),
    "desk_granted": _kind(N_("an account got a role at the help desk"), _IAM, "admin", "why", "by", "role"),
    "desk_revoked": _kind(N_("an account lost its role at the help desk"), _IAM, "admin", "why", "by"),
    "alerts_closed": _kind(N_("the help desk has dealt with its alerts"), _IAM, "info", "why", "by", "kinds"),
    "desk_looked": _kind(N_("the help desk looked at an account"), _IAM, "access", "by"),
    "desk_refused": _kind(
        N_("the help desk tried what it may not do"),
        _IAM,
        "denied",
        "verb",
        "by",
        reasons=("permission", "role", "rank", "own_account"),
    ),
    "spoken_code_asked": _kind(N_("the help desk asked for a code to be told"), _IAM, "info", "why", "by"),
    "spoken_code_approved": _kind(N_("a second person let a code be told"), _IAM, "allowed", "by"),
    "spoken_code_declined": _kind(N_("a second person let no code be told"), _IAM, "denied", "by"),
    "not_me": _kind(N_("an owner said that somebody else is at work"), _AUTH, "indicator", "ended"),
    "notice_undeliverable": _kind(
        N_("a notice could not be sent"),
        _IAM,
        "error",
        "notices",
        reasons=("no_address", "account_gone", "recipient_refused"),
    ),
}
