"""Reports of who was read by whom, compared with what a portal's own access log says."""

from __future__ import annotations

import csv
import io
import json
import random
import stat
from pathlib import Path
from typing import Any

import pytest

from mfa_gate.durations import DAY
from mfa_gate.harvest import HarvestPolicy
from tests.support.portal import JSON, Browser, MakePortal, Portal
from tests.support.readers import PACE, lines, morning, open_records, opens, proves, signed_in, works


@pytest.fixture
def portal(make: MakePortal) -> Portal:
    return open_records(make)


@pytest.fixture
def anne(portal: Portal) -> Browser:
    return signed_in(portal)[0]


def run(portal: Portal, *args: str) -> Any:
    return portal.app.test_cli_runner().invoke(args=["mfa", *args])


def report(portal: Portal, *args: str) -> dict[str, Any]:
    done = run(portal, "report", *args, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.output)
    return found


class TestBreach:
    def test_it_says_how_many_persons_whom_and_when(self, portal: Portal, anne: Browser) -> None:
        began = portal.clock() + PACE
        for number in (1, 2, 1, 3, 900_001):
            opens(anne, number)
        found = report(portal, "breach", "--account", "anne")
        assert (found["persons"], found["reads"], found["misses"]) == (3, 4, 1)
        assert [one["record"] for one in found["notify"]] == ["1", "2", "3"]
        assert [one["times"] for one in found["notify"]] == [2, 1, 1]
        assert found["first"].startswith(__import__("datetime").datetime.fromtimestamp(began).strftime("%Y-"))

    def test_a_session_and_a_source_are_told_apart(self, portal: Portal) -> None:
        anne, secret = signed_in(portal)
        opens(anne, 1)
        portal.clock.advance(30)
        other = portal.browser("198.51.100.7")
        other.sign_in(secret)
        opens(other, 2)
        session = lines(portal)[0].sign_in
        assert [one["record"] for one in report(portal, "breach", "--session", session)["notify"]] == ["1"]
        assert [one["record"] for one in report(portal, "breach", "--source", "198.51.100.7")["notify"]] == ["2"]

    def test_from_and_to_bound_it(self, portal: Portal) -> None:
        browser, secret = signed_in(portal)
        for number in range(3):
            opens(browser, number)
            morning(portal)
            browser.sign_in(secret)
        day = portal.sql("SELECT day FROM mfa_reads ORDER BY id")[1].day
        begin, end = (f"{__import__('datetime').date.fromordinal(719_163 + day + more)}" for more in (0, 1))
        found = report(portal, "breach", "--account", "anne", "--from", begin, "--to", end)
        assert [one["record"] for one in found["notify"]] == ["1"]

    def test_it_agrees_with_an_access_log(self, portal: Portal) -> None:
        seed = random.randrange(2**32)
        print("seed", seed)
        rng = random.Random(seed)
        browser, secret = signed_in(portal)
        log: list[str] = []
        for _ in range(150):
            number = rng.choice([rng.randrange(60), rng.randrange(60), 900_000 + rng.randrange(3)])
            answer = opens(browser, number)
            if answer.status_code == 401:
                proves(browser, secret)
                answer = opens(browser, number)
            if answer.status_code == 403:
                break
            if answer.status_code == 200:
                log.append(str(number))
        found = report(portal, "breach", "--account", "anne")
        assert found["reads"] == len(log)
        assert {one["record"]: one["times"] for one in found["notify"]} == {one: log.count(one) for one in log}

    def test_the_list_of_whom_to_tell_is_a_private_file_that_starts_no_formula(
        self, portal: Portal, anne: Browser, tmp_path: Path
    ) -> None:
        opens(anne, "=HYPERLINK(1)")
        file = tmp_path / "tell.csv"
        assert run(portal, "report", "breach", "--account", "anne", "--csv", str(file)).exit_code == 0
        rows = list(csv.DictReader(io.StringIO(file.read_text())))
        assert rows[0]["record"] == "'=HYPERLINK(1)"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600

    @pytest.mark.parametrize(("locale", "says"), [("fr", "Personnes concernées"), ("en", "Persons concerned")])
    def test_a_page_for_the_authority_names_nobody_who_was_read(
        self, portal: Portal, anne: Browser, tmp_path: Path, locale: str, says: str
    ) -> None:
        for number in range(60):
            opens(anne, f"person-{number}", pace=0.2)
        file = tmp_path / "page.html"
        run(portal, "report", "breach", "--account", "anne", "--summary", str(file), "--locale", locale)
        text = file.read_text()
        assert says in text
        assert "person-" not in text
        assert ("arrêté" if locale == "fr" else "it was stopped") in text

    def test_that_a_report_was_made_is_an_event(self, portal: Portal, anne: Browser) -> None:
        opens(anne, 1)
        report(portal, "breach", "--account", "anne")
        assert ("report_made", "success", None) in portal.events()

    def test_what_was_sealed_with_a_key_that_is_gone_is_counted_and_not_named(
        self, make: MakePortal, portal: Portal, anne: Browser
    ) -> None:
        opens(anne, 1)
        portal.sql("UPDATE mfa_reads SET sealed = 'gone.AAAA'")
        found = report(portal, "breach", "--account", "anne")
        assert (found["persons"], found["unreadable"], found["notify"][0]["record"]) == (1, 1, None)

    @pytest.mark.parametrize(
        "args",
        [
            (),
            ("--account", "anne", "--session", "x"),
            ("--account", "nobody"),
            ("--account", "anne", "--csv", "/nowhere/x.csv"),
        ],
    )
    def test_what_cannot_be_is_said_in_a_sentence(self, portal: Portal, anne: Browser, args: tuple[str, ...]) -> None:
        opens(anne, 1)
        done = run(portal, "report", "breach", *args)
        assert done.exit_code == 2
        assert "Traceback" not in done.output

    def test_nothing_read_is_nothing_to_tell(self, portal: Portal, anne: Browser) -> None:
        assert run(portal, "report", "breach", "--account", "anne").output == "Nothing was read.\n"


class TestSeen:
    def test_it_says_which_accounts_have_read_a_record(self, portal: Portal, anne: Browser) -> None:
        opens(anne, 4711)
        opens(anne, 1)
        found = report(portal, "seen", "4711")["seen"]
        assert [one["account"] for one in found] == ["anne"]

    def test_a_look_up_that_found_nobody_saw_nobody(self, portal: Portal, anne: Browser) -> None:
        opens(anne, 900_001)
        assert report(portal, "seen", "900001")["seen"] == []

    def test_who_is_forgotten_is_counted_still(self, portal: Portal, anne: Browser) -> None:
        opens(anne, 4711)
        with portal.app.app_context():
            portal.gate.forget("anne")
        (one,) = report(portal, "seen", "4711")["seen"]
        assert one["account"] is None


class TestTheLedger:
    @pytest.mark.parametrize(
        ("change", "damage"),
        [
            ("UPDATE mfa_reads SET record = 'test1.00' WHERE seq = 2", "changed"),
            ("UPDATE mfa_reads SET outcome = 'again' WHERE seq = 2", "changed"),
            ("DELETE FROM mfa_reads WHERE seq = 2", "missing"),
        ],
    )
    def test_a_line_that_was_changed_or_is_missing_is_found(
        self, portal: Portal, anne: Browser, change: str, damage: str
    ) -> None:
        works(anne, 0, 4)
        assert run(portal, "audit", "verify").exit_code == 0
        portal.sql(change)
        done = run(portal, "audit", "verify", "--json")
        assert (done.exit_code, json.loads(done.output)["damage"]) == (1, damage)

    def test_a_tail_that_was_cut_off_is_found_by_a_checkpoint(
        self, portal: Portal, anne: Browser, tmp_path: Path
    ) -> None:
        works(anne, 0, 4)
        file = tmp_path / "checkpoint"
        assert run(portal, "audit", "checkpoint", "-o", str(file)).exit_code == 0
        portal.sql("DELETE FROM mfa_reads WHERE seq = 4")
        assert run(portal, "audit", "verify").exit_code == 0
        done = run(portal, "audit", "verify", "--checkpoint", str(file), "--json")
        assert (json.loads(done.output)["record"], json.loads(done.output)["damage"]) == ("reads", "cut_off")

    def test_it_is_purged_by_its_days_and_is_in_order_still(self, make: MakePortal) -> None:
        portal = open_records(make, harvest=HarvestPolicy(kept=30))
        browser, secret = signed_in(portal)
        works(browser, 0, 5)
        portal.clock.advance(40 * DAY)
        browser.sign_in(secret)
        works(browser, 10, 2)
        assert "5 reads" in run(portal, "purge").output
        assert run(portal, "audit", "verify").exit_code == 0
        assert report(portal, "breach", "--account", "anne")["persons"] == 2

    def test_the_key_of_a_line_stays_as_long_as_the_line(self, make: MakePortal) -> None:
        old, new = "old:" + "A" * 43, "new:" + "B" * 43
        before = open_records(make, MFA_GATE_KEYS=old)
        browser, _ = signed_in(before)
        opens(browser, 4711)
        after = open_records(make, MFA_GATE_KEYS=f"{new},{old}", clock=before.clock)
        rotated = run(after, "keys", "rotate")
        assert "ledger of reads: old" in rotated.output
        assert report(after, "breach", "--account", "anne")["notify"][0]["record"] == "4711"
        assert len(report(after, "seen", "4711")["seen"]) == 1
        assert run(after, "audit", "verify").exit_code == 0

    def test_no_record_and_no_address_stand_in_the_store_in_clear(self, portal: Portal, anne: Browser) -> None:
        anne.get("/records/185077511800", headers=JSON)
        rows = repr(portal.sql("SELECT * FROM mfa_reads")) + repr(portal.sql("SELECT * FROM mfa_reading"))
        assert "185077511800" not in rows
        assert "192.0.2.1" not in rows
