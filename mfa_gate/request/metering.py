"""Records in requests: charged before the view shows them, and no answer of a metered view that was not.

After a refusal the view's answer is replaced, even if the view caught it; so is an answer that was neither charged nor
marked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from flask import Flask, Request, Response, request

from ..exc import NotMetered, ReadsStopped, Refusal, SignInRequired, Unavailable
from ..flows.flow import log
from ..reads.charging import Reads
from ..web.answers import OwnAnswer
from ..web.caching import keep_private, vary_by_cookie
from ..web.request_context import RequestContext, request_context, request_context_of, this_request
from .guard import Guard
from .layers import HTTP_METHODS
from .marks import Marks

NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class _Held:
    """What a view must have charged before its answer is sent.

    Attributes:
        view, changes: of what this was worked out.
        metered: something at all.
        hidden: the record of each of these views, which lie below decorators that may answer without them.
    """

    view: Any
    changes: int
    metered: bool
    hidden: tuple[object, ...]

    def lets_through(self, context: RequestContext) -> bool:
        if self.metered and not context.has_charged:
            return False
        return not self.hidden or all(any(by is view for by in context.charged_by) for view in self.hidden)


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
        self._held: dict[tuple[str, str], _Held] = {}  # by endpoint and method

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

    def before(self, context: RequestContext, kind: str, view: object, record: Callable[[], object]) -> None:
        """Charge the record that an argument of this very call of a view names.

        Raises:
            Refusal: it must not be shown; the answer is replaced, whoever called the view and catches this.
        """
        try:
            one = record()
        except LookupError as missing:
            log.error("@gate.reads(record=%s): a view called at %s has no such argument", missing, request.endpoint)
            raise self._refused(context, NotMetered()) from None
        self._charge(context, kind, [one])
        context.looked_up = (kind, one)
        context.charged_by = (*context.charged_by, view)

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
            sent = self._shown(context, http_request, response)
            depends_on_whom(context, sent)
        except Exception:
            log.exception("the answer of %s could not be held against what was read", request.endpoint)
            sent = OwnAnswer("closed\n", Unavailable.status, mimetype="text/plain")
        context.has_answered = True
        return sent

    def _shown(self, context: RequestContext, http_request: Request, response: Response) -> Response:
        # a view that was reached past the guard: from an error handler, or by a hook that answered itself
        if context.looked_at and http_request.url_rule is not None and not isinstance(response, OwnAnswer):
            elsewhere = self._guard.look_again()
            if elsewhere is not None:
                return self._with_cookies(context, elsewhere, response)
        if context.looked_up is not None and context.refused_read is None and response.status_code == NOT_FOUND:
            self._missed_quietly(context)
        refusal = context.refused_read or self._uncharged(context, http_request, response)
        if refusal is None:
            return response
        return self._with_cookies(context, self._guard.answer(context, refusal), response)

    def _missed_quietly(self, context: RequestContext) -> None:
        """A 404 of a view that looks up one record: there is none. Why that was one too many is kept."""
        try:
            self.missed("")
        except Refusal:
            return

    def _uncharged(self, context: RequestContext, http_request: Request, response: Response) -> Refusal | None:
        """Why an answer is not sent, though nothing that it reads was refused."""
        for rule, method in context.looked_at or ((http_request.url_rule, http_request.method),):
            if rule is None or self._holds(rule.endpoint, method).lets_through(context):
                continue  # as nearly every request, in a moment
            if isinstance(response, OwnAnswer):
                continue
            if method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):
                continue
            log.error(
                "%s has charged nothing that it reads: call gate.count_reads, put @gate.reads above every decorator "
                "that may answer by itself, or mark it @gate.reads_nothing",
                rule.endpoint,
            )
            return NotMetered()
        return None

    def _holds(self, endpoint: str, method: str) -> _Held:
        """What the answers of an endpoint must have charged; worked out anew where another view stands there."""
        view, marks = self._app.view_functions[endpoint], self._marks
        method = method if method in HTTP_METHODS else ""  # or a client could have any number of them remembered
        held = self._held.get((endpoint, method))
        if held is None or held.view is not view or held.changes != marks.changes:
            changes = marks.changes
            hidden = tuple(mark.original for mark in marks.hidden_reads(view, method))
            held = _Held(view, changes, marks.is_metered(self._app, endpoint), hidden)
            self._held[endpoint, method] = held
        return held

    @staticmethod
    def _with_cookies(context: RequestContext, sent: Response, response: Response) -> Response:
        """An answer in the place of another one, with the cookies of that, but for those that it sets itself."""
        response.close()
        own = {cookie.partition("=")[0] for cookie in sent.headers.getlist("Set-Cookie")}
        for cookie in response.headers.getlist("Set-Cookie"):
            if cookie.partition("=")[0] not in own:
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
