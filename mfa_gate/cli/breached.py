"""Lists of leaked passwords, for portals that ask whether one is in them."""

from __future__ import annotations

from pathlib import Path

import click

from ..breached import ListUnreadable, build
from .output import Failed, in_app, tell


@click.group()
def breached() -> None:
    """Lists of leaked passwords."""


@breached.command("build")
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@in_app
def build_list(source: Path, target: Path, as_json: bool) -> None:
    """Make TARGET of SOURCE: a list of passwords, or of SHA-1 hashes with or without counts, one a line."""
    if target.exists():
        raise Failed(f"{target} is there already: name a new file.")
    try:
        with source.open(encoding="utf-8", errors="surrogateescape") as lines:
            count = build(lines, target)
    except ListUnreadable as error:
        raise Failed(f"{source}: {error}. Nothing was made.") from None
    except OSError as error:
        raise Failed(f"{target} cannot be written: {error.strerror}. Nothing was made.") from None
    tell(as_json, {"file": str(target), "passwords": count}, f"{target} holds {count} passwords.")
