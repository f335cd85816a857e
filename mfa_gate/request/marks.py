"""Which requirement a view has: marks on functions, on endpoints of others, on blueprints, and the default.

A mark belongs to the very function that the decorator returned, and is looked up by identity: nothing can copy it.
What opens a view counts on the outermost function alone; what asks for something counts wherever it lies below a view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal
from weakref import WeakSet

from flask import Blueprint, Flask
from flask.sansio.scaffold import Scaffold

from ..assurance import Requirement
from ..exc import ConfigurationError
from .layers import class_of, http_methods, layers, uncovered

View = Callable[..., Any]
MarkKind = Literal["public", "first_factor", "require", "reads", "reads_nothing"]
GUARDED: Final = frozenset({"require", "reads", "reads_nothing"})  # a gate stands before these
ANYWHERE: Final = frozenset({"require", "reads"})  # what these ask for counts below another decorator as well
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

    @property
    def is_inherited(self) -> bool:
        """Whether it stands on a class-based view that has it from a class above its own (`decorators`)."""
        view_class = class_of(self.wrapper)
        return view_class is not None and class_of(self.original) is None and "decorators" not in vars(view_class)


class Marks:
    """All marks that were made through one gate.

    Attributes:
        public_endpoints: names of endpoints of others that need no gate.
        changes: how often something was said that changes what an endpoint asks for whose view stays the same.
    """

    def __init__(self) -> None:
        self._by_wrapper: dict[int, Mark] = {}
        self.public_endpoints: set[str] = set()
        self._protected: list[tuple[Blueprint, Requirement]] = []
        self._metered: list[Blueprint] = []
        self._apps: WeakSet[Flask] = WeakSet()
        self._guarded_apps = 0
        self._started: WeakSet[Flask] = WeakSet()
        self.changes = 0

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

    def __iter__(self) -> Iterator[Mark]:
        return iter(self._by_wrapper.values())

    def in_app(self, app: Flask) -> None:
        """The gate was put in front of an app, and has not begun to answer there."""
        self._guarded_apps += 1  # those that are gone as well
        self._apps.add(app)

    def open(self, *endpoints: str) -> None:
        """Name endpoints of others that need no gate."""
        self.public_endpoints.update(endpoints)
        self.changes += 1

    def protect(self, blueprint: Blueprint, requirement: Requirement) -> None:
        """Ask something of every view of a blueprint.

        Raises:
            ConfigurationError: every app of the gate has begun to answer, and none has this very blueprint.
        """
        if self._apps and all(app in self._started and not _has(app, blueprint) for app in self._apps):
            raise ConfigurationError(_not_registered(blueprint))
        self._protected.append((blueprint, requirement))
        self.changes += 1

    def meter(self, blueprint: Blueprint) -> None:
        """Let a blueprint answer nothing that was neither charged nor marked as reading nothing.

        Raises:
            ConfigurationError: as for `protect`.
        """
        self.protect(blueprint, Requirement())
        self._metered.append(blueprint)
        self.changes += 1

    # --- what an endpoint asks for -----------------------------------------------------------------------------

    def requirement(self, app: Flask, endpoint: str, view: View, default: Requirement) -> Requirement | None:
        """What an endpoint of the portal's asks for with this view, or None where it needs no gate."""
        if is_static(app, endpoint, view):
            return None
        asked = [mark.requirement for mark in self._asking(view)]
        # what asks for something goes before what opens
        if not asked and not self._is_protected(app, endpoint) and self._is_open(endpoint, view):
            return None
        return self._sum(app, endpoint, default, asked)

    def by_method(self, app: Flask, endpoint: str, view: View, default: Requirement) -> dict[str, Requirement]:
        """What an endpoint asks for at the HTTP methods whose own method of a view class is marked."""
        above = [mark.requirement for mark in self._asking(view)]
        marked = {
            name: [mark.requirement for mark in self._asking(below)] for name, below in http_methods(view).items()
        }
        return {name: self._sum(app, endpoint, default, above + asked) for name, asked in marked.items() if asked}

    def _sum(self, app: Flask, endpoint: str, default: Requirement, asked: list[Requirement | None]) -> Requirement:
        required = default
        for blueprint, extra in self._protected:
            if blueprint in _blueprints_of(app, endpoint):
                required |= extra
        for one in asked:
            required |= one or Requirement()
        return required

    def _asking(self, view: View) -> list[Mark]:
        """Every mark that asks for something, wherever it lies below a view."""
        on = list(self._on(view))
        found = (self.of(layer) for layer in _all_of(view))
        return [
            mark
            for mark in found
            if mark is not None and mark.kind in GUARDED and (mark.kind in ANYWHERE or mark in on)
        ]

    def is_login(self, view: View) -> bool:
        """Whether a view is marked as the portal's login."""
        return any(mark.kind == "first_factor" for mark in self._on(view))

    def _is_open(self, endpoint: str, view: View) -> bool:
        mark = next(self._on(view), None)
        return endpoint in self.public_endpoints or (mark is not None and self._opens(mark))

    @staticmethod
    def _opens(mark: Mark) -> bool:
        return mark.kind not in GUARDED and not mark.is_inherited

    def _on(self, view: View) -> Iterator[Mark]:
        """The marks of a view itself, the outermost first, below nothing but proxies."""
        mark = self.of(uncovered(view))
        while mark is not None:
            yield mark
            mark = self.of(uncovered(mark.original))

    def _is_protected(self, app: Flask, endpoint: str) -> bool:
        return any(blueprint in _blueprints_of(app, endpoint) for blueprint, _ in self._protected)

    # --- what an endpoint reads --------------------------------------------------------------------------------

    def is_metered(self, app: Flask, endpoint: str) -> bool:
        """Whether the answers of an endpoint must have charged what they read."""
        view = app.view_functions[endpoint]
        if is_static(app, endpoint, view):
            return False
        if any(mark.kind == "reads_nothing" and not mark.is_inherited for mark in self._on(view)):
            return False
        return any(blueprint in _blueprints_of(app, endpoint) for blueprint in self._metered)

    def hidden_reads(self, view: View, method: str) -> list[Mark]:
        """The marks `reads` below something that might answer without the wrapper that charges."""
        is_covered = len(list(layers(self._bare(view)))) > 1
        below = (http_methods(view).get(method), getattr(class_of(view), "dispatch_request", None))
        return self._reads_below(view, is_covered=False) + [
            mark for one in below if one is not None for mark in self._reads_below(one, is_covered=is_covered)
        ]

    def _reads_below(self, view: View, *, is_covered: bool) -> list[Mark]:
        plain = [] if is_covered else list(self._plain(view))
        found = (self.of(layer) for layer in layers(view))
        return [mark for mark in found if mark is not None and mark.kind == "reads" and mark not in plain]

    def _plain(self, view: View) -> Iterator[Mark]:
        """The marks that no other decorator lies above, not even a proxy: it might answer."""
        while (mark := self.of(view)) is not None:
            yield mark
            view = mark.original

    def _bare(self, view: View) -> View:
        return next((mark.original for mark in reversed(list(self._plain(view)))), view)

    def reads(self, app: Flask, endpoint: str) -> str | None:
        """How an endpoint's reads are held: "charged" before its view runs, "metered" after it, or None: not at all."""
        view = app.view_functions[endpoint]
        methods = http_methods(view) or [""]
        if any(self.hidden_reads(view, method) for method in methods):
            return "metered"
        if any(mark.kind == "reads" for mark in self._on(view)):
            return "charged"
        return "metered" if self.is_metered(app, endpoint) else None

    # --- the start ---------------------------------------------------------------------------------------------

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
        self._check_blueprints(app)
        self._started.add(app)

    def _check_name(self, app: Flask, endpoint: str) -> None:
        view = app.view_functions.get(endpoint)
        if view is None:
            raise ConfigurationError(f"gate.public({endpoint!r}): there is no such endpoint")
        if self._asking(view) or self._is_protected(app, endpoint):
            raise ConfigurationError(
                f"gate.public({endpoint!r}): this endpoint is guarded by gate.require or gate.protect"
            )

    def _check_view(self, app: Flask, endpoint: str, view: View) -> None:
        on = list(self._on(view))
        for mark in on:
            if mark.is_inherited and mark.kind not in ANYWHERE:
                raise ConfigurationError(
                    f"endpoint {endpoint!r} has {mark.decorator} from the decorators of a class above its own: "
                    f"write decorators = [gate.{mark.kind}...] in {_name(class_of(view))} itself, or take it out there"
                )
        opening = on[0] if on and on[0].kind not in GUARDED else None
        if opening is not None and self._is_protected(app, endpoint):
            raise ConfigurationError(
                f"endpoint {endpoint!r} is marked {opening.decorator} inside a blueprint given to gate.protect or "
                "gate.metered: move the view to another blueprint"
            )
        for layer in _all_of(view):
            self._check_hidden(endpoint, on, opening, self.of(layer))
        self._check_class(endpoint, view)

    @staticmethod
    def _check_hidden(endpoint: str, on: list[Mark], opening: Mark | None, hidden: Mark | None) -> None:
        if hidden is None or hidden in on:
            return
        if hidden.kind not in ANYWHERE:
            raise ConfigurationError(
                f"endpoint {endpoint!r} has {hidden.decorator} below another decorator, where it does nothing: "
                f"{UNDER_ROUTE}"
            )
        if opening is not None or (hidden.kind == "reads" and any(mark.kind == "reads_nothing" for mark in on)):
            raise ConfigurationError(
                f"endpoint {endpoint!r} has {hidden.decorator} below {(opening or on[0]).decorator}, "
                "and the two contradict each other"
            )

    def _check_placed(self, app: Flask) -> None:
        """A mark that is on no endpoint, while the function that it is meant for is: it stands above the route."""
        endpoints = {id(layer): endpoint for endpoint, view in app.view_functions.items() for layer in layers(view)}
        for mark in self:
            endpoint = endpoints.get(id(mark.original))
            if endpoint is not None and id(mark.wrapper) not in endpoints:
                raise ConfigurationError(
                    f"endpoint {endpoint!r} is registered without its mark {mark.decorator}: {UNDER_ROUTE}"
                )

    def _check_class(self, endpoint: str, view: View) -> None:
        view_class = class_of(view)
        for name in dir(view_class) if view_class is not None else ():
            method = getattr(view_class, name, None)
            for mark in map(self.of, layers(method)) if callable(method) else ():
                if mark is not None and mark.kind not in ANYWHERE:
                    raise ConfigurationError(
                        f"endpoint {endpoint!r} has {mark.decorator} on the method {name}: "
                        f"write decorators = [gate.{mark.kind}] in the class instead"
                    )

    def _check_blueprints(self, app: Flask) -> None:
        """A blueprint that was protected and is not the one that is registered: another one of a factory, as a rule."""
        protected = [blueprint for blueprint, _ in self._protected]
        taken = {blueprint.name for blueprint in app.blueprints.values() if blueprint not in protected}
        for blueprint in protected:
            if not _has(app, blueprint) and (
                self._guarded_apps == 1 or blueprint.name in taken or not blueprint._got_registered_once
            ):
                raise ConfigurationError(_not_registered(blueprint))


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


def _all_of(view: View) -> Iterator[View]:
    """A view with all that lies below it, what dispatches in its class included."""
    yield from layers(view)
    view_class = class_of(view)
    if view_class is not None and (dispatches := getattr(view_class, "dispatch_request", None)) is not None:
        yield from layers(dispatches)


def _has(app: Flask, blueprint: Blueprint) -> bool:
    return any(registered is blueprint for registered in app.blueprints.values())


def _not_registered(blueprint: Blueprint) -> str:
    return (
        f"gate.protect or gate.metered was given a blueprint {blueprint.name!r} that is not registered: give it the "
        "very object that app.register_blueprint gets, before the first request"
    )


def _name(view: View | None) -> str:
    return f"{getattr(view, '__module__', '?')}.{getattr(view, '__qualname__', repr(view))}"
