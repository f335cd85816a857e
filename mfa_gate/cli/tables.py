"""CSV files that people hand over: opened, and every way of being none told in a sentence."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .output import Failed


@contextmanager
def readable(file: Path) -> Iterator[None]:
    """Turn what reading a file may raise into a sentence.

    Raises:
        Failed: the file cannot be read, is not in UTF-8, or is no CSV file.
    """
    try:
        yield
    except OSError as error:
        raise Failed(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise Failed(f"{file} is not in UTF-8: save it again with that encoding.") from None
    except csv.Error as error:
        raise Failed(f"{file} is not a CSV file: {error}.") from None


@contextmanager
def table(file: Path) -> Iterator[csv.DictReader[str]]:
    """The lines of a CSV file by the names of its columns, in small letters; parted by commas or semicolons.

    Raises:
        Failed: as `readable` says.
    """
    with readable(file), file.open(encoding="utf-8-sig", newline="") as handle:
        header = handle.readline()
        handle.seek(0)
        delimiter = ";" if ";" in header and "," not in header else ","
        reader = csv.DictReader(handle, delimiter=delimiter, strict=True)
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
        yield reader
