"""IBANs: checking, masking and inventing them, and the transfers a pharmacy sees. Pure functions."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from datetime import date, timedelta

# Length of an IBAN in the countries of the euro payments area (ISO 13616 registry).
_LENGTHS = {
    country: length
    for length, countries in {
        15: ("NO",),
        16: ("BE",),
        18: (
            "DK",
            "FI",
            "NL",
        ),
        19: ("SI",),
        20: (
            "AT",
            "EE",
            "LT",
            "LU",
        ),
        21: (
            "CH",
            "HR",
            "LI",
            "LV",
        ),
        22: (
            "BG",
            "DE",
            "GB",
            "IE",
            "VA",
        ),
        23: ("GI",),
        24: (
            "AD",
            "CZ",
            "ES",
            "RO",
            "SE",
            "SK",
        ),
        25: ("PT",),
        26: ("IS",),
        27: (
            "FR",
            "GR",
            "IT",
            "MC",
            "SM",
        ),
        28: (
            "CY",
            "HU",
            "PL",
        ),
        31: ("MT",),
    }.items()
    for country in countries
}
LONGEST_HOLDER = 70


class BankError(ValueError):
    """Bank details that cannot be right; the message is shown to the user."""


@dataclass(frozen=True)
class Transfer:
    """A payment to a professional: day, cents, number of invoices in it."""

    day: date
    cents: int
    invoices: int


def _remainder(iban: str) -> int:
    return int("".join(str(int(sign, 36)) for sign in iban[4:] + iban[:4])) % 97


def check_iban(text: str) -> str:
    """Return the IBAN typed as `text` without spaces, checked by length and ISO 7064 mod 97-10.

    Raises:
        BankError: with the sentence for the user.
    """
    iban = re.sub(r"[\s-]", "", text).upper()
    if not iban:
        raise BankError("Saisissez l’IBAN du compte.")
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", iban):
        raise BankError("Un IBAN commence par deux lettres et deux chiffres, par exemple FR76.")
    expected = _LENGTHS.get(iban[:2])
    if expected is None:
        raise BankError("Le compte doit être tenu dans un pays de la zone SEPA.")
    if len(iban) != expected:
        raise BankError(f"Un IBAN {iban[:2]} comporte {expected} caractères, vous en avez saisi {len(iban)}.")
    if _remainder(iban) != 1:
        raise BankError(
            "Cet IBAN comporte une erreur de saisie\N{NO-BREAK SPACE}: sa clé de contrôle ne correspond pas."
        )
    return iban


def check_holder(text: str) -> str:
    """Return the name of the account's holder, spaces tidied; BankError when it cannot be a name."""
    holder = " ".join(text.split())
    if not any(sign.isalpha() for sign in holder) or not holder.isprintable():
        raise BankError("Saisissez le nom du titulaire du compte.")
    if len(holder) > LONGEST_HOLDER:
        raise BankError(f"Le nom du titulaire est limité à {LONGEST_HOLDER} caractères.")
    return holder


def mask(iban: str) -> str:
    """Return `iban` in groups of four with all but both ends hidden."""
    hidden = iban[:4] + "•" * (len(iban) - 7) + iban[-3:]
    return " ".join(hidden[start : start + 4] for start in range(0, len(hidden), 4))


def invented_iban(rng: random.Random) -> str:
    """Make a French IBAN whose keys are right, at a bank (99999) that does not exist."""
    bank, branch, account = 99999, rng.randrange(100_000), rng.randrange(10**11)
    key = 97 - (89 * bank + 15 * branch + 3 * account) % 97
    body = f"{bank}{branch:05d}{account:011d}{key:02d}"
    return f"FR{98 - _remainder('FR00' + body):02d}{body}"


def latest_transfers(user_id: str, today: date, count: int = 4) -> list[Transfer]:
    """Invent the latest weekly transfers to a professional, the same ones whenever asked in the same week."""
    thursday = today - timedelta(days=(today.weekday() - 3) % 7)
    transfers = []
    for week in range(count):
        day = thursday - timedelta(weeks=week)
        rng = random.Random(f"{user_id} {day}")
        invoices = rng.randrange(180, 420)
        transfers.append(Transfer(day, sum(rng.randrange(600, 9000) for _ in range(invoices)), invoices))
    return transfers
