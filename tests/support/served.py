"""A portal that really listens on this machine, and a person's window on it, for tests with real browsers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask, request
from markupsafe import escape
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page
from werkzeug.serving import WSGIRequestHandler, make_server

from mfa_gate import Account, Level
from mfa_gate.testing import SoftwareKey, enrol_key
from tests.support.browser import page_in
from tests.support.portal import MakePortal, Portal

HOST = "login.localhost"  # browsers look for it on this machine without asking anybody, and let passkeys belong to it
NAMES = {"fr": "anne", "en": "bob"}  # who reads which language
LANGUAGES = pytest.mark.parametrize("language", ["fr", "en"])
KEY_BUTTON = "form.mfa-webauthn button"
KEY_PROBLEM = "form.mfa-webauthn [data-mfa-problem]"
KEYS_AND_APPS = ("webauthn", "totp")  # without recovery codes, which take a second to draw

# what a person reads, with plain white space
SAID = {
    "fr": {
        "activate": "Saisissez votre code d’activation",
        "enrol": "Protégez votre compte",
        "codes": "Conservez ces codes de secours",
        "challenge": "Confirmez que c’est bien vous",
        "step_up": "Confirmez que c’est toujours vous",
        "resume": "Envoyez votre formulaire",
        "own": "Vos téléphones, clés et appareils",
        "waiting": "Faites maintenant ce que demande le navigateur, le téléphone ou la clé.",
        "not confirmed": (
            "Rien n’a été confirmé : l’opération a été annulée, a duré trop longtemps, ou cette clé n’est pas l’une "
            "des vôtres. Vous pouvez réessayer."
        ),
        "not set up": (
            "Rien n’a été ajouté : l’opération a été annulée, a duré trop longtemps, ou cette clé ne convient pas ici. "
            "Vous pouvez réessayer."
        ),
        "known": "Cette clé ou cet appareil est déjà relié à votre compte. Prenez-en un autre.",
        "cannot": (
            "Ce navigateur ne sait ni utiliser une clé, ni vous reconnaître grâce à cet appareil. Mettez-le à jour, ou "
            "prenez un autre navigateur."
        ),
        "address": (
            "Votre navigateur refuse, car cette adresse n’est pas celle à laquelle votre clé est reliée. Vérifiez "
            "l’adresse du site : c’est peut-être un piège. En cas de doute, demandez à l’assistance."
        ),
        "offline": "Le service ne répond pas. Vérifiez votre connexion, puis réessayez.",
        "refused": "Cette clé ou cet appareil n’a pas été accepté. Veuillez réessayer.",
        "does not fit": "Cette étape n’est pas possible à ce stade. Veuillez continuer là où vous en êtes.",
        "script": (
            "Cette façon demande JavaScript, qui est désactivé ici. Activez-le pour ce site, ou choisissez une autre "
            "façon."
        ),
        "no method": (
            "Cette page demande une preuve plus sûre que ce qui est lié à votre compte, par exemple une clé de "
            "sécurité."
        ),
    },
    "en": {
        "activate": "Enter your activation code",
        "enrol": "Protect your account",
        "codes": "Keep these recovery codes",
        "challenge": "Confirm that it is you",
        "step_up": "Confirm that it is still you",
        "resume": "Send your form",
        "own": "Your phones, keys and devices",
        "waiting": "Now do what your browser, your phone or your key asks.",
        "not confirmed": (
            "Nothing was confirmed: it was cancelled, it took too long, or this key is not one of yours. You can try "
            "again."
        ),
        "not set up": (
            "Nothing was set up: it was cancelled, it took too long, or this key cannot be used here. You can try "
            "again."
        ),
        "known": "This key or this device is set up for your account already. Take another one.",
        "cannot": (
            "This browser can neither use a key nor recognise you by this device. Bring it up to date, or use another "
            "browser."
        ),
        "address": (
            "Your browser refuses, because this is not the address that your key belongs to. Check the address of the "
            "site: it may be a trap. If in doubt, ask the help desk."
        ),
        "offline": "The service did not answer. Check your connection, then try again.",
        "refused": "This passkey or security key was not accepted. Please try again.",
        "does not fit": "This step does not fit here. Please continue from where you are.",
        "script": (
            "This way needs JavaScript, which is switched off here. Switch it on for this site, or choose another way."
        ),
        "no method": (
            "This page asks for a surer proof than what is linked to your account can give, such as a security key."
        ),
    },
}

PLAIN = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><h1>{title}</h1>"""
FORM = PLAIN + '<form method="post">{fields}<button>Send</button></form>'
LOGIN = FORM.format(title="Login", fields='<input name="email"><input name="password" type="password">')
SAFE = FORM.format(title="Safe", fields='<input name="note">')


class Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@dataclass
class Served:
    """A portal that listens at this address."""

    portal: Portal
    url: str

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def key(self, account: str = "anne", **made: Any) -> SoftwareKey:
        """Enrol a key made of software for an account that has nothing yet. A virtual key can take it over."""
        return enrol_key(self.portal.app, self.portal.people[account], SoftwareKey(self.url, **made))

    def key_and_app(self, account: str = "anne") -> tuple[SoftwareKey, str]:
        """Enrol a key, then an app beside it; the key, and the secret of the app. Without recovery codes."""
        key, browser = self.key(account), self.portal.browser()
        browser.password(account)
        assert browser.prove(key).status_code == 200
        begun = browser.begin_enrolment()
        sent = {"enrolment": begun["enrolment"], "code": self.portal.code(begun["secret"]), "label": "Phone"}
        assert browser.api("POST", "totp/enrol/complete", sent).status_code == 200
        self.portal.clock.advance(30)
        return key, begun["secret"]

    def two_keys(self, account: str = "anne") -> tuple[SoftwareKey, SoftwareKey]:
        """Enrol two keys, named "test" and "Key"."""
        first, second, browser = self.key(account), SoftwareKey(self.url), self.portal.browser()
        browser.password(account)
        assert browser.prove(first).status_code == 200
        assert browser.add_key(second).status_code == 200
        return first, second

    def methods(self, account: str = "anne") -> list[str]:
        """What an account has enrolled, as the store names it: "pop" is a key, "otp" an app."""
        asked = "SELECT method FROM mfa_authenticators WHERE account_id = :account ORDER BY created_at, method"
        return [row.method for row in self.portal.sql(asked, account=account)]

    def failures(self, account: str = "anne") -> list[str | None]:
        """Why steps of an account failed, in the words of its events."""
        return [reason for _, outcome, reason in self.portal.events(account) if outcome == "failure"]


Serve = Callable[..., Served]  # the fixture `serve`


@contextmanager
def listening(make_app: Callable[[int], Any], tls: Any = None) -> Iterator[int]:
    """Serve a WSGI app, which is made when its port is known."""
    server = make_server("127.0.0.1", 0, lambda *_: [], threaded=True, request_handler=Quiet, ssl_context=tls)
    server.app = make_app(server.port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def serving(make: MakePortal, host: str = HOST, tls: Any = None, **config: Any) -> Iterator[Served]:
    """Serve a fresh portal whose base URL is the address at which it listens."""
    made: list[Served] = []

    def portal_at(port: int) -> Flask:
        url = f"{'https' if tls else 'http'}://{host}:{port}"
        portal = make(MFA_GATE_BASE_URL=url, **config)
        add_pages(portal)
        made.append(Served(portal, url))
        return portal.app

    with listening(portal_at, tls):
        yield made[0]


def html_app(html: str) -> Callable[[int], Any]:
    """An app that answers everything with one page, and forbids nothing."""

    def app(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [html.encode()]

    return lambda port: app


def add_pages(portal: Portal) -> None:
    """Pages for people, where the tests' portal answers with a word; and Zoé, of whom it knows no language."""
    gate, views = portal.gate, portal.app.view_functions
    portal.people["zoe"], portal.passwords["zoe"] = Account("zoe", "Zoé Roy", "zoe@portal.example"), "pw-zoe"
    views["login_page"] = gate.public(lambda: LOGIN)
    views["patient"] = lambda nir: PLAIN.format(title=f"Record {nir}")
    views["home"] = lambda: PLAIN.format(title="Home")

    @gate.require(Level.PHISHING_RESISTANT, max_age=timedelta(minutes=10))
    def safe() -> str:
        return PLAIN.format(title=escape(f"Kept {request.form['note']}")) if request.method == "POST" else SAFE

    views["safe"] = safe


@dataclass
class Window:
    """A person's browser window; records what the browser complains about."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda message: self._complain(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _complain(self, kind: str, text: str) -> None:
        # 401, 422 and the like are answers that people get; the browser calls them errors
        if kind in ("error", "warning") and "Failed to load resource" not in text:
            self.complaints.append(text)

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)

    def press(self, button: str) -> None:
        """Press what leads to another page."""
        with self.page.expect_navigation():
            self.page.locator(button).first.click()
        if self.page.url.endswith("/mfa/news"):  # what happened in the account: it was all them
            with self.page.expect_navigation():
                self.page.locator("main form button").first.click()

    def send(self, form: str = "form", **fields: str) -> None:
        for name, value in fields.items():
            self.page.fill(f"{form} [name={name}]", value)
        self.press(f"{form} button")

    def password(self, account: str = "anne") -> None:
        self.send(email=account, password=f"pw-{account}")

    def sign_in(self, account: str = "anne", path: str = "/") -> None:
        """As far as the password goes."""
        self.open(path)
        self.password(account)

    def sign_out(self) -> None:
        self.open("/mfa/sign-out")
        self.press("main form button")

    def use_key(self) -> None:
        """Press the button of the key; the key answers, and so does the server."""
        self.press(KEY_BUTTON)

    def refused_key(self) -> str:
        """Press the button of the key; what the page says because nothing could be sent."""
        self.page.click(KEY_BUTTON)
        self.page.wait_for_selector(KEY_PROBLEM, state="visible")
        return self.text(KEY_PROBLEM)

    def answered_key(self) -> str | None:
        """Press the button of the key; what the page then says, or the next one. None: nothing is wrong."""
        self.page.click(KEY_BUTTON)
        self.page.wait_for_function(
            """problem => {
              const own = document.querySelector(problem);
              return !own || !own.hidden || document.querySelector("#problem");
            }""",
            arg=KEY_PROBLEM,
        )
        for problem in (KEY_PROBLEM, "#problem"):
            if self.page.locator(problem).is_visible():
                return self.text(problem)
        return None

    def ask(self, path: str, body: Any = None) -> Any:
        """Call the API as a script of the page that is open would."""
        return self.page.evaluate(
            """async ([path, body]) => {
              const state = await (await fetch("/mfa/api/v1/session")).json();
              const headers = {"X-MFA-CSRF": state.csrf_token ?? "", "Content-Type": "application/json"};
              const sent = {method: "POST", headers, body: JSON.stringify(body ?? {})};
              return (await fetch("/mfa/api/v1/" + path, sent)).json();
            }""",
            [path, body],
        )

    def state(self) -> str:
        """Where the session of this browser stands."""
        asked = "fetch('/mfa/api/v1/session').then(answer => answer.json())"
        return str(self.page.evaluate(asked)["state"])

    def text(self, selector: str) -> str:
        return " ".join(self.page.locator(selector).first.inner_text().split())

    @property
    def heading(self) -> str:
        return self.text("h1")

    @property
    def lang(self) -> str:
        return str(self.page.locator("html").get_attribute("lang"))


def window_in(chromium: Chromium, served: Served, **options: Any) -> Window:
    """A fresh window, of a person whose browser speaks French unless `locale` says something else."""
    return Window(page_in(chromium, **{"locale": "fr-FR", **options}), served.url)
