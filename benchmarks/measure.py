"""Interleaved timing of WSGI apps in one process, and the ratios that come out of it."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

SLICE = 20  # calls of one variant before the next one's turn: long enough to be warm, short against other load


@dataclass(frozen=True)
class Variant:
    """One of the apps that are measured side by side.

    Attributes:
        name: how the table calls it.
        app: the WSGI app.
        environs: makes so many environs, each good for exactly one call. Not timed.
        passed: whether an answer's status and headers are those of a request that was let through.
    """

    name: str
    app: App
    environs: Callable[[int], Sequence[Environ]]
    passed: Callable[[str, Headers], bool] = lambda status, _headers: status == "200 OK"


class _Nothing(list[bytes]):
    def close(self) -> None: ...


def direct(name: str, call: Callable[[], object]) -> Variant:
    """A function in the place of an app."""

    def app(_environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        call()
        start_response("200 OK", [])
        return _Nothing()

    return Variant(name, app, lambda calls: [{}] * calls)


@dataclass
class Times:
    """Seconds per call of one variant, a list for each round."""

    rounds: list[list[float]] = field(default_factory=list)

    @property
    def typical(self) -> list[float]:
        """The lower quartile of each round: what else runs on the machine only ever makes a call slower."""
        return [sorted(times)[len(times) // 4] for times in self.rounds]

    @property
    def means(self) -> list[float]:
        return [statistics.fmean(times) for times in self.rounds]


@dataclass(frozen=True)
class Spread:
    """A median over the rounds, with the smallest and the greatest round."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        ordered = sorted(values)
        return cls(statistics.median(ordered), ordered[0], ordered[-1])


def interleave(variants: Sequence[Variant], rounds: int, calls: int) -> dict[str, Times]:
    """Time every variant in turns.

    Args:
        variants: who takes turns; who begins changes from slice to slice.
        rounds: how many rounds, after one that only warms up.
        calls: calls of each variant in a round.
    """
    times = {variant.name: Times() for variant in variants}
    for number in range(rounds + 1):
        prepared = {variant.name: variant.environs(calls) for variant in variants}
        taken: dict[str, list[float]] = {variant.name: [] for variant in variants}
        with _no_collection():
            for turn, start in enumerate(range(0, calls, SLICE)):
                for variant in _beginning_with(variants, turn + number):
                    for environ in prepared[variant.name][start : start + SLICE]:
                        taken[variant.name].append(_call(variant, environ))
        if number:
            for name, values in taken.items():
                times[name].rounds.append(values)
    return times


def added(times: Mapping[str, Times], name: str, bare: str) -> list[float]:
    """What a variant adds to the bare app, in seconds: per round, the difference of the two typical calls."""
    return [with_it - without for with_it, without in zip(times[name].typical, times[bare].typical, strict=True)]


def added_on_average(times: Mapping[str, Times], name: str, bare: str) -> list[float]:
    """The same of the means, where a rare slow call (a checkpoint of the database) counts."""
    return [with_it - without for with_it, without in zip(times[name].means, times[bare].means, strict=True)]


def _call(variant: Variant, environ: Environ) -> float:
    """One request from the environ to the closed answer, in seconds.

    Raises:
        RuntimeError: the request was not let through; a refusal must never pass for a fast answer.
    """
    answers: list[tuple[str, Headers]] = []

    def start_response(status: str, headers: Headers, _error: Any = None) -> None:
        answers.append((status, headers))

    start = perf_counter()
    body = variant.app(environ, start_response)
    for _ in body:
        pass
    body.close()  # type: ignore[attr-defined]
    taken = perf_counter() - start
    if not variant.passed(*answers[0]):
        raise RuntimeError(f"{variant.name} answered {answers[0]}")
    return taken


def _beginning_with(variants: Sequence[Variant], turn: int) -> Sequence[Variant]:
    first = turn % len(variants)
    return [*variants[first:], *variants[:first]]


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection in between: whose turn it falls into says nothing about who made the garbage."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
