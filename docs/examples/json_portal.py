"""A portal for programs and single-page apps: everything is JSON, and the records that it shows are metered.

In a virtual environment that has mfa-gate, in the folder of this file:

    export SECRET_KEY=$(python -c "import secrets; print(secrets.token_hex())")
    export ANNES_PASSWORD="correct horse battery staple"
    flask --app json_portal --debug mfa activation issue 1
    flask --app json_portal --debug run

The page at http://localhost:5000/ signs in anne@officine.example with the activation code that was printed.
Debug mode makes the gate's keys and base URL for you; outside it, set FLASK_MFA_GATE_KEYS and FLASK_MFA_GATE_BASE_URL.

A client signs in by POST /login, then drives /mfa/api/v1 as the document at /mfa/api/v1/openapi.json says: it sends the
`csrf_token` of GET session in `X-MFA-CSRF`, and follows `allowed_methods`. Whoever reads only `gate.session` needs no
session of the portal's own, hence MFA_GATE_IDENTITY = "gate".
"""

import os

from flask import Blueprint, Flask, jsonify, request
from werkzeug.security import check_password_hash, generate_password_hash

from mfa_gate import Account, MFAGate

app = Flask(__name__)
app.secret_key = os.environ["SECRET_KEY"]
app.config["MFA_GATE_IDENTITY"] = "gate"
app.config.from_prefixed_env()

ANNE = Account("1", "Anne Martin", "anne@officine.example")
USERS = {ANNE.email: (ANNE, generate_password_hash(os.environ["ANNES_PASSWORD"]))}
UNKNOWN = (None, generate_password_hash(os.urandom(16).hex()))
PATIENTS = {str(number): {"number": str(number), "name": f"Patient {number}"} for number in range(1, 501)}

gate = MFAGate(app, account_loader={ANNE.id: ANNE}.get)
patients = Blueprint("patients", __name__, url_prefix="/patients")
gate.metered(patients)  # it sends nothing that was neither charged nor marked as showing no record


@app.post("/login")
@gate.first_factor(username="email")
def login():
    sent = request.get_json()
    account, hashed = USERS.get(sent.get("email"), UNKNOWN)
    if check_password_hash(hashed, sent.get("password") or "") and account:
        return gate.sign_in(account)
    return jsonify(error="wrong e-mail or password"), 401


@patients.get("/<number>")
@gate.reads("patient", record="number")
def patient(number):
    found = PATIENTS.get(number)
    return jsonify(found) if found else (jsonify(error="no such patient"), 404)


@patients.get("/")
def search():
    found = [one for one in PATIENTS.values() if request.args.get("q", "") in one["name"]][:10]
    gate.count_reads("patient", [one["number"] for one in found])
    return jsonify(found)


@patients.get("/count")
@gate.reads_nothing
def count():
    return jsonify(patients=len(PATIENTS))


app.register_blueprint(patients)


@app.get("/")
@gate.public
def page():
    return PAGE


PAGE = """<!doctype html><html lang="en"><title>Portal</title>
<form><input name="email"><input name="password" type="password"><button>Sign in</button></form><pre></pre>
<script type="module">
let token = null;
async function call(method, path, body) {
  const headers = {"Accept": "application/json", "Content-Type": "application/json"};
  if (token) headers["X-MFA-CSRF"] = token;
  const answer = await fetch(path, {method, headers, body: body && JSON.stringify(body)});
  const said = await answer.json();
  if (said.session) token = said.session.csrf_token;
  if (said.code === "step_up_required") { await prove("totp/verify"); return call(method, path, body); }
  if (!answer.ok) throw new Error(said.detail ?? said.error);
  return said;
}
const gate = (path, body = {}) => call("POST", "/mfa/api/v1/" + path, body);
const prove = (step) => gate(step, {code: prompt("Code")});
const next = {  // by the state of the session; a passkey is proven by webauthn/verify/begin and /complete
  pending: () => prove("totp/verify"),
  activation: () => prove("activation/verify"),
  enrolling: async () => {
    const {secret, enrolment} = await gate("totp/enrol/begin");
    const done = await gate("totp/enrol/complete", {enrolment, code: prompt("Add to your app, then type: " + secret)});
    alert("Recovery codes: " + done.recovery_codes.join(" "));
    return done;
  },
};
document.forms[0].onsubmit = async (event) => {
  event.preventDefault();
  const shown = document.querySelector("pre");
  try {
    let {session} = await call("POST", "/login", Object.fromEntries(new FormData(event.target)));
    while (session.state !== "signed_in") ({session} = await next[session.state]());
    shown.textContent = JSON.stringify(await call("GET", "/patients/?q=1"));
  } catch (error) { shown.textContent = error.message; }
};
</script></html>"""
