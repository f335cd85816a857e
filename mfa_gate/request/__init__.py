"""One request at a portal: the guard before its view, marks on views, the login view, the charging of records.

In the order of the calls:

1. `start.install` puts the gate into an app; before the first request `Start.check` holds marks against routes.
2. `Start.preprocess_request` runs before every hook of the portal and asks `Guard.look`.
3. `Guard.requirement_of` says what the endpoint asks for (`Marks.requirement`); `Guard.enforce` lets the request pass,
   or answers it with a redirect, a challenge or a problem document.
4. The wrappers of marked views ask again (`Start.enforce`), charge a record (`Metering.before`), or count a try at the
   login (`LoginAttempt`).
5. `Start.process_response` runs after every hook of the portal: `Metering.after` sends the answer, or replaces one that
   was neither charged nor marked.
"""
