"""`flask mfa ...`: what the people who run a portal do at the gate. Each command has `--json`."""

from __future__ import annotations

import click

from ..wiring import maintenance
from .account import account, sessions
from .activation import activation
from .audit import audit
from .breached import breached
from .check import check, routes
from .desk import desk
from .imports import imports
from .notices import notices
from .report import report
from .risk import risk
from .status import status
from .upkeep import db, keys, purge

# these mend what is not in order, so the app must start on it for them
MENDING = frozenset({"db", "keys"})


@click.group()
@click.pass_context
def mfa(context: click.Context) -> None:
    """The gate in front of this portal: keys, store, activation codes, accounts, checks."""
    maintenance.set(context.invoked_subcommand in MENDING)
    context.call_on_close(lambda: maintenance.set(False))


_PEOPLE = (account, activation, desk, imports, notices, sessions, status)
_PORTAL = (audit, breached, check, db, keys, purge, report, risk, routes)
for command in (*_PEOPLE, *_PORTAL):
    mfa.add_command(command)
