"""What pages and programs see of a factor: its form on the challenge, its calls, and the schemas of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Response

from ...factors.registry import Factor
from ..request_context import RequestContext

Fields = dict[str, str]


@dataclass(frozen=True, slots=True)
class Face:
    """The web side of a factor.

    Attributes:
        factor: its entry in the registry.
        fields: names of the fields of its form on the challenge.
        prove: verifies what that form carries, and elevates the session.
        views: the views of `factor.routes`, in their order.
        schemas: schemas of its own for the OpenAPI document.
        sent: what a step is taken by that sends these fields, so that it is led on the second time; None: it is not.
    """

    factor: Factor
    fields: tuple[str, ...]
    prove: Callable[[RequestContext, Fields], None]
    views: tuple[Callable[[], Response], ...]
    schemas: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sent: Callable[[Mapping[str, Any]], tuple[str, ...]] | None = None

    def __post_init__(self) -> None:
        if len(self.views) != len(self.factor.routes):
            raise ValueError(f"the factor {self.factor.name!r} has {len(self.factor.routes)} routes, one view for each")
