"""The wheel that is built: what is in it and what is not, and that it works away from the checkout."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest

from mfa_gate import __version__
from tests.support.installed import ROOT, build_wheel, run

PACKAGE: Final = ROOT / "mfa_gate"
SOURCES_OF_CATALOGUES: Final = {".po", ".pot", ".cfg"}
LEFT_BY_TOOLS: Final = {".pyc", ".mo"}

PROGRAM = """
import json
import re

import mfa_gate
from flask import Flask, session
from mfa_gate import Account, MFAGate
from mfa_gate.store import Store, migrate

empty = Store("sqlite:///empty.sqlite3")
before = empty.outdated()
empty.upgrade()

app = Flask("portal", instance_path=INSTANCE)
app.config.update(
    SECRET_KEY="x",
    MFA_GATE_BASE_URL="https://portal.example",
    MFA_GATE_KEYS="test1:" + "A" * 43,
    MFA_GATE_DATABASE_URL="sqlite:///empty.sqlite3",
    MFA_GATE_IDENTITY="gate",
)
anne = Account("1", "Anne Martin", locale="fr")
gate = MFAGate(app, account_loader=lambda id: anne)


@app.post("/login")
@gate.first_factor(username="email")
def login():
    return gate.sign_in(anne)


browser = app.test_client()
there = {"base_url": "https://portal.example", "headers": {"Accept": "text/html", "Origin": "https://portal.example"}}
browser.post("/login", data={"email": "anne"}, **there)
page = browser.get("/mfa/activate", **there)
files = re.findall(r'(?:href|src)="(/mfa/static/[^"]+)"', page.text)
print(json.dumps({
    "package": mfa_gate.__file__,
    "before": before,
    "after": empty.outdated(),
    "head": migrate.HEAD,
    "status": page.status_code,
    "page": page.text,
    "static": {file: browser.get(file, **there).status_code for file in files},
    "commands": sorted(app.test_cli_runner().invoke(args=["mfa", "--help"]).output.split()),
}))
"""


@pytest.fixture
def backend() -> str:
    """The wheel is tried on an empty SQLite."""
    return "sqlite"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def contents(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.fixture(scope="session")
def said(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the program above says where the package is there from the wheel alone."""
    folder = tmp_path_factory.mktemp("isolated")
    home = wheel.parent.parent
    variables = {"PATH": f"{home / 'venv' / 'bin'}:/usr/bin:/bin", "HOME": str(home)}
    run(f"pip install --no-deps --no-index --target '{folder / 'target'}' '{wheel}'", folder, variables)
    (folder / "program.py").write_text(f"INSTANCE = {str(folder)!r}\n{PROGRAM}")
    found: dict[str, Any] = json.loads(
        run("python program.py", folder, {**variables, "PYTHONPATH": str(folder / "target")})
    )
    assert found["package"] == str(folder / "target" / "mfa_gate" / "__init__.py")
    return found


def test_every_file_of_the_package_is_in_the_wheel(contents: set[str]) -> None:
    left_out = SOURCES_OF_CATALOGUES | LEFT_BY_TOOLS
    needed = {
        str(file.relative_to(ROOT)) for file in PACKAGE.rglob("*") if file.is_file() and file.suffix not in left_out
    }
    assert needed - contents == set()


def test_nothing_else_is_in_the_wheel(contents: set[str]) -> None:
    """No test, no demo, no source of a catalogue."""
    assert {name.split("/")[0] for name in contents} == {"mfa_gate", f"mfa_gate-{__version__}.dist-info"}
    assert [name for name in contents if Path(name).suffix in SOURCES_OF_CATALOGUES | {".pyc"}] == []


def test_each_catalogue_is_in_the_wheel_compiled(contents: set[str]) -> None:
    catalogues = {str(file.relative_to(ROOT).with_suffix(".mo")) for file in PACKAGE.rglob("*.po")}
    assert catalogues
    assert {name for name in contents if name.endswith(".mo")} == catalogues


def test_the_licence_is_in_the_wheel(contents: set[str]) -> None:
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in contents)


def test_the_migrations_of_the_wheel_make_an_empty_store(said: dict[str, Any]) -> None:
    assert said["before"] == "the store has no tables yet: run 'flask mfa db upgrade'"
    assert said["after"] is None


def test_a_page_of_the_wheel_is_rendered_in_french(said: dict[str, Any]) -> None:
    assert said["status"] == 200
    assert '<html lang="fr">' in said["page"]
    assert "code d’activation" in said["page"]
    assert "activation code" not in said["page"]


def test_the_static_files_that_a_page_names_are_in_the_wheel(said: dict[str, Any]) -> None:
    assert said["static"]
    assert set(said["static"].values()) == {200}


def test_the_wheel_brings_its_commands(said: dict[str, Any]) -> None:
    assert {"activation", "check", "keys", "purge"} <= set(said["commands"])
