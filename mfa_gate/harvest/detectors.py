"""The detectors: each a formula over the state. Sources are in `docs/harvest.md`."""

from __future__ import annotations

from itertools import compress
from math import log
from typing import Final

from ..durations import DAY
from .harvest_policy import CHARS, MAX_MARKS, HarvestPolicy
from .norms import adaptive, limit, mean, quota, settled
from .state import State
from .verdict import Read, Verdict

_NEVER_WITHOUT_DESK: Final = ("canary", "state")  # what its owner's own proof does not lift


def read(state: State, one_read: Read, policy: HarvestPolicy) -> tuple[State, Verdict]:
    """Weigh a look-up before it is answered.

    Returns:
        The state afterwards, which is to be kept with any verdict, and the verdict.
    """
    after = state.copy()
    return after, weigh(after, one_read, policy)


def weigh(after: State, one_read: Read, policy: HarvestPolicy) -> Verdict:
    """The same on a state that nobody else has; it becomes the one afterwards.

    Returns:
        The verdict.
    """
    _turn(after, one_read, policy)
    if after.stopped is not None and not _lifts(after, one_read):
        return Verdict("stop", (after.why or "state",), (), after.today)
    fresh = _fresh(after, one_read.marks)
    new = sum(fresh)
    if (
        new
        and one_read.crowd is not None
        and one_read.crowd.asks(one_read.proven_at)
        and not policy.reports("read_fan_in")
    ):
        return Verdict("prompt", ("read_fan_in",), fresh, after.today)
    if _lacks_quota(after, one_read, policy, new):
        if after.today + new > limit(after, policy, one_read.group):
            after.proof_asked_at = after.at  # one proof answers both
        return Verdict("prompt", ("quota",), fresh, after.today)
    if new:
        _paced(after, new, policy)
        after.miss = max(0.0, after.miss + log((1.0 - policy.misses) / (1.0 - policy.miss)))
        _walked(after, one_read, policy)
    found = _found(after, one_read, policy, new)
    stops = tuple(reason for reason in found if not policy.reports(reason)) if policy.report_only else found
    if stops == ("daily_limit",) and after.days < policy.warm:
        if one_read.proven_at is None or after.proof_asked_at is None or one_read.proven_at <= after.proof_asked_at:
            after.proof_asked_at = after.at
            return Verdict("prompt", stops, fresh, after.today)
        after.lifted, found = after.day, ()
    elif stops:
        after.stopped, after.why = after.at, stops[0]
        return Verdict("stop", stops, fresh, after.today)
    if new:
        _kept(after, one_read, fresh, new)
    return Verdict("pass", found, fresh, after.today, _nears(after, new, policy))


def _lacks_quota(after: State, one_read: Read, policy: HarvestPolicy, new: int) -> bool:
    """Whether the session has read what its latest proof grants; what nobody reads in a day is no question of that."""
    if (
        not 0 < new <= policy.ceiling
        or one_read.session is None
        or one_read.proven_at is None
        or policy.reports("quota")
    ):
        return False
    used = after.used(one_read.session, one_read.proven_at)
    return used is None or used + new > quota(after, policy, one_read.group, unusual=one_read.unusual)


def _kept(after: State, one_read: Read, fresh: tuple[bool, ...], new: int) -> None:
    """What was not read today before is read now, by this session."""
    marks = one_read.marks if new == len(one_read.marks) else compress(one_read.marks, fresh)
    after.seen = (after.seen + "".join(marks))[: MAX_MARKS * CHARS]
    if one_read.session is not None and one_read.proven_at is not None:
        after.spend(one_read.session, one_read.proven_at, (after.used(one_read.session, one_read.proven_at) or 0) + new)


def _nears(after: State, new: int, policy: HarvestPolicy) -> bool:
    """Whether these records were the ones that brought the day near the ceiling, with no exception made yet."""
    near = policy.warn * policy.ceiling
    excepted = after.allowed > policy.ceiling and after.at < after.allowed_until
    return after.today - new < near <= after.today and not excepted


def missed(state: State, policy: HarvestPolicy) -> tuple[State, str | None]:
    """Note that the look-up that was just weighed has found nobody; the reason to stop, if that was one too many.

    A Bernoulli CUSUM on "nobody of that number" (Reynolds and Stoumbos 1999).
    """
    after = state.copy()
    after.miss += log(policy.misses / policy.miss) - log((1.0 - policy.misses) / (1.0 - policy.miss))
    if after.miss < policy.alarm or policy.reports("misses"):
        return after, None
    after.stopped, after.why = after.at, "misses"
    return after, "misses"


def _turn(state: State, one_read: Read, policy: HarvestPolicy) -> None:
    """Go on to the day of a look-up; a day that is over is learnt, up to its limit, and adds to the drift."""
    state.at = max(state.at, one_read.now)
    day = int(state.at // DAY)
    if day == state.day:
        return
    if state.seen:
        usual, records = settled(state, policy, one_read.group), float(state.today)
        learnt = min(records, adaptive(state, policy, one_read.group))
        state.drift = _drift(state, usual, records, policy)
        state.total = policy.fading * state.total + learnt
        state.weight = policy.fading * state.weight + 1.0
        if state.drift <= policy.drift_alarm / 3.0:  # what may be a harvest is not usual until it turns out to be none
            state.old_total = policy.settled * state.old_total + learnt
            state.old_weight = policy.settled * state.old_weight + 1.0
        state.days += 1
    state.day, state.seen, state.proof_asked_at = day, "", None


def _drift(state: State, usual: float, records: float, policy: HarvestPolicy) -> float:
    """CUSUM of the log-likelihood of `drift` times the usual against the usual, both negative binomial."""
    if state.days < policy.warm:
        return 0.0
    spread, more = policy.spread, policy.drift * usual
    base = spread * log((spread + usual) / (spread + more))
    return max(0.0, state.drift + base + records * log(policy.drift * (spread + usual) / (spread + more)))


def may_lift(state: State) -> bool:
    """Whether an owner's own proof can end the stop: of the ceiling from the next day on."""
    return state.why not in _NEVER_WITHOUT_DESK and not (state.why == "ceiling" and state.today)


def _lifts(after: State, one_read: Read) -> bool:
    """Whether a phishing-resistant proof since then ends the stop; it has then, and the day's limit is lifted."""
    since = after.stopped
    if since is None or not may_lift(after) or one_read.surely_at is None or one_read.surely_at <= since:
        return False
    after.lift()
    return True


def _fresh(state: State, marks: tuple[str, ...]) -> tuple[bool, ...]:
    if len(marks) == 1:
        return (not state.has(marks[0]),)
    known: set[str] = set()
    fresh = []
    for mark in marks:
        fresh.append(mark not in known and not state.has(mark))
        known.add(mark)
    return tuple(fresh)


def _paced(after: State, new: int, policy: HarvestPolicy) -> None:
    """The generic cell rate algorithm (ITU-T I.371), twice, as a peak and a sustainable rate are held there.

    Each look-up takes `pace` seconds of what lies ahead, and `rest` of what lies farther ahead.
    """
    looked_up = 1.0 + (new - 1) / policy.batch
    after.ahead = max(after.ahead, after.at) + policy.pace * looked_up
    after.far_ahead = max(after.far_ahead, after.at) + policy.rest * looked_up


def _is_too_fast(after: State, policy: HarvestPolicy, group: str | None) -> bool:
    if after.ahead - after.at > policy.burst * policy.pace:
        return True
    far = (after.far_ahead - after.at) / policy.rest
    return far > policy.stretch and far > mean(after, policy, group)


def _walked(after: State, one_read: Read, policy: HarvestPolicy) -> None:
    """A Bernoulli CUSUM on "begins as the one before", over single look-ups."""
    if one_read.prefix is None or len(one_read.marks) != 1:
        return
    same = one_read.prefix == after.last
    ratio = policy.steps / policy.step if same else (1.0 - policy.steps) / (1.0 - policy.step)
    after.walk, after.last = max(0.0, after.walk + log(ratio)), one_read.prefix


def _found(after: State, one_read: Read, policy: HarvestPolicy, new: int) -> tuple[str, ...]:
    """What speaks against it, the surest first."""
    found = ["canary"] if one_read.canary else []
    if not new:
        return tuple(found)
    today, most = after.today + new, limit(after, policy, one_read.group)
    if today > max(policy.ceiling, most) or today > MAX_MARKS:
        found.append("ceiling")
    if _is_too_fast(after, policy, one_read.group):
        found.append("pace")
    if after.miss >= policy.alarm:
        found.append("misses")
    if after.walk >= policy.alarm:
        found.append("walk")
    if today > most:
        found.append("daily_limit")
    if after.lifted == after.day and after.proof_asked_at is None:  # by the owner's surest proof, or the desk
        return tuple(found)
    if one_read.crowd is not None and one_read.crowd.is_too_much(new, policy):
        found.append("read_fan_in")
    if after.days >= policy.warm:
        usual = settled(after, policy, one_read.group)
        if _drift(after, usual, float(today), policy) >= policy.drift_alarm:
            found.append("drift")
    return tuple(found)
