"""`python -m tests.support.screenshots`: the pictures of README and docs, taken of the demo that really runs.

The accounts are the demo's throw-away ones, in a folder that is deleted afterwards; every person in it is invented.
"""

from __future__ import annotations

import sys
import tempfile
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.browser import launch, page_in
from tests.support.demo import ROOT, Demo, lasting_code
from tests.support.virtual_key import VirtualKey

IMAGES = ROOT / "docs" / "images"
GREATEST = 200_000  # bytes of one picture
WIDE = {"width": 1200, "height": 800}
PHONE = {"width": 390, "height": 844}
# what a phone calls itself, since pages say in which browsers one is signed in
AGENT = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36"

UPRIGHT = {"width": 720, "height": 970}  # what the README's picture shows of a page on a computer

COLLAGE = """<!doctype html><meta charset="utf-8"><style>
  body { margin: 0; padding: 20px; width: 1072px; display: flex; gap: 20px; background: #dfe7e5; }
  div { flex: 1; height: 516px; border-radius: 10px; overflow: hidden; box-shadow: 0 2px 14px rgb(0 0 0 / .28); }
  .phone { flex: none; width: 242px; height: 502px; border: 7px solid #1d2725; border-radius: 28px; }
  img { display: block; width: 100%%; }
</style>
<div class="phone"><img src="%s"></div><div><img src="%s"></div><div><img src="%s"></div>
"""


@dataclass
class Camera:
    """Takes pictures of what one person sees."""

    browser: Browser
    demo: Demo
    folder: Path

    def person(self, viewport: dict[str, int], **options: Any) -> Page:
        return page_in(self.browser, base_url=self.demo.url, locale="fr-FR", viewport=viewport, **options)

    def take(self, page: Page, name: str, **options: Any) -> None:
        file = IMAGES / f"{name}.png"
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=file, animations="disabled", caret="hide", **options)
        size = file.stat().st_size
        print(f"{file.name:<24} {size // 1000:>4} kB")
        if size > GREATEST:
            raise SystemExit(f"{file.name} is larger than {GREATEST // 1000} kB")

    def upright(self, page: Page, name: str) -> Path:
        """The same page in a narrower window, for the README's picture only."""
        page.set_viewport_size(UPRIGHT)  # type: ignore[arg-type]
        page.evaluate("scrollTo(0, 0)")
        file = self.folder / f"{name}.png"
        page.screenshot(path=file, animations="disabled", caret="hide")
        return file


def main() -> int:
    """Take every picture anew; the exit status is 0."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as running, launch(running) as browser:
        demo = Demo(Path(folder), records=20_000)
        try:
            camera = Camera(browser, demo, Path(folder))
            enrolment = first_enrolment(camera)
            _, record = signing_in(camera)
            challenge = with_a_key(camera)
            collage(camera, challenge, enrolment, record)
        finally:
            demo.stop()
    return 0


def first_enrolment(camera: Camera) -> Path:
    """Login, activation and the picture to be scanned."""
    account = camera.demo.new[0]
    page = camera.person(WIDE)
    page.goto("/login")
    camera.take(page, "login")
    enter(page, account)
    camera.take(page, "activation")
    page.fill("#code", account["activation_code"])
    page.click("main form button")
    camera.take(page, "ways", full_page=True)
    page.click("main form button")
    page.locator(".mfa-qr").wait_for()
    camera.take(page, "enrolment", full_page=True)
    return camera.upright(page, "enrolment")


def signing_in(camera: Camera) -> tuple[Path, Path]:
    """The challenge on a phone, light and dark; then a record, on a screen of the usual size."""
    account = camera.demo.enrolled
    dark = camera.person(PHONE, device_scale_factor=1.5, color_scheme="dark")
    enter(dark, account)
    camera.take(dark, "challenge-phone-dark")
    phone = camera.person(PHONE, device_scale_factor=1.5)
    enter(phone, account)
    camera.take(phone, "challenge-phone")
    page = camera.person(WIDE)
    page.goto("/patients?q=martin")
    enter(page, account)
    page.fill("#code", lasting_code(account["totp_secret"]))
    page.click("main form button")
    page.locator(".list").wait_for()
    camera.take(page, "search")
    page.locator(".list a").first.click()
    page.locator(".person").wait_for()
    camera.take(page, "record")
    return IMAGES / "challenge-phone.png", camera.upright(page, "record")


def with_a_key(camera: Camera) -> Path:
    """Setting up a key on a phone, the recovery codes, one's own authenticators, and signing in by the key."""
    account = camera.demo.new[1]
    page = camera.person(PHONE, device_scale_factor=1.5, user_agent=AGENT)
    VirtualKey(page, transport="internal")
    enter(page, account)
    page.fill("#code", account["activation_code"])
    page.click("main form button")
    page.fill("form[data-mfa-webauthn] [name=label]", "Mon téléphone")
    page.click("form[data-mfa-webauthn] button")
    page.locator(".mfa-codes").wait_for()
    camera.take(page, "recovery-codes-phone")
    page.goto("/mfa/authenticators")
    camera.take(page, "authenticators-phone", full_page=True)
    page.goto("/mfa/sessions")
    camera.take(page, "sessions-phone", full_page=True)
    page.goto("/mfa/sign-out")
    page.click("main form button")
    page.goto("/login")
    enter(page, account)
    camera.take(page, "challenge-key-phone")
    return IMAGES / "challenge-key-phone.png"


def enter(page: Page, account: dict[str, Any]) -> None:
    """Type user name and password, wherever the portal asks for them."""
    if page.url == "about:blank":
        page.goto("/login")
    page.fill("#email", account["email"])
    page.fill("#password", account["password"])
    page.click("main form button")
    page.locator(".mfa-main form").first.wait_for()


def collage(camera: Camera, *files: Path) -> None:
    """The README's picture: three of them side by side."""
    shown = tuple(f"data:image/png;base64,{b64encode(file.read_bytes()).decode()}" for file in files)
    page = camera.person({"width": 1112, "height": 556})
    page.set_content(COLLAGE % shown)
    page.wait_for_function("[...document.images].every(image => image.complete)")
    camera.take(page, "readme")


if __name__ == "__main__":
    sys.exit(main())
