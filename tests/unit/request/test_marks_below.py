"""Marks below decorators that answer by themselves, on whatever way they lie there: enforced, or the start stops."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Blueprint, Response, make_response, request
from flask.views import MethodView, View

from mfa_gate import ConfigurationError, Level
from mfa_gate.testing import signed_in
from tests.support.portal import BASE_URL, JSON, Portal
from tests.support.readers import lines


@pytest.fixture
def backend() -> str:
    """Marks know nothing of the store: one back end will do."""
    return "sqlite"


# --- decorators that answer by themselves, each in the shape of one that people use -----------------------------------


def cached(view: Callable[..., Any]) -> Callable[..., Any]:
    """As Flask-Caching's: what the first one was shown, the next one is shown without the view."""
    kept: dict[str, Response] = {}

    @functools.wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if request.path not in kept:
            made = make_response(view(*args, **kwargs))
            if made.status_code != 200:
                return made
            kept[request.path] = made
        return kept[request.path].get_data()

    return wrapper


def cached_async(view: Callable[..., Any]) -> Callable[..., Any]:
    kept: dict[str, Any] = {}

    @functools.wraps(view)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        if request.path not in kept:
            made = await view(*args, **kwargs)
            if not isinstance(made, str):
                return made
            kept[request.path] = made
        return kept[request.path]

    return wrapper


class Cached:
    """The same as a class."""

    def __init__(self, view: Callable[..., Any]) -> None:
        functools.update_wrapper(self, view)
        self._answers = cached(view)
        del self._answers.__wrapped__  # type: ignore[attr-defined]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._answers(*args, **kwargs)


class Proxy:
    """As wrapt's `FunctionWrapper`, which monitoring agents put round each view: it passes itself off as the view."""

    def __init__(self, view: Callable[..., Any], answers: Callable[..., Any] | None = None) -> None:
        self.__wrapped__ = view
        self._answers = answers or view

    @property
    def __class__(self) -> Any:
        return self.__wrapped__.__class__

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["__wrapped__"], name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._answers(*args, **kwargs)


def cached_by_proxy(view: Callable[..., Any]) -> Callable[..., Any]:
    return Proxy(view, cached(view))


def function(portal: Portal, mark: Any) -> Callable[..., Any]:
    def shown(nir: str) -> str:
        return f"shown {nir}"

    return mark(shown)  # type: ignore[no-any-return]


def by_class(portal: Portal, mark: Any, *decorators: Any) -> Callable[..., Any]:
    """A class-based view, its decorators the innermost first."""

    class Shown(View):
        def dispatch_request(self, nir: str) -> str:
            return f"shown {nir}"

    Shown.decorators = [mark, *decorators]
    return Shown.as_view("shown")


def by_method(below: Any = None, above: Any = None) -> Callable[..., Any]:
    """A mark on a method: below a decorator of the method, or of the class."""

    def made(portal: Portal, mark: Any) -> Callable[..., Any]:
        class Shown(MethodView):
            decorators = [above] if above else []

            @(below or (lambda method: method))
            @mark
            def get(self, nir: str) -> str:
                return f"shown {nir}"

        return Shown.as_view("shown")

    return made


def by_dispatch(portal: Portal, mark: Any) -> Callable[..., Any]:
    class Shown(View):
        @cached
        @mark
        def dispatch_request(self, nir: str) -> str:
            return f"shown {nir}"

    return Shown.as_view("shown")


def by_instance(portal: Portal, mark: Any) -> Callable[..., Any]:
    class Shown:
        @cached
        @mark
        def __call__(self, nir: str) -> str:
            return f"shown {nir}"

    return Shown()


def asynchronous(portal: Portal, mark: Any) -> Callable[..., Any]:
    @cached_async
    @mark
    async def shown(nir: str) -> str:
        return f"shown {nir}"

    return shown


SHAPES: dict[str, Callable[[Portal, Any], Any]] = {
    "function": lambda portal, mark: cached(function(portal, mark)),
    "two below": lambda portal, mark: cached(Cached(function(portal, mark))),
    "class as decorator": lambda portal, mark: Cached(function(portal, mark)),
    "partial": lambda portal, mark: cached(functools.partial(function(portal, mark))),
    "bound method": lambda portal, mark: by_bound(mark),
    "proxy": lambda portal, mark: cached_by_proxy(function(portal, mark)),
    "below another mark": lambda portal, mark: portal.gate.require()(cached(function(portal, mark))),
    "async": asynchronous,
    "class": lambda portal, mark: by_class(portal, mark, cached),
    "method": by_method(below=cached),
    "method below a class's decorator": by_method(above=cached),
    "dispatch_request": by_dispatch,
    "instance": by_instance,
}


def by_bound(mark: Any) -> Callable[..., Any]:
    class Pages:
        @cached
        @mark
        def shown(self, nir: str) -> str:
            return f"shown {nir}"

    return Pages().shown


def register(portal: Portal, shape: str, mark: Any) -> None:
    view = SHAPES[shape](portal, mark)
    portal.app.add_url_rule("/shown/<nir>", "shown", view)


def client_of(portal: Portal, account: str, level: Level = Level.MFA) -> Any:
    client = portal.app.test_client()
    signed_in(client, portal.people[account], level)
    return client


def asked(client: Any, path: str, method: str = "GET") -> tuple[int, str]:
    answer = client.open(path, method=method, base_url=BASE_URL, headers=JSON)
    return answer.status_code, answer.text if answer.mimetype == "text/html" else answer.json["code"]


# --- requirements ----------------------------------------------------------------------------------------------------


@pytest.mark.abuse("A70")
@pytest.mark.parametrize("shape", SHAPES)
def test_a_requirement_below_a_decorator_that_answers_by_itself_is_enforced(portal: Portal, shape: str) -> None:
    register(portal, shape, portal.gate.require(Level.PHISHING_RESISTANT))
    portal.key("anne")
    portal.enrolled("bob")
    anne = client_of(portal, "anne", Level.PHISHING_RESISTANT)
    assert asked(anne, "/shown/1") == (200, "shown 1")
    bob = client_of(portal, "bob")
    assert asked(bob, "/shown/1") == (403, "no_suitable_method")
    assert bob.head("/shown/1", base_url=BASE_URL).status_code == 403
    assert asked(portal.app.test_client(), "/shown/1") == (401, "sign_in_required")


@pytest.mark.abuse("A70")
def test_a_requirement_of_one_method_is_asked_for_at_that_method(portal: Portal) -> None:
    class Shown(MethodView):
        decorators = [cached]  # noqa: RUF012

        def get(self) -> str:
            return "read"

        @portal.gate.require(Level.PHISHING_RESISTANT)
        def post(self) -> str:
            return "written"

    portal.app.add_url_rule("/shown", view_func=Shown.as_view("shown"))
    portal.enrolled("bob")
    bob = client_of(portal, "bob")
    assert asked(bob, "/shown") == (200, "read")
    assert asked(bob, "/shown", "POST") == (403, "no_suitable_method")


@pytest.mark.abuse("A70")
def test_the_list_of_routes_says_what_is_asked_for_below(portal: Portal) -> None:
    register(portal, "function", portal.gate.require(Level.PHISHING_RESISTANT))
    portal.app.add_url_rule("/read/<nir>", "read", cached(portal.gate.reads("patient", record="nir")(lambda nir: nir)))
    with portal.app.test_request_context():
        listed = {route["endpoint"]: route for route in portal.app.extensions["mfa_gate.start"].routes()}
    assert listed["shown"]["level"] == "PHISHING_RESISTANT"
    assert listed["read"]["reads"] == "metered"


# --- reads -----------------------------------------------------------------------------------------------------------


@pytest.mark.abuse("A70")
@pytest.mark.parametrize("shape", SHAPES)
def test_reads_below_a_decorator_that_answers_by_itself_shows_nothing_uncharged(portal: Portal, shape: str) -> None:
    register(portal, shape, portal.gate.reads("patient", record="nir"))
    portal.enrolled("anne")
    portal.enrolled("bob")
    anne, bob = client_of(portal, "anne"), client_of(portal, "bob")
    assert asked(anne, "/shown/1") == (200, "shown 1")
    assert asked(bob, "/shown/1") == (500, "not_metered")
    assert len(lines(portal)) == 1
    assert asked(bob, "/shown/2") == (200, "shown 2")
    assert len(lines(portal)) == 2


@pytest.mark.abuse("A70")
def test_what_something_else_charged_does_not_pay_for_what_a_cache_shows(portal: Portal) -> None:
    register(portal, "function", portal.gate.reads("patient", record="nir"))

    @portal.app.before_request
    def latest() -> None:
        if request.args.get("also"):
            portal.gate.count_reads("patient", ["9"])

    portal.enrolled("anne")
    anne = client_of(portal, "anne")
    assert asked(anne, "/shown/1") == (200, "shown 1")
    assert asked(anne, "/shown/1?also=1") == (500, "not_metered")


@pytest.mark.abuse("A70")
def test_reads_above_such_a_decorator_is_charged_each_time(portal: Portal) -> None:
    view = portal.gate.reads("patient", record="nir")(cached(lambda nir: f"shown {nir}"))
    portal.app.add_url_rule("/shown/<nir>", "shown", view)
    portal.enrolled("anne")
    anne = client_of(portal, "anne")
    for _ in range(2):
        assert asked(anne, "/shown/1") == (200, "shown 1")
    assert len(lines(portal)) == 2


# --- what is charged is the call -------------------------------------------------------------------------------------


def charged(portal: Portal) -> list[str]:
    """The records in the ledger, by their hash."""
    parts = portal.app.extensions["mfa_gate"]
    names = {parts.reads._hash("patient", nir): nir for nir in ("111", "222", "333")}
    return [names[row.record] for row in portal.sql("SELECT record FROM mfa_reads ORDER BY id")]


def calls(portal: Portal) -> dict[str, Callable[[str], str]]:
    """Views with the mark, each called in another way."""
    reads = portal.gate.reads("patient", record="nir")

    def keyword(nir: str = "333") -> str:
        return nir

    def more(first: int = 0, *rest: str, nir: str = "333", **other: str) -> str:
        return nir

    def whatever(*args: str, **kwargs: str) -> str:
        return args[0] if args else kwargs["nir"]

    @functools.wraps(keyword)
    def around(*args: str, **kwargs: str) -> str:
        return keyword(*args, **kwargs)

    def positional(nir: str, /, **other: str) -> str:
        return nir

    class Pages(MethodView):
        @reads
        def get(self, nir: str = "333") -> str:
            return nir

    plain, every, inner, alone = reads(keyword), reads(more), reads(around), reads(positional)
    return {
        "by keyword": lambda nir: plain(nir=nir),
        "by position": lambda nir: plain(nir),
        "keyword only": lambda nir: every(1, "x", nir=nir),
        "by kwargs": lambda nir: reads(whatever)(nir=nir),
        "through a wrapper, by position": lambda nir: inner(nir),
        "positional only": lambda nir: alone(nir, **{"nir": "333"}),
        "by a method": lambda nir: str(Pages().get(nir)),
    }


CALLS = [
    *("by keyword", "by position", "keyword only", "by kwargs", "through a wrapper, by position", "positional only"),
    "by a method",
]


@pytest.mark.abuse("A70")
@pytest.mark.parametrize("way", CALLS)
def test_a_view_that_calls_another_is_charged_for_what_that_one_shows(portal: Portal, way: str) -> None:
    call = calls(portal)[way]

    @portal.app.get("/couple/<nir>")
    def couple(nir: str) -> str:
        return call(nir) + " " + call("222")

    portal.enrolled("anne")
    assert asked(client_of(portal, "anne"), "/couple/111") == (200, "111 222")
    assert charged(portal) == ["111", "222"]


@pytest.mark.abuse("A70")
def test_a_default_that_is_shown_is_charged(portal: Portal) -> None:
    @portal.app.get("/mine")
    @portal.gate.reads("patient", record="nir")
    def mine(nir: str = "333") -> str:
        return nir

    portal.enrolled("anne")
    assert asked(client_of(portal, "anne"), "/mine") == (200, "333")
    assert charged(portal) == ["333"]


@pytest.mark.abuse("A70")
def test_async_views_that_call_each_other_are_charged_alike(portal: Portal) -> None:
    @portal.gate.reads("patient", record="nir")
    async def one(nir: str) -> str:
        return nir

    @portal.app.get("/couple/<nir>")
    async def couple(nir: str) -> str:
        return f"{await one(nir)} {await one('222')}"

    portal.enrolled("anne")
    assert asked(client_of(portal, "anne"), "/couple/111") == (200, "111 222")
    assert charged(portal) == ["111", "222"]


@pytest.mark.abuse("A70")
def test_a_call_without_the_argument_shows_nothing(portal: Portal) -> None:
    def hands_out(*args: str, **kwargs: str) -> str:
        return "111"

    view = portal.gate.reads("patient", record="nir")(hands_out)
    portal.app.add_url_rule("/couple/<nir>", "couple", lambda nir: view("111"))
    portal.enrolled("anne")
    assert asked(client_of(portal, "anne"), "/couple/111") == (500, "not_metered")
    assert charged(portal) == []


@pytest.mark.abuse("A70")
def test_a_view_that_goes_on_after_another_was_refused_is_not_sent(portal: Portal) -> None:
    @portal.gate.reads("patient", record="nir")
    def one(nir: str) -> str:
        return nir

    @portal.app.get("/couple/<nir>")
    def couple(nir: str) -> str:
        try:
            return one(nir) + one("")
        except Exception:
            return one(nir)

    portal.enrolled("anne")
    assert asked(client_of(portal, "anne"), "/couple/111") == (400, "invalid_record")


# --- marks that open -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2])
def test_a_public_view_below_the_proxy_of_a_monitoring_agent_is_public(portal: Portal, depth: int) -> None:
    view: Any = portal.gate.public(lambda: "open")
    for _ in range(depth):
        view = Proxy(view)
    portal.app.add_url_rule("/agent", "agent", view)
    assert asked(portal.app.test_client(), "/agent") == (200, "open")


def test_an_agent_round_each_view_changes_nothing(portal: Portal) -> None:
    secret = portal.enrolled()
    for endpoint, view in list(portal.app.view_functions.items()):
        portal.app.view_functions[endpoint] = Proxy(view)
    browser = portal.browser()
    assert browser.get("/open").status_code == 200
    assert browser.get("/").location == f"{BASE_URL}/login"
    assert browser.sign_in(secret).status_code == 303
    assert browser.get("/").text == "home of anne"
    assert browser.get("/safe").status_code == 403


@pytest.mark.abuse("A70")
def test_a_proxy_round_another_view_borrows_no_mark(portal: Portal) -> None:
    opened = portal.gate.public(lambda: "open")

    @functools.wraps(Proxy(opened))
    def other() -> str:
        return "secret"

    portal.app.add_url_rule("/other", "other", other)
    with pytest.raises(ConfigurationError, match="'other'"):
        asked(portal.app.test_client(), "/other")


@pytest.mark.abuse("A70")
@pytest.mark.parametrize("kind", ["require", "reads"])
def test_a_requirement_that_is_hidden_below_an_opening_mark_stops_the_start(portal: Portal, kind: str) -> None:
    gate = portal.gate
    mark = gate.require() if kind == "require" else gate.reads("patient", record="nir")
    portal.app.add_url_rule("/shown/<nir>", "shown", gate.public(cached(function(portal, mark))))
    with pytest.raises(ConfigurationError, match="'shown'"):
        asked(portal.app.test_client(), "/shown/1")


@pytest.mark.abuse("A70")
def test_a_view_marked_as_reading_nothing_that_hides_reads_stops_the_start(portal: Portal) -> None:
    view = cached(function(portal, portal.gate.reads("patient", record="nir")))
    portal.app.add_url_rule("/shown/<nir>", "shown", portal.gate.reads_nothing(view))
    with pytest.raises(ConfigurationError, match="contradict"):
        asked(portal.app.test_client(), "/shown/1")


OPENING = ["public", "first_factor", "reads_nothing"]


def opening(portal: Portal, name: str) -> Any:
    gate = portal.gate
    return {"public": gate.public, "first_factor": gate.first_factor("name"), "reads_nothing": gate.reads_nothing}[name]


def inherits(portal: Portal, name: str) -> SimpleNamespace:
    class Base(MethodView):
        decorators = [opening(portal, name)]  # noqa: RUF012

        def get(self) -> str:
            return "base"

    class Sub(Base):
        def get(self) -> str:
            return "secret"

    class Said(Base):
        decorators = [*Base.decorators]  # noqa: RUF012

    return SimpleNamespace(Base=Base, Sub=Sub, Said=Said)


@pytest.mark.abuse("A70")
@pytest.mark.parametrize("name", OPENING)
def test_an_opening_mark_that_a_class_inherits_stops_the_start(portal: Portal, name: str) -> None:
    portal.app.add_url_rule("/sub", view_func=inherits(portal, name).Sub.as_view("sub"))
    with pytest.raises(ConfigurationError, match=r"'sub'.*decorators"):
        asked(portal.app.test_client(), "/sub")


@pytest.mark.abuse("A70")
@pytest.mark.parametrize("name", ["public", "first_factor"])
def test_a_class_that_inherits_an_opening_mark_at_run_time_is_guarded(portal: Portal, name: str) -> None:
    made = inherits(portal, name)
    portal.app.add_url_rule("/late", "late", lambda: "late")
    assert asked(portal.app.test_client(), "/late")[0] == 401
    portal.app.view_functions["late"] = made.Sub.as_view("late")
    assert asked(portal.app.test_client(), "/late")[0] == 401
    portal.app.view_functions["late"] = made.Said.as_view("late")
    assert asked(portal.app.test_client(), "/late") == (200, "base")


def test_a_class_that_says_so_itself_is_public_and_so_is_one_marked_by_hand(portal: Portal) -> None:
    made = inherits(portal, "public")
    portal.app.add_url_rule("/base", view_func=made.Base.as_view("base"))
    portal.app.add_url_rule("/said", view_func=made.Said.as_view("said"))

    class Plain(MethodView):
        def get(self) -> str:
            return "plain"

    portal.app.add_url_rule("/plain", "plain", portal.gate.public(Plain.as_view("plain")))
    client = portal.app.test_client()
    assert [asked(client, f"/{name}") for name in ("base", "said", "plain")] == [
        (200, "base"),
        (200, "base"),
        (200, "plain"),
    ]


# --- blueprints ------------------------------------------------------------------------------------------------------


def records() -> Blueprint:
    """As a factory makes it: another object each time."""
    made = Blueprint("records", __name__, url_prefix="/records")
    made.add_url_rule("/<nir>", "one", lambda nir: f"record {nir}")
    return made


def protecting(portal: Portal, how: str, blueprint: Blueprint) -> None:
    if how == "metered":
        portal.gate.metered(blueprint)
    else:
        portal.gate.protect(blueprint, level=Level.PHISHING_RESISTANT)


REFUSED = {"protect": (403, "no_suitable_method"), "metered": (500, "not_metered")}


@pytest.mark.abuse("A70")
@pytest.mark.parametrize("how", REFUSED)
@pytest.mark.parametrize("registered", ["another", "renamed", "none"])
def test_a_blueprint_that_is_not_the_one_registered_stops_the_start(portal: Portal, how: str, registered: str) -> None:
    protecting(portal, how, records())
    if registered != "none":
        more: dict[str, Any] = {"name": "renamed"} if registered == "renamed" else {}
        portal.app.register_blueprint(records(), **more)
    with pytest.raises(ConfigurationError, match=r"'records'.*not registered"):
        asked(portal.app.test_client(), "/records/1")


@pytest.mark.abuse("A70")
@pytest.mark.parametrize("how", REFUSED)
def test_a_blueprint_that_is_protected_after_the_first_request_is_protected_from_then_on(
    portal: Portal, how: str
) -> None:
    blueprint = records()
    portal.app.register_blueprint(blueprint)
    portal.enrolled("bob")
    bob = client_of(portal, "bob")
    assert asked(bob, "/records/1") == (200, "record 1")
    protecting(portal, how, blueprint)
    assert asked(bob, "/records/1") == REFUSED[how]


@pytest.mark.abuse("A70")
@pytest.mark.parametrize("how", REFUSED)
def test_another_blueprint_after_the_first_request_is_refused_where_it_is_given(portal: Portal, how: str) -> None:
    portal.app.register_blueprint(records())
    assert asked(portal.app.test_client(), "/records/1")[0] == 401
    with pytest.raises(ConfigurationError, match="'records'"):
        protecting(portal, how, records())


@pytest.mark.abuse("A70")
@pytest.mark.parametrize("how", [*REFUSED, "by name"])
@pytest.mark.parametrize("name", ["public", "first_factor"])
def test_an_open_view_put_into_a_protected_blueprint_at_run_time_is_guarded(
    portal: Portal, how: str, name: str
) -> None:
    blueprint = records()
    protecting(portal, how, blueprint)
    portal.app.register_blueprint(blueprint)
    client = portal.app.test_client()
    assert asked(client, "/records/1")[0] == 401
    if how == "by name":
        portal.gate.public("records.one")
    else:
        portal.app.view_functions["records.one"] = opening(portal, name)(lambda nir: f"record {nir}")
    assert asked(client, "/records/1") == (401, "sign_in_required")


# --- a request that is led elsewhere ---------------------------------------------------------------------------------


def leads_to(path: str, method: str = "GET") -> dict[str, Any]:
    """Route this request anew, as recipes for languages and for method overrides do; the arguments of the view."""
    from flask.globals import request_ctx

    assert request_ctx.url_adapter is not None
    request.routing_exception = None
    request.url_rule, request.view_args = request_ctx.url_adapter.match(path, method, return_rule=True)
    return request.view_args or {}


def by_hook(portal: Portal) -> None:
    @portal.app.before_request
    def localised() -> None:
        if request.path.startswith("/fr/"):
            leads_to(request.path[3:])


def by_answering_hook(portal: Portal) -> None:
    @portal.app.before_request
    def localised() -> Any:
        if request.path.startswith("/fr/"):
            arguments = leads_to(request.path[3:])
            assert request.url_rule is not None
            return portal.app.view_functions[request.url_rule.endpoint](**arguments)
        return None


def by_preprocessor(portal: Portal) -> None:
    @portal.app.url_value_preprocessor
    def localised(endpoint: str | None, values: dict[str, Any] | None) -> None:
        if request.path.startswith("/fr/"):
            leads_to(request.path[3:])


def by_error_handler(portal: Portal) -> None:
    @portal.app.errorhandler(404)
    def localised(error: Exception) -> Any:
        if request.path.startswith("/fr/"):
            leads_to(request.path[3:])
            return portal.app.dispatch_request()
        return error


def by_answering_error_handler(portal: Portal) -> None:
    @portal.app.errorhandler(404)
    def localised(error: Exception) -> Any:
        if request.path.startswith("/fr/"):
            arguments = leads_to(request.path[3:])
            assert request.url_rule is not None
            return portal.app.view_functions[request.url_rule.endpoint](**arguments)
        return error


def by_public_view(portal: Portal) -> None:
    @portal.app.get("/fr/<path:rest>")
    @portal.gate.public
    def localised(rest: str) -> Any:
        rule = request.url_rule
        leads_to(f"/{rest}")
        try:
            return portal.app.dispatch_request()
        finally:
            request.url_rule = rule


WAYS = [by_hook, by_answering_hook, by_preprocessor, by_error_handler, by_answering_error_handler, by_public_view]


@pytest.mark.abuse("A70")
@pytest.mark.parametrize("way", WAYS)
def test_a_request_that_is_led_to_another_view_is_asked_what_that_one_asks(portal: Portal, way: Any) -> None:
    way(portal)
    portal.app.add_url_rule("/vault", "vault", portal.gate.require(Level.PHISHING_RESISTANT)(lambda: "vault"))
    client = portal.app.test_client()
    assert asked(client, "/patients/1") == (401, "sign_in_required")
    assert asked(client, "/fr/patients/1") == (401, "sign_in_required")
    portal.enrolled("bob")
    bob = client_of(portal, "bob")
    assert asked(bob, "/fr/patients/1") == (200, "record 1")
    assert asked(bob, "/fr/vault") == (403, "no_suitable_method")


@pytest.mark.abuse("A70")
@pytest.mark.parametrize("way", [by_hook, by_preprocessor, by_error_handler, by_public_view])
def test_the_view_that_a_stranger_is_led_to_does_not_run(portal: Portal, way: Any) -> None:
    way(portal)
    ran: list[str] = []
    portal.app.add_url_rule("/ran/<nir>", "ran", lambda nir: ran.append(nir) or nir)
    assert asked(portal.app.test_client(), "/fr/ran/1") == (401, "sign_in_required")
    assert ran == []


@pytest.mark.abuse("A70")
@pytest.mark.parametrize("way", WAYS)
def test_a_request_that_is_led_to_a_metered_view_is_metered(portal: Portal, way: Any) -> None:
    way(portal)
    blueprint = records()
    portal.gate.metered(blueprint)
    portal.app.register_blueprint(blueprint)
    portal.enrolled("bob")
    assert asked(client_of(portal, "bob"), "/fr/records/1") == (500, "not_metered")


@pytest.mark.abuse("A70")
def test_a_request_whose_method_is_overridden_is_asked_what_that_method_asks(portal: Portal) -> None:
    class Shown(MethodView):
        decorators = [cached]  # noqa: RUF012

        def get(self) -> str:
            return "read"

        @portal.gate.require(Level.PHISHING_RESISTANT)
        def post(self) -> str:
            return "written"

    @portal.app.before_request
    def override() -> None:
        if "_method" in request.args:
            request.method = request.args["_method"]

    portal.app.add_url_rule("/shown", view_func=Shown.as_view("shown"))
    portal.enrolled("bob")
    bob = client_of(portal, "bob")
    assert asked(bob, "/shown") == (200, "read")
    assert asked(bob, "/shown?_method=POST") == (403, "no_suitable_method")
    stranger = portal.app.test_client()
    assert asked(stranger, "/shown?_method=GET", "OPTIONS") == (401, "sign_in_required")
