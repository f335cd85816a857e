"""The wrapper that marks and the login put around a view: written once, for plain and for async views."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from flask import Response


class Entry(Protocol):
    """One call of a wrapped view: the answer that stands in its place, if any, and what its own answer becomes."""

    @property
    def refused(self) -> Response | None: ...

    def done(self, answer: Any) -> Any: ...


@dataclass(frozen=True, slots=True)  # one of them is shared by all requests
class Checked:
    """An entry that only looks before the view."""

    refused: Response | None = None

    def done(self, answer: Any) -> Any:
        return answer


PASSES: Final = Checked()  # what nearly every entry is


def checked(before: Callable[[], Response | None] | None) -> Callable[[], Entry]:
    """What to enter a view by that is only looked at before it runs.

    Args:
        before: returns the answer that stands in the view's place, or None; None where nothing is asked.
    """
    if before is None:
        return lambda: PASSES
    return lambda: PASSES if (refused := before()) is None else Checked(refused)


def wrapped(view: Callable[..., Any], enter: Callable[[], Entry]) -> Callable[..., Any]:
    """Wrap a view.

    Args:
        view: a function, async or not.
        enter: called before it, once for each request.

    Returns:
        A function of the same kind, with the view's name and documentation.
    """
    if inspect.iscoroutinefunction(view):

        @functools.wraps(view)
        async def around_async(*args: Any, **kwargs: Any) -> Any:
            entry = enter()
            refused = entry.refused
            return refused if refused is not None else entry.done(await view(*args, **kwargs))

        return around_async

    @functools.wraps(view)
    def around(*args: Any, **kwargs: Any) -> Any:
        entry = enter()
        refused = entry.refused
        return refused if refused is not None else entry.done(view(*args, **kwargs))

    return around
