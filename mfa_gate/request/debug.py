"""What debug mode makes for a developer, so that the first start needs no setting."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

from ..keyring import new_key

KEYS_FILE: Final = "mfa_gate.debug-keys"
DEFAULT_PORT: Final = 5000


def made_for_you(debug: bool, instance: Path) -> dict[str, str]:
    """Base URL and keys in debug mode; nothing outside it.

    Args:
        debug: whether the app is in debug mode.
        instance: its instance folder, where the keys are kept from one start to the next.
    """
    if not debug:
        return {}
    return {"base_url": f"http://localhost:{_port()}", "keys": _keys(instance / KEYS_FILE)}


def _port() -> int:
    # the port that `flask run` was given; it is in no config
    context = click.get_current_context(silent=True)
    port = context.params.get("port") if context else None
    return int(port or os.environ.get("FLASK_RUN_PORT") or DEFAULT_PORT)


def _keys(file: Path) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return file.read_text().strip()
    with os.fdopen(descriptor, "w") as handle:
        handle.write(new_key())
    return file.read_text().strip()
