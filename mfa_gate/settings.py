"""Every setting, checked at start: a wrong value stops the app with a sentence that says what to write instead."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from .exc import ConfigurationError
from .factors.registry import FACTORS, default_factors
from .factors.relying_party import HINTS, UserVerification

PREFIX: Final = "MFA_GATE_"
SHORTEST_CODE: Final = 60.0  # seconds
LANGUAGES: Final = ("fr", "en")
ALGORITHMS: Final = (-7, -8, -257)  # COSE: ES256, EdDSA, RS256
ML_DSA: Final = (-48, -49, -50)
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Settings:
    """The settings of one app. Times are in seconds.

    Attributes:
        base_url: origin and script root of the portal, without a slash at the end.
        keys: the text of `MFA_GATE_KEYS`, read by the keyring.
        database_url: SQLAlchemy URL of the gate's store.
        own_store: the store is the embedded one, which upgrades itself at start.
        name: the portal's name, shown on pages and in authenticator apps.
        methods: what people may enrol and prove by; the rest answers 404.
        rp_id: what passkeys belong to, for ever (W3C WebAuthn L3 §4); None where the portal has no host name.
        login_origins: origins of a single sign-on whose pages may post a sign-in to the portal; `null` by name.
        related_origins: other addresses whose pages may use the passkeys of this RP ID (L3 §5.11).
    """

    base_url: str
    keys: str = field(repr=False)
    database_url: str = field(repr=False)
    own_store: bool
    name: str
    identity: str | None = None
    url_prefix: str = "/mfa"
    home: str = "/"
    login_url: str | None = None
    idle: float = 3600.0
    lifetime: float = 43_200.0
    pending: float = 600.0
    enrolling: float = 1800.0
    activation_ttl: float = 86_400.0
    letter_ttl: float = 2_592_000.0
    device_ttl: float = 7_776_000.0
    event_ttl: float = 31_622_400.0
    strict: bool = False
    languages: tuple[str, ...] = LANGUAGES
    stylesheet: str | None = None
    support: str | None = None
    methods: tuple[str, ...] = field(default_factory=default_factors)
    rp_id: str | None = None
    user_verification: UserVerification = "preferred"
    algorithms: tuple[int, ...] = ALGORITHMS
    hints: tuple[str, ...] = ()
    related_origins: tuple[str, ...] = ()
    login_origins: tuple[str, ...] = ()

    @cached_property
    def secure(self) -> bool:
        """Cookies are Secure if the base URL is https; a request has no say in it."""
        return self.base_url.startswith("https:")

    @cached_property
    def origin(self) -> str:
        """Scheme, host and port, as a browser sends it in `Origin` (RFC 6454 §6)."""
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc}"

    @cached_property
    def script_root(self) -> str:
        return urlsplit(self.base_url).path

    @cached_property
    def cookie_name(self) -> str:
        """One name per portal, so that two of them under one host never read each other's (RFC 6265bis §4.1.3.2)."""
        return self._cookie("mfa")

    @cached_property
    def device_cookie_name(self) -> str:
        """The name of the cookie that known devices are told by."""
        return self._cookie("mfa-device")

    @cached_property
    def adopted_cookie_name(self) -> str:
        """The cookie of a sign-in that the portal's own session began; it never takes the place of a session's."""
        return self._cookie("mfa-adopted")

    def _cookie(self, name: str) -> str:
        tag = hashlib.sha256(self.base_url.encode()).hexdigest()[:8]
        return f"{'__Host-' if self.secure else ''}{name}-{tag}"

    @cached_property
    def totp_window(self) -> int:
        """Steps accepted on either side of now (RFC 6238 §5.2); none in the strict profile (ASVS 6.5.5)."""
        return 0 if self.strict else 1


def _wrong(name: str, value: object, instead: str) -> ConfigurationError:
    return ConfigurationError(f"{PREFIX}{name.upper()} is {value!r}: {instead}")


def _base_url(name: str, value: object) -> str:
    wrong = _wrong(name, value, "write the address that people type, such as 'https://portal.example'")
    if not isinstance(value, str) or not value.isprintable():
        raise wrong
    try:
        parts = urlsplit(value.strip().rstrip("/"))
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise wrong from None
    plain = re.fullmatch(r"[a-z0-9.-]+|[0-9a-f:]+", host) and re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", parts.path)
    if parts.scheme not in ("http", "https") or not plain or parts.query or parts.fragment or "@" in parts.netloc:
        raise wrong
    if parts.scheme == "http" and host not in LOOPBACK and not host.endswith(".localhost"):
        raise _wrong(name, value, "use https: without it the session cookie can be read on the way")
    netloc = f"[{host}]" if ":" in host else host
    if port not in (None, {"http": 80, "https": 443}[parts.scheme]):
        netloc += f":{port}"
    return f"{parts.scheme}://{netloc}{parts.path}"


def _seconds(name: str, value: object) -> float:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 1 <= seconds <= 366 * 86_400:
        raise _wrong(name, value, "write a timedelta or a number of seconds, from 1 second to 366 days")
    return float(seconds)


def _code_seconds(name: str, value: object) -> float:
    seconds = _seconds(name, value)
    if seconds < SHORTEST_CODE:
        raise _wrong(name, value, "an activation code lives at least a minute")
    return seconds


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise _wrong(name, value, "write True or False")
    return value


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 200 or not value.isprintable():
        raise _wrong(name, value, "write one line of text, at most 200 characters")
    return value.strip()


def _path(name: str, value: object) -> str:
    text = _text(name, value)
    if not re.fullmatch(r"/(?![/\\])[A-Za-z0-9._~/?=&%-]*", text):
        raise _wrong(name, value, "write a path on this portal that begins with one slash")
    return text


def _url_prefix(name: str, value: object) -> str:
    text = _text(name, value)
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", text):
        raise _wrong(name, value, "write a path such as '/mfa', without a slash at the end")
    return text


def _identity(name: str, value: object) -> str:
    if value != "gate":
        raise _wrong(name, value, "write 'gate', or leave it out and give the identity callback")
    return "gate"


def _languages(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value or any(tag not in LANGUAGES for tag in value):
        raise _wrong(name, value, f"write a list of {' and '.join(map(repr, LANGUAGES))}, the default first")
    return tuple(value)


def _methods(name: str, value: object) -> tuple[str, ...]:
    listed = tuple(value) if isinstance(value, list | tuple) else ()
    alone = [factor.name for factor in FACTORS.values() if factor.stands_alone]
    if not all(factor in tuple(FACTORS) for factor in listed) or not set(alone).intersection(listed):
        known, one_of = ", ".join(map(repr, FACTORS)), " or ".join(map(repr, alone))
        raise _wrong(name, value, f"write a list of some of {known}, with {one_of} among them")
    return tuple(factor for factor in FACTORS if factor in listed)


def _rp_id(name: str, value: object) -> str:
    if not isinstance(value, str) or not _is_name(value):
        raise _wrong(name, value, "write a host name alone, in small letters, such as 'portal.example'")
    return value


def _is_name(host: str) -> bool:
    """Whether passkeys can belong to a host: browsers take names alone, no addresses."""
    return re.fullmatch(r"(?=.{1,253}$)([a-z0-9-]{1,63}\.)*(?![0-9]+$)[a-z0-9-]{1,63}", host) is not None


def _hints(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or any(hint not in HINTS for hint in value):
        raise _wrong(name, value, f"write a list of some of {', '.join(map(repr, HINTS))}")
    return tuple(value)


def _user_verification(name: str, value: object) -> object:
    if value not in ("required", "preferred", "discouraged"):
        raise _wrong(name, value, "write 'required', 'preferred' or 'discouraged'")
    return value


def _algorithms(name: str, value: object) -> tuple[int, ...]:
    known = (*ALGORITHMS, *ML_DSA)
    if not isinstance(value, list | tuple) or not value or any(number not in known for number in value):
        raise _wrong(name, value, f"write a list of COSE numbers among {known}, the best liked first")
    return tuple(value)


def _related_origins(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(value) > 5:
        raise _wrong(name, value, "write a list of at most five addresses, such as ['https://portal.example.org']")
    return tuple(_origin(name, origin) for origin in value)


def _login_origins(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(value) > 20:
        raise _wrong(name, value, "write a list of at most twenty origins, such as ['https://login.example']")
    return tuple("null" if origin == "null" else _origin(name, origin) for origin in value)


def _origin(name: str, value: object) -> str:
    if urlsplit(origin := _base_url(name, value)).path:
        raise _wrong(name, value, "write each address without a path")
    return origin


def _keys(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ConfigurationError(f"{PREFIX}KEYS is not a text: write what 'flask mfa keys new' prints")
    return value.strip()


def _database_url(name: str, value: object) -> str:
    # never shown: it may hold a password
    if not isinstance(value, str) or not value.strip().isprintable() or not 1 <= len(value.strip()) <= 2000:
        raise ConfigurationError(f"{PREFIX}DATABASE_URL is not readable: write an SQLAlchemy URL on one line")
    return value.strip()


_CHECKS: Final[Mapping[str, Callable[[str, object], Any]]] = {
    "base_url": _base_url,
    "keys": _keys,
    "database_url": _database_url,
    "name": _text,
    "identity": _identity,
    "url_prefix": _url_prefix,
    "home": _path,
    "login_url": _path,
    "idle": _seconds,
    "lifetime": _seconds,
    "pending": _seconds,
    "enrolling": _seconds,
    "activation_ttl": _code_seconds,
    "letter_ttl": _code_seconds,
    "device_ttl": _seconds,
    "event_ttl": _seconds,
    "strict": _flag,
    "languages": _languages,
    "stylesheet": _path,
    "support": _text,
    "methods": _methods,
    "rp_id": _rp_id,
    "user_verification": _user_verification,
    "algorithms": _algorithms,
    "hints": _hints,
    "related_origins": _related_origins,
    "login_origins": _login_origins,
}


def read(config: Mapping[str, Any], *, instance: Path, name: str, made_for_you: Mapping[str, str]) -> Settings:
    """Read and check the `MFA_GATE_*` keys of an app's config.

    Args:
        config: the app's config; a key that is None counts as left out.
        instance: the app's instance folder, for the embedded store.
        name: the app's name, where `MFA_GATE_NAME` is left out.
        made_for_you: values that debug mode supplies for what has no default.

    Raises:
        ConfigurationError: with a sentence that says what to write instead.
    """
    given = {
        key[len(PREFIX) :].lower(): value
        for key, value in config.items()
        if key.startswith(PREFIX) and value is not None
    }
    unknown = sorted(set(given) - set(_CHECKS))
    if unknown:
        raise ConfigurationError(
            f"{PREFIX}{unknown[0].upper()} is not a setting of this version; the settings are "
            + ", ".join(PREFIX + key.upper() for key in _CHECKS)
        )
    values = {key: _CHECKS[key](key, value) for key, value in {**made_for_you, **given}.items()}
    for key, instead in _NO_DEFAULT.items():
        if key not in values:
            raise ConfigurationError(f"{PREFIX}{key.upper()} is not set: {instead}")
    own_store = "database_url" not in values
    if own_store:
        values["database_url"] = f"sqlite:///{instance / 'mfa_gate.sqlite3'}"
    values.setdefault("name", _text("name", name))
    _choose_rp_id(values)
    settings = Settings(own_store=own_store, **values)
    if settings.idle > settings.lifetime:
        raise _wrong("idle", settings.idle, "it must not be longer than MFA_GATE_LIFETIME")
    return settings


def _choose_rp_id(values: dict[str, Any]) -> None:
    """The RP ID is the exact host unless it is set; a portal without a host name can have no passkeys."""
    host = urlsplit(values["base_url"]).hostname or ""
    if _is_name(host):
        rp_id = values.setdefault("rp_id", host)
        if "." not in rp_id and rp_id != host:
            raise _wrong("rp_id", rp_id, "write a whole host name: browsers let no portal have a top-level domain")
    elif any(FACTORS[factor].needs_host for factor in values.get("methods", ())) or "rp_id" in values:
        raise _wrong("base_url", values["base_url"], "write a host name: passkeys cannot belong to an address")
    else:
        offered = values.get("methods", default_factors())
        values["methods"] = tuple(factor for factor in offered if not FACTORS[factor].needs_host)


_NO_DEFAULT: Final = {
    "base_url": "write the address that people type, such as 'https://portal.example'",
    "keys": "run 'flask mfa keys new' and keep what it prints where your other secrets are",
}

NAMES: Final = tuple(PREFIX + each.name.upper() for each in fields(Settings) if each.name in _CHECKS)
