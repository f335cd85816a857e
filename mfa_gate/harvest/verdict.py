"""What goes in and comes out: one look-up, and what is to be done about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from ..exc import N_
from .crowd import Crowd

Action = Literal["pass", "prompt", "stop"]

# stable code -> what people are told
REASONS: Final[Mapping[str, str]] = {
    "quota": N_("This session has read as many records as one proof lets it."),
    "daily_limit": N_("The account has read many more records today than it usually does."),
    "ceiling": N_("The account has read more records today than anybody does."),
    "pace": N_("Records were opened faster than a person can read them."),
    "misses": N_("Many look-ups found nobody, as when numbers are guessed."),
    "walk": N_("Records were opened one after the other in the order of their numbers."),
    "drift": N_("For some days the account has read far more records than it used to."),
    "read_fan_in": N_("Several accounts have read records from one network that is new to all of them."),
    "canary": N_("A record was opened that nobody can have a reason to open."),
    "state": N_("What was known of the account's reading cannot be read any more."),
}


class Read(NamedTuple):
    """One look-up, or one list.

    Attributes:
        marks: five characters for each record, such as of a keyed hash; the same for the same record.
        now: seconds since the epoch.
        proven_at: when the session has proven a second factor last.
        surely_at: when it has proven a phishing-resistant one last.
        prefix: the same for records that begin alike; None if that says nothing.
        session: name of the session whose quota it is charged to; None where it has none.
        unusual: its sign-in was unusual, so that it is granted little.
        canary: one of them is one that nobody may read.
        group: of the account.
        crowd: who reads from its source today, this account among them, where the source is new to it.
    """

    marks: tuple[str, ...]
    now: float
    proven_at: float | None = None
    surely_at: float | None = None
    prefix: str | None = None
    session: str | None = None
    unusual: bool = False
    canary: bool = False
    group: str | None = None
    crowd: Crowd | None = None


class Verdict(NamedTuple):
    """What is to be done.

    Attributes:
        action: let it pass, have a proof made first, or stop the account.
        reasons: stable codes; with "pass" what is only reported.
        fresh: for each record whether it is its first time that day.
        today: records of this day so far, with these where they pass.
        nears: they pass, and bring the day near the ceiling: time for the desk to look, and to make an exception.
    """

    action: Action
    reasons: tuple[str, ...]
    fresh: tuple[bool, ...]
    today: int
    nears: bool = False
