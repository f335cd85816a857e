"""What README.md says is true: the bare app works as it is written, and the table names every setting."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from mfa_gate.settings import NAMES
from mfa_gate.testing import totp_code
from tests.support.demo import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PASSWORD = "not a real password"
BASE_URL = "https://portal.example"


def block(language: str, begins: str) -> str:
    """The first fenced block of a language with a line that begins so."""
    for found in re.findall(rf"^```{language}\n(.*?)^```", README, re.S | re.M):
        if any(line.startswith(begins) for line in found.splitlines()):
            return str(found)
    raise AssertionError(f"no {language} block with a line {begins!r}")


APP = block("python", "# app.py")
SHELL = block("sh", "export FLASK_MFA_GATE_KEYS")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The commands of the README, run as they are written in the folder of its app; what each printed."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "app.py").write_text(APP, encoding="utf-8")
    commands = [line for line in SHELL.splitlines() if line and not line.startswith("pip install")]
    script = "set -eu\n" + "".join(f"{line}\nprintf '%s\\n' ---\n" for line in commands)
    script += 'printf "%s\\n" "$FLASK_MFA_GATE_KEYS"\n'
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    environment = {"PATH": path, "SECRET_KEY": "x" * 32, "ANNES_PASSWORD": PASSWORD, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    *outputs, keys = done.stdout.split("---\n")
    return {**dict(zip(commands, outputs, strict=True)), "keys": keys.strip(), "folder": str(folder)}


@pytest.fixture
def app(told: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.setenv("SECRET_KEY", "x" * 32)
    monkeypatch.setenv("ANNES_PASSWORD", PASSWORD)
    monkeypatch.setenv("FLASK_MFA_GATE_KEYS", told["keys"])
    monkeypatch.setenv("FLASK_MFA_GATE_BASE_URL", BASE_URL)
    spec = importlib.util.spec_from_file_location("app", Path(told["folder"], "app.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "app", module)
    spec.loader.exec_module(module)
    yield module
    module.app.extensions["mfa_gate"].services.store.close()


def send(client: FlaskClient, path: str, **fields: str) -> TestResponse:
    headers = {"Accept": "text/html", "Origin": BASE_URL}
    if path.startswith("/mfa/"):
        session = client.get("/mfa/api/v1/session", base_url=BASE_URL).json
        fields["csrf_token"] = session["csrf_token"]
    return client.post(path, data=fields, base_url=BASE_URL, headers=headers)


def test_the_bare_app_lets_anne_in_with_password_letter_and_phone(app: ModuleType, told: dict[str, str]) -> None:
    client = app.app.test_client()
    assert client.get("/", base_url=BASE_URL, headers={"Accept": "text/html"}).location == f"{BASE_URL}/login"
    assert b"password" in client.get("/login", base_url=BASE_URL).data
    assert send(client, "/login", email="anne@officine.example", password="wrong").status_code == 401
    assert send(client, "/login", email="nobody", password=PASSWORD).status_code == 401
    half_way = send(client, "/login", email="anne@officine.example", password=PASSWORD)
    assert half_way.location == f"{BASE_URL}/mfa/challenge"
    assert client.get("/", base_url=BASE_URL).status_code == 401

    issued = next(output for command, output in told.items() if "activation issue" in command)
    code = re.search(r"\w{4}-\w{4}-\w{4}-\w{4}", issued)
    assert code is not None
    assert send(client, "/mfa/activate", code=code.group(0)).location == f"{BASE_URL}/mfa/enrol"
    scan = send(client, "/mfa/enrol", action="begin").text
    secret, enrolment = re.findall(r"secret=([A-Z2-7]{32})", scan)[0], re.findall(r'enrolment" value="(\w+)"', scan)[0]
    typed = totp_code(secret, time.time())
    codes = send(client, "/mfa/enrol", action="complete", enrolment=enrolment, code=typed).text
    assert len(set(re.findall(r"<code>(\w{4}-\w{4}-\w{4}-\w{4})</code>", codes))) == 10
    assert f'href="{BASE_URL}/"' in codes
    assert client.get("/", base_url=BASE_URL).text == "The records of Anne Martin"


def test_check_finds_nothing_wrong_with_the_bare_app(told: dict[str, str]) -> None:
    checked = next(output for command, output in told.items() if "mfa check" in command)
    assert BASE_URL in checked
    assert told["keys"].partition(":")[2] not in checked


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
