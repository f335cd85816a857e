"""The ids of sessions, which only their cookies hold: how one is made, and how an earlier one is known again.

An id begins with the name of its sign-in, which opens nothing: by it a request that comes late, with the id of before a
step-up, is told from one whose session has ended. What follows is random at first. Each step makes it a keyed hash of
the id before and of what was sent, so that who sends the same twice, with the same id, is led to the same session.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from typing import Final, NamedTuple

from ..keyring import Keyring

PURPOSE: Final = "session"
LONGEST: Final = 240  # characters of a cookie of ours
_AFTER: Final = "session after"
_BY: Final = "session by"
_MADE: Final = 43  # characters that a step has made, before the mark of what made them
_MARK: Final = 22


class HeldId(NamedTuple):
    """What an id is known by: its hash, and the name of its sign-in."""

    id_hash: str
    sign_in: str


class SessionIds:
    """Makes and reads ids."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    @staticmethod
    def new(sign_in: str) -> str:
        """An id for a sign-in that begins."""
        return f"{sign_in}.{secrets.token_urlsafe(32)}"

    def after(self, before: HeldId, sent: str | None, signs_in: bool) -> str:
        """The id after a step: made of what was sent, or random where that may not be sent twice.

        Args:
            before: the id that the session has.
            sent: what the step was taken by.
            signs_in: whether it was the last one of a sign-in.
        """
        if sent is None:
            return self.new(before.sign_in)
        return self._made(before, sent, signs_in, self._keyring.current)

    def made_of(self, before: HeldId, sent: str) -> Iterator[tuple[str, bool]]:
        """The ids that a step by this may have made of an earlier one, each with whether that step was a sign-in."""
        for key_id in self._keyring.ids:
            for signs_in in (True, False):
                yield self._made(before, sent, signs_in, key_id), signs_in

    def cookie(self, token: str) -> str:
        """An id, signed."""
        return self._keyring.sign(PURPOSE, token)

    def hash_in(self, cookie: str) -> str | None:
        """The hash of the id that a cookie holds; None where it is not signed by us."""
        token = self._token_in(cookie)
        return hash_of(token) if token is not None else None

    def held(self, cookie: str | None) -> HeldId | None:
        """The id that a cookie of ours holds, be it an earlier one of its session."""
        token = self._token_in(cookie)
        return HeldId(hash_of(token), token.partition(".")[0]) if token is not None else None

    def signs_in_by(self, cookie: str | None, sent: str) -> bool | None:
        """Whether the step that made a cookie's id by just this was a sign-in; None where something else made it."""
        made = (self._token_in(cookie) or "").partition(".")[2]
        if len(made) != _MADE + _MARK:
            return None
        for key_id in self._keyring.ids:
            for signs_in in (True, False):
                if secrets.compare_digest(self._mark(made[:_MADE], sent, signs_in, key_id), made[_MADE:]):
                    return signs_in
        return None

    def _token_in(self, cookie: str | None) -> str | None:
        return self._keyring.unsign(PURPOSE, cookie) if cookie and len(cookie) <= LONGEST else None

    def _made(self, before: HeldId, sent: str, signs_in: bool, key_id: str) -> str:
        made = self._keyring.derived(_AFTER, f"{signs_in:d} {before.id_hash} {sent}", key_id)
        return f"{before.sign_in}.{made}{self._mark(made, sent, signs_in, key_id)}"

    def _mark(self, made: str, sent: str, signs_in: bool, key_id: str) -> str:
        """By which an id says what it was made by."""
        return self._keyring.derived(_BY, f"{signs_in:d} {made} {sent}", key_id)[:_MARK]


def hash_of(token: str) -> str:
    # 256 random bits need neither salt nor key
    return hashlib.sha256(token.encode()).hexdigest()
