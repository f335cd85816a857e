"""Our own cookies in a request, told apart as browsers put them together (RFC 6265 §4.2, §5.4).

A quote has no meaning there. A parser that gives it one lets a cookie of a sibling host, which opens a quote, run on
over ours to the next one that closes it.

A sibling host can also plant a cookie of our name beside ours, where the browser does not know `__Host-` or the portal
is reached by http. Of several values the one that is signed by us counts; of two that are signed none, since nobody can
say which of them this browser was given. So a stranger's value hides nothing, and puts nobody into another's session.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

HEADER: Final = "HTTP_COOKIE"
_BLANK: Final = " \t"  # and nothing else: what Unicode calls blank may be part of a name
_OPENS_A_QUOTE: Final = re.compile(r'[^=]*=\s*"(?!(?:[^\\"]|\\.)*")')


def sent(environ: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The different values of the cookies of this very name, in their order.

    Args:
        environ: of the request.
        name: of one of our cookies; their values need no quotes.
    """
    header: str = environ.get(HEADER, "")
    at = header.find(name)
    if at < 0:
        return ()
    if header.find(name, at + 1) < 0:  # it stands there once, as nearly always: the other cookies are left alone
        end = header.find(";", at)
        key, _, value = header[header.rfind(";", 0, at) + 1 : end if end > 0 else None].partition("=")
        return (value.strip(_BLANK),) if key.strip(_BLANK) == name else ()
    pairs = (pair.partition("=") for pair in header.split(";"))
    return tuple(dict.fromkeys(value.strip(_BLANK) for key, _, value in pairs if key.strip(_BLANK) == name))


def chosen(environ: Mapping[str, Any], name: str, is_ours: Callable[[str], bool]) -> str | None:
    """The value of a cookie of ours, or None.

    Args:
        environ: of the request.
        name: of the cookie.
        is_ours: whether a value is signed by us; asked where there are several.
    """
    values = sent(environ, name)
    if len(values) > 1:
        values = tuple(value for value in values if is_ours(value))
        return values[0] if len(values) == 1 else None
    return values[0] if values else None


def let_no_quote_run_on(environ: dict[str, Any]) -> None:
    """Take out each cookie that opens a quote without closing it: in the portal's parser it would hide the next ones.

    Args:
        environ: of a request with cookies, before anything has read them.
    """
    environ[HEADER] = ";".join(pair for pair in environ[HEADER].split(";") if not _OPENS_A_QUOTE.match(pair))
