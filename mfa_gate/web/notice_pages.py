"""What happened in the account, said at the next sign-in; and the page behind a mail's "it was not me"."""

from __future__ import annotations

from flask import Response, request

from ..exc import InvalidRequest, Refusal
from . import answers, inputs, steps
from .answers import go, page
from .language import choose
from .notice_texts import folded
from .pages import onward
from .request_context import Visitor, visitor


def page_of_news() -> Response:
    """What the owner has not been shown yet; then on to the page that was wanted."""
    here = visitor()
    if request.method != "POST":
        return _show(here)
    fields = inputs.read(request, here, "action", "up_to")
    try:
        match fields.get("action"):
            case "seen":
                steps.see_notices(here, dict(fields))
                return onward(here)
            case "not-me":
                here.parts.own.end_others(here.visit)
                steps.see_notices(here, dict(fields))
                return go(answers.gate_path(here.parts, "authenticators"))
            case _:
                raise InvalidRequest
    except InvalidRequest as refusal:
        return _show(here, refusal)


def _show(here: Visitor, refusal: Refusal | None = None) -> Response:
    rows = here.parts.notices.unshown(here.visit)
    account = here.parts.portal.load(here.visit.there().account_id)
    locale = choose(here.parts.settings, account.locale if account else None, request)
    values = {"error": answers.said(refusal, account)} if refusal else {}
    return page(
        "news",
        refusal.status if refusal else 200,
        account,
        mfa_csrf=here.csrf_token,
        news=folded(rows, locale),
        up_to=max((row.id for row in rows), default=0),
        **values,
    )


def not_me() -> Response:
    """Behind the link of a mail. Opening it changes nothing: scanners of mails open links; its button does."""
    here = visitor()
    if request.method != "POST":
        link = request.args.get("link", "")
        return page("not_me", account=here.parts.notices.owner(link), link=link, done=False)
    link = inputs.body(request).get("link", "")
    here.parts.notices.not_me(link, request.remote_addr)
    return page("not_me", account=here.parts.notices.owner(link), done=True)
