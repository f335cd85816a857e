"""`flask mfa activation letters`: a folder of printable letters, each with one activation code."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from playwright.sync_api import Browser as Chromium

from mfa_gate import Account
from tests.support.breaking import Fault, breaking, kept
from tests.support.browser import page_in
from tests.support.portal import MakePortal, Portal
from tests.support.qr import scan

SUPPORT = "0800 12 34 56 (8 h – 18 h)"
MONTH = 30 * 86_400


@pytest.fixture
def portal(make: MakePortal) -> Portal:
    made = make(MFA_GATE_SUPPORT=SUPPORT)
    made.people["zoe"] = Account("zoe", "Zoé d’Ægir & <b>Fils</b>", locale="fr-CH")
    made.people["kim"] = Account("kim", "Kim", locale="de")  # no such language here
    return made


def write(portal: Portal, csv: str | bytes, folder: Path, *words: str) -> Result:
    file = folder / "accounts.csv"
    file.write_bytes(csv.encode() if isinstance(csv, str) else csv)
    done = portal.app.test_cli_runner().invoke(
        args=["mfa", "activation", "letters", str(file), "--out", str(folder / "letters"), *words]
    )
    assert done.exception is None or isinstance(done.exception, SystemExit), "a traceback"
    return done


def letters(folder: Path) -> list[str]:
    """The letters, in the order of the file."""
    return [file.read_text() for file in sorted((folder / "letters").iterdir())]


def code_in(letter: str) -> str:
    value = re.search(r'<p class="value">(.*?)</p>', letter, re.S)
    assert value is not None
    return "-".join(re.findall(r'<span class="mfa-group">(\w{4})</span>', value.group(1)))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- what is written ---------------------------------------------------------------------------------------------


def test_each_account_gets_a_letter_whose_code_opens_its_enrolment(portal: Portal, tmp_path: Path) -> None:
    done = write(portal, "account,address\nanne,1 rue X|75001 Paris\nbob,\n", tmp_path)
    assert done.exit_code == 0, done.output
    assert "2 letters are in" in done.stdout
    written = letters(tmp_path)
    assert len(written) == 2
    for account, letter in zip(("anne", "bob"), written, strict=True):
        assert code_in(letter) not in done.output
        browser = portal.browser()
        browser.password(account)
        assert browser.api("POST", "activation/verify", json={"code": code_in(letter)}).status_code == 200


def test_folder_and_files_are_their_owners_alone(portal: Portal, tmp_path: Path) -> None:
    write(portal, "account\nanne\nbob\n", tmp_path)
    folder = tmp_path / "letters"
    assert mode(folder) == 0o700
    assert [(file.name, mode(file)) for file in sorted(folder.iterdir())] == [
        ("00001.html", 0o600),
        ("00002.html", 0o600),
    ]


def test_an_empty_folder_that_was_open_to_others_is_closed_first(portal: Portal, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir(mode=0o755)
    assert write(portal, "account\nanne\n", tmp_path).exit_code == 0
    assert mode(tmp_path / "letters") == 0o700


@pytest.mark.parametrize("content", ["file", ".hidden", "folder"])
@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_folder_that_holds_something_is_refused(portal: Portal, tmp_path: Path, content: str) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / content).mkdir() if content == "folder" else (tmp_path / "letters" / content).touch()
    done = write(portal, "account\nanne\n", tmp_path)
    assert done.exit_code == 2
    assert "is not empty" in done.stderr
    assert portal.sql("SELECT id FROM mfa_activations") == []


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_folder_that_cannot_be_made_is_a_sentence(portal: Portal, tmp_path: Path) -> None:
    (tmp_path / "letters").write_text("a file of this name")
    done = write(portal, "account\nanne\n", tmp_path)
    assert done.exit_code == 2
    assert "cannot be written" in done.stderr
    assert portal.sql("SELECT id FROM mfa_activations") == []


def test_codes_of_letters_live_thirty_days_or_as_told(portal: Portal, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    write(portal, "account\nanne\n", tmp_path / "a")
    write(portal, "account\nbob\n", tmp_path / "b", "--ttl", "7d")
    ends = dict(tuple(row) for row in portal.sql("SELECT account_id, ends_at FROM mfa_activations"))
    assert ends == {"anne": portal.clock() + MONTH, "bob": portal.clock() + 7 * 86_400}
    assert "14 décembre 2023" in letters(tmp_path / "a")[0]
    assert "21 November 2023" in letters(tmp_path / "b")[0]


def test_each_code_is_one_event_with_its_reason(portal: Portal, tmp_path: Path) -> None:
    write(portal, "account\nanne\nbob\n", tmp_path, "--reason", "spring mailing")
    rows = portal.sql("SELECT kind, subject, data FROM mfa_events ORDER BY id")
    assert [row.kind for row in rows] == ["activation_issued"] * 2
    assert len({row.subject for row in rows}) == 2
    assert all(json.loads(row.data)["why"] == "spring mailing" for row in rows)


def test_as_json(portal: Portal, tmp_path: Path) -> None:
    done = write(portal, "account\nanne\n", tmp_path, "--json")
    assert json.loads(done.stdout) == {"folder": str(tmp_path / "letters"), "letters": ["00001.html"]}


@pytest.mark.parametrize("backend", ["sqlite"])
def test_each_letter_is_in_the_language_of_its_account(portal: Portal, tmp_path: Path) -> None:
    write(portal, "account\nanne\nbob\nzoe\nkim\n", tmp_path)
    tongues = [re.search(r'<html lang="(\w+)">', letter).group(1) for letter in letters(tmp_path)]  # type: ignore[union-attr]
    assert tongues == ["fr", "en", "fr", "fr"]  # the portal's first language where it has not the person's
    french, english = letters(tmp_path)[:2]
    assert "Votre code" in french
    assert "Your activation code" in english


@pytest.mark.parametrize("backend", ["sqlite"])
def test_what_the_portal_says_of_a_person_is_inert_in_the_letter(portal: Portal, tmp_path: Path) -> None:
    write(portal, "account,address\nzoe,<script>alert(1)</script>|2 & 3\n", tmp_path)
    (letter,) = letters(tmp_path)
    assert "<script" not in letter
    assert "&lt;script&gt;" in letter
    assert "Zoé d’Ægir &amp; &lt;b&gt;Fils&lt;/b&gt;" in letter


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_letter_names_site_support_and_no_other_address(portal: Portal, tmp_path: Path) -> None:
    write(portal, "account\nanne\n", tmp_path)
    (letter,) = letters(tmp_path)
    assert SUPPORT in letter
    assert set(re.findall(r"https?://[^\s<\"')]+", letter)) <= {"https://portal.example", "http://www.w3.org/2000/svg"}
    assert "src=" not in letter
    assert "href=" not in letter


# --- what is read ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "csv",
    [
        "account;address\nanne;1 rue X|Paris\nbob;\n",
        "\ufeffaccount,address\nanne,1 rue X|Paris\nbob,\n",
        "Account , ADDRESS\r\nanne,1 rue X|Paris\r\nbob,\r\n",
        'address,account\n"1 rue X\nParis",anne\n,bob\n',
        "account\n anne \nbob\n\n\n",
    ],
    ids=["semicolons", "byte order mark", "capitals and CRLF", "lines in quotes", "blank lines"],
)
@pytest.mark.parametrize("backend", ["sqlite"])
def test_files_as_spreadsheets_write_them_are_read(portal: Portal, tmp_path: Path, csv: str) -> None:
    done = write(portal, csv, tmp_path)
    assert done.exit_code == 0, done.stderr
    anne = letters(tmp_path)[0]
    assert len(letters(tmp_path)) == 2
    if "Paris" in csv:
        assert re.search(r"1 rue X<br>\s*Paris", anne)


def test_bad_rows_are_all_told_by_line_and_then_nothing_is_issued(portal: Portal, tmp_path: Path) -> None:
    csv = "account,address\nanne,x\n,nobody\nmallory,x\nanne,again\nbob,x,y,z\nbob," + "|".join("abcdefgh") + "\n"
    done = write(portal, csv, tmp_path)
    assert done.exit_code == 2
    assert re.findall(r"^line (\d+): (.*)$", done.stderr, re.M) == [
        ("3", "the account is missing"),
        ("4", "the portal knows no account 'mallory'"),
        ("5", "the account 'anne' stands on line 2 already"),
        ("6", "it has more fields than the first line"),
        ("7", "the address has more than 6 lines"),
    ]
    assert done.stderr.rstrip().endswith("5 lines of accounts.csv are wrong. No code was issued.")
    assert portal.sql("SELECT id FROM mfa_activations") == []
    assert portal.sql("SELECT id FROM mfa_events") == []
    assert not (tmp_path / "letters").exists()


@pytest.mark.parametrize(
    ("csv", "about"),
    [
        (b"", "must name the columns"),
        (b"name\nanne\n", "must name the columns"),
        (b"account,street\nanne,x\n", "must name the columns"),
        (b"account,account\nanne,bob\n", "columns"),
        (b"account\n", "names no account"),
        ("account\nRen\u00e9e\n".encode("latin-1"), "not in UTF-8"),
        ("account\nanne\n".encode("utf-16"), "not in UTF-8"),
        (b"account\nan\0ne\n", "CSV|knows no account|are wrong"),
        (b'account\n"anne\n', "CSV|knows no account|are wrong|end of data"),
        (b"account\n" + b"x" * 200_000 + b"\n", "CSV|knows no account|are wrong"),
    ],
    ids=lambda value: repr(value)[:24],
)
@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_file_that_cannot_be_used_is_a_sentence(portal: Portal, tmp_path: Path, csv: bytes, about: str) -> None:
    done = write(portal, csv, tmp_path)
    assert done.exit_code == 2
    assert re.search(about, done.stderr)
    assert portal.sql("SELECT id FROM mfa_activations") == []


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_file_that_is_not_there_is_a_sentence(portal: Portal, tmp_path: Path) -> None:
    for name in ("missing.csv", "."):
        done = portal.app.test_cli_runner().invoke(
            args=["mfa", "activation", "letters", str(tmp_path / name), "--out", str(tmp_path / "out")]
        )
        assert done.exit_code == 2
        assert "cannot be read" in done.stderr


def test_a_letter_that_cannot_be_written_leaves_no_code_without_a_letter(
    portal: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full at the second letter: one letter and one code, and the sentence says so."""
    written: list[Any] = []

    def full(*args: Any) -> None:
        written.append(args)
        if len(written) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    done = write(portal, "account\nanne\nbob\nzoe\n", tmp_path)
    assert done.exit_code == 2
    assert "No space left on device" in done.stderr
    assert "1 letters were written before that" in done.stderr
    assert len(letters(tmp_path)) == 1
    assert portal.sql("SELECT account_id FROM mfa_activations") == [("anne",)]


@pytest.mark.abuse("A34")
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_whatever_fails_each_letter_in_the_folder_has_a_code_that_is_known(portal: Portal, tmp_path: Path) -> None:
    text = "account\nanne\nbob\n"
    with kept(portal) as put_back:
        with breaking(portal, Fault()) as whole:
            (tmp_path / "0").mkdir()
            write(portal, text, tmp_path / "0")
        for at in range(1, whole.asked + 1):
            put_back()
            (folder := tmp_path / str(at)).mkdir()
            with breaking(portal, Fault(at)):
                done = write(portal, text, folder)
            assert done.exit_code == 2
            assert "does not answer" in done.stderr
            there = letters(folder) if (folder / "letters").exists() else []
            assert len(there) == portal.sql("SELECT count(*) FROM mfa_activations")[0][0]
            assert ("Nothing was changed" in done.stderr) is (not there)


def test_a_letter_for_somebody_who_was_enrolling_ends_that(portal: Portal, tmp_path: Path) -> None:
    browser = portal.browser()
    browser.activate()
    write(portal, "account\nanne\n", tmp_path)
    assert browser.state == "anonymous"


# --- as paper ----------------------------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.parametrize("backend", ["sqlite"])
def test_the_picture_holds_the_base_url_and_nothing_else(portal: Portal, chromium: Chromium, tmp_path: Path) -> None:
    write(portal, "account\nanne\n", tmp_path)
    svg = re.findall(r"<svg.*?</svg>", letters(tmp_path)[0], re.S)
    assert [scan(chromium, picture, tmp_path) for picture in svg] == ["https://portal.example"]


LONG = "x" * 60


@pytest.mark.browser
@pytest.mark.parametrize("backend", ["sqlite"])
def test_every_letter_prints_on_exactly_one_a4_page(make: MakePortal, chromium: Chromium, tmp_path: Path) -> None:
    """Short and long names and addresses, in both languages, with the longest support line that is allowed."""
    address = "|".join(["Officine de la Très Longue Enseigne du Marché", "Bâtiment C, 3e étage", "12 rue X"] * 2)
    for number, (support, name) in enumerate([(None, "A"), ("s" * 40 + " " + "t" * 40 + " " + "u" * 118, "N " * 60)]):
        folder = tmp_path / str(number)
        folder.mkdir()
        portal = make(MFA_GATE_SUPPORT=support, MFA_GATE_NAME=("Portail " * 20).strip() if number else "P")
        for locale in ("fr", "en"):
            portal.people[locale] = Account(locale, name, locale=locale)
        csv = f"account;address\nfr;{address}\nen;{address if number else ''}\n"
        done = write(portal, csv, folder)
        assert done.exit_code == 0, done.output
        for file in sorted((folder / "letters").iterdir()):
            page = page_in(chromium)
            page.goto(file.as_uri())
            pdf = page.pdf(prefer_css_page_size=True, print_background=True)
            page.context.close()
            assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1, file
            sizes = {tuple(float(part) for part in box.split()) for box in re.findall(rb"/MediaBox\s*\[([^]]*)\]", pdf)}
            ((_, _, width, height),) = sizes
            assert (round(width), round(height)) in ((595, 842), (594, 842), (595, 841), (594, 841))
