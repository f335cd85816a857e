"""For the tests of imports: seeds of another maker, files of them, and the codes of its tokens."""

from __future__ import annotations

import subprocess
from base64 import b32encode
from pathlib import Path

from click.testing import Result

from tests.support.portal import Portal

SEED = bytes(range(1, 21))
SECRET = b32encode(SEED).decode()
OTHER = b32encode(bytes(range(101, 121))).decode()
NEW = "new:" + "B" * 43


def take(portal: Portal, file: Path, *words: str) -> Result:
    done = portal.app.test_cli_runner().invoke(args=["mfa", "import", "totp", str(file), *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), "a traceback"
    return done


def written(folder: Path, text: str, name: str = "seeds.csv") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def token(portal: Portal, secret: str, *options: str) -> str:
    """What a code token of another maker shows now."""
    how = [] if any(option.startswith("--totp") for option in options) else ["--totp"]
    command = ["oathtool", *how, "--base32", f"--now=@{int(portal.clock())}", *options, secret]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def opens(portal: Portal, code: str, account: str = "anne") -> bool:
    """Whether a password and this code open the protected page, in a browser of their own."""
    browser = portal.browser()
    browser.password(account)
    browser.step("challenge", code=code)
    return browser.get("/").status_code == 200
