"""The whole apps under docs/examples work as they stand."""

from __future__ import annotations

import ast
import importlib.util
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Dialog, sync_playwright
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from mfa_gate.testing import SoftwareKey, enrol_key, enrol_totp, prove_by_key
from tests.support.browser import launch, page_in
from tests.support.demo import ROOT, lasting_code
from tests.support.portal import KEYS
from tests.support.served import Quiet

EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.py"))
BASE_URL = "http://localhost:5000"
EMAIL, PASSWORD = "anne@officine.example", "not a real password"
Load = Callable[[str], Any]


@pytest.fixture
def backend() -> str:
    """Each app has its own store."""
    return "sqlite"


@pytest.fixture
def load(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Import an example, as `flask --app` does."""
    for name, value in (
        ("SECRET_KEY", "x" * 32),
        ("ANNES_PASSWORD", PASSWORD),
        ("FLASK_MFA_GATE_KEYS", KEYS),
        ("FLASK_MFA_GATE_BASE_URL", BASE_URL),
        ("FLASK_MFA_GATE_DATABASE_URL", database_url),
    ):
        monkeypatch.setenv(name, value)
    loaded = []

    def imported(name: str) -> Any:
        spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "examples" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        loaded.append(module)
        return module

    yield imported
    for module in loaded:
        module.app.extensions["mfa_gate"].services.store.close()


def send(client: FlaskClient, path: str, **fields: str) -> TestResponse:
    headers = {"Accept": "text/html", "Origin": BASE_URL}
    if path.startswith("/mfa/"):
        fields["csrf_token"] = client.get("/mfa/api/v1/session", base_url=BASE_URL).json["csrf_token"]
    return client.post(path, data=fields, base_url=BASE_URL, headers=headers)


def get(client: FlaskClient, path: str) -> TestResponse:
    return client.get(path, base_url=BASE_URL, headers={"Accept": "text/html"})


def test_each_example_is_read_in_a_minute() -> None:
    assert len(EXAMPLES) == 3
    assert {file.name: lines for file in EXAMPLES if (lines := len(file.read_text().splitlines())) > 120} == {}


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_the_steps_in_the_head_of_an_example_work_as_they_are_written(file: Path, tmp_path: Path) -> None:
    shutil.copy(file, tmp_path)
    head = ast.get_docstring(ast.parse(file.read_text())) or ""
    *steps, last = [line.strip() for line in head.splitlines() if line.startswith("    ")]
    assert last == f"flask --app {file.stem} --debug run"
    variables = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["sh", "-ec", "\n".join(steps)], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Activation code for Anne Martin: " in done.stdout


def test_flask_sessions(load: Load) -> None:
    example = load("flask_sessions")
    key = enrol_key(example.app, example.load("1"), SoftwareKey(BASE_URL))
    client = example.app.test_client()
    assert get(client, "/about").text == "Open to everybody."
    assert get(client, "/").location == f"{BASE_URL}/login"
    assert send(client, "/login", email=EMAIL, password="wrong").status_code == 401
    assert send(client, "/login", email=EMAIL, password=PASSWORD).location == f"{BASE_URL}/mfa/challenge"
    assert get(client, "/").location == f"{BASE_URL}/mfa/challenge"
    assert prove_by_key(client, key).status_code == 200
    assert get(client, "/").text == "Hello Anne Martin"
    assert get(client, "/bank").text == "Your bank details"
    assert send(client, "/logout").text == "Signed out."
    assert get(client, "/").location == f"{BASE_URL}/login"


def test_flask_login_bridge(load: Load) -> None:
    example = load("flask_login_bridge")
    secret = enrol_totp(example.app, example.load("1"))
    client = example.app.test_client()
    send(client, "/login", email=EMAIL, password=PASSWORD)
    assert get(client, "/about").text == "You are nobody."
    code = lasting_code(secret)
    assert send(client, "/mfa/challenge", code=code).status_code == 303
    assert get(client, "/").text == "Hello Anne Martin"
    assert get(client, "/about").text == "You are signed in."
    send(client, "/logout")
    assert get(client, "/about").text == "You are nobody."


def test_json_portal(load: Load) -> None:
    example = load("json_portal")
    key = enrol_key(example.app, example.ANNE, SoftwareKey(BASE_URL))
    client = example.app.test_client()
    assert client.get("/patients/7", base_url=BASE_URL).status_code == 401
    login = {"email": EMAIL, "password": PASSWORD}
    pending = client.post("/login", json=login, base_url=BASE_URL)
    assert (pending.status_code, pending.json["session"]["state"]) == (200, "pending")
    assert prove_by_key(client, key).json["session"]["state"] == "signed_in"
    assert client.get("/patients/7", base_url=BASE_URL).json["name"] == "Patient 7"
    assert len(client.get("/patients/?q=Patient", base_url=BASE_URL).json) == 10
    assert client.get("/patients/count", base_url=BASE_URL).json == {"patients": 500}
    opened = (client.get(f"/patients/{number}", base_url=BASE_URL) for number in range(1, 501))
    refused = next(answer for answer in opened if answer.status_code != 200)
    assert refused.json["code"] == "reads_stopped"  # nobody reads at that pace


@pytest.mark.browser
def test_the_script_of_the_json_portal_signs_in_in_a_browser(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    secret = ""

    def answer(dialog: Dialog) -> None:
        nonlocal secret
        asked.append(dialog.message)
        if found := re.search(r"then type: ([A-Z2-7]{32})$", dialog.message):
            secret = found.group(1)
        typed = lasting_code(secret) if secret else code
        dialog.accept(typed if dialog.type == "prompt" else None)

    server = make_server("127.0.0.1", 0, lambda *_: [], threaded=True, request_handler=Quiet)
    url = f"http://localhost:{server.server_port}"
    monkeypatch.setenv("FLASK_MFA_GATE_BASE_URL", url)
    module = load("json_portal")
    with module.app.app_context():
        code = module.gate.issue_activation("1", reason="test")
    server.app = module.app
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        with sync_playwright() as running, launch(running) as browser:
            page = page_in(browser)
            page.on("dialog", answer)
            page.goto(url)
            page.fill("[name=email]", EMAIL)
            page.fill("[name=password]", PASSWORD)
            page.click("button")
            page.wait_for_function("document.querySelector('pre').textContent !== ''")
            shown = page.text_content("pre") or ""
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
    assert '"name":"Patient 1"' in shown
    assert [message.split(":")[0] for message in asked] == ["Code", "Add to your app, then type", "Recovery codes"]
