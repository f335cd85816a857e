"""Keys and store: what must be in order before the portal starts."""

from __future__ import annotations

import json

import click

from ..durations import DAY
from ..flows import check_keys
from ..flows.event_log import ChainBroken
from ..keyring import new_key
from .output import in_app, parts, tell


@click.group()
def keys() -> None:
    """The keys that seal what the store holds."""


@keys.command("new")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a line.")
def new(as_json: bool) -> None:
    """Make a key for MFA_GATE_KEYS. To rotate, put the new one before the others, with a comma."""
    key = new_key()
    click.echo(json.dumps({"key": key}) if as_json else key)


@keys.command("rotate")
@in_app
def rotate(as_json: bool) -> None:
    """Seal everything under the first key of MFA_GATE_KEYS, so that older ones may be taken out."""
    check_keys(parts().services.store, parts().keyring)
    resealed, needed = parts().keys.rotate()
    sentences = [f"{resealed} authenticators sealed anew under key {parts().keyring.current}."]
    vouched, broken = _vouch()
    signed = f"{vouched} ends of the records of events and reads signed anew."
    sentences.append(signed if broken is None else f"{broken}.")
    if needed:
        sentences.append(
            f"Still needed by open activation codes or enrolments, or by the ledger of reads: {', '.join(needed)}."
        )
    elif broken is None:
        sentences.append("The older keys may be taken out of MFA_GATE_KEYS.")
    document = {"resealed": resealed, "still_needed": list(needed), "vouched": vouched, "log_broken": broken}
    tell(as_json, document, *sentences)


def _vouch() -> tuple[int, str | None]:
    """A record that is not in order does not hold up the keys; it is said."""
    try:
        return parts().log.vouch() + parts().ledger.vouch(), None
    except ChainBroken as error:
        return 0, f"The records of events and reads are not in order, so they were not signed anew: {error}"


@click.group()
def db() -> None:
    """The gate's store."""


@db.command("upgrade")
@in_app
def upgrade(as_json: bool) -> None:
    """Bring the store's tables to this version."""
    parts().services.store.upgrade()
    check_keys(parts().services.store, parts().keyring)
    tell(as_json, {"upgraded": True}, "The store is at this version.")


@click.command()
@in_app
def purge(as_json: bool) -> None:
    """Clear away ended sessions, codes and counters, old events and reads. Run it daily; nothing depends on it."""
    here = parts()
    now = here.services.clock()
    kept = here.reads.policy.kept * DAY
    records = {"events": here.log.purge(now - here.settings.event_ttl), "reads": here.ledger.purge(now - kept)}
    cleared = {**here.life.purge(), **records}
    tell(as_json, cleared, ", ".join(f"{number} {what}" for what, number in cleared.items()) + " cleared away.")
