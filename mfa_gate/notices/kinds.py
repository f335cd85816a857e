"""What owners are told of their own accounts: which events, in which words, how soon; and what the desk is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..durations import DAY, MINUTE
from ..exc import N_
from ..factors.registry import RECOVERY_AMR

SLIP: Final = 10 * MINUTE  # a sign-in that is still completed within that time shows that its owner mistyped


@dataclass(frozen=True, slots=True)
class NoticeKind:
    """One kind of notice.

    Attributes:
        sentence: English message id of what happened.
        delay: seconds until it is sent, in which it may turn out to be nothing.
        alarming: whether somebody else may be at work: "it was not me" is offered.
        counted: English message id that says how many records it is about.
    """

    sentence: str
    delay: float = 0.0
    alarming: bool = True
    counted: str | None = None


NOTICE_KINDS: Final[Mapping[str, NoticeKind]] = {
    "new_device": NoticeKind(
        N_("Somebody signed in to your account in a browser that had not been used for it before.")
    ),
    "failed_second_factor": NoticeKind(
        N_("Somebody knows your password, and could not prove to be you. Change your password if it was not you."), SLIP
    ),
    "authenticator_added": NoticeKind(N_("A new way to confirm your sign-in was set up: an app, a key or a device.")),
    "authenticator_imported": NoticeKind(
        N_("The codes that you type here already, or those of your code token, now guard your sign-in."), alarming=False
    ),
    "authenticator_removed": NoticeKind(N_("An app, a key or a device was removed from your account.")),
    "recovery_code_used": NoticeKind(N_("One of your recovery codes was used.")),
    "recovery_codes_renewed": NoticeKind(N_("New recovery codes were drawn. The old ones no longer work.")),
    "activation_issued": NoticeKind(N_("An activation code was issued for your account.")),
    "activation_redeemed": NoticeKind(N_("The activation code of your account was used.")),
    "device_replayed": NoticeKind(
        N_("A copy of what your browser keeps for us was used. Whoever was signed in by it has been signed out.")
    ),
    "leaked_password": NoticeKind(
        N_("Your password is in a list of passwords that were stolen elsewhere. Please change it."), alarming=False
    ),
    "unusual_sign_in": NoticeKind(
        N_("Somebody typed your password in a place and a browser unlike yours. Change it if it was not you.")
    ),
    "session_moved": NoticeKind(
        N_("Somebody used your open session in another place or browser, and was asked to prove to be you."),
        SLIP,
    ),
    "reads_stopped": NoticeKind(
        N_("Records were opened in your account in an unusual way. It was signed out, and opens no more for now."),
        counted=N_("Records opened that day: %(records)s."),
    ),
    "reads_lifted": NoticeKind(N_("Your account may open records again."), alarming=False),
    "reads_allowed": NoticeKind(
        N_("The help desk lets your account open more records than usual."),
        alarming=False,
        counted=N_("Records a day: %(records)s."),
    ),
    "password_changed": NoticeKind(N_("Your password was changed.")),
    "account_locked": NoticeKind(N_("Your account was locked."), alarming=False),
    "account_unlocked": NoticeKind(N_("Your account was unlocked."), alarming=False),
    "account_reset": NoticeKind(
        N_("The help desk removed all apps, keys, devices and recovery codes from your account.")
    ),
    "sessions_ended": NoticeKind(N_("The help desk signed you out everywhere."), alarming=False),
    "spoken_code_asked": NoticeKind(
        N_("The help desk asked for an activation code, to be told to you on the telephone.")
    ),
    "desk_granted": NoticeKind(N_("Your account may now act at the help desk.")),
    "desk_revoked": NoticeKind(N_("Your account may no longer act at the help desk."), alarming=False),
    "not_me": NoticeKind(
        N_("“It was not me” was pressed: everybody was signed out, and for three days nothing can be added."),
        alarming=False,
    ),
}

# what was its owner's own slip, where its owner proves it from the very same place
SLIPS: Final = frozenset(kind for kind, one in NOTICE_KINDS.items() if one.delay)
# which say already that somebody knows the password
PASSWORD_KNOWN: Final = ("failed_second_factor", "unusual_sign_in")
ALARMING: Final = frozenset(kind for kind, one in NOTICE_KINDS.items() if one.alarming)
OPEN_FOR: Final = 30 * DAY  # seconds that an alarming one is shown until it was seen by who cannot be the thief

# what somebody at the help desk has to look at, be it that nobody opens the account any more
ALERTS: Final = frozenset(
    {"unusual_sign_in", "device_replayed", "sign_count_went_back", "not_me", "reads_stopped", "reads_near_ceiling"}
)


def notice_of(kind: str, outcome: str, amr: str | None, data: Mapping[str, Any]) -> str | None:
    """Which kind of notice an event is told as, or None.

    Args:
        kind, outcome, amr: of the event.
        data: its further values.
    """
    if kind == "second_factor":
        if outcome == "failure":
            return "failed_second_factor" if data.get("signing_in") else None
        if amr == RECOVERY_AMR:
            return "recovery_code_used"
        return "new_device" if data.get("device") == "new" else None
    if kind in ("device_replayed", "leaked_password", "unusual_sign_in", "reads_stopped"):
        return kind
    if kind == "session_moved":
        return kind if outcome == "refused" else None
    if kind == "sign_in_unfinished":
        return "failed_second_factor"
    if kind == "account_unlocked" and not data.get("was_locked"):
        return None
    if kind == "sessions_ended" and "by" not in data:
        return None  # its owner did it, or the portal, which says so itself
    return kind if outcome == "success" and kind in NOTICE_KINDS else None
