"""A folder of letters: nothing is issued unless every line is right; a code exists only once its letter does."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from ..account import Account
from ..exc import Unavailable
from ..store.engine import Ending
from ..web.letters import Letter, render, write_private
from ..wiring import Parts
from .output import Failed
from .tables import table

COLUMNS: Final = ("account", "address")
ADDRESS_LINES: Final = 6


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file that is right."""

    line: int
    account: Account
    address: tuple[str, ...]


class BadRows(Exception):
    """Every line that is wrong, with what is wrong."""

    def __init__(self, rows: list[tuple[int, str]]) -> None:
        self.rows = rows
        super().__init__(f"{len(rows)} lines are wrong")


def read_rows(parts: Parts, file: Path) -> list[Row]:
    """Read and check the file of accounts.

    Raises:
        Failed: the file as a whole cannot be read.
        BadRows: with every wrong line.
    """
    with table(file) as reader:
        return _checked(parts, reader)


def _checked(parts: Parts, reader: csv.DictReader[str]) -> list[Row]:
    columns = list(reader.fieldnames or ())
    if "account" not in columns or set(columns) - set(COLUMNS) or len(set(columns)) < len(columns):
        raise Failed(f"The first line must name the columns: {', '.join(COLUMNS)} (the second one may be left out).")
    good: list[Row] = []
    bad: list[tuple[int, str]] = []
    seen: dict[str, int] = {}
    for fields in reader:
        line, account_id = reader.line_num, (fields.get("account") or "").strip()
        account = parts.portal.load(account_id) if account_id else None
        problem = _problem(fields, account_id, account, seen)
        if problem or account is None:
            bad.append((line, problem or ""))
            continue
        seen[account_id] = line
        good.append(Row(line, account, _address(fields.get("address"))))
    if bad:
        raise BadRows(bad)
    if not good:
        raise Failed("The file names no account.")
    return good


def _problem(
    fields: dict[str | None, object], account_id: str, account: Account | None, seen: dict[str, int]
) -> str | None:
    if None in fields:
        return "it has more fields than the first line"
    if not account_id:
        return "the account is missing"
    if account is None:
        return f"the portal knows no account {account_id!r}"
    if account_id in seen:
        return f"the account {account_id!r} stands on line {seen[account_id]} already"
    if len(_address(fields.get("address"))) > ADDRESS_LINES:
        return f"the address has more than {ADDRESS_LINES} lines"
    return None


def _address(text: object) -> tuple[str, ...]:
    return tuple(part.strip() for part in re.split(r"[|\n]", str(text or "")) if part.strip())


def _take_back(file: Path, ending: Ending) -> None:
    """Remove a letter whose code the gate may not know."""
    if ending is not Ending.COMMITTED:
        file.unlink(missing_ok=True)


def write_letters(parts: Parts, rows: list[Row], out: Path, ttl: float, reason: str) -> list[Path]:
    """Issue a code per row and write its letter; a code is committed only after its letter is on the disk.

    Args:
        out: a folder that is new or empty; it becomes 0700, its files 0600.
        ttl: seconds that the codes may be redeemed.

    Raises:
        Failed: the folder holds files or cannot be written. Letters written before that stay, and their codes work.
    """
    files: list[Path] = []
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise Failed(f"The folder {out} is not empty. Name a new one: letters must not mix with other files.")
        out.chmod(0o700)
        for number, row in enumerate(rows, start=1):
            file = out / f"{number:05d}.html"
            with parts.services.store.begin() as tx:
                issued = parts.activation.issue_in(tx, row.account.id, reason, ttl)
                write_private(file, render(parts, Letter(row.account, row.address, issued.code, issued.ends_at)))
                tx.at_end(partial(_take_back, file))
            files.append(file)
    except (OSError, Unavailable) as error:
        kept = f" {len(files)} letters were written before that." if files else " Nothing was changed."
        if isinstance(error, OSError):
            raise Failed(f"{out} cannot be written: {error.strerror}.{kept}") from None
        raise Failed(f"The gate's store does not answer.{kept}") from None
    return files
