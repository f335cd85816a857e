"""One portal at several addresses: the keys of one serve at the others that it names (W3C WebAuthn L3 §5.11)."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import sync_playwright

from tests.support.browser import launch
from tests.support.portal import MakePortal
from tests.support.served import KEYS_AND_APPS, SAID, Served, serving, window_in
from tests.support.virtual_key import VirtualKey, enrolling

pytestmark = pytest.mark.browser

FIRST, SECOND, THIRD = "first.test", "second.test", "third.test"


@pytest.fixture
def backend() -> str:
    return "sqlite"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A certificate of one's own, which the browser is told not to mind."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(list(map(x509.DNSName, (FIRST, SECOND, THIRD)))), critical=False)
        .sign(key, SHA256())
    )
    file: Path = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@pytest.fixture
def addresses(make: MakePortal, tls: ssl.SSLContext) -> Iterator[dict[str, Served]]:
    """One portal at three addresses, of which the first names the second as one of its own."""

    def at(host: str, **config: Any) -> Served:
        return stack.enter_context(serving(make, host, tls, MFA_GATE_METHODS=KEYS_AND_APPS, **config))

    with ExitStack() as stack:
        second, third = (at(host, MFA_GATE_RP_ID=FIRST) for host in (SECOND, THIRD))
        first = at(FIRST, MFA_GATE_RELATED_ORIGINS=[second.url])
        yield {FIRST: first, SECOND: second, THIRD: third}


@pytest.fixture
def chromium(addresses: dict[str, Served]) -> Iterator[Chromium]:
    """The browser asks the first address, at the usual port, which others may use its keys."""
    rules = f"MAP {FIRST}:443 127.0.0.1:{addresses[FIRST].port}, MAP *.test 127.0.0.1, MAP * ~NOTFOUND"
    arguments = (f"--host-resolver-rules={rules}", "--ignore-certificate-errors")
    with sync_playwright() as running, launch(running, *arguments) as browser:
        yield browser


def test_a_key_of_one_address_serves_at_another_that_is_named_as_related_and_at_no_third(
    chromium: Chromium, addresses: dict[str, Served]
) -> None:
    first, second, third = addresses.values()
    window = window_in(chromium, second)
    key = VirtualKey(window.page)
    enrolling(window, second)
    window.use_key()
    assert window.heading == "Home"
    assert [credential["rpId"] for credential in key.credentials] == [FIRST]
    for served, path in ((second, "/safe"), (first, "/safe")):
        window.page.context.clear_cookies()
        window.url = served.url
        window.sign_in(path=path)
        window.use_key()
        assert (window.heading, window.page.url) == ("Safe", f"{served.url}/safe")
    window.url = third.url
    window.sign_in()
    assert window.refused_key() == SAID["fr"]["address"]
    assert window.state() == "pending"
