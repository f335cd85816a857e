"""For the tests of reads: a portal whose views show records, and people who open them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, abort, request, stream_with_context
from werkzeug.test import TestResponse

from mfa_gate import MFAGate
from mfa_gate.durations import DAY
from mfa_gate.exc import Refusal
from tests.support.portal import JSON, Browser, MakePortal, Portal

PACE = 40  # seconds between two look-ups of a person in no hurry


def open_records(make: MakePortal, **more: Any) -> Portal:
    """A portal with a metered blueprint of records; numbers from 900000 on are nobody's."""
    portal = make(**more)
    portal.app.register_blueprint(records(portal.gate))
    return portal


def records(gate: MFAGate) -> Blueprint:
    made = Blueprint("records", __name__, url_prefix="/records")
    gate.metered(made)

    @made.route("/<number>", methods=["GET", "POST"])
    @gate.reads("patient", record="number")
    def one(number: str) -> str:
        if number.isdigit() and int(number) >= 900_000:
            abort(404)
        return f"record {number}"

    @made.get("/")
    def many() -> dict[str, list[str]]:
        ids = request.args.get("ids", "").split(",")
        gate.count_reads("patient", ids)
        return {"records": ids}

    @made.get("/swallowed/<number>")
    def swallowed(number: str) -> str:
        try:
            gate.count_reads("patient", [number])
        except Refusal:
            return f"record {number} in any case"
        return f"record {number}"

    @made.get("/streamed")
    def streamed() -> Response:
        def rows() -> Iterator[str]:
            for number in range(3):
                gate.count_reads("patient", [number])
                yield f"record {number}"

        return Response(stream_with_context(rows()))

    @made.get("/streamed-after")
    def streamed_after() -> Response:
        gate.count_reads("patient", ["first"])

        def rows() -> Iterator[str]:
            yield "begun"
            gate.count_reads("patient", ["second"])
            yield "record second"

        return Response(stream_with_context(rows()))

    @made.get("/forgotten")
    def forgotten() -> str:
        return "record of somebody"

    @made.get("/oracle/<number>")
    def oracle(number: str) -> str:
        abort(404 if number == "0" else 403)

    @made.get("/help")
    @gate.reads_nothing
    def helps() -> str:
        return "how to search"

    @made.route("/asked", methods=["OPTIONS"], provide_automatic_options=False)
    def asked() -> str:
        return "record of somebody"

    @made.get("/search")
    def search() -> tuple[str, int]:
        gate.count_reads("patient", [request.args["q"]] if "q" in request.args else [])
        gate.read_missed("patient")
        return "nobody", 200

    @made.get("/broken/<number>")
    @gate.reads("patient", record="number")
    def broken(number: str) -> str:
        raise OSError(number)

    return made


def opens(browser: Browser, number: object, pace: float = PACE) -> TestResponse:
    """Open a record, as a program would ask for it."""
    browser.portal.clock.advance(pace)
    return browser.get(f"/records/{number}", headers=JSON)


def works(browser: Browser, first: int, count: int, pace: float = PACE) -> int:
    """Open that many records; how many are shown."""
    return sum(
        opens(browser, number * 7919 % 900_000, pace).status_code == 200 for number in range(first, first + count)
    )


def lines(portal: Portal) -> list[Any]:
    """The ledger."""
    return portal.sql("SELECT kind, outcome, subject, sign_in FROM mfa_reads ORDER BY id")


def signed_in(portal: Portal) -> tuple[Browser, str]:
    browser, secret = portal.browser(), portal.enrolled()
    morning(portal)
    assert browser.sign_in(secret).status_code == 303
    return browser, secret


def morning(portal: Portal) -> None:
    """Go on to eight o'clock of the next day."""
    portal.clock.advance(DAY - portal.clock() % DAY + 8 * 3600)


def proves(browser: Browser, secret: str) -> None:
    browser.portal.clock.advance(30)
    answer = browser.api("POST", "totp/verify", {"code": browser.portal.code(secret)})
    assert answer.status_code == 200, answer.text
