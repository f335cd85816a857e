"""Notices as people read them: folded by kind, on the page and in mails, in the language of the account."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

from flask import render_template

from ..audit.event_kinds import EVENT_KINDS
from ..flows.owner_notices import Batch
from ..lines import visible
from ..netinfo.browsers import shown_again
from ..notices.addresses import mailable
from ..notices.delivery import Undeliverable
from ..notices.kinds import NOTICE_KINDS
from ..store.alerts import Digest
from ..store.outbox import NoticeRow, Shown
from ..wiring import Parts
from .language import Translate, catalogue, choose, date_of, long_date


@dataclass(frozen=True, slots=True)
class Line:
    """What happened, how often, when last, and in which browsers."""

    sentence: str
    count: int
    last: str
    browsers: tuple[str, ...]


def folded(rows: Iterable[NoticeRow], locale: str) -> list[Line]:
    """One line for each kind, the latest first."""
    rows = sorted(rows, key=lambda row: -row.at)
    times = Counter(row.kind for row in rows)
    return counted([Shown(row, times[row.kind]) for row in rows], locale)


def counted(shown: Iterable[Shown], locale: str) -> list[Line]:
    """The same of those of which the latest of each kind were read, and how many there are; the latest first."""
    by_kind: dict[str, list[NoticeRow]] = {}
    times: dict[str, int] = {}
    for one in shown:
        by_kind.setdefault(one.notice.kind, []).append(one.notice)
        times[one.notice.kind] = one.times
    t = catalogue(locale)
    return [
        Line(_sentence(kind, own[0], t), times[kind], moment(own[0].at, locale), _browsers(own, t))
        for kind, own in by_kind.items()
        if kind in NOTICE_KINDS
    ]


def _sentence(kind: str, latest: NoticeRow, t: Callable[[str], str]) -> str:
    """What happened, and with how many records."""
    said, counted, records = (
        t(NOTICE_KINDS[kind].sentence),
        NOTICE_KINDS[kind].counted,
        json.loads(latest.data).get("records"),
    )
    return said if counted is None or records is None else f"{said} {t(counted) % {'records': records}}"


def moment(at: float, locale: str) -> str:
    """A day and a time, in universal time, since nobody knows where its reader is."""
    t, clock = catalogue(locale), datetime.fromtimestamp(at, UTC).strftime("%H:%M")
    return t("%(date)s at %(clock)s UTC") % {"date": long_date(date_of(at), locale), "clock": clock}


def message(parts: Parts, batch: Batch, sender: str) -> EmailMessage:
    """The mail of a batch, as text and HTML.

    Raises:
        Undeliverable: the account is gone, or has no address that mail can be sent to.
    """
    account, settings = batch.account, parts.settings
    to = mailable(account.email) if account else None
    if account is None or to is None:
        raise Undeliverable("no_address" if account else "account_gone")
    locale = choose(settings, account.locale)
    t = catalogue(locale)
    alarming = any(NOTICE_KINDS[row.kind].alarming for row in batch.notices if row.kind in NOTICE_KINDS)
    values: dict[str, Any] = {
        "t": t,
        "locale": locale,
        "subject": t("Security of your account at %(service)s") % {"service": settings.name},
        "greeting": t("Hello %(name)s,") % {"name": _one_line(account.name)},
        "news": folded(batch.notices, locale),
        "link": f"{settings.base_url}{settings.url_prefix}/not-me?link={batch.link}" if alarming else None,
        "support": settings.support,
        "service": settings.name,
        "base_url": settings.base_url,
    }
    mail = EmailMessage()
    mail["Subject"] = values["subject"]
    mail["From"], mail["To"] = sender, to
    mail["Date"] = datetime.fromtimestamp(parts.services.clock(), UTC)
    # the same at each try, so that a mail that went out twice can be told
    mail["Message-ID"] = f"<mfa-gate-{batch.subject}-{max(batch.ids)}@{urlsplit(settings.base_url).hostname}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5
    mail.set_content(render_template("mfa_gate/mail.txt", **values))
    mail.add_alternative(render_template("mfa_gate/mail.html", **values), subtype="html")
    return mail


def desk_message(parts: Parts, news: Digest, sender: str, to: str) -> EmailMessage:
    """The mail to the desk: how many accounts are to be looked at, and for what. It names nobody."""
    settings = parts.settings
    t = catalogue(choose(settings, None))
    lines = [
        t("%(count)s × %(what)s") % {"count": number, "what": t(EVENT_KINDS[kind].says)}
        for kind, number in news.kinds.items()
    ]
    mail = EmailMessage()
    mail["Subject"] = t("To be looked at: %(count)s accounts at %(service)s") % {
        "count": news.accounts,
        "service": settings.name,
    }
    mail["From"], mail["To"] = sender, to
    mail["Date"] = datetime.fromtimestamp(parts.services.clock(), UTC)
    host = urlsplit(settings.base_url).hostname
    mail["Message-ID"] = f"<mfa-gate-desk-{news.last_id}-{int(news.last_at)}@{host}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5
    mail.set_content("\n".join([*lines, "", f"{settings.base_url}{settings.url_prefix}/desk"]) + "\n")
    return mail


def payload(parts: Parts, batch: Batch) -> bytes:
    """The body of a webhook."""
    account_id = batch.account.id if batch.account else None
    notices = [
        {
            "id": row.id,
            "type": f"mfa_gate.{row.kind}",
            "time": datetime.fromtimestamp(row.at, UTC).isoformat(),
            "data": _told(json.loads(row.data)),
        }
        for row in batch.notices
    ]
    document = {"portal": parts.settings.base_url, "account": account_id, "notices": notices}
    return json.dumps(document, sort_keys=True).encode()


def _told(data: dict[str, Any]) -> dict[str, Any]:
    """What programs are told of a notice: how it was proven, how many records, and in which browser, if in one."""
    told = {name: value for name, value in data.items() if name in ("method", "records")}
    if "browser" in data:
        told["browser"] = shown_again(data["browser"])
    return told


def _browsers(rows: Sequence[NoticeRow], t: Translate) -> tuple[str, ...]:
    """In words of ours alone: a stranger chooses what a browser calls itself."""
    kept = (json.loads(row.data).get("browser") for row in rows)
    return tuple(dict.fromkeys(shown_again(one) or t("an unknown browser") for one in kept if one is not None))


def _one_line(name: str) -> str:
    return visible(name)[:100]
