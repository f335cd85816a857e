"""The wrapper that marks and the login put around a view: written once, for plain and for async views."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from flask import Response

Args = tuple[Any, ...]
Kwargs = Mapping[str, Any]
_OF_NO_NAME: Final = frozenset({inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD})


class Entry(Protocol):
    """One call of a wrapped view: the answer that stands in its place, if any, and what its own answer becomes."""

    @property
    def refused(self) -> Response | None: ...

    def done(self, answer: Any) -> Any: ...


Enter = Callable[[Args, Kwargs], Entry]


@dataclass(frozen=True, slots=True)  # one of them is shared by all requests
class Checked:
    """An entry that only looks before the view."""

    refused: Response | None = None

    def done(self, answer: Any) -> Any:
        return answer


PASSES: Final = Checked()  # what nearly every entry is


def checked(before: Callable[[Args, Kwargs], Response | None] | None) -> Enter:
    """What to enter a view by that is only looked at before it runs.

    Args:
        before: returns the answer that stands in the view's place, or None; None where nothing is asked.
    """
    if before is None:
        return lambda args, kwargs: PASSES
    return lambda args, kwargs: PASSES if (refused := before(args, kwargs)) is None else Checked(refused)


def wrapped(view: Callable[..., Any], enter: Enter) -> Callable[..., Any]:
    """Wrap a view.

    Args:
        view: a function, async or not.
        enter: called before it, once for each call, with the arguments of that call.

    Returns:
        A function of the same kind, with the view's name and documentation.
    """
    if inspect.iscoroutinefunction(view):

        @functools.wraps(view)
        async def around_async(*args: Any, **kwargs: Any) -> Any:
            entry = enter(args, kwargs)
            refused = entry.refused
            return refused if refused is not None else entry.done(await view(*args, **kwargs))

        return around_async

    @functools.wraps(view)
    def around(*args: Any, **kwargs: Any) -> Any:
        entry = enter(args, kwargs)
        refused = entry.refused
        return refused if refused is not None else entry.done(view(*args, **kwargs))

    return around


def argument(view: Callable[..., Any], name: str) -> Callable[[Args, Kwargs], Any]:
    """What finds one argument of a view in a call of it, however it is passed, or its default.

    The function that finds it raises `LookupError` where the call has none.
    """
    # the view's own first; one that takes whatever comes may tell of what it wraps
    signatures = [found for follow in (False, True) if (found := _signature(view, follow)) is not None]
    named = [found.parameters[name].kind for found in signatures if name in found.parameters]
    by_keyword = inspect.Parameter.POSITIONAL_ONLY not in named

    def found_in(args: Args, kwargs: Kwargs) -> Any:
        if by_keyword and name in kwargs:  # as Flask passes it
            return kwargs[name]
        for signature in signatures:
            if name not in signature.parameters or signature.parameters[name].kind in _OF_NO_NAME:
                continue
            try:
                call = signature.bind(*args, **kwargs)
            except TypeError:  # not how it may be called: the view says so itself, or takes it otherwise
                continue
            call.apply_defaults()
            return call.arguments[name]
        raise LookupError(name)

    return found_in


def _signature(view: Callable[..., Any], follow: bool) -> inspect.Signature | None:
    try:
        return inspect.signature(view, follow_wrapped=follow)
    except (TypeError, ValueError):
        return None
