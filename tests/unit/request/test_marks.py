"""Marks: every endpoint is guarded unless it is marked, and a mark that would not be enforced stops the start."""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, session
from flask.views import MethodView, View
from werkzeug.routing import Rule

from mfa_gate import Account, ConfigurationError, Level, MFAGate
from mfa_gate.testing import Clock, signed_in
from tests.support.portal import BASE_URL, JSON, KEYS, PAGE, Browser, MakePortal, Portal


@pytest.fixture
def backend() -> str:
    """Marks know nothing of the store: one back end will do."""
    return "sqlite"


def passes(portal: Portal, path: str, method: str = "GET") -> bool:
    """Whether a stranger gets through to a view; a refusal is one of the gate's own."""
    answer = portal.app.test_client().open(path, method=method, base_url=BASE_URL, headers=JSON)
    if answer.status_code == 401:
        assert method == "HEAD" or answer.json["code"] == "sign_in_required"
        return False
    return answer.status_code < 400


def stops(portal: Portal) -> str:
    """The sentence that stops the start."""
    with pytest.raises(ConfigurationError) as stopped:
        portal.app.test_client().get("/open", base_url=BASE_URL)
    return str(stopped.value)


def transparent(view: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator of the portal's own that copies what it wraps."""

    @functools.wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return wrapper


def opaque(view: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that copies nothing but the name."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    wrapper.__name__ = view.__name__
    return wrapper


# --- what passes and what does not -----------------------------------------------------------------------------------


@pytest.mark.abuse("A58")
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_a_view_without_a_mark_is_guarded_whatever_the_method(portal: Portal, method: str) -> None:
    @portal.app.route(
        "/any", methods=["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"], provide_automatic_options=False
    )
    def any_method() -> str:
        return "any"

    assert not passes(portal, "/any", method)


@pytest.mark.abuse("A58")
def test_an_options_handler_of_the_portals_own_is_guarded_and_the_automatic_one_passes(portal: Portal) -> None:
    @portal.app.route("/own", methods=["GET", "OPTIONS"])
    def own() -> str:
        return "secret"

    class Both(MethodView):
        def get(self) -> str:
            return "secret"

        def options(self) -> str:
            return "secret"

    portal.app.add_url_rule("/both", view_func=Both.as_view("both"))
    assert not passes(portal, "/own", "OPTIONS")
    assert not passes(portal, "/both", "OPTIONS")
    answer = portal.app.test_client().options("/", base_url=BASE_URL)
    assert (answer.status_code, answer.text) == (200, "")
    assert "GET" in answer.headers["Allow"]


def test_static_files_and_unknown_urls_pass(portal: Portal, tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "a.txt").write_text("static")
    portal.app.static_folder = str(tmp_path / "static")
    blueprint = Blueprint("shop", __name__, static_folder=str(tmp_path / "static"), url_prefix="/shop")
    outer = Blueprint("outer", __name__, url_prefix="/outer")
    outer.register_blueprint(Blueprint("inner", __name__, static_folder=str(tmp_path / "static"), url_prefix="/in"))
    portal.app.register_blueprint(blueprint)
    portal.app.register_blueprint(outer)
    client = portal.app.test_client()
    for path in ("/static/a.txt", "/shop/static/a.txt", "/outer/in/static/a.txt"):
        assert client.get(path, base_url=BASE_URL).text == "static"
    assert client.get("/nothing", base_url=BASE_URL).status_code == 404
    assert client.post("/open", base_url=BASE_URL).status_code == 405


@pytest.mark.abuse("A58")
@pytest.mark.parametrize("of", ["/static", "/shop/static", "/mfa/static"])
@pytest.mark.parametrize("headers", [PAGE, JSON], ids=["page", "json"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_static_file_that_is_not_there_is_404(
    portal: Portal, tmp_path: Path, of: str, headers: dict[str, str], method: str
) -> None:
    (tmp_path / "static").mkdir()
    portal.app.static_folder = str(tmp_path / "static")
    shop = Blueprint("shop", __name__, static_folder=str(tmp_path / "static"), url_prefix="/shop")
    portal.gate.metered(shop)
    portal.app.register_blueprint(shop)
    for name in ("none.css", "../portal.py", "a/b/c.js", "%00", "."):
        answer = portal.app.test_client().open(f"{of}/{name}", method=method, base_url=BASE_URL, headers=headers)
        assert (answer.status_code, answer.location) == (404, None), name


def test_a_range_beyond_the_end_of_an_own_file_is_416(portal: Portal) -> None:
    beyond = {"Range": "bytes=99999999-"}
    answer = portal.app.test_client().get("/mfa/static/mfa_gate.css", base_url=BASE_URL, headers=beyond)
    assert answer.status_code == 416


def test_a_view_that_is_only_called_static_is_guarded(portal: Portal) -> None:
    blueprint = Blueprint("shop", __name__, url_prefix="/shop")

    @blueprint.get("/static/<name>", endpoint="static")
    def static(name: str) -> str:
        return "secret"

    class Folder(MethodView):
        def get(self) -> str:
            return "secret"

    other = Blueprint("other", __name__, url_prefix="/other")
    other.add_url_rule("/x", view_func=Folder.as_view("static"))
    portal.app.register_blueprint(blueprint)
    portal.app.register_blueprint(other)
    portal.app.view_functions["static"] = lambda filename: "secret"
    assert not passes(portal, "/shop/static/a")
    assert not passes(portal, "/other/x")
    assert not passes(portal, "/static/a.txt")


@pytest.mark.abuse("A58")
def test_an_app_without_static_files_may_have_a_view_of_that_name(database_url: str, tmp_path: Path) -> None:
    app = Flask("bare", static_folder=None, instance_path=str(tmp_path))
    app.config.update(bare_config(database_url))
    app.add_url_rule("/static", "static", lambda: "secret")
    MFAGate(app, account_loader=lambda account_id: None)
    assert app.test_client().get("/static", base_url=BASE_URL).status_code == 401


def test_public_opens_a_view_and_names_open_those_of_others(portal: Portal) -> None:
    portal.app.add_url_rule("/health", "health", lambda: "well")
    portal.gate.public("health")
    assert passes(portal, "/open")
    assert passes(portal, "/health")
    assert not passes(portal, "/")


def test_a_public_name_that_no_endpoint_has_stops_the_start(portal: Portal) -> None:
    portal.gate.public("home", "swagger.ui")
    assert stops(portal) == "gate.public('swagger.ui'): there is no such endpoint"


@pytest.mark.parametrize("wrong", [(), (5,), (None,), ("a", 5), (b"home",)])
def test_public_takes_a_view_or_names(portal: Portal, wrong: tuple[Any, ...]) -> None:
    if wrong == ():
        assert portal.gate.public() is None
        return
    with pytest.raises(TypeError):
        portal.gate.public(*wrong)


# --- requirements ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "max_age", "error"),
    [
        (2, None, TypeError),
        ("MFA", None, TypeError),
        (None, None, TypeError),
        (True, None, TypeError),
        (Level.PASSWORD, None, ValueError),
        (Level.MFA, 600, TypeError),
        (Level.MFA, "10m", TypeError),
        (Level.MFA, timedelta(0), ValueError),
        (Level.MFA, timedelta(seconds=-1), ValueError),
    ],
)
def test_wrong_levels_and_ages_are_refused_where_they_are_written(
    portal: Portal, level: Any, max_age: Any, error: type[Exception]
) -> None:
    blueprint = Blueprint("b", __name__)
    for written in (
        lambda: portal.gate.require(level, max_age),
        lambda: portal.gate.protect(blueprint, level=level, max_age=max_age),
        lambda: MFAGate(level=level, max_age=max_age),
    ):
        with pytest.raises(error):
            written()


def test_require_without_brackets_is_told_apart(portal: Portal) -> None:
    with pytest.raises(TypeError):

        @portal.gate.require  # type: ignore[arg-type]
        def view() -> str:
            return ""


def client_at(portal: Portal, age: float) -> Any:
    portal.enrolled()
    client = portal.app.test_client()
    signed_in(client, portal.people["anne"])
    portal.clock.advance(age)
    return client


def asked(client: Any, path: str) -> str:
    """What a program is asked for on a path, "" where it is let through."""
    answer = client.get(path, base_url=BASE_URL, headers=JSON)
    return "" if answer.status_code == 200 else str(answer.headers.get("WWW-Authenticate") or answer.json["code"])


@pytest.mark.abuse("A58")
def test_a_blueprint_asks_the_same_of_all_its_views_and_of_blueprints_inside_it(portal: Portal) -> None:
    outer = Blueprint("outer", __name__, url_prefix="/outer")
    inner = Blueprint("inner", __name__, url_prefix="/inner")
    beside = Blueprint("beside", __name__, url_prefix="/beside")
    for blueprint in (outer, inner, beside):
        blueprint.add_url_rule("/", "index", lambda: "in")
    outer.add_url_rule("/sooner", "sooner", portal.gate.require(max_age=timedelta(minutes=1))(lambda: "in"))
    outer.register_blueprint(inner)
    outer.register_blueprint(beside, name="renamed")
    portal.gate.protect(outer, max_age=timedelta(minutes=5))
    portal.gate.protect(inner, max_age=timedelta(minutes=2))
    portal.app.register_blueprint(outer)
    portal.app.register_blueprint(outer, name="again", url_prefix="/again")
    client = client_at(portal, 59)
    paths = ("/outer/", "/outer/inner/", "/outer/beside/", "/outer/sooner", "/again/", "/again/inner/")
    assert [asked(client, path) for path in paths] == [""] * 6
    portal.clock.advance(1)
    assert [bool(asked(client, path)) for path in paths] == [False, False, False, True, False, False]
    portal.clock.advance(60)
    assert [bool(asked(client, path)) for path in paths] == [False, True, False, True, False, True]
    portal.clock.advance(180)
    assert [bool(asked(client, path)) for path in paths] == [True] * 6
    assert asked(client, "/") == ""


def test_the_gates_default_counts_for_all_views_without_a_mark_and_with_one(database_url: str, tmp_path: Path) -> None:
    portal = bare_portal(database_url, tmp_path, max_age=timedelta(minutes=5))

    @portal.app.get("/longer")
    @portal.gate.require(max_age=timedelta(hours=1))
    def longer() -> str:
        return "longer"

    client = client_at(portal, 299)
    assert [asked(client, path) for path in ("/", "/longer")] == ["", ""]
    portal.clock.advance(1)
    assert [bool(asked(client, path)) for path in ("/", "/longer")] == [True, True]


def test_the_gates_default_may_be_a_greater_level(database_url: str, tmp_path: Path) -> None:
    portal = bare_portal(database_url, tmp_path, level=Level.PHISHING_RESISTANT)
    assert asked(client_at(portal, 0), "/") == "no_suitable_method"


def test_several_requirements_of_one_view_all_count(portal: Portal) -> None:
    @portal.app.get("/both")
    @portal.gate.require(max_age=timedelta(minutes=5))
    @portal.gate.require(max_age=timedelta(minutes=1))
    def both() -> str:
        return "both"

    client = client_at(portal, 59)
    assert asked(client, "/both") == ""
    portal.clock.advance(1)
    assert 'max_age="60"' in asked(client, "/both")


# --- marks in the wrong place ----------------------------------------------------------------------------------------


@pytest.mark.abuse("A58")
@pytest.mark.parametrize("mark", ["public", "require", "first_factor"])
def test_a_mark_above_the_route_decorator_stops_the_start(portal: Portal, mark: str) -> None:
    gate = portal.gate
    decorator = {"public": gate.public, "require": gate.require(), "first_factor": gate.first_factor("name")}[mark]

    @decorator
    @portal.app.get("/above")
    def above() -> str:
        return "above"

    said = stops(portal)
    assert "'above'" in said
    assert f"@gate.{mark}" in said
    assert "directly under the route decorator" in said


@pytest.mark.abuse("A58")
@pytest.mark.parametrize("mark", ["public", "first_factor"])
def test_a_mark_below_another_decorator_stops_the_start_where_it_would_do_nothing(portal: Portal, mark: str) -> None:
    decorator = {"public": portal.gate.public, "first_factor": portal.gate.first_factor("name")}[mark]

    @portal.app.get("/below")
    @transparent
    @decorator
    def below() -> str:
        return "below"

    assert "'below'" in stops(portal)


@pytest.mark.abuse("A58")
def test_a_public_mark_that_nobody_can_see_opens_nothing(portal: Portal) -> None:
    @portal.app.get("/hidden")
    @opaque
    @portal.gate.public
    def hidden() -> str:
        return "hidden"

    assert not passes(portal, "/hidden")


@pytest.mark.abuse("A58")
@pytest.mark.parametrize("between", [transparent, opaque])
def test_a_requirement_below_another_decorator_is_enforced_all_the_same(
    portal: Portal, between: Callable[..., Any]
) -> None:
    @portal.app.get("/below")
    @between
    @portal.gate.require(max_age=timedelta(minutes=5))
    def below() -> str:
        return "below"

    client = client_at(portal, 299)
    assert asked(client, "/below") == ""
    portal.clock.advance(1)
    assert 'max_age="300"' in asked(client, "/below")


@pytest.mark.abuse("A58")
def test_a_mark_that_functools_wraps_copied_opens_nothing(portal: Portal) -> None:
    @portal.gate.public
    def opened() -> str:
        return "open"

    @functools.wraps(opened)
    def other() -> str:
        return "secret"

    portal.app.add_url_rule("/other", "other", other)
    said = ""
    try:
        assert not passes(portal, "/other")
    except ConfigurationError as stopped:
        said = str(stopped)
    assert "'other'" in said


@pytest.mark.abuse("A58")
def test_the_attributes_of_a_marked_view_open_nothing_either(portal: Portal) -> None:
    @portal.gate.public
    def opened() -> str:
        return "open"

    def other() -> str:
        return "secret"

    other.__dict__.update(opened.__dict__)
    del other.__wrapped__  # type: ignore[attr-defined]
    other.__name__, other.__qualname__, other.__module__ = opened.__name__, opened.__qualname__, opened.__module__
    portal.app.add_url_rule("/other", "other", other)
    assert not passes(portal, "/other")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("public", "require"),
        ("require", "public"),
        ("first_factor", "public"),
        ("public", "first_factor"),
        ("require", "first_factor"),
    ],
)
def test_marks_that_contradict_each_other_are_refused(portal: Portal, first: str, second: str) -> None:
    gate = portal.gate
    decorators: dict[str, Any] = {
        "public": gate.public,
        "require": gate.require(),
        "first_factor": gate.first_factor("name"),
    }

    def view() -> str:
        return "view"

    with pytest.raises(ConfigurationError, match="contradict"):
        decorators[second](decorators[first](view))


@pytest.mark.abuse("A58")
@pytest.mark.parametrize("mark", ["public", "first_factor"])
def test_a_view_marked_open_inside_a_protected_blueprint_stops_the_start(portal: Portal, mark: str) -> None:
    decorator = {"public": portal.gate.public, "first_factor": portal.gate.first_factor("name")}[mark]
    blueprint = Blueprint("records", __name__, url_prefix="/records")
    blueprint.add_url_rule("/", "list", decorator(lambda: "list"))
    portal.gate.protect(blueprint)
    portal.app.register_blueprint(blueprint)
    assert "'records.list'" in stops(portal)


@pytest.mark.abuse("A58")
def test_an_endpoint_named_public_inside_a_protected_blueprint_stops_the_start(portal: Portal) -> None:
    blueprint = Blueprint("records", __name__, url_prefix="/records")
    blueprint.add_url_rule("/", "list", lambda: "list")
    portal.gate.protect(blueprint)
    portal.gate.public("records.list")
    portal.app.register_blueprint(blueprint)
    assert "'records.list'" in stops(portal)


@pytest.mark.abuse("A58")
def test_an_endpoint_named_public_whose_view_asks_for_more_stops_the_start(portal: Portal) -> None:
    portal.gate.public("bank")
    assert "'bank'" in stops(portal)


@pytest.mark.abuse("A58")
def test_a_public_mark_below_a_requirement_and_another_decorator_stops_the_start(portal: Portal) -> None:
    @portal.app.get("/deep")
    @portal.gate.require()
    @transparent
    @portal.gate.public
    def deep() -> str:
        return "deep"

    assert "'deep'" in stops(portal)


@pytest.mark.abuse("A58")
def test_an_earlier_hook_of_the_portal_does_not_come_before_the_gate(database_url: str, tmp_path: Path) -> None:
    app = Flask("bare", instance_path=str(tmp_path))
    app.config.update(bare_config(database_url))
    seen: list[str] = []
    app.before_request(lambda: seen.append("earlier"))
    blueprint = Blueprint("b", __name__)
    blueprint.before_app_request(lambda: "a view for everybody")
    app.register_blueprint(blueprint)
    app.add_url_rule("/", "home", lambda: "home")
    MFAGate(app, account_loader=lambda account_id: None)
    app.before_request(lambda: "another one")
    assert app.test_client().get("/", base_url=BASE_URL).status_code == 401
    assert seen == []


@pytest.mark.abuse("A58")
def test_a_hook_that_was_put_to_the_front_later_is_moved_behind_the_gate(portal: Portal) -> None:
    seen: list[str] = []
    portal.app.before_request_funcs[None].insert(0, lambda: seen.append("pushed in"))  # type: ignore[arg-type,return-value]
    passes(portal, "/")
    seen.clear()
    assert not passes(portal, "/")
    assert seen == []


# --- async, classes, run time ----------------------------------------------------------------------------------------


@pytest.mark.abuse("A58")
def test_async_views_are_guarded_marked_and_enforced(portal: Portal) -> None:
    @portal.app.get("/a-guarded")
    async def guarded() -> str:
        return "guarded"

    @portal.app.get("/a-public")
    @portal.gate.public
    async def a_public() -> str:
        return "public"

    @portal.app.get("/a-young")
    @portal.gate.require(max_age=timedelta(minutes=5))
    async def young() -> str:
        return "young"

    @portal.app.get("/a-below")
    @transparent
    @portal.gate.require(max_age=timedelta(minutes=5))
    async def below() -> str:
        return "below"

    assert not passes(portal, "/a-guarded")
    assert passes(portal, "/a-public")
    client = client_at(portal, 299)
    assert [asked(client, path) for path in ("/a-guarded", "/a-young")] == ["", ""]
    portal.clock.advance(1)
    assert 'max_age="300"' in asked(client, "/a-young")
    assert asked(client, "/a-guarded") == ""


def test_an_async_login_view_is_wrapped(portal: Portal) -> None:
    @portal.app.post("/a-login")
    @portal.gate.first_factor(username="email")
    async def a_login() -> Any:
        return portal.gate.sign_in(portal.people["anne"])

    browser = portal.browser()
    assert browser.post("/a-login", {"email": "anne"}).location == f"{BASE_URL}/mfa/challenge"
    assert browser.state == "activation"


@pytest.mark.abuse("A58")
def test_class_based_views_are_guarded_and_marked_by_decorators(portal: Portal) -> None:
    gate = portal.gate

    class Guarded(View):
        def dispatch_request(self) -> str:
            return "guarded"

    class Public(View):
        decorators = [gate.public]  # noqa: RUF012

        def dispatch_request(self) -> str:
            return "public"

    class Young(MethodView):
        decorators = [gate.require(max_age=timedelta(minutes=5))]  # noqa: RUF012

        def get(self) -> str:
            return "young"

    class Mixed(MethodView):
        def get(self) -> str:
            return "read"

        @gate.require(max_age=timedelta(minutes=5))
        def post(self) -> str:
            return "written"

    for view in (Guarded, Public, Young, Mixed):
        portal.app.add_url_rule(f"/{view.__name__}", view_func=view.as_view(view.__name__))
    assert [passes(portal, f"/{name}") for name in ("Guarded", "Public", "Young", "Mixed")] == [
        False,
        True,
        False,
        False,
    ]
    assert not passes(portal, "/Mixed", "POST")
    client = client_at(portal, 300)
    assert asked(client, "/Guarded") == asked(client, "/Mixed") == ""
    assert 'max_age="300"' in asked(client, "/Young")
    answer = client.post("/Mixed", base_url=BASE_URL, headers=JSON)
    assert 'max_age="300"' in answer.headers["WWW-Authenticate"]


@pytest.mark.abuse("A58")
@pytest.mark.parametrize("mark", ["public", "first_factor"])
@pytest.mark.parametrize("also", [False, True], ids=["alone", "under a class that is marked"])
def test_a_method_marked_open_stops_the_start(portal: Portal, mark: str, also: bool) -> None:
    decorator = {"public": portal.gate.public, "first_factor": portal.gate.first_factor("name")}[mark]

    class Mixed(MethodView):
        decorators = [portal.gate.require()] if also else []

        @decorator
        def get(self) -> str:
            return "read"

    portal.app.add_url_rule("/mixed", view_func=Mixed.as_view("mixed"))
    said = stops(portal)
    assert "'mixed'" in said
    assert "decorators" in said


@pytest.mark.parametrize("mark", ["public", "require"])
def test_a_class_itself_cannot_be_marked(portal: Portal, mark: str) -> None:
    decorator: Any = {"public": portal.gate.public, "require": portal.gate.require()}[mark]
    with pytest.raises(TypeError, match="decorators"):

        @decorator
        class Whole(MethodView):
            pass


@pytest.mark.abuse("A58")
def test_views_added_and_exchanged_at_run_time_are_guarded(portal: Portal) -> None:
    assert passes(portal, "/open")
    portal.app.view_functions["new"] = lambda: "new"
    portal.app.url_map.add(Rule("/new", endpoint="new"))
    assert not passes(portal, "/new")
    portal.app.view_functions["public"] = lambda: "exchanged"
    assert not passes(portal, "/open")
    portal.app.view_functions["new"] = portal.gate.public(lambda: "now public")
    assert passes(portal, "/new")
    portal.app.view_functions["new"] = lambda: "no more"
    assert not passes(portal, "/new")


@pytest.mark.abuse("A58")
def test_an_exchanged_view_never_inherits_what_another_was_allowed(portal: Portal) -> None:
    """Views come and go at the same place in memory, as closures made in a loop do."""
    portal.app.view_functions["new"] = portal.gate.public(lambda: "public")
    portal.app.url_map.add(Rule("/new", endpoint="new"))
    assert passes(portal, "/new")
    for _ in range(200):
        portal.app.view_functions["new"] = lambda: "secret"
        assert not passes(portal, "/new")


def test_a_rule_without_a_view_opens_nothing(portal: Portal) -> None:
    portal.app.config["PROPAGATE_EXCEPTIONS"] = False
    portal.app.url_map.add(Rule("/viewless", endpoint="viewless"))
    assert portal.app.test_client().get("/viewless", base_url=BASE_URL).status_code in (404, 500, 503)


@pytest.mark.abuse("A58")
def test_converters_defaults_and_hosts_change_nothing(portal: Portal) -> None:
    def counted(number: int) -> str:
        return f"n {number}"

    portal.app.add_url_rule("/n/<int:number>", "number", counted)
    portal.app.add_url_rule("/n/", "number", counted, defaults={"number": 1})
    portal.app.add_url_rule("/slash/", "slash", lambda: "slash")
    for path in ("/n/5", "/slash/", "//slash/"):
        assert not passes(portal, path) or portal.app.test_client().get(path).status_code == 308


# --- apps ------------------------------------------------------------------------------------------------------------


def bare_config(database_url: str) -> dict[str, Any]:
    return {
        "TESTING": True,
        "SECRET_KEY": "x",
        "MFA_GATE_BASE_URL": BASE_URL,
        "MFA_GATE_KEYS": KEYS,
        "MFA_GATE_DATABASE_URL": database_url,
        "MFA_GATE_IDENTITY": "gate",
    }


def bare_portal(database_url: str, tmp_path: Path, **kwargs: Any) -> Portal:
    app = Flask("bare", instance_path=str(tmp_path / "bare"))
    app.config.update(bare_config(database_url))
    people = {"anne": Account("anne", "Anne")}
    clock = Clock()
    gate = MFAGate(app, account_loader=people.get, clock=clock, **kwargs)
    app.add_url_rule("/", "home", lambda: "home")
    return Portal(app, gate, clock, people, {})


def test_one_gate_of_a_factory_guards_each_of_its_apps(database_url: str, tmp_path: Path) -> None:
    gate = MFAGate(account_loader=lambda account_id: Account(account_id, account_id), clock=Clock())
    pages = Blueprint("pages", __name__)

    @pages.get("/about")
    @gate.public
    def about() -> str:
        return "about"

    @pages.post("/login")
    @gate.first_factor(username="name")
    def login() -> Any:
        return gate.sign_in(Account("anne", "Anne"))

    @pages.get("/")
    def home() -> str:
        return f"home of {gate.session.account_id}"

    def create_app(name: str, prefix: str) -> Flask:
        app = Flask(name, instance_path=str(tmp_path / name))
        app.config.update(bare_config(database_url), MFA_GATE_BASE_URL=f"https://{name}.example")
        gate.init_app(app)
        app.register_blueprint(pages, url_prefix=prefix)
        return app

    one, two = create_app("one", "/one"), create_app("two", "/two")
    for app, prefix in ((one, "/one"), (two, "/two"), (one, "/one")):
        base = f"https://{app.name}.example"
        client = app.test_client()
        assert client.get(f"{prefix}/about", base_url=base).text == "about"
        assert client.get(f"{prefix}/", base_url=base, headers=PAGE).location == f"{base}{prefix}/login"
        signed_in(client, Account("anne", "Anne"))
        assert client.get(f"{prefix}/", base_url=base).text == "home of anne"
    client = one.test_client()
    signed_in(client, Account("anne", "Anne"))
    cookie = client.get_cookie(one.extensions["mfa_gate"].settings.cookie_name, domain="one.example")
    other = two.test_client()
    assert cookie is not None
    other.set_cookie(cookie.key, cookie.value, domain="two.example")
    assert other.get("/two/", base_url="https://two.example").status_code == 401


def test_a_gate_on_an_app_twice_stops_the_start(portal: Portal) -> None:
    for gate in (portal.gate, MFAGate()):
        with pytest.raises(ConfigurationError, match="already"):
            gate.init_app(portal.app)


def test_the_url_prefix_is_a_setting(make: MakePortal) -> None:
    portal = make(MFA_GATE_URL_PREFIX="/security/gate")
    browser = portal.browser()
    assert browser.password().location == f"{BASE_URL}/security/gate/challenge"
    assert browser.get("/security/gate/activate").status_code == 200
    assert browser.get("/mfa/activate").status_code == 404


def test_a_portals_blueprint_may_not_take_the_gates_name(database_url: str, tmp_path: Path) -> None:
    """An endpoint called mfa_gate.something of the portal's own must not pass as one of the gate's."""
    portal = bare_portal(database_url, tmp_path)
    portal.app.add_url_rule("/mine", "mfa_gate.mine", lambda: "secret")
    assert not passes(portal, "/mine")


def test_a_view_can_ask_whose_session_it_is(portal: Portal) -> None:
    @portal.app.get("/who")
    def who() -> Any:
        there = portal.gate.session
        return {
            "id": there.account_id,
            "name": there.account.name if there.account else None,
            "level": there.level.name if there.level else None,
            "methods": there.methods,
            "at": there.authenticated_at,
            "bool": bool(there),
        }

    @portal.app.get("/nobody")
    @portal.gate.public
    def nobody() -> Response:
        return who()  # type: ignore[no-any-return]

    client = client_at(portal, 5)
    assert client.get("/who", base_url=BASE_URL).json == {
        "id": "anne",
        "name": "Anne Martin",
        "level": "MFA",
        "methods": ["pwd", "otp"],
        "at": portal.clock() - 5,
        "bool": True,
    }
    pending = Browser(portal, portal.app.test_client(), "192.0.2.1")
    pending.password()
    nothing = {"id": None, "name": None, "level": None, "methods": [], "at": None, "bool": False}
    assert pending.get("/nobody").json == nothing
    with portal.app.test_request_context("/"):
        assert not portal.gate.session
        assert session == {}


@pytest.mark.abuse("A58")
def test_a_hook_put_first_later_that_answers_by_itself_opens_no_guarded_view(
    make: MakePortal,
) -> None:
    portal = make()
    browser = portal.browser()
    browser.get("/open")
    portal.app.before_request_funcs[None].insert(0, lambda: "the records, from a cache of the portal's")
    answer = browser.get("/")
    assert answer.status_code == 303
    assert "records" not in answer.text
    assert "records" in browser.get("/open").text
