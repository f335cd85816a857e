"""What debug mode makes for a developer, so that the first start needs no setting; nobody else is served with it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import FrameType
from typing import Final

import click
from flask import Flask
from werkzeug.serving import WSGIRequestHandler

from ..flows.flow import log
from ..keyring import new_key
from ..settings import PREFIX

KEYS_FILE: Final = "mfa_gate.debug-keys"
DEFAULT_PORT: Final = 5000


def made_for_you(app: Flask) -> dict[str, str]:
    """Base URL and keys in debug mode, where they are not set; nothing outside it. It is said aloud.

    Args:
        app: whose instance folder keeps the keys from one start to the next.
    """
    missing = [name for name in ("base_url", "keys") if app.config.get(PREFIX + name.upper()) is None]
    if not app.debug or not missing:
        return {}
    made = {name: _base_url() if name == "base_url" else _keys(Path(app.instance_path) / KEYS_FILE) for name in missing}
    log.warning(
        "DEBUG MODE has made up %s. This is for a developer's own machine alone: by that address no cookie is Secure, "
        "and who reads the instance folder has the keys. Under any server but Flask's development server every request "
        "is answered 503. Elsewhere switch FLASK_DEBUG off and set what is missing.",
        " and ".join(PREFIX + name.upper() for name in missing),
    )
    return made


def is_for_a_developer() -> bool:
    """Whether this request came by Flask's development server, or from a test client.

    Told by who has called the app: no header can say it, and servers that say nothing of themselves are none of these.
    """
    from werkzeug.test import Client

    callers = (WSGIRequestHandler.run_wsgi.__code__, Client.open.__code__)
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code in callers:
            return True
        frame = frame.f_back
    return False


def _base_url() -> str:
    # the port that `flask run` was given; it is in no config
    context = click.get_current_context(silent=True)
    port = context.params.get("port") if context else None
    return f"http://localhost:{int(port or os.environ.get('FLASK_RUN_PORT') or DEFAULT_PORT)}"


def _keys(file: Path) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return file.read_text().strip()
    with os.fdopen(descriptor, "w") as handle:
        handle.write(new_key())
    return file.read_text().strip()
