"""The registry of factors: what each is called, what it proves, where it is kept and how people reach it.

Settings, policies, levels, the JSON API and its OpenAPI document, the pages, key rotation, `check` and the unlocking
of an account iterate over it. A factor has one entry here and one class in each room that acts on it:

    factors/registry.py   Factor(name, methods, table, routes, template)      this entry
    store/                its rows, behind a migration
    flows/                a `FactorFlow`: verify, seal anew, find broken rows, clear its counters
    web/factors/          a `FactorWeb`: its form on the challenge, its calls of the API

Pure: a factor can be added before an app is made, and a test does so (`tests/unit/factors/test_registry.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from ..levels import Level

Category = Literal["knowledge", "possession"]


@dataclass(frozen=True, slots=True)
class Method:
    """One way of proving, as RFC 8176 names it.

    Attributes:
        amr: its value as an authentication method reference.
        category: two proofs of one category never count as two factors (NIST SP 800-63B-4 §2.2).
        level: the highest level that it can lift a session to.
    """

    amr: str
    category: Category
    level: Level


@dataclass(frozen=True, slots=True)
class Route:
    """One call of the JSON API that belongs to a factor.

    Attributes:
        path: below the API's prefix.
        operation: the `operationId` in the OpenAPI document.
        summary: what it does, there.
        takes, gives: names of schemas of its body and its answer; None for no body.
    """

    path: str
    operation: str
    summary: str
    takes: str | None
    gives: str


@dataclass(frozen=True, slots=True)
class Factor:
    """A second factor.

    Attributes:
        name: in settings, policies, URLs and templates.
        methods: what its proofs may be, the strongest first.
        table: the store's table that its secrets stand in.
        routes: its calls of the JSON API.
        template: its parts of the challenge, below `templates/mfa_gate/factors`.
        on_by_default: whether it is offered where `MFA_GATE_METHODS` is left out.
        stands_alone: whether it is enrolled by itself and can be the only factor; recovery codes come with another one.
        needs_host: whether it needs a portal with a host name.
    """

    name: str
    methods: tuple[Method, ...]
    table: str
    routes: tuple[Route, ...]
    template: str
    on_by_default: bool = True
    stands_alone: bool = True
    needs_host: bool = False

    @property
    def amr(self) -> frozenset[str]:
        """The values of RFC 8176 that its proofs may have."""
        return frozenset(method.amr for method in self.methods)


RECOVERY_AMR: Final = "recovery"  # our own value: RFC 8176 has none for codes from a list
PASSWORD: Final = Method("pwd", "knowledge", Level.PASSWORD)
WEBAUTHN: Final = Factor(
    "webauthn",
    (Method("hwk", "possession", Level.HARDWARE), Method("pop", "possession", Level.PHISHING_RESISTANT)),
    "mfa_webauthn_credentials",
    (
        Route("/webauthn/verify/begin", "beginWebAuthn", "Options for an assertion", None, "Options"),
        Route("/webauthn/verify/complete", "completeWebAuthn", "The assertion", "Credential", "Passed"),
        Route("/webauthn/enrol/begin", "beginWebAuthnEnrolment", "Options for a credential", None, "Options"),
        Route("/webauthn/enrol/complete", "completeWebAuthnEnrolment", "The credential", "Credential", "Passed"),
    ),
    "webauthn.html",
    needs_host=True,
)
TOTP: Final = Factor(
    "totp",
    (Method("otp", "possession", Level.MFA),),
    "mfa_totp_seeds",
    (
        Route("/totp/verify", "verifyTOTP", "Second factor or step-up by an authenticator app", "Code", "Passed"),
        Route("/totp/enrol/begin", "beginTOTPEnrolment", "A new seed, told once", None, "TOTPEnrolment"),
        Route("/totp/enrol/complete", "completeTOTPEnrolment", "Its first code", "Confirmation", "Passed"),
    ),
    "totp.html",
)
RECOVERY: Final = Factor(
    "recovery",
    (Method(RECOVERY_AMR, "possession", Level.MFA),),
    "mfa_recovery_codes",
    (
        Route("/recovery/verify", "verifyRecovery", "Second factor or step-up by a recovery code", "Code", "Passed"),
        Route("/recovery/renew", "renewRecovery", "New recovery codes, told once", None, "Codes"),
    ),
    "recovery.html",
    stands_alone=False,
)

FACTORS: Final[dict[str, Factor]] = {}  # by name, the strongest first
METHODS: Final[dict[str, Method]] = {PASSWORD.amr: PASSWORD}  # by amr value
_FACTOR_OF: Final[dict[str, Factor]] = {}  # by amr value


def register(factor: Factor) -> None:
    """Add a factor to the registry.

    Raises:
        ValueError: its name, or one of its methods, is there already.
    """
    if factor.name in FACTORS or factor.amr & METHODS.keys():
        raise ValueError(f"the factor {factor.name!r}, or one of its methods, is registered already")
    FACTORS[factor.name] = factor
    for method in factor.methods:
        METHODS[method.amr] = method
        _FACTOR_OF[method.amr] = factor


def unregister(name: str) -> None:
    """Take a factor out of the registry again."""
    factor = FACTORS.pop(name)
    for amr in factor.amr:
        del METHODS[amr], _FACTOR_OF[amr]


def factor_of(amr: str) -> Factor:
    """The factor that gives proofs of an amr value."""
    return _FACTOR_OF[amr]


def default_factors() -> tuple[str, ...]:
    """The names of the factors that are offered where a portal does not say which."""
    return tuple(name for name, factor in FACTORS.items() if factor.on_by_default)


for _factor in (WEBAUTHN, TOTP, RECOVERY):
    register(_factor)
