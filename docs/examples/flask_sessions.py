"""A portal on Flask's own sessions: a public page, a guarded one, and one that asks for a passkey of the last minutes.

In a virtual environment that has mfa-gate, in the folder of this file:

    export SECRET_KEY=$(python -c "import secrets; print(secrets.token_hex())")
    export ANNES_PASSWORD="correct horse battery staple"
    flask --app flask_sessions --debug mfa activation issue 1
    flask --app flask_sessions --debug run

Debug mode makes the gate's keys and base URL for you; outside it, set FLASK_MFA_GATE_KEYS and FLASK_MFA_GATE_BASE_URL.
"""

import os
from datetime import timedelta

from flask import Flask, request, session
from werkzeug.security import check_password_hash, generate_password_hash

from mfa_gate import Account, Level, MFAGate

app = Flask(__name__)
app.secret_key = os.environ["SECRET_KEY"]
app.config.from_prefixed_env()

USERS = {"anne@officine.example": ("1", "Anne Martin", generate_password_hash(os.environ["ANNES_PASSWORD"]))}
LOGIN = """<form method="post"><input name="email"><input name="password" type="password">
<button>Sign in</button></form>"""
UNKNOWN = ("", "", generate_password_hash(os.urandom(16).hex()))  # takes as long as somebody's

gate = MFAGate(app)


@gate.account_loader
def load(account_id):
    for email, (id, name, _) in USERS.items():
        if id == account_id:
            return Account(id, name, email)
    return None


@gate.signed_in
def open_session(account):
    session["user"] = account.id


@gate.identity
def visitor():
    return session.get("user")


@app.get("/about")
@gate.public
def about():
    return "Open to everybody."


@app.get("/login")
@gate.public
def login_page():
    return (
        '<form method="post"><input name="email"><input name="password" type="password"><button>Sign in</button></form>'
    )


@app.post("/login")
@gate.first_factor(username="email")
def login():
    id, _, hashed = USERS.get(request.form["email"], UNKNOWN)
    if check_password_hash(hashed, request.form["password"]):
        return gate.sign_in(load(id))
    return "Wrong e-mail or password.", 401


@app.get("/")
def home():
    return f"Hello {gate.session.account.name}"


@app.get("/bank")
@gate.require(Level.PHISHING_RESISTANT, max_age=timedelta(minutes=10))
def bank():
    return "Your bank details"


@app.post("/logout")
def logout():
    session.clear()
    gate.sign_out()
    return "Signed out."
