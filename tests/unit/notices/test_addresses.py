"""A mail goes to one person, at an address that nothing on the way reads as another's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any

import pytest

from mfa_gate import Account, ConfigurationError, DeskPolicy, Mail
from mfa_gate.notices.addresses import mailable
from mfa_gate.notices.delivery import Undeliverable
from tests.support.portal import Portal
from tests.support.postbox import Postbox, by_mail, open_postbox, send

NO_ADDRESS = [
    "=?utf-8?q?all=40b.example=2C_anne?=@portal.example",
    "=?utf-8?b?YWxsQGIuZXhhbXBsZSwgYQ==?=@portal.example",
    "=?x?q?=41=42collab=40b.example=3e=20?=anne@portal.example",
    "anne=?utf-8?q?=2c?=@portal.example",
    "=?iso-8859-1?q?a?=",
    "anne@=?utf-8?q?b.example=2Cportal.example?=",
    "anne@portal.example, all@b.example",
    "anne@portal.example;all@b.example",
    "anne@portal.example all@b.example",
    "all@b.example@portal.example",
    "Anne <anne@portal.example>",
    "<anne@portal.example>",
    "people: anne@portal.example, all@b.example;",
    '"anne"@portal.example',
    '"all@b.example,"@portal.example',
    '"a\\"b"@portal.example',
    "anne(all@b.example)@portal.example",
    "anne@portal.example(, all@b.example)",
    "anne@[192.0.2.1]",
    "anne@192.0.2.1",
    "anne@[IPv6:2001:db8::1]",
    "@b.example:anne@portal.example",
    "all%b.example@portal.example",
    "b.example!all@portal.example",
    "|cat@portal.example",
    "/etc/passwd@portal.example",
    "${run{id}}@portal.example",
    "`id`@portal.example",
    "-froot@portal.example",
    "anne@portal.example\r\nBcc: all@b.example",
    "anne@portal.example\nBcc: all@b.example",
    "anne@portal.example\r",
    "anne\0@portal.example",
    "anne@portal.example\0.b.example",
    "anne\t@portal.example",
    " anne@portal.example",
    "anne@portal.example ",
    "anne\x7f@portal.example",
    "anne\x85@portal.example",
    "anne\u2028@portal.example",
    "anne\u202e@portal.example",
    "anne\u200b@portal.example",
    "anne\xad@portal.example",
    "anne@portal\u202e.example",
    "anne\uff20b.example@portal.example",
    "anne\ufe6bb.example",
    "anne\uff0call@portal.example",
    "anne@portal\u3002example",
    "anne@\uff50ortal.example",
    "anne@b\u2105.example",
    "anne@\U0001f600.example",
    "\U0001f600@portal.example",
    "\ud800@portal.example",
    "anne@\udfff.example",
    "anne",
    "anne@",
    "@portal.example",
    "@",
    "",
    ".anne@portal.example",
    "anne.@portal.example",
    "an..ne@portal.example",
    "anne@.portal.example",
    "anne@portal..example",
    "anne@portal.example.",
    "anne@-portal.example",
    "anne@portal-.example",
    "anne@portal_a.example",
    "anne@portal example",
    "a" * 65 + "@portal.example",
    "\u00e9" * 33 + "@portal.example",
    "anne@" + "b" * 64 + ".example",
    "anne@" + ".".join(["b" * 60] * 5),
    "anne@" + "\u00e9" * 63 + ".example",
    "x" * 300,
]
# what was given, and what stands in envelope and header
ADDRESSES = {
    "anne@portal.example": "anne@portal.example",
    "Anne.Martin+mfa@Portal.Example": "Anne.Martin+mfa@portal.example",
    "o'brien_1-2=3@portal.example": "o'brien_1-2=3@portal.example",
    "info@pharmacie-l\u00e9g\u00e8re.example": "info@xn--pharmacie-lgre-6jbo.example",
    "info@pharmacie-le\u0301ge\u0300re.example": "info@xn--pharmacie-lgre-6jbo.example",
    "info@PHARMACIE-L\u00c9G\u00c8RE.example": "info@xn--pharmacie-lgre-6jbo.example",
    "info@xn--bcher-kva.example": "info@xn--bcher-kva.example",
    "info@fa\u00df.example": "info@xn--fa-hia.example",
    "root@localhost": "root@localhost",
}


@pytest.fixture
def backend() -> str:
    """What an address is knows nothing of the store: one back end will do."""
    return "sqlite"


@pytest.fixture(params=[True, False], ids=["SMTPUTF8", "ASCII alone"])
def postbox(request: pytest.FixtureRequest) -> Iterator[Postbox]:
    with open_postbox(utf8=request.param) as box:
        yield box


def told(portal: Portal, postbox: Postbox, *emails: Any) -> dict[str, int]:
    """Something has happened to people with these addresses; what became of a pass."""
    by_mail(portal, postbox.port)
    for number, email in enumerate(emails):
        account = portal.people[f"p{number}"] = Account(f"p{number}", "Somebody", email)
        with portal.app.app_context():
            portal.gate.issue_activation(account.id, reason="test")
    return send(portal)


@pytest.mark.abuse("A51")
@pytest.mark.parametrize("postbox", [True], indirect=True)
def test_what_may_be_read_as_another_address_is_none(portal: Portal, postbox: Postbox) -> None:
    assert [ascii(address) for address in NO_ADDRESS if mailable(address) is not None] == []
    counted = told(portal, postbox, *NO_ADDRESS)
    assert counted == {"sent": 0, "later": 0, "given_up": len(NO_ADDRESS)}
    assert postbox.mails == []
    assert portal.events("p0")[-1] == ("notice_undeliverable", "failure", "no_address")


@pytest.mark.parametrize("email", [None, 5, b"anne@portal.example", ["anne@portal.example"], object()])
def test_what_is_no_text_is_no_address(email: Any) -> None:
    assert mailable(email) is None


@pytest.mark.abuse("A51")
def test_a_mail_goes_to_one_address_and_its_header_says_the_same(portal: Portal, postbox: Postbox) -> None:
    """A host name that is not ASCII needs no more of a relay than another one."""
    assert told(portal, postbox, *ADDRESSES)["sent"] == len(ADDRESSES)
    made = sorted(ADDRESSES.values())
    assert sorted(mail["X-Rcpt"] for mail in postbox.mails) == made
    assert sorted(str(mail["To"]) for mail in postbox.mails) == made
    assert {len(mail["To"].addresses) for mail in postbox.mails} == {1}


def test_a_name_that_the_relay_cannot_write_holds_up_nobody_else(portal: Portal, postbox: Postbox) -> None:
    ours = [f"u{number}@portal.example" for number in range(3)]
    told(portal, postbox, "j\u00fcrgen@portal.example", *ours)
    arrived = {mail["X-Rcpt"] for mail in postbox.mails}
    assert arrived == ({"j\u00fcrgen@portal.example", *ours} if postbox.utf8 else set(ours))
    if not postbox.utf8:
        assert portal.events("p0")[-1] == ("notice_undeliverable", "failure", "recipient_refused")


def test_a_mail_that_is_refused_as_a_whole_holds_up_no_other(portal: Portal, postbox: Postbox) -> None:
    postbox.data = "554 looks like spam"
    assert told(portal, postbox, "a@portal.example", "b@portal.example")["later"] == 2
    postbox.data = "250 OK"
    portal.clock.advance(timedelta(minutes=1))
    assert send(portal)["sent"] == 2


@pytest.mark.abuse("A51")
def test_a_header_that_reads_as_more_than_one_address_is_not_sent() -> None:
    mail = EmailMessage()
    mail["To"] = (Address("A", addr_spec="a@b.example"), Address("B", addr_spec="b@b.example"))
    with pytest.raises(Undeliverable):
        Mail("127.0.0.1", "portail@example.org", port=1, security="none").send(mail)


@pytest.mark.parametrize("address", NO_ADDRESS)
def test_what_is_no_address_of_ours_stops_the_start(address: str) -> None:
    with pytest.raises(ConfigurationError):
        Mail("smtp.example.org", address)
    with pytest.raises(ConfigurationError):
        DeskPolicy(permission=lambda account: True, mail=address)


def test_our_own_addresses_are_written_in_ascii() -> None:
    assert Mail("smtp.example.org", "a@b\u00fccher.example").sender == "a@xn--bcher-kva.example"
    assert DeskPolicy(permission=lambda account: True, mail="a@b\u00fccher.example").mail == "a@xn--bcher-kva.example"
    with pytest.raises(ConfigurationError):
        Mail("smtp.example.org", "j\u00fcrgen@portal.example")
