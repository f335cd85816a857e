"""Fixtures of tests with real browsers: portals that listen until the windows on them are closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser as Chromium

from mfa_gate.factors import webauthn
from tests.support.firefox import Fox, firefox, missing
from tests.support.portal import MakePortal
from tests.support.served import KEYS_AND_APPS, Serve, Served, serving


@pytest.fixture
def serve(make: MakePortal, chromium: Chromium) -> Iterator[Serve]:
    """Serve a portal; without recovery codes unless they are what a test is about."""
    with ExitStack() as stack:
        yield lambda **config: stack.enter_context(serving(make, **{"MFA_GATE_METHODS": KEYS_AND_APPS, **config}))
        for context in chromium.contexts:
            context.close()


@pytest.fixture
def served(serve: Serve) -> Served:
    return serve()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fox]:
    """Firefox, for one module."""
    if (why := missing()) is not None:
        pytest.skip(f"no Firefox to drive: {why}")
    with firefox(tmp_path_factory.mktemp("profile")) as fox:
        yield fox


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """People get five minutes; here the browser gives up at once, until this is called."""
    usual = webauthn.TIMEOUT
    monkeypatch.setattr(webauthn, "TIMEOUT", 600)
    return lambda: monkeypatch.setattr(webauthn, "TIMEOUT", usual)
