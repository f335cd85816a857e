"""What lies below a view: what its decorators, its class and proxies hand a call on to, as far as they say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import FunctionType, MethodType
from typing import Any, Final

from flask.views import http_method_funcs

View = Callable[..., Any]
HTTP_METHODS: Final = frozenset(name.upper() for name in http_method_funcs)  # those that a class may have a method for


def layers(view: View) -> Iterator[View]:
    """A callable and all that it may hand its calls on to, the outermost first."""
    seen: set[int] = set()
    waiting: list[Any] = [view]
    while waiting:
        current = waiting.pop(0)
        if current is not None and id(current) not in seen:
            seen.add(id(current))
            yield current
            waiting = [*_below(current), *waiting]


def _below(view: View) -> tuple[Any, ...]:
    if is_proxy(view):
        return (getattr(view, "__wrapped__", None),)
    if isinstance(view, MethodType):  # whose attributes are those of its function
        return (view.__func__,)
    if isinstance(view, partial):
        return (view.func,)
    called = None if isinstance(view, FunctionType | type) else getattr(type(view), "__call__", None)  # noqa: B004
    return getattr(view, "__wrapped__", None), called if isinstance(called, FunctionType) else None


def is_proxy(view: View) -> bool:
    """Whether it passes itself off as what it stands for, as the proxies do that monitoring agents put round views.

    `functools.wraps` makes none: it copies from any function, not only from the one that is called.
    """
    return type(view) is not view.__class__


def uncovered(view: View) -> View:
    """The callable itself, without the proxies and the bound method that it is reached through."""
    while True:
        below = _below(view)[0] if is_proxy(view) or isinstance(view, MethodType) else None
        if below is None:
            return view
        view = below


def class_of(view: View) -> type | None:
    """The class of a class-based view (`View.as_view`)."""
    found = getattr(view, "view_class", None)
    return found if isinstance(found, type) else None


def http_methods(view: View) -> Mapping[str, View]:
    """Of a class-based view: what it calls for each HTTP method. HEAD is answered by GET where it has no own."""
    view_class = class_of(view)
    if view_class is None:
        return {}
    found = {name: method for name in HTTP_METHODS if callable(method := getattr(view_class, name.lower(), None))}
    return {"HEAD": found["GET"], **found} if "GET" in found else found
