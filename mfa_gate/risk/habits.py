"""What a request shows of its place and browser, and how usual that is at an account: risk, with keys and network data.

Addresses and browsers are kept as keyed hashes. What is kept names its key: after a rotation values are compared under
the older key and learnt under the new one.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, NamedTuple, cast

from ..durations import DAY
from ..keyring import Keyring
from ..netinfo import KINDS, NOTHING, Cached, Kind, NetInfo, Network, is_public, prefixes
from ..netinfo.browsers import described
from ..netinfo.network import version
from .continuity import moved
from .features import Features
from .profile import Profile
from .risk_policy import RiskPolicy
from .score import Assessment, assess

_written: Final = json.JSONEncoder(separators=(",", ":")).encode
log: Final = logging.getLogger("mfa_gate")

PURPOSE: Final = "habits"
_HASHED: Final = ("address", "network", "district", "build", "family", "system", "ja4")
_COMPARED: Final = ("network", "district", "asn", "country", "kind", "family", "system", "ip")
_LENGTH: Final = 12  # hexadecimal digits kept of a hash: of a few values of one account
_MONDAY: Final = 4 * 24  # hours from the epoch's Thursday on
_OLDEST: Final = 366 * DAY  # seconds after which network data say nothing any more


class Place(NamedTuple):
    """Where a request comes from, and with what.

    Attributes:
        address: the client's, as the portal's proxies say.
        agent: the header `User-Agent`.
        ja4: the fingerprint of its TLS handshake, from a trusted proxy.
    """

    address: str | None
    agent: str | None = None
    ja4: str | None = None


class Habits:
    """Assesses sign-ins, learns from them, and tells whether a session is still where it was.

    Args:
        keyring: keys of the hashes.
        policy: weights and thresholds.
        netinfo: what is known of networks; None for nothing.
    """

    def __init__(self, keyring: Keyring, policy: RiskPolicy, netinfo: NetInfo | None = None) -> None:
        self.policy = policy
        self._keyring = keyring
        self._networks = Cached(netinfo) if netinfo is not None else None
        self._hashed = lru_cache(maxsize=1024)(self._hash_all)
        # read when a sign-in begins, and again when it is proven; profiles are never altered
        self._read = lru_cache(maxsize=256)(Profile.load)
        # a guarded request asks each time, nearly always for the same
        self.is_at: Callable[[str, str | None, str | None], bool] = lru_cache(maxsize=8192)(self._is_at)

    def network(self, address: str | None, now: float) -> Network:
        """What is known of an address; nothing where the data are too old, or their source fails."""
        if self._networks is None or address is None or not is_public(address):
            return NOTHING
        try:
            built_at = self._networks.built_at
            if built_at is not None and now - built_at > _OLDEST:
                return NOTHING
            return _plain(self._networks.lookup(address))
        except Exception as error:
            log.warning("the source of network data failed: %s", type(error).__name__)
            return NOTHING

    def features(self, place: Place, now: float, *, device: bool = False, key_id: str | None = None) -> Features:
        """What a request shows, hashed under a key of the ring, the current one by default."""
        hashed, network = self._hashed(place, key_id), self.network(place.address, now)
        hour = int((now // 3600 - _MONDAY) % 168)
        return hashed._replace(device=device, asn=network.asn, country=network.country, kind=network.kind, hour=hour)

    def assess(self, kept: str | None, place: Place, now: float, *, device: bool) -> Assessment:
        """How much a sign-in looks like somebody else's at an account.

        Args:
            kept: what `learnt` gave last, or None.
            place: where it comes from.
            now: seconds since the epoch.
            device: whether it shows a known device of the account.
        """
        profile, key_id = self._load(kept)
        return assess(profile, self.features(place, now, device=device, key_id=key_id), now, self.policy)

    def is_new_place(self, kept: str | None, place: Place, now: float) -> bool:
        """Whether no proven sign-in has come from this /24 or /48, at an account that enough is known of to say so."""
        profile, key_id = self._load(kept)
        if profile.sign_ins * profile.fading(now) < self.policy.known:
            return False
        return self.features(place, now, key_id=key_id).network not in profile.seen("network").counts

    def learnt(self, kept: str | None, place: Place, now: float, *, device: bool) -> str:
        """What is to be kept after a sign-in that has proven the second factor."""
        profile, key_id = self._load(kept)
        shown = self.features(place, now, device=device)
        if key_id != self._keyring.current:
            before = self.features(place, now, device=device, key_id=key_id)
            pairs = [(getattr(before, level), getattr(shown, level)) for level in _HASHED]
            profile = profile.renamed({old: new for old, new in pairs if old and new})
        return f"{self._keyring.current} {profile.learnt(shown, now).dump()}"

    def place_hash(self, place: Place) -> str:
        """A keyed hash of where a session is, and with what: the same for a whole /24 or /48."""
        return self._keyring.hash("context", _context(place.address, place.agent))

    def fingerprint(self, place: Place, now: float) -> str:
        """What a later change of place is held against, as text."""
        features = self.features(place, now)
        known = {level: value for level in _COMPARED if (value := getattr(features, level))}
        return _written([self._keyring.current, known])

    def moved(self, kept: str | None, fingerprint: str | None, place: Place, now: float) -> tuple[str, ...]:
        """What a session at another place must prove itself again for; empty where it may go on."""
        key_id, before = _read(fingerprint)
        if before is None or key_id not in self._keyring.ids:
            return ("place_unknown",)
        profile, own_key = self._load(kept)
        after = self.features(place, now, key_id=key_id)
        if own_key != key_id:
            learnt = self.features(place, now, key_id=own_key)
            pairs = [(getattr(learnt, level), getattr(after, level)) for level in _HASHED]
            profile = profile.renamed({old: new for old, new in pairs if old and new})
        return moved(profile, before, after, self.policy)

    def _hash_all(self, place: Place, key_id: str | None) -> Features:
        """What is hashed of a place; kept, as the steps of a sign-in ask for it again and again."""
        blocks, browser = prefixes(place.address), described(place.agent)
        plain = {
            "address": blocks.address if blocks else None,
            "network": blocks.network if blocks else None,
            "district": blocks.district if blocks else None,
            "build": browser.build,
            "family": browser.family,
            "system": browser.system,
            "ja4": place.ja4,
        }
        hashed: dict[str, Any] = {level: value and self._hash(level, value, key_id) for level, value in plain.items()}
        return Features(**hashed, ip=version(place.address))

    def _is_at(self, place_hash: str, address: str | None, agent: str | None) -> bool:
        return self._keyring.matches("context", _context(address, agent), place_hash)

    def _load(self, kept: str | None) -> tuple[Profile, str]:
        """A profile and the key that its hashes are of; what a key that is gone has hashed is forgotten."""
        key_id, _, text = (kept or "").partition(" ")
        profile = self._read(text)
        if key_id in self._keyring.ids:
            return profile, key_id
        return profile.without(_HASHED), self._keyring.current

    def _hash(self, level: str, value: str, key_id: str | None) -> str:
        return self._keyring.hash(PURPOSE, f"{level} {value}", key_id).partition(".")[2][:_LENGTH]


def _plain(found: Network) -> Network:
    """As a source of the portal's own should have given it: what is no text is not known."""
    asn, country, kind, name = (
        value if isinstance(value, str) else None for value in (found.asn, found.country, found.kind, found.name)
    )
    return Network(asn, country, cast("Kind | None", kind if kind in KINDS else None), name)


def _context(address: str | None, agent: str | None) -> str:
    blocks = prefixes(address)
    return f"{blocks.network if blocks else address} {(agent or '')[:512]}"


def _read(fingerprint: str | None) -> tuple[str, Features | None]:
    try:
        key_id, values = json.loads(fingerprint or "")
        known: dict[str, Any] = {level: str(value) for level, value in values.items() if level in _COMPARED}
        return str(key_id), Features(**known)
    except (ValueError, TypeError, AttributeError):
        return "", None
