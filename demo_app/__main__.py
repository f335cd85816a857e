"""`python -m demo_app`: prepare the demo portal at the first start, then serve it on this machine."""

from __future__ import annotations

import argparse
import signal
import socket
import sqlite3
import sys
import types
from pathlib import Path

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from mfa_gate.exc import ConfigurationError

from . import DEFAULT_INSTANCE, create_app, data
from .accounts import Handout, mark_given, provide, were_given, write_json

ADDRESS = "127.0.0.1"


class CannotStart(Exception):
    """Says in one sentence why the demo does not start."""


class QuietHandler(WSGIRequestHandler):
    """Leaves out the line per request; errors are still written."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m demo_app",
        description="Portail Officine, a portal with invented records protected by mfa_gate.",
    )
    parser.add_argument("--port", type=_port, default=5000, help="TCP port, 0 for any free one (default 5000)")
    parser.add_argument(
        "--instance",
        type=Path,
        default=DEFAULT_INSTANCE,
        metavar="DIR",
        help="folder for the databases and keys (default: instance/demo)",
    )
    parser.add_argument(
        "--accounts-json",
        type=Path,
        metavar="FILE",
        help="at the first start, write the accounts here (mode 0600)",
    )
    parser.add_argument(
        "--records",
        type=_records,
        default=data.DEFAULT_RECORDS,
        metavar="N",
        help=f"persons to invent at the first start (default: {data.DEFAULT_RECORDS})",
    )
    return parser.parse_args(argv)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return int(text)


def _records(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= data.MOST_RECORDS:
        raise argparse.ArgumentTypeError(f"write a number from 1 to {data.MOST_RECORDS}")
    return int(text)


def _take_port(port: int) -> socket.socket:
    """Reserve the port before anything is written, without answering on it yet."""
    taken = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((ADDRESS, port))
        # Two sockets may share a bound address until one listens; who calls early waits until all is ready.
        taken.listen(128)
    except OSError as error:
        taken.close()
        sentence = f"Port {port} cannot be used ({error.strerror}); choose another with --port."
        raise CannotStart(sentence) from None
    return taken


def _progress(done: int, wanted: int) -> None:
    if not sys.stderr.isatty():
        if done == wanted:
            print(f"Invented {wanted:,} insured persons.", file=sys.stderr)
        return
    filled = done * 30 // wanted
    line = f"\rInventing insured persons  {'█' * filled}{'·' * (30 - filled)}  {done:>9,} of {wanted:,}"
    print(line, end="\n" if done == wanted else "", file=sys.stderr, flush=True)


def _prepare(options: argparse.Namespace, port: int) -> tuple[Flask, list[Handout] | None]:
    """Make the app; with the handouts at the first start, None later."""
    if options.accounts_json is not None and not options.accounts_json.absolute().parent.is_dir():
        raise CannotStart(f"There is no folder {options.accounts_json.absolute().parent} for the accounts file.")
    try:
        app = create_app(
            options.instance,
            MFA_GATE_BASE_URL=f"http://localhost:{port}",
            PORTAL_RECORDS=options.records,
            PORTAL_PROGRESS=_progress,
        )
        if were_given(app):
            return app, None
        handouts = provide(app)
        if options.accounts_json is not None:
            write_json(options.accounts_json, handouts)
        return app, handouts
    except OSError as error:
        where = error.filename2 or error.filename or options.instance
        raise CannotStart(f"{where}: {error.strerror or error}.") from None
    except sqlite3.Error as error:
        raise CannotStart(f"The database in {options.instance} cannot be used: {error}.") from None
    except ConfigurationError as error:
        raise CannotStart(str(error)) from None


def _announce(port: int, handouts: list[Handout] | None, options: argparse.Namespace) -> None:
    print(f"\nPortail Officine   http://localhost:{port}   (every person in it is invented)\n")
    if handouts is None:
        print(f"Passwords and activation codes were given at the first start of {options.instance}.")
        factory = "demo_app" if options.instance == DEFAULT_INSTANCE else f"demo_app:create_app('{options.instance}')"
        print(f'A new activation code: flask --app "{factory}" mfa activation issue ACCOUNT')
        if options.accounts_json is not None:
            print("The accounts file is written at the first start only; a new --instance has new ones.")
    else:
        print("Accounts, shown this once:\n")
        for handout in handouts:
            _announce_account(handout)
    print("\nCtrl-C stops it.", flush=True)


def _announce_account(handout: Handout) -> None:
    print(f"  {handout['email']}   ({handout['account']}, {handout['group']})")
    print(f"    password         {handout['password']}")
    if "totp_secret" in handout:
        print(f"    already enrolled, key for an authenticator app: {handout['totp_secret']}\n")
    else:
        print(f"    activation code  {handout['activation_code']}\n")


def _interrupt(signum: int, frame: types.FrameType | None) -> None:
    raise KeyboardInterrupt


def main(argv: list[str] | None = None) -> int:
    """Run the demo; the exit status is 0, 2 when it cannot start, 130 when interrupted before it serves."""
    words = sys.argv[1:] if argv is None else argv
    if words[:1] == ["replay"]:
        from .replay import main as replay  # what serves people need not load it

        return replay(words[1:])
    options = _arguments(argv)
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, _interrupt)
    try:
        with _take_port(options.port) as taken:
            port = int(taken.getsockname()[1])
            app, handouts = _prepare(options, port)
            _announce(port, handouts, options)
            if handouts is not None:
                mark_given(app)
            return _serve(app, taken)
    except CannotStart as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted before it was ready; the next start takes it up.", file=sys.stderr)
        return 130


def _serve(app: Flask, taken: socket.socket) -> int:
    server = make_server(
        ADDRESS, taken.getsockname()[1], app, threaded=True, request_handler=QuietHandler, fd=taken.fileno()
    )
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
    print("\nStopped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
