"""What README.md says is true: the bare app works as it is written, and the table names every setting."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, Request, build_opener

import pytest

from mfa_gate.settings import NAMES
from tests.support.demo import ROOT, lasting_code
from tests.support.installed import checkout, environment

README = (ROOT / "README.md").read_text(encoding="utf-8")
MARK = "--- next ---"
BASE_URL = "http://localhost:5000"
PASSWORD = "correct horse battery staple"


def block(language: str, begins: str) -> str:
    """The first fenced block of a language with a line that begins so."""
    for found in re.findall(rf"^```{language}\n(.*?)^```", README, re.S | re.M):
        if any(line.startswith(begins) for line in found.splitlines()):
            return str(found)
    raise AssertionError(f"no {language} block with a line {begins!r}")


APP = block("python", "# app.py")
SHELL = block("sh", "export FLASK_MFA_GATE_KEYS")


@dataclass
class Reader:
    """Somebody who has typed what README.md says: what each command printed, and the portal that runs now."""

    printed: dict[str, str]
    port: int
    cookies: CookieJar = field(default_factory=CookieJar)

    def open(self, path: str, **fields: str) -> tuple[int, str, str]:
        """Status, target and text of the answer to a GET, or to a POST where there are fields."""
        headers = {"Accept": "text/html", "Origin": BASE_URL}
        data = urlencode(fields).encode() if fields else None
        asked = Request(f"http://localhost:{self.port}{path}", data, headers)
        opener = build_opener(HTTPCookieProcessor(self.cookies), Stay)
        try:
            answer = opener.open(asked)
        except HTTPError as error:
            answer = error
        return answer.status, answer.headers.get("Location") or "", answer.read().decode()

    def step(self, name: str, **fields: str) -> tuple[int, str, str]:
        """Send the form of one of the gate's pages."""
        token = json.loads(self.open("/mfa/api/v1/session")[2])["csrf_token"]
        return self.open(f"/mfa/{name}", csrf_token=token, **fields)


class Stay(HTTPRedirectHandler):
    """Follows no redirect: a test looks at each."""

    def redirect_request(self, *_: Any) -> None:
        return None


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Type the commands as they stand into a fresh shell, in an empty folder, with nothing set but PATH and HOME."""
    home, folder = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("readme")
    checkout(home)
    # the port is the only thing that differs, any that is free: 5000 may be taken where the tests run
    variables = {**environment(home), "FLASK_RUN_PORT": "0", "PYTHONUNBUFFERED": "1"}
    (folder / "app.py").write_text(APP, encoding="utf-8")
    commands = [line for line in SHELL.splitlines() if line]
    *typed, last = commands
    script = "set -e\n" + "".join(f"{line}\necho {MARK}\n" for line in typed) + f"exec {last}\n"
    shell = subprocess.Popen(
        ["sh", "-c", script], cwd=folder, env=variables, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert shell.stdout is not None
    lines = []
    for line in shell.stdout:
        lines.append(line)
        if found := re.search(r"Running on http://[\w.]+:(\d+)", line):
            break
    else:
        raise AssertionError("".join(lines))
    try:
        yield Reader(dict(zip(commands, "".join(lines).split(f"{MARK}\n"), strict=True)), int(found.group(1)))
    finally:
        shell.terminate()
        shell.wait()


def said(reader: Reader, words: str) -> str:
    """What the command with these words printed."""
    return next(output for command, output in reader.printed.items() if words in command)


def test_the_bare_app_lets_anne_in_with_password_letter_and_phone(reader: Reader) -> None:
    assert reader.open("/")[:2] == (303, f"{BASE_URL}/login")
    assert "password" in reader.open("/login")[2]
    assert reader.open("/login", email="anne@officine.example", password="wrong")[0] == 401
    assert reader.open("/login", email="nobody", password=PASSWORD)[0] == 401
    half_way = reader.open("/login", email="anne@officine.example", password=PASSWORD)
    assert half_way[1] == f"{BASE_URL}/mfa/challenge"
    assert reader.open("/")[1] == f"{BASE_URL}/mfa/challenge"

    code = re.search(r"\w{4}-\w{4}-\w{4}-\w{4}", said(reader, "activation issue"))
    assert code is not None
    assert reader.step("activate", code=code.group(0))[1] == f"{BASE_URL}/mfa/enrol"
    scan = reader.step("enrol", action="begin")[2]
    secret, enrolment = re.findall(r"secret=([A-Z2-7]{32})", scan)[0], re.findall(r'enrolment" value="(\w+)"', scan)[0]
    typed = lasting_code(secret)
    codes = reader.step("enrol", action="complete", enrolment=enrolment, code=typed)[2]
    assert len(set(re.findall(r"<code>(\w{4}-\w{4}-\w{4}-\w{4})</code>", codes))) == 10
    assert f'href="{BASE_URL}/"' in codes
    assert reader.open("/")[2] == "The records of Anne Martin"


def test_check_tells_what_is_set_and_no_key(reader: Reader) -> None:
    checked = said(reader, "mfa check")
    assert BASE_URL in checked
    assert re.search(r"[\w-]{43}", checked) is None  # what a key looks like


def test_the_installed_package_is_the_one_of_the_checkout(reader: Reader) -> None:
    assert "Successfully installed mfa-gate" in said(reader, "pip install")


def test_the_lines_that_the_gate_costs_are_counted_and_at_most_eight() -> None:
    counted = [int(number) for number in re.findall(r"# (\d+)$", APP, re.M)]
    assert counted == list(range(1, len(counted) + 1))
    assert len(counted) <= 8
    for line in APP.splitlines():
        if re.search(r"\bgate\b|MFAGate|\bAccount\(", line) and not re.search(r"# \d+$", line):
            assert line.startswith("@gate.public") or "gate.session" in line, line


def test_the_table_names_every_setting_and_no_other() -> None:
    table = README.partition("## Settings")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(MFA_GATE_\w+)`", table)) == set(NAMES)


def test_every_file_that_is_linked_is_there() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert link.startswith("https://") or (ROOT / link).is_file(), link


def test_every_command_of_make_is_there() -> None:
    rules = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    assert set(re.findall(r"^make (\w+)", README, re.M)) <= rules
