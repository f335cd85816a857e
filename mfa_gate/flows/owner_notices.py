"""Notices on their way: shown at the next sign-in, sent at least once, and answered by "it was not me"."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ..account import Account
from ..audit.record import Who
from ..durations import DAY
from ..exc import LinkGone
from ..factors.registry import METHODS
from ..levels import Level
from ..notices.kinds import NOTICE_KINDS, OPEN_FOR
from ..sessions.session import Session
from ..store import Transaction, accounts, authenticators, counters, events, outbox, sessions
from ..store.outbox import Alarms, Channel, NoticeRow, Shown
from . import unfinished
from .flow import ClientContext, Flow

MAX_SHOWN: Final = 20  # of one account and kind at once
CLAIM_SECONDS: Final = 600.0  # seconds that a sender has; one that died leaves its notices to the next
BATCH_SIZE: Final = 20  # accounts at once
MAIL_INTERVAL: Final = 3600.0  # seconds between two mails to one account about the same
LONGEST_WAIT: Final = 6 * 3600.0
LINK_LIFETIME: Final = 7 * DAY  # seconds that "it was not me" may be pressed
FREEZE: Final = 3 * DAY
_PURPOSE: Final = "not me"


@dataclass(frozen=True, slots=True)
class Batch:
    """Notices of one account that go out together.

    Attributes:
        account: as the portal knows it; None where it does not any more.
        link: the token of "it was not me".
        tries: how often sending the oldest of them failed.
    """

    account: Account | None
    subject: str
    notices: tuple[NoticeRow, ...]
    link: str = field(repr=False)
    tries: int

    @property
    def ids(self) -> list[int]:
        return [notice.id for notice in self.notices]


class _Link(NamedTuple):
    """Whose link of "it was not me" it is, until when it is good, and when its mail's newest notice was written."""

    subject: str
    ends_at: float
    at: float


def _latest(claimed: list[outbox.Claimed]) -> float:
    """When the latest of these notices was written that offers "it was not me".

    That it was pressed is none of them: else one link would make the next one, each for all that came in between.
    """
    alarming = [one for one in claimed if one.notice.kind in NOTICE_KINDS and NOTICE_KINDS[one.notice.kind].alarming]
    return max(one.notice.at for one in alarming or claimed)


class News(NamedTuple):
    """What an owner has not been shown yet.

    Attributes:
        shown: of each kind the latest, and how many there are.
        up_to: id of the latest one.
        stays: alarming ones are among it that this session cannot mark as seen.
    """

    shown: list[Shown]
    up_to: int
    stays: bool


class Notices(Flow):
    """What owners are told."""

    def displayed(self, client: ClientContext) -> News:
        """What the session's owner has not been shown yet, by kind; nothing that this sign-in did itself.

        What is displayed here is what this session may mark as seen.

        Raises:
            SignInRequired, StepUpRequired, ...: the session is not signed in; nothing is told then.
        """
        session, now = client.require_session(), self.services.clock()
        with self.services.store.begin() as tx:
            accounts.lock_row(tx, session.account_id)  # or one that is being written would pass for displayed
            self.signed_in(tx, session)
            opened = outbox.opened(tx, session.account_id, session.sign_in, now, MAX_SHOWN)
            up_to = outbox.newest(tx, session.account_id) if opened else 0
            sessions.display(tx, session.sign_in, up_to)
            alarms = self._alarms(tx, session, now)
        return News(opened, up_to, not all(alarms.may_mark(one.notice) for one in opened))

    def history(self, client: ClientContext) -> list[Shown]:
        """What the session's owner was told earlier, by kind. Raises as `displayed`."""
        session = client.require_session()
        with self.services.store.begin() as tx:
            self.signed_in(tx, session)
            return outbox.history(tx, session.account_id, session.sign_in, self.services.clock(), MAX_SHOWN)

    def see(self, client: ClientContext, up_to: int) -> int:
        """Note that the owner has seen the notices up to this one; how many those were.

        Of no more than was displayed to this very session, and of alarming ones only where that was there before.
        """
        session, now = client.require_session(), self.services.clock()
        with self.services.store.begin() as tx:
            self.signed_in(tx, session)
            up_to = min(up_to, sessions.displayed(tx, session.sign_in))
            alarms = self._alarms(tx, session, now)
            return outbox.see(tx, session.account_id, session.sign_in, up_to, now, alarms)

    def _alarms(self, tx: Transaction, session: Session, now: float) -> Alarms:
        """Which alarms a session may mark: all of them, if its device or its key was known before the first one.

        A device or a passkey that is as new as the alarm may be what the alarm is about. Until its first authenticator
        an account knows neither: what led to that is marked by whoever it was displayed to.
        """
        recent = now - OPEN_FOR
        begun = events.first_enrolment(tx, session.account_id, recent)
        since, by = (max(begun.at, recent), begun.sign_in) if begun else (recent, None)
        first, known = outbox.first_alarm(tx, session.account_id, since, by), self._known_since(tx, session)
        return Alarms(first is None or (known is not None and known < first), since, by)

    def _known_since(self, tx: Transaction, session: Session) -> float | None:
        """Since when a session's device is known, or the passkey that it was proven by."""
        keys = {one.authenticator for one in session.proofs if METHODS[one.amr].level >= Level.PHISHING_RESISTANT}
        times = [row.created_at for row in authenticators.of_account(tx, session.account_id) if row.id in keys]
        device = sessions.device_since(tx, session.sign_in)
        return min([*times, *([device] if device is not None else [])], default=None)

    def claim(self, channel: Channel) -> list[Batch]:
        """Take what is due on a channel, by account. What was mailed about within the hour waits, and folds into one.

        Args:
            channel: whose notices.
        """
        now = self.services.clock()
        unfinished.sweep(self.services)
        with self.services.store.begin() as tx:
            claimed = outbox.claim(tx, channel, now, now + CLAIM_SECONDS, BATCH_SIZE)
        by_account: dict[tuple[str, str], list[outbox.Claimed]] = {}
        for one in claimed:
            by_account.setdefault((one.notice.subject, one.account_id), []).append(one)
        batches = [
            Batch(
                self.services.load_account(account_id),
                subject,
                tuple(one.notice for one in own),
                self._link(subject, now, _latest(own)),
                max(one.tries for one in own),
            )
            for (subject, account_id), own in by_account.items()
        ]
        return [batch for batch in batches if channel != "mail" or self._may_go(batch, now)]

    def _may_go(self, batch: Batch, now: float) -> bool:
        with self.services.store.begin() as tx:
            last = outbox.last_mailed(tx, batch.subject)
            waits = [last.get(notice.kind, -MAIL_INTERVAL) + MAIL_INTERVAL - now for notice in batch.notices]
            if min(waits) <= 0:
                return True
            outbox.postponed(tx, "mail", batch.ids, now + min(waits), failed=False)
        return False

    def sent(self, channel: Channel, batch: Batch) -> None:
        with self.services.store.begin() as tx:
            outbox.sent(tx, channel, batch.ids, self.services.clock())

    def failed(self, channel: Channel, batch: Batch) -> float:
        """Try again later: a minute, then twice as long each time, up to six hours; for ever. Seconds from now."""
        now, wait = self.services.clock(), min(60.0 * 2.0 ** min(batch.tries, 20), LONGEST_WAIT)
        with self.services.store.begin() as tx:
            outbox.postponed(tx, channel, batch.ids, now + wait, failed=True)
        return wait

    def give_up(self, channel: Channel, batch: Batch, reason: str) -> None:
        """There is nobody to send them to; they are still shown at the next sign-in."""
        now = self.services.clock()
        with self.services.store.begin() as tx:
            outbox.given_up(tx, channel, batch.ids)
            self.services.audit.record(
                tx,
                "notice_undeliverable",
                now,
                Who(batch.subject),
                outcome="failure",
                reason=reason,
                notices=len(batch.notices),
            )

    def whose_link(self, link: str) -> str:
        """The subject that a link of "it was not me" belongs to.

        Raises:
            LinkGone: altered, or too old.
        """
        return self._opened(link).subject

    def owner(self, link: str) -> Account | None:
        """The account that a link of "it was not me" belongs to, as the portal knows it. Nothing is changed.

        Raises:
            LinkGone: altered, too old, or used.
        """
        subject = self.whose_link(link)
        with self.services.store.begin() as tx:
            if any(counters.is_used(tx, key) for key in self._uses(self._opened(link))):
                raise LinkGone
            account_id = accounts.of_subject(tx, subject)
        return self.services.load_account(account_id) if account_id else None

    def not_me(self, link: str, address: str | None) -> None:
        """End what was signed in when the notice was written, and let nothing be added for three days; once.

        It removes nothing, since a thief may press it. Who signed in since, by a proof, stays in; and where the desk
        has issued an activation code since, it knew whom it was for, and nothing is frozen again.

        An account without an authenticator stays open for its first one, which takes a code that no mailbox holds.

        Raises:
            LinkGone: altered, too old, used, or the account is forgotten.
        """
        opened, now = self._opened(link), self.services.clock()
        with self.services.store.begin() as tx:
            account_id = accounts.of_subject(tx, opened.subject)
            if account_id is None or accounts.lock_row(tx, account_id) is None:
                raise LinkGone
            current, *older = self._uses(opened)
            if any(counters.is_used(tx, key) for key in older) or not counters.use(tx, current, opened.ends_at):
                raise LinkGone
            ended = sessions.remove_older(tx, account_id, opened.at)
            if not events.has_since(tx, opened.subject, "activation_issued", opened.at):
                accounts.freeze(tx, account_id, now + FREEZE)
            self.services.audit.record(tx, "not_me", now, Who(opened.subject, None, address), ended=ended)

    def _opened(self, link: str) -> _Link:
        """What a link says.

        Raises:
            LinkGone: altered, or too old.
        """
        try:
            subject, end, at = (self.services.keyring.unsign(_PURPOSE, link[:400]) or "").split("~")
            opened = _Link(subject, float(end), float(at))
        except ValueError:
            raise LinkGone from None
        if self.services.clock() >= opened.ends_at:
            raise LinkGone
        return opened

    def _uses(self, opened: _Link) -> list[str]:
        """What the use of a link is noted under: the same for all links to the same notice."""
        return self.services.keyring.hashes(_PURPOSE, f"{opened.subject} {opened.at!r}")

    def _link(self, subject: str, now: float, at: float | None = None) -> str:
        """The token of "it was not me" in a mail of now, whose newest notice is of `at`."""
        at = now if at is None else at
        return self.services.keyring.sign(_PURPOSE, f"{subject}~{int(now + LINK_LIFETIME)}~{at!r}")
