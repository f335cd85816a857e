"""Fan-in: several accounts that read from one source which is new to all of them, as in the incident. Pure.

O(1) for each source and day: as many readers as make a crowd, when it became one, and how much it has read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .harvest_policy import CHARS, HarvestPolicy


@dataclass(frozen=True, slots=True)
class Crowd:
    """What accounts have read on one day from a source that is new to them.

    Attributes:
        day: number of the UTC day.
        readers: marks of those accounts, five characters each, at most as many as make a crowd.
        records: that they have read, all together.
        since: when they became a crowd, in seconds since the epoch.
    """

    day: int = 0
    readers: str = ""
    records: int = 0
    since: float | None = None

    def joined(self, reader: str, now: float, day: int, policy: HarvestPolicy) -> Crowd:
        """With one more reader, on its day; one who is among them already changes nothing.

        Args:
            reader: mark of the account.
            now: seconds since the epoch.
            day: number of the day that the account is on.
            policy: how many make a crowd.
        """
        today = self if day <= self.day else Crowd(day)
        marks = {today.readers[at : at + CHARS] for at in range(0, len(today.readers), CHARS)}
        if today.since is not None or reader in marks:
            return today
        readers = today.readers + reader
        return replace(today, readers=readers, since=now if len(readers) >= policy.crowd * CHARS else None)

    def asks(self, proven_at: float | None) -> bool:
        """Whether a session that has proven a factor last at this time must do so again; one that has none cannot."""
        return self.since is not None and proven_at is not None and proven_at <= self.since

    def is_too_much(self, new: int, policy: HarvestPolicy) -> bool:
        """Whether so many more records are more than a crowd may read in a day."""
        return self.since is not None and self.records + new > policy.together
