"""What happened in the account, said at the next sign-in; and the page behind a mail's "it was not me"."""

from __future__ import annotations

from flask import Response, request

from ..exc import InvalidRequest, Refusal, StepUpRequired
from . import answers, inputs, steps
from .answers import go, page
from .language import choose
from .notice_texts import counted
from .pages import confirm_first, onward
from .request_context import RequestContext, request_context


def page_of_news() -> Response:
    """What the owner has not been shown yet; then on to the page that was wanted."""
    context = request_context()
    if request.method != "POST":
        return _show(context)
    fields = inputs.read(request, context, "action", "up_to")
    try:
        match fields.get("action"):
            case "seen":
                steps.see_notices(context, dict(fields))
                return onward(context)
            case "not-me":
                context.parts.own.end_others(context.client)
                steps.see_notices(context, dict(fields))
                return go(answers.gate_path(context.parts, "authenticators"))
            case _:
                raise InvalidRequest
    except InvalidRequest as refusal:
        return _show(context, refusal)
    except StepUpRequired as refusal:
        return confirm_first(context, refusal)


def _show(context: RequestContext, refusal: Refusal | None = None) -> Response:
    notices, client = context.parts.notices, context.client
    news, earlier = notices.displayed(client), notices.history(client)
    account = context.parts.portal.load(context.client.require_session().account_id)
    locale = choose(context.parts.settings, account.locale if account else None, request)
    values = {"error": answers.said(refusal, account)} if refusal else {}
    return page(
        "news",
        refusal.status if refusal else 200,
        account,
        mfa_csrf=context.csrf_token,
        news=counted(news.shown, locale),
        stays=news.stays,
        up_to=news.up_to,
        earlier=counted(earlier, locale),
        **values,
    )


def not_me() -> Response:
    """Behind the link of a mail. Opening it changes nothing: scanners of mails open links; its button does."""
    context = request_context()
    if request.method != "POST":
        link = request.args.get("link", "")
        return page("not_me", account=context.parts.notices.owner(link), link=link, done=False)
    link = inputs.body(request).get("link", "")
    account = context.parts.notices.owner(link)
    context.parts.notices.not_me(link, request.remote_addr)
    return page("not_me", account=account, done=True)
