"""`flask mfa import totp`: seeds of an earlier system, and of code tokens, taken over line by line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from passlib.totp import TOTP as PasslibTOTP  # what Flask-Security seals its seeds with

from mfa_gate import Account
from mfa_gate.policy import GroupPolicy, Policy
from tests.support.breaking import Fault, breaking, kept, state_of
from tests.support.imports import NEW, OTHER, SECRET, SEED, opens, take, token, written
from tests.support.notices import link_of
from tests.support.portal import KEYS, MakePortal, Portal

SHORT = "JBSWY3DPEHPK3PXP"  # ten bytes, as older versions of pyotp drew them


def seeds(portal: Portal) -> int:
    return int(portal.sql("SELECT count(*) FROM mfa_totp_seeds")[0][0])


# --- what is read ------------------------------------------------------------------------------------------------


def test_an_app_that_was_enrolled_elsewhere_opens_as_before(portal: Portal, tmp_path: Path) -> None:
    done = take(portal, written(tmp_path, f"account,secret,label\nanne,{SECRET},Mon téléphone\n"))
    assert done.exit_code == 0, done.output
    assert "1 taken over, 0 were there already, 0 wrong." in done.stdout
    assert SECRET not in done.output
    assert portal.sql("SELECT label FROM mfa_authenticators") == [("Mon téléphone",)]
    portal.clock.advance(30)
    assert opens(portal, token(portal, SECRET))


def test_a_seed_that_was_altered_since_is_not_taken_for_the_one_in_the_list(portal: Portal, tmp_path: Path) -> None:
    file = written(tmp_path, f"account,secret\nanne,{SECRET}\n")
    assert take(portal, file).exit_code == 0
    portal.sql("UPDATE mfa_totp_seeds SET last_step = last_step + 1")
    done = take(portal, file)
    assert (done.exit_code, seeds(portal)) == (1, 1)
    assert "0 taken over, 0 were there already, 1 wrong." in done.stdout


@pytest.mark.parametrize(
    ("header", "row", "options"),
    [
        ("upn,serial number,secret key,time interval,manufacturer,model", "anne,1234567,{},60,Token,T1", ["-s60s"]),
        ("account,secret,algorithm,digits,period", "anne,{},HMAC-SHA256,8,30", ["--totp=sha256", "-d8"]),
        ("account;secret;algorithm;digits;period", "anne;{};SHA512;6;60", ["--totp=sha512", "-s60s"]),
    ],
)
def test_a_code_token_opens_with_the_codes_that_its_maker_says(
    portal: Portal, tmp_path: Path, header: str, row: str, options: list[str]
) -> None:
    done = take(portal, written(tmp_path, f"{header}\n{row.format(SECRET)}\n"))
    assert done.exit_code == 0, done.output
    portal.clock.advance(60)
    code = token(portal, SECRET, *options)
    assert opens(portal, code)
    assert not opens(portal, code), "the same code twice"


@pytest.mark.parametrize(
    "secret",
    [
        SECRET.lower(),
        " ".join(SECRET[at : at + 4] for at in range(0, 32, 4)),
        "hex:" + SEED.hex(),
        f"otpauth://totp/Portail:anne?secret={SECRET}&issuer=Portail",
        f" otpauth://totp/Portail:anne?secret={SECRET}\n",
        f"  hex:{SEED.hex()} ",
    ],
    ids=["small letters", "groups of four", "hex", "address of a key", "address with space around", "hex with space"],
)
def test_a_secret_is_read_in_the_ways_that_people_keep_it(portal: Portal, tmp_path: Path, secret: str) -> None:
    take(portal, written(tmp_path, json.dumps([{"account": "anne", "secret": secret}]), "seeds.json"))
    portal.clock.advance(30)
    assert opens(portal, token(portal, SECRET))


@pytest.mark.parametrize("written_as", ["GEZDGNBVGY3TQOJQGEZDGNBVGY======", "GEZDGNBVGY3TQOJQGEZDGNBVGY"])
def test_a_secret_is_read_with_and_without_its_padding(portal: Portal, tmp_path: Path, written_as: str) -> None:
    take(portal, written(tmp_path, f"account,secret\nanne,{written_as}\n"))
    portal.clock.advance(30)
    assert opens(portal, token(portal, "GEZDGNBVGY3TQOJQGEZDGNBVGY======"))


def test_a_secret_is_read_to_its_last_letter(portal: Portal, tmp_path: Path) -> None:
    take(portal, written(tmp_path, "account,secret\nanne,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOXX\n"))
    portal.clock.advance(30)
    assert opens(portal, token(portal, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOXX"))


def test_what_is_left_blank_is_as_usual(portal: Portal, tmp_path: Path) -> None:
    row = {"account": "anne", "secret": SECRET, "algorithm": "", "digits": "", "period": None}
    take(portal, written(tmp_path, json.dumps([row]), "seeds.json"))
    portal.clock.advance(30)
    assert opens(portal, token(portal, SECRET))


def test_the_address_of_a_key_says_how_its_codes_are_made(portal: Portal, tmp_path: Path) -> None:
    address = f"otpauth://totp/x?secret={SECRET}&algorithm=SHA256&digits=8&period=60"
    take(portal, written(tmp_path, json.dumps([{"account": "anne", "secret": address}]), "seeds.json"))
    portal.clock.advance(60)
    assert opens(portal, token(portal, SECRET, "--totp=sha256", "-d8", "-s60s"))


def of_flask_security(wallet: Any, name: str, *, sealed: bool = True) -> dict[str, Any]:
    made = wallet(key=SECRET, format="base32")
    text = made.to_json(encrypt=sealed)
    if name == "tf_totp_secret":
        return {"fs_uniquifier": "anne", "tf_primary_method": "authenticator", name: text}
    return {"fs_uniquifier": "anne", name: json.dumps({"email": "SENTBYMAILSENTBY", "authenticator": text})}


@pytest.mark.parametrize("name", ["tf_totp_secret", "us_totp_secrets"])
@pytest.mark.parametrize("sealed", [True, False])
def test_what_flask_security_keeps_is_opened_with_its_secrets(
    portal: Portal, tmp_path: Path, name: str, sealed: bool
) -> None:
    secrets = {"1": "a made-up secret of the wallet"}
    row = of_flask_security(PasslibTOTP.using(secrets=secrets), name, sealed=sealed)
    file = written(tmp_path, json.dumps(row) + "\n", "users.jsonl")
    wallet, code = written(tmp_path, json.dumps(secrets), "wallet.json"), token(portal, SECRET)
    done = take(portal, file, "--account-column", "fs_uniquifier", "--secrets", str(wallet), "--sample", "anne", code)
    assert done.exit_code == 0, done.output
    portal.clock.advance(30)
    assert opens(portal, token(portal, SECRET))


@pytest.mark.parametrize("sealed", [True, False])
def test_passlib_says_how_its_codes_are_made(portal: Portal, tmp_path: Path, sealed: bool) -> None:
    secrets = {"1": "a made-up secret of the wallet"}
    made = PasslibTOTP.using(secrets=secrets)(key=SECRET, format="base32", digits=8, alg="sha256", period=60)
    row = {"account": "anne", "secret": made.to_json(encrypt=sealed)}
    shape = ("--totp=sha256", "-d8", "-s60s")
    wallet, code = written(tmp_path, json.dumps(secrets), "wallet.json"), token(portal, SECRET, *shape)
    words = ("--secrets", str(wallet), "--sample", "anne", code)
    assert take(portal, written(tmp_path, json.dumps([row]), "seeds.json"), *words).exit_code == 0
    portal.clock.advance(60)
    assert opens(portal, token(portal, SECRET, *shape))


@pytest.mark.abuse("A63")
def test_a_list_adds_nothing_after_it_was_not_me(portal: Portal, tmp_path: Path) -> None:
    portal.enrolled()
    assert portal.browser().post("/mfa/not-me", {"link": link_of(portal)}).status_code == 200
    portal.sql("DELETE FROM mfa_authenticators")
    done = take(portal, written(tmp_path, f"account,secret\nanne,{SECRET}\n"))
    assert (done.exit_code, seeds(portal)) == (1, 0)
    assert "line 2: “it was not me” was pressed for the account 'anne'" in done.stderr


def test_a_sealed_secret_without_its_wallet_is_told(portal: Portal, tmp_path: Path) -> None:
    row = of_flask_security(PasslibTOTP.using(secrets={"1": "a"}), "tf_totp_secret")
    file = written(tmp_path, json.dumps(row), "users.jsonl")
    done = take(portal, file, "--account-column", "fs_uniquifier")
    assert (done.exit_code, "line 1: the secret is sealed" in done.stderr) == (1, True)
    wallet = written(tmp_path, json.dumps({"2": "another one"}), "wallet.json")
    wrong = ("--account-column", "fs_uniquifier", "--secrets", str(wallet), "--sample", "anne", token(portal, SECRET))
    assert take(portal, file, *wrong).exit_code == 2
    assert seeds(portal) == 0


def test_wrong_secrets_of_the_wallet_are_found_by_a_code_of_now(portal: Portal, tmp_path: Path) -> None:
    row = of_flask_security(PasslibTOTP.using(secrets={"1": "a"}), "tf_totp_secret")
    file = written(tmp_path, json.dumps(row), "users.jsonl")
    wallet = written(tmp_path, json.dumps({"1": "another one"}), "wallet.json")
    how = ("--account-column", "fs_uniquifier", "--secrets", str(wallet))
    assert "add --sample" in take(portal, file, *how).stderr
    done = take(portal, file, *how, "--sample", "anne", token(portal, SECRET))
    assert (done.exit_code, "does not make this code" in done.stderr) == (2, True)
    assert seeds(portal) == 0


def test_a_secret_whose_codes_were_sent_by_mail_is_not_taken_over(portal: Portal, tmp_path: Path) -> None:
    row = {"account": "anne", "tf_primary_method": "mail", "tf_totp_secret": SECRET}
    done = take(portal, written(tmp_path, json.dumps([row]), "users.json"))
    assert "were sent by mail or SMS" in done.stderr
    row = {"account": "anne", "us_totp_secrets": {"email": SECRET}}
    done = take(portal, written(tmp_path, json.dumps([row]), "users.json"))
    assert "the secret is missing" in done.stderr
    assert seeds(portal) == 0


# --- lines that are wrong -------------------------------------------------------------------------------------------


def test_each_wrong_line_is_told_and_the_good_ones_are_kept(portal: Portal, tmp_path: Path) -> None:
    portal.people["eve"] = Account("eve", "Eve")
    rows = [
        f"anne,{SECRET},,,",
        "nobody,JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP,,,",
        ",JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP,,,",
        "eve,,,,",
        "eve,not base32!,,,",
        "eve,JBSWY3DP,,,",
        f"eve,{OTHER},md5,,",
        f"eve,{OTHER},,7,",
        f"eve,{OTHER},,,45",
        f"eve,{SECRET},,,",
        f"anne,{OTHER},,,",
        "eve,otpauth://hotp/x?secret=JBSWY3DPEHPK3PXP&counter=1,,,",
        "eve,otpauth://nonsense,,,",
        f"bob,{OTHER},,,",
        f"eve,{OTHER},,,,,,too many",
        f"\u202eeve\x07,{OTHER},,,",
    ]
    done = take(
        portal, written(tmp_path, "account,secret,algorithm,digits,period\n" + "\n".join(rows) + "\n"), "--json"
    )
    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert (document["imported"], document["already"]) == (2, 0)
    assert [wrong["line"] for wrong in document["wrong"]] == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17]
    assert not any(row.split(",")[1] in done.output for row in rows if len(row.split(",")[1]) > 3), "a secret is out"
    assert seeds(portal) == 2


@pytest.mark.parametrize(
    ("secret", "says"),
    [
        ("", "the secret is missing"),
        (5, "the secret is missing"),
        (["x"], "the secret is missing"),
        ("hex:zz", "the secret is not hexadecimal"),
        ("{", "the secret is not readable JSON"),
        ("JBSWY3DP", "the secret has 40 bits: between 80 and 1024 can be taken over"),
        ("A" * 208, "the secret has 1040 bits: between 80 and 1024 can be taken over"),
        ("otpauth://totp/x?issuer=y", "the address of the key (otpauth:) is not readable"),
        (f"otpauth://sotp/x?secret={SECRET}", "the address of the key (otpauth:) is not readable"),
        (f"otpauth://totp/x?secret={SECRET}{'&x=y' * 20}", "the address of the key (otpauth:) is not readable"),
        (f"otpauth://hotp/x?secret={SECRET}", "it counts (HOTP) instead of going by the time"),
        (f"otpauth://totp/x?secret={SECRET}&digits=7", "its codes have not 6 or 8 digits"),
        (f"otpauth://totp/x?secret={SECRET}&period=45", "its codes have not 30 or 60 seconds"),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_secret_is_told_in_a_sentence(
    portal: Portal, tmp_path: Path, secret: object, says: str
) -> None:
    done = take(portal, written(tmp_path, json.dumps([{"account": "anne", "secret": secret}]), "seeds.json"))
    assert (done.exit_code, says in done.stderr) == (1, True), done.output


def test_a_file_taken_over_again_adds_nothing(portal: Portal, tmp_path: Path) -> None:
    file = written(tmp_path, f"account,secret\nanne,{SECRET}\nbob,{OTHER}\n")
    take(portal, file)
    done = take(portal, file)
    assert done.exit_code == 0
    assert "0 taken over, 2 were there already, 0 wrong." in done.stdout
    assert seeds(portal) == 2


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("none.csv", None, "cannot be read"),
        ("bytes.csv", b"account,secret\n\xff\xfe,x\n", "not in UTF-8"),
        ("open.json", b"[{", "not readable JSON"),
        ("deep.json", b"[" * 100_000, "not readable JSON"),
        ("quoted.csv", b'account,secret\n"anne,x', "not a CSV file"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_a_sentence(
    portal: Portal, tmp_path: Path, name: str, content: bytes | None, says: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = take(portal, tmp_path / name)
    assert (done.exit_code, says in done.stderr) == (2, True), done.output


@pytest.mark.parametrize("line", ["[]", "3", '"anne"', "{", "null", '{"account": {}, "secret": []}'])
def test_lines_of_json_that_are_no_row_are_told(portal: Portal, tmp_path: Path, line: str) -> None:
    good = json.dumps({"account": "anne", "secret": SECRET})
    done = take(portal, written(tmp_path, f"{good}\n{line}\n", "rows.jsonl"))
    assert (done.exit_code, "line 2: " in done.stderr) == (1, True)
    assert "1 taken over" in done.stdout


# --- what it may not open -------------------------------------------------------------------------------------------


@pytest.mark.abuse("A2")
def test_an_old_list_opens_nothing_that_its_owner_has_secured_since(portal: Portal, tmp_path: Path) -> None:
    portal.enrolled()
    done = take(portal, written(tmp_path, f"account,secret\nanne,{SECRET}\n"))
    assert (done.exit_code, "has an authenticator already" in done.stderr) == (1, True)
    portal.clock.advance(30)
    assert not opens(portal, token(portal, SECRET))


@pytest.mark.abuse("A18")
def test_a_code_of_before_the_take_over_is_used_up(portal: Portal, tmp_path: Path) -> None:
    seen = token(portal, SECRET)
    take(portal, written(tmp_path, f"account,secret\nanne,{SECRET}\n"))
    assert not opens(portal, seen)


@pytest.mark.abuse("A48")
@pytest.mark.parametrize(("column", "value"), [("digits", 1), ("period", 86_400), ("algorithm", "sha512")])
def test_how_codes_are_made_cannot_be_changed_by_hand(
    portal: Portal, tmp_path: Path, column: str, value: object
) -> None:
    take(portal, written(tmp_path, f"account,secret,digits\nanne,{SECRET},8\n"))
    portal.sql(f"UPDATE mfa_totp_seeds SET {column} = :value", value=value)  # noqa: S608
    browser = portal.browser()
    browser.password("anne")
    assert browser.step("challenge", code="1").status_code >= 400
    done = portal.app.test_cli_runner().invoke(args=["mfa", "check"])
    assert (done.exit_code, "authenticator" in done.output) == (1, True)


def test_a_group_that_may_not_use_codes_gets_none(make: MakePortal, tmp_path: Path) -> None:
    portal = make(policy=Policy(groups={"desk": GroupPolicy(methods=["webauthn"])}))
    portal.people["anne"] = Account("anne", "Anne", group="desk")
    done = take(portal, written(tmp_path, f"account,secret\nanne,{SECRET}\n"))
    assert "may not use codes" in done.stderr
    assert seeds(portal) == 0


# --- what follows ---------------------------------------------------------------------------------------------------


def test_a_short_secret_opens_and_its_owner_is_asked_to_renew_it(portal: Portal, tmp_path: Path) -> None:
    done = take(portal, written(tmp_path, f"account,secret\nanne,{SHORT}\nbob,{SECRET}\n"))
    assert "1 of them are short" in done.stdout
    portal.clock.advance(30)
    browser = portal.browser()
    browser.password("anne")
    browser.step("challenge", code=token(portal, SHORT))
    assert "ancienne clé, trop courte" in browser.get("/mfa/authenticators").text
    (listed,) = browser.api("GET", "authenticators").json["authenticators"]
    assert listed["renew"] is True
    status = portal.app.test_cli_runner().invoke(args=["mfa", "status", "--json"])
    assert json.loads(status.stdout)["together"]["renew"] == 1


def test_a_taken_over_authenticator_is_an_event_and_the_owner_is_told(portal: Portal, tmp_path: Path) -> None:
    take(portal, written(tmp_path, f"account,secret\nanne,{SECRET}\n"))
    assert portal.events()[-1] == ("authenticator_imported", "success", None)
    assert [tuple(row) for row in portal.sql("SELECT kind FROM mfa_outbox")] == [("authenticator_imported",)]


def test_rotated_keys_still_open_a_token_of_eight_digits(make: MakePortal, portal: Portal, tmp_path: Path) -> None:
    take(portal, written(tmp_path, f"account,secret,digits\nanne,{SECRET},8\n"))
    rotated = make(MFA_GATE_KEYS=f"{NEW},{KEYS}")
    done = rotated.app.test_cli_runner().invoke(args=["mfa", "keys", "rotate"])
    assert done.exit_code == 0, done.output
    alone = make(MFA_GATE_KEYS=NEW)
    alone.clock.advance(30)
    assert opens(alone, token(alone, SECRET, "-d8"))


def test_a_secret_that_is_another_accounts_already_is_not_taken_over(portal: Portal, tmp_path: Path) -> None:
    take(portal, written(tmp_path, f"account,secret\nanne,{SECRET}\n"))
    done = take(portal, written(tmp_path, f"account,secret\nbob,{SECRET}\nanne,{SECRET}\n"))
    assert "line 2: this secret is another account's already" in done.stderr
    assert "0 taken over, 1 were there already, 1 wrong" in done.stdout
    assert seeds(portal) == 1


@pytest.mark.abuse("A34")
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_whatever_fails_in_a_take_over_the_next_one_finishes_it(portal: Portal, tmp_path: Path) -> None:
    file = written(tmp_path, f"account,secret\nanne,{SECRET}\nbob,{OTHER}\n")
    with kept(portal) as put_back:
        with breaking(portal, Fault()) as whole:
            take(portal, file)
        after = state_of(portal)
        for at in range(1, whole.asked + 1):
            put_back()
            with breaking(portal, Fault(at)):
                done = take(portal, file)
            assert done.exit_code != 0
            assert "does not answer" in done.output
            assert seeds(portal) in (0, 1)
            assert take(portal, file).exit_code == 0
            assert state_of(portal) == after
