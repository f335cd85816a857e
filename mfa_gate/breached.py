"""Whether a password is in a list of leaked ones: a file of one's own, or a service that is told five digits of a hash.

The file holds the first eight bytes of SHA-1 hashes, sorted, after a short head; it is mapped and searched by
bisection, so that a list of any size costs no memory. A list of a thousand million knows one other password in ten
thousand million by chance. SHA-1 is what such lists are published in, and protects nothing here.
"""

from __future__ import annotations

import hashlib
import heapq
import logging
import mmap
import os
import re
import secrets
import struct
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

from .exc import ConfigurationError, MFAGateError

log: Final = logging.getLogger("mfa_gate")

MAGIC: Final = b"mfa-gate leaked passwords 1\n"
_HEAD: Final = len(MAGIC) + 8
_WIDTH: Final = 8
_CHUNK: Final = 4_000_000  # hashes that are sorted at once
_SHA1: Final = re.compile(r"([0-9A-Fa-f]{40})(:\d+)?")
_LONGEST: Final = 4 * 1024 * 1024  # bytes of an answer that are read
_KEPT: Final = 256  # answers that are kept
_KEPT_FOR: Final = 3600.0  # seconds


class ListUnreadable(MFAGateError):
    """What was given is no list of passwords or hashes."""


class LeakedFile:
    """A file that `build` made.

    Args:
        path: where it is.

    Raises:
        ConfigurationError: it is not there, or not such a file, or was cut off.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        try:
            with open(path, "rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError):
            raise ConfigurationError(f"{path} cannot be read as a list of leaked passwords") from None
        head = bytes(self._map[:_HEAD])
        whole = len(head) == _HEAD and head.startswith(MAGIC)
        self._count = struct.unpack(">Q", head[len(MAGIC) :])[0] if whole else 0
        if not whole or len(self._map) != _HEAD + _WIDTH * self._count:
            raise ConfigurationError(f"{path} is not a whole list: make it with 'flask mfa breached build'")

    def __len__(self) -> int:
        return int(self._count)

    def has(self, password: str) -> bool:
        """Whether a password is in it."""
        wanted = hashlib.sha1(password.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()[:_WIDTH]
        low, high = 0, self._count
        while low < high:
            middle = (low + high) // 2
            if self._at(middle) < wanted:
                low = middle + 1
            else:
                high = middle
        return low < self._count and self._at(low) == wanted

    def _at(self, index: int) -> bytes:
        begin = _HEAD + _WIDTH * index
        return bytes(self._map[begin : begin + _WIDTH])


class LeakedRange:
    """A service with the range protocol: it learns the first five digits of a SHA-1 hash, which a million others have.

    Args:
        url: its address, to which `/range/` and five digits are added.
        timeout: seconds that a sign-in may wait for it.

    Raises:
        ConfigurationError: it is no address by https.
    """

    def __init__(self, url: str, timeout: float = 1.5) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise ConfigurationError(f"LeakedRange({url!r}): write an address that begins with https")
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._kept: dict[str, tuple[float, frozenset[str]]] = {}

    def has(self, password: str) -> bool:
        """Whether a password is in its list.

        Raises:
            OSError, ValueError: it does not answer, or something else.
        """
        digest = hashlib.sha1(password.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest().upper()
        suffixes = self._suffixes(digest[:5])
        # each is looked at, so that the time tells nothing of the password
        return sum(secrets.compare_digest(suffix, digest[5:]) for suffix in suffixes) > 0

    def _suffixes(self, prefix: str) -> frozenset[str]:
        import urllib.request  # with all of TLS, and only portals that ask a service need it

        known = self._kept.get(prefix)
        if known is not None and time.monotonic() - known[0] < _KEPT_FOR:
            return known[1]
        http_request = urllib.request.Request(  # noqa: S310  (https, or loopback)
            f"{self._url}/range/{prefix}", headers={"Add-Padding": "true", "User-Agent": "mfa-gate"}
        )
        with urllib.request.urlopen(http_request, timeout=self._timeout) as answer:  # noqa: S310
            text = answer.read(_LONGEST).decode("ascii")
        found = frozenset(_listed(text))
        if len(self._kept) >= _KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[prefix] = (time.monotonic(), found)
        return found


def _listed(text: str) -> Iterator[str]:
    """The suffixes of an answer; those with a count of nought are there to pad it."""
    for line in text.splitlines():
        suffix, colon, count = line.strip().partition(":")
        if not colon or not re.fullmatch(r"[0-9A-Fa-f]{35}", suffix) or not count.strip().isdigit():
            raise ValueError("this is not an answer of the range protocol")
        if int(count):
            yield suffix.upper()


@dataclass(frozen=True, slots=True)
class Leaked:
    """Where leaked passwords are looked up. An outage changes nothing: what cannot be asked does not know the password.

    Args:
        file: asked first.
        service: asked where the file does not know it.
    """

    file: LeakedFile | None = None
    service: LeakedRange | None = None

    def has(self, password: str) -> bool:
        """Whether a password is known to have leaked."""
        return any(_asked(one.has, password) for one in (self.file, self.service) if one is not None)


def _asked(has: Callable[[str], bool], password: str) -> bool:
    try:
        return has(password)
    except (OSError, ValueError) as error:
        log.warning("a list of leaked passwords does not answer: %s", type(error).__name__)
        return False


def build(lines: Iterable[str], path: Path) -> int:
    """Make a file of a list of passwords, or of SHA-1 hashes (with or without `:count`); one a line.

    Args:
        lines: the list.
        path: a new file; it is there whole or not at all.

    Returns:
        How many different ones there are.

    Raises:
        ListUnreadable: the list is empty.
        OSError: it cannot be written.
    """
    with ExitStack() as stack:
        chunks = [_sorted_chunk(chunk, stack) for chunk in _chunks(_hashes(lines))]
        part = path.with_name(path.name + ".part")
        try:
            with part.open("xb") as out:
                count = _write(heapq.merge(*map(_read_chunk, chunks)), out)
            if not count:
                raise ListUnreadable("the list is empty")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    return count


def _hashes(lines: Iterable[str]) -> Iterator[bytes]:
    for line in lines:
        text = line.rstrip("\r\n")
        found = _SHA1.fullmatch(text)
        if found:
            yield bytes.fromhex(found[1])[:_WIDTH]
        elif text:
            yield hashlib.sha1(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).digest()[:_WIDTH]


def _chunks(hashes: Iterator[bytes]) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    for one in hashes:
        chunk.append(one)
        if len(chunk) >= _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _sorted_chunk(chunk: list[bytes], stack: ExitStack) -> IO[bytes]:
    file = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  (it is closed with the stack)
    file.write(b"".join(sorted(chunk)))
    file.seek(0)
    return file


def _read_chunk(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(_WIDTH * 65_536):
        for begin in range(0, len(block), _WIDTH):
            yield block[begin : begin + _WIDTH]


def _write(hashes: Iterator[bytes], out: IO[bytes]) -> int:
    out.write(MAGIC + struct.pack(">Q", 0))
    count, last = 0, b""
    for one in hashes:
        if one != last:
            out.write(one)
            count, last = count + 1, one
    out.seek(len(MAGIC))
    out.write(struct.pack(">Q", count))
    return count
