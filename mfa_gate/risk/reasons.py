"""Why a sign-in, or a move inside a session, was unusual: a sentence for each stable code. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..exc import N_

REASONS: Final[Mapping[str, str]] = {
    "little_known": N_("Too little is known of this account, or of this sign-in, to call it usual."),
    "new_device": N_("This browser has not signed in to this account before, or its cookies were cleared."),
    "new_country": N_("The account has not signed in from this country before."),
    "new_asn": N_("The account has not signed in through this network operator before."),
    "new_district": N_("The account has not signed in from this part of the operator's network before."),
    "new_network": N_("The account has not signed in from this neighbourhood of addresses before."),
    "new_address": N_("The account has not signed in from this address before."),
    "unusual_country": N_("The account seldom signs in from this place."),
    "new_kind": N_("The account has not signed in before from a network of this kind, such as rented servers."),
    "unusual_kind": N_("The account seldom signs in from a network of this kind, such as rented servers."),
    "new_system": N_("The account has not signed in from a device of this kind before."),
    "new_family": N_("The account has not signed in with this browser before."),
    "new_build": N_("The account has not signed in with this version of its browser before."),
    "unusual_system": N_("The account seldom signs in from a device of this kind."),
    "new_ja4": N_("The program that connected is not one that the account has used before."),
    "unusual_ja4": N_("The program that connected is one that the account seldom uses."),
    "new_shift": N_("The account has not signed in at this time of day before."),
    "new_hour": N_("The account has not signed in at this hour before."),
    "unusual_shift": N_("The account seldom signs in at this hour."),
    "fan_in": N_("This network has had the right passwords of several accounts today, and is new to all of them."),
    "leaked_password": N_("The password is in a list of passwords that were stolen elsewhere."),
    "browser_changed": N_("The session showed up in another browser, or on another kind of device."),
    "place_unknown": N_("What the session was opened with can no longer be compared."),
}
