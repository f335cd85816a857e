"""The record of events: every change by hand is found, and nothing that the gate does itself breaks it."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mfa_gate.audit.record import Who
from mfa_gate.cli import mfa
from mfa_gate.durations import DAY
from mfa_gate.exc import Unavailable
from mfa_gate.flows.event_log import ChainBroken
from tests.support.breaking import Fault, breaking
from tests.support.events import incomplete
from tests.support.portal import KEYS, Portal

NEW = "new:" + "B" * 43


def log_of(portal: Portal) -> Any:
    return portal.app.extensions["mfa_gate"].log


pytestmark = pytest.mark.events_by_hand


def run(portal: Portal, *args: str) -> tuple[int, Any]:
    done = portal.app.test_cli_runner().invoke(args=["mfa", *args, "--json"])
    told = done.output.strip()
    return done.exit_code, json.loads(told.splitlines()[-1]) if told.startswith("{") else told


def run_in_words(portal: Portal, *args: str) -> str:
    return portal.app.test_cli_runner().invoke(args=["mfa", *args]).output


def record(portal: Portal, times: int = 1, subject: str | None = None) -> None:
    """Write events, each in a transaction of its own."""
    services = portal.app.extensions["mfa_gate"].services
    for _ in range(times):
        with services.store.begin() as tx:
            services.audit.record(tx, "first_factor", portal.clock(), Who(subject), amr="pwd")


def several_chains(portal: Portal) -> None:
    """Three transactions at once, each in a chain of its own, then some more lines."""
    services = portal.app.extensions["mfa_gate"].services
    for _ in range(3):
        portal.app.extensions["mfa_gate"].services.audit._heads._free.clear()
        record(portal, 4)
    with services.store.begin() as tx:
        services.audit.record(tx, "session_ended", portal.clock(), Who("s"), reason="sign_out")
        services.audit.record(tx, "session_ended", portal.clock(), Who("t"), reason="sign_out")
    portal.clock.advance(1)


def lines(portal: Portal) -> list[Any]:
    return portal.sql("SELECT id, chain, seq, link, mac, at, kind, reason, data FROM mfa_events ORDER BY id")


def broken(portal: Portal, checkpoint: str | None = None) -> tuple[int | None, str]:
    with pytest.raises(ChainBroken) as found:
        log_of(portal).verify(checkpoint)
    return found.value.line, found.value.damage


# --- what the gate does itself -----------------------------------------------------------------------------------


def test_what_people_do_leaves_a_record_that_is_in_order(portal: Portal) -> None:
    secret = portal.enrolled()
    browser = portal.browser()
    browser.sign_in(secret)
    browser.step("challenge", code="000000")
    browser.step("sign-out")
    code, document = run(portal, "audit", "verify")
    assert code == 0
    assert document["ok"] is True
    assert document["lines"] == len(lines(portal)) > 5


def test_several_writers_have_chains_of_their_own(portal: Portal) -> None:
    several_chains(portal)
    found = log_of(portal).verify()
    assert len(found.ends) == 3
    assert sorted(end.seq for end in found.ends.values()) == [4, 4, 6]


def test_a_transaction_that_is_rolled_back_leaves_no_gap(portal: Portal) -> None:
    services = portal.app.extensions["mfa_gate"].services
    record(portal, 2)
    with suppress(ZeroDivisionError), services.store.begin() as tx:
        services.audit.record(tx, "session_ended", portal.clock(), Who("s"))
        raise ZeroDivisionError
    record(portal, 2)
    (end,) = log_of(portal).verify().ends.values()
    assert end.seq == 4


def test_after_a_commit_of_which_nobody_knows_a_new_chain_begins(portal: Portal) -> None:
    """Whether its line is there or not, no other line follows it."""

    def lost() -> None:
        raise Unavailable

    record(portal, 2)
    with breaking(portal, Fault(commit_at=1, done=True, happen=lost)), pytest.raises(Unavailable):
        record(portal)
    record(portal, 2)
    assert [end.seq for end in log_of(portal).verify().ends.values()] == [3, 2]


def test_a_restart_begins_new_chains(make: Any, portal: Portal) -> None:
    record(portal, 2)
    other = make()
    record(other, 2)
    record(portal, 2)
    assert sorted(end.seq for end in log_of(other).verify().ends.values()) == [2, 4]


def test_a_record_is_verified_while_others_write(portal: Portal, make: Any) -> None:
    import threading

    other, over = make(), threading.Event()

    def write() -> None:
        while not over.is_set():
            record(other)

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(10):
            log_of(portal).verify()
    finally:
        over.set()
        for writer in writers:
            writer.join()
    log_of(portal).verify()


# --- what is done to it by hand --------------------------------------------------------------------------------------

COLUMNS = {
    "at": "at + 1",
    "kind": "'account_unlocked'",
    "subject": "'somebody else'",
    "sign_in": "'another'",
    "source": "'elsewhere'",
    "method": "'hwk'",
    "outcome": "'failure'",
    "reason": "'nothing'",
    "data": '\'{"why": "nothing"}\'',
}


@pytest.mark.abuse("A49")
@pytest.mark.parametrize("column", COLUMNS)
def test_a_changed_line_is_named(portal: Portal, column: str) -> None:
    several_chains(portal)
    third = lines(portal)[2]
    portal.sql(f"UPDATE mfa_events SET {column} = {COLUMNS[column]} WHERE id = :id", id=third.id)  # noqa: S608
    assert broken(portal) == (third.id, "changed")
    assert run(portal, "audit", "verify") == (
        1,
        {"ok": False, "record": "events", "line": third.id, "damage": "changed"},
    )


@pytest.mark.abuse("A49")
@pytest.mark.parametrize("which", [0, 2, 5])
def test_a_deleted_line_is_noticed_at_the_next_one_of_its_chain(portal: Portal, which: int) -> None:
    several_chains(portal)
    rows = lines(portal)
    gone = rows[which]
    portal.sql("DELETE FROM mfa_events WHERE id = :id", id=gone.id)
    after = next(row for row in rows if row.chain == gone.chain and row.seq == gone.seq + 1)
    assert broken(portal) == (after.id, "missing")


def put(portal: Portal, line: int, name: str, value: object) -> None:
    portal.sql(f"UPDATE mfa_events SET {name} = :value WHERE id = :id", value=value, id=line)  # noqa: S608


def swap_contents(portal: Portal, rows: list[Any]) -> int:
    one, two = rows[1], rows[2]
    for name in ("kind", "reason", "data", "chain", "seq", "link", "mac"):
        cells = {row.id: row._mapping[name] for row in portal.sql("SELECT * FROM mfa_events")}
        put(portal, one.id, name, cells[two.id])
        put(portal, two.id, name, cells[one.id])
    return int(one.id)


def swap_ids(portal: Portal, rows: list[Any]) -> int:
    one, two = rows[1].id, rows[2].id
    for new, old in ((-1, one), (one, two), (two, -1)):
        portal.sql("UPDATE mfa_events SET id = :new WHERE id = :old", new=new, old=old)
    return int(one)


def duplicate(portal: Portal, rows: list[Any]) -> int:
    last = rows[-1].id
    portal.sql(
        "INSERT INTO mfa_events "
        "(id, at, kind, subject, sign_in, source, method, outcome, reason, data, chain, seq, link, mac) "
        "SELECT :new, at, kind, subject, sign_in, source, method, outcome, reason, data, chain, seq, link, mac "
        "FROM mfa_events WHERE id = :id",
        new=last + 1,
        id=rows[-2].id,
    )
    return int(last + 1)


@pytest.mark.abuse("A49")
@pytest.mark.parametrize("how", [swap_contents, swap_ids, duplicate])
def test_lines_in_another_order_are_noticed(portal: Portal, how: Callable[[Portal, list[Any]], int]) -> None:
    several_chains(portal)
    where = how(portal, lines(portal))
    line, damage = broken(portal)
    assert line == where
    assert damage in ("out_of_order", "missing")


@pytest.mark.abuse("A49")
def test_a_line_that_is_put_in_without_the_key_is_noticed(portal: Portal) -> None:
    """Whoever writes to the store can compute the hashes, and not what signs them."""
    from mfa_gate.audit.chain import link_of

    several_chains(portal)
    last = lines(portal)[-1]
    event = (last.at, "account_unlocked", "s", None, None, None, "success", None, "{}")
    link = link_of(last.link, last.chain, last.seq + 1, event)
    for mac in (last.mac, "test1." + "0" * 64, link, ""):
        portal.sql("DELETE FROM mfa_events WHERE id > :id", id=last.id)
        portal.sql(
            "INSERT INTO mfa_events (id, at, kind, subject, outcome, data, chain, seq, link, mac) VALUES "
            "(:id, :at, 'account_unlocked', 's', 'success', '{}', :chain, :seq, :link, :mac)",
            id=last.id + 1, at=last.at, chain=last.chain, seq=last.seq + 1, link=link, mac=mac,
        )  # fmt: skip
        line, damage = broken(portal)
        assert line == last.id + 1
        assert damage in ("forged", "key_missing")


@pytest.mark.abuse("A49")
def test_a_line_without_a_chain_is_noticed(portal: Portal) -> None:
    several_chains(portal)
    fifth = lines(portal)[4]
    portal.sql("UPDATE mfa_events SET chain = NULL, seq = NULL, link = NULL, mac = NULL WHERE id = :id", id=fifth.id)
    assert broken(portal) == (fifth.id, "unsigned")


@pytest.mark.abuse("A49")
@pytest.mark.parametrize("name", ["chain", "seq", "link", "mac"])
def test_a_line_that_has_lost_a_part_of_its_chain_is_noticed(portal: Portal, name: str) -> None:
    several_chains(portal)
    fifth = lines(portal)[4]
    put(portal, fifth.id, name, None)
    assert broken(portal) == (fifth.id, "unsigned")


@pytest.mark.abuse("A49")
def test_a_line_that_stands_there_twice_is_told_from_one_that_is_missing(portal: Portal) -> None:
    record(portal, 4)
    rows = lines(portal)
    twice = duplicate(portal, [rows[-1], rows[-1]])
    assert broken(portal) == (twice, "out_of_order")
    portal.sql("DELETE FROM mfa_events WHERE id IN (:twice, :third)", twice=twice, third=rows[2].id)
    assert broken(portal) == (rows[3].id, "missing")


@pytest.mark.abuse("A49")
@pytest.mark.parametrize("backend", ["sqlite"])
@pytest.mark.parametrize("name", ["at", "seq"])
def test_a_line_that_is_not_what_a_line_can_be_is_named(portal: Portal, name: str) -> None:
    record(portal, 4)
    third = lines(portal)[2]
    put(portal, third.id, name, "no number")
    assert broken(portal) == (third.id, "changed")


def test_lines_from_before_there_were_chains_are_counted_apart(portal: Portal) -> None:
    record(portal, 3)
    portal.sql("UPDATE mfa_events SET chain = NULL, seq = NULL, link = NULL, mac = NULL")
    portal.app.extensions["mfa_gate"].services.audit._heads._free.clear()
    record(portal, 2)
    found = log_of(portal).verify()
    assert (found.lines, found.unchained) == (5, 3)


def test_verify_says_from_when_to_when(portal: Portal) -> None:
    begun = portal.clock()
    for _ in range(3):
        record(portal)
        portal.clock.advance(3600)
    found = log_of(portal).verify()
    assert (found.first, found.last) == (begun, begun + 7200)
    assert "from 2023-11-14T22:13:20.000Z to 2023-11-15T00:13:20.000Z" in run_in_words(portal, "audit", "verify")


@pytest.mark.abuse("A49")
@pytest.mark.parametrize("cut", [1, 3, 14])
def test_a_tail_that_is_cut_off_is_found_against_a_checkpoint(portal: Portal, tmp_path: Path, cut: int) -> None:
    several_chains(portal)
    file = tmp_path / "checkpoint.json"
    assert run(portal, "audit", "checkpoint", "-o", str(file))[0] == 0
    record(portal, 3)
    assert run(portal, "audit", "verify", "--checkpoint", str(file))[0] == 0
    kept = lines(portal)[: 14 - cut]
    portal.sql("DELETE FROM mfa_events WHERE id > :id", id=kept[-1].id if kept else 0)
    assert log_of(portal).verify().lines == 14 - cut  # nothing else can tell
    assert broken(portal, json.dumps(json.loads(file.read_text())["events"])) == (None, "cut_off")
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.abuse("A49")
def test_a_tail_that_was_written_anew_with_the_portals_keys_is_found_against_a_checkpoint(portal: Portal) -> None:
    record(portal, 4)
    kept = log_of(portal).checkpoint()
    second = lines(portal)[1]
    portal.sql("DELETE FROM mfa_events WHERE id > :id", id=second.id)
    (head,) = portal.app.extensions["mfa_gate"].services.audit._heads._free
    head.seq, head.link = 2, second.link
    portal.clock.advance(1)
    record(portal, 4)
    assert log_of(portal).verify().lines == 6  # nothing else can tell
    assert broken(portal, kept) == (None, "changed")


@pytest.mark.abuse("A49")
@pytest.mark.parametrize("change", ["heads", "lines", "mac", "not json", "empty"])
@pytest.mark.parametrize("backend", ["sqlite"])
def test_an_altered_checkpoint_is_refused(portal: Portal, change: str) -> None:
    several_chains(portal)
    document = json.loads(log_of(portal).checkpoint())
    if change == "heads":
        document["heads"].popitem()
    elif change == "lines":
        document["lines"] += 1
    elif change == "mac":
        del document["mac"]
    text = {"not json": "x", "empty": ""}.get(change, json.dumps(document))
    assert broken(portal, text) == (None, "checkpoint")


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_checkpoint_says_when_it_was_made_and_of_how_much(portal: Portal) -> None:
    several_chains(portal)
    document = json.loads(log_of(portal).checkpoint())
    assert document.keys() == {"at", "lines", "heads", "mac"}
    assert (document["at"], document["lines"], len(document["heads"])) == (portal.clock(), 14, 3)


@pytest.mark.parametrize("backend", ["sqlite"])
def test_no_checkpoint_is_made_of_a_broken_record_or_over_a_file(portal: Portal, tmp_path: Path) -> None:
    several_chains(portal)
    file = tmp_path / "checkpoint.json"
    file.write_text("mine")
    assert "cannot be written" in str(run(portal, "audit", "checkpoint", "-o", str(file))[1])
    assert file.read_text() == "mine"
    portal.sql("UPDATE mfa_events SET reason = 'x' WHERE id = 2")
    code, said = run(portal, "audit", "checkpoint")
    assert code == 2
    assert "No checkpoint was made" in said


@pytest.mark.abuse("A49")
@pytest.mark.parametrize("backend", ["sqlite"])
def test_whatever_is_changed_at_random_is_found(portal: Portal) -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    several_chains(portal)
    checkpoint, before = log_of(portal).checkpoint(), portal.sql("SELECT * FROM mfa_events ORDER BY id")
    names = list(before[0]._mapping)
    for _ in range(150):
        row, name = rng.choice(before), rng.choice(names)
        value = rng.choice([rng.choice(before)._mapping[name], None, "x", -1])
        if value == row._mapping[name] or (value is None and name in ("at", "outcome", "kind", "data")):
            continue
        if name == "id" or (name == "mac" and value in ("x", -1)):  # covered by the lines that follow
            continue
        put(portal, row.id, name, value)
        with pytest.raises(ChainBroken):
            log_of(portal).verify(checkpoint)
        put(portal, row.id, name, row._mapping[name])
    log_of(portal).verify(checkpoint)


# --- time and keys ---------------------------------------------------------------------------------------------------


def test_a_purge_leaves_a_record_that_can_be_verified(portal: Portal) -> None:
    several_chains(portal)
    old = log_of(portal).checkpoint()
    portal.clock.advance(100 * DAY)
    record(portal, 3)
    portal.clock.advance(300 * DAY)
    assert run(portal, "purge")[1]["events"] == 14
    assert log_of(portal).verify(old).lines == 3
    record(portal, 2)
    assert log_of(portal).verify(old).lines == 5
    assert run(portal, "purge")[1]["events"] == 0


@pytest.mark.abuse("A49")
def test_an_anchor_that_is_made_by_hand_is_none(portal: Portal) -> None:
    """Or an attacker who cuts the beginning off could say that it was a purge."""
    record(portal, 5)
    third = lines(portal)[2]
    portal.sql("DELETE FROM mfa_events WHERE id <= :id", id=third.id)
    for mac in (third.mac, "test1." + "0" * 64):
        portal.sql("DELETE FROM mfa_audit_anchors")
        portal.sql(
            "INSERT INTO mfa_audit_anchors VALUES (:chain, :seq, :link, :mac)",
            chain=third.chain, seq=third.seq, link=third.link, mac=mac,
        )  # fmt: skip
        assert broken(portal) == (third.id + 1, "missing")


def test_after_a_rotation_the_old_key_may_go(portal: Portal, make: Any) -> None:
    several_chains(portal)
    portal.clock.advance(400 * DAY)
    record(portal, 3)
    run(portal, "purge")
    old = log_of(portal).checkpoint()
    both = make(MFA_GATE_KEYS=f"{NEW},{KEYS}")
    ends = portal.sql("SELECT DISTINCT chain FROM mfa_events")
    anchors = portal.sql("SELECT * FROM mfa_audit_anchors")
    done = run(both, "keys", "rotate")[1]
    assert (done["log_broken"], done["vouched"]) == (None, len(ends) + len(anchors))
    record(both, 2)
    alone = make(MFA_GATE_KEYS=NEW)
    assert log_of(alone).verify().lines == 5
    assert broken(alone, old) == (None, "checkpoint")  # that was signed by the key that has gone


@pytest.mark.abuse("A49")
def test_a_line_whose_key_has_gone_is_still_held_by_the_next_ones(portal: Portal, make: Any) -> None:
    record(portal, 4)
    both = make(MFA_GATE_KEYS=f"{NEW},{KEYS}")
    run(both, "keys", "rotate")
    alone = make(MFA_GATE_KEYS=NEW)
    second = lines(portal)[1]
    portal.sql("UPDATE mfa_events SET reason = 'x' WHERE id = :id", id=second.id)
    assert broken(alone) == (second.id, "changed")


def test_a_broken_record_does_not_hold_up_the_rotation_of_keys(portal: Portal, make: Any) -> None:
    record(portal, 4)
    portal.sql("UPDATE mfa_events SET reason = 'x'")
    both = make(MFA_GATE_KEYS=f"{NEW},{KEYS}")
    code, document = run(both, "keys", "rotate")
    assert code == 0
    assert "not in order" in document["log_broken"]


def test_lines_of_a_key_that_went_without_a_rotation_say_so(portal: Portal, make: Any) -> None:
    record(portal, 4)
    both = make(MFA_GATE_KEYS=f"{NEW},{KEYS}")
    run(both, "keys", "rotate")
    record(portal, 1)  # a worker that still had the old key
    alone = make(MFA_GATE_KEYS=NEW)
    assert broken(alone) == (lines(portal)[4].id, "key_missing")


# --- handing it on ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Exported:
    text: str

    @property
    def events(self) -> list[Any]:
        return [json.loads(line) for line in self.text.splitlines()]


def export(portal: Portal, *args: str) -> Exported:
    done = portal.app.test_cli_runner().invoke(mfa, ["audit", "export", *args])
    assert done.exit_code == 0, done.output
    return Exported(done.output)


def test_events_are_exported_in_the_common_schema(portal: Portal) -> None:
    secret = portal.enrolled()
    portal.browser("198.51.100.66").sign_in(secret)
    event = export(portal, "--account", "anne").events[-1]
    assert event["@timestamp"] == "2023-11-14T22:13:20.000Z"
    assert event["ecs"]["version"].startswith("8.")
    assert event["event"]["action"] == "second_factor"
    assert event["event"]["category"] == ["authentication"]
    assert event["event"]["outcome"] == "success"
    assert event["user"] == {"id": "anne"}
    assert event["labels"]["method"] == "otp"
    assert "198.51.100.66" not in json.dumps(event)


def test_an_export_is_of_a_time_and_an_account(portal: Portal) -> None:
    portal.enrolled("anne")
    portal.clock.advance(10 * DAY)
    portal.enrolled("bob")
    everything = export(portal).events
    later = export(portal, "--from", "2023-11-20").events
    assert 0 < len(later) < len(everything)
    assert len(export(portal, "--to", "2023-11-20").events) == len(everything) - len(later)
    last = portal.sql("SELECT at FROM mfa_events ORDER BY id DESC")[0].at
    parts = portal.app.extensions["mfa_gate"]
    at_the_end = [row.event.at for row, _ in parts.log.export(last, None, None)]
    assert set(at_the_end) == {last}, "from the first second on"
    before = list(parts.log.export(None, last, None))
    assert len(before) == len(everything) - len(at_the_end), "to before the last"
    assert {event["user"]["id"] for event in export(portal, "--account", "bob").events} == {"bob"}
    assert export(portal, "--account", "nobody").events == []


@pytest.mark.abuse("A51")
@pytest.mark.parametrize("reason", ["a\r\nb", "\u202eevil", "<script>", '"}\n{"x": "', "\u2028\u2029\x1b[31m"])
@pytest.mark.parametrize("backend", ["sqlite"])
def test_what_somebody_typed_is_inert_in_an_export(portal: Portal, reason: str) -> None:
    with portal.app.app_context():
        portal.gate.lock("anne", reason)
    exported = export(portal)
    assert exported.text.isascii()
    assert "\x1b" not in exported.text
    assert exported.events[-1]["mfa_gate"]["why"] == reason


def test_a_forgotten_account_is_named_in_no_export(portal: Portal) -> None:
    portal.enrolled()
    with portal.app.app_context():
        portal.gate.forget("anne")
    assert all("user" not in event for event in export(portal).events)


# --- signals -----------------------------------------------------------------------------------------------------


def test_a_signal_is_sent_once_the_event_is_stored_and_only_then(portal: Portal) -> None:
    from mfa_gate.audit.signals import SecurityEvent, security_event

    heard: list[SecurityEvent] = []

    def listen(_sender: object, event: SecurityEvent) -> None:
        assert len(portal.sql("SELECT * FROM mfa_events")) == 1
        heard.append(event)

    services = portal.app.extensions["mfa_gate"].services
    with security_event.connected_to(listen):
        with suppress(ZeroDivisionError), services.store.begin() as tx:
            services.audit.record(tx, "session_ended", portal.clock(), Who("s"))
            raise ZeroDivisionError
        assert heard == []
        with services.store.begin() as tx:
            services.audit.record(tx, "session_ended", portal.clock(), Who("s"), reason="sign_out")
            assert heard == []
    assert [(event.kind, event.subject, event.reason) for event in heard] == [("session_ended", "s", "sign_out")]


def test_a_receiver_that_raises_changes_nothing(portal: Portal) -> None:
    from mfa_gate.audit.signals import security_event

    def fail(_sender: object, event: object) -> None:
        raise RuntimeError

    secret = portal.enrolled()
    with security_event.connected_to(fail):
        assert portal.browser().sign_in(secret).status_code == 303


def test_events_are_counted_for_prometheus(portal: Portal) -> None:
    prometheus = pytest.importorskip("prometheus_client")
    from mfa_gate.contrib.prometheus import count_events

    counted = prometheus.CollectorRegistry()
    receiver = count_events(counted)
    portal.browser().sign_in(portal.enrolled())
    labels = {"kind": "second_factor", "outcome": "success", "method": "otp", "reason": ""}
    assert counted.get_sample_value("mfa_gate_events_total", labels) == 1.0
    assert "anne" not in prometheus.generate_latest(counted).decode()
    assert receiver is not None


@pytest.mark.parametrize("backend", ["sqlite"])
def test_an_event_that_says_less_than_its_kind_promises_is_noticed_after_any_test(
    portal: Portal, tmp_path: Path
) -> None:
    file = str(tmp_path / "store.sqlite3")
    assert incomplete(file) == []
    record(portal)
    (lacking,) = incomplete(file)
    assert lacking == ("first_factor", ["evidence", "reasons", "risk", "score", "subject", "would_be"])


def test_an_event_of_no_known_kind_or_with_unknown_values_is_a_mistake(portal: Portal) -> None:
    services = portal.app.extensions["mfa_gate"].services
    for kind, data in (("unknown", {}), ("session_ended", {"secret": "x"})):
        with pytest.raises(ValueError, match="is not a kind of event"), services.store.begin() as tx:
            services.audit.record(tx, kind, portal.clock(), Who("s"), **data)
    assert portal.sql("SELECT * FROM mfa_events") == []


def test_every_kind_of_event_is_in_the_documentation() -> None:
    from mfa_gate.audit.event_kinds import EVENT_KINDS

    text = (Path(__file__).parent.parent.parent.parent / "docs" / "audit.md").read_text()
    for name, kind in EVENT_KINDS.items():
        values = ", ".join(sorted(kind.fields))
        assert f"| `{name}` | {kind.says} | {kind.category}, {kind.type} | {values} |" in text


def test_every_reason_of_an_event_is_in_the_documentation() -> None:
    from mfa_gate.audit.event_kinds import EVENT_KINDS

    text = (Path(__file__).parent.parent.parent.parent / "docs" / "audit.md").read_text().partition("## Reasons")[2]
    told = set()
    for line in text.splitlines():
        if line.startswith("| `"):
            reasons, kinds = (re.findall("`([a-z_]+)`", cell) for cell in line.split("|")[1:3])
            told |= {(kind, reason) for kind in kinds for reason in reasons}
    assert told == {(name, reason) for name, kind in EVENT_KINDS.items() for reason in kind.reasons}
