"""The floor: the least that the same checks cost when they are written by hand, for one portal and nothing else.

No rotation of keys, no limits, no CSRF token, no failing closed: not a thing to use, only a thing to be compared with.
"""

from __future__ import annotations

import secrets
import sqlite3
from base64 import b32encode
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pyotp
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import Flask, Response, abort, g, jsonify, request, session
from itsdangerous import BadSignature, Signer

from .portal import BASE_URL, SECRET_KEY, bare

COOKIE: Final = "floor-1a2b3c4d"  # as long as the gate's
LIFETIME: Final = 43_200.0  # seconds
TABLES: Final = """
    CREATE TABLE sessions (id TEXT PRIMARY KEY, sign_in TEXT, account TEXT, level INTEGER, ends_at REAL);
    CREATE TABLE seeds (account TEXT PRIMARY KEY, seed BLOB, last_step INTEGER);
    CREATE TABLE counters (account TEXT PRIMARY KEY, failures INTEGER, at REAL);
    CREATE TABLE events (id INTEGER PRIMARY KEY, at REAL, kind TEXT, account TEXT, sign_in TEXT, source TEXT);
"""


class Floor:
    """The hand-written portal.

    Args:
        folder: where its database is made.
        clock: seconds since the epoch.
    """

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._signer = Signer(SECRET_KEY, salt="floor session")
        self._cipher = AESGCM(AESGCM.generate_key(256))
        self._db = sqlite3.connect(folder / "floor.sqlite3", isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(TABLES)

    def guarded(self) -> Flask:
        """The bare portal with the check in a hook of its own."""
        app = bare("floor")
        app.before_request(self._check)
        return app

    def signing_in(self) -> Flask:
        """The bare portal whose sign-in verifies a code."""
        app = bare("floor")
        app.view_functions["sign_in"] = self._sign_in
        return app

    def open_session(self, account: str, level: int) -> str:
        """Open a session; its cookie as `name=value`."""
        token = secrets.token_urlsafe(32)
        self._db.execute(
            "INSERT INTO sessions VALUES (?, ?, ?, ?, ?)",
            (token, secrets.token_hex(16), account, level, self._clock() + LIFETIME),
        )
        return f"{COOKIE}={self._signer.sign(token).decode()}"

    def enrol(self, account: str) -> str:
        """Give an account an authenticator; its secret in base32."""
        seed, nonce = secrets.token_bytes(20), secrets.token_bytes(12)
        sealed = nonce + self._cipher.encrypt(nonce, seed, account.encode())
        self._db.execute("INSERT INTO seeds VALUES (?, ?, 0)", (account, sealed))
        return b32encode(seed).decode()

    def _token(self) -> str:
        try:
            return self._signer.unsign(request.cookies.get(COOKIE, "")).decode()
        except BadSignature:
            abort(401)

    def _check(self) -> None:
        row = self._db.execute("SELECT account, level, ends_at FROM sessions WHERE id = ?", (self._token(),)).fetchone()
        if row is None or row[0] != session.get("user") or row[1] < 2 or row[2] <= self._clock():
            abort(401)
        g.account = row[0]

    def _sign_in(self) -> Response:
        code, now, db = request.get_json()["code"], self._clock(), self._db
        token = self._token()
        row = db.execute("SELECT account, sign_in, ends_at FROM sessions WHERE id = ?", (token,)).fetchone()
        if row is None or row[2] <= now:
            abort(401)
        account, sign_in, _ = row
        db.execute("BEGIN IMMEDIATE")
        db.execute(
            "INSERT INTO counters VALUES (?, 1, ?) ON CONFLICT (account) DO UPDATE SET failures = failures + 1, at = ?",
            (account, now, now),
        )
        db.execute("COMMIT")
        step = self._step(account, code, now)
        fresh = secrets.token_urlsafe(32)
        db.execute("BEGIN IMMEDIATE")
        spent = db.execute(
            "UPDATE seeds SET last_step = ? WHERE account = ? AND last_step < ?", (step, account, step)
        ).rowcount
        moved = db.execute(
            "UPDATE sessions SET id = ?, level = 2, ends_at = ? WHERE id = ?", (fresh, now + LIFETIME, token)
        ).rowcount
        if not (spent and moved):
            db.execute("ROLLBACK")
            abort(401)
        db.execute(
            "INSERT INTO events (at, kind, account, sign_in, source) VALUES (?, 'second_factor', ?, ?, ?)",
            (now, account, sign_in, request.remote_addr),
        )
        db.execute("COMMIT")
        session["user"] = account
        answer = jsonify(next=f"{BASE_URL}/")
        answer.set_cookie(COOKIE, self._signer.sign(fresh).decode(), httponly=True, samesite="Lax")
        return answer

    def _step(self, account: str, code: str, now: float) -> int:
        sealed = self._db.execute("SELECT seed FROM seeds WHERE account = ?", (account,)).fetchone()[0]
        seed = self._cipher.decrypt(sealed[:12], sealed[12:], account.encode())
        try:
            return pyotp.TOTP(b32encode(seed).decode()).verify_and_get_timecode(code, for_time=int(now), valid_window=1)
        except pyotp.exceptions.OTPVerificationError:
            abort(401)
