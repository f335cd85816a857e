"""What an answer says, for tests that compare answers or look for the gate's own refusal."""

from __future__ import annotations

from werkzeug.test import TestResponse

from tests.support.portal import JSON, Browser

VARY = ("Set-Cookie", "Date", "Content-Length")


def shape(answer: TestResponse) -> tuple[int, str, dict[str, str], list[str]]:
    """What an answer tells, apart from the values of cookies and tokens."""
    headers = {name: value for name, value in answer.headers.items() if name not in VARY}
    cookies = [cookie.partition("=")[0] + cookie.partition(";")[2] for cookie in answer.headers.getlist("Set-Cookie")]
    return answer.status_code, answer.text, headers, cookies


def says_so(answer: TestResponse) -> bool:
    """Whether it is the gate's own page or problem document about something that does not work."""
    if answer.status_code != 503:
        return False
    if answer.mimetype == "application/problem+json":
        return bool(answer.json["code"] == "unavailable") and answer.headers["Cache-Control"] == "no-store"
    return (
        answer.mimetype == "text/html" and "unavailable" in answer.text and "Content-Security-Policy" in answer.headers
    )


def closed_and_says_so(browser: Browser, path: str) -> bool:
    return says_so(browser.get(path)) and says_so(browser.open("GET", path, headers=JSON))
