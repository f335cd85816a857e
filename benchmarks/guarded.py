"""What a guarded request adds over the same view without the gate."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from flask import Flask

from mfa_gate.testing import signed_in

from . import peers
from .floor import Floor
from .measure import Environ, Variant
from .portal import ACCOUNTS, account_id, bare, gated, get, people, portal_cookie

PATH = "/record"


def variants(folder: Path) -> list[Variant]:
    """The bare view, the floor, the gate, and the peers that are installed, each with a signed-in visitor.

    Args:
        folder: for the databases.
    """
    made = [_bare(), _floor(folder), _gate(folder)]
    return made + [Variant(peer.name, peer.app, _repeat(peer.environ)) for peer in peers.installed(folder)]


def _bare() -> Variant:
    app = bare("bare")
    return Variant("bare", app, _repeat(get(PATH, portal_cookie(app, account_id(0)))))


def _floor(folder: Path) -> Variant:
    floor = Floor(folder, time.time)
    cookies = [floor.open_session(account_id(number), level=2) for number in range(ACCOUNTS)]
    app = floor.guarded()
    return Variant("floor", app, _repeat(get(PATH, portal_cookie(app, account_id(0)), cookies[0])))


def _gate(folder: Path) -> Variant:
    app, _ = gated(folder, time.time)
    cookies = [gate_cookie(app, number) for number in range(ACCOUNTS)]
    return Variant("gate", app, _repeat(get(PATH, portal_cookie(app, account_id(0)), cookies[0])))


def gate_cookie(app: Flask, number: int) -> str:
    """The cookie of somebody who is signed in."""
    client = app.test_client()
    signed_in(client, people()[account_id(number)])
    name = app.extensions["mfa_gate"].settings.cookie_name
    cookie = client.get_cookie(name)
    assert cookie is not None
    return f"{name}={cookie.value}"


def _repeat(environ: Environ) -> Callable[[int], Sequence[Environ]]:
    # each call gets a copy: Flask keeps its request in the environ
    return lambda calls: [dict(environ) for _ in range(calls)]
