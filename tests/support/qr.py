"""Reads the QR code of a page, as a phone does."""

from __future__ import annotations

import subprocess
from pathlib import Path

from playwright.sync_api import Browser as Chromium

from tests.support.browser import page_in


def scan(chromium: Chromium, svg: str, folder: Path) -> str:
    """Show an inline SVG in Chromium, take a picture of it, and let zbarimg read that."""
    page = page_in(chromium, viewport={"width": 500, "height": 500})
    page.set_content(f"<body style='margin:0;background:#777'><div style='width:480px'>{svg}</div>")
    picture = folder / "qr.png"
    page.screenshot(path=str(picture))
    page.context.close()
    read = subprocess.run(["zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", picture], capture_output=True)
    return read.stdout.decode().removesuffix("\n")
