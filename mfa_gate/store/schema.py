"""The tables. Their names begin with `mfa_`, so that they can stand in the portal's own database."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    false,
    text,
)

metadata: Final = MetaData()


def _account_id(index: bool = False) -> Column[str]:
    account = ForeignKey("mfa_accounts.id", ondelete="CASCADE")
    return Column("account_id", String(255), account, nullable=False, index=index or None)


# `subject` is random and dies with the row: events and counters name it, so a new person who is given
# the id of a deleted account inherits nothing
accounts: Final = Table(
    "mfa_accounts",
    metadata,
    Column("id", String(255), primary_key=True),
    Column("subject", String(32), nullable=False, unique=True),
    Column("created_at", Double, nullable=False),
    Column("locked_at", Double),
    Column("lock_reason", Text),
    Column("user_handle", String(64)),
    Column("frozen_until", Double),
    Column("habits", Text),
)
Index("mfa_accounts_user_handle", accounts.c.user_handle, unique=True)

# `sign_in` stays while the id changes at each rise: what must survive a rise is bound to it; `context` is a keyed hash
# of network and browser, and `shown` what a change of them is held against; `displayed` is the latest notice that was
# displayed to it; `source` is a keyed hash of the known device, else of the network, that it was opened from
sessions: Final = Table(
    "mfa_sessions",
    metadata,
    Column("id_hash", String(64), primary_key=True),
    Column("sign_in", String(32), nullable=False, unique=True),
    _account_id(index=True),
    Column("level", Integer, nullable=False),
    Column("proofs", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("last_seen", Double, nullable=False),
    Column("ends_at", Double, nullable=False),
    Column("enrol_until", Double),
    Column("browser", String(64)),
    Column("name_hash", String(128)),
    Column("device", String(32)),
    Column("group_name", String(255)),
    Column("observed_until", Double),
    Column("network", String(64)),
    Column("risk", String(8), nullable=False, server_default="usual"),
    Column("context", String(128)),
    Column("shown", Text),
    Column("displayed", BigInteger),
    Column("source", String(128)),
    Column("is_known", Boolean, nullable=False, server_default=false()),
    Column("moved_at", Double),
    sqlite_with_rowid=False,  # one tree instead of two to go down at each guarded request
)

# a browser that has signed in here before; `name_hash` is a keyed hash of the user name that was typed there
devices: Final = Table(
    "mfa_devices",
    metadata,
    Column("series", String(32), primary_key=True),
    _account_id(index=True),
    Column("name_hash", String(128)),
    Column("token_hash", String(64), nullable=False),
    Column("previous_hash", String(64)),
    Column("created_at", Double, nullable=False),
    Column("last_used_at", Double, nullable=False),
    Column("ends_at", Double, nullable=False),
    sqlite_with_rowid=False,
)

# tries at passwords of one source within one hour; `key` is a keyed hash of both
pressure: Final = Table(
    "mfa_pressure",
    metadata,
    Column("key", String(128), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("successes", Integer, nullable=False),
    Column("ends_at", Double, nullable=False),
    sqlite_with_rowid=False,
)

# right passwords from a source that is new to the account; both are keyed hashes
fan_in: Final = Table(
    "mfa_fan_in",
    metadata,
    Column("source", String(128), primary_key=True),
    Column("account", String(128), primary_key=True),
    Column("ends_at", Double, nullable=False),
    sqlite_with_rowid=False,
)

authenticators: Final = Table(
    "mfa_authenticators",
    metadata,
    Column("id", String(32), primary_key=True),
    _account_id(),
    Column("method", String(16), nullable=False),
    Column("label", Text, nullable=False),
    Column("created_at", Double, nullable=False),
)
# which methods an account has is asked at every step, however many keys that are
Index("mfa_authenticators_methods", authenticators.c.account_id, authenticators.c.method)

# `spent` is a keyed hash over the last step and the drift, so that what is changed by hand is seen
totp_seeds: Final = Table(
    "mfa_totp_seeds",
    metadata,
    Column(
        "authenticator_id",
        String(32),
        ForeignKey("mfa_authenticators.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("seed", Text, nullable=False),
    Column("last_step", BigInteger, nullable=False),
    Column("spent", Text, nullable=False),
    Column("algorithm", String(8), nullable=False, server_default="sha1"),
    Column("digits", Integer, nullable=False, server_default="6"),
    Column("period", Integer, nullable=False, server_default="30"),
    Column("renew", Boolean, nullable=False, server_default=false()),
    # steps that the clock of a code token is off; None where a network sets the clock
    Column("drift", Integer),
)

# `binding` is a keyed hash over account, row, credential and key, so that a key moved to another row is seen
webauthn_credentials: Final = Table(
    "mfa_webauthn_credentials",
    metadata,
    Column("authenticator_id", String(32), ForeignKey("mfa_authenticators.id", ondelete="CASCADE"), primary_key=True),
    _account_id(index=True),
    Column("credential_id", Text, nullable=False, unique=True),
    Column("public_key", Text, nullable=False),
    Column("binding", String(128), nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("aaguid", String(36), nullable=False),
    Column("rp_id", String(255), nullable=False),
    Column("transports", Text, nullable=False),
    Column("backup_eligible", Boolean, nullable=False),
    Column("backed_up", Boolean, nullable=False),
    Column("uv_initialised", Boolean, nullable=False),
    Column("attested", Boolean, nullable=False),
    Column("discoverable", Boolean),
    Column("last_used_at", Double),
)

# one question that was asked and not answered; deleted before its answer is verified
challenges: Final = Table(
    "mfa_challenges",
    metadata,
    Column("challenge", String(64), primary_key=True),
    _account_id(),
    Column("sign_in", String(32), nullable=False, index=True),
    Column("purpose", String(16), nullable=False),
    Column("ends_at", Double, nullable=False),
    sqlite_with_rowid=False,  # written and deleted at each sign-in: fewer trees to change
)

recovery_sets: Final = Table(
    "mfa_recovery_sets",
    metadata,
    Column("account_id", String(255), ForeignKey("mfa_accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("salt", String(64), nullable=False),
    Column("created_at", Double, nullable=False),
)

# a spent code is deleted
recovery_codes: Final = Table(
    "mfa_recovery_codes",
    metadata,
    Column("account_id", String(255), ForeignKey("mfa_recovery_sets.account_id", ondelete="CASCADE"), primary_key=True),
    Column("hash", String(128), primary_key=True),
)

# begun and not completed; its id becomes the authenticator's
enrolments: Final = Table(
    "mfa_enrolments",
    metadata,
    Column("id", String(32), primary_key=True),
    _account_id(index=True),
    Column("sign_in", String(32), nullable=False, index=True),
    Column("method", String(16), nullable=False),
    Column("state", Text, nullable=False),
    Column("ends_at", Double, nullable=False),
)

activations: Final = Table(
    "mfa_activations",
    metadata,
    Column("id", String(32), primary_key=True),
    _account_id(),
    Column("code_hash", String(128), nullable=False, unique=True),
    Column("reason", Text, nullable=False),
    Column("issued_at", Double, nullable=False),
    Column("ends_at", Double, nullable=False),
    Column("bound_to", String(32)),
    Column("bound_until", Double),
)
# a spent or replaced code is deleted, so that "one live code per account" is one unique index
Index("mfa_activations_one_per_account", activations.c.account_id, unique=True)
Index("mfa_activations_bound_to", activations.c.bound_to)

counters: Final = Table(
    "mfa_counters",
    metadata,
    Column("key", String(128), primary_key=True),
    Column("failures", Text, nullable=False),
    Column("streak", Integer, nullable=False),
    Column("ends_at", Double, nullable=False),
    sqlite_with_rowid=False,  # written two or three times at each step of a sign-in
)

events: Final = Table(
    "mfa_events",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("kind", String(48), nullable=False),
    Column("subject", String(32), index=True),
    Column("sign_in", String(32)),
    Column("source", String(128)),
    Column("method", String(16)),
    Column("outcome", String(16), nullable=False),
    Column("reason", String(48)),
    Column("data", Text, nullable=False, server_default=text("'{}'")),
    Column("chain", String(32)),
    Column("seq", BigInteger),
    Column("link", String(64)),
    Column("mac", String(128)),
)

# where the kept part of a chain begins, once its older part was purged
audit_anchors: Final = Table(
    "mfa_audit_anchors",
    metadata,
    Column("chain", String(32), primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("link", String(64), nullable=False),
    Column("mac", String(128), nullable=False),
)

# what an owner is told: by mail, by webhook, and on the page at the next sign-in; written with its event.
# `due` is when the next try to send it is, None where there is none (any more)
outbox: Final = Table(
    "mfa_outbox",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("subject", String(32), ForeignKey("mfa_accounts.subject", ondelete="CASCADE"), nullable=False),
    Column("sign_in", String(32)),
    Column("kind", String(48), nullable=False),
    Column("at", Double, nullable=False),
    Column("data", Text, nullable=False),
    Column("shown_at", Double),
    Column("mail_due", Double, index=True),
    Column("mail_tries", Integer, nullable=False, server_default="0"),
    Column("mailed_at", Double),
    Column("hook_due", Double, index=True),
    Column("hook_tries", Integer, nullable=False, server_default="0"),
    Column("claim", String(32)),
    Column("claimed_until", Double),
)
Index("mfa_outbox_unshown", outbox.c.subject, outbox.c.shown_at)

# how much an account reads: what `mfa_gate.harvest` keeps of it
reading: Final = Table(
    "mfa_reading",
    metadata,
    Column("account_id", String(255), ForeignKey("mfa_accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("state", Text, nullable=False),
)

# what accounts read today from a source that is new to them; `source` is a keyed hash, `readers` are marks of accounts
crowds: Final = Table(
    "mfa_crowds",
    metadata,
    Column("source", String(128), primary_key=True),
    Column("day", Integer, nullable=False),
    Column("readers", Text, nullable=False),
    Column("records", Integer, nullable=False),
    Column("since", Double),
    sqlite_with_rowid=False,
)

# the ledger: who has read which record; `record` is a keyed hash, for looking it up, and `sealed` its id
reads: Final = Table(
    "mfa_reads",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("day", Integer, nullable=False),
    Column("subject", String(32), nullable=False),
    Column("sign_in", String(32), nullable=False),
    Column("source", String(128)),
    Column("kind", String(48), nullable=False),
    Column("record", String(80), nullable=False),
    Column("sealed", Text, nullable=False),
    Column("outcome", String(8), nullable=False),
    Column("chain", String(32), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("link", String(64), nullable=False),
    Column("mac", String(128), nullable=False),
)
# by day first: what is written today stays together, however long the ledger is
Index("mfa_reads_subject", reads.c.day, reads.c.subject)
Index("mfa_reads_record", reads.c.day, reads.c.record)

# what the help desk has not dealt with yet: one row of each kind and account, however often it happens; `told_at` is
# when the desk was written to about it
alerts: Final = Table(
    "mfa_alerts",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("subject", String(32), ForeignKey("mfa_accounts.subject", ondelete="CASCADE"), nullable=False),
    Column("kind", String(48), nullable=False),
    Column("first_at", Double, nullable=False),
    Column("last_at", Double, nullable=False),
    Column("times", Integer, nullable=False),
    Column("data", Text, nullable=False),
    Column("told_at", Double),
)
Index("mfa_alerts_once", alerts.c.subject, alerts.c.kind, unique=True)
Index("mfa_alerts_last", alerts.c.last_at)

# who works at the help desk; `granted_by` is a subject, None for the first one
desk_staff: Final = Table(
    "mfa_desk_staff",
    metadata,
    Column("account_id", String(255), ForeignKey("mfa_accounts.id", ondelete="CASCADE"), primary_key=True),
    Column("role", Integer, nullable=False),
    Column("since", Double, nullable=False),
    Column("granted_by", String(32)),
)

# what one of the desk asked for and another one must approve; deleted when it is done
desk_requests: Final = Table(
    "mfa_desk_requests",
    metadata,
    Column("id", String(32), primary_key=True),
    _account_id(index=True),
    Column("verb", String(16), nullable=False),
    Column("asked_by", String(255), ForeignKey("mfa_accounts.id", ondelete="CASCADE"), nullable=False),
    Column("reason", Text, nullable=False),
    Column("asked_at", Double, nullable=False),
    Column("ends_at", Double, nullable=False),
    Column("approved_by", String(255), ForeignKey("mfa_accounts.id", ondelete="CASCADE")),
    Column("data", Text),
)

# what happens once in the life of a store, and is never deleted
milestones: Final = Table(
    "mfa_milestones",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("at", Double, nullable=False),
)

# one sealed row per key that something in this store may be sealed with
keys: Final = Table(
    "mfa_keys",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("seal", Text, nullable=False),
)
