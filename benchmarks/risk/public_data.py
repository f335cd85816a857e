"""Runs the engine over the public data set of sign-ins (Wiefling et al. 2022, CC BY 4.0): an operator downloads it."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Final

import numpy as np

from mfa_gate.risk import Features, Profile, RiskPolicy, assess

COLUMNS: Final = (
    "Login Timestamp",
    "User ID",
    "IP Address",
    "Country",
    "ASN",
    "Browser Name and Version",
    "OS Name and Version",
    "Login Successful",
    "Is Account Takeover",
)
_MONDAY: Final = 4 * 24  # hours from the epoch's Thursday on


@dataclass(frozen=True, slots=True)
class Row:
    """One sign-in with the right password."""

    account: str
    at: float
    features: Features
    takeover: bool


def rows(file: Path) -> Iterator[Row]:
    """The successful sign-ins of the file, in its order.

    Raises:
        ValueError: a column is missing; or a value is not what it should be, with its line.
    """
    with file.open(newline="", encoding="utf-8", errors="replace") as text:
        reader = csv.DictReader(text)
        missing = set(COLUMNS) - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f"{file} has no column {', '.join(sorted(missing))}")
        for line in reader:
            if line["Login Successful"] == "True":
                try:
                    yield _row(line)
                except ValueError as error:
                    raise ValueError(f"{file}, line {reader.line_num}: {error}") from None


def _row(line: dict[str, str]) -> Row:
    at = datetime.fromisoformat(line["Login Timestamp"]).replace(tzinfo=UTC).timestamp()
    parts = line["IP Address"].split(".")
    browser, system = line["Browser Name and Version"], line["OS Name and Version"]
    features = Features(
        address=line["IP Address"],
        network=".".join(parts[:3]),
        district=".".join(parts[:2]),
        asn=line["ASN"] or None,
        country=line["Country"] or None,
        build=f"{browser} {system}",
        family=f"{_unversioned(browser)} {_unversioned(system)}",
        system=_unversioned(system),
        hour=int((at // 3600 - _MONDAY) % 168),
    )
    return Row(line["User ID"], at, features, line["Is Account Takeover"] == "True")


def _unversioned(name: str) -> str:
    return " ".join(takewhile(lambda word: not word[:1].isdigit(), name.split()))


def evaluate(file: Path) -> str:
    """Share of take-overs caught at shares of owners asked, at accounts with a history; there are no device cookies."""
    profiles: dict[str, Profile] = defaultdict(Profile)
    policy, owners, takeovers = RiskPolicy(), list[float](), list[float]()
    for row in rows(file):
        profile = profiles[row.account]
        if profile.sign_ins:
            score = assess(profile, row.features, row.at, policy).score
            (takeovers if row.takeover else owners).append(score)
        if not row.takeover:
            profiles[row.account] = profile.learnt(row.features, row.at)
    if not owners or not takeovers:
        return "There are no take-overs, or nothing else, at accounts with a history."
    lines = [f"{len(owners):,} sign-ins of owners, {len(takeovers)} take-overs"]
    for rate in (0.01, 0.02, 0.05, 0.10, 0.20):
        caught = np.mean(np.array(takeovers) >= np.quantile(owners, 1 - rate))
        lines.append(f"asked {rate:.0%}: caught {caught:.1%}")
    return "\n".join(lines)
