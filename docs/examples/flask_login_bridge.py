"""A portal on Flask-Login: one line puts it behind the gate, and `current_user` stays anonymous until the gate agrees.

In a virtual environment that has mfa-gate[flask-login], in the folder of this file:

    export SECRET_KEY=$(python -c "import secrets; print(secrets.token_hex())")
    export ANNES_PASSWORD="correct horse battery staple"
    flask --app flask_login_bridge --debug mfa activation issue 1
    flask --app flask_login_bridge --debug run

Debug mode makes the gate's keys and base URL for you; outside it, set FLASK_MFA_GATE_KEYS and FLASK_MFA_GATE_BASE_URL.
"""

import os

from flask import Flask, request
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user, logout_user
from werkzeug.security import check_password_hash, generate_password_hash

from mfa_gate import Account, MFAGate
from mfa_gate.contrib.flask_login import FlaskLoginBridge

app = Flask(__name__)
app.secret_key = os.environ["SECRET_KEY"]
app.config.from_prefixed_env()


class User(UserMixin):
    def __init__(self, id, name, email, password):
        self.id, self.name, self.email = id, name, email
        self.hashed = generate_password_hash(password)


USERS = {"1": User("1", "Anne Martin", "anne@officine.example", os.environ["ANNES_PASSWORD"])}
LOGIN = """<form method="post"><input name="email"><input name="password" type="password">
<button>Sign in</button></form>"""
UNKNOWN = generate_password_hash(os.urandom(16).hex())

login_manager = LoginManager(app)
login_manager.login_view = "login"
login_manager.user_loader(USERS.get)

gate = MFAGate(app)
FlaskLoginBridge(gate, login_manager)


@gate.account_loader
def load(account_id):
    user = USERS.get(account_id)
    return Account(user.id, user.name, user.email) if user else None


@app.route("/login", methods=["GET", "POST"])
@gate.first_factor(username="email")
def login():
    if request.method == "GET":
        return (
            '<form method="post"><input name="email"><input name="password" type="password"><button>Go</button></form>'
        )
    user = next((user for user in USERS.values() if user.email == request.form["email"]), None)
    if check_password_hash(user.hashed if user else UNKNOWN, request.form["password"]) and user:
        login_user(user)
        return gate.sign_in(load(user.id))
    return "Wrong e-mail or password.", 401


@app.get("/")
@login_required
def home():
    return f"Hello {current_user.name}"


@app.get("/about")
@gate.public
def about():
    return f"You are {'signed in' if current_user.is_authenticated else 'nobody'}."


@app.post("/logout")
def logout():
    logout_user()
    return "Signed out."
