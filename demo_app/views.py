"""The pages of Portail Officine."""

from __future__ import annotations

from datetime import date, timedelta

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response as BaseResponse

from mfa_gate import Level

from . import bank
from .accounts import normalise_email, password_matches
from .forms import refuse_other_sites, require_csrf_token
from .gate import as_account, current_user, gate, get_store, now
from .store import User

portal = Blueprint("portal", __name__)

Answer = str | BaseResponse | tuple[str, int]

LATEST_STEPS = 6


def signed_in_user() -> User:
    """Who is signed in; the gate lets nobody else come this far."""
    user = current_user()
    if user is None:
        # Only an account that was taken out this very moment comes here.
        abort(403)
    return user


@portal.get("/login")
@gate.public
def login_form() -> Answer:
    if current_user() is not None:
        return redirect(url_for("portal.home"))
    return render_template("portal/login.html")


@portal.post("/login")
@gate.first_factor(username="email")
def login() -> Answer:
    refuse_other_sites()
    email = request.form.get("email", "")
    user = get_store().user_by_email(normalise_email(email))
    right = password_matches(request.form.get("password", ""), user.password if user else None)
    if user is None or not right:
        return render_template("portal/login.html", wrong=True, email=email[:254]), 401
    answer: BaseResponse = gate.sign_in(as_account(user))
    return answer


@portal.post("/logout")
@gate.public
def logout() -> Answer:
    require_csrf_token()
    gate.sign_out()
    session.clear()
    flash("Vous êtes déconnecté·e.")
    return redirect(url_for("portal.login_form"))


@portal.get("/")
def home() -> Answer:
    user = signed_in_user()
    return render_template(
        "portal/home.html",
        steps=get_store().latest_activity(user.id, LATEST_STEPS),
        transfers=[] if user.iban is None else bank.latest_transfers(user.id, date.today()),
    )


@portal.get("/account/bank-details")
@gate.require(Level.PHISHING_RESISTANT, max_age=timedelta(minutes=10))
def bank_details() -> Answer:
    return render_template("portal/bank_details.html", errors={}, values={})


@portal.post("/account/bank-details")
@gate.require(Level.PHISHING_RESISTANT, max_age=timedelta(minutes=10))
def change_bank_details() -> Answer:
    require_csrf_token()
    values = {name: request.form.get(name, "")[:200] for name in ("iban", "holder")}
    checked, errors = {}, {}
    for name, check in (("iban", bank.check_iban), ("holder", bank.check_holder)):
        try:
            checked[name] = check(values[name])
        except bank.BankError as error:
            errors[name] = str(error)
    if errors:
        return render_template("portal/bank_details.html", errors=errors, values=values), 422
    user = signed_in_user()
    get_store().set_bank_details(user.id, checked["iban"], checked["holder"])
    get_store().note_activity(user.id, now(), "bank_details")
    flash("Vos nouvelles coordonnées bancaires sont enregistrées.")
    return redirect(url_for("portal.bank_details"))


@portal.get("/health")
@gate.public
def health() -> Response:
    get_store().fact("accounts")
    return Response("ok\n", mimetype="text/plain")
