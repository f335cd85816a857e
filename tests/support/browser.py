"""Finds and starts Chromium for the browser tests.

``python -m tests.support.browser`` starts it once and prints its version, or fails: does this machine have one?
"""

import shutil
import subprocess
from typing import Any

from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from tests.support.waiting import NET

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# Nothing but loopback: the browser's own services stay silent and no other name resolves.
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-gpu",
    "--disable-quic",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1",
)


def chromium_path() -> str | None:
    """Return the path of the system's Chromium, or None where only Playwright's own can be tried."""
    return next((path for name in PROGRAMS if (path := shutil.which(name)) and _answers(path)), None)


def _answers(path: str) -> bool:
    """Tell whether the program at this path runs, and may: a snap sees no temporary folder but its own."""
    if path.startswith("/snap/"):
        return False
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=NET).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def launch(playwright: Playwright, *more: str) -> Browser:
    """Start a headless Chromium that reaches only this machine.

    Without its sandbox, which neither root nor most containers can have; it only sees pages of these tests.

    Args:
        playwright: running.
        more: further arguments; of two that set the same the last one counts.

    Raises:
        playwright.sync_api.Error: there is none, or it does not start.
    """
    return playwright.chromium.launch(
        executable_path=chromium_path(), headless=True, chromium_sandbox=False, args=[*QUIET, *more], timeout=NET * 1000
    )


def page_in(browser: Browser, **options: Any) -> Page:
    """Return a page in a context of its own, where nothing is waited for less long than on a busy machine."""
    context = browser.new_context(**options)
    context.set_default_timeout(NET * 1000)
    return context.new_page()


if __name__ == "__main__":
    with sync_playwright() as running, launch(running) as browser:
        page_in(browser).goto("about:blank")
        print(browser.version)
