"""python-fido2's client before a software key: its own client data, its own checks of the page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import fido2.cbor
from fido2.client import DefaultClientDataCollector, Fido2Client, UserInteraction
from fido2.ctap import CtapDevice, CtapError
from fido2.hid import CTAPHID

from mfa_gate.testing.software_key import UNTAMPERED, SoftwareKey, Tampered, cbor
from tests.support.ceremonies import ORIGIN, Answer


class Plugged(CtapDevice):
    """The key without its browser, as CTAP 2 reaches it."""

    def __init__(self, key: SoftwareKey, verifies: bool = True) -> None:
        self.key, self.verifies = key, verifies

    @property
    def capabilities(self) -> int:
        return 0x04  # CBOR

    @classmethod
    def list_devices(cls) -> Iterator[CtapDevice]:
        return iter(())

    def call(self, cmd: int, data: bytes = b"", event: Any = None, on_keepalive: Any = None) -> bytes:
        assert cmd == CTAPHID.CBOR
        asked = fido2.cbor.decode(data[1:]) if data[1:] else {}
        answer = {0x01: self._make, 0x02: self._assert, 0x04: self._info}[data[0]](asked)
        return bytes([answer]) if isinstance(answer, int) else b"\0" + cbor(answer)

    def _info(self, asked: Any) -> dict[int, Any]:
        options = {"rk": True, "up": True, **({"uv": True} if self.verifies else {})}
        return {1: ["FIDO_2_0"], 3: self.key.aaguid, 4: options, 6: [2, 1]}

    def _make(self, asked: Any) -> dict[int, Any] | int:
        if self.key.find(asked[2]["id"], [excluded["id"] for excluded in asked.get(5, ())] or [b"none"]):
            return int(CtapError.ERR.CREDENTIAL_EXCLUDED)
        self.key.user_verified = asked.get(7, {}).get("uv", False)
        _, made = self.key.make(asked[2]["id"], asked[3]["id"], asked[1])
        return {1: made["fmt"], 2: made["authData"], 3: made["attStmt"]}

    def _assert(self, asked: Any) -> dict[int, Any] | int:
        id_ = self.key.find(asked[1], [allowed["id"] for allowed in asked.get(3, ())])
        if id_ is None:
            return int(CtapError.ERR.NO_CREDENTIALS)
        options = asked.get(5, {})
        self.key.user_verified = options.get("uv", False)
        silent = UNTAMPERED if options.get("up", True) else Tampered(flags_off=0x01)
        data, signature = self.key.sign(id_, asked[2], silent)
        named = {"id": id_, "type": "public-key"}
        return {1: named, 2: data, 3: signature, 4: {"id": self.key.credentials[id_].user_handle}}


def client_of(key: SoftwareKey, origin: str = ORIGIN, verifies: bool = True) -> Fido2Client:
    """python-fido2's client: its own client data, its own checks of the page."""
    return Fido2Client(Plugged(key, verifies), DefaultClientDataCollector(origin), UserInteraction())


def sent(response: Any) -> Answer:
    """As it goes over the line."""
    answer: Answer = json.loads(json.dumps(dict(response)))
    return answer
