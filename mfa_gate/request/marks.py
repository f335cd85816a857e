"""Which requirement a view has: marks on functions, on endpoints of others, on blueprints, and the default.

A mark belongs to the very function that the decorator returned. It is looked up by identity, so a decorator that
copies attributes cannot copy it, and a mark that would not be enforced stops the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from flask import Blueprint, Flask
from flask.sansio.scaffold import Scaffold

from ..assurance import Requirement
from ..exc import ConfigurationError

View = Callable[..., Any]
MarkKind = Literal["public", "first_factor", "require", "reads", "reads_nothing"]
GUARDED: Final = frozenset({"require", "reads", "reads_nothing"})  # a gate stands before these
ANYWHERE: Final = frozenset({"require", "reads"})  # their wrappers enforce themselves, below another decorator as well
UNDER_ROUTE: Final = "put it directly under the route decorator"


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """What a decorator said: of which function, under which name, and the wrapper that carries it."""

    kind: MarkKind
    original: View
    wrapper: View
    requirement: Requirement | None = None

    @property
    def decorator(self) -> str:
        return f"@gate.{self.kind}"


class Marks:
    """All marks that were made through one gate."""

    def __init__(self) -> None:
        self._by_wrapper: dict[int, Mark] = {}
        self.public_endpoints: set[str] = set()
        self._blueprints: list[tuple[Blueprint, Requirement]] = []
        self._metered: list[Blueprint] = []

    def add(self, mark: Mark) -> None:
        """Keep a mark.

        Raises:
            ConfigurationError: the function is marked as public and as guarded at once.
        """
        below = self.of(mark.original)
        kinds = {below.kind, mark.kind} if below is not None else {mark.kind}
        if below is not None and (not kinds <= GUARDED or kinds >= {"reads", "reads_nothing"}):
            raise ConfigurationError(
                f"{mark.decorator} and {below.decorator} contradict each other on {_name(mark.original)}"
            )
        self._by_wrapper[id(mark.wrapper)] = mark  # the mark keeps the wrapper alive, so its id stays its own

    def of(self, view: View) -> Mark | None:
        return self._by_wrapper.get(id(view))

    def protect(self, blueprint: Blueprint, requirement: Requirement) -> None:
        self._blueprints.append((blueprint, requirement))

    def meter(self, blueprint: Blueprint) -> None:
        """Let a blueprint answer nothing that was neither charged nor marked as reading nothing."""
        self._metered.append(blueprint)
        self.protect(blueprint, Requirement())

    def is_metered(self, app: Flask, endpoint: str) -> bool:
        """Whether the answers of an endpoint must have charged what they read."""
        if not any(blueprint in _blueprints_of(app, endpoint) for blueprint in self._metered):
            return False
        view = app.view_functions[endpoint]
        if is_static(app, endpoint, view):
            return False
        return all(mark.kind != "reads_nothing" for mark in self._on(view))

    def reads(self, app: Flask, endpoint: str) -> str | None:
        """How an endpoint's reads are held: "charged" before its view runs, "metered" after it, or None: not at all."""
        if any(mark.kind == "reads" for mark in self._on(app.view_functions[endpoint])):
            return "charged"
        return "metered" if self.is_metered(app, endpoint) else None

    def _on(self, view: View) -> Iterator[Mark]:
        """The marks of a view itself, the outermost first."""
        mark = self.of(view)
        while mark is not None:
            yield mark
            mark = self.of(mark.original)

    def __iter__(self) -> Iterator[Mark]:
        return iter(self._by_wrapper.values())

    def requirement(self, app: Flask, endpoint: str, view: View, default: Requirement) -> Requirement | None:
        """What an endpoint of the portal's asks for with this view, or None where it needs no gate."""
        if is_static(app, endpoint, view) or endpoint in self.public_endpoints:
            return None
        required = default
        for blueprint, extra in self._blueprints:
            if blueprint in _blueprints_of(app, endpoint):
                required |= extra
        for mark in self._on(view):
            if mark.requirement is None:
                return None
            required |= mark.requirement
        return required

    def check(self, app: Flask) -> None:
        """Hold all marks against the routes of an app.

        Raises:
            ConfigurationError: a mark that would not be enforced, or a name that no endpoint has.
        """
        for endpoint in sorted(self.public_endpoints):
            self._check_name(app, endpoint)
        for endpoint, view in app.view_functions.items():
            self._check_view(app, endpoint, view)
        self._check_placed(app)

    def _check_name(self, app: Flask, endpoint: str) -> None:
        view = app.view_functions.get(endpoint)
        if view is None:
            raise ConfigurationError(f"gate.public({endpoint!r}): there is no such endpoint")
        required = any((mark := self.of(inner)) and mark.kind in GUARDED for inner in _chain(view))
        if required or self._is_protected(app, endpoint):
            raise ConfigurationError(
                f"gate.public({endpoint!r}): this endpoint is guarded by gate.require or gate.protect"
            )

    def _is_protected(self, app: Flask, endpoint: str) -> bool:
        return any(blueprint in _blueprints_of(app, endpoint) for blueprint, _ in self._blueprints)

    def _check_view(self, app: Flask, endpoint: str, view: View) -> None:
        mark = self.of(view)
        if mark is not None and mark.kind not in GUARDED and self._is_protected(app, endpoint):
            raise ConfigurationError(
                f"endpoint {endpoint!r} is marked {mark.decorator} inside a blueprint given to gate.protect or "
                "gate.metered: move the view to another blueprint"
            )
        for inner in list(_chain(view))[1:]:
            hidden = self.of(inner)
            if hidden is not None and hidden.kind not in ANYWHERE and hidden not in self._on(view):
                raise ConfigurationError(
                    f"endpoint {endpoint!r} has {hidden.decorator} below another decorator, where it does nothing: "
                    f"{UNDER_ROUTE}"
                )
        self._check_class(endpoint, view)

    def _check_placed(self, app: Flask) -> None:
        """A mark that is on no endpoint, while the function that it is meant for is: it stands above the route."""
        endpoints = {id(layer): endpoint for endpoint, view in app.view_functions.items() for layer in _chain(view)}
        for mark in self:
            endpoint = endpoints.get(id(mark.original))
            if endpoint is not None and id(mark.wrapper) not in endpoints:
                raise ConfigurationError(
                    f"endpoint {endpoint!r} is registered without its mark {mark.decorator}: {UNDER_ROUTE}"
                )

    def _check_class(self, endpoint: str, view: View) -> None:
        view_class = getattr(view, "view_class", None)
        for name in dir(view_class) if view_class is not None else ():
            mark = self.of(getattr(view_class, name, None))  # type: ignore[arg-type]
            if mark is not None and mark.kind not in ANYWHERE:
                raise ConfigurationError(
                    f"endpoint {endpoint!r} has {mark.decorator} on the method {name}: "
                    f"write decorators = [gate.{mark.kind}] in the class instead"
                )


def is_static(app: Flask, endpoint: str, view: View) -> bool:
    """Whether it is Flask's own view of a static folder, and not just a view of that name."""
    if endpoint == "static":
        return app.has_static_folder and getattr(view, "__module__", "") == "flask.app"
    serves = getattr(view, "__func__", None)
    return endpoint.endswith(".static") and serves is not None and serves is Blueprint.send_static_file


def _blueprints_of(app: Flask, endpoint: str) -> list[Scaffold]:
    names = endpoint.split(".")[:-1]
    paths = [".".join(names[:end]) for end in range(1, len(names) + 1)]
    return [app.blueprints[path] for path in paths if path in app.blueprints]


def _chain(view: View) -> Iterator[View]:
    seen: set[int] = set()
    current: View | None = view
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = getattr(current, "__wrapped__", None)


def _name(view: View) -> str:
    return f"{getattr(view, '__module__', '?')}.{getattr(view, '__qualname__', repr(view))}"
