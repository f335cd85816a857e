"""One small tree of exceptions that carry data.

A `Refusal` is an answer, not a fault: it has an HTTP status, a stable `code` for programs and a sentence for
people. The sentences are gettext message ids; `web` translates them.
"""

from __future__ import annotations

from typing import Any, ClassVar


def N_(sentence: str) -> str:
    """Mark a sentence for the catalogue without translating it here."""
    return sentence


class MFAGateError(Exception):
    """Base of all that this library raises on purpose."""


class ConfigurationError(MFAGateError):
    """A setting, a mark or a key is wrong: the app must not start. The text says what to write instead."""


class SealBroken(MFAGateError):
    """A sealed value does not open here: wrong key, another row, or altered bytes."""


class Refusal(MFAGateError):
    """A step that was not passed.

    Attributes:
        status: HTTP status of the answer.
        code: stable word for programs.
        sentence: English message id of the sentence for people.
        data: values for the sentence and for the problem document.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "refused"
    sentence: ClassVar[str] = N_("This request was refused.")

    def __init__(self, **data: Any) -> None:
        self.data = data
        super().__init__(self.sentence % data if data else self.sentence)


class InvalidRequest(Refusal):
    code = "invalid_request"
    sentence = N_("This request is not complete or not well formed. Go back and try again.")


class InvalidRecord(Refusal):
    """What was asked for cannot be the id of a record."""

    code = "invalid_record"
    sentence = N_("There can be no record of this name. Check what you typed.")


class TooLarge(Refusal):
    status = 413
    code = "too_large"
    sentence = N_("This request is too large.")


class Forged(Refusal):
    status = 403
    code = "csrf"
    sentence = N_("This page is out of date. Open it again and repeat what you did.")


class SignInRequired(Refusal):
    status = 401
    code = "sign_in_required"
    sentence = N_("Please sign in.")


class StepUpRequired(Refusal):
    """Signed in or half way there, and a (further) proof is asked for. `data["requirement"]` tells which."""

    status = 401
    code = "step_up_required"
    sentence = N_("Please confirm that it is you.")


class ReadQuotaReached(StepUpRequired):
    """The session has read as many records as one proof grants. `data["asked"]` tells what is asked for."""

    code = "read_quota_reached"
    sentence = N_("You have opened many records. Please confirm that it is you, then go on where you were.")


class ReadsStopped(Refusal):
    """The account reads no records until that is lifted. `data["ended"]` tells that the session has ended with it."""

    status = 403
    code = "reads_stopped"
    sentence = N_(
        "Records were opened in this account in a way that is not usual for it, so it was stopped. "
        "Sign in with a passkey or a security key, or call the help desk."
    )


class ReadsStoppedForDesk(ReadsStopped):
    """The same, where nothing that its owner could prove lifts it."""

    sentence = N_(
        "Records were opened in this account in a way that is not usual for it, so it was stopped. "
        "Only the help desk can let it open records again: please call them."
    )


class LiftRequired(StepUpRequired):
    """The account reads no records until a phishing-resistant proof lifts that, which it can make."""

    sentence = N_(
        "Records were opened in this account in a way that is not usual for it, so it opens no more for now. "
        "A passkey or a security key lifts that; a code does not."
    )


class TooManyAtOnce(Refusal):
    """A list with more records than a proof grants."""

    status = 403
    code = "too_many_at_once"
    sentence = N_("This list is too long to be shown at once. Search for something narrower.")


class NotMetered(Refusal):
    """A view that shows records has answered without saying which."""

    status = 500
    code = "not_metered"
    sentence = N_("This page is not ready to be shown. Please tell the help desk.")


class ActivationRequired(Refusal):
    status = 401
    code = "activation_required"
    sentence = N_("Your account must be activated first, with the activation code that you received.")


class EnrolmentRequired(Refusal):
    status = 401
    code = "enrolment_required"
    sentence = N_("Please finish setting up your authenticator first.")


class NoMethod(Refusal):
    """No authenticator of the account could ever satisfy what the view asks for."""

    status = 403
    code = "no_suitable_method"
    sentence = N_(
        "This page asks for a surer proof than what is linked to your account can give, such as a security key."
    )


class SurerProofRequired(Refusal):
    """The sign-in does not look like its owner's, and the account has something surer than what was tried."""

    status = 403
    code = "surer_proof_required"
    sentence = N_(
        "This sign-in does not look like your usual ones. Please use your key, your phone or this device to confirm it."
    )


class MethodNotEnough(Refusal):
    """A proof that would not open what was refused: nothing is verified."""

    status = 403
    code = "method_not_enough"
    sentence = N_("This would not be enough for what you wanted. Please confirm in the way that stands here.")


class TooUnusual(Refusal):
    """The sign-in does not look like its owner's at all, and nothing of the account could prove that it is."""

    status = 403
    code = "too_unusual"
    sentence = N_(
        "This sign-in does not look like yours, so it was stopped. "
        "Sign in with the computer or the phone that you usually use, or call the help desk."
    )


class WrongState(Refusal):
    status = 409
    code = "wrong_state"
    sentence = N_("This step does not fit here. Please continue from where you are.")


class WrongCode(Refusal):
    status = 422
    code = "wrong_code"
    sentence = N_("This code is not right. Check it and try again.")


class ClockDrift(WrongCode):
    """Only while confirming one's own enrolment. `minutes` is positive where the phone is ahead."""

    code = "clock_drift"
    sentence = N_(
        "The clock of your phone is off by about %(minutes)s minutes. Set it to automatic time, then type a new code."
    )


class WrongAssertion(Refusal):
    """A passkey's or security key's answer that does not hold. `data["reason"]` is a word for the event alone."""

    status = 422
    code = "wrong_assertion"
    sentence = N_("This passkey or security key was not accepted. Please try again.")


class WrongActivationCode(WrongCode):
    code = "wrong_activation_code"
    sentence = N_("This activation code does not open your account. It may be mistyped, used, expired or replaced.")


class EnrolmentGone(Refusal):
    status = 409
    code = "enrolment_gone"
    sentence = N_("This set-up is no longer open. Please begin again with a new picture.")


class LinkGone(Refusal):
    status = 404
    code = "link_gone"
    sentence = N_("This link is no longer good. Sign in: what happened is said there too.")


class AdditionsFrozen(Refusal):
    status = 403
    code = "additions_frozen"
    sentence = N_(
        "“It was not me” was pressed: for three days nothing can be added. "
        "The help desk can end this with a new activation code."
    )


class NotFound(Refusal):
    status = 404
    code = "not_found"
    sentence = N_("There is nothing of this name.")


class WrongMethod(Refusal):
    status = 405
    code = "method_not_allowed"
    sentence = N_("This cannot be asked for in this way.")


class LastAuthenticator(Refusal):
    status = 409
    code = "last_authenticator"
    sentence = N_("This is your last authenticator. Set up another one before you remove it.")


class TooManyAttempts(Refusal):
    """`retry_after` is in whole seconds."""

    status = 429
    code = "too_many_attempts"
    sentence = N_("Too many attempts.")


class AccountClosed(Refusal):
    status = 403
    code = "account_closed"
    sentence = N_("This account is closed for now. Please contact your help desk.")


class NotPermitted(Refusal):
    """Not for this person at the desk. `data["reason"]` is a word for the event."""

    status = 403
    code = "not_permitted"
    sentence = N_("You may not do this at the help desk.")


class OwnAccount(NotPermitted):
    code = "own_account"
    sentence = N_("Nobody acts on their own account at the help desk: ask a colleague.")


class ReasonMissing(Refusal):
    status = 422
    code = "reason_missing"
    sentence = N_("Say why, in a few words: it is kept with what you did.")


class UnknownToDesk(Refusal):
    status = 404
    code = "unknown_account"
    sentence = N_("The portal knows no such account. Check what you typed.")


class RequestGone(Refusal):
    status = 409
    code = "request_gone"
    sentence = N_("This request is no longer open: it was used, declined, or is too old.")


class Unavailable(Refusal):
    """A part that the answer depends on does not work: closed until it does."""

    status = 503
    code = "unavailable"
    sentence = N_("This service is not available at the moment. Nothing was lost. Please try again shortly.")
