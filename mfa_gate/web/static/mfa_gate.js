// What the pages of mfa_gate cannot do without script: ask the browser for a passkey or a security key, and print.
// Every sentence comes from the page, in its language: see webauthn_form in parts.html.

// --- base64url and the browser's own JSON forms, for browsers that lack them (W3C WebAuthn L3 §5.1) ---

function bytes(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
}

function base64url(buffer) {
  const text = btoa(String.fromCharCode(...new Uint8Array(buffer)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function descriptors(list) {
  return (list ?? []).map((each) => ({ ...each, id: bytes(each.id) }));
}

function creationOptions(json) {
  if (PublicKeyCredential.parseCreationOptionsFromJSON) {
    return PublicKeyCredential.parseCreationOptionsFromJSON(json);
  }
  return {
    ...json,
    challenge: bytes(json.challenge),
    user: { ...json.user, id: bytes(json.user.id) },
    excludeCredentials: descriptors(json.excludeCredentials),
  };
}

function requestOptions(json) {
  if (PublicKeyCredential.parseRequestOptionsFromJSON) {
    return PublicKeyCredential.parseRequestOptionsFromJSON(json);
  }
  return { ...json, challenge: bytes(json.challenge), allowCredentials: descriptors(json.allowCredentials) };
}

const BUFFERS = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];

function credentialJSON(credential) {
  try {
    return credential.toJSON();
  } catch {
    // there is none, or a password manager has put an object of its own in between
  }
  const response = {};
  for (const name of BUFFERS) {
    if (credential.response[name]) response[name] = base64url(credential.response[name]);
  }
  if (credential.response.getTransports) response.transports = credential.response.getTransports();
  return {
    id: credential.id,
    rawId: base64url(credential.rawId),
    type: credential.type,
    response,
    clientExtensionResults: credential.getClientExtensionResults(),
  };
}

// --- a form that is sent with what the browser answers ---

// `name` picks a sentence of the form; `words` are the server's, where it has said more
class Failure extends Error {
  constructor(name, words) {
    super(words ?? name);
    this.name = name;
    this.words = words;
  }
}

function sentence(form, name) {
  return form.dataset[`say${name}`];
}

// Where the server sends whoever must first do something else; a page of ours knows the way from there.
function elsewhere(form, code) {
  const page = form.getAttribute("action"); // form.action may be a field of that name
  return { sign_in_required: page, step_up_required: page, activation_required: form.dataset.activate }[code];
}

async function options(form) {
  const headers = { "X-MFA-CSRF": form.elements.csrf_token.value, "Accept-Language": document.documentElement.lang };
  let answer;
  try {
    answer = await fetch(form.dataset.begin, { method: "POST", headers });
  } catch {
    throw new Failure("Offline");
  }
  const body = await answer.json().catch(() => null);
  if (body === null) throw new Failure("Offline"); // a proxy's own page
  if (answer.ok) return body;
  const page = elsewhere(form, body.code);
  if (page) {
    window.location.assign(page);
    return new Promise(() => {}); // still waiting when the other page comes
  }
  throw new Failure("Other", body.detail);
}

async function ask(form) {
  const json = await options(form);
  const credential =
    form.dataset.mfaWebauthn === "create"
      ? await navigator.credentials.create({ publicKey: creationOptions(json) })
      : await navigator.credentials.get({ publicKey: requestOptions(json) });
  return JSON.stringify(credentialJSON(credential));
}

function tell(form, words) {
  const problem = form.querySelector("[data-mfa-problem]");
  problem.querySelector("p").textContent = words ?? "";
  problem.hidden = !words;
  return problem;
}

function waiting(form, waits) {
  const button = form.querySelector("button");
  button.disabled = waits;
  button.setAttribute("aria-busy", String(waits));
  form.querySelector("[role=status]").textContent = waits ? sentence(form, "Waiting") : "";
}

async function send(event) {
  event.preventDefault();
  const form = event.currentTarget;
  document.getElementById("problem")?.remove(); // what the last try said
  tell(form, null);
  waiting(form, true);
  try {
    form.elements.answer.value = await ask(form);
    form.submit();
  } catch (error) {
    waiting(form, false);
    tell(form, error.words ?? sentence(form, error.name) ?? sentence(form, "Other")).focus();
  }
}

for (const form of document.querySelectorAll("form[data-mfa-webauthn]")) {
  form.addEventListener("submit", send);
  waiting(form, false); // the page comes with its button off, so that nothing is sent before this stands here
  form.querySelector("[data-mfa-first]")?.focus();
  if (!window.PublicKeyCredential || !navigator.credentials) {
    tell(form, sentence(form, "NotSupportedError"));
    form.querySelector("button").hidden = true;
  }
}

// --- codes on paper ---

for (const button of document.querySelectorAll("[data-mfa-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// In memory and let go at once: what is in a link of the page stays in the browser's list of downloads.
function save(button) {
  const paper = document.querySelector(".mfa-paper");
  const lines = [...paper.querySelectorAll("h2, code, p")].map((each) => each.textContent.trim());
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([lines.join("\r\n")], { type: "text/plain" }));
  link.download = button.dataset.mfaSave;
  link.click(); // the browser takes the content now, before the address goes
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

for (const button of document.querySelectorAll("[data-mfa-save]")) {
  button.hidden = false;
  button.addEventListener("click", () => save(button));
}

// --- what must not be sent twice ---

for (const form of document.querySelectorAll("form[data-mfa-once]")) {
  form.addEventListener("submit", () => {
    form.querySelector("button").disabled = true;
  });
}

// --- a removed key: the device may forget it too, or not ---

const removed = document.querySelector("[data-mfa-removed]");
if (removed) {
  const gone = { rpId: removed.dataset.rpId, credentialId: removed.dataset.mfaRemoved };
  window.PublicKeyCredential?.signalUnknownCredential?.(gone)?.catch(() => {});
}
