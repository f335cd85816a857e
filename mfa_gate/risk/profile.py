"""What is usual at one account: decayed counts of the values that its proven sign-ins have shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Self

from ..durations import DAY
from .features import CHAINS, Features

HALF_LIFE: Final = 90 * DAY  # seconds after which a sign-in counts half: research found six months to be enough
VALUES: Final = 16  # kept of each level
_FAINT: Final = 0.01  # a count below it is forgotten


class Seen(NamedTuple):
    """What was seen on one level of a chain.

    Attributes:
        total: sign-ins that had a value here.
        news: of these, how many had one that was new although the coarser one was not.
        counts: sign-ins by value.
    """

    total: float = 0.0
    news: float = 0.0
    counts: Mapping[str, float] = MappingProxyType({})

    def faded(self, factor: float) -> Seen:
        """As it is after some time."""
        counts = {value: faint for value, count in self.counts.items() if (faint := count * factor) >= _FAINT}
        return Seen(self.total * factor, self.news * factor, counts)

    def plus(self, value: str, *, parent_known: bool) -> Seen:
        """With one more sign-in; the faintest value makes room."""
        new = value not in self.counts
        counts = dict(self.counts)
        if new and len(counts) >= VALUES:
            del counts[min(counts, key=lambda kept: (counts[kept], kept))]
        counts[value] = counts.get(value, 0.0) + 1.0
        return Seen(self.total + 1.0, self.news + (new and parent_known), counts)


NOTHING: Final = Seen()
_GREATEST: Final = 1e15
_WHOLE: Final = frozenset({int})
_NUMBERS: Final = frozenset({int, float})
_PARTS: Final = 1000  # of a count
_written: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Profile:
    """One account, in at most 6 KB however long it lives.

    Attributes:
        at: when it last learnt, in seconds since the epoch.
        sign_ins: decayed number of sign-ins that it learnt from.
        strange: of these, how many showed no known device.
        levels: what was seen on each level.
    """

    at: float = 0.0
    sign_ins: float = 0.0
    strange: float = 0.0
    levels: Mapping[str, Seen] = field(default_factory=dict)

    def seen(self, level: str) -> Seen:
        return self.levels.get(level, NOTHING)

    def fading(self, now: float) -> float:
        """What its counts are to be multiplied by now; a clock that went back changes nothing."""
        return float(0.5 ** (max(0.0, now - self.at) / HALF_LIFE))

    def faded(self, now: float) -> Profile:
        """As it counts now."""
        factor = self.fading(now)
        if factor == 1.0:
            return self
        levels = {level: seen.faded(factor) for level, seen in self.levels.items()}
        return Profile(now, self.sign_ins * factor, self.strange * factor, levels)

    def learnt(self, features: Features, now: float) -> Profile:
        """With one more sign-in, which must have proven the second factor.

        Args:
            features: what it showed.
            now: seconds since the epoch.
        """
        profile = self.faded(now)
        levels = dict(profile.levels)
        for chain in CHAINS.values():
            parent_known = True
            for level in reversed(chain):
                value = features.value(level)
                if value is None:
                    continue
                seen = profile.seen(level)
                levels[level] = seen.plus(value, parent_known=parent_known)
                parent_known = value in seen.counts
        strange = profile.strange + (not features.device)
        return Profile(profile.at, profile.sign_ins + 1.0, strange, levels)

    def renamed(self, names: Mapping[str, str]) -> Profile:
        """With other names for some values."""
        levels = {
            level: seen._replace(counts={names.get(value, value): count for value, count in seen.counts.items()})
            for level, seen in self.levels.items()
        }
        return replace(self, levels=levels)

    def without(self, levels: Iterable[str]) -> Profile:
        """Without what was seen on some levels."""
        return replace(self, levels={level: seen for level, seen in self.levels.items() if level not in set(levels)})

    def dump(self) -> str:
        """As compact JSON, its counts in thousandths: whole numbers are written in a fraction of the time."""
        levels = {
            level: [
                int(total * _PARTS + 0.5),
                int(news * _PARTS + 0.5),
                {value: int(count * _PARTS + 0.5) for value, count in counts.items()},
            ]
            for level, (total, news, counts) in self.levels.items()
        }
        return _written([self.at, int(self.sign_ins * _PARTS + 0.5), int(self.strange * _PARTS + 0.5), levels])

    @classmethod
    def load(cls, text: str | None) -> Self:
        """What `dump` made; an empty one of anything else, so that too little is known."""
        try:
            at, sign_ins, strange, levels = _read(text or "")
            _check(_NUMBERS, at)
            _check(_WHOLE, sign_ins, strange)
            seen = {level: _seen(parts) for level, parts in levels.items()}
            return cls(at, sign_ins / _PARTS, strange / _PARTS, seen)
        except (ValueError, TypeError, AttributeError, RecursionError):
            return cls()


def _seen(parts: Any) -> Seen:
    total, news, counts = parts
    _check(_WHOLE, total, news, *counts.values())
    return Seen(total / _PARTS, news / _PARTS, {value: count / _PARTS for value, count in counts.items()})


def _check(types: frozenset[type], *counts: Any) -> None:
    if not types.issuperset(map(type, counts)) or min(counts) < 0 or max(counts) > _GREATEST:
        raise ValueError("this is no count")


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no count")


_read: Final = json.JSONDecoder(parse_constant=_no_number).decode  # `json.loads` would make one each time
