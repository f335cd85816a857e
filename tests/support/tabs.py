"""A person's browser with tabs, Chromium or Firefox: the same tests go through both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page

from tests.support.firefox import Fox
from tests.support.line import Held
from tests.support.served import Served, window_in

STATE = 'return (await (await fetch("/mfa/api/v1/session")).json()).state'
NEWS = "/mfa/news"
SEEN = "main form button, main a.mfa-button"  # what happened in the account: it was all them; or nothing is new
SEND = "main form button"


class Tabs(ABC):
    """One browser; what is called happens in the tab that was turned to last.

    Args:
        served: the portal at which it looks.
    """

    def __init__(self, served: Served) -> None:
        self.served = served

    @abstractmethod
    def turn_to(self, number: int) -> None:
        """Turn to a tab, the first one being 0; the next number opens one more."""

    @abstractmethod
    def visit(self, address: str) -> None:
        """Open an address, of whichever site."""

    @abstractmethod
    def run(self, script: str) -> Any:
        """Run statements in the page, which may await and return something."""

    @abstractmethod
    def click(self, selector: str) -> None:
        """Click, and wait for nothing."""

    @abstractmethod
    def click_twice(self, selector: str, held: Held) -> None:
        """Click, and again once what the first click sends is held; wait until both are."""

    @abstractmethod
    def fill(self, selector: str, value: str) -> None: ...

    @abstractmethod
    def text(self, selector: str) -> str: ...

    @abstractmethod
    def until(self, condition: str) -> None:
        """Wait until something is true in the page, across pages."""

    def open(self, path: str) -> None:
        self.visit(self.served.url + path)

    def until_at(self, path: str) -> None:
        """Wait until the page of this path at the portal is there; what is only news is passed."""
        origin, ready = f"location.origin === {self.served.url!r}", "document.readyState === 'complete'"
        self.until(f"!window.left && {origin} && {ready} && [{path!r}, {NEWS!r}].includes(location.pathname)")
        if self.run("return location.pathname") == NEWS != path:
            self.run("window.left = true")
            self.click(SEEN)
            self.until_at(path)

    def press(self, selector: str, path: str) -> None:
        """Press what leads to a page of this path."""
        self.run("window.left = true")
        self.click(selector)
        self.until_at(path)

    def password(self, account: str = "anne") -> None:
        """At the portal's login."""
        self.open("/login")
        self.fill("[name=email]", account)
        self.fill("[name=password]", f"pw-{account}")
        self.press("form button", "/mfa/challenge")

    def code(self, secret: str) -> None:
        """Type the code of this moment, and send nothing."""
        self.fill("[name=code]", self.served.portal.code(secret))

    def sign_in(self, secret: str, path: str = "/") -> None:
        self.password()
        self.code(secret)
        self.press(SEND, path)

    def sign_out(self) -> None:
        self.open("/mfa/sign-out")
        self.press(SEND, "/mfa/sign-out")

    @property
    def state(self) -> str:
        """Where the session stands, asked by a page of the portal."""
        return str(self.run(STATE))

    @property
    def heading(self) -> str:
        return self.text("h1")


class ChromiumTabs(Tabs):
    """Chromium, by Playwright."""

    def __init__(self, chromium: Chromium, served: Served) -> None:
        super().__init__(served)
        self._page: Page = window_in(chromium, served).page

    def turn_to(self, number: int) -> None:
        context = self._page.context
        self._page = context.pages[number] if number < len(context.pages) else context.new_page()

    def visit(self, address: str) -> None:
        self._page.goto(address)

    def run(self, script: str) -> Any:
        return self._page.evaluate(f"async () => {{ {script} }}")

    def click(self, selector: str) -> None:
        self.run(f"document.querySelector({selector!r}).click()")

    def click_twice(self, selector: str, held: Held) -> None:
        box = self._page.locator(selector).first.bounding_box()
        assert box is not None
        for clicks in (1, 2):  # by the mouse: scripts wait here for the page that is on its way
            self._page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            held.come(clicks)

    def fill(self, selector: str, value: str) -> None:
        self._page.fill(selector, value)

    def text(self, selector: str) -> str:
        return " ".join(self._page.locator(selector).first.inner_text().split())

    def until(self, condition: str) -> None:
        self._page.wait_for_function(f"() => {condition}")


class FirefoxTabs(Tabs):
    """Firefox, by its own protocol."""

    def __init__(self, fox: Fox, served: Served) -> None:
        super().__init__(served)
        self._fox = fox
        fox.fresh(served.url)

    def turn_to(self, number: int) -> None:
        self._fox.turn_to(number)

    def visit(self, address: str) -> None:
        self._fox.visit(address)

    def run(self, script: str) -> Any:
        return self._fox.run_async(script)

    def click(self, selector: str) -> None:
        self._fox.run(f"document.querySelector({selector!r}).click()")

    def click_twice(self, selector: str, held: Held) -> None:
        for clicks in (1, 2):
            self.click(selector)
            held.come(clicks)

    def fill(self, selector: str, value: str) -> None:
        self._fox.fill(selector, value)

    def text(self, selector: str) -> str:
        return self._fox.text(selector)

    def until(self, condition: str) -> None:
        self._fox.until(f"return {condition}")
