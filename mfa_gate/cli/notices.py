"""Sending what owners are told: one pass, or over and over."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import click

from ..flows.flow import log
from ..flows.owner_notices import Batch
from ..notices.delivery import Mail, NotNow, Undeliverable, Webhook
from ..store.outbox import Channel
from ..web import notice_texts as words
from ..wiring import Parts
from .output import Failed, in_app, parts, tell


@click.group()
def notices() -> None:
    """What owners are told."""


@notices.command("send")
@click.option("--loop", is_flag=True, help="Go on until the process is stopped.")
@click.option(
    "--every", default=30.0, show_default=True, type=click.FloatRange(1, 3600), help="Seconds between passes."
)
@in_app
def send(loop: bool, every: float, as_json: bool) -> None:
    """Send the mails and webhooks that are due. Nothing is lost while a server is down."""
    here = parts()
    if here.mail is None and here.webhook is None:
        raise Failed("there is no way to send: give MFAGate a mail=Mail(...) or a webhook=Webhook(...)")
    pause = threading.Event()
    while True:
        counted = one_pass(here)
        sentence = f"{counted['sent']} sent, {counted['later']} put off, {counted['given_up']} given up."
        tell(as_json, dict(counted), sentence)
        if not loop or pause.wait(every):
            return


def one_pass(here: Parts) -> Counter[str]:
    """Send everything that is due; how many batches were sent, put off, and given up."""
    counted: Counter[str] = Counter(sent=0, later=0, given_up=0)
    if (mail := here.mail) is not None:
        _channel(here, "mail", lambda batch: _mail(here, mail, batch), counted)
        _desk(here, mail, counted)
    if (webhook := here.webhook) is not None:
        _channel(here, "hook", lambda batch: _call(here, webhook, batch), counted)
    return counted


def _channel(here: Parts, channel: Channel, deliver: Callable[[Batch], None], counted: Counter[str]) -> None:
    while batches := here.notices.claim(channel):
        down = False
        for batch in batches:
            try:
                if down:
                    raise NotNow("the server did not answer a moment ago")
                deliver(batch)
            except Undeliverable as error:
                here.notices.give_up(channel, batch, str(error))
                counted["given_up"] += 1
            except NotNow as error:
                wait = here.notices.failed(channel, batch)
                log.warning("a notice by %s is tried again in %d s: %s", channel, wait, error)
                counted["later"] += 1
                down = not error.alone
            else:
                here.notices.sent(channel, batch)
                counted["sent"] += 1


def _desk(here: Parts, mail: Mail, counted: Counter[str]) -> None:
    """One mail to the desk about all that is new there."""
    policy = here.desk.policy
    news = here.desk.to_mail() if policy is not None and policy.mail is not None else None
    if policy is None or policy.mail is None or news is None:
        return
    try:
        mail.send(words.desk_message(here, news, mail.sender, policy.mail))
    except (NotNow, Undeliverable) as error:
        log.warning("the desk could not be written to, and is at the next pass: %s", error)
        counted["later"] += 1
        return
    here.desk.mailed(news)
    counted["sent"] += 1


def _mail(here: Parts, mail: Mail, batch: Batch) -> None:
    mail.send(words.message(here, batch, mail.sender))


def _call(here: Parts, webhook: Webhook, batch: Batch) -> None:
    at = int(here.services.clock())
    webhook.send(f"{batch.subject}-{max(batch.ids)}", at, words.payload(here, batch))
