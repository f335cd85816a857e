"""Random sequences against a model: requests that come late, twice, from another site, or with cookies of before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule
from werkzeug.test import TestResponse

from tests.support.agents import CHROME, FIREFOX
from tests.support.model import Lineage
from tests.support.portal import JSON, Browser
from tests.support.sequences import NAME, VIEWS, WHICH, Client, reached
from tests.support.sequences_changes import Changes

Jar = dict[Any, Any]
Place = tuple[str, str]
AGAIN: Final = 60.0  # seconds within which a step that is sent twice leads on
ALARMS: Final = "SELECT count(*) FROM mfa_events WHERE kind = :kind"
PATH: Final = st.sampled_from([*VIEWS, "/open"])
CROSS_SITE: Final = {"Sec-Fetch-Site": "cross-site", "Origin": "https://other.example"}
FOREIGN: Final = st.sampled_from(
    [
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}),
        ("POST", {**CROSS_SITE, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}),
        ("GET", {}),  # by a browser that does not say whence it comes
    ]
)


@dataclass
class Sent:
    """A step that gave the session another id, as it was sent.

    Attributes:
        jar: the cookies that it brought.
        made: the cookie of the session that it was answered.
    """

    path: str
    kwargs: dict[str, Any]
    jar: Jar
    made: str
    at: float
    place: Place


class Remembering(Browser):
    """A browser that remembers the cookies that it had before, and the latest step.

    Attributes:
        earlier: what it held before each change of the session's cookie.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.earlier: list[Jar] = []
        self.sent: Sent | None = None

    @property
    def jar(self) -> Jar:
        found: Jar = self.client._cookies  # type: ignore[attr-defined]
        return found

    def open(self, method: str, path: str, **kwargs: Any) -> TestResponse:
        before, cookie, sent = dict(self.jar), self.gate_cookie, {**kwargs}
        answer = super().open(method, path, **kwargs)
        made = self.gate_cookie
        if made != cookie:
            self.earlier.append(before)
            if made is not None and answer.status_code == 200:
                self.sent = Sent(path, sent, before, made, self.portal.clock(), place_of(self))
        return answer

    def with_jar(self, jar: Jar, address: str | None = None) -> Remembering:
        """The same browser, with these cookies."""
        other = Remembering(self.portal, self.portal.app.test_client(), address or self.address)
        other.client._cookies = dict(jar)  # type: ignore[attr-defined]
        other.client.environ_base = dict(self.client.environ_base)
        return other

    def copy(self, address: str | None = None) -> Remembering:
        return self.with_jar(self.jar, address)


def place_of(browser: Browser) -> Place:
    """The /24 and the browser, where that says what it is."""
    agent = browser.client.environ_base.get("HTTP_USER_AGENT", "")
    return browser.address.rpartition(".")[0], agent if agent in (FIREFOX, CHROME) else ""


class Doubtful(Changes):
    """And requests come late, twice, or from another site."""

    browsers: ClassVar[type[Browser]] = Remembering

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str | None, tuple[Lineage, int]] = {}  # what each cookie of a session was given for

    # --- what the model says of cookies -------------------------------------------------------------------------------

    def password(self, which: int, name: str, right: bool) -> None:
        super().password(which, name, right)
        self._note(self.clients[which])

    def elevate(self, client: Client, lineage: Lineage) -> None:
        super().elevate(client, lineage)
        self._note(client)

    def _note(self, client: Client) -> None:
        if client.lineage is not None:
            self.known.setdefault(client.browser.gate_cookie, (client.lineage, client.version))

    def _of(self, client: Client) -> Remembering:
        assert isinstance(client.browser, Remembering)
        return client.browser

    def _named(self, browser: Browser) -> tuple[Lineage | None, int]:
        """For whom, and for which id, the cookie was given that a browser holds."""
        return self.known.get(browser.gate_cookie, (None, -1))

    def _is_shown(self, answer: TestResponse, path: str, lineage: Lineage | None, version: int) -> None:
        """A page is shown to whom the model lets see it alone; a public one shows that person, or nobody."""
        assert answer.status_code < 500, f"{path}: {answer.status_code} {answer.text[:200]}"
        lives = lineage is not None and self.model.lives(lineage, version)
        if path == "/open":
            person = lineage.account if lineage is not None and lives and self.model.is_in(lineage) else None
            assert answer.text in {"open to None None", f"open to {person} {person}"}
        elif answer.status_code == 200:
            assert lives, f"{path} was shown by cookies of before"
            assert lineage is not None
            assert self.model.may_see(lineage, path, self.now)

    # --- requests -----------------------------------------------------------------------------------------------------

    def _beside(self, client: Client, jar: Jar, method: str, path: str, **kwargs: Any) -> tuple[TestResponse, Browser]:
        """Send a request with other cookies than the browser has by now, which then gets what it is answered.

        It neither ends nor opens a session, and raises no alarm.
        """
        browser, other = self._of(client), self._of(client).with_jar(jar)
        before = self._sessions(), self._alarms()
        answer = other.open(method, path, **kwargs)
        assert (self._sessions(), self._alarms()) == before, f"{method} {path} has ended or opened a session"
        for name in jar.keys() - other.jar.keys():
            browser.jar.pop(name, None)
        browser.jar.update({name: value for name, value in other.jar.items() if jar.get(name) != value})
        return answer, other

    def _sessions(self) -> list[Any]:
        return self.portal.sql("SELECT sign_in, id_hash FROM mfa_sessions ORDER BY sign_in")

    def _alarms(self) -> list[int]:
        asked = ("identity_mismatch", "device_replayed")
        return [int(self.portal.sql(ALARMS, kind=kind)[0][0]) for kind in asked]

    def _goes_on(self, which: int) -> None:
        """What the browser holds is as good as before."""
        for path in VIEWS:
            self.open_view(which, path)
        self.open_public(which)

    @rule(which=WHICH)
    def open_public(self, which: int) -> None:
        client, lineage = self.clients[which], self.lives(self.clients[which])
        answer = client.browser.get("/open")
        self._is_shown(answer, "/open", client.lineage, client.version)
        if lineage is not None and self.model.is_in(lineage) and self.sure(lineage):
            assert answer.text == f"open to {lineage.account} {lineage.account}"

    @rule(which=WHICH, path=PATH, number=st.integers(0, 5))
    def poll_late(self, which: int, path: str, number: int) -> None:
        """A request of a page that was sent before the session's cookie was replaced, the latest time or earlier."""
        client = self.clients[which]
        earlier, cookie = self._of(client).earlier, client.browser.gate_cookie
        if not earlier:
            return
        jar = earlier[-1 - number % len(earlier)]
        answer, other = self._beside(client, jar, "GET", path, headers=JSON)
        self._is_shown(answer, path, *self._named(other))
        assert client.browser.gate_cookie == cookie
        reached["late"] = reached.get("late", 0) + 1
        self._goes_on(which)

    @rule(which=WHICH, path=st.sampled_from([*VIEWS, "/open", "/login"]), how=FOREIGN, name=NAME)
    def come_from_another_site(self, which: int, path: str, how: tuple[str, dict[str, str]], name: str) -> None:
        """Another site's page sends a request, which brings the portal's cookie without the gate's."""
        client, (method, headers) = self.clients[which], how
        browser, cookie = self._of(client), client.browser.gate_cookie
        jar = {key: value for key, value in browser.jar.items() if value.key == "session"}
        sent = {"email": name, "password": f"pw-{name}"} if method == "POST" else None
        answer, _ = self._beside(client, jar, method, path, headers={**JSON, **headers}, data=sent)
        assert answer.status_code != 303 or "/mfa/" not in answer.location, "another site's page signs somebody in"
        if path != "/login" and answer.status_code != 405:
            self._is_shown(answer, path, None, -1)
        if headers:
            assert answer.headers.getlist("Set-Cookie") == []
        assert client.browser.gate_cookie == cookie
        reached["foreign"] = reached.get("foreign", 0) + bool(jar)
        self._goes_on(which)

    @rule(which=WHICH)
    def send_again(self, which: int, *, must: bool = False) -> None:
        """The latest step of this browser once more, as it was sent: it leads on where the step led, or nowhere."""
        client, sent = self.clients[which], self._of(self.clients[which]).sent
        if sent is None:
            return
        lineage, version = self.known[sent.made]
        may = self.model.lives(lineage, version) and self.now - sent.at < AGAIN
        may = may and place_of(client.browser) == sent.place
        opened = len(self.portal.opened)
        answer, other = self._beside(client, sent.jar, "POST", sent.path, **sent.kwargs)
        if self.ok(answer, "a step again", may, must=must and may and self.sure(lineage)):
            assert other.gate_cookie == sent.made
            assert "recovery_codes" not in answer.text
            again = self.portal.opened[opened:]
            assert again in ([], [lineage.account]), "the portal opened a session for somebody else"
            self.opened += len(again)
        client.lineage, client.version = self._named(client.browser)
        self._goes_on(which)

    @rule(which=WHICH, name=NAME, by_key=st.booleans(), path=PATH, how=FOREIGN)
    def step_up_beside(self, which: int, name: str, by_key: bool, path: str, how: tuple[str, dict[str, str]]) -> None:
        """A sign-in and a step-up, each sent twice, with requests of before and of another site in between."""
        for step in range(2):
            if step == 0:
                self.sign_in(which, name, by_key)
            else:
                self.portal.clock.advance(30)
                self.key(which, name) if by_key else self.code(which, name, "right")
            self.poll_late(which, path, 0)
            self.come_from_another_site(which, path, how, name)
            self.send_again(which, must=True)

    @rule(which=WHICH, name=NAME, number=st.integers(0, 9))
    def recover_twice(self, which: int, name: str, number: int) -> None:
        """A sign-in by a recovery code, which is sent twice; then by a key, if there is one, for new ones."""
        self.password(which, name, True)
        self.recovery_code(which, name, number)
        self.send_again(which, must=True)
        self.sign_in(which, name, True)
        self.renew(which)

    @rule(which=WHICH, other=WHICH)
    def open_second_tab(self, which: int, other: int) -> None:
        """A copy of the cookies goes on beside, where their browser is."""
        client = self.clients[which]
        self._forks(client)
        self.clients[other] = Client(
            client.browser.copy(), client.lineage, client.version, client.begun, client.options
        )

    @rule(which=WHICH, number=st.integers(0, 5))
    def roll_back(self, which: int, number: int) -> None:
        """All cookies are those of before, as when a profile is restored."""
        client, earlier = self.clients[which], self._of(self.clients[which]).earlier
        if not earlier:
            return
        self._forks(client)
        jar = earlier[-1 - number % len(earlier)]
        browser = self._of(client).with_jar(jar)
        browser.earlier = list(earlier)
        self.clients[which] = Client(browser, *self._named(browser), client.begun, client.options)
        reached["rolled back"] = reached.get("rolled back", 0) + 1
        self._goes_on(which)

    def _forks(self, client: Client) -> None:
        """A device cookie that is held twice may be found to be copied, once one of both has moved on."""
        name = self.portal.gate_settings.device_cookie_name
        self.stolen = self.stolen or client.browser.client.get_cookie(name, domain="portal.example") is not None

    @invariant()
    def no_two_sessions_disagree_and_no_theft_is_told_where_nothing_was_copied(self) -> None:
        mismatches, replayed = self._alarms()
        assert mismatches == 0
        assert self.stolen or replayed == 0
