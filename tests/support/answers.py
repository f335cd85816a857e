"""What an answer says, for tests that compare answers or look for the gate's own refusal."""

from __future__ import annotations

from werkzeug.test import TestResponse

VARY = ("Set-Cookie", "Date", "Content-Length")


def shape(answer: TestResponse) -> tuple[int, str, dict[str, str], list[str]]:
    """What an answer tells, apart from the values of cookies and tokens."""
    headers = {name: value for name, value in answer.headers.items() if name not in VARY}
    cookies = [cookie.partition("=")[0] + cookie.partition(";")[2] for cookie in answer.headers.getlist("Set-Cookie")]
    return answer.status_code, answer.text, headers, cookies
