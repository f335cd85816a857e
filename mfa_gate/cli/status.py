"""How far a roll-out has come."""

from __future__ import annotations

from collections import Counter

import click

from .output import in_app, parts, tell

COLUMNS = ("accounts", "enrolled", "activated", "pending", "locked", "renew")


@click.command()
@in_app
def status(as_json: bool) -> None:
    """Count accounts by group: enrolled, with an open activation code, with neither, locked, to renew."""
    counted = parts().status.count()
    total: Counter[str] = sum(counted.values(), Counter())
    groups = {name: _all(own) for name, own in sorted(counted.items())}
    lines = [f"{'':<24}" + "".join(f"{name:>12}" for name in COLUMNS)]
    lines += [_line(name, own) for name, own in [*groups.items(), ("together", _all(total))]]
    tell(as_json, {"groups": groups, "together": _all(total)}, *lines)


def _all(counted: Counter[str]) -> dict[str, int]:
    return {**dict.fromkeys(COLUMNS, 0), **counted}


def _line(name: str, counted: dict[str, int]) -> str:
    return f"{name[:23]:<24}" + "".join(f"{counted[each]:>12}" for each in COLUMNS)
