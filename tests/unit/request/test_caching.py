"""Nobody else's cache keeps what the gate has let somebody see, however the view answers."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import (
    Blueprint,
    Response,
    abort,
    jsonify,
    make_response,
    redirect,
    render_template_string,
    request,
    send_file,
    send_from_directory,
    stream_with_context,
)
from werkzeug.test import TestResponse
from werkzeug.wrappers import Response as BareResponse

from tests.support.portal import JSON, PAGE, Browser, MakePortal, Portal

WIDE = [
    "public",
    "PUBLIC, max-age=60",
    "max-age=60",
    "s-maxage=60",
    "no-cache",
    "private, s-maxage=60",
    "public, private, max-age=60",
    "no-store, public",
    'private="Set-Cookie", max-age=60',
    'x="a, private, b", max-age=60',
    "private;max-age=60",
    "privately",
    "must-revalidate, max-age=60",
    "",
    "immutable",
    "stale-while-revalidate=60, max-age=1",
]
OWN = ["private, max-age=60", "Private,no-cache", "no-store", "no-store, max-age=0", "private, must-revalidate"]
HINTS = {
    "CDN-Cache-Control": "max-age=3600",
    "Cloudflare-CDN-Cache-Control": "public",
    "surrogate-control": "max-age=3600",
    "Edge-Control": "max-age=1h",
    "X-Accel-Expires": "3600",
    "Expires": "Fri, 01 Jan 2100 00:00:00 GMT",
}


@pytest.fixture
def backend() -> str:
    """What stands in an answer knows nothing of the store: one back end will do."""
    return "sqlite"


@pytest.fixture(params=[None, 3600], ids=["as it comes", "files for an hour"])
def portal(request: pytest.FixtureRequest, make: MakePortal, tmp_path: Path) -> Portal:
    """A portal that answers in every way that Flask knows."""
    portal = make(PROPAGATE_EXCEPTIONS=False, SEND_FILE_MAX_AGE_DEFAULT=request.param)
    letters = tmp_path / "letters"
    letters.mkdir()
    (letters / "a.txt").write_text("secret letter")
    ways: dict[str, Callable[[], Any]] = {
        "text": lambda: "text",
        "json": lambda: jsonify(a=1),
        "tuple": lambda: ("text", 201, {"X": "y"}),
        "empty": lambda: ("", 204),
        "file": lambda: send_from_directory(letters, "a.txt"),
        "file, own time": lambda: send_from_directory(letters, "a.txt", max_age=86_400),
        "missing file": lambda: send_from_directory(letters, "none.txt"),
        "made file": lambda: send_file(io.BytesIO(b"made"), "text/plain"),
        "stream": lambda: Response(stream_with_context(part for part in "abc")),
        "redirect": lambda: redirect("/elsewhere", 301),
        "abort": lambda: abort(404),
        "abort with an answer": lambda: abort(Response("own", 410, {"Cache-Control": "public"})),
        "error": lambda: 1 / 0,
        "bare": lambda: BareResponse("bare", headers={"Cache-Control": "public, max-age=60"}),
        "application": lambda: BareResponse("wsgi"),
        "own class": lambda: type("Own", (Response,), {})("own"),
        "page": lambda: render_template_string("page"),
        "varies": lambda: ("text", {"Vary": "Accept-Encoding"}),
        "varies by all": lambda: ("text", {"Vary": "*"}),
        "varies, small letters": lambda: ("text", {"vary": "cookie"}),
    }
    ways |= {f"says {said}": lambda said=said: ("text", {"Cache-Control": said}) for said in WIDE}  # type: ignore[misc]
    ways |= {f"keeps {said}": lambda said=said: ("text", {"Cache-Control": said}) for said in OWN}  # type: ignore[misc]
    protected = Blueprint("protected", __name__, url_prefix="/protected")
    portal.gate.protect(protected)
    for number, view in enumerate(ways.values()):
        portal.app.add_url_rule(f"/way/{number}", f"way{number}", view)
        portal.app.add_url_rule(
            f"/required/{number}", f"required{number}", portal.gate.require()(lambda view=view: view())
        )
        protected.add_url_rule(f"/{number}", f"way{number}", lambda view=view: view())
    portal.app.register_blueprint(protected)
    portal.app.extensions["ways"] = list(ways)
    return portal


@pytest.fixture
def anne(browser: Browser) -> Browser:
    """Anne's browser, signed in."""
    browser.sign_in(browser.portal.enrolled())
    return browser


def answers(browser: Browser, **kwargs: Any) -> Iterator[tuple[str, TestResponse]]:
    for number, way in enumerate(browser.portal.app.extensions["ways"]):
        for place in ("way", "required", "protected"):
            for method in ("GET", "HEAD"):
                yield f"{method} {place} {way}", browser.open(method, f"/{place}/{number}", **kwargs)


def is_private(answer: TestResponse) -> bool:
    """Whether only this person's browser may keep it, and no cache is told anything else."""
    (said,) = answer.headers.getlist("Cache-Control")
    names = {name.lower() for name in answer.headers.keys()}  # noqa: SIM118
    varies = {name.strip().lower() for line in answer.headers.getlist("Vary") for name in line.split(",")}
    told = {name for name in names if name.endswith("-cache-control")} | (names & {"surrogate-control", "edge-control"})
    return (
        ("no-store" in said or "private" in said.lower())
        and not any(word in said.lower() for word in ("public", "s-maxage", '"'))
        and not varies.isdisjoint({"cookie", "*"})
        and not told
        and "x-accel-expires" not in names
        and "expires" not in names
    )


@pytest.mark.abuse("A57")
def test_no_answer_of_a_guarded_view_is_for_anybody_else(portal: Portal, anne: Browser) -> None:
    for what, answer in answers(anne):
        assert is_private(answer), f"{what}: {answer.headers}"
        said = answer.headers["Cache-Control"]
        kept = what.partition(" keeps ")[2]
        assert said == (kept or "no-store"), what


@pytest.mark.abuse("A57")
def test_what_the_portals_hooks_tell_caches_of_a_guarded_answer_does_not_stand(
    portal: Portal, browser: Browser
) -> None:
    @portal.app.after_request
    def cached(response: Response) -> Response:
        response.headers.update(HINTS)
        response.headers.add("Cache-Control", "public, max-age=3600")
        return response

    browser.sign_in(portal.enrolled())
    for what, answer in answers(browser):
        assert is_private(answer), f"{what}: {answer.headers}"


@pytest.mark.abuse("A57")
def test_a_part_of_a_guarded_file_and_word_that_it_has_not_changed_are_for_nobody_else(
    portal: Portal, anne: Browser
) -> None:
    number = portal.app.extensions["ways"].index("file, own time")
    whole = anne.get(f"/way/{number}")
    part = anne.get(f"/way/{number}", headers={"Range": "bytes=0-3"})
    same = anne.get(f"/way/{number}", headers={"If-None-Match": whole.headers["ETag"]})
    beyond = anne.get(f"/way/{number}", headers={"Range": "bytes=99-"})
    assert [each.status_code for each in (whole, part, same, beyond)] == [200, 206, 304, 416]
    assert all(map(is_private, (whole, part, same, beyond)))


@pytest.mark.abuse("A57")
def test_the_page_of_an_error_is_for_nobody_else_though_a_hook_fails_as_well(portal: Portal, browser: Browser) -> None:
    @portal.app.errorhandler(500)
    def personal(_: Any) -> tuple[str, int, dict[str, str]]:
        return f"sorry, {portal.gate.session.account_id}", 500, {"Cache-Control": "public, max-age=60"}

    @portal.app.after_request
    def broken(response: Response) -> Response:
        if request.path == "/":
            raise RuntimeError("of the portal")
        return response

    browser.sign_in(portal.enrolled())
    answer = browser.get("/")
    assert answer.text == "sorry, anne"
    assert is_private(answer)


@pytest.mark.abuse("A57")
@pytest.mark.parametrize("headers", [PAGE, JSON], ids=["page", "json"])
@pytest.mark.parametrize("who", ["stranger", "half way", "below"])
def test_a_refusal_is_for_nobody_else_whatever_the_portals_hooks_say(
    portal: Portal, browser: Browser, headers: dict[str, str], who: str
) -> None:
    @portal.app.after_request
    def cached(response: Response) -> Response:
        response.headers.update({**HINTS, "Cache-Control": "public, max-age=3600", "Vary": "Origin"})
        return response

    secret = portal.enrolled()
    if who != "stranger":
        browser.password()
    if who == "below":
        browser.step("challenge", code=portal.code(secret))
    for path in ("/safe", "/mfa/api/v1/authenticators" if who != "below" else "/safe", "/mfa/api/v1/none"):
        answer = browser.open("GET", path, headers=headers)
        assert answer.status_code >= 300, path
        assert is_private(answer), f"{path}: {answer.headers}"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Vary"] == "Accept, Accept-Language, Cookie"


@pytest.mark.abuse("A57")
def test_a_public_page_that_asks_who_is_there_is_kept_for_nobody_else(make: MakePortal) -> None:
    portal = make()

    @portal.app.get("/hello")
    @portal.gate.public
    def hello() -> Any:
        answer = make_response(f"hello {portal.gate.session.account_id}")
        answer.headers["Cache-Control"] = "public, max-age=60"
        return answer

    @portal.app.get("/news")
    @portal.gate.public
    def news() -> Any:
        return "news", {"Cache-Control": "public, max-age=60"}

    browser = portal.browser()
    strangers = browser.get("/hello")
    assert strangers.headers["Cache-Control"] == "public, max-age=60"
    assert "Cookie" in strangers.headers["Vary"]
    browser.sign_in(portal.enrolled())
    assert browser.get("/hello").text == "hello anne"
    assert is_private(browser.get("/hello"))
    everybodys = browser.get("/news").headers
    assert everybodys["Cache-Control"] == "public, max-age=60"
    assert "Vary" not in everybodys


@pytest.mark.abuse("A57")
def test_an_answer_that_sets_the_gates_cookie_is_kept_by_no_cache(make: MakePortal) -> None:
    portal = make()

    @portal.app.get("/sso")
    @portal.gate.public
    def from_elsewhere() -> Any:
        portal.gate.sign_in(portal.people["anne"], sso="elsewhere")
        return "in", {"Cache-Control": "public, max-age=60"}

    answer = portal.browser().get("/sso")
    assert "__Host-mfa" in answer.headers["Set-Cookie"]
    assert is_private(answer)
