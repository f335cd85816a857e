"""The people of the demo who may sign in, their passwords, and what each is handed at the first start."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import random
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from flask import Flask

from mfa_gate.testing import enrol_totp

from .bank import invented_iban
from .gate import as_account, gate, get_store
from .store import User

# About 50 ms and 16 MiB a try (RFC 7914).
SCRYPT = {"n": 2**14, "r": 8, "p": 1}
LONGEST_PASSWORD = 1024


class Handout(TypedDict, total=False):
    """What one account is handed; `totp_secret` only for the account that is already enrolled."""

    email: str
    password: str
    account: str
    group: str
    activation_code: str | None
    totp_secret: str


@dataclass(frozen=True)
class Seed:
    """An account to make."""

    id: str
    email: str
    name: str
    role: str
    place: str
    locale: str = "fr"
    enrolled: bool = False


SEEDS = (
    Seed(
        "pro-1001",
        "camille.roussel@pharmacie-des-tilleuls.example",
        "Camille Roussel",
        "pharmacist",
        "Pharmacie des Tilleuls, Angers",
    ),
    Seed(
        "pro-1002",
        "mehdi.benali@pharmacie-du-pont.example",
        "Mehdi Benali",
        "pharmacist",
        "Pharmacie du Pont, Rezé",
    ),
    Seed(
        "pro-1003",
        "sarah.whitfield@pharmacie-de-la-halle.example",
        "Sarah Whitfield",
        "pharmacist",
        "Pharmacie de la Halle, Saumur",
        locale="en",
    ),
    Seed(
        "pro-2001",
        "anne.kervella@cabinet-des-lilas.example",
        "Dr Anne Kervella",
        "doctor",
        "Cabinet médical des Lilas, Quimper",
    ),
    Seed(
        "pro-9001",
        "julien.marchand@portail-officine.example",
        "Julien Marchand",
        "desk",
        "Assistance du Portail Officine",
    ),
    Seed(
        "pro-1004",
        "helene.garnier@pharmacie-saint-martin.example",
        "Hélène Garnier",
        "pharmacist",
        "Pharmacie Saint-Martin, Le Mans",
        enrolled=True,
    ),
)


def hash_password(password: str) -> str:
    """Return the text to store for `password`: scheme, parameters, salt and hash."""
    salt = secrets.token_bytes(16)
    derived = _derive(password[:LONGEST_PASSWORD], salt, **SCRYPT)
    return "$".join(("scrypt", *(str(value) for value in SCRYPT.values()), _text(salt), _text(derived)))


def password_matches(password: str, stored: str | None) -> bool:
    """Compare `password` with what is stored; None (nobody has that address) costs the same work."""
    known = stored is not None
    _, n, r, p, salt, expected = (stored or _NOBODY).split("$")
    derived = _derive(password[:LONGEST_PASSWORD], base64.b64decode(salt), n=int(n), r=int(r), p=int(p))
    return hmac.compare_digest(derived, base64.b64decode(expected)) and known


def _derive(password: str, salt: bytes, *, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode("utf-8", "replace"), salt=salt, n=n, r=r, p=p, dklen=32)


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


_NOBODY = hash_password(secrets.token_hex(16))


def normalise_email(text: str) -> str:
    """Return an address as it is stored and compared."""
    return text.strip().casefold()


def new_password() -> str:
    """Make a password of 80 random bits that can be read aloud: four groups of four signs."""
    letters = "abcdefghijkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(4))


def provide(app: Flask) -> list[Handout]:
    """Make every account anew and return what each is handed.

    Users get a new password; each is given an activation code, except the one whose authenticator is enrolled
    here, through the same steps that a person takes. Safe to repeat after an interruption.
    """
    with app.app_context():
        store = get_store()
        again = store.fact("accounts") is not None
        store.note_fact("accounts", "begun")
        passwords = {seed.id: new_password() for seed in SEEDS}
        users = [_user(seed, passwords[seed.id]) for seed in SEEDS]
        store.save_users(users)
        handouts: list[Handout] = []
        for seed, user in zip(SEEDS, users, strict=True):
            if again:
                gate.forget(seed.id)
            handout = Handout(
                email=seed.email,
                password=passwords[seed.id],
                account=seed.id,
                group=seed.role,
                activation_code=None,
            )
            if seed.enrolled:
                handout["totp_secret"] = enrol_totp(app, as_account(user))
            else:
                handout["activation_code"] = gate.issue_activation(seed.id, reason="first start of the demo")
            handouts.append(handout)
    return handouts


def _user(seed: Seed, password: str) -> User:
    paid = seed.role != "desk"
    return User(
        id=seed.id,
        email=seed.email,
        name=seed.name,
        password=hash_password(password),
        role=seed.role,
        place=seed.place,
        locale=seed.locale,
        iban=invented_iban(random.Random(seed.id)) if paid else None,
        holder=seed.place.split(",")[0] if paid else None,
    )


def mark_given(app: Flask) -> None:
    """Note that the handouts reached whoever started the demo: they are never made again."""
    with app.app_context():
        get_store().note_fact("accounts", "given")


def were_given(app: Flask) -> bool:
    """True when an earlier start handed the accounts out."""
    with app.app_context():
        return get_store().fact("accounts") == "given"


def write_json(path: Path, handouts: list[Handout]) -> None:
    """Write `handouts` to `path`, readable by the owner alone, whole or not at all."""
    draft = path.with_name(f"{path.name}.part")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(handouts, file, ensure_ascii=False, indent=2)
        file.write("\n")
    os.replace(draft, path)
