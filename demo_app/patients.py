"""The pages that show patients: every record that leaves them is charged to who reads it."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, abort, render_template, request
from flask.blueprints import BlueprintSetupState
from werkzeug.routing import BaseConverter, ValidationError

from . import nir
from .gate import gate, get_store, now
from .record import details
from .store import Page, SearchError
from .views import Answer, signed_in_user

patients = Blueprint("patients", __name__, url_prefix="/patients")
gate.metered(patients)


class Number(BaseConverter):
    """A social security number whose key is right: what is mistyped is nobody's, and no look-up."""

    def to_python(self, value: str) -> str:
        if not nir.is_valid(value):
            raise ValidationError
        return value


@patients.record_once
def _know_numbers(state: BlueprintSetupState) -> None:
    state.app.url_map.converters["nir"] = Number


@patients.get("")
def search() -> Answer:
    text = request.args.get("q", "").strip()
    if not text:
        gate.count_reads("patient", [])
        return render_template("portal/patients.html", q="", page=None)
    try:
        page: Page = get_store().search(text, _page_number(request.args.get("page", "1")))
    except SearchError as error:
        gate.count_reads("patient", [])
        return render_template("portal/patients.html", q=text[:80], page=None, error=str(error)), 400
    gate.count_reads("patient", [person.nir for person in page.persons])
    if page.total == 0 and nir.is_valid(nir.compact(text)):
        gate.read_missed("patient")  # a number that could be somebody's, and is nobody's
    return render_template("portal/patients.html", q=text, page=page)


def _page_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 6 and int(text) >= 1):
        raise SearchError("Cette page de résultats n’existe pas.")
    return int(text)


@patients.get("/<nir:number>")
@gate.reads("patient", record="number")
def record(number: str) -> Answer:
    person = get_store().person(number)
    if person is None:
        abort(404, "Aucun dossier ne porte ce numéro.")
    get_store().note_activity(signed_in_user().id, now(), "record", person.nir)
    return render_template("portal/patient.html", person=person, details=details(person, date.today()))
