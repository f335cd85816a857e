"""The wrapper that marks and the login put around a view: written once, for plain and for async views."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from flask import Response


class Entry(Protocol):
    """One call of a wrapped view: the answer that stands in its place, if any, and what its own answer becomes."""

    @property
    def refused(self) -> Response | None: ...

    def done(self, answer: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Checked:
    """An entry that only looks before the view."""

    refused: Response | None = None

    def done(self, answer: Any) -> Any:
        return answer


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
            return entry.refused if entry.refused is not None else entry.done(await view(*args, **kwargs))

        return around_async

    @functools.wraps(view)
    def around(*args: Any, **kwargs: Any) -> Any:
        entry = enter()
        return entry.refused if entry.refused is not None else entry.done(view(*args, **kwargs))

    return around
