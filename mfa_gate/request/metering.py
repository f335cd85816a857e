"""Records in requests: charged before the view shows them, and no answer of a metered view that was not.

After a refusal the view's answer is replaced, even if the view caught it; so is an answer that was neither charged nor
marked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import Flask, Response, request
from werkzeug.routing import Rule

from ..exc import NotMetered, ReadsStopped, Refusal, SignInRequired, Unavailable
from ..flows.flow import log
from ..reads.charging import Reads
from ..web.answers import OwnAnswer
from ..web.caching import keep_private, vary_by_cookie
from ..web.request_context import RequestContext, request_context, request_context_of, this_request
from .guard import Guard
from .marks import Marks

NOT_FOUND = 404


class Metering:
    """Charges the reads of one app.

    Args:
        app: the app.
        marks: what the decorators said.
        guard: answers refusals.
    """

    def __init__(self, app: Flask, marks: Marks, guard: Guard, reads: Reads) -> None:
        self._app = app
        self._marks = marks
        self._guard = guard
        self._reads = reads
        self._unmetered: dict[str, Any] = {}  # endpoint -> the view that was seen to need no charge

    def charge(self, kind: str, records: Iterable[object]) -> None:
        """Charge records in a view, before it answers.

        Raises:
            Refusal: they must not be shown; the answer is replaced, even if the view catches this.
            RuntimeError: the answer has begun already.
        """
        self._charge(request_context(), kind, records)

    def _charge(self, context: RequestContext, kind: str, records: Iterable[object]) -> None:
        if context.has_answered:
            raise RuntimeError("count_reads comes too late: the answer has begun. Count before the view returns")
        try:
            self._reads.charge(context.client, kind, records)
        except TypeError:
            raise
        except Refusal as refusal:
            raise self._refused(context, refusal) from None
        except Exception:
            log.exception("charging reads failed on %s", request.endpoint)
            raise self._refused(context, Unavailable()) from None
        context.has_charged = True

    def before(self, context: RequestContext, kind: str, argument: str) -> Response | None:
        """Charge the record that an argument of the view names; return the answer if that is refused."""
        values = context.request.view_args or {}
        try:
            if argument not in values:
                log.error("@gate.reads(record=%r): %s has no such argument", argument, request.endpoint)
                raise self._refused(context, NotMetered())
            self._charge(context, kind, [values[argument]])
        except Refusal as refusal:
            return self._guard.answer(context, refusal)
        context.looked_up = (kind, values[argument])
        return None

    def missed(self, kind: str) -> None:
        """Note that the look-up of this request has found nothing.

        Raises:
            Refusal: that was one too many; the answer is replaced.
        """
        context = request_context()
        looked_up, context.looked_up = context.looked_up or (kind, None), None
        try:
            self._reads.missed(context.client, looked_up[0], [] if looked_up[1] is None else [looked_up[1]])
        except Refusal as refusal:
            raise self._refused(context, refusal) from None
        except Exception:
            log.exception("counting a look-up that found nothing failed on %s", request.endpoint)
            raise self._refused(context, Unavailable()) from None

    def after(self, response: Response) -> Response:
        """What is sent in the place of a view's answer, or that answer. Never raises: it would be sent then."""
        http_request = this_request()
        context = request_context_of(http_request)
        try:
            if context.looked_up is not None and context.refused_read is None and response.status_code == NOT_FOUND:
                self._missed_quietly(context)
            if context.refused_read is None and (context.has_charged or self._is_unmetered(http_request.url_rule)):
                sent = response  # as nearly every request, in a moment
            else:
                refusal = context.refused_read or self._uncharged(response)
                sent = response if refusal is None else self._instead(context, refusal, response)
            depends_on_whom(context, sent)
        except Exception:
            log.exception("the answer of %s could not be held against what was read", request.endpoint)
            sent = OwnAnswer("closed\n", Unavailable.status, mimetype="text/plain")
        context.has_answered = True
        return sent

    def _is_unmetered(self, rule: Rule | None) -> bool:
        """Whether the view of a rule was seen to need no charge, and is the same one still."""
        view = self._unmetered.get(rule.endpoint) if rule is not None else None
        return view is not None and rule is not None and view is self._app.view_functions.get(rule.endpoint)

    def _missed_quietly(self, context: RequestContext) -> None:
        """A 404 of a view that looks up one record: there is none. Why that was one too many is kept."""
        try:
            self.missed("")
        except Refusal:
            return

    def _uncharged(self, response: Response) -> Refusal | None:
        rule = request.url_rule
        if rule is None or isinstance(response, OwnAnswer):
            return None
        if request.method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):
            return None
        if not self._marks.is_metered(self._app, rule.endpoint):
            self._unmetered[rule.endpoint] = self._app.view_functions[rule.endpoint]
            return None
        log.error(
            "%s is in a metered blueprint and has neither charged a read nor the mark @gate.reads_nothing",
            rule.endpoint,
        )
        return NotMetered()

    def _instead(self, context: RequestContext, refusal: Refusal, response: Response) -> Response:
        """The answer to a refusal, with the cookies of the one that it replaces."""
        sent = self._guard.answer(context, refusal)
        response.close()
        for cookie in response.headers.getlist("Set-Cookie"):
            sent.headers.add("Set-Cookie", cookie)
        if context.has_cookies_to_come:
            context.put_cookies(sent)
        return sent

    @staticmethod
    def _refused(context: RequestContext, refusal: Refusal) -> Refusal:
        context.refused_read = refusal
        context.looked_up = None
        if isinstance(refusal, ReadsStopped) and refusal.data.get("ended"):
            context.drop_session()
        elif isinstance(refusal, SignInRequired):  # it may have moved on meanwhile
            context.forget_session()
        return refusal


def depends_on_whom(context: RequestContext, response: Response) -> None:
    """Neither a proxy nor the back button shows what was answered to who was let in, or was asked for, to others."""
    if context.admitted is not None or context.has_told or context.has_set_cookie:
        keep_private(response)
    elif context.has_told is False:
        vary_by_cookie(response)
